"""Which training images have labels that may be used."""

import itertools

import numpy as np
import pytest

from sslens.labelled import spread_subset, stratified_subset
from sslens.tasks.classification import Task

LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [100, 60, 40]))


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.3, 0.999, 1.0])
def test_the_subset_is_stratified_sorted_and_without_repeats(fraction):
    rows = stratified_subset(LABELS, fraction, seed=1)
    counts = np.bincount(LABELS[rows], minlength=3).tolist()
    assert counts == [round(fraction * size) for size in (100, 60, 40)]
    assert (np.diff(rows) > 0).all()


def test_all_labels_are_all_labels():
    assert stratified_subset(LABELS, 1.0, seed=1).tolist() == list(range(200))


def test_a_smaller_fraction_is_part_of_a_larger_one():
    subsets = [set(stratified_subset(LABELS, f, seed=1)) for f in (0.05, 0.1, 0.3, 0.31, 0.9, 1.0)]
    assert all(small < large for small, large in itertools.pairwise(subsets))


def test_the_subset_depends_on_the_seed_alone_and_takes_images_from_everywhere():
    first = stratified_subset(LABELS, 0.3, seed=1)
    assert np.array_equal(stratified_subset(LABELS.copy(), 0.3, seed=1), first)
    others = [tuple(stratified_subset(LABELS, 0.3, seed=seed)) for seed in range(2, 12)]
    assert len({tuple(first), *others}) == 11
    assert 70 < np.mean(others) < 130


def test_a_class_without_an_image_is_refused():
    labels = np.repeat([0, 1, 2], [9, 3, 9])
    with pytest.raises(ValueError, match="0.1 of 3 training images leaves none of class cdm; take"):
        Task({}).labelled(labels, 0.1, 1)


# --- evenly over a number -------------------------------------------------------------------------

VALUES = np.where(np.arange(330) % 11 == 0, np.nan, np.random.default_rng(1).normal(size=330))


@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.1, 0.25, 0.7, 1.0])
def test_a_subset_is_spread_evenly_over_the_values(fraction):
    rows = spread_subset(VALUES, fraction, 1, "mass")
    assert (np.diff(rows) > 0).all()
    with_value = rows[np.isfinite(VALUES[rows])]
    assert len(with_value) == round(300 * fraction)
    assert len(rows) - len(with_value) == round(30 * fraction)
    ranks = np.sort(np.searchsorted(np.sort(VALUES[np.isfinite(VALUES)]), VALUES[with_value]))
    # the share of the images below is that of the chosen ones, to a few images
    shares = (np.arange(len(ranks)) + 0.5) / len(ranks)
    assert np.abs((ranks + 0.5) / 300 - shares).max() < 3 / len(ranks)


def test_spread_subsets_are_nested_and_follow_from_the_seed():
    fractions = (0.01, 0.05, 0.1, 0.3, 0.31, 0.9, 1.0)
    subsets = [set(spread_subset(VALUES, f, 1, "mass")) for f in fractions]
    assert all(small < large for small, large in itertools.pairwise(subsets))
    assert subsets[-1] == set(range(330))
    others = {tuple(spread_subset(VALUES, 0.1, seed, "mass")) for seed in range(10)}
    assert len(others) == 10
    chosen = np.bincount(np.concatenate([spread_subset(VALUES, 0.5, s, "m") for s in range(200)]))
    assert chosen.min() > 60 and chosen.max() < 140, "every image has its chance"


def test_fewer_than_two_values_are_refused():
    with pytest.raises(
        ValueError, match="0.004 of .* with mass leaves 1, and a regression needs two; take"
    ):
        spread_subset(VALUES, 0.004, 1, "mass")
