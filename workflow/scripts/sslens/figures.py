"""Figures: ROC curves from predictions, training curves from histories.

Built on matplotlib's object-oriented interface with the Agg canvas: no pyplot, no global figure,
no display. Files are written bit for bit the same for the same input.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import TypeAlias

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import roc_curve

from sslens.auc import log_odds
from sslens.classes import CLASSES
from sslens.diagnostics import ended_collapsed
from sslens.evaluation import LOGIT_COLUMNS, score
from sslens.files import atomic_path

#: Okabe & Ito's colour-blind-safe palette, its yellow left out (too pale for a line on white).
PALETTE = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
#: Line styles, so that lines are told apart in black and white too. As many do not divide the
#: number of colours: a pair (colour, style) comes again only after 7 x 5 lines.
LINE_STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (9, 3)))
CLASS_TITLES = {"axion": "axion", "cdm": "CDM", "no_sub": "no substructure"}

Predictions: TypeAlias = pd.DataFrame | Sequence[pd.DataFrame]


def line_looks(count: int) -> list[dict]:
    """Keyword arguments (colour, line style) for `count` lines, the first 35 all different."""
    looks = zip(cycle(PALETTE), cycle(LINE_STYLES), strict=False)
    return [{"color": colour, "linestyle": style} for colour, style in islice(looks, count)]


# --- ROC -----------------------------------------------------------------------------------------


def roc_figure(predictions: Mapping[str, Predictions], title: str) -> Figure:
    """ROC curves of one data set: a column a class (one-vs-rest), a line an arm.

    `predictions` maps the title of an arm to its predictions frame, or to several, one a seed: each
    seed is drawn, and the legend has the mean of their AUCs, as the comparison table has. Images
    are ranked by `evaluation.log_odds`, so the area under a line is the AUC of the table.

    The first row is the ROC plane with equal axes; its legends hold the AUCs. Good classifiers
    crowd in its corner at (0, 1), so the second row shows the same lines over a logarithmic
    false-positive rate, cut to the true-positive rates they have there. (An inset did not do: it
    hides weak classifiers, and strong ones leave it empty.) The legend below names the arms.

    Raises ValueError where there are no predictions.
    """
    if not predictions:
        raise ValueError("no predictions to draw")
    arms = {
        name: [frames] if isinstance(frames, pd.DataFrame) else list(frames)
        for name, frames in predictions.items()
    }
    legend_rows = -(-len(arms) // len(CLASSES))
    figure = Figure(figsize=(12.5, 8.0 + 0.22 * legend_rows), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    rows = figure.subplots(2, len(CLASSES), height_ratios=(4, 3))
    aucs = {
        name: pd.DataFrame([score(frame)["auc"] for frame in frames]).mean()
        for name, frames in arms.items()
    }
    for c, (plane, corner) in enumerate(rows.T):
        looks = zip(line_looks(len(arms)), _line_widths(len(arms)), strict=True)
        for (name, frames), (look, width) in zip(arms.items(), looks, strict=True):
            auc = aucs[name][CLASSES[c]]
            for seed, frame in enumerate(frames):
                rates = _roc_curve(frame, c)
                label = f"{auc:.4f}" if seed == 0 else None
                plane.plot(*rates, linewidth=width, label=label, **look)
                corner.plot(*rates, linewidth=width, **look)
        plane.legend(title="AUC", loc="lower right", fontsize="small", handlelength=4)
        _style_plane(plane, f"{CLASS_TITLES[CLASSES[c]]} vs rest")
        _style_corner(corner)
    for panel in rows[:, 0]:
        panel.set_ylabel("true-positive rate")
    handles, _ = rows[0, 0].get_legend_handles_labels()
    _legend_below(figure, handles, list(arms), columns=len(CLASSES))
    return figure


def _legend_below(figure: Figure, handles: list, labels: list[str], columns: int) -> None:
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        handlelength=4,
    )


def _line_widths(count: int) -> np.ndarray:
    """Widths in points, falling, so that a line shows on both sides of one drawn on top of it."""
    return np.linspace(2.4, 1.2, count)


def _style_plane(panel: Axes, title: str) -> None:
    panel.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, zorder=1)
    panel.set(title=title, xlabel="false-positive rate", aspect="equal")
    panel.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015))


def _style_corner(panel: Axes) -> None:
    """A logarithmic false-positive rate from 0.001 on, the true-positive rates from the lowest."""
    floor = 1e-3
    # A curve is a staircase: at `floor` it stands where its last step before that left it.
    curves = [np.asarray(line.get_xydata()) for line in panel.lines]
    heights = [np.max(y[x <= floor]) for x, y in (curve.T for curve in curves)]
    lowest = min(0.9, np.floor(10 * min(heights)) / 10)
    if lowest < 0.5:  # above that, only a meaningless sliver of the chance line would be seen
        chance = np.geomspace(floor, 1)
        panel.plot(chance, chance, color="0.6", linewidth=0.8, zorder=1)
    panel.set(xscale="log", xlim=(floor, 1), xlabel="false-positive rate, logarithmic")
    panel.set_ylim(lowest - 0.02 * (1 - lowest), 1 + 0.02 * (1 - lowest))
    panel.grid(color="0.9", linewidth=0.5)


def _roc_curve(predictions: pd.DataFrame, c: int) -> tuple[np.ndarray, np.ndarray]:
    logits = predictions[list(LOGIT_COLUMNS)].to_numpy(dtype=np.float64)
    of_class = predictions["label"].to_numpy() == CLASSES[c]
    false_positive_rate, true_positive_rate, _ = roc_curve(of_class, log_odds(logits)[:, c])
    return false_positive_rate, true_positive_rate


# --- training curves -----------------------------------------------------------------------------

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
#: Panels side by side; more go into another row.
PANELS_A_ROW = 4
_HOLLOW = {"linewidth": 0.7, "marker": "o", "markersize": 4, "markerfacecolor": "white"}


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
    shown = [p for p in HISTORY_PANELS if any(_recorded(f, p[1]) for f in history.values())]
    columns = min(len(shown), PANELS_A_ROW)
    panel_rows, legend_rows = (-(-count // columns) for count in (len(shown), len(history)))
    size = (3.4 * columns, 0.3 + 2.6 * panel_rows + 0.22 * legend_rows)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    panels = figure.subplots(panel_rows, columns, squeeze=False).ravel()
    for unused in panels[len(shown) :]:
        unused.remove()
    names = list(rows or history)
    looks = dict(zip(names, line_looks(len(names)), strict=True))
    for panel, (heading, column, partner, from_zero) in zip(panels, shown, strict=False):
        for name, frame in history.items():
            look = looks[name]
            if partner and _recorded(frame, partner):
                panel.plot(frame["epoch"], frame[partner], **look, **_HOLLOW)
            # Every run has its line in every panel, if an empty one: one legend serves them all.
            values = frame.get(column, pd.Series(np.nan, index=frame.index))
            panel.plot(frame["epoch"], values, marker=".", linewidth=1.4, label=name, **look)
        panel.set_title(heading, fontsize="medium")
        panel.set_xlabel("epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panel.grid(color="0.92", linewidth=0.5)
        if from_zero:
            panel.update_datalim([(panel.dataLim.x0, 0)])
            panel.autoscale_view()
    handles, names = panels[0].get_legend_handles_labels()
    labels = [f"{name} (collapsed)" if _ended_collapsed(history[name]) else name for name in names]
    _legend_below(figure, handles, labels, columns=columns)
    return figure


def _ended_collapsed(frame: pd.DataFrame) -> bool:
    return "collapsed" in frame.columns and ended_collapsed(frame)


def _recorded(frame: pd.DataFrame, column: str) -> bool:
    return column in frame.columns and bool(frame[column].notna().any())


# --- files ---------------------------------------------------------------------------------------


def save_figure(figure: Figure, paths: Iterable[str | os.PathLike]) -> None:
    """Write a figure to each path, in the format of its suffix (.png, .svg, .pdf), atomically.

    The same figure gives the same bytes: no date is written, and the ids inside an SVG come from a
    fixed salt rather than a random one. Raises ValueError for a format matplotlib does not know.
    """
    for path in map(Path, paths):
        suffix = path.suffix.removeprefix(".")
        # A PNG has no date field, and matplotlib refuses metadata a format does not have.
        dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        with (
            atomic_path(path) as temporary,
            matplotlib.rc_context({"svg.hashsalt": "sslens"}),
        ):
            figure.savefig(temporary, format=suffix, dpi=150, metadata=dates.get(suffix))
