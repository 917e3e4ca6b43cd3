"""Which training images have labels that may be used.

Subsets are nested (a smaller fraction is part of a larger one) and the same for every arm, since
they depend on nothing but the labels, the fraction and the seed.
"""

from collections.abc import Callable

import numpy as np

from sslens.seeds import derive_seed


def stratified_subset(
    strata: np.ndarray,
    fraction: float,
    seed: int,
    name_of: Callable[[int], str] = "stratum {}".format,
) -> np.ndarray:
    """Choose the same share of the images of every stratum.

    Args:
        strata: (n,) integers, such as the classes.
        fraction: in (0, 1].
        seed: of the run.
        name_of: what a stratum is called in an error, such as "class axion".

    Returns:
        Sorted row indices.

    Raises:
        ValueError: if a stratum would be left without an image.
    """
    chosen = []
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        count = round(fraction * len(rows))
        if count == 0:
            named = name_of(int(stratum))
            raise ValueError(
                f"run.label_fractions: {fraction} of {len(rows)} training images leaves none of "
                f"{named}; take a larger share, or more images"
            )
        generator = np.random.default_rng(derive_seed(seed, "labelled subset", int(stratum)))
        chosen.append(generator.permutation(rows)[:count])
    return np.sort(np.concatenate(chosen))


def spread_subset(values: np.ndarray, fraction: float, seed: int, name: str) -> np.ndarray:
    """Choose a share of the images, evenly over the values of a number.

    Args:
        values: (n,), NaN where an image has none; of these the same share is chosen.
        fraction: in (0, 1].
        seed: of the run.
        name: of the number.

    Returns:
        Sorted row indices.

    Raises:
        ValueError: where fewer than two images with a value would be left.
    """
    generator = np.random.default_rng(derive_seed(seed, "labelled subset"))
    has_value = np.isfinite(values)
    rows, others = np.flatnonzero(has_value), np.flatnonzero(~has_value)
    count = round(fraction * len(rows))
    if count < 2:
        raise ValueError(
            f"run.label_fractions: {fraction} of {len(rows)} training images with {name} leaves "
            f"{count}, and a regression needs two; take a larger share, or more images"
        )
    ordered = rows[np.argsort(values[rows], kind="stable")]
    chosen = ordered[_spread_order(len(rows), generator)[:count]]
    more = generator.permutation(others)[: round(fraction * len(others))]
    return np.sort(np.concatenate([chosen, more]))


def _spread_order(count: int, generator: np.random.Generator) -> np.ndarray:
    """An order of the places 0, ..., count - 1, the first of which are spread evenly at any number.

    Of every two neighbours one, drawn by lot, is in the first half of the order, and the other in
    the second. Each half is ordered in the same way.
    """
    if count < 2:
        return np.arange(count)
    paired = np.arange(count)
    alone = paired[:0]
    if count % 2:
        alone = generator.choice(paired, 1)
        paired = np.delete(paired, alone)
    pairs = generator.permuted(paired.reshape(-1, 2), axis=1)
    halves = np.sort(np.append(pairs[:, 0], alone)), pairs[:, 1]
    return np.concatenate([half[_spread_order(len(half), generator)] for half in halves])
