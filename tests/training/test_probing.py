"""Fitting a probe to labelled images, and its outputs in each orientation."""

import numpy as np
import pytest

from sslens.protocols import LINEAR_PROBE
from sslens.tasks.registry import load_task
from sslens.training.probing import FrozenSplit, frozen_split, learn_probe, outputs_of

CLASSIFICATION = {
    "task": {"name": "classification"},
    "protocol": LINEAR_PROBE,
    "learning": {"inverse_penalties": [0.1, 1.0]},
}
REGRESSION = {"name": "regression", "targets": ["log10_axion_mass"], "head": "gaussian"}


def images(seed, number, orientations=2):
    """Images whose features in the first orientation, and in no other, depend on their class."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(number) % 3)
    features = rng.standard_normal((orientations, number, 5)).astype(np.float32)
    features[0, :, 0] += 4 * labels
    ids = np.array([f"image-{row}" for row in range(number)])
    return FrozenSplit(ids, labels, features)


def test_images_without_a_target_are_left_out_of_all_that_is_read():
    task = load_task(REGRESSION)
    masses = np.array([-23.0, np.nan, -22.5, np.nan])
    features = np.arange(2 * 4 * 3, dtype=np.float32).reshape(2, 4, 3)
    found = frozen_split(task, features, np.array(list("abcd")), masses)
    assert list(found.image_ids) == ["a", "c"]
    np.testing.assert_array_equal(np.ravel(found.targets), [-23.0, -22.5])
    np.testing.assert_array_equal(found.features, features[:, [0, 2]])


def test_a_probe_learns_from_images_as_they_are_and_is_applied_to_every_orientation():
    train, validation, test = images(0, 90), images(1, 60), images(2, 60)
    probed = learn_probe(train, validation, CLASSIFICATION, 1.0, seed=1)
    assert probed.images == 90
    other = train._replace(features=train.features[:1])
    for name, array in learn_probe(other, validation, CLASSIFICATION, 1.0, 1).probe.items():
        np.testing.assert_array_equal(array, probed.probe[name])
    upright, turned = outputs_of(probed, test, CLASSIFICATION)
    assert np.mean(upright.argmax(axis=1) == test.targets) > 0.8
    assert np.mean(turned.argmax(axis=1) == test.targets) < 0.6
    expected = test.features.astype(np.float64) @ probed.probe["kernel"] + probed.probe["bias"]
    np.testing.assert_allclose(np.stack([upright, turned]), expected)


@pytest.mark.parametrize("fraction", [0.2, 0.5])
def test_a_share_of_the_labels_is_that_of_the_fine_tuning(fraction):
    train, validation = images(0, 90), images(1, 60)
    rows = load_task(CLASSIFICATION["task"]).labelled(train.targets, fraction, 3)
    own = FrozenSplit(train.image_ids[rows], train.targets[rows], train.features[:, rows])
    shared = learn_probe(train, validation, CLASSIFICATION, fraction, seed=3)
    alone = learn_probe(own, validation, CLASSIFICATION, 1.0, seed=3)
    assert shared.images == alone.images == len(rows) < 90
    np.testing.assert_array_equal(shared.probe["kernel"], alone.probe["kernel"])
