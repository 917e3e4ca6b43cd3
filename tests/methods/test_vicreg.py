"""VICReg against a slow transcription of its authors' code, and what is known of it exactly."""

import numpy as np
import pytest
import tensorflow as tf

from sslens.methods.vicreg import (
    Method,
    covariance_matrix,
    covariance_term,
    invariance,
    variance_term,
)

OPTIONS = {
    "invariance": 25.0,
    "variance": 25.0,
    "covariance": 1.0,
    "projector": {"hidden": 9, "output": 5, "batch_norm": True},
}


def transcription(first, second):
    """The three terms, equations 1 to 5 of arXiv:2105.04906, averaged as the authors' code does."""
    first, second = np.float64(first), np.float64(second)
    n, d = first.shape
    squares = [
        sum((a - b) ** 2 for a, b in zip(*pair, strict=True))
        for pair in zip(first, second, strict=True)
    ]
    alike = sum(squares) / n / d
    variance, covariance = 0.0, 0.0
    for view in (first, second):
        mean = [sum(view[:, j]) / n for j in range(d)]
        for i in range(d):
            for j in range(d):
                products = ((view[b, i] - mean[i]) * (view[b, j] - mean[j]) for b in range(n))
                c = sum(products) / (n - 1)
                if i == j:
                    variance += max(0.0, 1 - (c + 1e-4) ** 0.5) / d / 2
                else:
                    covariance += c**2 / d
    return alike, variance, covariance


def terms(first, second):
    covariances = [covariance_matrix(tf.constant(view)) for view in (first, second)]
    variance = sum(float(variance_term(matrix)) for matrix in covariances) / 2
    covariance = sum(float(covariance_term(matrix)) for matrix in covariances)
    return float(invariance(tf.constant(first), tf.constant(second))), variance, covariance


def embeddings(n=12, d=4, seed=0, scale=0.7):
    rng = np.random.default_rng(seed)
    return [scale * rng.normal(size=(n, d)).astype("float32") for _ in range(2)]


@pytest.mark.parametrize("scale", [0.1, 0.7, 3.0])
@pytest.mark.parametrize(("n", "d"), [(2, 2), (12, 4), (30, 7)])
def test_the_definition(n, d, scale):
    pair = embeddings(n, d, n, scale)
    assert terms(*pair) == pytest.approx(transcription(*pair), rel=1e-4, abs=1e-6)


def test_embeddings_that_are_all_the_same():
    """Only the variance is left: 25 (1 - sqrt(1e-4)) = 24.75 in the code's convention."""
    same = np.full((8, 4), 3.0, np.float32)
    alike, variance, covariance = terms(same, same)
    assert alike == 0 and covariance == 0
    assert 25 * variance == pytest.approx(24.75, rel=1e-6)


def test_spread_embeddings_of_independent_dimensions_cost_nothing():
    columns = 2 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float32)
    assert terms(columns, columns) == pytest.approx((0, 0, 0), abs=1e-6)


def test_the_floor_of_the_covariance():
    """(d - 1) / (N - 1) a view, of unrelated dimensions of variance 1."""
    found = [terms(*embeddings(16, 8, seed, scale=1.0))[2] / 2 for seed in range(60)]
    assert np.mean(found) == pytest.approx(7 / 15, rel=0.1)


def test_a_shift_does_not_matter_but_a_scale_does():
    first, second = embeddings()
    assert terms(first + 4, second + 4) == pytest.approx(terms(first, second), rel=1e-3, abs=1e-5)
    assert terms(2 * first, 2 * second) != pytest.approx(terms(first, second), rel=1e-2)


def test_the_gradient_is_that_of_the_definition(slopes_of):
    first, second = (tf.constant(z) for z in embeddings(4, 2))
    weights = (25.0, 25.0, 1.0)
    with tf.GradientTape() as tape:
        tape.watch(first)
        covariances = [covariance_matrix(view) for view in (first, second)]
        parts = (
            invariance(first, second),
            tf.add_n([variance_term(matrix) for matrix in covariances]) / 2,
            tf.add_n([covariance_term(matrix) for matrix in covariances]),
        )
        loss = tf.add_n([weight * part for weight, part in zip(weights, parts, strict=True)])
    gradient = tape.gradient(loss, first)
    slopes = slopes_of(lambda moved: np.dot(weights, transcription(moved, second)), first)
    assert gradient.numpy() == pytest.approx(slopes, abs=1e-3)


def test_the_loss_of_the_method_is_the_weighted_sum(encoder_of, two_views, batch_of):
    method = Method(encoder_of(), OPTIONS | {"invariance": 3.0}, 0)
    outcome = method.loss(batch_of(method))
    z = method.embed(two_views).numpy()
    expected = transcription(z[:8], z[8:])
    assert float(outcome.loss) == pytest.approx(np.dot([3, 25, 1], expected), rel=1e-3)
    assert list(outcome.measures) == ["invariance", "variance", "covariance"]
    found = [float(value) for value in outcome.measures.values()]
    assert found == pytest.approx(list(expected), rel=1e-3)
    np.testing.assert_allclose(outcome.embeddings, z[:8], rtol=1e-4, atol=1e-5)
