"""NNCLR: like contrastive learning, but a view's partner is its nearest neighbour in a queue.

Dwibedi et al. 2021 (arXiv:2104.14548). The queue holds embeddings of the first views of earlier
batches. Against the paper, a neighbour of the same image or the same lens is left out: in a data
set that is not much larger than the queue it would only be an older view.
"""

import keras
import numpy as np
import tensorflow as tf

from sslens.methods.base import Batch, Outcome, state_variable
from sslens.methods.embeddings import unit
from sslens.methods.projection import ProjectedEncoder
from sslens.networks import replicas
from sslens.networks.heads import mlp
from sslens.seeds import derive_seed

#: Lens of an element of the queue that is of no image.
NO_LENS = -1


def nearest(embeddings: tf.Tensor, queue: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
    """Which element of the queue is the most similar to each embedding (equation 3).

    Args:
        embeddings: (batch, d) of unit length.
        queue: (size, d) of unit length.
        allowed: (batch, size), which elements may be chosen.

    Returns:
        (batch,) indices of elements.
    """
    cosines = tf.matmul(embeddings, queue, transpose_b=True)
    return tf.argmax(tf.where(allowed, cosines, -2.0), axis=1)


def neighbour_info_nce(
    neighbours: tf.Tensor, predictions: tf.Tensor, temperature: float
) -> tf.Tensor:
    """Cross-entropy of finding the prediction of an image by its neighbour (equation 2).

    Args:
        neighbours, predictions: (batch, d) of unit length; row i of both is of one image.
        temperature: divides the cosine similarities.

    Returns:
        Scalar mean over the batch; log(batch) for equal predictions.
    """
    logits = tf.matmul(neighbours, predictions, transpose_b=True) / temperature
    partner = tf.range(tf.shape(logits)[0])
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(partner, logits))


class Method(ProjectedEncoder):
    """Encoder, projector, predictor and queue. Options: nnclr.schema.yaml.

    Example:

        method = Method(encoder, options, seed=1)
        outcome = method.loss(Batch((first, second), seed, progress, lenses=lenses))
        method.after_step(progress, outcome.update)
    """

    uses_lenses = True

    def __init__(self, encoder: keras.Model, options: dict, seed: int):
        super().__init__(encoder, options, seed)
        size = options["projector"]["output"]
        predictor = options["predictor"] | {"output": size}
        self._predictor = mlp(size, predictor, seed, "predictor")
        drawn = np.random.default_rng(derive_seed(seed, "queue")).normal(
            size=(options["queue"], size)
        )
        first = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
        self._queue = state_variable(first, "queue")
        self._lenses = state_variable(np.full(len(first), NO_LENS, np.int64), "queue_lenses")
        self._learn(encoder, self._projector, self._predictor, state=[self._queue, self._lenses])

    def loss(self, batch: Batch) -> Outcome:
        """Mean of both directions; the history has the neighbours' age and what was left out."""
        embeddings = self.embed(batch.views)
        predictions = tf.split(self._predictor(embeddings, training=True), 2)
        one, other = tf.split(embeddings, 2)
        views = [tf.stop_gradient(unit(replicas.whole_batch(z))) for z in (one, other)]
        predicted = [unit(replicas.whole_batch(p)) for p in predictions]
        lenses = replicas.whole_batch(tf.cast(batch.lenses, tf.int64))
        queue, queued = tf.convert_to_tensor(self._queue), tf.convert_to_tensor(self._lenses)
        others = lenses[:, None] != queued[None, :]
        chosen = [nearest(view, queue, others) for view in views]
        losses = [
            neighbour_info_nce(tf.gather(queue, rows), target, self._options["temperature"])
            for rows, target in zip(chosen, predicted[::-1], strict=True)
        ]
        best = nearest(views[0], queue, tf.ones_like(others))
        measures = {
            # the queue ends with the last batch
            "queue_age": tf.reduce_mean(self._steps_ago(chosen[0], tf.shape(lenses)[0])),
            "queue_hits": tf.reduce_mean(tf.cast(best != chosen[0], tf.float32)),
        }
        return Outcome(tf.add_n(losses) / 2, one, measures, (views[0], lenses))

    def after_step(self, progress: tf.Tensor, update: tuple[tf.Tensor, ...]) -> None:
        """Put the batch at the end of the queue, and drop as many of its oldest elements."""
        for state, new in zip((self._queue, self._lenses), update, strict=True):
            state.assign(tf.concat([state, new], axis=0)[-self._options["queue"] :])

    def _steps_ago(self, elements: tf.Tensor, batch_size: tf.Tensor) -> tf.Tensor:
        """How many steps ago elements of the queue were put there."""
        behind = self._options["queue"] - 1 - elements
        return tf.cast(behind // tf.cast(batch_size, elements.dtype) + 1, tf.float32)
