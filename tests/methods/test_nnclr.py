"""NNCLR against a slow transcription of its paper; its queue; who may be a neighbour."""

import math

import numpy as np
import pytest
import tensorflow as tf

from sslens.methods.nnclr import NO_LENS, Method, nearest, neighbour_info_nce

OPTIONS = {
    "temperature": 0.2,
    "queue": 20,
    "projector": {"hidden": 9, "output": 5, "batch_norm": True},
    "predictor": {"hidden": 7, "batch_norm": True},
}


def transcription(neighbours, predictions, temperature):
    """Equation 2 of arXiv:2104.14548."""
    total = 0.0
    for i, neighbour in enumerate(np.float64(neighbours)):
        weights = [math.exp(neighbour @ p / temperature) for p in np.float64(predictions)]
        total -= math.log(weights[i] / sum(weights))
    return total / len(neighbours)


def unit(n=6, d=4, seed=0):
    drawn = np.random.default_rng(seed).normal(size=(n, d))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype("float32")


def fill(method, seed=1, lenses=None):
    """Put elements of these lenses in the queue."""
    method._queue.assign(unit(20, 5, seed))
    method._lenses.assign(np.arange(100, 120) if lenses is None else lenses)


# --- the loss -------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize(("n", "d"), [(1, 3), (6, 4), (13, 8)])
def test_the_definition(n, d, temperature):
    neighbours, predictions = unit(n, d, 1), unit(n, d, 2)
    found = float(neighbour_info_nce(neighbours, predictions, temperature))
    assert found == pytest.approx(transcription(neighbours, predictions, temperature), rel=1e-4)


@pytest.mark.parametrize("n", [1, 7, 64])
def test_equal_predictions_give_log_n(n):
    same = np.tile(unit(1), (n, 1))
    assert float(neighbour_info_nce(unit(n), same, 0.1)) == pytest.approx(math.log(n), abs=1e-5)


def test_an_element_of_the_queue_finds_itself():
    queue = unit(9)
    rows = [4, 0, 8]
    everyone = np.ones((3, 9), bool)
    assert nearest(queue[rows], queue, everyone).numpy().tolist() == rows
    without = everyone & (np.arange(9) != np.array(rows)[:, None])
    found = nearest(queue[rows], queue, without).numpy()
    cosines = queue[rows] @ queue.T
    cosines[~without] = -9
    assert found.tolist() == cosines.argmax(axis=1).tolist()


# --- the method -----------------------------------------------------------------------------------


def test_both_directions_by_the_neighbours_in_the_queue(encoder_of, two_views, batch_of):
    method = Method(encoder_of(), OPTIONS, 0)
    fill(method)
    queue = method._queue.numpy()
    outcome = method.loss(batch_of(method))
    z = method.embed(two_views)
    p = method._predictor(z, training=True).numpy()
    z, p = (array / np.linalg.norm(array, axis=1, keepdims=True) for array in (z.numpy(), p))
    chosen = queue[(z @ queue.T).argmax(axis=1)]
    expected = transcription(chosen[:8], p[8:], 0.2) + transcription(chosen[8:], p[:8], 0.2)
    assert float(outcome.loss) == pytest.approx(expected / 2, rel=1e-3)
    assert float(outcome.measures["queue_hits"]) == 0


def test_neither_an_older_view_of_the_image_nor_another_image_of_its_lens_is_a_neighbour(
    encoder_of, two_views, batch_of
):
    method = Method(encoder_of(), OPTIONS, 0)
    fill(method)
    z = tf.math.l2_normalize(method.embed(two_views), axis=1).numpy()
    # the queue ends with the views themselves, of the lenses of the batch
    method._queue.assign(np.concatenate([method._queue.numpy()[:12], z[:8]]))
    method._lenses.assign([*range(100, 112), *range(8)])
    others = method.loss(batch_of(method))
    assert float(others.measures["queue_hits"]) == 1
    queue = method._queue.numpy()[:12]
    chosen = z[:8] @ np.concatenate([queue, z[:8]]).T + 0
    for row in range(8):
        chosen[row, 12 + row] = -9
    ages = [1 if element >= 12 else 2 if element >= 4 else 3 for element in chosen.argmax(axis=1)]
    assert float(others.measures["queue_age"]) == pytest.approx(np.mean(ages))
    # where these are of other lenses, they are found
    own = method.loss(batch_of(method, lenses=range(50, 58)))
    assert float(own.measures["queue_hits"]) == 0
    assert float(own.measures["queue_age"]) == 1
    assert float(own.loss) != pytest.approx(float(others.loss), rel=1e-3)


def test_the_queue_takes_the_batch_and_drops_the_oldest(encoder_of, two_views, batch_of):
    method = Method(encoder_of(), OPTIONS, 0)
    assert (method._lenses.numpy() == NO_LENS).all()
    assert np.linalg.norm(method._queue.numpy(), axis=1) == pytest.approx(1, abs=1e-5)
    before = method._queue.numpy()
    outcome = method.loss(batch_of(method))
    assert np.array_equal(method._queue.numpy(), before), "the loss changes no state"
    method.after_step(tf.constant(0.5), outcome.update)
    z = tf.math.l2_normalize(method.embed(two_views), axis=1).numpy()
    queue = method._queue.numpy()
    assert np.array_equal(queue[:12], before[8:])
    np.testing.assert_allclose(queue[12:], z[:8], rtol=1e-4, atol=1e-5)
    assert method._lenses.numpy().tolist() == [NO_LENS] * 12 + list(range(8))


def test_a_batch_may_be_larger_than_the_queue(encoder_of, batch_of):
    method = Method(encoder_of(), OPTIONS | {"queue": 3}, 0)
    method.after_step(tf.constant(0.5), method.loss(batch_of(method)).update)
    assert method._queue.shape == (3, 5)
    assert method._lenses.numpy().tolist() == [5, 6, 7]


def test_neighbours_take_no_gradient(encoder_of, batch_of):
    """All of the gradient goes through the predictor."""
    method = Method(encoder_of(), OPTIONS, 0)
    fill(method)
    for kernel in (method._predictor.get_layer("predictor_output").kernel,):
        kernel.assign(tf.zeros_like(kernel))
    with tf.GradientTape() as tape:
        loss = method.loss(batch_of(method)).loss
    gradients = tape.gradient(loss, method._encoder.trainable_variables)
    assert all(np.abs(gradient).max() == 0 for gradient in gradients)
