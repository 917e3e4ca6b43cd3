"""The images with the largest errors of a regression, in predicted standard deviations."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sslens.figures.images import show_image
from sslens.figures.style import new_figure, own_style
from sslens.metrics.regression import true_and_predicted
from sslens.targets import TARGETS

COLUMNS, ROWS = 6, 2


def most_standardised(
    predictions: Sequence[pd.DataFrame], target: str, count: int = COLUMNS * ROWS
) -> pd.DataFrame:
    """The images with the largest errors in predicted deviations, as means over predictions.

    Args:
        predictions: frames of the same images, of several networks.
        target: that is shown.
        count: of images.

    Returns:
        Columns image_id, true, mean, deviation and errors (in deviations), by falling errors; what
        ties in these, by image id. Mean and deviation are means over the networks.
    """
    found = [true_and_predicted(frame, target) for frame in predictions]
    true = found[0][0]
    errors = [np.abs(true - own.mean) / own.deviation for _, own in found]
    first = predictions[0]
    table = pd.DataFrame(
        {
            "image_id": first["image_id"][first[f"true_{target}"].notna()].to_numpy(),
            "true": true,
            "mean": np.mean([own.mean for _, own in found], axis=0),
            "deviation": np.mean([own.deviation for _, own in found], axis=0),
            "errors": np.mean(errors, axis=0),
        }
    )
    ordered = table.sort_values(["errors", "image_id"], ascending=[False, True])
    return ordered.head(count).reset_index(drop=True)


@own_style()
def outliers_figure(images: np.ndarray, table: pd.DataFrame, target: str, title: str) -> Figure:
    """Images with what is true and what is predicted of them.

    Args:
        images: (m, pixels, pixels, 1), as recorded.
        table: of `most_standardised`, of these images row by row.
        target: that is shown.
        title: of the figure.
    """
    rows = max(-(-len(table) // COLUMNS), 1)
    figure = new_figure(2.1 * COLUMNS, 0.3 + 2.6 * rows, title, "compressed")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for panel in panels:
        panel.set(xticks=[], yticks=[])
    for panel, image, (_, row) in zip(panels, images, table.iterrows(), strict=False):
        show_image(panel, image[..., 0], images.shape[1] / 2)
        panel.set(xticks=[], yticks=[])
        predicted = f"{row['mean']:.4g} ± {row['deviation']:.2g}"
        caption = f"true {row['true']:.4g}, predicted {predicted}\n{row['image_id']}"
        panel.set_title(caption, fontsize=7)
    for panel in panels[len(table) :]:
        panel.spines[:].set_visible(False)
    figure.supxlabel(TARGETS[target].axis, fontsize="small")
    return figure
