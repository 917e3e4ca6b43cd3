"""The supervised contrastive loss against a slow transcription of its paper, and its method."""

import math

import numpy as np
import pytest
import tensorflow as tf

from sslens.methods.supervised_contrastive import Method, supervised_info_nce

SETTINGS = {
    "temperature": 0.2,
    "projector": {"hidden": 9, "output": 5, "batch_norm": True},
}
PATTERNS = [
    [0, 0],
    [0, 1, 0, 1],
    [2, 2, 2, 2, 2],
    [0, 0, 0, 0, 1, 1, 2, 2],
    [1, 0, 2, 2, 0, 1, 1, 0, 2, 0, 1],
    [5, -3, 5, 0, -3, 0],  # any integers
]


def transcription(embeddings, labels, temperature):
    """Equation 2 of arXiv:2004.11362, L_out; a mean over the views instead of the sum."""
    z = [np.float64(row) / math.sqrt(sum(np.float64(x) ** 2 for x in row)) for row in embeddings]

    def f(i, k):
        return math.exp(sum(x * y for x, y in zip(z[i], z[k], strict=True)) / temperature)

    total = 0.0
    for i in range(len(z)):
        others = [a for a in range(len(z)) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        for p in positives:
            total -= math.log(f(i, p) / sum(f(i, a) for a in others)) / len(positives)
    return total / len(z)


def embeddings(n=6, d=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype("float32")


def loss_of(z, labels, temperature=0.5):
    return float(supervised_info_nce(tf.constant(z), tf.constant(labels), temperature))


# --- the loss -------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.05, 0.1, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("labels", PATTERNS)
def test_the_definition(labels, temperature):
    z = embeddings(len(labels), seed=len(labels))
    expected = transcription(z, labels, temperature)
    assert loss_of(z, labels, temperature) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_a_view_without_another_of_its_class_counts_zero_and_repels_the_others():
    z, labels = embeddings(5), [0, 0, 1, 2, 2]
    assert loss_of(z, labels) == pytest.approx(transcription(z, labels, 0.5), rel=1e-5)
    without = transcription(np.delete(z, 2, axis=0), [0, 0, 2, 2], 0.5)
    assert 5 * loss_of(z, labels) > 4 * without * 1.01
    assert loss_of(z, [0, 1, 2, 3, 4]) == 0
    assert loss_of(z[:1], [0]) == 0


def test_a_view_is_no_neighbour_of_itself():
    """Two views of one class alone: nothing repels, whatever they are."""
    assert loss_of(embeddings(2), [1, 1], 0.1) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("labels", PATTERNS)
@pytest.mark.parametrize("temperature", [0.01, 1.0])
def test_identical_embeddings_give_the_log_of_the_others(labels, temperature):
    """No view can be told from another."""
    same = np.tile(np.array([[0.3, -1.2, 2.0]], np.float32), (len(labels), 1))
    expected = math.log(len(labels) - 1)
    assert loss_of(same, labels, temperature) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_classes_at_right_angles(temperature):
    """Three views a class, alike: log(2 + 6 exp(-1/T)); no two of a class alike: 1/T more."""
    z, labels = np.repeat(np.eye(3, dtype=np.float32), 3, axis=0), np.repeat([0, 1, 2], 3)
    expected = math.log(2 + 6 * math.exp(-1 / temperature))
    assert loss_of(z, labels, temperature) == pytest.approx(expected, abs=1e-5)
    astray = loss_of(z, np.tile([0, 1, 2], 3), temperature)
    assert astray == pytest.approx(expected + 1 / temperature, rel=1e-5)


def test_invariances():
    z, labels = embeddings(8), np.array([0, 1, 0, 2, 1, 0, 2, 1])
    loss = loss_of(z, labels)
    scales = np.random.default_rng(1).uniform(0.01, 50, size=(8, 1)).astype("float32")
    order = np.random.default_rng(2).permutation(8)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(4, 4)))[0].astype("float32")
    assert loss_of(z[order], labels[order]) == pytest.approx(loss, rel=1e-5)
    assert loss_of(z * scales, labels) == pytest.approx(loss, rel=1e-4)
    assert loss_of(z @ turn, labels) == pytest.approx(loss, rel=1e-4)
    assert loss_of(z, np.array([7, 4, 9])[labels]) == loss, "what classes are called"
    assert loss_of(z[order], labels) != pytest.approx(loss, rel=1e-2)
    assert loss_of(z, labels, 0.1) != pytest.approx(loss, rel=1e-2)


def test_with_classes_of_one_image_the_other_view_alone_attracts():
    """The loss of SimCLR, with all views of other images as negatives."""
    first, second = embeddings(4, seed=1), embeddings(4, seed=2)
    z, images = np.concatenate([first, second]), [0, 1, 2, 3] * 2
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    logits = np.where(np.eye(8) > 0, -np.inf, unit @ unit.T / 0.5)
    partners = logits[np.arange(8), (np.arange(8) + 4) % 8]
    expected = np.mean(np.log(np.exp(logits).sum(axis=1)) - partners)
    assert loss_of(z, images) == pytest.approx(expected, rel=1e-5)


def test_the_gradient_is_that_of_the_definition():
    z, labels = tf.constant(embeddings(5, 2)), [0, 1, 0, 2, 1]
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = supervised_info_nce(z, tf.constant(labels), 0.5)
    gradient = tape.gradient(loss, z).numpy()
    for place in np.ndindex(5, 2):
        ends = []
        for sign in (1, -1):
            moved = z.numpy().astype(np.float64)
            moved[place] += sign * 1e-5
            ends.append(transcription(moved, labels, 0.5))
        assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-5)


@pytest.mark.parametrize("size", [1.0, 6e4])
@pytest.mark.parametrize("temperature", [0.01, 1.0])
def test_float16_embeddings_keep_their_numbers(size, temperature):
    z = embeddings(8)
    halves = tf.constant(np.clip(size * z / np.abs(z).max(), -6e4, 6e4), tf.float16)
    labels = [0, 1, 0, 2, 1, 0, 0, 1]
    with tf.GradientTape() as tape:
        tape.watch(halves)
        loss = supervised_info_nce(halves, tf.constant(labels), temperature)
    assert loss.dtype == tf.float32
    expected = transcription(halves.numpy(), labels, temperature)
    assert float(loss) == pytest.approx(expected, rel=1e-3)
    assert np.isfinite(tape.gradient(loss, halves)).all()


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 1, 2], [0, 1, 2, 3, 4, 5], [0] * 6])
@pytest.mark.parametrize("z", [embeddings() * [[0], [1], [1], [1], [1], [1]], np.ones((6, 4))])
def test_embeddings_of_zeros_or_alike_are_no_nan(z, labels):
    z = tf.constant(z, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = supervised_info_nce(z, tf.constant(labels), 0.01)
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, z)).all()


# --- the method -----------------------------------------------------------------------------------


def test_the_loss_of_a_method_is_of_all_views_by_their_classes(
    encoder_of, two_views, classes, batch_of
):
    """Both views as one batch, normalised by its statistics; embeddings are the first view's."""
    encoder = encoder_of()
    method = Method(encoder, SETTINGS, 0)
    loss, found, *_ = method.loss(batch_of(method))
    features = encoder(tf.concat(two_views, 0), training=True)
    projections = method._projector(features, training=True).numpy()
    assert projections.shape == (16, 5)
    np.testing.assert_allclose(found, projections[:8], rtol=1e-4, atol=1e-5)
    expected = transcription(projections, [*classes.numpy()] * 2, 0.2)
    assert float(loss) == pytest.approx(expected, rel=1e-3)


def test_an_image_alone_in_its_class_is_attracted_by_its_other_view(encoder_of, batch_of):
    """With all images in classes of their own there is a loss still, and it falls."""
    method = Method(encoder_of(), SETTINGS, 0)
    batch = batch_of(method)._replace(labels=tf.range(8))
    losses = []
    for _ in range(8):
        with tf.GradientTape() as tape:
            loss = method.loss(batch).loss
        gradients = tape.gradient(loss, method.trainable_variables)
        for variable, gradient in zip(method.trainable_variables, gradients, strict=True):
            variable.assign_sub(0.05 * gradient)
        losses.append(float(loss))
    assert losses[0] > 0.1
    assert losses[-1] < losses[0]


def test_labels_and_temperature_are_listened_to(encoder_of, classes, batch_of):
    def loss(labels, **changes):
        method = Method(encoder_of(), SETTINGS | changes, 0)
        return float(method.loss(batch_of(method)._replace(labels=labels)).loss)

    first = loss(classes)
    assert loss(classes) == first
    assert loss(classes + 3) == pytest.approx(first, rel=1e-6)
    assert loss(tf.roll(classes, 1, 0)) != pytest.approx(first, rel=1e-4)
    assert loss(classes, temperature=1.0) != pytest.approx(first, rel=1e-2)


def test_after_a_step_there_is_nothing_to_do(encoder_of, batch_of):
    method = Method(encoder_of(), SETTINGS, 0)
    update = method.loss(batch_of(method)).update
    before = [variable.numpy() for variable in method.variables]
    method.after_step(tf.constant(0.5), update)
    for variable, old in zip(method.variables, before, strict=True):
        assert np.array_equal(variable.numpy(), old)
