"""Losses, against transcriptions of what they are defined as."""

import numpy as np
import pytest
import tensorflow as tf

from sslens.metrics.predictions import softmax
from sslens.networks.losses import beta_nll, cross_entropy


def test_label_smoothing_is_the_cross_entropy_of_smoothed_labels():
    labels, logits = np.array([0, 2, 1, 1]), np.random.default_rng(0).normal(size=(4, 3))
    smooth = 0.7 * np.eye(3)[labels] + 0.3 / 3
    expected = -np.sum(smooth * np.log(softmax(logits)), axis=1)
    np.testing.assert_allclose(cross_entropy(labels, logits, 0.3), expected, rtol=1e-12)


# --- regression -----------------------------------------------------------------------------------


def slow_beta_nll(targets, outputs, beta):
    """Equation 5 of Seitzer et al. 2022, image by image."""
    losses, count = [], targets.shape[1]
    for row, given in zip(targets, outputs, strict=True):
        parts = []
        for place, target in enumerate(row):
            if np.isnan(target):
                continue
            mean, variance = given[place], np.log1p(np.exp(given[count + place])) + 1e-6
            nll = 0.5 * np.log(2 * np.pi * variance) + (target - mean) ** 2 / (2 * variance)
            parts.append(variance**beta * nll)
        losses.append(np.mean(parts))
    return np.array(losses)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_beta_nll_is_that_of_its_paper_without_what_has_no_target(beta):
    rng = np.random.default_rng(1)
    targets, outputs = rng.normal(size=(5, 2)), rng.normal(size=(5, 4))
    targets[1, 0] = targets[3, 1] = np.nan
    found = beta_nll(tf.constant(targets), tf.constant(outputs), beta)
    np.testing.assert_allclose(found, slow_beta_nll(targets, outputs, beta), rtol=1e-10)


def test_its_gradients_are_those_of_the_likelihood_times_the_weight():
    """So with beta 1 means learn as by the squared error; and nothing learns of no target."""
    rng = np.random.default_rng(2)
    targets = rng.normal(size=(4, 2))
    targets[0, 1] = np.nan
    outputs = tf.Variable(rng.normal(size=(4, 4)))
    gradients = {}
    for beta in (0.0, 0.5, 1.0):
        with tf.GradientTape() as tape:
            loss = beta_nll(tf.constant(targets), outputs, beta)
        gradients[beta] = tape.gradient(loss, outputs).numpy()
    variances = np.log1p(np.exp(outputs.numpy()[:, 2:])) + 1e-6
    weights = np.concatenate([variances, variances], axis=1)
    for beta in (0.5, 1.0):
        np.testing.assert_allclose(gradients[beta], weights**beta * gradients[0.0], rtol=1e-9)
    known = np.isfinite(targets)
    errors = np.where(known, outputs.numpy()[:, :2] - targets, 0) / known.sum(1, keepdims=True)
    np.testing.assert_allclose(gradients[1.0][:, :2], errors, rtol=1e-9)
    assert np.isfinite(gradients[0.0]).all() and (gradients[0.0][0, [1, 3]] == 0).all()
