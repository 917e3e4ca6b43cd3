"""Which training images have labels that may be used."""

import itertools

import numpy as np
import pytest

from sslens.labelled import labelled_subset
from sslens.tasks.classification import Task

LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [100, 60, 40]))


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.3, 0.999, 1.0])
def test_the_subset_is_stratified_sorted_and_without_repeats(fraction):
    rows = labelled_subset(LABELS, fraction, seed=1)
    counts = np.bincount(LABELS[rows], minlength=3).tolist()
    assert counts == [round(fraction * size) for size in (100, 60, 40)]
    assert (np.diff(rows) > 0).all()


def test_all_labels_are_all_labels():
    assert labelled_subset(LABELS, 1.0, seed=1).tolist() == list(range(200))


def test_a_smaller_fraction_is_part_of_a_larger_one():
    subsets = [set(labelled_subset(LABELS, f, seed=1)) for f in (0.05, 0.1, 0.3, 0.31, 0.9, 1.0)]
    assert all(small < large for small, large in itertools.pairwise(subsets))


def test_the_subset_depends_on_the_seed_alone_and_takes_images_from_everywhere():
    first = labelled_subset(LABELS, 0.3, seed=1)
    assert np.array_equal(labelled_subset(LABELS.copy(), 0.3, seed=1), first)
    others = [tuple(labelled_subset(LABELS, 0.3, seed=seed)) for seed in range(2, 12)]
    assert len({tuple(first), *others}) == 11
    assert 70 < np.mean(others) < 130


def test_a_class_without_an_image_is_refused():
    labels = np.repeat([0, 1, 2], [9, 3, 9])
    with pytest.raises(ValueError, match="label_fractions: 0.1 leaves no image of class cdm"):
        labelled_subset(labels, 0.1, 1, Task({}).name_of_stratum)
