"""Fine-tuning: the whole network learns a task."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import pandas as pd
import tensorflow as tf

from sslens.data.records import Split
from sslens.networks import replicas
from sslens.networks.inference import predict
from sslens.networks.operations import forward_operations
from sslens.seeds import measured_rows
from sslens.tasks.base import Task
from sslens.training import engine
from sslens.training.checkpoints import Checkpoint
from sslens.training.optimizers import build_optimizer, current_rate
from sslens.training.plan import FINE_TUNING_PASSES, Plan
from sslens.training.tensorboard import Report, silent
from sslens.training.turns import turns_of_view
from sslens.training.views import make_view

log = logging.getLogger(__name__)


def fine_tune(
    network: keras.Model,
    train: Split,
    validation: Split,
    task: Task,
    settings: dict,
    plan: Plan,
    seed: int,
    checkpoint: Checkpoint,
    report: Report = silent,
    rate_scales: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Train all layers of a network on labelled images.

    Args:
        network: its encoder fresh or pretrained; trained at the end.
        train, validation: preprocessed splits; the labelled subset, and all of validation. Their
            labels are the targets of the task, as its loss takes them.
        task: that is learned, with the facts of the training images' targets.
        settings: of fine-tuning, resolved: `learning` of `settings.arm_settings`.
        plan: length of the training.
        seed: of the run.
        checkpoint: to go on from.
        report: receives the rows of the history.
        rate_scales: of `building.rate_scales`, for the network's trainable variables.

    Returns:
        The history: epoch, step, loss, what the task's loss measures besides, images_per_second,
        learning_rate (when the epoch has ended), operations (floating-point operations of all steps
        so far), and the task's `measures` then, of training images as they are, as many as there
        are of validation, and of these.
    """
    learned = train.take(measured_rows(len(train.labels), len(validation.labels), seed))
    learner = _FineTuning(network, learned, validation, task, settings, plan, rate_scales)
    best = engine.KeepBest(*task.best, learner.final_weights)
    history = engine.fit(
        learner,
        [train.images, train.labels],
        plan,
        seed,
        checkpoint,
        keep_best=best if settings["select"] == "best_validation" else None,
        report=report,
    )
    engine.assign(network.weights, [weight.numpy() for weight in learner.final_weights])
    return history


class _FineTuning:
    """Adapts a network and a task to `engine.Learner`."""

    def __init__(
        self,
        network: keras.Model,
        learned: Split,
        validation: Split,
        task: Task,
        settings: dict,
        plan: Plan,
        rate_scales: Sequence[float] | None,
    ):
        self._network, self._learned, self._validation = network, learned, validation
        self._task = task
        self._operations = FINE_TUNING_PASSES * forward_operations(network) * plan.batch_size
        variables = network.trainable_variables
        self._optimizer = build_optimizer(
            settings["optimizer"], plan.steps, variables, rate_scales=rate_scales
        )
        self._averages, after_step = [], None
        if (rate := settings["weight_averaging"]) is not None:
            self._averages = [_shadow_variable(weight) for weight in network.weights]
            if rate > (reached := _rising_rate(plan.steps)):
                log.warning(
                    "finetuning.weight_averaging: %g is not reached in %d steps; any rate above "
                    "%.4g gives the same",
                    rate,
                    plan.steps,
                    reached,
                )

            def after_step(progress, update):
                move_averages(self._averages, network.weights, rate, self._optimizer.iterations)

        self.variables = network.variables + self._optimizer.variables + self._averages

        @tf.function(autograph=False)
        def views(batch, seed):
            images, targets = batch
            augmentation = settings["augmentation"]
            if task.turns:
                targets = task.turned(
                    targets, turns_of_view(tf.shape(images)[0], seed, augmentation)
                )
            return make_view(images, seed, augmentation), targets

        def loss(views, progress):
            images, targets = map(replicas.own_share, views)
            outputs = network(images, training=True)
            losses, measures = task.loss(targets, outputs, settings)
            return tf.reduce_mean(losses), measures, ()

        self.views = views
        self.train_step = engine.compile_step(
            loss, variables, self._optimizer, after_step, settings["xla"]
        )

    @property
    def final_weights(self) -> list:
        """What the network's weights will be: themselves, or their moving averages."""
        return self._averages or self._network.weights

    def epoch_metrics(self, means: dict[str, float]) -> dict[str, float]:
        with self._with_final_weights():
            learned, validation = (
                (split.labels, predict(self._network, split.images))
                for split in (self._learned, self._validation)
            )
        return {
            "learning_rate": current_rate(self._optimizer),
            "operations": means["step"] * self._operations,
            **self._task.measures(learned, validation),
        }

    @contextmanager
    def _with_final_weights(self) -> Iterator[None]:
        """The network with the weights that it would have if this epoch were the last one."""
        if not self._averages:
            yield
            return
        weights = self._network.weights
        trained = [weight.numpy() for weight in weights]
        engine.assign(weights, [weight.numpy() for weight in self.final_weights])
        yield
        engine.assign(weights, trained)


def move_averages(averages: list, variables: list, rate: float, steps: tf.Tensor) -> None:
    """Move averages towards their variables, after a number of steps (from 1 on).

    The rate rises to the given one as (1 + steps) / (10 + steps), so that the average of a short
    training is not held back by where it began.
    """
    keep = tf.minimum(rate, _rising_rate(tf.cast(steps, tf.float32)))
    for average, variable in zip(averages, variables, strict=True):
        average.assign(keep * average + (1 - keep) * variable)


def _rising_rate(steps):
    return (1 + steps) / (10 + steps)


def _shadow_variable(weight: keras.Variable) -> keras.Variable:
    return keras.Variable(weight.numpy(), dtype=weight.dtype, trainable=False)
