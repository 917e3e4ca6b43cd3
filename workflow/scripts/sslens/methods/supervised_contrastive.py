"""Supervised contrastive learning: views of one class attract, views of other classes repel.

Khosla et al. 2020 (arXiv:2004.11362). It reads all labels, so among self-supervised methods it is
the upper bound: what a contrastive pretraining could gain if it knew the classes.
"""

import tensorflow as tf

from sslens.methods.base import Batch, Outcome
from sslens.methods.embeddings import unit
from sslens.methods.projection import ProjectedEncoder
from sslens.networks import replicas


def supervised_info_nce(embeddings: tf.Tensor, labels: tf.Tensor, temperature: float) -> tf.Tensor:
    """The loss L_out (equation 2), as a mean over the views.

    Args:
        embeddings: (views, d) of all views of a batch.
        labels: (views,) integers, the class of each.
        temperature: divides the cosine similarities.

    Returns:
        Scalar: the mean over views i, and over the others p of the class of i, of -log(exp(z_i z_p
        / temperature) / sum over all a but i of exp(z_i z_a / temperature)). A view without another
        one of its class counts zero.
    """
    # float32 whatever the policy: a softmax over the batch does not fit in float16
    directions = unit(embeddings)
    others = 1 - tf.eye(tf.shape(directions)[0])
    logits = tf.matmul(directions, directions, transpose_b=True) / temperature
    logits = tf.where(others > 0, logits, logits.dtype.min)
    positives = others * tf.cast(labels[:, None] == labels[None, :], tf.float32)
    log_shares = tf.nn.log_softmax(logits, axis=1)
    # `where`, since the share of a view in its own sum is zero, and 0 * log(0) is not
    chosen = tf.reduce_sum(tf.where(positives > 0, log_shares, 0.0), axis=1)
    return -tf.reduce_mean(tf.math.divide_no_nan(chosen, tf.reduce_sum(positives, axis=1)))


class Method(ProjectedEncoder):
    """Encoder and projector under the loss. Options: supervised_contrastive.schema.yaml."""

    uses_labels = True

    def loss(self, batch: Batch) -> Outcome:
        """Loss and embeddings of the first view."""
        embeddings = self.embed(batch.views)
        classes = tf.concat([batch.labels, batch.labels], axis=0)
        # attracted and repelled by all views of a step, whatever replica has them
        whole, classes = replicas.whole_batch(embeddings), replicas.whole_batch(classes)
        loss = supervised_info_nce(whole, classes, self._options["temperature"])
        return Outcome(loss, tf.split(embeddings, 2)[0])
