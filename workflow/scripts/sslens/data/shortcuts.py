"""Shortcuts: how far the classes of a data set can be told apart without any learning.

A network may take a shortcut instead of seeing substructure. Each measure here is one number an
image; its AUC is what such a shortcut is worth.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from sslens.classes import CLASSES
from sslens.data.records import Split
from sslens.data.shortcut_table import MEASURES
from sslens.seeds import measured_rows

CENTRE = 1 / 16  # radius of the centre, of an image's side
MAX_NEIGHBOURS = 5000  # no_sub images that others are compared to
MAX_IMAGES = 6000  # of a split that are measured, drawn at random where there are more


def audit(train: Split, test: Split) -> pd.DataFrame:
    """AUC of every measure and class on the test images.

    Whether a class has higher or lower values than the others is taken from the training images,
    as are the no_sub images that a distance is measured to. Of larger splits, `MAX_IMAGES` of the
    images are read.

    Args:
        train, test: splits as recorded.

    Returns:
        One row per measure: `measure` and `auc_axion`, `auc_cdm`, `auc_no_sub`, NaN where none of
        the images that are measured has the class.
    """
    no_sub = np.flatnonzero(train.labels == CLASSES.index("no_sub"))[:MAX_NEIGHBOURS]
    neighbours = train.images[no_sub]
    rows, rows_of_test = (
        measured_rows(len(split.labels), MAX_IMAGES, seed=0) for split in (train, test)
    )
    train, test = train.take(rows), test.take(rows_of_test)
    places = np.where(np.isin(rows, no_sub), np.searchsorted(no_sub, rows), -1)
    reference = measure(train.images.load(), neighbours, places)
    new = measure(test.images.load(), neighbours)
    found = []
    for name in MEASURES:
        aucs = {}
        for index, label in enumerate(CLASSES):
            if not np.isin(index, train.labels) or not np.isin(index, test.labels):
                aucs[f"auc_{label}"] = np.nan  # none of the images that are measured
                continue
            higher = roc_auc_score(train.labels == index, reference[name]) >= 0.5
            sign = 1 if higher else -1
            aucs[f"auc_{label}"] = roc_auc_score(test.labels == index, sign * new[name])
        found.append({"measure": name, **aucs})
    return pd.DataFrame(found)


def measure(
    images: np.ndarray, no_sub: np.ndarray, places: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """The measures of images (n, pixels, pixels, 1), beside those of class no_sub.

    Args:
        images: that are measured.
        no_sub: (m, pixels, pixels, 1).
        places: (n,), which of `no_sub` an image is, or -1; by default none is among them.

    Returns:
        For every name of `MEASURES` an array (n,): mean flux within 1/16 of the side around the
        centre; sum of all pixels; mean distance from the centre, in pixels, weighted with the flux
        above zero; Euclidean distance to the nearest other image of `no_sub`, each over its total
        flux, so that exposure times don't hide what the shapes tell.
    """
    side = images.shape[1]
    y, x = np.indices((side, side)) - (side - 1) / 2
    distance = np.hypot(x, y)
    pixels = images[..., 0]
    light = pixels.clip(min=0)
    total = light.sum(axis=(1, 2))
    search = NearestNeighbors(n_neighbors=min(2, len(no_sub))).fit(_shapes(no_sub))
    nearest, which = search.kneighbors(_shapes(images))
    # an image that is among them is not its own neighbour; its distance is rounded, and not 0
    own = np.full(len(images), -1) if places is None else places
    nearest_other = np.where(which[:, 0] == own, nearest[:, -1], nearest[:, 0])
    return {
        "central_flux": pixels[:, distance <= max(CENTRE * side, 1)].mean(axis=1),
        "total_flux": pixels.sum(axis=(1, 2), dtype=np.float64),
        "ring_radius": (light * distance).sum(axis=(1, 2)) / np.where(total > 0, total, 1),
        "nearest_no_sub": nearest_other,
    }


def _shapes(images: np.ndarray) -> np.ndarray:
    """Images (n, height, width, 1) over their light above zero, flat: (n, height * width)."""
    flat = images.reshape(len(images), -1)
    total = flat.clip(min=0).sum(axis=1, keepdims=True)
    return flat / np.where(total > 0, total, 1)
