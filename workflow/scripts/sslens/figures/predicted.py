"""What a regression predicts against what is true, and whether its distributions are right."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sslens.figures.style import PALETTE, new_figure, own_style, set_title
from sslens.metrics.distributions import is_inside
from sslens.metrics.regression import bins_of, calibrate, true_and_predicted
from sslens.targets import TARGETS

MAX_POINTS = 1500  # of a panel; more would hide one another, and swell the file
COLUMNS = 3  # rows of the table side by side, so that a page can show them
BINS = 12  # of the true values, and of PIT values
LEVELS = np.linspace(0.05, 0.95, 19)
SHOWN = 0.9  # share that the intervals are to hold which are shown by true value


@own_style()
def predicted_figure(
    predictions: Mapping[str, Sequence[pd.DataFrame]],
    targets: Sequence[str],
    limits: Mapping[str, float],
    title: str,
) -> Figure:
    """Predicted means over true values: a column for each row of the table, a row for each target.

    Of more than `COLUMNS` rows of the table, the others follow below, on the same axes.
    A point is a test image, by the first seed's network; the line is the mean of all seeds in bins
    of the true value, between means plus and minus the standard deviation that is predicted. A
    vertical line is the limit of resolution, where the target has one.

    Args:
        predictions: title -> predictions frames, one per seed.
        targets: that they are of.
        limits: target -> the value beyond which images do not show it.
        title: of the figure.
    """
    columns = min(len(predictions), COLUMNS)
    bands = -(-len(predictions) // columns)
    height = bands * len(targets)
    figure = new_figure(0.8 + 2.9 * columns, 0.6 + 3.0 * height, title)
    grid = figure.subplots(height, columns, squeeze=False, sharex="row", sharey="row")
    for target, rows in zip(targets, np.split(grid, len(targets)), strict=True):
        panels = rows.ravel()
        for (name, frames), panel in zip(predictions.items(), panels, strict=False):
            true, means, deviations = _of_seeds(frames, target)
            _draw_predicted(panel, true, means, deviations)
            if target in limits:
                panel.axvline(limits[target], color="0.5", linestyle=":", linewidth=1)
            set_title(panel, name)
            panel.set_xlabel(f"true {TARGETS[target].axis}")
        for first in rows[:, 0]:
            first.set_ylabel(f"predicted {TARGETS[target].axis}")
        if bands > 1:
            _share_axes(panels[: len(predictions)])
        for panel in panels[len(predictions) :]:
            panel.remove()
    return figure


def _share_axes(panels: np.ndarray) -> None:
    """Give panels (n,) the limits that hold what is in all of them."""
    for get, put in ((Axes.get_xlim, Axes.set_xlim), (Axes.get_ylim, Axes.set_ylim)):
        limits = [get(panel) for panel in panels]
        for panel in panels:
            put(panel, min(low for low, _ in limits), max(high for _, high in limits))


@own_style()
def calibration_figure(
    predictions: Mapping[str, Sequence[pd.DataFrame]],
    validation: Mapping[str, Sequence[pd.DataFrame]],
    target: str,
    title: str,
) -> Figure:
    """How far predicted distributions of a target can be believed: one column per row of the table.

    From above: mean absolute errors and mean predicted standard deviations by true value; the share
    of the true values, by true value, in intervals that hold 90 % of the validation images; the
    PIT histogram, of the probabilities that were predicted for values below the true one, which
    are even where predictions are right; and the share in central intervals over their probability.
    Standard deviations are scaled on validation images.

    Args:
        predictions: title -> predictions frames of the test set, one per seed.
        validation: the same of the validation set.
        target: that is shown.
        title: of the figure.
    """
    figure = new_figure(0.8 + 2.9 * len(predictions), 9.8, title)
    grid = figure.subplots(4, len(predictions), squeeze=False, sharey="row")
    for place, (name, frames) in enumerate(predictions.items()):
        true, errors, deviations, below, inside = (
            np.stack(part)
            for part in zip(
                *(
                    _calibrated(frame, own, target)
                    for frame, own in zip(frames, validation[name], strict=True)
                ),
                strict=True,
            )
        )
        _draw_errors(grid[0, place], true[0], errors.mean(axis=0), deviations.mean(axis=0), target)
        _draw_coverage_by_value(grid[1, place], true[0], inside, target)
        _draw_pit(grid[2, place], below.ravel())
        _draw_coverage(grid[3, place], below)
        set_title(grid[0, place], name)
    grid[0, 0].set_ylabel(f"{TARGETS[target].title}: error, deviation")
    grid[1, 0].set_ylabel(f"share within {100 * SHOWN:g} % intervals")
    grid[2, 0].set_ylabel("images, relative to even")
    grid[3, 0].set_ylabel("share within the interval")
    grid[0, 0].legend(fontsize="x-small", frameon=False)
    return figure


def _of_seeds(
    frames: Sequence[pd.DataFrame], target: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True values (n,), means and deviations (seeds, n)."""
    parts = [true_and_predicted(frame, target) for frame in frames]
    means, deviations = ([getattr(own, key) for _, own in parts] for key in ("mean", "deviation"))
    return parts[0][0], np.stack(means), np.stack(deviations)


def _calibrated(
    frame: pd.DataFrame, validation: pd.DataFrame, target: str
) -> tuple[np.ndarray, ...]:
    """What is drawn of every image (n,), calibrated on validation images.

    The true value, the absolute error, the deviation, the PIT, and whether the true value is in the
    interval that is `SHOWN`.
    """
    (true, found), (held_out, own) = (
        true_and_predicted(frame, target),
        true_and_predicted(validation, target),
    )
    calibration = calibrate(held_out, own)
    scaled = found.scaled(calibration.scale)
    below = scaled.below(true)
    inside = is_inside(below, calibration.levels[SHOWN])
    return true, np.abs(true - found.mean), scaled.deviation, below, inside


def _draw_predicted(
    panel: Axes, true: np.ndarray, means: np.ndarray, deviations: np.ndarray
) -> None:
    shown = slice(None, None, -(-len(true) // MAX_POINTS))
    panel.plot(true[shown], means[0][shown], ".", color="0.7", markersize=2, zorder=1)
    panel.axline((true[0], true[0]), slope=1, color="0.4", linewidth=0.8, zorder=2)
    centres, (mean, deviation) = _binned(true, means.mean(0), deviations.mean(0))
    panel.plot(centres, mean, color=PALETTE[1], zorder=4)
    low, high = mean - deviation, mean + deviation
    panel.fill_between(centres, low, high, color=PALETTE[1], alpha=0.2, linewidth=0, zorder=3)
    panel.grid(color="0.92", linewidth=0.5)


def _draw_errors(
    panel: Axes, true: np.ndarray, errors: np.ndarray, deviations: np.ndarray, target: str
) -> None:
    centres, (error, deviation) = _binned(true, errors, deviations)
    panel.plot(centres, error, "o-", color=PALETTE[0], markersize=3, label="mean absolute error")
    panel.plot(centres, deviation, "--", color=PALETTE[1], label="predicted deviation")
    panel.set(xlabel=f"true {TARGETS[target].axis}", ylim=(0, None))
    panel.grid(color="0.92", linewidth=0.5)


def _draw_coverage_by_value(panel: Axes, true: np.ndarray, inside: np.ndarray, target: str) -> None:
    centres, (share,) = _binned(true, inside.mean(axis=0))
    panel.axhline(SHOWN, color="0.4", linewidth=0.8)
    panel.plot(centres, share, "o-", color=PALETTE[1], markersize=3)
    panel.set(xlabel=f"true {TARGETS[target].axis}", ylim=(0, 1.03))
    panel.grid(color="0.92", linewidth=0.5)


def _draw_pit(panel: Axes, below: np.ndarray) -> None:
    counts, edges = np.histogram(below, BINS, (0, 1))
    panel.stairs(counts * BINS / len(below), edges, color=PALETTE[1], fill=True, alpha=0.4)
    panel.axhline(1, color="0.4", linewidth=0.8)
    panel.set(xlabel="probability below the true value", xlim=(0, 1), ylim=(0, None))


def _draw_coverage(panel: Axes, below: np.ndarray) -> None:
    shares = [is_inside(below, level).mean() for level in LEVELS]
    panel.plot([0, 1], [0, 1], color="0.4", linewidth=0.8)
    panel.plot(LEVELS, shares, "o-", color=PALETTE[1], markersize=3)
    panel.set(xlabel="probability of the interval", xlim=(0, 1), ylim=(0, 1))
    panel.grid(color="0.92", linewidth=0.5)


def _binned(true: np.ndarray, *values: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Centres of bins of the true values that have images, and the means of values in them."""
    edges, places = bins_of(true, BINS)
    filled = np.unique(places)
    centres = (edges[filled] + edges[filled + 1]) / 2
    return centres, [np.array([v[places == place].mean() for place in filled]) for v in values]
