"""What methods share whose embeddings are an encoder's features after a projector."""

import keras
import tensorflow as tf

from sslens.networks.heads import mlp


class ProjectedEncoder:
    """An encoder and its projector, without a loss.

    Args:
        encoder: from images to (batch, features).
        settings: of the method: `temperature`, and `projector` as `mlp` takes it.
        seed: decides the projector's initial weights.
    """

    def __init__(self, encoder: keras.Model, settings: dict, seed: int):
        self._temperature = settings["temperature"]
        self._encoder = encoder
        self._projector = mlp(encoder.output_shape[1], settings["projector"], seed, "projector")
        self.trainable_variables = encoder.trainable_variables + self._projector.trainable_variables
        self.variables = encoder.variables + self._projector.variables

    def embed(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        """Embeddings (2 batch, d) of both views, those of the first before those of the second.

        They pass the network as one batch, so that batch normalisation treats them alike.
        """
        features = self._encoder(tf.concat([first, second], axis=0), training=True)
        return self._projector(features, training=True)

    def after_step(self, progress: tf.Tensor) -> None:
        """Nothing to do."""
