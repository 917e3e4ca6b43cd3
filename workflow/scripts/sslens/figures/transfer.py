"""What a pretraining on one data set is worth on another: a heat map of AUCs, or errors."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sslens.figures.style import SEQUENTIAL, new_figure, own_style, text_colours


@own_style()
def transfer_figure(
    matrix: pd.DataFrame,
    baseline: pd.Series | None,
    title: str,
    measure: str = "macro AUC",
    number: str = ".3f",
) -> Figure:
    """Heat map of macro AUCs: where an encoder was pretrained by where it was fine-tuned.

    A cell has its AUC and, in brackets, what that is above the baseline of its column, which is the
    row on top. Cells that were not run are grey.

    Args:
        matrix: titles of sources by rows, of targets by columns; NaN where not run.
        baseline: macro AUCs without pretraining, by target, NaN where the run has none of these
            encoders; its name, if it has one, is that of the row.
        title: of the figure.
        measure: what the numbers are.
        number: their format.

    Raises:
        ValueError: where nothing was run, or the baseline lacks a target.
    """
    if matrix.empty or not matrix.notna().any(axis=None):
        raise ValueError(f"no {measure} of a transfer to draw")
    missing = [] if baseline is None else [t for t in matrix.columns if t not in baseline.index]
    if missing:
        raise ValueError(f"no baseline for {', '.join(missing)}")
    values = matrix.to_numpy(dtype=np.float64)
    sources = [str(name) for name in matrix.index]
    differences = np.full(values.shape, np.nan)
    if baseline is not None:
        reference = baseline[matrix.columns].to_numpy(dtype=np.float64)
        differences = np.concatenate([np.full((1, values.shape[1]), np.nan), values - reference])
        values = np.concatenate([reference[None], values])
        sources = [str(baseline.name or "no pretraining"), *sources]
    names = [textwrap.fill(name, 24) for name in sources]
    height, width = values.shape
    figure = new_figure(2.9 + 1.3 * width, 1.6 + 0.62 * height, title)
    panel = figure.subplots()
    panel.set_facecolor("0.88")
    low, high = np.nanmin(values), np.nanmax(values)
    image = panel.imshow(
        np.ma.masked_invalid(values),
        cmap=SEQUENTIAL,
        vmin=low if low < high else high - 0.01,  # a colour bar has two ends
        vmax=high,
        aspect="auto",
    )
    colours = text_colours(image, values)
    for (row, column), value in np.ndenumerate(values):
        words, difference = format(value, number), differences[row, column]
        if np.isfinite(difference):
            words += f"\n({difference:+z{number}})".replace("-", "\N{MINUS SIGN}")
        known = np.isfinite(value)
        # a row of other encoders is no baseline of these
        absent = "none of this\nencoder" if baseline is not None and row == 0 else "not run"
        panel.text(
            column,
            row,
            words if known else absent,
            color=str(colours[row, column]) if known else "0.35",
            ha="center",
            va="center",
            fontsize="medium" if known else "small",
        )
    for between in np.arange(1, height) - 0.5:
        thick = baseline is not None and between == 0.5
        panel.axhline(between, color="white", linewidth=6 if thick else 1)
    for between in np.arange(1, width) - 0.5:
        panel.axvline(between, color="white", linewidth=1)
    panel.set_xticks(range(width), [textwrap.fill(str(name), 16) for name in matrix.columns])
    panel.set_yticks(range(height), names)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.set(xlabel="fine-tuned and tested on", ylabel="pretrained on")
    figure.colorbar(image, ax=panel, label=measure, aspect=30)
    return figure
