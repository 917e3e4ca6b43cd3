"""Pretraining: an encoder learns from two views of every image, as a rule without labels."""

import logging

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from threadpoolctl import threadpool_limits

from sslens import diagnostics, replicas, training
from sslens.checkpoints import Checkpoint
from sslens.classification import predict
from sslens.encoders import build_encoder
from sslens.methods import load_method
from sslens.optimizers import build_optimizer, current_rate
from sslens.records import Split
from sslens.seeds import derive_seed
from sslens.tensorboard import Report, silent
from sslens.views import make_view

log = logging.getLogger(__name__)

#: The most training images, validation images and pairs of views that an epoch's diagnostics are
#: measured on: enough for a curve, and few enough to take a tenth of a short epoch's time. Training
#: images have the largest part, since among more of them a nearest neighbour is nearer.
DIAGNOSED = {"train": 600, "validation": 300, "pairs": 150}


def pretrain(
    train: Split,
    validation: Split,
    settings: dict,
    seed: int,
    checkpoint: Checkpoint,
    report: Report = silent,
) -> tuple[keras.Model, pd.DataFrame]:
    """Pretrain a fresh encoder.

    The two views are of one image or, where `pairs` is `same_lens`, of two images of one lens, and
    a batch then has a lens once: an image of a lens is no negative of another one.

    Args:
        train, validation: preprocessed splits. Labels and validation images enter the history
            alone: nothing is learned from them or chosen by them, but for the labels of training
            images by a method that `uses_labels`.
        settings: of the pretraining, resolved (see `settings.pretraining_settings`).
        seed: of the run.
        checkpoint: to go on from.
        report: is told the rows of the history.

    Returns:
        The encoder, and the history: epoch, step, loss, embedding_std (mean over dimensions of
        the standard deviation over the batch of the normalised embeddings; 0 when collapsed),
        embedding_std_uniform (1/sqrt(d), its value for embeddings spread evenly over the sphere;
        Chen & He 2021, arXiv:2011.10566, section 4.1), images_per_second,
        learning_rate (when the epoch has ended), what `Diagnosis` measures then, and collapsed
        (1 or 0, see `diagnostics.has_collapsed`).
    """
    of_one_lens = settings["pairs"] == "same_lens"
    rows = group_rows(train.lens_ids) if of_one_lens else np.arange(len(train.labels))[:, None]
    groups = train.images[rows] if of_one_lens else train.images[:, None]  # a view, not a copy
    plan = training.plan_training(settings, len(groups), len(train.images))
    with replicas.shared_by_gpus(plan.batch_size):
        encoder = build_encoder(settings["encoder"], train.images.shape[1:], seed)
        method = load_method(settings["method"])(encoder, settings["options"], seed)
        diagnosis = Diagnosis(encoder, train, validation, settings, seed)
        learner = _Pretraining(method, settings, plan, diagnosis)
        # images of one lens are of one class
        data = [groups, train.labels[rows[:, 0]]] if uses_labels(method) else [groups]
        history = training.fit(learner, data, plan, seed, checkpoint, report=report)
    return encoder, history


def uses_labels(method) -> bool:
    """Whether a method learns from labels too, see `sslens.methods`."""
    return getattr(method, "uses_labels", False)


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


def draw_views(
    groups: tf.Tensor, seed: tf.Tensor, pretext: list[dict]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Two views of every group, by a pretext, each by a seed of its own; shapes as `draw_pair`."""
    seeds = [tf.random.experimental.stateless_fold_in(seed, view) for view in (1, 2, 3)]
    first, second = draw_pair(groups, seeds[2])
    return make_view(first, seeds[0], pretext), make_view(second, seeds[1], pretext)


class Diagnosis:
    """What the history tells of an encoder, in inference mode: no dropout, no new statistics.

    The images, `DIAGNOSED` of them, and their views are the same ones every epoch, so that a curve
    shows the encoder alone. Labels are read here and, but for a method that
    `uses_labels`, nowhere else in a pretraining.
    """

    def __init__(
        self, encoder: keras.Model, train: Split, validation: Split, settings: dict, seed: int
    ):
        """Choose images and draw views, by keys of their own: a training's draws stay as they are.

        Args: as `pretrain`, with the encoder that learns.
        """
        self._encoder = encoder
        known, asked = (
            diagnostics.measured_rows(len(split.labels), DIAGNOSED[name], seed)
            for name, split in (("train", train), ("validation", validation))
        )
        self._labels = validation.labels[asked], train.labels[known]
        groups = validation.images[:, None]
        if settings["pairs"] == "same_lens" and len(set(validation.lens_ids)) < len(groups):
            lenses = validation.images[group_rows(validation.lens_ids)]
            # a small validation split may have no two lenses with several images
            groups = lenses if len(lenses) > 1 else groups
        groups = groups[diagnostics.measured_rows(len(groups), DIAGNOSED["pairs"], seed)]
        key = tf.constant(derive_seed(seed, "diagnosed views"), tf.int32)
        views = map(np.asarray, draw_views(groups, key, settings["views"]))
        parts = [validation.images[asked], train.images[known], *views]
        # in one piece, since every size of batch is traced anew
        self._images = np.concatenate(parts)
        self._ends = np.cumsum([len(part) for part in parts])[:-1]

    def measure(self) -> dict[str, float]:
        """Measure the features that the encoder makes now.

        Returns:
            effective_rank (of validation images), alignment and uniformity (of two views of
            validation images by the pretext; uniformity is the mean of both), neighbour_auc (of
            validation images by training images): see `diagnostics`.

        Raises:
            FloatingPointError: where a feature is not finite.
        """
        features = predict(self._encoder, self._images)
        if not np.isfinite(features).all():
            raise FloatingPointError(
                "features of validation images are not finite: lower the learning rate"
            )
        asked, known, first, second = np.split(features, self._ends)
        labels, known_labels = self._labels
        with threadpool_limits(1):  # on matrices as small as these more threads are slower
            return {
                "effective_rank": diagnostics.effective_rank(asked),
                "alignment": diagnostics.alignment(first, second),
                "uniformity": float(np.mean([*map(diagnostics.uniformity, (first, second))])),
                "neighbour_auc": diagnostics.neighbour_auc(asked, labels, known, known_labels),
            }


class _Pretraining:
    """A method as the engine wants it."""

    def __init__(self, method, settings: dict, plan: training.Plan, diagnosis: Diagnosis):
        self._diagnosis = diagnosis
        self._optimizer = build_optimizer(
            settings["optimizer"], plan.steps, method.trainable_variables
        )
        self.variables = method.variables + self._optimizer.variables

        @tf.function(autograph=False)
        def views(batch, seed):
            groups, *labels = batch
            return (*draw_views(groups, seed, settings["views"]), *labels)

        def loss(*views):
            value, embeddings = method.loss(*views)
            return value, embedding_spread(replicas.whole_batch(embeddings))

        self.views = views
        self.train_step = training.compile_step(
            loss, method.trainable_variables, self._optimizer, method.after_step, settings["xla"]
        )

    def epoch_metrics(self, means: dict[str, float]) -> dict[str, float]:
        measures = self._diagnosis.measure()
        collapsed = diagnostics.has_collapsed(means | measures)
        if collapsed:
            log.warning(
                "epoch %d has collapsed: the embeddings' standard deviation is %.2g (%.2g where "
                "they are spread evenly), the features' effective rank %.3g",
                means["epoch"],
                means["embedding_std"],
                means["embedding_std_uniform"],
                measures["effective_rank"],
            )
        rate = current_rate(self._optimizer)
        return {"learning_rate": rate, **measures, "collapsed": int(collapsed)}


def embedding_spread(embeddings: tf.Tensor) -> dict[str, tf.Tensor]:
    """How far the normalised embeddings (batch, d) spread, beside the value of an even spread."""
    normalised = tf.math.l2_normalize(tf.cast(embeddings, tf.float32), axis=1)
    return {
        "embedding_std": tf.reduce_mean(tf.math.reduce_std(normalised, axis=0)),
        "embedding_std_uniform": tf.math.rsqrt(tf.cast(tf.shape(embeddings)[1], tf.float32)),
    }
