"""What methods share that learn from a teacher: a copy of the network that follows it slowly."""

import math
from collections.abc import Iterator

import keras
import tensorflow as tf


def copy_of(network: keras.Model, drops: bool = True) -> keras.Model:
    """A teacher that starts with the weights and statistics of a network.

    Args:
        network: that is learning.
        drops: whether the teacher has the network's dropout and stochastic depth, too.
    """
    teacher = keras.models.clone_model(network)
    teacher.set_weights(network.get_weights())
    for layer in () if drops else _layers_of(teacher):
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return teacher


def teacher_rate(start: float, progress: tf.Tensor) -> tf.Tensor:
    """Rate of a moving average that rises to 1, 1 - (1 - start) (cos(pi progress) + 1) / 2.

    Grill et al. 2020 (arXiv:2006.07733), section 3.3.
    """
    return 1 - (1 - start) * (tf.cos(math.pi * progress) + 1) / 2


def follow(teacher: keras.Model, network: keras.Model, rate: tf.Tensor) -> None:
    """Move the weights of a teacher towards those of the network: rate old + (1 - rate) new."""
    pairs = zip(teacher.trainable_variables, network.trainable_variables, strict=True)
    for slow, fast in pairs:
        slow.assign(rate * slow + (1 - rate) * fast)


def _layers_of(network: keras.Model) -> Iterator[keras.Layer]:
    """The layers of a network, and of those inside it."""
    for layer in network.layers:
        yield from _layers_of(layer) if isinstance(layer, keras.Model) else (layer,)
