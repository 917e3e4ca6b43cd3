"""What needs no learning is measured as it says, and told apart by its direction on training."""

import re

import numpy as np
import pytest

from sslens.classes import CLASSES
from sslens.data.records import Split
from sslens.data.shortcut_table import MEASURES, shortcut_table
from sslens.data.shortcuts import audit, measure


def test_the_measures_by_hand():
    images = np.zeros((3, 32, 32, 1), np.float32)
    images[0, 15:17, 15:17] = 1.0  # the centre
    images[1, 0, 0] = images[1, 31, 31] = 2.0  # two corners
    images[2, 15, 15], images[2, 0, 0] = 1.0, -3.0  # what is below zero is no light
    found = measure(images, images[:2], np.array([0, 1, -1]))
    within = (np.hypot(*(np.indices((32, 32)) - 15.5)) <= 2).sum()
    np.testing.assert_allclose(found["central_flux"], np.array([4, 0, 1]) / within)
    np.testing.assert_allclose(found["total_flux"], [4, 4, -2])
    np.testing.assert_allclose(found["ring_radius"], np.array([0.5, 15.5, 0.5]) * 2**0.5, rtol=1e-6)
    # over their light: four quarters, two halves, and 1 and -3
    apart = np.sqrt(4 / 16 + 2 / 4)
    third = np.sqrt((1 - 1 / 4) ** 2 + 3 / 16 + 9)
    np.testing.assert_allclose(found["nearest_no_sub"], [apart, apart, third], rtol=1e-6)
    assert set(found) == set(MEASURES)


def classes_by(strength, seed, size=600):
    """Images of noise; axions are brighter by some standard deviations of the total flux."""
    rng = np.random.default_rng(seed)
    labels = np.arange(size) % 3
    images = rng.normal(size=(size, 8, 8, 1)).astype(np.float32)
    images[labels == CLASSES.index("axion")] += strength / 8
    return Split.of(images, labels)


@pytest.mark.parametrize("strength", [3.0, -3.0])
def test_a_shortcut_is_found_whatever_its_direction(strength):
    table = audit(classes_by(strength, 0), classes_by(strength, 1)).set_index("measure")
    assert table.loc["total_flux", "auc_axion"] > 0.97  # Φ(3/√2) = 0.983
    assert 0.7 < table.loc["total_flux", "auc_cdm"] < 0.8  # two thirds of the rest are not axions


def test_without_a_shortcut_all_are_near_chance():
    table = audit(classes_by(0.0, 0), classes_by(0.0, 1)).set_index("measure")
    assert ((table > 0.4) & (table < 0.6)).all(axis=None)


def test_a_class_that_no_measured_image_has_is_missing():
    train, test = classes_by(3.0, 0), classes_by(3.0, 1)
    none = np.flatnonzero(train.labels != CLASSES.index("cdm"))
    table = audit(train.take(none), test).set_index("measure")
    assert table["auc_cdm"].isna().all() and table["auc_axion"].notna().all()


def test_no_image_is_its_own_nearest_one():
    """Of images of noise, those with more of it are farther from all others."""
    rng, labels = np.random.default_rng(0), np.arange(300) % 3
    spread = np.where(labels == CLASSES.index("no_sub"), 3.0, 1.0)[:, None, None, None]
    splits = [Split.of(5 + spread * rng.normal(size=(300, 8, 8, 1)), labels) for _ in range(2)]
    table = audit(*splits).set_index("measure")
    assert table.loc["nearest_no_sub", "auc_no_sub"] > 0.99


def test_the_table_has_a_row_a_measure_and_a_column_a_data_set():
    frame = audit(classes_by(3.0, 0), classes_by(3.0, 1))
    lines = shortcut_table({"One": frame, "Two|Three": frame}).markdown().splitlines()
    table = [re.split(r" +\| +", line.strip("| ")) for line in lines[:6]]
    assert table[0] == ["Without learning", "One", r"Two\|Three"]
    assert [row[0] for row in table[2:]] == list(MEASURES.values())
    total = frame.set_index("measure").loc["total_flux"]
    cell = ", ".join(f"{total[f'auc_{label}']:.2f}" for label in CLASSES)
    assert table[3] == ["total flux", cell, cell]
    assert len({len(line) for line in lines[:6]}) == 1, "padded, to be read as plain text too"
