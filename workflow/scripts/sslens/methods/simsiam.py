"""SimSiam: predict the other view's embedding, which takes no gradient; no negatives, no teacher.

Chen & He 2021 (arXiv:2011.10566). As in their code, the projector's output is batch-normalised
without gain and offset, and the predictor is a bottleneck (section 4.4). The projector has one
hidden layer, as theirs for small images (appendix D).
"""

import keras
import tensorflow as tf

from sslens.methods.base import Batch, Outcome
from sslens.methods.embeddings import cosine_to_target
from sslens.methods.projection import ProjectedEncoder
from sslens.networks.heads import mlp


def negative_cosine(prediction: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """-cos(prediction, target), without a gradient of the target (equation 1).

    Args:
        prediction, target: (batch, d).

    Returns:
        Scalar mean over the batch, in [-1, 1].
    """
    return -tf.reduce_mean(cosine_to_target(prediction, target))


class Method(ProjectedEncoder):
    """Encoder, projector and predictor. Options: simsiam.schema.yaml.

    Example:

        method = Method(encoder, options, seed=1)
        outcome = method.loss(Batch((first, second), seed, progress))
    """

    against_collapse = "lower the learning rate, or options.predictor.hidden"

    def __init__(self, encoder: keras.Model, options: dict, seed: int):
        projector = options["projector"] | {"output_norm": True}
        super().__init__(encoder, options | {"projector": projector}, seed)
        size = projector["output"]
        predictor = options["predictor"] | {"output": size}
        self._predictor = mlp(size, predictor, seed, "predictor")
        self._learn(encoder, self._projector, self._predictor)

    def loss(self, batch: Batch) -> Outcome:
        """Mean of both directions (equation 2), and the embeddings of the first view."""
        embeddings = self.embed(batch.views)
        predictions = tf.split(self._predictor(embeddings, training=True), 2)
        first, second = tf.split(embeddings, 2)
        loss = negative_cosine(predictions[0], second) + negative_cosine(predictions[1], first)
        return Outcome(loss / 2, first)
