"""What encoders tell apart: maps of their features in the plane."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sslens.classes import CLASSES
from sslens.figures.style import (
    CLASS_TITLES,
    PALETTE,
    legend_below,
    legend_height,
    new_figure,
    own_style,
    set_title,
)
from sslens.seeds import derive_seed

#: Dimensions that t-SNE starts from, as van der Maaten & Hinton 2008 do (JMLR 9, 2579).
DIMENSIONS = 50
#: Effective number of neighbours; a third of the images at most, as openTSNE caps it.
PERPLEXITY = 30.0
#: Steps of t-SNE. With 750 images, 1,000 steps keep the neighbours no better (trustworthiness).
ITERATIONS = 500
#: Class -> colour and marker.
CLASS_LOOKS: dict[str, dict[str, Any]] = {
    name: {"color": PALETTE[place], "marker": marker}
    for name, place, marker in zip(CLASSES, (2, 1, 3), ("o", "^", "x"), strict=True)
}
MASSES = "viridis"
COLUMNS = 5  # encoders side by side


def read_features(path: str | Path) -> np.ndarray:
    """Features of images as they are (n, d), of a file that may have them in several orientations.

    They stay on the disk until rows of them are asked for.
    """
    features = np.load(path, mmap_mode="r")
    return features[0] if features.ndim == 3 else features


def project(features: np.ndarray, seed: int) -> np.ndarray:
    """Map of features in the plane by t-SNE (van der Maaten & Hinton 2008, JMLR 9, 2579).

    Features are standardised and reduced to `DIMENSIONS` principal components before. Of a map,
    neighbourhoods can be read, but neither distances nor sizes of groups.

    Args:
        features: (n, d), n > 5 and d > 1.
        seed: of the run.

    Returns:
        (n, 2); all zero where all features are alike.
    """
    images, dimensions = features.shape
    scaled = StandardScaler().fit_transform(np.asarray(features, dtype=np.float64))
    if not scaled.any():  # t-SNE would divide by a spread of 0
        return np.zeros((images, 2))
    tsne = TSNE(
        perplexity=min(PERPLEXITY, (images - 1) / 3),
        init="pca",
        max_iter=ITERATIONS,
        random_state=derive_seed(seed, "embedding")[0],
    )
    # of one thread: the order in which several add up would change the map
    with threadpool_limits(1):
        components = PCA(min(DIMENSIONS, images - 1, dimensions), svd_solver="full")
        return tsne.fit_transform(components.fit_transform(scaled))


@own_style()
def embedding_figure(
    maps: Mapping[str, np.ndarray], labels: np.ndarray, axion_mass: np.ndarray, title: str
) -> Figure:
    """Maps of features, a column an encoder: coloured by class above, by axion mass below.

    Of more than `COLUMNS` encoders, the others follow below. Axes have no ticks, since the numbers
    on them mean nothing. The rows of masses are left out where no image has one.

    Args:
        maps: title of an encoder -> (n, 2), of `project` say.
        labels: (n,) class names.
        axion_mass: (n,) log10 eV, NaN for images without an axion; they are small and grey.
        title: of the figure.

    Raises:
        ValueError: where there is no map, or a map has another number of points than there are
            labels.
    """
    if not maps:
        raise ValueError("no maps of features to draw")
    labels, axion_mass = np.asarray(labels), np.asarray(axion_mass, dtype=np.float64)
    for name, points in maps.items():
        if np.shape(points) != (len(labels), 2):
            raise ValueError(
                f"the map of {name} has the shape {np.shape(points)}, not ({len(labels)}, 2)"
            )
    with_mass = bool(np.isfinite(axion_mass).any())
    columns = min(len(maps), COLUMNS)
    bands, each = math.ceil(len(maps) / columns), 1 + with_mass
    height = 0.6 + 2.6 * bands * each + legend_height(len(CLASSES), len(CLASSES))
    figure = new_figure(max(5.0, 0.9 + 2.6 * columns), height, title)
    rows = figure.subplots(bands * each, columns, squeeze=False)
    by_class, by_mass = rows[::each].ravel(), rows[1::each].ravel()
    for panel, (name, points) in zip(by_class, maps.items(), strict=False):
        _draw_classes(panel, np.asarray(points), labels)
        set_title(panel, name)
    for first in by_class[::columns]:
        first.set_ylabel("by class")
    if with_mass:
        for panel, points in zip(by_mass, maps.values(), strict=False):
            drawn = _draw_masses(panel, np.asarray(points), axion_mass)
        for first in by_mass[::columns]:
            first.set_ylabel("by axion mass")
        colored = list(by_mass[: len(maps)])
        figure.colorbar(drawn, ax=colored, label="log10 axion mass (eV)", aspect=25)
    for panel in (*by_class[len(maps) :], *by_mass[len(maps) :]):
        panel.remove()
    for panel in rows.ravel():
        panel.set(xticks=[], yticks=[])
    handles, names = rows[0, 0].get_legend_handles_labels()
    legend_below(figure, handles, names, len(CLASSES), handlelength=1, markerscale=2)
    return figure


def _draw_classes(panel: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    for name, look in CLASS_LOOKS.items():
        x, y = points[labels == name].T
        panel.scatter(x, y, s=9, linewidth=0.8, alpha=0.7, label=CLASS_TITLES[name], **look)


def _draw_masses(panel: Axes, points: np.ndarray, axion_mass: np.ndarray) -> ScalarMappable:
    known = np.isfinite(axion_mass)
    x, y = points.T
    panel.scatter(x[~known], y[~known], s=3, color="0.75", linewidth=0)
    return panel.scatter(
        x[known],
        y[known],
        s=12,
        c=axion_mass[known],
        cmap=MASSES,
        vmin=axion_mass[known].min(),
        vmax=axion_mass[known].max(),
        linewidth=0,
    )
