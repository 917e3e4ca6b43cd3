"""Learning a task from the features of a frozen encoder, from all labels or some."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from sslens.tasks.base import Task, rows_with_target
from sslens.tasks.registry import load_task
from sslens.training.probes.base import Features, load_probe


class FrozenSplit(NamedTuple):
    """Images of a split as a frozen encoder sees them.

    Args:
        image_ids: (n,).
        targets: of the task, (n,) or (n, k).
        features: in each orientation, (orientations, n, d), float32.
    """

    image_ids: np.ndarray
    targets: np.ndarray
    features: np.ndarray


class Probed(NamedTuple):
    """A probe that has learned a task.

    Args:
        probe: the arrays that it consists of, by name.
        history: of the fit.
        task: with the facts of the targets it learned from.
        images: how many it learned from.
    """

    probe: dict[str, np.ndarray]
    history: pd.DataFrame
    task: Task
    images: int


def frozen_split(
    task: Task, features: np.ndarray, image_ids: np.ndarray, *columns: np.ndarray
) -> FrozenSplit:
    """The images of a split that have any target of a task.

    Args:
        task: whose `columns` are given.
        features: (orientations, n, d).
        image_ids, columns: (n,) each.
    """
    targets = task.targets(*columns)
    rows = rows_with_target(task, targets)
    return FrozenSplit(image_ids[rows], targets[rows], features[:, rows])


def learn_probe(
    train: FrozenSplit, validation: FrozenSplit, settings: Mapping, fraction: float, seed: int
) -> Probed:
    """Fit the probe of an arm to features of images as they are, in their first orientation.

    Args:
        train, validation: images that have a target.
        settings: of the arm, resolved (see `settings.probe_settings`).
        fraction: of the training labels that may be used.
        seed: of the run.
    """
    task = load_task(settings["task"])
    rows = task.labelled(train.targets, fraction, seed)
    task = task.learning_from(train.targets[rows])
    labelled = Features(train.features[0][rows], task.relative(train.targets[rows]))
    held_out = Features(validation.features[0], task.relative(validation.targets))
    fit = load_probe(settings["task"]["name"], settings["protocol"]).fit
    return Probed(*fit(labelled, held_out, settings["learning"]), task, len(rows))


def outputs_of(probed: Probed, split: FrozenSplit, settings: Mapping) -> np.ndarray:
    """Outputs of a probe in each orientation, (orientations, n, outputs), as a network's."""
    outputs = load_probe(settings["task"]["name"], settings["protocol"]).outputs
    learning = settings["learning"]
    return np.stack([outputs(probed.probe, oriented, learning) for oriented in split.features])
