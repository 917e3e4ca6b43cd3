"""The engine: plans, batches, histories, and that an interruption changes no number.

Most tests train a line, which takes no time; the last ones train small networks by each of the
ways the workflow trains.
"""

import itertools
import logging
import math
import re
import signal
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslens.networks import replicas
from sslens.seeds import derive_seed
from sslens.training import engine
from sslens.training.checkpoints import Checkpoint
from sslens.training.engine import compile_step, fit, prefetch, rows_of_step
from sslens.training.optimizers import build_optimizer
from sslens.training.plan import Plan, plan_training
from sslens.training.stopping import STOP_SIGNALS, Stopped

OPTIMIZER = {
    "name": "adamw",
    "learning_rate": 0.1,
    "schedule": "cosine",
    "warmup": 0.25,
    "weight_decay": 1e-3,
    "momentum": 0.9,
    "clip_norm": None,
}
POINTS = 20
PLAN = Plan(batch_size=8, steps=11, steps_per_epoch=3)  # four epochs, the last of two steps


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [engine.HELD_BY_GPU, 10])
def test_a_batch_is_the_same_rows_of_each_array_wherever_they_are_held(limit, monkeypatch):
    data = [np.arange(24.0, dtype=np.float32).reshape(12, 2), np.arange(12) % 3]
    monkeypatch.setattr(engine, "HELD_BY_GPU", limit)
    rows = np.array([7, 0, 11])
    for devices in ([], ["CPU:0"]):  # which stands in for a GPU
        monkeypatch.setattr(replicas, "devices", lambda devices=devices: devices)
        batch = engine.reader(data)(rows)
        for tensor, array in zip(batch, data, strict=True):
            assert tensor.dtype == array.dtype
            assert np.array_equal(tensor, array[rows])


# --- plans ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "images", "full_split", "plan"),
    [
        ({"batch_size": 64, "epochs": 10, "steps": None}, 1500, 1500, Plan(64, 230, 23)),
        # few labels: as many steps, batches of at most all of them
        ({"batch_size": 64, "epochs": 10, "steps": None}, 150, 1500, Plan(64, 230, 23)),
        ({"batch_size": 64, "epochs": 10, "steps": None}, 15, 1500, Plan(15, 230, 23)),
        ({"batch_size": 64, "epochs": 2, "steps": None}, 30, 30, Plan(30, 2, 1)),
        # steps win over epochs, and may end within an epoch
        ({"batch_size": 64, "epochs": 10, "steps": 100}, 1500, 1500, Plan(64, 100, 23)),
        ({"batch_size": 64, "epochs": 10, "steps": 5}, 1500, 1500, Plan(64, 5, 23)),
    ],
)
def test_the_plan_counts_epochs_by_the_full_split(told, images, full_split, plan):
    assert plan_training(told, images, full_split) == plan


def test_epochs_share_the_steps():
    for plan in (PLAN, Plan(8, 12, 3), Plan(8, 1, 3), Plan(8, 7, 1)):
        steps = [step for epoch in range(plan.epochs) for step in plan.steps_of(epoch)]
        assert steps == list(range(plan.steps))
        assert all(len(plan.steps_of(e)) == plan.steps_per_epoch for e in range(plan.epochs - 1))
        assert len(plan.steps_of(plan.epochs - 1)) > 0


# --- batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("images", "batch"), [(24, 8), (24, 24), (25, 8), (3, 1), (10, 9)])
def test_a_pass_gives_every_row_at_most_once_and_whole_batches(images, batch):
    batches = images // batch
    for number in range(3):
        rows = [rows_of_step(images, batch, number * batches + k, seed=1) for k in range(batches)]
        assert all(part.shape == (batch,) for part in rows)
        together = np.concatenate(rows)
        assert len(set(together)) == len(together) == batches * batch
        assert set(together) <= set(range(images))


def test_what_a_pass_leaves_out_is_not_always_the_same():
    passes = [
        {row for k in range(3) for row in rows_of_step(25, 8, 3 * p + k, seed=1)} for p in range(40)
    ]
    assert len({frozenset(rows) for rows in passes}) > 10


def test_rows_depend_on_seed_and_step_alone():
    def rows(step, seed):
        return rows_of_step(24, 8, step, seed).tolist()

    first = [rows(step, 1) for step in range(9)]
    np.random.seed(0)  # noqa: NPY002 (the global state must not matter)
    assert [rows(step, 1) for step in reversed(range(9))] == first[::-1]
    assert len({tuple(part) for part in first}) == 9
    for one_pass in (first[0:3], first[3:6], first[6:9]):
        assert sorted(itertools.chain(*one_pass)) == list(range(24))
    assert [rows(step, 2) for step in range(9)] != first


def test_views_are_made_one_ahead_and_on_another_thread():
    made = []

    def make(number):
        made.append((number, threading.current_thread()))
        return -number

    views = prefetch(make, range(4))
    taken = []
    for view in views:
        taken.append(view)
        while len(made) < min(len(taken) + 1, 4):
            time.sleep(0.001)
        assert [number for number, _ in made] == list(range(min(len(taken) + 1, 4)))
    assert taken == [0, -1, -2, -3]
    assert threading.current_thread() not in {thread for _, thread in made}


def test_an_error_in_making_views_reaches_the_training():
    views = prefetch([10, 20].__getitem__, [0, 1, 2])
    assert [next(views), next(views)] == [10, 20]
    with pytest.raises(IndexError):
        next(views)


# --- a line to train ------------------------------------------------------------------------------


def eagerly(function):
    """Spare the tracing, which takes longer than all steps of a line."""

    def call(*arguments):
        tf.config.run_functions_eagerly(True)
        try:
            return function(*arguments)
        finally:
            tf.config.run_functions_eagerly(False)

    return call


class Line:
    """A linear fit with all that a network has: statistics, an optimiser, noise from the seed."""

    def __init__(self, plan=PLAN, scores=(), optimizer=OPTIMIZER):
        self._plan, self._scores = plan, scores
        self.weight = keras.Variable(np.zeros((3, 1), np.float32), name="kernel")
        self.bias = keras.Variable(np.zeros(1, np.float32), name="bias")
        self.moving = keras.Variable(np.float32(0), trainable=False, name="moving")
        trained = [self.weight, self.bias]
        self.optimizer = build_optimizer(optimizer, plan.steps, trained)
        self.variables = [*trained, self.moving, *self.optimizer.variables]

        def loss(views, progress):
            x, y = views
            error = tf.matmul(x, self.weight) + self.bias - y[:, None]
            self.moving.assign(0.9 * self.moving + 0.1 * tf.reduce_mean(x))
            largest = tf.reduce_max(tf.abs(error))
            return tf.reduce_mean(error**2), {"largest": largest}, (progress,)

        def after_step(progress, update):
            self.moving.assign(self.moving * (2 - (progress + update[0]) / 2))

        self.train_step = eagerly(compile_step(loss, trained, self.optimizer, after_step))

    def views(self, batch, seed):
        x, y = batch
        return x + 0.1 * tf.random.stateless_normal(tf.shape(x), seed), y

    def epoch_metrics(self, means):
        metrics = {"learning_rate": float(self.optimizer.learning_rate)}
        if self._scores:
            epochs = math.ceil(int(self.optimizer.iterations) / self._plan.steps_per_epoch)
            metrics["score"] = self._scores[epochs - 1]
        return metrics

    def state(self):
        return [variable.numpy() for variable in self.variables]


def points(seed=0):
    x = np.random.default_rng(seed).normal(size=(POINTS, 3)).astype(np.float32)
    return [x, x @ np.array([1.0, -2.0, 0.5], np.float32) + 0.3]


class Interrupted(Exception):
    """What ends a training here; a signal does it likewise."""


def interrupted_at(learner, step):
    """The learner, but its step of this number (from 0, over the whole training) fails."""
    whole = learner.train_step

    def train_step(views, progress):
        if round(float(progress) * PLAN.steps) - 1 == step:
            raise Interrupted
        return whole(views, progress)

    learner.train_step = train_step
    return learner


def asked_to_stop_at(learner, step, number=signal.SIGTERM):
    """The learner, but a signal that asks to stop comes within its step of this number."""
    whole = learner.train_step

    def train_step(views, progress):
        if round(float(progress) * PLAN.steps) - 1 == step:
            signal.raise_signal(number)
        return whole(views, progress)

    learner.train_step = train_step
    return learner


def assert_same_bits(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()


def assert_same_history(first, second):
    first, second = (frame.drop(columns="images_per_second") for frame in (first, second))
    assert list(first.columns) == list(second.columns)
    assert first.dtypes.equals(second.dtypes)
    assert first.equals(second)


class Recorder:
    """Learns nothing and remembers what it was given."""

    def __init__(self, losses=()):
        self.variables, self.given, self._losses = [], [], losses

    def views(self, batch, seed):
        return batch, seed

    def train_step(self, views, progress):
        batch, seed = views
        self.given.append(([part.numpy() for part in batch], tuple(seed.numpy()), float(progress)))
        loss = self._losses[len(self.given) - 1] if self._losses else 0.0
        return {"loss": tf.constant(loss, tf.float32), "step_number": tf.constant(len(self.given))}

    def epoch_metrics(self, means):
        return {"learning_rate": 0.5}


# --- what a learner is given ----------------------------------------------------------------------


def test_every_step_has_its_rows_its_seed_and_its_progress(tmp_path):
    recorder, data = Recorder(), points()
    fit(recorder, data, PLAN, 7, Checkpoint(tmp_path, "x"))
    assert len(recorder.given) == PLAN.steps
    for step, (batch, seed, progress) in enumerate(recorder.given):
        rows = rows_of_step(POINTS, 8, step, 7)
        for part, whole in zip(batch, data, strict=True):
            assert np.array_equal(part, whole[rows])
        assert seed == derive_seed(7, "views", step)
        assert progress == pytest.approx((step + 1) / PLAN.steps)


def test_a_row_of_the_history_is_the_mean_of_its_steps(tmp_path):
    losses = [float(step**2) for step in range(PLAN.steps)]
    history = fit(Recorder(losses), points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    parts = [losses[0:3], losses[3:6], losses[6:9], losses[9:11]]
    means = [np.mean(part) for part in parts]
    assert history["loss"].tolist() == pytest.approx(means, rel=1e-6)
    assert history["step_number"].tolist() == [2, 5, 8, 10.5]
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["step"].tolist() == [3, 6, 9, 11]
    assert history["learning_rate"].tolist() == [0.5] * 4
    assert (history["images_per_second"] > 0).all()
    assert list(history.columns) == [
        "epoch", "step", "loss", "step_number", "images_per_second", "learning_rate",
    ]  # fmt: skip


def test_the_log_has_a_line_an_epoch_with_the_time_left(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        fit(Line(), points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 4
    for epoch, line in enumerate(lines, 1):
        assert re.fullmatch(rf"epoch {epoch}/4: loss .*, learning_rate .*, \d+:\d\d left", line)
    assert lines[-1].endswith(" 0:00 left")


def test_the_time_left_is_of_the_epochs_since_it_started(monkeypatch):
    now = itertools.count(100.0, 30.0)  # thirty seconds an epoch
    monkeypatch.setattr(engine.time, "perf_counter", lambda: next(now))
    clock = engine._Clock(3)
    assert [clock.tick() for _ in range(3)] == [60, 30, 0]


# --- learning -------------------------------------------------------------------------------------


def test_it_learns(tmp_path):
    plan = Plan(8, 60, 6)
    learner = Line(plan, optimizer=OPTIMIZER | {"learning_rate": 0.3})
    history = fit(learner, points(), plan, 7, Checkpoint(tmp_path, "x"))
    assert history["loss"].iloc[-1] < 0.1 * history["loss"].iloc[0]
    assert np.allclose(learner.weight.numpy()[:, 0], [1, -2, 0.5], atol=0.3)


def test_the_learning_rate_rises_and_falls_by_the_schedule(tmp_path):
    plan = Plan(8, 20, 1)
    history = fit(Line(plan), points(), plan, 7, Checkpoint(tmp_path, "x"))
    warmup = 5  # a quarter
    expected = [
        0.1 * done / warmup
        if done < warmup
        else 0.05 * (1 + math.cos(math.pi * (done - warmup) / 15))
        for done in range(1, 21)
    ]
    assert history["learning_rate"].tolist() == pytest.approx(expected, abs=1e-7)
    constant = OPTIMIZER | {"schedule": "constant", "warmup": 0.0}
    learner = Line(plan, optimizer=constant)
    history = fit(learner, points(), plan, 7, Checkpoint(tmp_path / "b", "x"))
    assert history["learning_rate"].tolist() == pytest.approx([0.1] * 20)


def test_the_first_step_is_the_optimisers(tmp_path):
    """One step of plain SGD by hand: gradient of the loss, then what comes after the step."""
    plan = Plan(8, 1, 1)
    settings = OPTIMIZER | {
        "name": "sgd", "schedule": "constant", "warmup": 0.0, "weight_decay": 0.0, "momentum": 0.0,
        "clip_norm": None,
    }  # fmt: skip
    learner, (x, y) = Line(plan, optimizer=settings), points()
    fit(learner, [x, y], plan, 7, Checkpoint(tmp_path, "x"))
    rows = rows_of_step(POINTS, 8, 0, 7)
    noise = tf.random.stateless_normal([8, 3], derive_seed(7, "views", 0)).numpy()
    inputs = x[rows] + 0.1 * noise
    expected = 0.1 * 2 * np.mean(inputs * y[rows][:, None], axis=0)
    np.testing.assert_allclose(learner.weight.numpy()[:, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(learner.moving.numpy(), 0.1 * inputs.mean(), rtol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_ends_the_training_in_one_line(tmp_path, bad):
    recorder = Recorder([1.0] * 4 + [bad] + [1.0] * 6)
    with pytest.raises(FloatingPointError) as error:
        fit(recorder, points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    message = str(error.value)
    assert "\n" not in message
    assert f"the loss is {bad} in epoch 2, step 5: " in message
    assert "learning rate" in message
    assert len(recorder.given) == 6


def test_it_ends_within_the_epoch_one_step_later(tmp_path):
    plan = Plan(8, 1000, 1000)
    recorder = Recorder([1.0] * 9 + [math.nan] * 991)
    with pytest.raises(FloatingPointError, match="the loss is nan in epoch 1, step 10: "):
        fit(recorder, points(), plan, 7, Checkpoint(tmp_path, "x"))
    assert len(recorder.given) == 11


def test_weights_that_the_last_step_spoilt_are_not_saved(tmp_path):
    learner = Line()
    whole = learner.train_step

    def train_step(views, progress):
        metrics = whole(views, progress)
        if round(float(progress) * PLAN.steps) == 6:  # the last of the second epoch
            learner.bias.assign([math.inf])
        return metrics

    learner.train_step = train_step
    with pytest.raises(FloatingPointError, match="weights are not finite after epoch 2: lower"):
        fit(learner, points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    _, facts = Checkpoint(tmp_path, "x").load()
    assert len(facts["history"]) == 1


def test_bad_pixels_end_the_training(tmp_path):
    x, y = points()
    x[3, 1] = np.nan
    with pytest.raises(FloatingPointError, match="loss is nan in epoch 1"):
        fit(Line(), [x, y], PLAN, 7, Checkpoint(tmp_path, "x"))


# --- the best epoch -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "highest", "best"),
    [
        ((0.1, 0.7, 0.5, 0.6), True, 2),
        ((0.9, 0.7, 0.5, 0.6), True, 1),
        ((0.1, 0.7, 0.8, 0.9), True, 4),
        ((0.1, 0.7, 0.7, 0.6), True, 2),  # the first of equals
        ((-0.5, -0.7, -0.8, -0.6), True, 1),
        ((0.5, 0.1, 0.1, 0.2), False, 2),
        ((-0.5, -0.7, -0.8, -0.6), False, 3),
    ],
)
def test_the_best_epochs_weights_are_kept(tmp_path, scores, highest, best):
    short = Line(PLAN)  # its learning rate follows the whole plan, it ends after the best epoch
    with pytest.raises(Interrupted):
        end = best * PLAN.steps_per_epoch
        if end >= PLAN.steps:
            fit(short, points(), PLAN, 7, Checkpoint(tmp_path / "a", "x"))
            raise Interrupted
        fit(interrupted_at(short, end), points(), PLAN, 7, Checkpoint(tmp_path / "a", "x"))
    learner = Line(PLAN, scores)
    kept = [learner.weight, learner.moving]
    best_epoch = engine.KeepBest("score", highest, kept)
    history = fit(learner, points(), PLAN, 7, Checkpoint(tmp_path / "b", "x"), best_epoch)
    assert history["score"].tolist() == list(scores)
    assert_same_bits([v.numpy() for v in kept], [short.weight.numpy(), short.moving.numpy()])
    # what was not asked for is the last epoch's
    assert (learner.bias.numpy() == short.bias.numpy()) == (best == 4)


# --- interruptions --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    learner = Line()
    checkpoint = Checkpoint(tmp_path_factory.mktemp("whole"), "x")
    return learner, fit(learner, points(), PLAN, 7, checkpoint)


@pytest.mark.parametrize("step", range(1, PLAN.steps))
def test_interrupted_at_any_step_it_ends_in_the_same_bits(tmp_path, caplog, uninterrupted, step):
    with pytest.raises(Interrupted):
        fit(interrupted_at(Line(), step), points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    again = Line()
    with caplog.at_level(logging.INFO):
        history = fit(again, points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    learner, whole = uninterrupted
    assert_same_bits(again.state(), learner.state())
    assert_same_history(history, whole)
    saved = step // PLAN.steps_per_epoch * PLAN.steps_per_epoch
    resumed = f"resumed from the checkpoint of step {saved} of {PLAN.steps}\n" in caplog.text
    assert resumed == (saved > 0)


def test_interrupted_in_every_epoch_it_ends_in_the_same_bits(tmp_path, uninterrupted):
    for step in (1, 4, 7, 10):
        with pytest.raises(Interrupted):
            fit(interrupted_at(Line(), step), points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    again = Line()
    history = fit(again, points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    assert_same_bits(again.state(), uninterrupted[0].state())
    assert_same_history(history, uninterrupted[1])


def test_the_rows_of_finished_epochs_stay_as_they_were(tmp_path):
    """Also the images a second: they were measured when the epoch ran."""
    with pytest.raises(Interrupted):
        fit(interrupted_at(Line(), 7), points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    _, before = Checkpoint(tmp_path, "x").load()
    history = fit(Line(), points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    assert history.iloc[:2].to_dict("records") == before["history"]


def test_every_process_reports_the_whole_history_so_far(tmp_path):
    told: list[dict] = []
    with pytest.raises(Interrupted):
        line = interrupted_at(Line(), 7)
        fit(line, points(), PLAN, 7, Checkpoint(tmp_path, "x"), report=told.extend)
    assert [row["epoch"] for row in told] == [1, 2]
    told.clear()
    history = fit(Line(), points(), PLAN, 7, Checkpoint(tmp_path, "x"), report=told.extend)
    assert history.to_dict("records") == told


def train_to_the_best(folder, learner):
    """A training that keeps what had the best score; the learner and the history."""
    best = engine.KeepBest("score", True, [learner.weight, learner.bias])
    history = fit(learner, points(), PLAN, 7, Checkpoint(folder, "x"), keep_best=best)
    return learner, history


@pytest.mark.parametrize("step", [1, 4, 7, 10])
@pytest.mark.parametrize("scores", [(0.1, 0.7, 0.5, 0.6), (0.1, 0.2, 0.3, 0.2)])
def test_the_best_epoch_is_remembered_over_an_interruption(tmp_path, step, scores):
    whole, expected = train_to_the_best(tmp_path / "a", Line(PLAN, scores))
    with pytest.raises(Interrupted):
        train_to_the_best(tmp_path / "b", interrupted_at(Line(PLAN, scores), step))
    again, history = train_to_the_best(tmp_path / "b", Line(PLAN, scores))
    assert_same_bits(again.state(), whole.state())
    assert_same_history(history, expected)


def test_a_finished_training_is_not_trained_again(tmp_path, uninterrupted):
    scores = (0.1, 0.7, 0.5, 0.6)
    first = Line(PLAN, scores)
    kept = fit(
        first,
        points(),
        PLAN,
        7,
        Checkpoint(tmp_path, "x"),
        engine.KeepBest("score", True, [first.weight]),
    )
    again = interrupted_at(Line(PLAN, scores), 0)
    history = fit(
        again,
        points(),
        PLAN,
        7,
        Checkpoint(tmp_path, "x"),
        engine.KeepBest("score", True, [again.weight]),
    )
    assert_same_bits(again.state(), first.state())
    assert history.equals(kept)


def test_for_another_fingerprint_it_starts_anew(tmp_path, uninterrupted):
    with pytest.raises(Interrupted):
        fit(interrupted_at(Line(), 7), points(1), PLAN, 7, Checkpoint(tmp_path, "other data"))
    again = Line()
    history = fit(again, points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    assert_same_bits(again.state(), uninterrupted[0].state())
    assert_same_history(history, uninterrupted[1])


def test_a_damaged_checkpoint_starts_anew(tmp_path, uninterrupted):
    with pytest.raises(Interrupted):
        fit(interrupted_at(Line(), 7), points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-100])
    again = Line()
    fit(again, points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    assert_same_bits(again.state(), uninterrupted[0].state())


def test_the_seed_matters(tmp_path, uninterrupted):
    other = Line()
    fit(other, points(), PLAN, 8, Checkpoint(tmp_path, "x"))
    assert not np.array_equal(other.weight.numpy(), uninterrupted[0].weight.numpy())


# --- stopping at a signal -------------------------------------------------------------------------


@pytest.mark.parametrize("step", range(PLAN.steps))
@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_asked_to_stop_in_any_step_it_goes_on_to_the_same_bits(
    tmp_path, caplog, uninterrupted, step, number
):
    before = [signal.getsignal(asking) for asking in STOP_SIGNALS]
    told = f"^stopped by {number.name} after step {step + 1} of 11; the same command goes on$"
    with pytest.raises(Stopped, match=told):
        learner = asked_to_stop_at(Line(), step, number)
        fit(learner, points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    assert [signal.getsignal(asking) for asking in STOP_SIGNALS] == before
    again = Line()
    steps_taken, train_step = [], again.train_step
    again.train_step = lambda *given: steps_taken.append(given) or train_step(*given)
    with caplog.at_level(logging.INFO):
        history = fit(again, points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    assert f"resumed from the checkpoint of step {step + 1} of 11\n" in caplog.text
    assert len(steps_taken) == PLAN.steps - step - 1
    assert_same_bits(again.state(), uninterrupted[0].state())
    assert_same_history(history, uninterrupted[1])


def test_asked_to_stop_in_every_step_it_ends_in_the_same_bits(tmp_path, uninterrupted):
    for step in range(PLAN.steps):
        with pytest.raises(Stopped, match=f" after step {step + 1} of 11;"):
            learner = asked_to_stop_at(Line(), step)
            fit(learner, points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    again = Line()
    history = fit(again, points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    assert_same_bits(again.state(), uninterrupted[0].state())
    assert_same_history(history, uninterrupted[1])


def test_means_over_an_epoch_in_two_parts_keep_their_precision(tmp_path):
    """Of integers too, and of losses whose mean in another precision is another number."""
    losses = [float(np.float32(1e7 / (step + 3))) for step in range(PLAN.steps)]
    whole = fit(Recorder(losses), points(), PLAN, 7, Checkpoint(tmp_path / "a", "x"))
    with pytest.raises(Stopped):
        recorder = asked_to_stop_at(Recorder(losses), 4)
        fit(recorder, points(), PLAN, 7, Checkpoint(tmp_path / "b", "x"))
    again = Recorder(losses)
    again.given = recorder.given
    history = fit(again, points(), PLAN, 7, Checkpoint(tmp_path / "b", "x"))
    assert_same_history(history, whole)
    assert (history["images_per_second"] > 0).all()


@pytest.mark.parametrize("step", range(PLAN.steps))
def test_asked_to_stop_it_remembers_the_best_epoch(tmp_path, step):
    scores = (0.1, 0.7, 0.5, 0.6)
    whole, expected = train_to_the_best(tmp_path / "a", Line(PLAN, scores))
    with pytest.raises(Stopped):
        train_to_the_best(tmp_path / "b", asked_to_stop_at(Line(PLAN, scores), step))
    again, history = train_to_the_best(tmp_path / "b", Line(PLAN, scores))
    assert_same_bits(again.state(), whole.state())
    assert_same_history(history, expected)


def test_asked_to_stop_while_an_epoch_is_measured_it_finishes_the_epoch(tmp_path):
    learner = Line()
    measure = learner.epoch_metrics

    def epoch_metrics(means):
        signal.raise_signal(signal.SIGINT)
        return measure(means)

    learner.epoch_metrics = epoch_metrics
    with pytest.raises(Stopped, match="stopped by SIGINT after step 3 of 11;"):
        fit(learner, points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    _, facts = Checkpoint(tmp_path, "x").load()
    assert len(facts["history"]) == 1


@pytest.mark.parametrize("bad", ["loss", "weights"])
def test_asked_to_stop_it_saves_nothing_that_is_not_finite(tmp_path, bad):
    learner = asked_to_stop_at(Line(), 4)
    whole = learner.train_step

    def train_step(views, progress):
        metrics = whole(views, progress)
        if round(float(progress) * PLAN.steps) == 5 and bad == "weights":
            learner.bias.assign([math.inf])
        elif round(float(progress) * PLAN.steps) == 5:
            metrics["loss"] = tf.constant(math.nan)
        return metrics

    learner.train_step = train_step
    message = {"loss": "is nan in epoch 2, step 5: ", "weights": "not finite after step 5: "}[bad]
    with pytest.raises(FloatingPointError, match=message):
        fit(learner, points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    arrays, facts = Checkpoint(tmp_path, "x").load()
    assert len(facts["history"]) == 1 and not facts["records"]
    assert all(np.isfinite(array).all() for array in arrays)


def test_in_a_thread_it_trains_without_holding_signals(tmp_path, uninterrupted):
    found = []
    thread = threading.Thread(
        target=lambda: found.append(fit(Line(), points(), PLAN, 7, Checkpoint(tmp_path, "x")))
    )
    thread.start()
    thread.join()
    assert_same_history(found[0], uninterrupted[1])


# --- checkpoints within an epoch ------------------------------------------------------------------


@pytest.mark.parametrize("step", range(1, PLAN.steps))
def test_killed_in_a_long_epoch_it_goes_on_from_within(
    tmp_path, monkeypatch, caplog, uninterrupted, step
):
    monkeypatch.setattr(engine, "SECONDS_BETWEEN_CHECKPOINTS", 0)  # a step takes so long
    with pytest.raises(Interrupted):
        fit(interrupted_at(Line(), step), points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    again = Line()
    with caplog.at_level(logging.INFO):
        history = fit(again, points(), PLAN, 7, Checkpoint(tmp_path, "x"))
    assert f"resumed from the checkpoint of step {step} of 11\n" in caplog.text
    assert_same_bits(again.state(), uninterrupted[0].state())
    assert_same_history(history, uninterrupted[1])


def test_checkpoints_come_by_the_epoch_and_by_the_time(tmp_path, monkeypatch):
    saved = []

    class Watched(Checkpoint):
        def save(self, arrays, facts):
            saved.append(facts["history"][-1]["epoch"] if facts["history"] else 0)
            super().save(arrays, facts)

    fit(Line(), points(), PLAN, 7, Watched(tmp_path / "a", "x"))
    assert saved == [1, 2, 3, 4]
    saved.clear()
    now = itertools.count(0.0, 61.0)  # a minute a look at the clock: after a step or a checkpoint
    monkeypatch.setattr(engine.time, "monotonic", lambda: next(now))
    plan = Plan(8, 40, 40)
    fit(Line(plan), points(), plan, 7, Watched(tmp_path / "b", "x"))
    assert saved == [0, 0, 0, 1]  # after steps 10, 20, 30, and 40


# --- the compiler ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_compiled_step_is_the_step(name):
    rng = np.random.default_rng(0)
    views = tuple(tf.constant(rng.normal(size=(8, 3)), tf.float32) for _ in range(2))
    ended = []
    for xla in (False, True):
        weight = keras.Variable(np.ones((3, 3), "float32"), name="kernel")
        told = OPTIMIZER | {"name": name, "clip_norm": 0.1}

        def loss(views, progress, weight=weight):
            given, wanted = views
            return tf.reduce_mean((given @ weight - wanted) ** 2), {}, ()

        step = compile_step(loss, [weight], build_optimizer(told, 20, [weight]), xla=xla)
        losses = [float(step(views, tf.constant(0.5))["loss"]) for _ in range(5)]
        ended.append([*losses, *weight.numpy().ravel()])
    assert losses[4] < losses[1]
    np.testing.assert_allclose(*ended, rtol=1e-4, atol=1e-6)
