"""Barlow Twins: the cross-correlation of two views' embeddings shall be the identity.

Zbontar et al. 2021 (arXiv:2103.03230, equations 1 and 2). With batches of N images the second term
has a noise floor of about lambda d (d - 1) / (N - 1), so that embeddings of d dimensions are small
here (8192 in the paper, with batches of 2048).
"""

import tensorflow as tf

from sslens.methods.base import Batch, Outcome
from sslens.methods.embeddings import off_diagonal_squares
from sslens.methods.projection import ProjectedEncoder
from sslens.networks import replicas

#: Added to variances, as in the authors' code, which normalises by a batch normalisation.
EPSILON = 1e-5


def cross_correlation(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Correlation over the batch of every dimension of one view with every one of the other.

    Args:
        first, second: (batch, d) embeddings of two views.

    Returns:
        (d, d), elements in [-1, 1].
    """
    first, second = (_standardise(tf.cast(z, tf.float32)) for z in (first, second))
    return tf.matmul(first, second, transpose_a=True) / tf.cast(tf.shape(first)[0], tf.float32)


def barlow_twins(correlation: tf.Tensor, weight: float) -> tf.Tensor:
    """The loss: sum of (1 - C_ii)^2 + weight sum of C_ij^2 over i != j (equation 1).

    Args:
        correlation: C, (d, d), of `cross_correlation`.
        weight: lambda.
    """
    alike = tf.reduce_sum(tf.square(1 - tf.linalg.diag_part(correlation)))
    return alike + weight * off_diagonal_squares(correlation)


def _standardise(embeddings: tf.Tensor) -> tf.Tensor:
    mean, variance = tf.nn.moments(embeddings, axes=[0])
    return (embeddings - mean) * tf.math.rsqrt(variance + EPSILON)


class Method(ProjectedEncoder):
    """Encoder and projector. Options: barlow_twins.schema.yaml.

    Example:

        method = Method(encoder, options, seed=1)
        outcome = method.loss(Batch((first, second), seed, progress))
    """

    def loss(self, batch: Batch) -> Outcome:
        """The loss, the embeddings of the first view, and how much dimensions correlate."""
        one, other = tf.split(self.embed(batch.views), 2)
        # over all images of a step, whatever replica has them
        correlation = cross_correlation(replicas.whole_batch(one), replicas.whole_batch(other))
        dimensions = tf.cast(tf.shape(correlation)[0], tf.float32)
        mean_square = off_diagonal_squares(correlation) / (dimensions * (dimensions - 1))
        measures = {"off_diagonal": tf.sqrt(mean_square)}
        return Outcome(barlow_twins(correlation, self._options["redundancy"]), one, measures)
