"""Barlow Twins against a slow transcription of its paper, and what is known of it exactly."""

import numpy as np
import pytest
import tensorflow as tf

from sslens.methods.barlow_twins import Method, barlow_twins, cross_correlation

OPTIONS = {"redundancy": 0.02, "projector": {"hidden": 9, "output": 5, "batch_norm": True}}


def transcription(first, second, weight):
    """Equations 1 and 2 of arXiv:2103.03230 (with the sums of squares of centred embeddings)."""
    first, second = np.float64(first), np.float64(second)
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    n, d = first.shape
    total = 0.0
    for i in range(d):
        for j in range(d):
            above = sum(first[b, i] * second[b, j] for b in range(n))
            below = sum(first[b, i] ** 2 for b in range(n)) ** 0.5
            below *= sum(second[b, j] ** 2 for b in range(n)) ** 0.5
            c = above / below
            total += (1 - c) ** 2 if i == j else weight * c**2
    return total


def embeddings(n=12, d=4, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, d)).astype("float32") for _ in range(2)]


def loss_of(first, second, weight=0.1):
    return float(barlow_twins(cross_correlation(first, second), weight))


@pytest.mark.parametrize("weight", [0.0, 0.0051, 2.0])
@pytest.mark.parametrize(("n", "d"), [(3, 2), (12, 4), (30, 7)])
def test_the_definition(n, d, weight):
    first, second = embeddings(n, d, seed=n)
    expected = transcription(first, second, weight)
    assert loss_of(first, second, weight) == pytest.approx(expected, rel=1e-3)


def test_the_gradient_is_that_of_the_definition(slopes_of):
    first, second = (tf.constant(z) for z in embeddings(4, 2))
    with tf.GradientTape() as tape:
        tape.watch([first, second])
        loss = barlow_twins(cross_correlation(first, second), 0.3)
    gradients = tape.gradient(loss, [first, second])
    slopes = [
        slopes_of(lambda moved: transcription(moved, second, 0.3), first),
        slopes_of(lambda moved: transcription(first, moved, 0.3), second),
    ]
    for gradient, slope in zip(gradients, slopes, strict=True):
        assert gradient.numpy() == pytest.approx(slope, abs=1e-3)


def test_shift_and_scale_of_a_dimension_do_not_matter_but_a_turn_does():
    first, second = embeddings()
    loss = loss_of(first, second)
    scales = np.array([0.3, 2.0, 5.0, 11.0], np.float32)
    assert loss_of(first * scales + 3, second / scales - 1) == pytest.approx(loss, rel=1e-3)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(4, 4)))[0].astype("float32")
    assert loss_of(first @ turn, second @ turn) != pytest.approx(loss, rel=1e-2)


def test_one_direction_in_all_dimensions():
    """Equal views of rank one: every correlation is 1, so the loss is weight d (d - 1)."""
    line = np.random.default_rng(0).normal(size=(9, 1)).astype("float32")
    same = line @ np.ones((1, 6), np.float32)
    assert loss_of(same, same, 0.25) == pytest.approx(0.25 * 6 * 5, rel=1e-3)


def test_independent_dimensions_give_nothing():
    """Orthogonal columns, equal views."""
    columns = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float32)
    assert loss_of(columns, columns, 1.0) == pytest.approx(0, abs=1e-6)


def test_the_noise_floor():
    """Of unrelated dimensions: weight d (d - 1) / (N - 1), besides the diagonal."""
    found = []
    for seed in range(40):
        first, _ = embeddings(16, 8, seed)
        found.append(loss_of(first, first, 1.0))
    assert np.mean(found) == pytest.approx(8 * 7 / 15, rel=0.1)


def test_the_loss_of_the_method(encoder_of, two_views, batch_of):
    method = Method(encoder_of(), OPTIONS, 0)
    outcome = method.loss(batch_of(method))
    z = method.embed(two_views).numpy()
    assert float(outcome.loss) == pytest.approx(transcription(z[:8], z[8:], 0.02), rel=2e-2)
    np.testing.assert_allclose(outcome.embeddings, z[:8], rtol=1e-4, atol=1e-5)
    correlation = np.corrcoef(z[:8].T, z[8:].T)[:5, 5:]
    apart = correlation[~np.eye(5, dtype=bool)]
    rms = float(outcome.measures["off_diagonal"])
    assert rms == pytest.approx(np.sqrt(np.mean(apart**2)), rel=2e-2)
