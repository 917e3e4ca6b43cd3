"""The contract of a self-supervised method: what a step gives it, and what it gives back.

A method is a module `NAME.py` with a class `Method` that extends the one below, and beside it
`NAME.schema.yaml`, the JSON schema of its options (and `encoder_passes`, see `passes`). On
several GPUs each has a copy of the method and its rows of the batch, see `networks.replicas`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf


class Batch(NamedTuple):
    """What a step learns from.

    Args:
        views: as many as the method's `views`, (batch, height, width, channels) each. Row i of all
            is one image or, where `pairs` says so, of one lens or one substructure.
        seed: (2,) integers for stateless draws in the loss, others in every step, and the same ones
            where a training is resumed.
        progress: the fraction of the training that is done after this step, scalar in (0, 1].
        labels: (batch,) classes, where the method `uses_labels`.
        lenses: (batch,) integers, where it `uses_lenses`: equal for images of one lens alone, so
            for views of one image as well.
    """

    views: tuple[tf.Tensor, ...]
    seed: tf.Tensor
    progress: tf.Tensor
    labels: tf.Tensor | None = None
    lenses: tf.Tensor | None = None


class Outcome(NamedTuple):
    """What a method makes of a batch.

    Args:
        loss: scalar.
        embeddings: (batch, d), from which collapse is diagnosed.
        measures: further scalars, which become columns of the history, as means over an epoch.
        update: tensors for `Method.after_step`, the same ones on all replicas.
    """

    loss: tf.Tensor
    embeddings: tf.Tensor
    measures: Mapping[str, tf.Tensor] = {}
    update: tuple[tf.Tensor, ...] = ()


class Method(ABC):
    """A method on an encoder.

    Attributes:
        views: how many views of every image `loss` takes.
        uses_labels: whether it takes their labels, and is no self-supervised method.
        uses_lenses: whether it takes their lenses.
        uses_encoder_settings: whether its options have the settings of the encoder, as `encoder`.
        trainable_variables: what the optimiser changes.
        variables: all that a checkpoint must hold, those among it.
        not_decayed: trainable variables without weight decay, besides gains, offsets and biases.
        against_collapse: in words, what helps where its encoder collapses.
    """

    views = 2
    uses_labels = False
    uses_lenses = False
    uses_encoder_settings = False
    trainable_variables: list
    variables: list
    not_decayed: Sequence = ()
    against_collapse = "lower the learning rate, or take a larger batch"

    def __init__(self, encoder: keras.Model, options: dict, seed: int):
        """Build the heads on an encoder, from images to (batch, features).

        Args:
            encoder: that learns.
            options: by the schema of the method.
            seed: decides the initial weights of the heads.
        """
        self._encoder, self._options = encoder, options

    def _learn(self, *networks: keras.Model, state: Sequence = ()) -> None:
        """Set what the optimiser changes, and what a checkpoint holds: `state` besides."""
        self.trainable_variables = [v for network in networks for v in network.trainable_variables]
        self.variables = [v for network in networks for v in network.variables] + list(state)

    @abstractmethod
    def loss(self, batch: Batch) -> Outcome:
        """What the encoder learns by; it changes no variable but moving statistics."""

    def after_step(  # noqa: B027 (most have nothing to do)
        self, progress: tf.Tensor, update: tuple[tf.Tensor, ...]
    ) -> None:
        """Change the state that takes no gradient, after the optimiser's step.

        Args:
            progress: as in `Batch`.
            update: as in the step's `Outcome`.
        """

    def held_out(self, views: Sequence[np.ndarray]) -> dict[str, float]:
        """Measures of views of validation images when an epoch has ended, for the history."""
        return {}

    def reconstructed(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What a method that reconstructs sees of images, and makes of it now.

        Args:
            images: (n, height, width, channels).

        Returns:
            Two arrays of their shape: where it is to reconstruct, the first is NaN.
        """
        raise NotImplementedError


def state_variable(values: np.ndarray, name: str) -> keras.Variable:
    """A variable that no gradient changes, and to which all replicas assign the same values."""
    return keras.Variable(
        values, trainable=False, dtype=values.dtype, aggregation="only_first_replica", name=name
    )
