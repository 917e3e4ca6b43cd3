"""How targets turn with the image: by images, and by rendering what the targets say."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from paths import ROOT

from sslens.configuration import settings
from sslens.configuration.loading import load
from sslens.data.records import Split
from sslens.data.simulation.rendering import render
from sslens.data.simulation.sampling import draw_catalogue
from sslens.networks import export
from sslens.orientations import ORIENTATIONS, orientation_turns, oriented
from sslens.pretexts import NOISE, SHIFT, STAY, TURN, augmentations_by_places
from sslens.targets import PAIRS, stack_arrays, turned
from sslens.tasks.registry import load_task
from sslens.training.finetuning import _FineTuning
from sslens.training.plan import plan_training
from sslens.training.turns import TURNS, turns_of_view
from sslens.training.views import make_view

SEED = tf.constant([3, 4], tf.int32)
PIXELS = 33


def spot(x, y):
    """An image of a round spot at a place, from the centre, in pixels."""
    axis = np.arange(PIXELS) - (PIXELS - 1) / 2
    distances = (axis - x) ** 2 + (axis[:, None] - y) ** 2
    return np.exp(-distances / 4)[..., None].astype(np.float32)


def place_of(image):
    axis = np.arange(PIXELS) - (PIXELS - 1) / 2
    weights = image[..., 0] / image.sum()
    return np.array([(weights.sum(axis=0) * axis).sum(), (weights.sum(axis=1) * axis).sum()])


@pytest.mark.parametrize(
    "pretext",
    [
        [{"rotation": {"max_degrees": 180}}],
        [{"dihedral": None}],
        [{"gaussian_noise": {"stddev": 0.0}}, {"dihedral": {}}],
        [{"rotation": {"max_degrees": 90}}, {"dihedral": {}}],
    ],
)
def test_a_spot_is_where_the_turn_takes_it(pretext):
    before = np.array([4.0, -2.0])
    images = tf.constant(np.stack([spot(*before)] * 40))
    seen = make_view(images, SEED, pretext).numpy()
    turns = turns_of_view(tf.constant(40), SEED, pretext).numpy()
    np.testing.assert_allclose(
        turns @ np.swapaxes(turns, 1, 2), np.eye(2)[None].repeat(40, 0), atol=1e-6
    )
    found = np.stack([place_of(image) for image in seen])
    np.testing.assert_allclose(found, turns @ before, atol=0.05)
    assert np.ptp(found, axis=0).min() > 3


def test_every_augmentation_is_known_to_turn_images_or_not():
    by_places = augmentations_by_places()
    assert set(by_places) == {STAY, TURN, SHIFT}
    assert set(by_places[TURN]) == set(TURNS)
    before = np.array([4.0, -2.0])
    images = tf.constant(np.stack([spot(*before)] * 40))
    strengths = {
        "gaussian_noise": {"stddev": 1e-4},
        "blur": {"max_sigma": 1.0},
        "flux_scale": {"max_factor": 2.0},
        "psf_blur": {"max_sigma": 1.0},
    }
    for name in {*by_places[STAY]} - {NOISE}:
        seen = make_view(images, SEED, [{name: strengths[name]}]).numpy()
        assert np.any(seen != images), name
        np.testing.assert_allclose([place_of(image) for image in seen], [before] * 40, atol=0.02)


def test_an_augmentation_that_turns_images_somehow_is_refused(monkeypatch):
    monkeypatch.delitem(TURNS, "dihedral")
    with pytest.raises(ValueError, match="^training/turns.py has no function for dihedral$"):
        turns_of_view(tf.constant(2), SEED, [{"rotation": {"max_degrees": 90}}])


def test_orientations_turn_places_as_their_matrices_say():
    before = np.array([4.0, -2.0])
    image = spot(*before)[None]
    for way, turn in zip(ORIENTATIONS, orientation_turns(), strict=True):
        np.testing.assert_allclose(place_of(oriented(image, *way)[0]), turn @ before, atol=1e-3)
    for seen, turn in zip(export._orientations(tf.constant(image)), export._turns(), strict=True):
        np.testing.assert_allclose(place_of(np.asarray(seen)[0]), turn @ before, atol=1e-3)


def test_a_turned_image_is_the_image_of_the_turned_parameters():
    """Of a lens with an ellipticity, a shear and an elliptical source away from the axis."""
    recipe = load(ROOT / "config", {})["datasets"]["model_2"] | {"noise": "none"}
    row = draw_catalogue("model_2", recipe, "test", 3).iloc[2].to_dict()
    row |= {"lens_e1": 0.15, "lens_e2": -0.08, "gamma1": 0.04, "gamma2": 0.06}
    row |= {"source_e1": 0.2, "source_e2": 0.1, "source_x": 0.21, "source_y": -0.13}
    names = [name for pair in PAIRS for name in pair]
    image = render(row, recipe)[None]
    for way, turn in zip(ORIENTATIONS, orientation_turns(), strict=True):
        values = turned(np.array([row[name] for name in names]), turn, names, stack_arrays)
        expected = render(row | dict(zip(names, values.tolist(), strict=True)), recipe)
        np.testing.assert_allclose(oriented(image, *way)[0], expected, atol=1e-5 * expected.max())


def test_ellipticities_turn_as_matrices_do_by_any_angle():
    angle = 0.4
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    e1, e2 = 0.3, -0.1
    expected = turn @ np.array([[e1, e2], [e2, -e1]]) @ turn.T
    found = turned(np.array([e1, e2]), turn, ["gamma1", "gamma2"], stack_arrays)
    np.testing.assert_allclose(found, expected[0])
    inside = tf.constant([[e1, e2]], tf.float64), tf.constant(turn[None])
    by_tensors = turned(*inside, ["gamma1", "gamma2"], partial(tf.stack, axis=-1))
    np.testing.assert_allclose(by_tensors, expected[:1])


def test_a_fine_tuning_turns_targets_with_its_images():
    """A network that finds the spot is right about every view."""
    rng = np.random.default_rng(0)
    places = rng.uniform(-5, 5, (24, 2))
    images = np.stack([spot(*place) for place in places])
    given = {"targets": ["source_x", "source_y"], "head": "gaussian", "beta": 0.5}
    task = load_task({"name": "regression", **given})
    task = task.learning_from(places)
    data = Split.of(images, task.relative(places))
    learning = settings.arm_settings(load(ROOT / "config", {}), "baseline", "model_2")["learning"]
    learning["augmentation"] = [{"rotation": {"max_degrees": 180}}, {"dihedral": {}}]
    network = keras.Sequential([keras.Input((PIXELS, PIXELS, 1)), keras.layers.Flatten()])
    network.add(keras.layers.Dense(task.outputs))
    plan = plan_training(learning | {"epochs": 1}, 24, 24)
    learner = _FineTuning(network, data, data, task, learning, plan, None)
    seen, targets = learner.views((tf.constant(images), tf.constant(data.labels)), SEED)
    found = np.stack([place_of(image) for image in seen.numpy()])
    deviation = task.facts["source_x"]["deviation"]
    np.testing.assert_allclose(targets * deviation, found, atol=0.05)
    assert np.abs(found - places).max() > 3
