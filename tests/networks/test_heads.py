"""Heads: their shapes, what they compute, and their keyed weights."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from sslens.metrics.features import neighbour_auc
from sslens.metrics.predictions import softmax
from sslens.networks.heads import classifier_of, mlp, neighbours_of

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


# --- nearest neighbours ---------------------------------------------------------------------------


def flat_encoder():
    """Features are the pixels, so that a test may choose them."""
    inputs = keras.Input((1, 4, 1))
    return keras.Model(inputs, keras.layers.Flatten()(inputs), name="encoder")


RNG = np.random.default_rng(7)
KNOWN, KNOWN_LABELS = RNG.normal(size=(20, 4)) + np.eye(3, 4)[np.arange(20) % 3], np.arange(20) % 3
ASKED, LABELS = RNG.normal(size=(15, 4)) + np.eye(3, 4)[np.arange(15) % 3], np.arange(15) % 3


def knowing(known, labels, neighbours, temperature=0.07):
    """A classifier that knows these features."""
    classifier = neighbours_of(flat_encoder(), 3, len(known), neighbours, temperature)
    unit = known / np.maximum(np.linalg.norm(known, axis=1, keepdims=True), 1e-12)
    classifier.get_layer("cosines").set_weights([unit.T])
    classifier.get_layer("classes").set_weights([np.eye(3)[labels]])
    return classifier


def outputs_of(classifier, features):
    return classifier.predict_on_batch(features.reshape(-1, 1, 4, 1).astype(np.float32))


def slow_shares(features, known, labels, neighbours, temperature):
    """Section 3.4 of arXiv:1805.01978: the nearest by cosine vote for their class."""
    shares = np.zeros((len(features), 3))
    for i, row in enumerate(features.tolist()):
        cosines = [
            sum(a * b for a, b in zip(row, other, strict=True))
            / math.hypot(*row)
            / math.hypot(*other)
            for other in known.tolist()
        ]
        for k in sorted(range(len(known)), key=lambda k: -cosines[k])[:neighbours]:
            shares[i, labels[k]] += math.exp(cosines[k] / temperature)
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.filterwarnings("ignore:You are using a softmax")  # of one neighbour
@pytest.mark.parametrize("neighbours", [1, 5, 20, 21, 1000])
@pytest.mark.parametrize("temperature", [0.02, 0.07, 1.0])
def test_probabilities_are_the_shares_of_the_nearest(neighbours, temperature):
    classifier = knowing(KNOWN, KNOWN_LABELS, neighbours, temperature)
    assert classifier.output_shape == (None, 3)
    shares = slow_shares(ASKED, KNOWN, KNOWN_LABELS, neighbours, temperature)
    outputs = outputs_of(classifier, ASKED)
    assert outputs.dtype == np.float32
    assert np.isfinite(outputs).all()
    np.testing.assert_allclose(softmax(outputs), shares, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(outputs, np.log(shares + 1e-12), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:You are using a softmax")
@pytest.mark.parametrize("neighbours", [1, 10, 50])
def test_its_auc_is_that_of_the_diagnosis(neighbours):
    outputs = outputs_of(knowing(KNOWN, KNOWN_LABELS, neighbours, 0.5), ASKED)
    # float32 tells shares apart that are the same
    shares = np.round(softmax(outputs), 6)
    aucs = [
        roc_auc_score(of_class, shares[:, c]) for c, of_class in enumerate(np.eye(3)[:, LABELS])
    ]
    expected = neighbour_auc(ASKED, LABELS, KNOWN, KNOWN_LABELS, neighbours, 0.5)
    assert np.mean(aucs) == pytest.approx(expected, abs=1e-9)
    assert 0.5 < expected < 1


def test_the_length_of_a_feature_does_not_matter_even_where_it_is_zero():
    classifier = knowing(KNOWN, KNOWN_LABELS, 5)
    lengths = np.linspace(0.01, 50, 15)[:, None]
    np.testing.assert_allclose(
        outputs_of(classifier, lengths * ASKED), outputs_of(classifier, ASKED), rtol=1e-3, atol=1e-3
    )
    # alike to all: of the nearest, which are the first, each counts as much
    zeros = softmax(outputs_of(classifier, 0 * ASKED[:1]))
    np.testing.assert_allclose(zeros, [[0.4, 0.4, 0.2]], atol=1e-6)


def test_it_survives_saving_and_holds_the_encoder_that_was_given(tmp_path):
    path = tmp_path / "classifier.weights.h5"
    encoders = [encoder_of(seed) for seed in (0, 1)]
    first, second = (neighbours_of(encoder, 3, 6, 4, 0.1) for encoder in encoders)
    features = np.random.default_rng(2).uniform(size=(3, 6))
    first.get_layer("cosines").set_weights([features / np.linalg.norm(features, axis=0)])
    first.get_layer("classes").set_weights([np.eye(3)[[0, 1, 2, 2, 1, 0]]])
    assert first.layers[1] is encoders[0]
    images = np.random.default_rng(1).normal(size=(5, 6, 6, 1)).astype(np.float32)
    expected = first.predict_on_batch(images)
    assert np.ptp(expected, axis=0).max() > 1e-3
    first.save_weights(path)
    second.load_weights(path)
    assert np.array_equal(second.predict_on_batch(images), expected)
