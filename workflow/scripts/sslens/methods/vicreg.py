"""VICReg: views alike (invariance), every dimension spread (variance), none like another.

Bardes et al. 2022 (arXiv:2105.04906). Where the paper and the authors' code differ, this is the
code, since the weights 25, 25 and 1 belong to it: the invariance is a mean over dimensions (a sum
in the paper, equation 5), and the variance the mean of both views (their sum in equation 6).
"""

import tensorflow as tf

from sslens.methods.base import Batch, Outcome
from sslens.methods.embeddings import off_diagonal_squares
from sslens.methods.projection import ProjectedEncoder
from sslens.networks import replicas

#: Added to variances (equation 2).
EPSILON = 1e-4


def invariance(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of two views' embeddings (batch, d)."""
    return tf.reduce_mean(tf.math.squared_difference(first, second))


def covariance_matrix(embeddings: tf.Tensor) -> tf.Tensor:
    """Unbiased covariance (d, d) over the batch of embeddings (batch, d) (equation 3)."""
    centred = embeddings - tf.reduce_mean(embeddings, axis=0)
    others = tf.cast(tf.shape(embeddings)[0] - 1, tf.float32)
    return tf.matmul(centred, centred, transpose_a=True) / others


def variance_term(covariance: tf.Tensor) -> tf.Tensor:
    """Mean over dimensions of how far a standard deviation is below 1 (equations 1 and 2)."""
    deviations = tf.sqrt(tf.linalg.diag_part(covariance) + EPSILON)
    return tf.reduce_mean(tf.nn.relu(1 - deviations))


def covariance_term(covariance: tf.Tensor) -> tf.Tensor:
    """Sum of the squared covariances of different dimensions, over d (equation 4)."""
    return off_diagonal_squares(covariance) / tf.cast(tf.shape(covariance)[0], tf.float32)


class Method(ProjectedEncoder):
    """Encoder and projector. Options: vicreg.schema.yaml.

    Example:

        method = Method(encoder, options, seed=1)
        outcome = method.loss(Batch((first, second), seed, progress))
    """

    def loss(self, batch: Batch) -> Outcome:
        """The weighted sum, the embeddings of the first view, and its terms."""
        one, other = tf.split(self.embed(batch.views), 2)
        # over all images of a step, whatever replica has them
        views = [tf.cast(replicas.whole_batch(z), tf.float32) for z in (one, other)]
        covariances = [covariance_matrix(view) for view in views]
        measures = {
            "invariance": invariance(*views),
            "variance": tf.add_n([variance_term(matrix) for matrix in covariances]) / 2,
            "covariance": tf.add_n([covariance_term(matrix) for matrix in covariances]),
        }
        weighted = [self._options[name] * term for name, term in measures.items()]
        return Outcome(tf.add_n(weighted), one, measures)
