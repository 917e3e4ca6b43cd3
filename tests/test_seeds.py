"""Derived seeds: in range, repeatable for ever, and unrelated to those of their neighbours."""

import itertools

import numpy as np
import tensorflow as tf

from sslens.seeds import derive_seed


def test_seeds_are_pinned():
    """Another derivation would silently change every number of every run."""
    assert derive_seed(0, "order") == (385443054, 297837229)
    assert derive_seed(1, "views", 3, "a") == (1847778845, 468837106)


def test_seeds_fit_in_int32():
    pairs = np.array([derive_seed(7, "range", key) for key in range(2000)], dtype=np.int64)
    assert pairs.min() >= 0
    assert pairs.max() < 2**31
    # all 31 bits are used: about half of the seeds lie in the upper half
    assert abs((pairs >= 2**30).mean() - 0.5) < 0.05


def test_every_argument_counts():
    arguments = [
        (0, "a"), (1, "a"), (0, "b"), (0, "a", 0), (0, "a", 1), (0, "a", "1"), (0, "a", 1, 2),
        (0, "a", 2, 1), (0, "a", 12), (0, "a1"), (0, "a", "1, 2"), (-1, "a"), (10, "a"),
    ]  # fmt: skip
    seeds = [derive_seed(*given) for given in arguments]
    assert len(set(seeds)) == len(arguments)
    assert [derive_seed(*given) for given in arguments] == seeds


def test_neighbours_are_unrelated():
    """No shared half, and streams without correlation."""
    seeds = [
        derive_seed(seed, "views", step) for seed, step in itertools.product(range(40), range(40))
    ]
    assert len({half for pair in seeds for half in pair}) == 3200
    assert len({first for first, _ in seeds}) == len({second for _, second in seeds}) == 1600
    streams = [np.random.default_rng(seed).normal(size=2000) for seed in seeds[:30]]
    correlations = np.corrcoef(streams) - np.eye(30)
    assert np.abs(correlations).max() < 5 / np.sqrt(2000)


def test_tensorflow_takes_a_seed_as_it_is():
    first, again = (
        tf.random.stateless_uniform([4], derive_seed(3, "views", 0)).numpy() for _ in range(2)
    )
    other = tf.random.stateless_uniform([4], derive_seed(3, "views", 1)).numpy()
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
