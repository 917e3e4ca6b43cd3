"""Which training images have labels that may be used."""

from collections.abc import Callable

import numpy as np

from sslens.seeds import derive_seed


def labelled_subset(
    strata: np.ndarray,
    fraction: float,
    seed: int,
    name_of: Callable[[int], str] = "stratum {}".format,
) -> np.ndarray:
    """Choose the images whose labels are used.

    Stratified, nested (a smaller fraction is part of a larger one) and the same for
    every arm, since it depends on nothing but the strata, the fraction and the seed.

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
            raise ValueError(f"label_fractions: {fraction} leaves no image of {named}")
        generator = np.random.default_rng(derive_seed(seed, "labelled subset", int(stratum)))
        chosen.append(generator.permutation(rows)[:count])
    return np.sort(np.concatenate(chosen))
