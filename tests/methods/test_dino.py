"""DINO against a slow transcription of its paper, its centre and its frozen prototypes."""

import math

import numpy as np
import pytest
import tensorflow as tf

from sslens.methods.dino import Method, cross_entropy, entropy, sharpened

OPTIONS = {
    "tau": 0.9,
    "temperature": 0.1,
    "teacher_temperature": 0.04,
    "centre_momentum": 0.8,
    "prototypes": 6,
    "frozen": 0.2,
    "projector": {"hidden": 9, "output": 5, "batch_norm": True},
}


def softmax(values):
    weights = [math.exp(value - max(values)) for value in values]
    return [weight / sum(weights) for weight in weights]


def transcription(teacher, student, centre, options=OPTIONS):
    """H(P_t, P_s) of arXiv:2104.14294 (equations 1, 2 and algorithm 1), mean over the images."""
    total = 0.0
    for t, s in zip(np.float64(teacher), np.float64(student), strict=True):
        target = softmax((t - centre) / options["teacher_temperature"])
        predicted = softmax(s / options["temperature"])
        total -= sum(a * math.log(b) for a, b in zip(target, predicted, strict=True))
    return total / len(teacher)


def outputs(n=7, k=6, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, size=(n, k)).astype("float32")


def cosines(embeddings, kernel):
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return unit @ (kernel / np.linalg.norm(kernel, axis=0))


# --- the loss -------------------------------------------------------------------------------------


def test_the_definition():
    teacher, student, centre = outputs(seed=1), outputs(seed=2), outputs(1, seed=3)[0]
    found = cross_entropy(sharpened(teacher, centre, 0.04), student, 0.1)
    assert float(found) == pytest.approx(transcription(teacher, student, centre), rel=1e-4)


@pytest.mark.parametrize("k", [2, 512])
def test_uniform_distributions_give_log_k(k):
    same = np.full((5, k), 0.3, np.float32)
    target = sharpened(same, same[0], 0.04)
    assert float(cross_entropy(target, same, 0.1)) == pytest.approx(math.log(k), rel=1e-5)
    assert float(entropy(target)) == pytest.approx(math.log(k), rel=1e-5)


def test_the_entropy_of_one_prototype_is_zero():
    assert float(entropy(tf.one_hot([0, 3, 3], 6))) == 0


def test_a_sharp_teacher_and_the_centre():
    """A low temperature makes one of them; the centre takes what all have in common."""
    teacher = outputs() + 5 * np.eye(6, dtype=np.float32)[0]
    sharp = sharpened(teacher, tf.zeros(6), 0.01).numpy()
    assert (sharp.argmax(axis=1) == 0).all() and sharp.max(axis=1).min() > 0.99
    centred = sharpened(teacher, teacher.mean(axis=0), 0.01).numpy()
    assert len(set(centred.argmax(axis=1))) > 1


# --- the method -----------------------------------------------------------------------------------


def disturb(variables, seed=1):
    rng = np.random.default_rng(seed)
    for variable in variables:
        variable.assign(variable + 0.3 * rng.normal(size=variable.shape))


@pytest.fixture
def method(encoder_of):
    """One whose teacher is no copy any more, and whose centre is not zero."""
    built = Method(encoder_of(), OPTIONS, 0)
    disturb(built._teacher.trainable_variables)
    disturb(built._teacher_prototypes.trainable_variables, 2)
    built._centre.assign(0.3 * outputs(1, seed=4)[0])
    return built


def networks_of(method):
    pairs = ((method._student, method._prototypes), (method._teacher, method._teacher_prototypes))
    return [(network, layer.get_layer("prototypes").kernel) for network, layer in pairs]


def test_both_directions_of_the_method(method, two_views, batch_of):
    outcome = method.loss(batch_of(method))
    views = tf.concat(two_views, 0)
    (student, own), (teacher, slow) = networks_of(method)
    embeddings = student(views, training=True).numpy()
    s = cosines(embeddings, own.numpy())
    t = cosines(teacher(views, training=True).numpy(), slow.numpy())
    centre = method._centre.numpy()
    expected = (transcription(t[:8], s[8:], centre) + transcription(t[8:], s[:8], centre)) / 2
    assert float(outcome.loss) == pytest.approx(expected, rel=2e-3)
    np.testing.assert_allclose(outcome.embeddings, embeddings[:8], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(outcome.update[0], t.mean(axis=0), rtol=1e-3, atol=1e-5)
    targets = np.array([softmax((row - centre) / 0.04) for row in np.float64(t)])
    spread = -np.mean([sum(p * math.log(p) for p in row if p > 0) for row in targets])
    assert float(outcome.measures["teacher_entropy"]) == pytest.approx(spread, rel=5e-3)
    assert float(outcome.measures["kl"]) == pytest.approx(expected - spread, rel=5e-3)


def test_the_student_alone_leaves_something_out(encoder_of, two_views):
    method = Method(encoder_of(dropout=True), OPTIONS, 0)
    twice = [method._teacher(two_views[0], training=True) for _ in range(2)]
    assert np.array_equal(*twice)
    twice = [method._student(two_views[0], training=True) for _ in range(2)]
    assert not np.array_equal(*twice)


def test_the_teacher_takes_no_gradient(method, batch_of):
    with tf.GradientTape() as tape:
        loss = method.loss(batch_of(method)).loss
    variables = [v for network, _ in networks_of(method)[1:] for v in network.trainable_variables]
    variables.append(method._teacher_prototypes.get_layer("prototypes").kernel)
    assert set(tape.gradient(loss, variables)) == {None}


@pytest.mark.parametrize(("progress", "rests"), [(0.1, True), (0.2, True), (0.21, False)])
def test_the_prototypes_rest_at_first(method, batch_of, progress, rests):
    kernel = networks_of(method)[0][1]
    with tf.GradientTape() as tape:
        loss = method.loss(batch_of(method, progress=progress)).loss
    (gradient,) = tape.gradient(loss, [kernel])
    assert (np.abs(gradient).max() == 0) == rests


def test_after_a_step_the_teacher_and_the_centre_follow(method):
    (student, own), (teacher, slow) = networks_of(method)
    before = [v.numpy() for v in (*teacher.trainable_variables, slow, method._centre)]
    method.after_step(tf.constant(0.5), (tf.constant([1.0, 2, 3, 4, 5, 6]),))
    # halfway on the cosine from 0.9 to 1
    *weights, centre = before
    followed = (*teacher.trainable_variables, slow)
    for old, new, found in zip(weights, (*student.trainable_variables, own), followed, strict=True):
        np.testing.assert_allclose(found, 0.95 * old + 0.05 * new.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(method._centre, 0.8 * centre + 0.2 * np.arange(1, 7), rtol=1e-5)


def test_the_first_centre_is_a_share_of_the_mean(encoder_of, batch_of):
    """From zero: (1 - momentum) times the mean of the teacher's outputs."""
    method = Method(encoder_of(), OPTIONS, 0)
    outcome = method.loss(batch_of(method))
    method.after_step(tf.constant(0.5), outcome.update)
    np.testing.assert_allclose(method._centre, 0.2 * outcome.update[0].numpy(), rtol=1e-5)
