"""All methods on all data sets: macro AUCs with their intervals."""

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sslens.figures.style import PALETTE, new_figure, own_style

#: Looks of an interval of a method, and of one of its networks alone.
OF_METHOD = {"markersize": 6, "elinewidth": 1.6, "capsize": 3}
OF_NETWORKS = OF_METHOD | {"markerfacecolor": "white"}


@own_style()
def intervals_figure(
    summary: pd.DataFrame,
    rows: Mapping[str, str],
    datasets: Mapping[str, str],
    title: str,
    column: str = "auc_macro",
    measure: str = "macro AUC",
) -> Figure:
    """A panel per data set, a row per method: its macro AUC, or another measure, with its interval.

    Hollow points have intervals of the networks, with other test images alone; where a table has
    too few seeds for methods, all are hollow. A vertical line is at the AUC of what rows are
    compared with, of which no row is marked.

    Args:
        summary: of `comparison.summary.summarise`, with one share of the labels and one protocol.
        rows, datasets: names to titles, in their order.
        title: of the figure.
        column, measure: of the summary, and its name.

    Raises:
        ValueError: where the summary has none of the rows.
    """
    cells = summary[summary["arm"].isin(list(rows))]
    if cells.empty:
        raise ValueError("no methods to draw")
    names = [textwrap.fill(name, 34) for name in rows.values()]
    height = 1.1 + sum(0.2 + 0.16 * (1 + name.count("\n")) for name in names)
    figure = new_figure(2.6 + 2.5 * len(datasets), height, title)
    panels = figure.subplots(1, len(datasets), squeeze=False, sharey=True)[0]
    hollow = " (hollow: these networks)" if cells[f"{column}_low"].isna().any() else ""
    for panel, (dataset, heading) in zip(panels, datasets.items(), strict=True):
        _draw(panel, cells[cells["dataset"] == dataset].set_index("arm"), list(rows), column)
        panel.set_title(heading)
        panel.xaxis.set_major_locator(MaxNLocator(4))
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    figure.supxlabel(f"{measure}{hollow}", fontsize=panels[0].xaxis.label.get_size())
    return figure


def _draw(panel: Axes, cells: pd.DataFrame, arms: list[str], column: str) -> None:
    """The rows of one data set, those that it has."""
    for reference in cells["reference"].dropna().unique():
        if reference in cells.index:
            panel.axvline(cells.loc[reference, column], color="0.6", linewidth=1, zorder=0)
    for place, arm in enumerate(arms):
        if arm not in cells.index:
            continue
        cell = cells.loc[arm]
        of_method = bool(np.isfinite(cell[f"{column}_low"]))
        start = column if of_method else f"{column}_networks"
        low, high = (cell[f"{start}_{end}"] for end in ("low", "high"))
        mean = cell[column]
        panel.errorbar(
            mean,
            place,
            xerr=[[mean - low], [high - mean]],
            fmt="o",
            color=PALETTE[place % len(PALETTE)],
            **(OF_METHOD if of_method else OF_NETWORKS),
        )
    panel.grid(axis="x", color="0.92", linewidth=0.5)
    panel.tick_params(axis="y", length=0)
