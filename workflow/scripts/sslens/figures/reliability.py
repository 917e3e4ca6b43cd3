"""Whether probabilities can be believed: reliability diagrams."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sslens.figures.style import PALETTE, new_figure, own_style, panel_grid, set_title
from sslens.metrics.calibration import error_of_bins

#: Panels side by side; more go into another row.
PANELS_PER_ROW = 4
#: Square points of a marker that holds all images of a curve; its area falls with their share.
FULL_AREA = 260.0
#: Kind of curve -> what the legend calls it.
CURVES = {"plain": "as predicted", "calibrated": "temperature-scaled"}
LOOKS = {
    "plain": ("-", "o", PALETTE[2]),
    "calibrated": ((0, (5, 1.5)), "D", PALETTE[1]),
}


@own_style()
def reliability_figure(curves: Mapping[str, Mapping[str, pd.DataFrame]], title: str) -> Figure:
    """Reliability diagrams (Guo et al. 2017, arXiv:1706.04599), a panel a row of the table.

    Accuracy over confidence, the probability of the predicted class, a marker a bin with an area in
    proportion to its share of the images. On the diagonal, probabilities are what they say; below
    it, too confident. The legends have the expected calibration errors.

    Args:
        curves: title -> "plain" or "calibrated" (after temperature scaling) or both -> a bin a
            row: `confidence` and `accuracy`, their means, and `images`, how many; a bin without
            images is left out.
        title: of the figure.

    Raises:
        ValueError: where there is no curve, one is of another kind, or has no images.
    """
    if not curves or not all(curves.values()):
        raise ValueError("no reliability curves to draw")
    columns = min(len(curves), PANELS_PER_ROW)
    rows = -(-len(curves) // columns)
    figure = new_figure(max(4.2, 0.4 + 2.9 * columns), 0.6 + 3.0 * rows, title, "compressed")
    panels = panel_grid(figure, len(curves), columns, sharex=True, sharey=True)
    for panel, (name, kinds) in zip(panels, curves.items(), strict=True):
        panel.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, zorder=1)
        for kind, bins in kinds.items():
            if kind not in CURVES:
                raise ValueError(f"unknown curve {kind!r}; known are {', '.join(CURVES)}")
            if not np.sum(bins["images"]):
                raise ValueError(f"the {kind} reliability curve of {name} has no images")
            _draw(panel, bins[bins["images"] > 0], kind)
        panel.legend(loc="upper left", fontsize="x-small", frameon=False, handlelength=3)
        set_title(panel, name)
        panel.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        panel.grid(color="0.92", linewidth=0.5)
        panel.tick_params(labelleft=True, labelbottom=True, labelsize="small")
    figure.supxlabel("confidence (probability of the predicted class)", fontsize="medium")
    figure.supylabel("accuracy", fontsize="medium")
    return figure


def _draw(panel: Axes, bins: pd.DataFrame, kind: str) -> None:
    style, marker, colour = LOOKS[kind]
    line: dict[str, Any] = {"linestyle": style, "color": colour, "linewidth": 1.4}
    panel.plot(bins["confidence"], bins["accuracy"], **line)
    panel.scatter(
        bins["confidence"],
        bins["accuracy"],
        s=FULL_AREA * bins["images"] / np.sum(bins["images"]),
        color=colour,
        marker=marker,
        alpha=0.75,
        linewidth=0,
        zorder=3,
    )
    # for the legend: markers in the panel are of different sizes
    label = f"{CURVES[kind]}, ECE {error_of_bins(bins):.3f}"
    panel.plot([], [], marker=marker, markersize=4, label=label, **line)
