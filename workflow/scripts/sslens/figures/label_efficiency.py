"""How few labels do: AUCs, or errors, over the number of labelled images."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
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
def label_efficiency_figure(
    table: pd.DataFrame,
    rows: Mapping[str, str],
    title: str,
    column: str = "auc_macro",
    measure: str = "macro AUC",
    logarithmic: bool = False,
) -> Figure:
    """Macro AUC, or another measure, over labelled training images, one line per arm.

    The line is the mean over the seeds; where there are several, they are faint points, and error
    bars are their standard deviation. Arms are drawn a little beside each other.

    Args:
        table: one row per cell and seed: `arm`, `labels` (the fraction, in (0, 1]),
            `labelled_images` (how many training images that is), `seed`, and the measure.
        rows: arm -> title, of all rows of the comparison table, so that a row looks the same in
            every figure; arms that are not among them are left out.
        title: of the figure.
        column, measure: of the table, and what its axis is called.
        logarithmic: whether that axis is, as suits errors, which fall as powers of the number.

    Raises:
        ValueError: where no arm of `rows` is in the table.
    """
    table = table[table["arm"].isin(list(rows))]
    if table.empty:
        raise ValueError(f"no {measure} over labels to draw")
    drawn = [arm for arm in rows if arm in set(table["arm"])]
    looks = dict(
        zip(rows, zip(line_looks(len(rows)), markers(len(rows)), strict=True), strict=True)
    )
    columns = legend_columns([rows[arm] for arm in drawn], WIDTH, len(drawn))
    figure = new_figure(WIDTH, 4.6 + legend_height(len(drawn), columns), title)
    panel = figure.subplots()
    panel.set_xscale("log")
    panel.set_yscale("log" if logarithmic else "linear")
    for place, arm in enumerate(drawn):
        of_arm = table[table["arm"] == arm]
        cells = of_arm.groupby("labelled_images")[column].agg(["mean", "std", "count"])
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
            seeds[column],
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
    _set_limits(panel, table, column)
    panel.set(xlabel="labelled training images (share of all)", ylabel=measure)
    panel.grid(color="0.92", linewidth=0.5)
    handles, names = panel.get_legend_handles_labels()
    legend_below(figure, handles, names, columns)
    return figure


def _set_limits(panel: Axes, table: pd.DataFrame, column: str) -> None:
    """Limits around all points and error bars: what is shifted, matplotlib does not see."""
    cells = table.groupby(["arm", "labelled_images"])[column].agg(["mean", "std"])
    cells = cells.fillna({"std": 0})
    ends = pd.concat([table[column], cells["mean"] - cells["std"], cells["mean"] + cells["std"]])
    if panel.get_yscale() == "log":
        ends = ends[ends > 0]  # a bar may reach below
        panel.set_ylim(ends.min() / 1.1, ends.max() * 1.1)
        ticks = LogLocator(subs=(1, 2, 5))
        panel.yaxis.set(major_locator=ticks, major_formatter="{x:g}", minor_locator=NullLocator())
    else:
        slack = 0.05 * (ends.max() - ends.min()) or 0.01
        panel.set_ylim(ends.min() - slack, ends.max() + slack)
    fewest, most = table["labelled_images"].min(), table["labelled_images"].max()
    factor = max((most / fewest) ** 0.07, 1.2)
    panel.set_xlim(fewest / factor, most * factor)
