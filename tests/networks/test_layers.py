"""Layers: the numbers of Keras's own, in every precision. Convolutions are in test_convolution."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslens.networks import replicas
from sslens.networks.layers import BatchNormalization, FusedBatchNormalization


def normalisations(shape, momentum=0.8, **arguments):
    """The fused layer and Keras's own with equal, uncommon weights."""
    rng = np.random.default_rng(2)
    layers = []
    for kind in (FusedBatchNormalization, keras.layers.BatchNormalization):
        layer = kind(momentum=momentum, epsilon=1e-5, **arguments)
        layer.build((None, *shape))
        layers.append(layer)
    weights = [rng.uniform(0.5, 1.5, size=w.shape) for w in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def maps_of(batch=3, seed=0):
    values = np.random.default_rng(seed).normal(2.0, [0.5, 1.0, 3.0, 10.0], (batch, 5, 6, 4))
    return tf.constant(values, tf.float32)


def outputs_and_gradients(layer, maps, training):
    upstream = tf.constant(np.random.default_rng(1).normal(size=maps.shape), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        output = layer(maps, training=training)
    sources = [maps, layer.gamma.value, layer.beta.value]
    return [output, *tape.gradient(output, sources, output_gradients=upstream)]


@pytest.mark.parametrize("training", [True, False])
def test_fused_normalisation_is_keras_normalisation(training):
    fused, plain = normalisations((5, 6, 4))
    results = [outputs_and_gradients(layer, maps_of(), training) for layer in (fused, plain)]
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5 * np.abs(theirs).max())


def test_moving_statistics_follow_the_batch():
    maps = maps_of()
    n = np.prod(maps.shape[:3])
    fused, plain = normalisations((5, 6, 4), momentum=0.8)
    before = [fused.moving_mean.numpy(), fused.moving_variance.numpy()]
    for layer in (fused, plain):
        layer(maps, training=True)
    mean, variance = np.mean(maps, axis=(0, 1, 2)), np.var(maps, axis=(0, 1, 2), ddof=1)
    np.testing.assert_allclose(fused.moving_mean, 0.8 * before[0] + 0.2 * mean, rtol=1e-5)
    np.testing.assert_allclose(fused.moving_variance, 0.8 * before[1] + 0.2 * variance, rtol=1e-5)
    np.testing.assert_allclose(fused.moving_mean, plain.moving_mean, rtol=1e-5)
    # Keras takes the biased variance
    biased = (plain.moving_variance - 0.8 * before[1]) / 0.2
    np.testing.assert_allclose(biased * n / (n - 1), variance, rtol=1e-4)


@pytest.mark.parametrize("how", ["training=False", "no training", "frozen"])
def test_inference_uses_the_moving_statistics_and_leaves_them(how):
    layer, _ = normalisations((5, 6, 4))
    layer.trainable = how != "frozen"
    gamma, beta, mean, variance = layer.get_weights()
    maps = maps_of()
    arguments = {"training=False": {"training": False}, "frozen": {"training": True}}
    output = layer(maps, **arguments.get(how, {}))
    expected = gamma * (maps - mean) / np.sqrt(variance + 1e-5) + beta
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)
    for before, after in zip((mean, variance), layer.get_weights()[2:], strict=True):
        assert np.array_equal(before, after)


def test_moving_statistics_follow_inside_a_graph():
    fused, _ = normalisations((5, 6, 4))
    eager, _ = normalisations((5, 6, 4))
    step = tf.function(lambda maps: fused(maps, training=True))
    for seed in range(3):
        step(maps_of(seed=seed))
        eager(maps_of(seed=seed), training=True)
    np.testing.assert_allclose(fused.moving_mean, eager.moving_mean, rtol=1e-5)
    np.testing.assert_allclose(fused.moving_variance, eager.moving_variance, rtol=1e-5)


@pytest.mark.parametrize("kind", [BatchNormalization, FusedBatchNormalization])
def test_with_replicas_the_statistics_are_those_of_all(kind, monkeypatch):
    """As one replica sees it; `test_replicas` has two of them."""
    (layer, _), whole = normalisations((5, 6, 4)), maps_of(6)
    if kind is BatchNormalization:
        weights, layer = layer.get_weights(), kind(momentum=0.8, epsilon=1e-5)
        layer.build((None, 5, 6, 4))
        layer.set_weights(weights)
    alone = [layer(whole, training=True), *layer.get_weights()]
    fresh = normalisations((5, 6, 4))[0].get_weights()
    layer.set_weights(fresh)
    monkeypatch.setattr(replicas, "count", lambda: 2)
    axes = [0, 1, 2]
    everything = tf.reduce_mean(whole, axes), tf.math.reduce_variance(whole, axes)
    monkeypatch.setattr(replicas, "moments", lambda *_: everything)
    shared = [layer(whole[:3], training=True), *layer.get_weights()]
    np.testing.assert_allclose(shared[0], alone[0][:3], atol=1e-5)
    for one, other in zip(alone[1:], shared[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_fused_normalisation_in_lower_precision_keeps_float32_statistics(precision):
    layer = FusedBatchNormalization(momentum=0.8, epsilon=1e-5, dtype=f"mixed_{precision}")
    exact, maps = normalisations((5, 6, 4))[0], maps_of()
    layer.build((None, 5, 6, 4))
    layer.set_weights(exact.get_weights())
    output = layer(tf.cast(maps, precision), training=True)
    assert output.dtype == precision
    np.testing.assert_allclose(tf.cast(output, tf.float32), exact(maps, training=True), atol=0.05)
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    for one, other in zip(layer.get_weights(), exact.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0.01)
