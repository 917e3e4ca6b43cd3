"""Bootstrap Your Own Latent: predict the other view's embedding by a slow copy of the network.

Grill et al. 2020 (arXiv:2006.07733). The online network (encoder, projector, predictor) learns
to predict, from one view, what the target network (encoder, projector) makes of the other. The
target takes no gradient; it follows the online weights as an exponential moving average whose
rate tau rises from its start to 1 on a cosine (section 3.3). There are no negatives. Where the
encoder has dropout, the target has it too, since both run in training mode.
"""

import keras
import tensorflow as tf

from sslens.methods import base
from sslens.methods.embeddings import cosine_to_target
from sslens.methods.teachers import copy_of, follow, teacher_rate
from sslens.networks.heads import mlp


def regression_loss(prediction: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """BYOL's loss for one direction: 2 - 2 cos(prediction, target) (equation 2).

    Args:
        prediction, target: (batch, d); no gradient flows into the target.

    Returns:
        Scalar mean over the batch, in [0, 4].
    """
    return tf.reduce_mean(2 - 2 * cosine_to_target(prediction, target))


class Method(base.Method):
    """Online and target networks. Options: byol.schema.yaml."""

    against_collapse = "raise options.tau, or lower the learning rate"

    def __init__(self, encoder: keras.Model, options: dict, seed: int):
        super().__init__(encoder, options, seed)
        features = encoder.output_shape[1]
        self._online = keras.Sequential(
            [encoder, mlp(features, options["projector"], seed, "projector")]
        )
        embedding = options["projector"]["output"]
        predictor = options["predictor"] | {"output": embedding}
        self._predictor = mlp(embedding, predictor, seed, "predictor")
        self._target = copy_of(self._online)
        self._learn(self._online, self._predictor, state=self._target.variables)

    def loss(self, batch: base.Batch) -> base.Outcome:
        """Loss summed over both directions, and the online embeddings of the first view."""
        views = tf.concat(batch.views, axis=0)
        embeddings = self._online(views, training=True)
        predictions = tf.split(self._predictor(embeddings, training=True), 2)
        # training=True: the target normalises by its own batch statistics, since its moving
        # ones would lag behind weights that are themselves a moving average
        targets = tf.split(self._target(views, training=True), 2)
        loss = regression_loss(predictions[0], targets[1]) + regression_loss(
            predictions[1], targets[0]
        )
        return base.Outcome(loss, tf.split(embeddings, 2)[0])

    def after_step(self, progress: tf.Tensor, update: tuple) -> None:
        """Move the target's weights towards the online ones."""
        follow(self._target, self._online, teacher_rate(self._options["tau"], progress))
