"""Heads: their shapes, what they compute, and their keyed weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslens.heads import classifier_of, mlp

SETTINGS = {"hidden": 12, "output": 5, "batch_norm": True}


def features_of(batch=6, size=7):
    return np.random.default_rng(0).normal(size=(batch, size)).astype("float32")


def weights_of(model):
    return {variable.path: variable.numpy() for variable in model.weights}


def test_a_normalised_perceptron():
    """Dense without bias, normalisation by the batch, ReLU, dense."""
    head = mlp(7, SETTINGS, 0, "projector")
    assert head.name == "projector"
    assert head.input_shape == (None, 7)
    assert head.output_shape == (None, 5)
    weights = weights_of(head)
    assert "projector_hidden/bias" not in weights  # the normalisation would cancel it
    features = features_of()
    hidden = features @ weights["projector_hidden/kernel"]
    hidden = (hidden - hidden.mean(axis=0)) / np.sqrt(hidden.var(axis=0) + 1e-5)
    expected = np.maximum(hidden, 0) @ weights["projector_output/kernel"]
    np.testing.assert_allclose(head(features, training=True), expected, rtol=1e-4, atol=1e-5)


def test_a_perceptron_without_normalisation():
    head = mlp(7, SETTINGS | {"batch_norm": False}, 0, "predictor")
    weights = weights_of(head)
    assert sorted(weights) == [
        "predictor_hidden/bias",
        "predictor_hidden/kernel",
        "predictor_output/bias",
        "predictor_output/kernel",
    ]
    head.get_layer("predictor_hidden").bias.assign(tf.linspace(-1.0, 1.0, 12))
    head.get_layer("predictor_output").bias.assign(tf.linspace(-1.0, 1.0, 5))
    features = features_of()
    hidden = np.maximum(features @ weights["predictor_hidden/kernel"] + np.linspace(-1, 1, 12), 0)
    expected = hidden @ weights["predictor_output/kernel"] + np.linspace(-1, 1, 5)
    for training in (True, False):
        np.testing.assert_allclose(
            head(features, training=training), expected, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("batch_norm", [True, False])
def test_seed_and_name_decide_the_weights(batch_norm):
    settings = SETTINGS | {"batch_norm": batch_norm}
    first, twin, other_seed = (mlp(7, settings, seed, "projector") for seed in (2, 2, 3))
    other_name = mlp(7, settings, 2, "predictor")
    kernels = [
        [v.numpy() for v in model.weights if v.name == "kernel"]
        for model in (first, twin, other_seed, other_name)
    ]
    assert len(kernels[0]) == 2
    for kernel, same, *others in zip(*kernels, strict=True):
        assert np.array_equal(kernel, same)
        assert not any(np.array_equal(kernel, other) for other in others)


def encoder_of(seed=0):
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(
                3, 3, kernel_initializer=keras.initializers.GlorotUniform(seed), name="convolution"
            ),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )


def test_a_classifier_is_a_linear_layer_on_the_encoder():
    encoder = encoder_of()
    classifier = classifier_of(encoder, 4, 0)
    assert classifier.input_shape == (None, 6, 6, 1)
    assert classifier.output_shape == (None, 4)
    layer = classifier.get_layer("logits")
    layer.bias.assign([1.0, -2.0, 3.0, -4.0])
    images = np.random.default_rng(1).normal(size=(5, 6, 6, 1)).astype("float32")
    for training in (False, True):
        features = encoder(images, training=training).numpy()
        expected = features @ layer.kernel.numpy() + layer.bias.numpy()
        np.testing.assert_allclose(
            classifier(images, training=training), expected, rtol=1e-4, atol=1e-5
        )


def test_a_classifier_trains_the_encoder_itself():
    encoder = encoder_of()
    classifier = classifier_of(encoder, 3, 0)
    own = {id(variable) for variable in classifier.trainable_variables}
    assert {id(variable) for variable in encoder.trainable_variables} < own
    assert len(own) == len(encoder.trainable_variables) + 2


def test_the_seed_decides_the_classifier():
    kernels = [
        classifier_of(encoder_of(), 3, seed).get_layer("logits").kernel.numpy()
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


def test_a_classifier_survives_saving(tmp_path):
    path = tmp_path / "classifier.weights.h5"
    first, second = (classifier_of(encoder_of(seed), 3, seed) for seed in (0, 1))
    first.save_weights(path)
    second.load_weights(path)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        assert np.array_equal(a, b)
