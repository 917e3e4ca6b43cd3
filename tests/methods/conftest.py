"""What the tests of the methods share: the smallest encoder that holds all an encoder may hold."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslens.methods.base import Batch
from sslens.networks.layers import Convolution, FusedBatchNormalization


def _encoder(seed=0, dropout=False):
    inputs = keras.Input((16, 16, 1))
    maps = inputs
    for index, channels in enumerate((3, 6)):
        initializer = keras.initializers.HeNormal(seed=10 * seed + index)
        convolution = Convolution(
            channels,
            3,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=initializer,
            name=f"convolution{index}",
        )
        maps = FusedBatchNormalization(momentum=0.9, epsilon=1e-5, name=f"norm{index}")(
            convolution(maps)
        )
        maps = keras.layers.ReLU()(maps)
    features = keras.layers.GlobalAveragePooling2D()(maps)
    if dropout:
        features = keras.layers.Dropout(0.4, seed=seed, name="dropout")(features)
    return keras.Model(inputs, features, name="encoder")


@pytest.fixture
def encoder_of():
    """A function of (seed, dropout) to a fresh encoder of 16x16 images."""
    return _encoder


@pytest.fixture
def two_views():
    """Two batches of eight images, alike in pairs."""
    rng = np.random.default_rng(5)
    images = rng.normal(size=(8, 16, 16, 1))
    return [tf.constant(images + 0.3 * rng.normal(size=images.shape), tf.float32) for _ in range(2)]


@pytest.fixture
def classes():
    """Labels of the images of `two_views`, one of them alone in its class."""
    return tf.constant([0, 1, 0, 2, 1, 0, 1, 0])


@pytest.fixture
def batch_of(two_views, classes):
    """A function of a method to a batch as its loss takes it; lenses differ by default."""

    def batch(method, views=two_views, seed=(3, 4), progress=0.5, lenses=range(8)):
        return Batch(
            views=tuple(views[: method.views]),
            seed=tf.constant(seed, tf.int32),
            progress=tf.constant(progress, tf.float32),
            labels=classes if method.uses_labels else None,
            lenses=tf.constant(list(lenses)) if method.uses_lenses else None,
        )

    return batch


@pytest.fixture
def slopes_of():
    """A function of a scalar function and an array to the slopes along each of its elements."""

    def slopes(function, array, step=1e-5):
        array = np.asarray(array, np.float64)
        found = np.empty(array.shape)
        for place in np.ndindex(array.shape):
            ends = []
            for sign in (1, -1):
                moved = array.copy()
                moved[place] += sign * step
                ends.append(function(moved))
            found[place] = (ends[0] - ends[1]) / (2 * step)
        return found

    return slopes
