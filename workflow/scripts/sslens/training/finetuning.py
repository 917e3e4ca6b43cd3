"""Fine-tuning: the whole network learns the labels."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import pandas as pd
import tensorflow as tf

from sslens.data.records import Split
from sslens.metrics.auc import class_aucs
from sslens.networks import replicas
from sslens.networks.inference import predict
from sslens.networks.operations import forward_operations
from sslens.seeds import measured_rows
from sslens.training import engine
from sslens.training.checkpoints import Checkpoint
from sslens.training.optimizers import build_optimizer, current_rate
from sslens.training.plan import FINE_TUNING_PASSES, Plan
from sslens.training.tensorboard import Report, silent
from sslens.training.views import make_view


def fine_tune(
    classifier: keras.Model,
    train: Split,
    validation: Split,
    settings: dict,
    plan: Plan,
    seed: int,
    checkpoint: Checkpoint,
    report: Report = silent,
    rate_scales: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Train all layers of a classifier on labelled images.

    Args:
        classifier: its encoder fresh or pretrained; trained at the end.
        train, validation: preprocessed splits; the labelled subset, and all of validation.
        settings: of fine-tuning, resolved: `learning` of `settings.arm_settings`.
        plan: length of the training.
        seed: of the run.
        checkpoint: to go on from.
        report: receives the rows of the history.
        rate_scales: of `building.rate_scales`, for the classifier's trainable variables.

    Returns:
        The history: epoch, step, loss, accuracy, images_per_second, learning_rate (when the epoch
        has ended), operations (floating-point operations of all steps so far), and measured then:
        auc (macro, one-vs-rest, of training images as they are, as many as there are of
        validation), validation_loss, validation_auc.
    """
    learned = train.take(measured_rows(len(train.labels), len(validation.labels), seed))
    learner = _FineTuning(classifier, learned, validation, settings, plan, rate_scales)
    best = ("validation_auc", learner.kept)
    history = engine.fit(
        learner,
        [train.images, train.labels],
        plan,
        seed,
        checkpoint,
        keep_best=best if settings["select"] == "best_validation" else None,
        report=report,
    )
    engine.assign(classifier.weights, [weight.numpy() for weight in learner.kept])
    return history


class _FineTuning:
    """A classifier as the engine wants it."""

    def __init__(
        self,
        classifier: keras.Model,
        learned: Split,
        validation: Split,
        settings: dict,
        plan: Plan,
        rate_scales: Sequence[float] | None,
    ):
        self._classifier, self._learned, self._validation = classifier, learned, validation
        self._operations = FINE_TUNING_PASSES * forward_operations(classifier) * plan.batch_size
        variables = classifier.trainable_variables
        self._optimizer = build_optimizer(
            settings["optimizer"], plan.steps, variables, rate_scales=rate_scales
        )
        self._averages, after_step = [], None
        if (rate := settings["weight_averaging"]) is not None:
            self._averages = [_shadow_variable(weight) for weight in classifier.weights]

            def after_step(progress, update):
                move_averages(self._averages, classifier.weights, rate, self._optimizer.iterations)

        self.variables = classifier.variables + self._optimizer.variables + self._averages

        @tf.function(autograph=False)
        def views(batch, seed):
            images, labels = batch
            return make_view(images, seed, settings["augmentation"]), labels

        def loss(views, progress):
            images, labels = map(replicas.own_share, views)
            logits = classifier(images, training=True)
            losses = cross_entropy(labels, logits, settings["label_smoothing"])
            right = tf.equal(tf.argmax(logits, axis=1), tf.cast(labels, tf.int64))
            accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
            return tf.reduce_mean(losses), {"accuracy": accuracy}, ()

        self.views = views
        self.train_step = engine.compile_step(
            loss, variables, self._optimizer, after_step, settings["xla"]
        )

    @property
    def kept(self) -> list:
        """What the classifier's weights will be: themselves, or their moving averages."""
        return self._averages or self._classifier.weights

    def epoch_metrics(self, means: dict[str, float]) -> dict[str, float]:
        with self._as_kept():
            learned, validation = (
                predict(self._classifier, split.images)
                for split in (self._learned, self._validation)
            )
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(self._validation.labels, validation)
        return {
            "learning_rate": current_rate(self._optimizer),
            "operations": means["step"] * self._operations,
            "auc": float(class_aucs(self._learned.labels, learned).mean()),
            "validation_loss": float(tf.reduce_mean(losses)),
            "validation_auc": float(class_aucs(self._validation.labels, validation).mean()),
        }

    @contextmanager
    def _as_kept(self) -> Iterator[None]:
        """The classifier as it would be kept, for a while."""
        if not self._averages:
            yield
            return
        weights = self._classifier.weights
        trained = [weight.numpy() for weight in weights]
        engine.assign(weights, [weight.numpy() for weight in self.kept])
        yield
        engine.assign(weights, trained)


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, smoothing: float) -> tf.Tensor:
    """Cross-entropy of every image, with a share of its label spread evenly over the classes.

    Label smoothing as Szegedy et al. 2016 (arXiv:1512.00567, section 7).

    Args:
        labels: (batch,) integers.
        logits: (batch, classes).
        smoothing: in [0, 1).

    Returns:
        (batch,).
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    if not smoothing:
        return losses
    even = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=1)
    return (1 - smoothing) * losses + smoothing * even


def move_averages(averages: list, variables: list, rate: float, steps: tf.Tensor) -> None:
    """Move averages towards their variables, after a number of steps (from 1 on).

    The rate rises to the given one as (1 + steps) / (10 + steps), so that the average of a short
    training is not held back by where it began.
    """
    steps = tf.cast(steps, tf.float32)
    keep = tf.minimum(rate, (1 + steps) / (10 + steps))
    for average, variable in zip(averages, variables, strict=True):
        average.assign(keep * average + (1 - keep) * variable)


def _shadow_variable(weight: keras.Variable) -> keras.Variable:
    return keras.Variable(weight.numpy(), dtype=weight.dtype, trainable=False)
