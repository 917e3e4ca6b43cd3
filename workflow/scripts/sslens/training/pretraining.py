"""Pretraining: an encoder learns from two views of every image, as a rule without labels."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from threadpoolctl import threadpool_limits

from sslens.classes import CLASSES
from sslens.data.records import Split
from sslens.images import Images
from sslens.methods.base import Batch, Method
from sslens.methods.passes import encoder_passes
from sslens.methods.registry import IMAGES_PER_QUEUED, load_method, reconstructs
from sslens.metrics.collapse import signs_of_collapse
from sslens.metrics.features import (
    alignment,
    effective_rank,
    neighbour_auc,
    uniformity,
)
from sslens.networks import replicas
from sslens.networks.encoders.building import build_encoder
from sslens.networks.inference import predict
from sslens.networks.operations import forward_operations
from sslens.seeds import derive_seed, measured_rows
from sslens.training import engine
from sslens.training.checkpoints import Checkpoint
from sslens.training.optimizers import build_optimizer, current_rate
from sslens.training.plan import Plan, plan_training
from sslens.training.tensorboard import Report, silent
from sslens.training.views import Views, paired_rows

log = logging.getLogger(__name__)

#: The most training images, validation images and pairs of views that an epoch's diagnostics are
#: measured on: enough for a curve, and few enough to take a tenth of a short epoch's time. Training
#: images have the largest part, since among more of them a nearest neighbour is nearer.
DIAGNOSED = {"train": 600, "validation": 300, "pairs": 150}


#: How many validation images are shown with what a method reconstructs of them.
PICTURED = 4


class Pretrained(NamedTuple):
    """What a pretraining ends in.

    Args:
        encoder: that has learned.
        history: a row an epoch, see `pretrain`.
        pictures: by a method that reconstructs, of some validation images, (`PICTURED`, height,
            width, channels) each: `image` (a view), `seen` of it (NaN elsewhere), and what is
            made of that after the `first` epoch and after the `last`. Empty by others.
    """

    encoder: keras.Model
    history: pd.DataFrame
    pictures: dict[str, np.ndarray]


class RawSplits(NamedTuple):
    """Splits as they are recorded, for a pretext with augmentations of raw images.

    Args:
        train, validation: rows as in the preprocessed splits; images of the kind that the settings
            name as `raw_images`.
        preprocessing: facts of `data.preprocessing.measure`.
    """

    train: Split
    validation: Split
    preprocessing: Mapping


def pretrain(
    train: Split,
    validation: Split,
    settings: dict,
    seed: int,
    checkpoint: Checkpoint,
    report: Report = silent,
    raw: RawSplits | None = None,
) -> Pretrained:
    """Pretrain a fresh encoder.

    The views are of one image or, by `pairs`, of several images of one lens or one substructure,
    and a batch then has each of these once: no image is a negative of another one of its group.

    Args:
        train, validation: preprocessed splits. Labels and validation images enter the history
            alone: nothing is learned from them or chosen by them, but for the labels of training
            images by a method that `uses_labels`.
        settings: of the pretraining, resolved (see `settings.pretraining_settings`).
        seed: of the run.
        checkpoint: to go on from.
        report: receives the rows of the history.
        raw: what views are made of, where the settings have `raw_views`.

    Raises:
        ValueError: for fewer images than a batch, or too few for a queue.
        Collapsed: where the encoder has collapsed, and the settings say that it is to stop.

    Returns:
        The encoder, pictures, and the history: epoch, step, loss, embedding_std (mean over
        dimensions of the standard deviation over the batch of the normalised embeddings; 0 when
        collapsed), embedding_std_uniform (1/sqrt(d), its value for embeddings spread evenly over
        the sphere; Chen & He 2021, arXiv:2011.10566, section 4.1), images_per_second,
        learning_rate (when the epoch has ended), operations (floating-point operations of the
        encoder, and of a decoder, in all steps so far), what `Diagnosis` and the method measure,
        and collapsed (1 or 0, see `collapse.signs_of_collapse`).
    """
    rows = paired_rows(train, settings)
    _check_size(settings, len(rows))
    plan = plan_training(settings, len(rows), len(train.images))
    views, sources = Views(settings["views"]), (train, validation)
    if raw is not None:
        views = Views(settings["views"], settings["raw_views"], raw.preprocessing)
        sources = (raw.train, raw.validation)
    groups = views.data(sources[0], rows)
    passes = encoder_passes(settings, train.images.shape[1])
    with replicas.shared_by_gpus(plan.batch_size):
        encoder = build_encoder(settings["encoder"], train.images.shape[1:], seed)
        kind, options = load_method(settings["method"]), settings["options"]
        if kind.uses_encoder_settings:
            options = options | {"encoder": settings["encoder"]}
        method = kind(encoder, options, seed)
        diagnosis = Diagnosis(encoder, train, validation, settings, seed, views, sources[1])
        operations = round(passes * forward_operations(encoder) * plan.batch_size)
        facts = _facts(method, train, rows[:, 0])
        learner = _Pretraining(method, settings, plan, diagnosis, operations, views, list(facts))
        data: list[Images | np.ndarray] = [*groups, *facts.values()]
        guard = CollapseGuard(settings, method.against_collapse)

        def report_and_guard(rows):
            report(rows)
            guard(rows)

        history = engine.fit(learner, data, plan, seed, checkpoint, report=report_and_guard)
    return Pretrained(encoder, history, learner.pictures())


class Collapsed(RuntimeError):
    """The encoder makes nearly the same of all images, and has done so for some epochs."""


class CollapseGuard:
    """Ends a pretraining that has collapsed and does not recover.

    Args:
        settings: of the pretraining: `collapse` and `collapse_epochs`.
        remedies: what helps, by the method.
    """

    def __init__(self, settings: dict, remedies: str):
        self._stops, self._allowed = settings["collapse"] == "stop", settings["collapse_epochs"]
        self._remedies, self._epochs = remedies, 0

    def __call__(self, rows: Sequence[dict]) -> None:
        """Look at further rows of the history; raises Collapsed where they are the last straw."""
        for row in rows:
            self._epochs = self._epochs + 1 if row["collapsed"] else 0
            if self._stops and self._epochs >= self._allowed:
                raise Collapsed(
                    f"collapsed for {self._epochs} epochs, up to epoch {row['epoch']}: "
                    f"{' and '.join(signs_of_collapse(row))}. To help: {self._remedies}; or set "
                    "pretraining.collapse to warn, to train on"
                )


def _check_size(settings: dict, images: int) -> None:
    """Stop where there are fewer images (or lenses) than a batch, or too few for a queue."""
    if images < settings["batch_size"]:
        raise ValueError(
            f"pretraining.batch_size: {settings['batch_size']}, but there are {images} images or "
            "lenses to pair; take a smaller batch"
        )
    if (queue := settings["options"].get("queue", 0)) > images // IMAGES_PER_QUEUED:
        raise ValueError(
            f"options.queue of {settings['method']}: {queue} is more than a third of {images} "
            f"images; take at most {images // IMAGES_PER_QUEUED}"
        )


def _facts(method: Method, train: Split, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What a method is given besides views, by the names in `base.Batch`, of these rows."""
    facts = {}
    if method.uses_labels:
        facts["labels"] = train.labels[rows]  # images of one lens are of one class
    if method.uses_lenses:
        facts["lenses"] = np.unique(train.columns["lens_id"][rows], return_inverse=True)[1]
    return facts


class Diagnosis:
    """What the history tells of an encoder, in inference mode: no dropout, no new statistics.

    The images, `DIAGNOSED` of them, and their views are the same ones every epoch, so that a curve
    shows the encoder alone. Labels are read here and, but for a method that
    `uses_labels`, nowhere else in a pretraining.

    Attributes:
        views: the two of validation images, (pairs, height, width, channels) each.
    """

    def __init__(
        self,
        encoder: keras.Model,
        train: Split,
        validation: Split,
        settings: dict,
        seed: int,
        views: Views,
        source: Split,
    ):
        """Choose images and draw views, by keys of their own: a training's draws stay as they are.

        Args: as `pretrain`, with the encoder that learns, how views are made, and the validation
            images that they are made of.
        """
        self._encoder = encoder
        reference, query = (
            measured_rows(len(split.labels), DIAGNOSED[name], seed)
            for name, split in (("train", train), ("validation", validation))
        )
        self._labels = validation.labels[query], train.labels[reference]
        rows = np.arange(len(validation.labels))[:, None]
        # a small validation split may have no two groups with several images
        with suppress(ValueError):
            paired = paired_rows(validation, settings)
            rows = paired if len(paired) > 1 else rows
        rows = rows[measured_rows(len(rows), DIAGNOSED["pairs"], seed)]
        key = tf.constant(derive_seed(seed, "diagnosed views"), tf.int32)
        groups = [part[:] for part in views.data(source, rows)]
        self.views = [np.asarray(view) for view in views.draw(groups, key)]
        parts = [validation.images[query], train.images[reference], *self.views]
        # in one piece, since every size of batch is traced anew
        self._images = np.concatenate(parts)
        self._ends = np.cumsum([len(part) for part in parts])[:-1]

    def measure(self) -> dict[str, float]:
        """Measure the features that the encoder makes now.

        Returns:
            effective_rank (of validation images), alignment and uniformity (of two views of
            validation images by the pretext; uniformity is the mean of both), and, where both have
            images of every class, neighbour_auc (of validation images by training images): see
            `metrics.features`.

        Raises:
            FloatingPointError: where a feature is not finite.
        """
        features = predict(self._encoder, self._images)
        if not np.isfinite(features).all():
            raise FloatingPointError(
                "features of validation images are not finite: lower the learning rate"
            )
        query, reference, first, second = np.split(features, self._ends)
        labels, reference_labels = self._labels
        with threadpool_limits(1):  # on matrices as small as these more threads are slower
            found = {
                "effective_rank": effective_rank(query),
                "alignment": alignment(first, second),
                "uniformity": float(np.mean([*map(uniformity, (first, second))])),
            }
            if all(len(np.unique(part)) == len(CLASSES) for part in self._labels):
                auc = neighbour_auc(query, labels, reference, reference_labels)
                found["neighbour_auc"] = auc
            return found


class _Pretraining:
    """Adapts a method to `engine.Learner`.

    `operations` are the floating-point operations of a step, `views` how views are made, and
    `facts` names of what there is of an image besides, as in `base.Batch`.
    """

    def __init__(
        self,
        method: Method,
        settings: dict,
        plan: Plan,
        diagnosis: Diagnosis,
        operations: int,
        views: Views,
        facts: Sequence[str],
    ):
        self._method, self._diagnosis, self._operations = method, diagnosis, operations
        self._warns = settings["collapse"] != "ignore"
        self._optimizer = build_optimizer(
            settings["optimizer"], plan.steps, method.trainable_variables, method.not_decayed
        )
        self.variables = method.variables + self._optimizer.variables
        self._first = []  # what is made of the pictured images after the first epoch
        if reconstructs(settings["method"]):
            self._pictured = diagnosis.views[0][:PICTURED]
            self._first = [keras.Variable(np.zeros_like(self._pictured), trainable=False)]
        self.variables += self._first

        @tf.function(autograph=False)
        def drawn(batch, seed):
            groups = batch[: len(batch) - len(facts)]
            others = batch[len(groups) :]
            own_seed = tf.random.experimental.stateless_fold_in(seed, 0)
            return own_seed, *views.draw(groups, seed, method.views), *others

        def loss(inputs, progress):
            own_seed, *rows = inputs
            rows = [replicas.own_share(part) for part in rows]
            others = dict(zip(facts, rows[method.views :], strict=True))
            batch = Batch(tuple(rows[: method.views]), own_seed, progress, **others)
            outcome = method.loss(batch)
            spread = embedding_spread(replicas.whole_batch(outcome.embeddings))
            return outcome.loss, spread | dict(outcome.measures), outcome.update

        self.views = drawn
        self.train_step = engine.compile_step(
            loss, method.trainable_variables, self._optimizer, method.after_step, settings["xla"]
        )

    def pictures(self) -> dict[str, np.ndarray]:
        """As of `Pretrained`."""
        if not self._first:
            return {}
        seen, last = self._method.reconstructed(self._pictured)
        first = self._first[0].numpy()
        return {"image": self._pictured, "seen": seen, "first": first, "last": last}

    def epoch_metrics(self, means: dict[str, float]) -> dict[str, float]:
        if self._first and means["epoch"] == 1:
            self._first[0].assign(self._method.reconstructed(self._pictured)[1])
        measures = self._diagnosis.measure() | self._method.held_out(self._diagnosis.views)
        signs = signs_of_collapse(means | measures)
        if signs and self._warns:
            log.warning("epoch %d has collapsed: %s", means["epoch"], " and ".join(signs))
        return {
            "learning_rate": current_rate(self._optimizer),
            "operations": means["step"] * self._operations,
            **measures,
            "collapsed": int(bool(signs)),
        }


def embedding_spread(embeddings: tf.Tensor) -> dict[str, tf.Tensor]:
    """How far the normalised embeddings (batch, d) spread, beside the value of an even spread."""
    normalised = tf.math.l2_normalize(tf.cast(embeddings, tf.float32), axis=1)
    return {
        "embedding_std": tf.reduce_mean(tf.math.reduce_std(normalised, axis=0)),
        "embedding_std_uniform": tf.math.rsqrt(tf.cast(tf.shape(embeddings)[1], tf.float32)),
    }
