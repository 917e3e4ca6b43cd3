"""Training curves from histories."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sslens.figures.style import (
    legend_below,
    legend_columns,
    legend_height,
    line_looks,
    new_figure,
    own_style,
    panel_grid,
)
from sslens.metrics.collapse import ended_collapsed

#: The panels of `history_figure`: heading, the column drawn as a line, a column drawn thin with
#: hollow points in the same colour (its partner or reference), and whether the axis starts at zero.
HISTORY_PANELS = (
    ("loss (hollow: validation)", "loss", "validation_loss", False),
    ("AUC (hollow: validation)", "auc", "validation_auc", False),
    ("learning rate", "learning_rate", None, True),
    ("images per second", "images_per_second", None, True),
    ("embedding std (hollow: 1/√d)", "embedding_std", "embedding_std_uniform", True),
    ("effective rank of the features", "effective_rank", None, True),
    ("alignment (0: views alike)", "alignment", None, True),
    ("uniformity (0: all alike)", "uniformity", None, True),
    ("AUC of nearest neighbours", "neighbour_auc", None, False),
)
#: Columns of a history without a panel; what a method measures has one after all others.
NOT_DRAWN = ("epoch", "step", "operations", "collapsed", "accuracy")
#: Losses of runs that differ by more than this factor are on a logarithmic axis.
APART = 30.0
#: Panels side by side; more go into another row.
PANELS_PER_ROW = 4
_HOLLOW: dict[str, Any] = {
    "linewidth": 0.7,
    "marker": "o",
    "markersize": 4,
    "markerfacecolor": "white",
}


@own_style()
def history_figure(
    history: Mapping[str, pd.DataFrame], title: str, rows: Sequence[str] = ()
) -> Figure:
    """Training curves of one or more runs over epochs, a small panel a quantity.

    `history` maps a run's title to its history (columns `epoch`, `loss`, `learning_rate`, ...; see
    `HISTORY_PANELS`). A quantity that no run recorded gets no panel. An embedding whose standard
    deviation falls far below the hollow 1/sqrt(d), what d dimensions of vectors spread uniformly
    over the unit sphere have (Chen & He 2021, SimSiam), has collapsed; the legend says so of a run
    that ended like that. `rows` are the titles of all rows of the table, so that a row looks the
    same in every figure.

    Raises ValueError where there is no history, or one lacks `epoch` or `loss`.
    """
    if not history:
        raise ValueError("no history to draw")
    for name, frame in history.items():
        missing = {"epoch", "loss"} - set(frame.columns)
        if missing:
            raise ValueError(f"history of {name} lacks {', '.join(sorted(missing))}")
    shown = [
        panel
        for panel in (*HISTORY_PANELS, *_further_panels(history.values()))
        if any(_recorded(frame, panel[1]) for frame in history.values())
    ]
    columns = min(len(shown), PANELS_PER_ROW)
    width = 3.4 * columns
    legend = legend_columns(history, width, columns)
    height = 0.3 + 2.6 * -(-len(shown) // columns) + legend_height(len(history), legend)
    figure = new_figure(width, height, title)
    panels = panel_grid(figure, len(shown), columns)
    names = list(rows or history)
    looks = dict(zip(names, line_looks(len(names)), strict=True))
    for panel, (heading, column, partner, from_zero) in zip(panels, shown, strict=True):
        for name, frame in history.items():
            look = looks[name]
            if partner and _recorded(frame, partner):
                panel.plot(frame["epoch"], frame[partner], **look, **_HOLLOW)
            # Every run has its line in every panel, if an empty one: one legend serves them all.
            values = frame.get(column, pd.Series(np.nan, index=frame.index))
            panel.plot(frame["epoch"], values, marker=".", linewidth=1.4, label=name, **look)
        if column == "loss" and _are_apart([frame[column] for frame in history.values()]):
            panel.set_yscale("log")
        panel.set_title(heading, fontsize="medium")
        panel.set_xlabel("epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panel.grid(color="0.92", linewidth=0.5)
        if from_zero:
            panel.update_datalim([(panel.dataLim.x0, 0)])
            panel.autoscale_view()
    handles, names = panels[0].get_legend_handles_labels()
    labels = [f"{name} (collapsed)" if _ended_collapsed(history[name]) else name for name in names]
    legend_below(figure, handles, labels, legend)
    return figure


def _further_panels(frames: Iterable[pd.DataFrame]) -> list[tuple[str, str, str | None, bool]]:
    """Panels of the columns that `HISTORY_PANELS` does not know, beside those of validation."""
    excluded = {*NOT_DRAWN, *(column for _, *columns, _ in HISTORY_PANELS for column in columns)}
    columns = dict.fromkeys(column for frame in frames for column in frame.columns)
    found: list[tuple[str, str, str | None, bool]] = []
    for column in columns:
        if column in excluded or column.removeprefix("validation_") in columns.keys() - {column}:
            continue
        heading, partner = column.replace("_", " "), f"validation_{column}"
        if partner in columns:
            found.append((f"{heading} (hollow: validation)", column, partner, False))
        else:
            found.append((heading, column, None, False))
    return found


def _are_apart(losses: Iterable[pd.Series]) -> bool:
    """Whether losses are all positive, and their medians so far apart that some would look flat."""
    recorded = [own.dropna() for own in losses if own.notna().any()]
    medians = [own.median() for own in recorded]
    positive = len(medians) > 1 and all((own > 0).all() for own in recorded)
    return positive and max(medians) > APART * min(medians)


def _ended_collapsed(frame: pd.DataFrame) -> bool:
    return "collapsed" in frame.columns and ended_collapsed(frame)


def _recorded(frame: pd.DataFrame, column: str) -> bool:
    return column in frame.columns and bool(frame[column].notna().any())
