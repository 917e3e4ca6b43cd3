"""What methods share that learn from a teacher: a copy of the network that follows it slowly."""

import math

import keras
import tensorflow as tf


def copy_of(network: keras.Model) -> keras.Model:
    """A teacher that starts with the weights and statistics of a network."""
    teacher = keras.models.clone_model(network)
    teacher.set_weights(network.get_weights())
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
