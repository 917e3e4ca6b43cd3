"""What methods share whose embeddings are an encoder's features after a projector."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from sslens.methods.base import Method
from sslens.networks.heads import mlp


class ProjectedEncoder(Method):
    """An encoder and its projector (option `projector`, as `mlp` takes it), without a loss."""

    def __init__(self, encoder: keras.Model, options: dict, seed: int):
        super().__init__(encoder, options, seed)
        self._projector = mlp(encoder.output_shape[1], options["projector"], seed, "projector")
        self._learn(encoder, self._projector)

    def embed(self, views: Sequence[tf.Tensor]) -> tf.Tensor:
        """Embeddings (views batch, d) of all views, one view after the other.

        They pass the network as one batch, so that batch normalisation treats them alike.
        """
        features = self._encoder(tf.concat(views, axis=0), training=True)
        return self._projector(features, training=True)
