"""RotNet: predict by which quarter turn a view was rotated.

Gidaris et al. 2018 (arXiv:1803.07728, equation 3). The authors show all four turns of every image
in a batch; here a view is turned once, by a draw. A control with a known ceiling: no prior of the
published recipes changes under a half turn, and none of the realistic ones under a quarter turn, so
on images that it has not learned from its accuracy cannot exceed 1/2 on Models I to III, and 1/4 on
the realistic data sets.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from sslens.methods import base
from sslens.networks import replicas
from sslens.networks.heads import classifier_of
from sslens.networks.inference import predict

TURNS = 4


def turned(images: tf.Tensor, turns: tf.Tensor) -> tf.Tensor:
    """Images (batch, side, side, channels), each rotated by so many quarter turns (batch,)."""
    every = tf.stack([tf.image.rot90(images, k) for k in range(TURNS)], axis=1)
    return tf.gather(every, turns, batch_dims=1)


class Method(base.Method):
    """Encoder and a layer of four logits. Options: rotnet.schema.yaml.

    Example:

        method = Method(encoder, options, seed=1)
        outcome = method.loss(Batch((view,), seed, progress))
    """

    views = 1

    def __init__(self, encoder: keras.Model, options: dict, seed: int):
        super().__init__(encoder, options, seed)
        self._head = classifier_of(encoder, TURNS, seed)
        self._learn(self._head)

    def loss(self, batch: base.Batch) -> base.Outcome:
        """Mean cross-entropy, the encoder's features, and the accuracy of the turns."""
        (view,) = batch.views
        # drawn for the whole batch, so that replicas turn an image as one device would
        images = tf.shape(view)[0] * replicas.count()
        drawn = tf.random.stateless_uniform([images], batch.seed, 0, TURNS, dtype=tf.int32)
        turns = replicas.own_share(drawn)
        features = self._encoder(turned(view, turns), training=True)
        logits = self._head.get_layer("logits")(features)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(turns, logits)
        right = tf.cast(tf.argmax(logits, axis=1, output_type=tf.int32) == turns, tf.float32)
        measures = {"turn_accuracy": tf.reduce_mean(right)}
        return base.Outcome(tf.reduce_mean(losses), features, measures)

    def held_out(self, views: Sequence[np.ndarray]) -> dict[str, float]:
        """Accuracy on all four turns of validation images, `validation_turn_accuracy`."""
        every = [np.rot90(views[0], k, axes=(1, 2)) for k in range(TURNS)]
        logits = predict(self._head, np.concatenate(every))
        right = logits.argmax(axis=1) == np.repeat(np.arange(TURNS), len(views[0]))
        return {"validation_turn_accuracy": float(right.mean())}
