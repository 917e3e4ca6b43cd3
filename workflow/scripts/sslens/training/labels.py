"""Learning the labels with the whole network, from all labels or some."""

import keras
import pandas as pd

from sslens.data.records import Split
from sslens.labelled import labelled_subset
from sslens.networks import replicas
from sslens.networks.classifiers import build_classifier
from sslens.networks.encoders.building import rate_scales
from sslens.training.checkpoints import Checkpoint
from sslens.training.finetuning import fine_tune
from sslens.training.plan import plan_fine_tuning
from sslens.training.tensorboard import Report, silent


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
    """Fine-tune the classifier of an arm.

    Args:
        train, validation: preprocessed splits.
        settings: of the arm, resolved (see `settings.arm_settings`).
        pretrained: path of the encoder's weights, or None for a fresh encoder.
        fraction: of the training labels that may be used.
        seed: of the run.
        checkpoint: to go on from.
        report: receives the rows of the history.

    Returns:
        The classifier, and the history of `fine_tune`.
    """
    labelled, learning = train, settings["learning"]
    if fraction < 1:
        labelled = train.take(labelled_subset(train.labels, fraction, seed))
    plan = plan_fine_tuning(learning, len(labelled.labels), len(train.labels))
    with replicas.shared_by_gpus(plan.batch_size):
        classifier, encoder = build_classifier(settings["encoder"], train.images.shape[1:], seed)
        if pretrained is not None:
            encoder.load_weights(pretrained)
        variables, decay = classifier.trainable_variables, learning["layer_decay"]
        scales = rate_scales(settings["encoder"], variables, decay)
        history = fine_tune(
            classifier, labelled, validation, learning, plan, seed, checkpoint, report, scales
        )
    return classifier, history
