"""What losses share that compare embeddings (batch, d)."""

import tensorflow as tf


def unit(embeddings: tf.Tensor) -> tf.Tensor:
    """Embeddings of length one, in float32 whatever the policy."""
    return tf.math.l2_normalize(tf.cast(embeddings, tf.float32), axis=1)


def cosine_to_target(prediction: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Cosine similarity (batch,) of predictions and targets; no gradient flows into the target."""
    prediction, target = unit(prediction), unit(target)
    return tf.reduce_sum(prediction * tf.stop_gradient(target), axis=1)


def off_diagonal_squares(matrix: tf.Tensor) -> tf.Tensor:
    """Sum of the squares of all elements of a square matrix but those on the diagonal."""
    squares = tf.square(matrix)
    return tf.reduce_sum(squares) - tf.reduce_sum(tf.linalg.diag_part(squares))
