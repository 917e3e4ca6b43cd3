"""The images that a classifier is most sure about, and wrong."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sslens.classes import CLASSES
from sslens.figures.images import show_image
from sslens.figures.style import CLASS_TITLES, new_figure, own_style
from sslens.metrics.predictions import PROBABILITY_COLUMNS, logits_of

COLUMNS = 6
#: Narrower, a figure would have no room for its title.
MIN_COLUMNS = 3


def most_confidently_wrong(predictions: pd.DataFrame, count: int) -> pd.DataFrame:
    """The wrongly classified images with the highest probability of the predicted class.

    Args:
        predictions: columns `predictions.PREDICTION_COLUMNS`.
        count: of images of each true class, at most.

    Returns:
        Columns image_id, label, predicted (both class names) and probability, by falling
        probability; what ties in that, by image id.
    """
    best = logits_of(predictions).argmax(axis=1)
    probabilities = predictions[list(PROBABILITY_COLUMNS)].to_numpy(dtype=np.float64)
    table = predictions[["image_id", "label"]].assign(
        predicted=np.asarray(CLASSES)[best],
        probability=probabilities[np.arange(len(best)), best],
    )
    wrong = table[table["label"] != table["predicted"]]
    ordered = wrong.sort_values(["probability", "image_id"], ascending=[False, True])
    return ordered.groupby("label", sort=False).head(count).reset_index(drop=True)


@own_style()
def mistakes_figure(images: np.ndarray, table: pd.DataFrame, title: str) -> Figure:
    """Wrongly classified images, one row per true class, the first six of each in the order given.

    Args:
        images: (m, pixels, pixels, 1), as recorded.
        table: of these images, row by row: image_id, label, predicted, probability (of the
            predicted class).
        title: of the figure.

    Raises:
        ValueError: where there are not as many images as rows of the table.
    """
    if len(images) != len(table):
        raise ValueError(f"{len(images)} images of mistakes, but {len(table)} rows of their table")
    most = max(table["label"].value_counts(), default=0)
    columns = int(np.clip(most, MIN_COLUMNS, COLUMNS))
    figure = new_figure(2.1 * columns, 2.6 * len(CLASSES), title, "compressed")
    panels = figure.subplots(len(CLASSES), columns, squeeze=False)
    for name, row in zip(CLASSES, panels, strict=True):
        chosen = np.flatnonzero(table["label"] == name)[:columns]
        for panel, index in zip(row, chosen, strict=False):
            show_image(panel, images[index, ..., 0], images.shape[1] / 2)
            panel.set_title(_caption(table.iloc[index]), fontsize=7)
        for panel in row:
            panel.set(xticks=[], yticks=[])
        for panel in row[len(chosen) :]:
            panel.spines[:].set_visible(False)
        row[0].set_ylabel(f"true: {CLASS_TITLES[name]}")
        if not len(chosen):
            row[0].text(0.5, 0.5, "none wrong", ha="center", va="center", color="0.35")
    return figure


def _caption(mistake: pd.Series) -> str:
    true, predicted = CLASS_TITLES[mistake["label"]], CLASS_TITLES[mistake["predicted"]]
    return "\n".join(
        [
            f"{true} → {predicted}, p = {mistake['probability']:.3f}",
            f"image {mistake['image_id']}",
        ]
    )
