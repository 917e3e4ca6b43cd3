"""SimSiam against a slow transcription of its paper, and what takes no gradient."""

import math

import numpy as np
import pytest
import tensorflow as tf

from sslens.methods.simsiam import Method, negative_cosine

OPTIONS = {
    "projector": {"hidden": 9, "output": 5, "batch_norm": True},
    "predictor": {"hidden": 8, "batch_norm": True},
}


def transcription(predictions, targets):
    """Equation 1 of arXiv:2011.10566."""
    total = 0.0
    for p, z in zip(np.float64(predictions), np.float64(targets), strict=True):
        p_norm, z_norm = math.sqrt(sum(x * x for x in p)), math.sqrt(sum(x * x for x in z))
        total -= sum(a / p_norm * b / z_norm for a, b in zip(p, z, strict=True))
    return total / len(predictions)


def embeddings(n=6, d=4, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, d)).astype("float32") for _ in range(2)]


@pytest.mark.parametrize(("n", "d"), [(1, 2), (6, 4), (13, 8)])
def test_the_definition(n, d):
    prediction, target = embeddings(n, d, seed=n)
    expected = transcription(prediction, target)
    assert float(negative_cosine(prediction, target)) == pytest.approx(expected, rel=1e-5)


def test_equal_views_and_an_identical_prediction_give_minus_one():
    one, _ = embeddings()
    assert float(negative_cosine(3 * one, one)) == pytest.approx(-1, abs=1e-6)
    assert float(negative_cosine(-one, one)) == pytest.approx(1, abs=1e-6)


def test_the_target_takes_no_gradient(slopes_of):
    prediction, target = (tf.constant(z) for z in embeddings(3, 2))
    with tf.GradientTape() as tape:
        tape.watch([prediction, target])
        loss = negative_cosine(prediction, target)
    gradient, none = tape.gradient(loss, [prediction, target])
    assert none is None
    slopes = slopes_of(lambda moved: transcription(moved, target), prediction)
    assert gradient.numpy() == pytest.approx(slopes, abs=1e-5)


def test_both_directions_of_the_method(encoder_of, two_views, batch_of):
    method = Method(encoder_of(), OPTIONS, 0)
    outcome = method.loss(batch_of(method))
    features = method._encoder(tf.concat(two_views, 0), training=True)
    z = method._projector(features, training=True)
    p = method._predictor(z, training=True).numpy()
    z = z.numpy()
    expected = (transcription(p[:8], z[8:]) + transcription(p[8:], z[:8])) / 2
    assert float(outcome.loss) == pytest.approx(expected, rel=1e-3)
    np.testing.assert_allclose(outcome.embeddings, z[:8], rtol=1e-4, atol=1e-5)
    swapped = method.loss(batch_of(method, two_views[::-1]))
    assert float(swapped.loss) == pytest.approx(expected, rel=1e-3)


def test_the_projectors_output_is_normalised_without_gain_and_offset(encoder_of, two_views):
    method = Method(encoder_of(), OPTIONS, 0)
    z = method.embed(two_views).numpy()
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-2)
    last = method._projector.layers[-1]
    assert last.trainable_variables == []
    assert method._predictor.layers[-1].trainable_variables != []
    # as there, the layer before it has no biases either
    assert not method._projector.get_layer("projector_output").use_bias
