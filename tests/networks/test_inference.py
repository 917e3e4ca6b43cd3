"""Predictions: every image once and in order, as it is or in all of its orientations."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslens.images import Images
from sslens.metrics.predictions import mean_logits, softmax
from sslens.networks.classifiers import build_network, with_features
from sslens.networks.inference import (
    orientations,
    predict,
    predict_oriented,
    predict_with_features,
)


@pytest.mark.parametrize(("size", "batch"), [(1, 3), (7, 3), (9, 3), (2, 250)])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_image_is_predicted_once_in_order_and_in_inference_mode(
    size, batch, workers, monkeypatch
):
    name = "get_inter_op_parallelism_threads"
    monkeypatch.setattr(tf.config.threading, name, lambda: workers)
    inputs = keras.Input((2, 2, 1))
    hidden = keras.layers.BatchNormalization()(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dropout(0.5)(hidden))
    model.layers[2].moving_mean.assign([1.0, 2.0, 3.0, 4.0])
    images = np.arange(size * 4, dtype=np.float32).reshape(size, 2, 2, 1)
    expected = (images.reshape(size, 4) - [1, 2, 3, 4]) / np.sqrt(1 + 1e-3)
    np.testing.assert_allclose(predict(model, images, batch), expected, rtol=1e-5)
    assert np.array_equal(predict(model, Images.of(images), batch), predict(model, images, batch))


# --- orientations ---------------------------------------------------------------------------------


def linear_classifier(weights, scale=1.0):
    """Three logits of images of 4 x 4 pixels, linear in the pixels."""
    inputs = keras.Input((4, 4, 1))
    logits = keras.layers.Dense(3, use_bias=False)(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, logits)
    model.set_weights([np.float32(scale) * np.asarray(weights, np.float32).reshape(16, 3)])
    return model


SQUARES = np.random.default_rng(5).normal(size=(7, 4, 4, 1)).astype(np.float32)
ORIENTED = np.random.default_rng(6).normal(size=(4, 4, 3))


def eight_ways(image):
    """An image (side, side, ...) in its orientations; the transpose is a flip along a diagonal."""
    return [np.rot90(way, k) for way in (image, image.swapaxes(0, 1)) for k in range(4)]


def averaged_logits(model, images):
    """As the rule `evaluate` has them where it averages over orientations."""
    return mean_logits(predict_oriented(model, Images.of(images), average=True))


@pytest.mark.parametrize("channels", [1, 2])
def test_the_orientations_are_the_eight_of_a_square_and_the_first_is_the_image_as_it_is(channels):
    images = np.random.default_rng(5).normal(size=(7, 4, 4, channels)).astype(np.float32)
    seen = orientations(Images.of(images))
    assert [oriented.shape for oriented in seen] == [images.shape] * 8
    assert np.array_equal(seen[0][:], images)
    for row, image in enumerate(images):
        found = {oriented[[row]].tobytes() for oriented in seen}
        assert len(found) == 8
        assert found == {way.tobytes() for way in eight_ways(image)}


@pytest.mark.parametrize("average", [False, True])
def test_outputs_are_those_of_every_orientation_the_first_of_the_images_as_they_are(average):
    model = linear_classifier(ORIENTED)
    outputs = predict_oriented(model, Images.of(SQUARES), average)
    assert outputs.shape == (8 if average else 1, 7, 3)
    assert outputs.dtype == np.float32
    assert np.array_equal(outputs[0], predict(model, SQUARES))
    seen = orientations(Images.of(SQUARES))[: len(outputs)]
    for found, oriented in zip(outputs, seen, strict=True):
        expected = np.tensordot(oriented[:][..., 0].astype(float), ORIENTED, 2)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_averaged_probabilities_are_the_mean_over_the_eight_orientations():
    model = linear_classifier(ORIENTED)
    averaged = averaged_logits(model, SQUARES)
    assert averaged.dtype == np.float32
    assert averaged.shape == (7, 3)
    for image, logits in zip(SQUARES[..., 0], averaged, strict=True):
        ways = eight_ways(image)
        assert len({way.tobytes() for way in ways}) == 8
        outputs = [np.tensordot(way.astype(float), ORIENTED, 2) for way in ways]
        expected = softmax(np.array(outputs)).mean(axis=0)
        np.testing.assert_allclose(softmax(logits[None])[0], expected, rtol=1e-4)
        np.testing.assert_allclose(np.exp(logits), expected, rtol=1e-4)
        assert np.exp(logits.astype(float)).sum() == pytest.approx(1, abs=1e-5)
    plain = softmax(predict(model, SQUARES))
    assert np.abs(plain - softmax(averaged)).max() > 0.1


def test_averaging_changes_nothing_where_the_orientation_does_not_matter():
    model = linear_classifier(np.broadcast_to([0.1, -0.2, 0.3], (4, 4, 3)))
    np.testing.assert_allclose(
        softmax(averaged_logits(model, SQUARES)), softmax(predict(model, SQUARES)), atol=1e-6
    )


def test_averaged_predictions_are_the_same_in_every_orientation():
    model = linear_classifier(ORIENTED)
    expected = averaged_logits(model, SQUARES)
    flips = [SQUARES[:, ::-1], SQUARES[:, :, ::-1], SQUARES.transpose(0, 2, 1, 3)]
    for oriented in (*flips, np.rot90(SQUARES, axes=(1, 2))):
        np.testing.assert_allclose(averaged_logits(model, oriented), expected, atol=1e-5)


def test_averaging_keeps_images_apart_whose_probabilities_are_saturated():
    model = linear_classifier(np.broadcast_to([1, 0, 0], (4, 4, 3)), 50)
    images = np.ones((3, 4, 4, 1), np.float32) * np.array([1, 2, 3]).reshape(3, 1, 1, 1)
    averaged = averaged_logits(model, images)
    assert np.isfinite(averaged).all()
    assert (softmax(averaged)[:, 0] == 1).all()
    np.testing.assert_allclose(averaged[:, 0] - averaged[:, 1], [800, 1600, 2400], rtol=1e-6)


@pytest.mark.parametrize("average", [False, True])
def test_logits_and_features_of_one_pass_are_those_of_two(average):
    settings = {"name": "resnet18", "width": 2, "stem": "small", "batch_norm_momentum": 0.9}
    classifier, encoder = build_network(
        settings | {"neck": [6], "neck_dropout": [0.5]}, (8, 8, 1), 0
    )
    images = Images.of(np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype(np.float32))
    logits, features = predict_with_features(with_features(classifier, encoder), images, average)
    assert logits.tobytes() == predict_oriented(classifier, images, average).tobytes()
    assert features.tobytes() == predict(encoder, images).tobytes()
