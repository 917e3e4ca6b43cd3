"""What a network that learns labels, or other targets, is to minimise."""

import numpy as np
import tensorflow as tf

from sslens.targets import SMALLEST_VARIANCE


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, smoothing: float) -> tf.Tensor:
    """Cross-entropy of every image, with a share of its label spread evenly over the classes.

    Label smoothing as Szegedy et al. 2016 (arXiv:1512.00567, section 7).

    Args:
        labels: (batch,) integers.
        logits: (batch, classes).
        smoothing: in [0, 1).

    Returns:
        (batch,).
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    if not smoothing:
        return losses
    even = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=1)
    return (1 - smoothing) * losses + smoothing * even


def mean_cross_entropy(labels: np.ndarray, logits: np.ndarray) -> float:
    """The mean of `cross_entropy` of arrays, without smoothing."""
    return float(tf.reduce_mean(cross_entropy(labels, logits, smoothing=0)))


# --- regression -----------------------------------------------------------------------------------


def gaussians_of(outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Means and variances (batch, k) of outputs (batch, 2 k); softplus makes variances positive."""
    means, raw = tf.split(outputs, 2, axis=1)
    return means, tf.nn.softplus(raw) + SMALLEST_VARIANCE


def beta_nll(targets: tf.Tensor, outputs: tf.Tensor, beta: float) -> tf.Tensor:
    """Negative log-likelihood of normal distributions, weighted by their variance to a power.

    Seitzer et al. 2022 (arXiv:2203.09168, eq. 5). By the likelihood alone, the mean of what is
    predicted badly learns slowly, since its gradient is divided by a large variance, which explains
    the error away; the weight, which has no gradient, makes up for that.

    Args:
        targets: (batch, k), NaN where there is none.
        outputs: (batch, 2 k), see `gaussians_of`.
        beta: the power, in [0, 1]; with 0 it is the likelihood.

    Returns:
        (batch,), the mean over the targets that an image has.
    """
    means, variances = gaussians_of(outputs)
    has_target = tf.math.is_finite(targets)
    errors = tf.where(has_target, targets, means) - means
    losses = (tf.math.log(2 * np.pi * variances) + errors**2 / variances) / 2
    weighted = tf.stop_gradient(variances**beta) * losses
    known = tf.cast(has_target, weighted.dtype)
    return tf.reduce_sum(known * weighted, axis=1) / tf.reduce_sum(known, axis=1)


def mean_nll(targets: np.ndarray, outputs: np.ndarray) -> float:
    """The mean negative log-likelihood of arrays, see `beta_nll`."""
    return float(tf.reduce_mean(beta_nll(tf.constant(targets), tf.constant(outputs), beta=0.0)))


def binned_nll(
    targets: tf.Tensor, outputs: tf.Tensor, lowest: np.ndarray, highest: np.ndarray
) -> tf.Tensor:
    """Negative log-likelihood of even bins, within which every value is as likely.

    Args:
        targets: (batch, k), NaN where there is none; those outside of the bins are in the next one.
        outputs: (batch, k bins), logits.
        lowest, highest: (k,), where the bins of a target begin and end.

    Returns:
        (batch,), the mean over the targets that an image has.
    """
    count = len(lowest)
    logits = tf.reshape(tf.convert_to_tensor(outputs), (-1, count, outputs.shape[1] // count))
    bins = logits.shape[2]
    has_target = tf.math.is_finite(targets)
    shares = (tf.where(has_target, targets, 0.0) - lowest) / (highest - lowest)
    places = tf.clip_by_value(tf.cast(tf.floor(shares * bins), tf.int32), 0, bins - 1)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(places, logits)
    losses += tf.constant(np.log((highest - lowest) / bins), losses.dtype)
    known = tf.cast(has_target, losses.dtype)
    return tf.reduce_sum(known * losses, axis=1) / tf.reduce_sum(known, axis=1)
