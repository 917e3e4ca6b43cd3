"""InfoNCE against a slow transcription of its definition, and what is known of it exactly."""

import math

import numpy as np
import pytest
import tensorflow as tf

from sslens.methods.contrastive import Method, info_nce

SETTINGS = {
    "temperature": 0.2,
    "projector": {"hidden": 9, "output": 5, "batch_norm": True},
}


def transcription(first, second, temperature):
    """Equation 4 of arXiv:1807.03748 with f = exp(cosine / temperature), both ways round."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    n = len(first)

    def f(a, b):
        cosine = sum(x * y for x, y in zip(a, b, strict=True))
        cosine /= math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b))
        return math.exp(cosine / temperature)

    total = 0.0
    for i in range(n):
        total -= math.log(f(first[i], second[i]) / sum(f(first[i], second[j]) for j in range(n)))
        total -= math.log(f(first[i], second[i]) / sum(f(first[j], second[i]) for j in range(n)))
    return total / (2 * n)


def embeddings(n=6, d=4, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, d)).astype("float32") for _ in range(2)]


# --- the loss -------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.05, 0.1, 0.5, 1.0, 3.0])
@pytest.mark.parametrize(("n", "d"), [(1, 3), (2, 2), (6, 4), (13, 8)])
def test_the_definition(n, d, temperature):
    first, second = embeddings(n, d, seed=n)
    expected = transcription(first, second, temperature)
    assert float(info_nce(first, second, temperature)) == pytest.approx(
        expected, rel=1e-4, abs=1e-6
    )


def test_the_gradient_is_that_of_the_definition(slopes_of):
    first, second = (tf.constant(z) for z in embeddings(3, 2))
    with tf.GradientTape() as tape:
        tape.watch([first, second])
        loss = info_nce(first, second, 0.5)
    gradients = tape.gradient(loss, [first, second])
    slopes = [
        slopes_of(lambda moved: transcription(moved, second, 0.5), first),
        slopes_of(lambda moved: transcription(first, moved, 0.5), second),
    ]
    for gradient, slope in zip(gradients, slopes, strict=True):
        assert gradient.numpy() == pytest.approx(slope, abs=1e-5)


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_identical_embeddings_give_log_n(n):
    """No image can be told from another."""
    same = np.tile(np.array([[0.3, -1.2, 2.0]], np.float32), (n, 1))
    assert float(info_nce(same, same, 0.1)) == pytest.approx(math.log(n), abs=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_orthogonal_images(temperature):
    """Views equal, images orthogonal: log(1 + (n - 1) exp(-1/T)); partners exchanged: 1/T more."""
    n = 5
    basis = np.eye(n, dtype=np.float32)
    expected = math.log(1 + (n - 1) * math.exp(-1 / temperature))
    assert float(info_nce(basis, basis, temperature)) == pytest.approx(expected, abs=1e-5)
    astray = float(info_nce(basis, np.roll(basis, 1, axis=0), temperature))
    assert astray == pytest.approx(expected + 1 / temperature, rel=1e-5)


def test_invariances():
    first, second = embeddings()
    loss = float(info_nce(first, second, 0.2))
    scales = np.random.default_rng(1).uniform(0.01, 50, size=(6, 1)).astype("float32")
    order = np.random.default_rng(2).permutation(6)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(4, 4)))[0].astype("float32")
    assert float(info_nce(second, first, 0.2)) == pytest.approx(loss, rel=1e-5)
    assert float(info_nce(first * scales, second / scales, 0.2)) == pytest.approx(loss, rel=1e-4)
    assert float(info_nce(first[order], second[order], 0.2)) == pytest.approx(loss, rel=1e-5)
    assert float(info_nce(first @ turn, second @ turn, 0.2)) == pytest.approx(loss, rel=1e-4)
    assert float(info_nce(first[order], second, 0.2)) != pytest.approx(loss, rel=1e-2)


@pytest.mark.parametrize("size", [1.0, 6e4])
@pytest.mark.parametrize("temperature", [0.01, 1.0])
def test_float16_embeddings_keep_their_numbers(size, temperature):
    halves = [
        tf.constant(np.clip(size * z / np.abs(z).max(), -6e4, 6e4), tf.float16)
        for z in embeddings(8)
    ]
    with tf.GradientTape() as tape:
        tape.watch(halves)
        loss = info_nce(*halves, temperature)
    assert loss.dtype == tf.float32
    expected = transcription(*(z.numpy() for z in halves), temperature)
    assert float(loss) == pytest.approx(expected, rel=1e-3)
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, halves))


def test_an_embedding_of_zeros_is_no_nan():
    first, second = (tf.constant(z * [[0], [1], [1], [1], [1], [1]]) for z in embeddings())
    with tf.GradientTape() as tape:
        tape.watch([first, second])
        loss = info_nce(first, second, 0.1)
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in tape.gradient(loss, [first, second]))


# --- the method -----------------------------------------------------------------------------------


def test_the_loss_of_a_method_is_info_nce_of_its_projections(encoder_of, two_views, batch_of):
    """Both views as one batch, normalised by its statistics; embeddings are the projections."""
    encoder = encoder_of()
    method = Method(encoder, SETTINGS, 0)
    loss, found, *_ = method.loss(batch_of(method))
    features = encoder(tf.concat(two_views, 0), training=True)
    projections = method._projector(features, training=True).numpy()
    assert projections.shape == (16, 5)
    np.testing.assert_allclose(found, projections[:8], rtol=1e-4, atol=1e-5)
    expected = transcription(projections[:8], projections[8:], 0.2)
    assert float(loss) == pytest.approx(expected, rel=1e-3)


def test_temperature_is_listened_to(encoder_of, batch_of):
    methods = [Method(encoder_of(), SETTINGS | {"temperature": t}, 0) for t in (0.1, 1.0)]
    losses = [float(method.loss(batch_of(method)).loss) for method in methods]
    assert losses[0] != pytest.approx(losses[1], rel=0.01)


def test_after_a_step_there_is_nothing_to_do(encoder_of, batch_of):
    method = Method(encoder_of(), SETTINGS, 0)
    update = method.loss(batch_of(method)).update
    before = [variable.numpy() for variable in method.variables]
    method.after_step(tf.constant(0.5), update)
    for variable, old in zip(method.variables, before, strict=True):
        assert np.array_equal(variable.numpy(), old)
