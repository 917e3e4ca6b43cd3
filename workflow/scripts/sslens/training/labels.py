"""Learning a task with the whole network, from all labels or some."""

from typing import NamedTuple

import keras
import pandas as pd

from sslens.data.records import Split
from sslens.networks import replicas
from sslens.networks.classifiers import build_network
from sslens.networks.encoders.building import rate_scales
from sslens.tasks.base import Task, targeted
from sslens.tasks.registry import load_task
from sslens.training.checkpoints import Checkpoint
from sslens.training.finetuning import fine_tune
from sslens.training.plan import plan_fine_tuning
from sslens.training.tensorboard import Report, silent


class Learned(NamedTuple):
    """A network that has learned a task.

    Args:
        network: from images to the outputs of the task.
        history: of `fine_tune`.
        task: with the facts of the targets it learned from.
        images: how many it learned from.
    """

    network: keras.Model
    history: pd.DataFrame
    task: Task
    images: int


def learn_labels(
    train: Split,
    validation: Split,
    settings: dict,
    pretrained: str | None,
    fraction: float,
    seed: int,
    checkpoint: Checkpoint,
    report: Report = silent,
) -> Learned:
    """Fine-tune the network of an arm.

    Args:
        train, validation: preprocessed splits.
        settings: of the arm, resolved (see `settings.arm_settings`).
        pretrained: path of the encoder's weights, or None for a fresh encoder.
        fraction: of the training labels that may be used.
        seed: of the run.
        checkpoint: to go on from.
        report: receives the rows of the history.
    """
    task, learning = load_task(settings["task"]), settings["learning"]
    pretrained_on = len(train.images)  # also those without a label
    train, validation = (targeted(task, split) for split in (train, validation))
    labelled = train
    if fraction < 1:
        labelled = train.take(task.labelled(train.labels, fraction, seed))
    plan = plan_fine_tuning(learning, len(labelled.labels), len(train.labels), pretrained_on)
    task = task.learning_from(labelled.labels)
    learned, measured = (
        split._replace(labels=task.relative(split.labels)) for split in (labelled, validation)
    )
    with replicas.shared_by_gpus(plan.batch_size):
        network, encoder = build_network(
            settings["encoder"], train.images.shape[1:], seed, task.outputs, task.layer
        )
        if pretrained is not None:
            encoder.load_weights(pretrained)
        variables, decay = network.trainable_variables, learning["layer_decay"]
        scales = rate_scales(settings["encoder"], variables, decay)
        history = fine_tune(
            network, learned, measured, task, learning, plan, seed, checkpoint, report, scales
        )
    return Learned(network, history, task, len(labelled.labels))
