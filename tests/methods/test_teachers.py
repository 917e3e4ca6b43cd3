"""Teachers: a copy of the network, and how it follows."""

import math

import numpy as np
import pytest
import tensorflow as tf

from sslens.methods.teachers import copy_of, follow, teacher_rate


@pytest.mark.parametrize("start", [0.0, 0.5, 0.97, 0.996])
def test_the_rate_rises_on_a_cosine_to_one(start):
    """Section 3.3 of arXiv:2006.07733, with k/K the progress."""
    progress = np.linspace(0, 1, 11)
    found = [float(teacher_rate(start, tf.constant(p, tf.float32))) for p in progress]
    expected = [1 - (1 - start) * (math.cos(math.pi * p) + 1) / 2 for p in progress]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found[0] == pytest.approx(start, abs=1e-6)
    assert found[5] == pytest.approx((1 + start) / 2, abs=1e-6)
    assert found[-1] == 1.0
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.996, 1.0])
def test_a_teacher_starts_as_a_copy_and_its_weights_follow(encoder_of, rate):
    network = encoder_of()
    network.get_layer("norm0").moving_mean.assign([1.0, 2.0, 3.0])
    teacher = copy_of(network)
    before = [variable.numpy() for variable in teacher.variables]
    for old, variable in zip(before, network.variables, strict=True):
        assert np.array_equal(old, variable.numpy())
        variable.assign_add(tf.ones(variable.shape))
    follow(teacher, network, tf.constant(rate, tf.float32))
    trained = {id(variable) for variable in teacher.trainable_variables}
    for old, variable in zip(before, teacher.variables, strict=True):
        moved = 1 - rate if id(variable) in trained else 0
        np.testing.assert_allclose(variable, old + moved, rtol=1e-5, atol=1e-6)
