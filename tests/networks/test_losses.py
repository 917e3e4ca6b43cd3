"""Losses, against transcriptions of what they are defined as."""

import numpy as np

from sslens.metrics.predictions import softmax
from sslens.networks.losses import cross_entropy


def test_label_smoothing_is_the_cross_entropy_of_smoothed_labels():
    labels, logits = np.array([0, 2, 1, 1]), np.random.default_rng(0).normal(size=(4, 3))
    smooth = 0.7 * np.eye(3)[labels] + 0.3 / 3
    expected = -np.sum(smooth * np.log(softmax(logits)), axis=1)
    np.testing.assert_allclose(cross_entropy(labels, logits, 0.3), expected, rtol=1e-12)
