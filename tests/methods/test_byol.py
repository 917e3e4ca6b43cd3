"""BYOL against a slow transcription of its paper, and its target: no gradient, a slow copy."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslens.methods.byol import Method, regression_loss
from sslens.networks.encoders.building import build_encoder
from sslens.networks.layers import Convolution, FusedBatchNormalization

SETTINGS = {
    "tau": 0.9,
    "projector": {"hidden": 9, "output": 5, "batch_norm": True},
    "predictor": {"hidden": 7, "batch_norm": True},
}


def transcription(predictions, targets):
    """Equation 2 of arXiv:2006.07733: the squared distance of the normalised vectors."""
    total = 0.0
    for q, z in zip(np.float64(predictions), np.float64(targets), strict=True):
        q_norm, z_norm = math.sqrt(sum(x * x for x in q)), math.sqrt(sum(x * x for x in z))
        total += sum((a / q_norm - b / z_norm) ** 2 for a, b in zip(q, z, strict=True))
    return total / len(predictions)


def embeddings(n=6, d=4, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, d)).astype("float32") for _ in range(2)]


def build(encoder, seed=0, **changes):
    return Method(encoder, SETTINGS | changes, seed)


def disturb(variables, seed=1):
    rng = np.random.default_rng(seed)
    for variable in variables:
        variable.assign(variable + 0.3 * rng.normal(size=variable.shape))


def values(variables):
    return [variable.numpy() for variable in variables]


# --- the loss of one direction --------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(1, 2), (6, 4), (13, 8)])
def test_the_definition(n, d):
    prediction, target = embeddings(n, d, seed=n)
    expected = transcription(prediction, target)
    assert float(regression_loss(prediction, target)) == pytest.approx(expected, rel=1e-5)


def test_parallel_orthogonal_and_opposite():
    prediction = np.array([[3.0, 4.0], [0.0, -2.0]], np.float32)
    orthogonal = np.array([[-4.0, 3.0], [0.5, 0.0]], np.float32)
    assert float(regression_loss(prediction, 7 * prediction)) == pytest.approx(0, abs=1e-6)
    assert float(regression_loss(prediction, orthogonal)) == pytest.approx(2, abs=1e-6)
    assert float(regression_loss(prediction, -0.1 * prediction)) == pytest.approx(4, abs=1e-6)


def test_scale_does_not_matter():
    prediction, target = embeddings()
    scales = np.random.default_rng(1).uniform(0.01, 50, size=(6, 1)).astype("float32")
    loss = float(regression_loss(prediction, target))
    scaled = float(regression_loss(prediction * scales, target / scales))
    assert scaled == pytest.approx(loss, rel=1e-4)


def test_the_gradient_flows_into_the_prediction_alone(slopes_of):
    prediction, target = (tf.constant(z) for z in embeddings(3, 2))
    with tf.GradientTape() as tape:
        tape.watch([prediction, target])
        loss = regression_loss(prediction, target)
    gradient, none = tape.gradient(loss, [prediction, target])
    assert none is None
    slopes = slopes_of(lambda moved: transcription(moved, target), prediction)
    assert gradient.numpy() == pytest.approx(slopes, abs=1e-5)


@pytest.mark.parametrize("size", [1.0, 6e4])
def test_float16_embeddings_keep_their_numbers(size):
    halves = [
        tf.constant(np.clip(size * z / np.abs(z).max(), -6e4, 6e4), tf.float16)
        for z in embeddings(8)
    ]
    with tf.GradientTape() as tape:
        tape.watch(halves[0])
        loss = regression_loss(*halves)
    assert loss.dtype == tf.float32
    assert float(loss) == pytest.approx(transcription(*(z.numpy() for z in halves)), rel=1e-3)
    assert np.isfinite(tape.gradient(loss, halves[0])).all()


def test_an_embedding_of_zeros_is_no_nan():
    prediction, target = (tf.constant(z * [[0], [1], [1], [1], [1], [1]]) for z in embeddings())
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        loss = regression_loss(prediction, target)
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, prediction)).all()


# --- the method -----------------------------------------------------------------------------------


def test_the_target_starts_as_a_copy_of_the_online_network():
    """Weights, moving statistics and layers; no variable is shared."""
    settings = {"name": "resnet18", "width": 2, "stem": "small", "batch_norm_momentum": 0.7}
    encoder = build_encoder(settings | {"neck": [4], "neck_dropout": [0.3]}, (8, 8, 1), 0)
    disturb(encoder.weights)
    method = build(encoder)
    online, target = method._online, method._target
    for a, b in zip(online.weights, target.weights, strict=True):
        assert np.array_equal(a.numpy(), b.numpy()), a.path
    assert not {id(v) for v in online.variables} & {id(v) for v in target.variables}
    kinds = [[type(layer) for layer in net.layers[0].layers] for net in (online, target)]
    assert kinds[0] == kinds[1]
    assert {Convolution, FusedBatchNormalization} < set(kinds[1])
    assert target.layers[0].get_layer("stem_bn").momentum == 0.7
    assert target.layers[0].get_layer("drop1").rate == 0.3
    assert online.layers[0] is encoder


def test_both_directions_with_the_predictor_on_the_online_side(encoder_of, two_views, batch_of):
    method = build(encoder_of())
    disturb(method._target.trainable_variables)
    loss, found, *_ = method.loss(batch_of(method))
    views = tf.concat(two_views, 0)
    projections = method._online(views, training=True)
    predictions = method._predictor(projections, training=True).numpy()
    targets = method._target(views, training=True).numpy()
    assert predictions.shape == targets.shape == (16, 5)
    expected = transcription(predictions[:8], targets[8:]) + transcription(
        predictions[8:], targets[:8]
    )
    assert float(loss) == pytest.approx(expected, rel=1e-3)
    np.testing.assert_allclose(found, projections[:8], rtol=1e-4, atol=1e-5)
    swapped = method.loss(batch_of(method, two_views[::-1])).loss
    assert float(swapped) == pytest.approx(float(loss), rel=1e-3)


def test_the_target_takes_no_gradient_and_is_not_trained(encoder_of, batch_of):
    method = build(encoder_of())
    disturb(method._target.trainable_variables)
    with tf.GradientTape() as tape:
        loss = method.loss(batch_of(method)).loss
    assert set(tape.gradient(loss, method._target.trainable_variables)) == {None}
    trained = {id(v) for v in method.trainable_variables}
    assert not trained & {id(v) for v in method._target.variables}
    networks = (method._online, method._predictor)
    assert trained == {id(v) for network in networks for v in network.trainable_variables}


@pytest.mark.parametrize("graph", [False, True])
def test_the_target_follows_the_online_network_and_nothing_else_moves(encoder_of, graph):
    method = build(encoder_of())
    online, target = method._online, method._target
    disturb(online.weights, 1)
    disturb(target.weights, 2)
    before = values(target.trainable_variables)
    others = [online, method._predictor]
    untouched = [v for network in others for v in network.variables]
    untouched += target.non_trainable_variables
    unchanged = values(untouched)
    after_step = tf.function(method.after_step) if graph else method.after_step
    after_step(tf.constant(0.5), ())
    for variable, old, new in zip(
        target.trainable_variables, before, online.trainable_variables, strict=True
    ):
        # halfway on the cosine from 0.9 to 1
        np.testing.assert_allclose(variable, 0.95 * old + 0.05 * new.numpy(), rtol=1e-5, atol=1e-6)
    for variable, old in zip(untouched, unchanged, strict=True):
        assert np.array_equal(variable.numpy(), old), variable.path


def test_at_the_end_the_target_rests(encoder_of):
    method = build(encoder_of())
    disturb(method._online.weights)
    before = values(method._target.variables)
    method.after_step(tf.constant(1.0), ())
    for variable, old in zip(method._target.variables, before, strict=True):
        assert np.array_equal(variable.numpy(), old), variable.path


def test_the_moving_statistics_of_the_target_are_of_its_own_batches(
    encoder_of, two_views, batch_of
):
    """Not an average of the online network's, and not touched by `after_step`."""
    method = build(encoder_of())
    disturb(method._online.trainable_variables, 1)
    disturb(method._target.trainable_variables, 2)
    method.loss(batch_of(method))
    method.after_step(tf.constant(0.5), ())
    disturbed = build(encoder_of())  # its target before the step
    disturb(disturbed._target.trainable_variables, 2)
    encoder = disturbed._target.layers[0]
    maps = keras.Model(encoder.input, encoder.get_layer("convolution0").output)
    batch = maps(tf.concat(two_views, 0)).numpy()
    own = method._target.layers[0].get_layer("norm0")
    online = method._online.layers[0].get_layer("norm0")
    mean, variance = batch.mean(axis=(0, 1, 2)), batch.var(axis=(0, 1, 2), ddof=1)
    np.testing.assert_allclose(own.moving_mean, 0.1 * mean, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(own.moving_variance, 0.9 + 0.1 * variance, rtol=1e-3)
    assert not np.allclose(own.moving_variance, online.moving_variance, rtol=1e-3)


def test_the_predictor_is_not_the_projector(encoder_of):
    """Same seed, same shapes: other weights."""
    settings = {"projector": {"hidden": 5, "output": 5, "batch_norm": False}}
    settings["predictor"] = {"hidden": 5, "batch_norm": False}
    method = build(encoder_of(), **settings)
    projector = method._online.layers[1].get_layer("projector_output").kernel
    predictor = method._predictor.get_layer("predictor_output").kernel
    assert projector.shape == predictor.shape
    assert not np.allclose(projector, predictor)
