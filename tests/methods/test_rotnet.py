"""RotNet: its turns, its loss, and its accuracy on images it has not learned from."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslens.methods.rotnet import Method, turned


def test_quarter_turns():
    images = np.random.default_rng(0).normal(size=(5, 6, 6, 2)).astype("float32")
    found = turned(tf.constant(images), tf.constant([0, 1, 2, 3, 1])).numpy()
    for image, after, turns in zip(images, found, [0, 1, 2, 3, 1], strict=True):
        assert np.array_equal(after, np.rot90(image, turns))


def test_the_loss_is_the_cross_entropy_of_the_turns_of_the_seed(encoder_of, two_views, batch_of):
    method = Method(encoder_of(), {}, 0)
    batch = batch_of(method)
    outcome = method.loss(batch)
    turns = tf.random.stateless_uniform([8], batch.seed, 0, 4, dtype=tf.int32).numpy()
    assert len(set(turns)) > 1
    images = np.stack([np.rot90(v, k) for v, k in zip(two_views[0].numpy(), turns, strict=True)])
    features = method._encoder(images, training=True)
    logits = np.float64(method._head.get_layer("logits")(features))
    total = sum(
        math.log(sum(math.exp(x) for x in row)) - row[turn]
        for row, turn in zip(logits, turns, strict=True)
    )
    assert float(outcome.loss) == pytest.approx(total / 8, rel=1e-3)
    right = np.mean(logits.argmax(axis=1) == turns)
    assert float(outcome.measures["turn_accuracy"]) == pytest.approx(right)
    np.testing.assert_allclose(outcome.embeddings, features, rtol=1e-3, atol=1e-5)


def test_equal_logits_give_log_4(encoder_of, batch_of):
    method = Method(encoder_of(), {}, 0)
    kernel = method._head.get_layer("logits").kernel
    kernel.assign(tf.zeros_like(kernel))
    assert float(method.loss(batch_of(method)).loss) == pytest.approx(math.log(4), rel=1e-5)


def test_another_seed_turns_otherwise_and_the_same_one_alike(encoder_of, batch_of):
    method = Method(encoder_of(), {}, 0)
    losses = [float(method.loss(batch_of(method, seed=s)).loss) for s in ((1, 2), (1, 2), (1, 3))]
    assert losses[0] == losses[1] != losses[2]


class Corner(keras.layers.Layer):
    """Features of where an image is bright."""

    def call(self, images):
        side = images.shape[1]
        first, second = images[:, : side // 2], images[:, side // 2 :]
        parts = [
            p[:, :, h] for p in (first, second) for h in (slice(side // 2), slice(side // 2, None))
        ]
        return tf.stack([tf.reduce_mean(part, axis=(1, 2, 3)) for part in parts], axis=1)


def test_the_accuracy_on_validation_images_is_of_all_four_turns():
    inputs = keras.Input((8, 8, 1))
    method = Method(keras.Model(inputs, Corner()(inputs)), {}, 0)
    images = np.zeros((5, 8, 8, 1), np.float32)
    images[:, :4, :4] = 1  # turned counter-clockwise: lower left, lower right, upper right
    corners = [0, 2, 3, 1]
    kernel = np.zeros((4, 4), np.float32)
    kernel[corners, range(4)] = 1
    method._head.get_layer("logits").kernel.assign(kernel)
    assert method.held_out([images]) == {"validation_turn_accuracy": 1.0}
    # images that no half turn changes: half of the turns are right
    images[:, 4:, 4:] = 1
    assert method.held_out([images]) == {"validation_turn_accuracy": 0.5}
    assert method.held_out([np.ones_like(images)]) == {"validation_turn_accuracy": 0.25}
