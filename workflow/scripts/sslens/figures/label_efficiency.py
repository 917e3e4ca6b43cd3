"""How few labels do: AUC over the number of labelled images."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from matplotlib.transforms import ScaledTranslation

from sslens.figures.style import (
    legend_below,
    legend_columns,
    legend_height,
    line_looks,
    markers,
    new_figure,
    own_style,
)

#: Points by which neighbouring arms are shifted, so that error bars do not hide each other.
SHIFT = 3.0
WIDTH = 7.0


@own_style()
def label_efficiency_figure(table: pd.DataFrame, rows: Mapping[str, str], title: str) -> Figure:
    """Macro AUC over labelled training images, a line an arm.

    The line is the mean over the seeds; where there are several, they are faint points, and error
    bars are their standard deviation. Arms are drawn a little beside each other.

    Args:
        table: a row a cell and seed: `arm`, `labels` (the fraction, in (0, 1]), `labelled_images`
            (how many training images that is), `seed`, `auc_macro`.
        rows: arm -> title, of all rows of the comparison table, so that a row looks the same in
            every figure; arms that are not among them are left out.
        title: of the figure.

    Raises:
        ValueError: where no arm of `rows` is in the table.
    """
    table = table[table["arm"].isin(list(rows))]
    if table.empty:
        raise ValueError("no AUCs over labels to draw")
    drawn = [arm for arm in rows if arm in set(table["arm"])]
    looks = dict(
        zip(rows, zip(line_looks(len(rows)), markers(len(rows)), strict=True), strict=True)
    )
    columns = legend_columns([rows[arm] for arm in drawn], WIDTH, len(drawn))
    figure = new_figure(WIDTH, 4.6 + legend_height(len(drawn), columns), title)
    panel = figure.subplots()
    panel.set_xscale("log")
    for place, arm in enumerate(drawn):
        of_arm = table[table["arm"] == arm]
        cells = of_arm.groupby("labelled_images")["auc_macro"].agg(["mean", "std", "count"])
        look, marker = looks[arm]
        points = SHIFT * (place - (len(drawn) - 1) / 2)
        shift = ScaledTranslation(points / 72, 0, figure.dpi_scale_trans)
        shifted: dict[str, Any] = {"transform": panel.transData + shift}
        panel.plot(
            cells.index,
            cells["mean"],
            marker=marker,
            markersize=5,
            label=rows[arm],
            **look,
            **shifted,
        )
        several = cells[cells["count"] > 1]
        panel.errorbar(
            several.index,
            several["mean"],
            yerr=several["std"],
            fmt="none",
            ecolor=look["color"],
            elinewidth=1.2,
            capsize=3,
            **shifted,
        )
        seeds = of_arm[of_arm["labelled_images"].isin(several.index)]
        panel.plot(
            seeds["labelled_images"],
            seeds["auc_macro"],
            linestyle="none",
            marker=marker,
            markersize=3,
            markeredgewidth=0,
            color=look["color"],
            alpha=0.4,
            **shifted,
        )
    ticks = table.groupby("labels")["labelled_images"].first()
    words = [f"{images}\n({100 * fraction:g} %)" for fraction, images in ticks.items()]
    panel.set_xticks(ticks.to_list(), words)
    panel.xaxis.set_minor_locator(NullLocator())
    _set_limits(panel, table)
    panel.set(xlabel="labelled training images (share of all)", ylabel="macro AUC")
    panel.grid(color="0.92", linewidth=0.5)
    handles, names = panel.get_legend_handles_labels()
    legend_below(figure, handles, names, columns)
    return figure


def _set_limits(panel: Axes, table: pd.DataFrame) -> None:
    """Limits around all points and error bars: what is shifted, matplotlib does not see."""
    cells = (
        table.groupby(["arm", "labelled_images"])["auc_macro"]
        .agg(["mean", "std"])
        .fillna({"std": 0})
    )
    low = min(table["auc_macro"].min(), (cells["mean"] - cells["std"]).min())
    high = max(table["auc_macro"].max(), (cells["mean"] + cells["std"]).max())
    slack = 0.05 * (high - low) or 0.01
    panel.set_ylim(low - slack, high + slack)
    fewest, most = table["labelled_images"].min(), table["labelled_images"].max()
    factor = max((most / fewest) ** 0.07, 1.2)
    panel.set_xlim(fewest / factor, most * factor)
