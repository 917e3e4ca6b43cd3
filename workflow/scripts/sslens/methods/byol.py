"""Bootstrap Your Own Latent: predict the other view's embedding by a slow copy of the network.

Grill et al. 2020 (arXiv:2006.07733). The online network (encoder, projector, predictor) learns
to predict, from one view, what the target network (encoder, projector) makes of the other. The
target takes no gradient; it follows the online weights as an exponential moving average whose
rate tau rises from its start to 1 on a cosine (section 3.3). There are no negatives. Where the
encoder has dropout, the target has it too, since both run in training mode.
"""

import math

import keras
import tensorflow as tf

from sslens.networks.heads import mlp


def regression_loss(prediction: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """BYOL's loss for one direction: 2 - 2 cos(prediction, target) (equation 2).

    Args:
        prediction, target: (batch, d); no gradient flows into the target.

    Returns:
        Scalar mean over the batch, in [0, 4].
    """
    prediction, target = (
        tf.math.l2_normalize(tf.cast(z, tf.float32), axis=1) for z in (prediction, target)
    )
    return tf.reduce_mean(2 - 2 * tf.reduce_sum(prediction * tf.stop_gradient(target), axis=1))


def target_rate(start: float, progress: tf.Tensor) -> tf.Tensor:
    """tau = 1 - (1 - start) (cos(pi progress) + 1) / 2 (section 3.3)."""
    return 1 - (1 - start) * (tf.cos(math.pi * progress) + 1) / 2


class Method:
    """Online and target networks. Settings: byol.schema.yaml."""

    def __init__(self, encoder: keras.Model, settings: dict, seed: int):
        self._start = settings["tau"]
        features = encoder.output_shape[1]
        self._online = keras.Sequential(
            [encoder, mlp(features, settings["projector"], seed, "projector")]
        )
        embedding = settings["projector"]["output"]
        predictor = settings["predictor"] | {"output": embedding}
        self._predictor = mlp(embedding, predictor, seed, "predictor")
        self._target = keras.models.clone_model(self._online)
        self._target.set_weights(self._online.get_weights())
        self.trainable_variables = (
            self._online.trainable_variables + self._predictor.trainable_variables
        )
        self.variables = self._online.variables + self._predictor.variables + self._target.variables

    def loss(self, first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Loss summed over both directions, and the online embeddings of the first view."""
        views = tf.concat([first, second], axis=0)
        embeddings = self._online(views, training=True)
        predictions = tf.split(self._predictor(embeddings, training=True), 2)
        # training=True: the target normalises by its own batch statistics, since its moving
        # ones would lag behind weights that are themselves a moving average
        targets = tf.split(self._target(views, training=True), 2)
        loss = regression_loss(predictions[0], targets[1]) + regression_loss(
            predictions[1], targets[0]
        )
        return loss, tf.split(embeddings, 2)[0]

    def after_step(self, progress: tf.Tensor) -> None:
        """Move the target's weights towards the online ones."""
        tau = target_rate(self._start, progress)
        for target, online in zip(
            self._target.trainable_variables, self._online.trainable_variables, strict=True
        ):
            target.assign(tau * target + (1 - tau) * online)
