"""Contrastive learning: two views of an image attract, views of other images repel.

InfoNCE (van den Oord et al. 2018, arXiv:1807.03748, equation 4) over the cosine similarities
between the first and the second views of a batch, symmetrised as in CLIP (Radford et al. 2021,
arXiv:2103.00020, figure 3): view i of one side has to be found among all views of the other.
"""

import tensorflow as tf

from sslens.methods.base import Batch, Outcome
from sslens.methods.embeddings import unit
from sslens.methods.projection import ProjectedEncoder
from sslens.networks import replicas


def info_nce(first: tf.Tensor, second: tf.Tensor, temperature: float) -> tf.Tensor:
    """Symmetrised InfoNCE loss.

    Args:
        first, second: (batch, d) embeddings of two views; row i of both is the same image.
        temperature: divides the cosine similarities.

    Returns:
        Scalar: the mean cross-entropy of finding the partner, log(batch) for equal embeddings.
    """
    # float32 whatever the policy: a softmax over the batch does not fit in float16
    first, second = unit(first), unit(second)
    logits = tf.matmul(first, second, transpose_b=True) / temperature
    partner = tf.range(tf.shape(logits)[0])
    forward = tf.nn.sparse_softmax_cross_entropy_with_logits(partner, logits)
    backward = tf.nn.sparse_softmax_cross_entropy_with_logits(partner, tf.transpose(logits))
    return tf.reduce_mean(forward + backward) / 2


class Method(ProjectedEncoder):
    """Encoder and projector under InfoNCE. Options: contrastive.schema.yaml."""

    def loss(self, batch: Batch) -> Outcome:
        """Loss and embeddings of the first view."""
        one, other = tf.split(self.embed(batch.views), 2)
        # negatives are all other images of a step, whatever replica has them
        first, second = replicas.whole_batch(one), replicas.whole_batch(other)
        return Outcome(info_nce(first, second, self._options["temperature"]), one)
