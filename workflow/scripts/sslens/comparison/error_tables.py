"""What a regression has besides the tables of its measures: other scores, and calibration."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from sslens.comparison.captions import fraction_of, seeds_of
from sslens.comparison.compared import MISSING, Comparison
from sslens.formatting import Table
from sslens.metrics.gaussian import LEVELS
from sslens.targets import TARGETS

#: Scores beside the mean absolute error -> their names in a caption.
OTHERS = {
    "rmse": "the root of the mean squared error",
    "bias": "the bias",
    "r2": "R²",
    "correlation": "the correlation",
    "nll": "the negative log-likelihood",
    "crps": "the CRPS",
}

#: Those in the unit of the target.
IN_UNITS = ("rmse", "bias", "crps")


def _target_of(comparison: Comparison) -> str:
    """The target whose mean absolute error is compared."""
    return comparison.measure.column.removeprefix("mae_")


def score_table(comparison: Comparison, cells: pd.DataFrame) -> Table:
    """The scores of a target beside its mean absolute error."""
    chosen, target = comparison.cells, _target_of(comparison)
    columns = [f"targets_{target}_{name}" for name in OTHERS]
    comparison = _with_means(comparison, cells, columns)

    def text(cell) -> str:
        numbers = cell[columns]
        formats = [comparison.measure.number if name in IN_UNITS else ".3f" for name in OTHERS]
        return ", ".join(
            MISSING if pd.isna(number) else f"{number:{own}}"
            for number, own in zip(numbers, formats, strict=True)
        )

    title, units = TARGETS[target].title, comparison.measure.unit
    caption = (
        f"Each cell gives {', '.join(OTHERS.values())}, {seeds_of(chosen)}{fraction_of(chosen)}; "
        f"errors, bias and CRPS{units}, the last two numbers of the distributions as predicted. "
        "error_summary.csv has intervals and tests of all but the correlation."
    )
    return Table(
        f"Other scores: {title}{fraction_of(chosen)}",
        comparison.header("RMSE, bias, R², correlation, NLL, CRPS"),
        comparison.rows(text, columns),
        [caption],
    )


def _with_means(comparison: Comparison, cells: pd.DataFrame, columns: Sequence[str]) -> Comparison:
    """A comparison with one share of the labels whose summary has the means of columns of cells."""
    (labels,) = comparison.cells["labels"].unique()
    part = cells[cells["labels"] == labels]
    # a value that one seed lacks is none of the row
    means = part.groupby(["arm", "dataset"])[list(columns)].mean(skipna=False)
    return replace(comparison, summary=comparison.summary.join(means, on=["arm", "dataset"]))


def calibration_table(comparison: Comparison, cells: pd.DataFrame) -> Table:
    """How many true values lie within the calibrated intervals."""
    chosen, target = comparison.cells, _target_of(comparison)
    columns = [f"targets_{target}_calibrated_coverage_{level:g}" for level in LEVELS]
    scale = f"targets_{target}_scale"
    comparison = _with_means(comparison, cells, [*columns, scale])

    def text(cell) -> str:
        shares = ", ".join(f"{100 * cell[column]:.1f}" for column in columns)
        return f"{shares} (× {cell[scale]:.2f})"

    levels = ", ".join(f"{100 * level:g}" for level in LEVELS)
    caption = (
        "Each cell gives the percentages of the test images whose true "
        f"{TARGETS[target].name} lies in intervals that are to hold {levels} %, "
        f"{seeds_of(chosen)}{fraction_of(chosen)}. These are the central intervals that hold as "
        "many of the validation images, of distributions that are scaled as suits the validation "
        "images best, by the number in parentheses: a factor of the standard deviations, or of "
        "bins the temperature."
    )
    return Table(
        f"Coverage of the intervals: {TARGETS[target].title}{fraction_of(chosen)}",
        comparison.header("Coverage in %"),
        comparison.rows(text, [*columns, scale]),
        [caption],
    )
