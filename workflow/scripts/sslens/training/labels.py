"""Learning the labels by the protocol of an arm, with all labels or some."""

import logging
from collections.abc import Mapping
from dataclasses import replace

import keras
import numpy as np
import pandas as pd

from sslens.classes import CLASSES
from sslens.data.records import Split
from sslens.networks import replicas
from sslens.networks.classifiers import classifier_of_arm
from sslens.protocols import FROZEN, LINEAR_PROBE, NEAREST_NEIGHBOURS
from sslens.seeds import derive_seed
from sslens.training.checkpoints import Checkpoint
from sslens.training.finetuning import fine_tune
from sslens.training.plan import Plan, plan_training
from sslens.training.probes import (
    fit_linear_probe,
    fit_nearest_neighbours,
    recompute_batch_norm_statistics,
)
from sslens.training.tensorboard import Report, silent

log = logging.getLogger(__name__)


def learn_labels(
    train: Split,
    validation: Split,
    settings: dict,
    pretrained: str | None,
    fraction: float,
    seed: int,
    checkpoint: Checkpoint,
    report: Report = silent,
) -> tuple[keras.Model, pd.DataFrame]:
    """Learn the labels by the protocol of an arm.

    Args:
        train, validation: preprocessed splits.
        settings: of the arm, resolved (see `settings.arm_settings`).
        pretrained: path of the encoder's weights, or None for a fresh encoder.
        fraction: of the training labels that may be used.
        seed: of the run.
        checkpoint: to go on from.
        report: receives the rows of a fine-tuning's history.

    Returns:
        The classifier, and the history of the protocol.
    """
    labelled, learning = train, settings["learning"]
    if fraction < 1:
        labelled = train.take(labelled_subset(train.labels, fraction, seed))

    def begin() -> tuple[keras.Model, keras.Model]:
        shape = train.images.shape[1:]
        classifier, encoder = classifier_of_arm(settings, shape, len(labelled.labels), seed)
        if pretrained is not None:
            encoder.load_weights(pretrained)
        return classifier, encoder

    if settings["protocol"] in FROZEN:
        classifier, encoder = begin()
        recompute_batch_norm_statistics(encoder, train.images)
        fit = {LINEAR_PROBE: fit_linear_probe, NEAREST_NEIGHBOURS: fit_nearest_neighbours}[
            settings["protocol"]
        ]
        return classifier, fit(classifier, encoder, labelled, validation, learning)
    plan = _plan(learning, len(labelled.labels), len(train.labels))
    with replicas.shared_by_gpus(plan.batch_size):
        classifier, _ = begin()
        history = fine_tune(
            classifier, labelled, validation, learning, plan, seed, checkpoint, report
        )
    return classifier, history


def _plan(settings: dict, images: int, full_split: int) -> Plan:
    """The plan of a fine-tuning, with a pretraining's steps on top where it has to match one."""
    plan = plan_training(settings, images, full_split)
    if (other := settings["match_steps_of"]) is None:
        return plan
    more = plan_training(other, full_split, full_split)
    return replace(plan, steps=plan.steps + more.steps)


def count_labelled(images_per_class: Mapping[str, int], fraction: float) -> int:
    """How many images `labelled_subset` chooses of these."""
    return sum(round(fraction * images) for images in images_per_class.values())


def labelled_subset(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Choose the images whose labels are used.

    Stratified by class, nested (a smaller fraction is part of a larger one) and the same for
    every arm, since it depends on nothing but the labels, the fraction and the seed.

    Args:
        labels: (n,) integers.
        fraction: in (0, 1].
        seed: of the run.

    Returns:
        Sorted row indices.

    Raises:
        ValueError: if a class would be left without an image.
    """
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = round(fraction * len(rows))
        if count == 0:
            raise ValueError(
                f"label_fractions: {fraction} leaves no image of class {CLASSES[label]}"
            )
        generator = np.random.default_rng(derive_seed(seed, "labelled subset", int(label)))
        chosen.append(generator.permutation(rows)[:count])
    return np.sort(np.concatenate(chosen))
