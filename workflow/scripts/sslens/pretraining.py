"""Pretraining: an encoder learns from two views of every image, without labels."""

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from sslens import training
from sslens.checkpoints import Checkpoint
from sslens.encoders import build_encoder
from sslens.methods import load_method
from sslens.optimizers import build_optimizer
from sslens.views import make_view


def pretrain(
    images: np.ndarray, settings: dict, seed: int, checkpoint: Checkpoint
) -> tuple[keras.Model, pd.DataFrame]:
    """Pretrain a fresh encoder.

    Args:
        images: (n, height, width, channels), preprocessed.
        settings: of the pretraining, resolved (see `settings.pretraining_settings`).
        seed: of the run.
        checkpoint: to go on from.

    Returns:
        The encoder, and the history: epoch, step, loss, embedding_std (mean over dimensions of
        the standard deviation over the batch of the normalised embeddings; 0 when collapsed),
        embedding_std_uniform (1/sqrt(d), its value for embeddings spread evenly over the sphere;
        Chen & He 2021, arXiv:2011.10566, section 4.1), images_per_second,
        learning_rate (when the epoch has ended).
    """
    encoder = build_encoder(settings["encoder"], images.shape[1:], seed)
    method = load_method(settings["method"])(encoder, settings["options"], seed)
    plan = training.plan_training(settings, len(images), len(images))
    learner = _Pretraining(method, settings, plan)
    history = training.fit(learner, [images], plan, seed, checkpoint)
    return encoder, history


class _Pretraining:
    """A method as the engine wants it."""

    def __init__(self, method, settings: dict, plan: training.Plan):
        self._optimizer = build_optimizer(
            settings["optimizer"], plan.steps, method.trainable_variables
        )
        self.variables = method.variables + self._optimizer.variables

        def loss(batch, seed):
            (images,) = batch
            seeds = [tf.random.experimental.stateless_fold_in(seed, view) for view in (1, 2)]
            first, second = (make_view(images, own, settings["views"]) for own in seeds)
            value, embeddings = method.loss(first, second)
            return value, embedding_spread(embeddings)

        self.train_step = training.compile_step(
            loss, method.trainable_variables, self._optimizer, method.after_step
        )

    def epoch_metrics(self) -> dict[str, float]:
        return {"learning_rate": float(self._optimizer.learning_rate)}


def embedding_spread(embeddings: tf.Tensor) -> dict[str, tf.Tensor]:
    """How far the normalised embeddings (batch, d) spread, beside the value of an even spread."""
    normalised = tf.math.l2_normalize(tf.cast(embeddings, tf.float32), axis=1)
    return {
        "embedding_std": tf.reduce_mean(tf.math.reduce_std(normalised, axis=0)),
        "embedding_std_uniform": tf.math.rsqrt(tf.cast(tf.shape(embeddings)[1], tf.float32)),
    }
