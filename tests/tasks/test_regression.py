"""The task regression: targets, what is learned, and answers in the units of the targets."""

import keras
import numpy as np
import pandas as pd
import pytest

from sslens.data.records import Split
from sslens.metrics.gaussian import raw_of, variances_of
from sslens.metrics.predictions import write_predictions
from sslens.metrics.regression import true_and_predicted
from sslens.networks import losses
from sslens.orientations import orientation_turns
from sslens.targets import stack_arrays, turned
from sslens.tasks.base import targeted
from sslens.tasks.registry import load_task, task_names, traits_of

MASS, RADIUS = "log10_axion_mass", "shown_einstein_radius"
BOTH = {"name": "regression", "targets": [MASS, RADIUS]}
BOTH |= {"head": "gaussian", "bins": 12, "beta": 0.5}
RNG = np.random.default_rng(0)
MASSES = np.where(np.arange(60) % 3 == 0, RNG.uniform(-24, -22, 60), np.nan)
RADII = RNG.uniform(0.5, 1.5, 60)


def task_of(*targets):
    return load_task(BOTH | {"targets": list(targets)})


def test_tasks_are_found_by_their_names():
    assert task_names() == ["classification", "regression"]
    with pytest.raises(ValueError, match="unknown task 'ranking': known are classification, regr"):
        load_task({"name": "ranking"})


def test_the_traits_of_a_task_are_those_of_its_schema():
    classes, targets = (traits_of(name) for name in task_names())
    assert (classes.measure, classes.needs_classes, classes.smooths_labels) == ("auc", True, True)
    assert (targets.measure, targets.needs_classes, targets.smooths_labels) == (
        "error",
        False,
        False,
    )
    assert set(targets.refused_augmentations) == {"rotation", "blur"}
    assert not set(classes.figures) & set(targets.figures)


def test_images_without_any_target_are_left_out():
    split = Split.of(
        np.arange(60, dtype=np.float32).reshape(60, 1, 1, 1),
        np.arange(60) % 3,
        **{MASS: MASSES, RADIUS: RADII},
    )
    own = targeted(task_of(MASS), split)
    assert own.images[:].ravel().tolist() == list(range(0, 60, 3))
    assert np.array_equal(own.labels[:, 0], MASSES[::3])
    both = targeted(task_of(MASS, RADIUS), split)
    assert both.images is split.images and both.labels.shape == (60, 2)


def test_a_share_of_the_labels_is_chosen_by_the_first_target_and_has_to_vary():
    task = task_of(MASS, RADIUS)
    targets = task.targets(MASSES, RADII)
    rows = task.labelled(targets, 0.5, 1)
    assert np.isfinite(MASSES[rows]).sum() == 10 and np.isnan(MASSES[rows]).sum() == 20
    task.check_labelled(targets, 0.1, 1)
    same = task.targets(MASSES, np.where(np.arange(60) == rows[0], 1.0, 2.0))
    few = "all images of the labelled training images; take more, or leave it out"
    with pytest.raises(ValueError, match=few):
        for seed in range(9):  # the only other radius is in half of the subsets
            task.check_labelled(same, 0.5, seed)


def test_targets_are_learned_with_mean_0_and_deviation_1():
    task = task_of(MASS, RADIUS)
    targets = task.targets(MASSES, RADII)
    task = task.learning_from(targets)
    relative = task.relative(targets)
    np.testing.assert_allclose(np.nanmean(relative, axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.nanstd(relative, axis=0), 1, rtol=1e-6)
    assert np.array_equal(np.isnan(relative), np.isnan(targets))
    again = load_task(BOTH, task.facts)  # as of a file
    assert np.array_equal(again.relative(targets), relative, equal_nan=True)
    outputs = np.zeros((60, 4), np.float32)
    errors = task.measures((relative, outputs), (relative, outputs))
    # not the loss, which has a weight
    assert errors["nll"] == errors["validation_nll"] == losses.mean_nll(relative, outputs)
    assert errors[f"mae_{RADIUS}"] == pytest.approx(np.abs(RADII - RADII.mean()).mean(), rel=1e-5)
    assert errors[f"validation_mae_{MASS}"] == pytest.approx(
        np.nanmean(np.abs(MASSES - np.nanmean(MASSES))), rel=1e-5
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full(60, np.nan), "no image of model_9/train has log10_axion_mass; leave it out"),
        (np.full(60, -23.0), "log10_axion_mass is -23 in all images of model_9/train; leave it"),
        (np.r_[RADII[:59], np.inf], "log10_axion_mass is not finite in images of model_9/train"),
    ],
)
def test_targets_that_cannot_be_learned_are_named(values, message):
    task = task_of(MASS)
    with pytest.raises(ValueError, match=f"task.targets: {message}"):
        task.described(task.targets(values), "model_9/train")


def test_what_targets_a_split_has_is_described():
    task = task_of(MASS)
    found = task.described(task.targets(MASSES), "model_2/test")[MASS]
    assert (found["images"], found["without"]) == (20, 40)
    assert (found["lowest"], found["highest"]) == (np.nanmin(MASSES), np.nanmax(MASSES))


def test_answers_are_in_units_and_mix_the_orientations():
    task = task_of(MASS, RADIUS)
    targets = task.targets(MASSES, RADII)
    task = task.learning_from(targets)
    outputs = RNG.normal(size=(8, 60, 4))
    ids = [f"image-{k}" for k in range(60)]
    frame = task.predictions(ids, targets, outputs, orientation_turns())
    assert frame.attrs["units"] == {MASS: "dex", RADIUS: "arcsec"}
    for place, name in enumerate((MASS, RADIUS)):
        fact = task.facts[name]
        means = fact["mean"] + fact["deviation"] * outputs[..., place]
        variances = fact["deviation"] ** 2 * variances_of(outputs[..., 2 + place])
        np.testing.assert_allclose(frame[f"mean_{name}"], means.mean(axis=0))
        expected = variances.mean(axis=0) + means.var(axis=0)
        np.testing.assert_allclose(frame[f"std_{name}"], np.sqrt(expected))
        assert np.array_equal(frame[f"true_{name}"], targets[:, place], equal_nan=True)


@pytest.mark.parametrize("orientations", [1, 8])
def test_an_exported_network_gives_the_same_answers(orientations):
    task = task_of(MASS, RADIUS)
    targets = task.targets(MASSES, RADII)
    task = task.learning_from(targets)
    outputs = RNG.normal(size=(orientations, 60, 4)).astype(np.float32)
    inputs = keras.Input((4,))
    network = keras.Model(inputs, task.readable(inputs))
    answers = np.stack([np.asarray(network(seen)) for seen in outputs])
    turns = orientation_turns()
    found = np.asarray(task.averaged(answers, turns)) if orientations > 1 else answers[0]
    frame = task.predictions(range(60), targets, outputs, turns)
    for place, name in enumerate((MASS, RADIUS)):
        np.testing.assert_allclose(found[:, place, 0], frame[f"mean_{name}"], rtol=1e-5)
        np.testing.assert_allclose(found[:, place, 1], frame[f"std_{name}"], rtol=1e-4)


# --- targets that turn with the image -------------------------------------------------------------

POSITIONS = ["source_x", "source_y"]
SHAPES = ["lens_e1", "lens_e2"]


@pytest.mark.parametrize("averaging", ["predictions", "export"])
def test_answers_of_turned_images_are_turned_back(averaging):
    """A network that is right in all orientations is as right when they are averaged."""
    names = [MASS, *POSITIONS, *SHAPES]
    truth = RNG.normal(size=(60, 5))
    task = task_of(*names).learning_from(truth)
    turns = orientation_turns()
    # in each orientation the true values, and deviations that differ in x and y
    seen = np.stack([turned(truth, turn, names, stack_arrays) for turn in turns])
    assert np.abs(seen - truth).max(axis=(0, 1))[1:].min() > 0.5
    wide = np.where(np.abs(turns[:, 0, 0]) == 1, 2.0, 0.5)[:, None]  # of x
    spreads = np.ones((8, 60, 5))
    spreads[..., 1], spreads[..., 2] = wide, 2.5 - wide
    facts = [task.facts[name] for name in names]
    means, deviations = ([fact[key] for fact in facts] for key in ("mean", "deviation"))
    relative = (seen - means) / deviations
    outputs = np.concatenate([relative, raw_of((spreads / np.array(deviations)) ** 2)], axis=2)
    if averaging == "predictions":
        frame = task.predictions(range(60), truth, outputs, turns)
        found = np.stack([frame[[f"{k}_{n}" for n in names]] for k in ("mean", "std")], axis=2)
    else:
        inputs = keras.Input((10,))
        network = keras.Model(inputs, task.readable(inputs))
        answers = np.stack([np.asarray(network(part.astype(np.float32))) for part in outputs])
        found = np.asarray(task.averaged(answers, turns))
    np.testing.assert_allclose(found[..., 0], truth, atol=1e-4)
    np.testing.assert_allclose(found[..., 1], np.broadcast_to([1, 2, 0.5, 1, 1], (60, 5)), 1e-4)


def test_positions_are_learned_without_a_mean_and_with_one_deviation():
    truth = RNG.normal(size=(60, 2)) * [1, 3] + [5, 0]
    facts = task_of(*POSITIONS).learning_from(truth).facts
    for name in POSITIONS:
        assert facts[name]["mean"] == 0
        assert facts[name]["deviation"] == pytest.approx(np.sqrt((truth**2).mean()))


# --- bins -----------------------------------------------------------------------------------------


def binned(*targets):
    return load_task(BOTH | {"targets": list(targets), "head": "binned"})


def test_bins_are_learned_by_the_cross_entropy_of_where_targets_are():
    task = binned(MASS, RADIUS)
    targets = task.targets(MASSES, RADII)
    task = task.learning_from(targets)
    assert task.outputs == 24
    outputs = RNG.normal(size=(60, 24)).astype(np.float32)
    losses, _ = task.loss(task.relative(targets), outputs, {})
    for row in range(60):
        expected = []
        for place, values in enumerate((MASSES, RADII)):
            if np.isnan(values[row]):
                continue
            room = 0.05 * (np.nanmax(values) - np.nanmin(values))
            low, high = np.nanmin(values) - room, np.nanmax(values) + room
            number = int((values[row] - low) / (high - low) * 12)
            logits = outputs[row, 12 * place : 12 * place + 12].astype(float)
            width = (high - low) / 12 / task.facts[(MASS, RADIUS)[place]]["deviation"]
            expected.append(np.log(np.exp(logits).sum()) - logits[number] + np.log(width))
        assert float(losses[row]) == pytest.approx(np.mean(expected), rel=1e-4)


def test_bins_are_predicted_mixed_over_orientations_and_scored():
    task = binned(MASS, RADIUS)
    targets = task.targets(MASSES, RADII)
    task = task.learning_from(targets)
    outputs = RNG.normal(size=(8, 60, 24)).astype(np.float32)
    frame = task.predictions(range(60), targets, outputs, orientation_turns())
    edges = frame.attrs["edges"][RADIUS]
    assert edges[0] == pytest.approx(RADII.min() - 0.05 * np.ptp(RADII))
    assert edges[-1] == pytest.approx(RADII.max() + 0.05 * np.ptp(RADII))
    logits = outputs[..., 12:].astype(float)
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    columns = [f"p_{RADIUS}_{number:03d}" for number in range(12)]
    np.testing.assert_allclose(frame[columns], shares.mean(axis=0))
    inputs = keras.Input((24,))
    network = keras.Model(inputs, task.readable(inputs))
    answers = np.stack([np.asarray(network(seen)) for seen in outputs])
    found = np.asarray(task.averaged(answers, orientation_turns()))
    np.testing.assert_allclose(found[:, 1], frame[columns], rtol=1e-5)
    metrics = task.score(frame, frame)["targets"]
    _, distribution = true_and_predicted(frame, RADIUS)
    assert metrics[RADIUS]["mae"] == np.abs(RADII - distribution.mean).mean()
    relative = task.relative(targets)
    errors = task.measures((relative, outputs[0]), (relative, outputs[0]))
    centres = (np.array(edges[1:]) + edges[:-1]) / 2
    expected = np.abs(shares[0] @ centres - RADII).mean()
    assert errors[f"mae_{RADIUS}"] == pytest.approx(expected, rel=1e-4)


def test_predictions_of_bins_are_the_same_read_back(tmp_path):
    task = binned(MASS)
    targets = task.targets(MASSES[::3])
    task = task.learning_from(targets)
    outputs = RNG.normal(size=(1, 20, 12))
    frame = task.predictions(range(20), targets, outputs, orientation_turns())
    write_predictions(frame, tmp_path / "predictions.parquet")
    again = pd.read_parquet(tmp_path / "predictions.parquet")
    assert task.score(again, again) == task.score(frame, frame)
