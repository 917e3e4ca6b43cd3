"""The training engine that pretraining and fine-tuning share."""

import logging
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple, Protocol

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from sslens.files import atomic_path
from sslens.images import Images
from sslens.networks import replicas
from sslens.seeds import derive_seed
from sslens.training.checkpoints import Checkpoint
from sslens.training.plan import Plan
from sslens.training.stopping import Stopped, deferred_signals
from sslens.training.tensorboard import Report, silent

log = logging.getLogger(__name__)

#: Bytes of images that a GPU's memory holds during a training; more stay in the machine's.
HELD_BY_GPU = 4e9
#: Between two checkpoints within an epoch: what a training that is killed loses, at most.
SECONDS_BETWEEN_CHECKPOINTS = 600

_REMEDY = "lower the learning rate, or look for bad values in the images"


def rows_of_step(images: int, batch_size: int, step: int, seed: int) -> np.ndarray:
    """Rows of the batch of a step: a keyed shuffle a pass, whole batches only.

    Returns:
        (batch_size,) indices in [0, images).
    """
    batches = images // batch_size
    start = step % batches * batch_size
    return _order_of_pass(images, step // batches, seed)[start : start + batch_size]


@lru_cache(maxsize=1)
def _order_of_pass(images: int, number: int, seed: int) -> np.ndarray:
    return np.random.default_rng(derive_seed(seed, "order", number)).permutation(images)


def reader(data: Sequence[Images | np.ndarray]) -> Callable[[np.ndarray], tuple]:
    """A function of rows to the batch of them, a tensor an array.

    Where there is a GPU whose memory can hold the data (`HELD_BY_GPU`), they are copied there once.
    """
    if replicas.devices() and sum(array.nbytes for array in data) <= HELD_BY_GPU:
        held = [tf.constant(a.load() if isinstance(a, Images) else a) for a in data]
        return lambda rows: tuple(tf.gather(tensor, rows) for tensor in held)
    return lambda rows: tuple(tf.constant(array[rows]) for array in data)


class KeepBest(NamedTuple):
    """Which epoch of a training is kept: the best one by a measure of `epoch_metrics`.

    Args:
        measure: its name.
        highest: whether the largest is the best, or the smallest.
        variables: that are kept.
    """

    measure: str
    highest: bool
    variables: list

    def is_reached_by(self, row: dict[str, float], history: list[dict[str, float]]) -> bool:
        """Whether a row is better than all those before."""
        sign = 1 if self.highest else -1
        before = max((sign * past[self.measure] for past in history), default=-math.inf)
        return sign * row[self.measure] > before


class Learner(Protocol):
    """What the engine trains.

    `variables` is all that changes while it does (networks, optimiser), in a fixed order.
    """

    variables: list

    def views(self, batch: tuple, seed: tf.Tensor) -> tuple:
        """Make of a batch what a step is taken on.

        Called from another thread, a step ahead; it must change nothing.
        """

    def train_step(self, views: tuple, progress: tf.Tensor) -> dict:
        """Take one step; return scalar tensors, among them `loss`."""

    def epoch_metrics(self, means: dict[str, float]) -> dict[str, float]:
        """What is measured when an epoch has ended, with its means; and the learning rate."""


def compile_step(
    loss: Callable,
    variables: list,
    optimizer: keras.Optimizer,
    after_step: Callable | None = None,
    xla: bool = False,
) -> Callable:
    """Make the training step of a learner, shared by the replicas in whose scope it is made.

    Args:
        loss: of what `Learner.views` makes, and the progress, to a scalar, a dictionary of further
            scalars, whose means over the replicas are those of the batch, and an update. It takes
            its own share of the batch (`replicas.own_share`).
        variables: what the optimiser changes; it must have been built on exactly these.
        optimizer: that changes them.
        after_step: called with the progress and the update once the variables have changed.
        xla: whether TensorFlow's compiler fuses the operations of the step.

    Returns:
        A function of (views, progress) to a dictionary of scalars, among them `loss`.
    """

    def step(views, progress):
        with tf.GradientTape() as tape:
            value, metrics, update = loss(views, progress)
            scaled = optimizer.scale_loss(value / replicas.count())
        gradients = replicas.total(tape.gradient(scaled, variables))
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        if after_step is not None:
            after_step(progress, update)
        return {"loss": value, **metrics}

    if xla:
        step = tf.function(step, autograph=False, jit_compile=True)
    strategy = tf.distribute.get_strategy()

    @tf.function(autograph=False)
    def train_step(views, progress):
        scalars = strategy.run(step, args=(views, progress))
        return {
            name: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None)
            for name, value in scalars.items()
        }

    return train_step


def fit(
    learner: Learner,
    data: Sequence[Images | np.ndarray],
    plan: Plan,
    seed: int,
    checkpoint: Checkpoint,
    keep_best: KeepBest | None = None,
    report: Report = silent,
) -> pd.DataFrame:
    """Train, or go on training from the checkpoint, to the end of the plan.

    Order and views are keyed by (seed, purpose, step), and the generators of dropout are among the
    learner's variables, so an interrupted training ends in the same numbers as one that was not.

    Args:
        learner: to be trained; at the end it is.
        data: with one row an image each; a batch is the same rows of all, and is read when it is
            needed.
        plan: length of the training.
        seed: of the run.
        checkpoint: written after every epoch, within long ones every ten minutes, and when a
            signal asks to stop.
        keep_best: what is set back, at the end, to the best epoch.
        report: receives every row of the history, those of the checkpoint too.

    Returns:
        The history, a row an epoch.

    Raises:
        FloatingPointError: if the loss or a weight is no longer finite; the checkpoint is then of
            a step at which all were.
        Stopped: on SIGTERM or Ctrl-C, at the end of the step or epoch under way, when the
            checkpoint is written.
    """
    with deferred_signals() as held:
        state = _TrainingState(learner.variables, plan, checkpoint, held)
        history = state.history
        report(history)
        remaining = _Clock(plan.epochs - len(history))
        batch_of = reader(data)

        def views_of(step: int) -> tuple:
            rows = rows_of_step(len(data[0]), plan.batch_size, step, seed)
            key = tf.constant(derive_seed(seed, "views", step), tf.int32)
            return learner.views(batch_of(rows), key)

        for epoch in range(len(history), plan.epochs):
            row = _train_epoch(learner, views_of, plan, epoch, state)
            state.check_weights(f"epoch {epoch + 1}")
            row |= learner.epoch_metrics(row)
            if keep_best is not None and keep_best.is_reached_by(row, history):
                state.best = [variable.numpy() for variable in keep_best.variables]
            state.end_epoch(row)
            state.save()
            report([row])
            log.info("%s", _progress_line(row, plan, remaining.tick()))
            state.raise_if_stop_requested()
    if keep_best is not None:
        assign(keep_best.variables, state.best)
    return pd.DataFrame(history)


def save_trained(model: keras.Model, weights: str, history: pd.DataFrame, table: str) -> None:
    """Write a model's weights (HDF5) and its history (CSV) to these paths, atomically each."""
    with atomic_path(weights) as path:
        model.save_weights(path)
    with atomic_path(table) as path:
        history.to_csv(path, index=False)


class _TrainingState:
    """How far a training has come: what its checkpoint holds, and holds again when it goes on.

    Attributes:
        history: one row per finished epoch.
        records: the scalars of every step that is done of the epoch under way.
        best: the values that `fit` keeps of the best epoch so far, if it does.
    """

    def __init__(
        self, variables: list, plan: Plan, checkpoint: Checkpoint, held: list[signal.Signals]
    ):
        """Begin, or set the variables and all else to what the checkpoint holds.

        Args:
            variables: of the learner.
            plan: length of the training.
            checkpoint: to go on from, and to write.
            held: signals that ask to stop, as they come.
        """
        self.history: list[dict] = []
        self.records: list[dict] = []
        self.best: list[np.ndarray] = []
        self._plan, self._checkpoint, self._values = plan, checkpoint, reading(variables)
        self._held, self._saved_at = held, time.monotonic()
        if (restored := checkpoint.load()) is not None:
            arrays, facts = restored
            self.history, names = facts["history"], facts["records"]
            state, columns = len(variables), len(variables) + len(names)
            assign(variables, arrays[:state])
            steps = zip(*arrays[state:columns], strict=True)
            self.records = [dict(zip(names, values, strict=True)) for values in steps]
            self.best = arrays[columns:]
            log.info("resumed from the checkpoint of %s", self._place())

    def end_epoch(self, row: dict) -> None:
        """Put the row of the epoch under way to the history."""
        self.history.append(row)
        self.records = []

    def is_due(self) -> bool:
        """Whether a checkpoint should be written within the epoch: for a signal, or by the time."""
        return bool(self._held) or time.monotonic() - self._saved_at >= SECONDS_BETWEEN_CHECKPOINTS

    def check_weights(self, where: str) -> None:
        """Stop where the last step, whose loss was finite, has spoilt the network.

        Raises:
            FloatingPointError: with the step or the epoch, in words, after which it is so.
        """
        if not all(np.isfinite(values).all() for values in self._values()):
            raise FloatingPointError(f"weights are not finite after {where}: {_REMEDY}")

    def save(self) -> None:
        """Write the checkpoint."""
        columns = _columns(self.records)
        facts = {"history": self.history, "records": list(columns)}
        self._checkpoint.save([*self._values(), *columns.values(), *self.best], facts)
        self._saved_at = time.monotonic()

    def raise_if_stop_requested(self) -> None:
        """Stop where a signal asks for it; the checkpoint must have been written.

        Raises:
            Stopped: with a line that says what to do.
        """
        if self._held:
            raise Stopped(
                f"stopped by {self._held[0].name} after {self._place()}; the same command goes on"
            )

    def _place(self) -> str:
        done = (self.history[-1]["step"] if self.history else 0) + len(self.records)
        return f"step {done} of {self._plan.steps}"


def _train_epoch(
    learner: Learner,
    views_of: Callable[[int], tuple],
    plan: Plan,
    epoch: int,
    state: _TrainingState,
) -> dict:
    """Train an epoch, or the rest of it; return its row of the history, means over its steps."""
    began = time.perf_counter()
    records = state.records
    steps = plan.steps_of(epoch)[len(records) :]
    for step, views in zip(steps, prefetch(views_of, steps), strict=True):
        records.append(learner.train_step(views, tf.constant((step + 1) / plan.steps, tf.float32)))
        if len(records) > 1:  # the step before, so that a GPU need not be waited for
            _check_loss(records[-2]["loss"], epoch, step)
        # after the last step, `fit` saves the whole epoch
        if step + 1 < steps.stop and state.is_due():
            _check_loss(records[-1]["loss"], epoch, step + 1)
            state.check_weights(f"step {step + 1}")
            state.save()
            state.raise_if_stop_requested()
    _check_loss(records[-1]["loss"], epoch, step + 1)
    means = {name: float(np.mean(column)) for name, column in _columns(records).items()}
    seconds = time.perf_counter() - began
    return {
        "epoch": epoch + 1,
        "step": step + 1,
        **means,
        "images_per_second": len(steps) * plan.batch_size / seconds,
    }


def prefetch(make: Callable, inputs: Sequence) -> Iterator:
    """`map`, but what comes next is made on another thread while the last one is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = None
        for given in inputs:
            ready, coming = coming, thread.submit(make, given)
            if ready is not None:
                yield ready.result()
        if coming is not None:
            yield coming.result()


def _columns(records: list[dict]) -> dict[str, np.ndarray]:
    """The scalars of some steps by name: an array with an element a step, of their own dtype."""
    names = records[0] if records else ()
    return {name: np.array([np.asarray(record[name]) for record in records]) for name in names}


def _check_loss(loss: tf.Tensor, epoch: int, step: int) -> None:
    """Stop where the loss of a step (counted from 1, over the whole training) is not finite."""
    if not math.isfinite(value := float(loss)):
        where = f"epoch {epoch + 1}, step {step}"
        raise FloatingPointError(f"the loss is {value} in {where}: {_REMEDY}")


class _Clock:
    """Estimates the time that the remaining epochs will take, from those since it started."""

    def __init__(self, epochs: int):
        self._began, self._done, self._epochs = time.perf_counter(), 0, epochs

    def tick(self) -> float:
        """Count an epoch as done; seconds left."""
        self._done += 1
        elapsed = time.perf_counter() - self._began
        return elapsed / self._done * (self._epochs - self._done)


def _progress_line(row: dict, plan: Plan, seconds_left: float) -> str:
    skipped = ("epoch", "step")
    measures = ", ".join(f"{name} {row[name]:.4g}" for name in row if name not in skipped)
    minutes, seconds = divmod(round(seconds_left), 60)
    return f"epoch {row['epoch']}/{plan.epochs}: {measures}, {minutes}:{seconds:02d} left"


def reading(variables: list) -> Callable[[], list[np.ndarray]]:
    """A function that reads all these variables by one call of TensorFlow.

    To read each by a call of its own takes five times as long, for networks with narrow layers.
    """
    read = tf.function(lambda: [tf.convert_to_tensor(variable) for variable in variables])
    return lambda: [value.numpy() for value in read()]


def assign(variables: list, arrays: Sequence[np.ndarray]) -> None:
    """Set variables to arrays, in order."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
