"""Which training images have labels that may be used."""

from collections.abc import Mapping

import numpy as np

from sslens.classes import CLASSES
from sslens.seeds import derive_seed


def count_labelled(images_per_class: Mapping[str, int], fraction: float) -> int:
    """How many images `labelled_subset` chooses of these."""
    return sum(round(fraction * images) for images in images_per_class.values())


def labelled_subset(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Choose the images whose labels are used.

    Stratified by class, nested (a smaller fraction is part of a larger one) and the same for
    every arm, since it depends on nothing but the labels, the fraction and the seed.

    Args:
        labels: (n,) integers.
        fraction: in (0, 1].
        seed: of the run.

    Returns:
        Sorted row indices.

    Raises:
        ValueError: if a class would be left without an image.
    """
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = round(fraction * len(rows))
        if count == 0:
            raise ValueError(
                f"label_fractions: {fraction} leaves no image of class {CLASSES[label]}"
            )
        generator = np.random.default_rng(derive_seed(seed, "labelled subset", int(label)))
        chosen.append(generator.permutation(rows)[:count])
    return np.sort(np.concatenate(chosen))
