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
    images: np.ndarray, lens_ids: np.ndarray, settings: dict, seed: int, checkpoint: Checkpoint
) -> tuple[keras.Model, pd.DataFrame]:
    """Pretrain a fresh encoder.

    The two views are of one image or, where `pairs` is `same_lens`, of two images of one lens, and
    a batch then has a lens once: an image of a lens is no negative of another one.

    Args:
        images: (n, height, width, channels), preprocessed.
        lens_ids: (n,), the same for images of one lens.
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
    of_one_lens = settings["pairs"] == "same_lens"
    groups = images[group_rows(lens_ids)] if of_one_lens else images[:, None]
    plan = training.plan_training(settings, len(groups), len(images))
    learner = _Pretraining(method, settings, plan)
    history = training.fit(learner, [groups], plan, seed, checkpoint)
    return encoder, history


def group_rows(lens_ids: np.ndarray) -> np.ndarray:
    """Rows of the images of every lens that has as many as any: (lenses, images a lens).

    Raises:
        ValueError: where no two images are of one lens.
    """
    rows: dict[str, list[int]] = {}
    for row, lens_id in enumerate(lens_ids):
        rows.setdefault(str(lens_id), []).append(row)
    most = max(map(len, rows.values()))
    if most == 1:
        raise ValueError("pairs: same_lens, but every image is of a lens of its own")
    return np.array([group for group in rows.values() if len(group) == most])


def draw_pair(groups: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Two images of every group, different ones where it has several.

    Args:
        groups: (batch, k, height, width, channels).
        seed: (2,) integers.

    Returns:
        Two batches (batch, height, width, channels).
    """
    size, k = tf.shape(groups)[0], groups.shape[1]
    if k == 1:
        return groups[:, 0], groups[:, 0]
    seeds = [tf.random.experimental.stateless_fold_in(seed, draw) for draw in (1, 2)]
    first = tf.random.stateless_uniform([size], seeds[0], 0, k, dtype=tf.int32)
    further = tf.random.stateless_uniform([size], seeds[1], 1, k, dtype=tf.int32)
    second = (first + further) % k
    return tf.gather(groups, first, batch_dims=1), tf.gather(groups, second, batch_dims=1)


class _Pretraining:
    """A method as the engine wants it."""

    def __init__(self, method, settings: dict, plan: training.Plan):
        self._optimizer = build_optimizer(
            settings["optimizer"], plan.steps, method.trainable_variables
        )
        self.variables = method.variables + self._optimizer.variables

        def loss(batch, seed):
            (groups,) = batch
            seeds = [tf.random.experimental.stateless_fold_in(seed, view) for view in (1, 2, 3)]
            pair = draw_pair(groups, seeds.pop())
            first, second = (
                make_view(images, own, settings["views"])
                for images, own in zip(pair, seeds, strict=True)
            )
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
