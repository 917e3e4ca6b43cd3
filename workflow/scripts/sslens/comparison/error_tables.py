"""The tables of a regression, from its summary and its metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from sslens.comparison.tables import (
    BETTER,
    MISSING,
    WORSE,
    Comparison,
    collapse_note,
    computing_table,
    counts_operations,
    fraction_of,
    frozen_tables,
    latex_tabular,
    leads,
    mark,
    measure_tables,
    references_of,
    row_notes,
    seeds_of,
)
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


def error_tables(comparison: Comparison, cells: pd.DataFrame, measures: Sequence) -> list[Table]:
    """The tables of a regression, for every share of the labels, the largest first.

    Of each: for every measure its values, differences and components; the other scores, and the
    coverage of the predicted intervals; and how much was computed.

    Args:
        comparison: whichever its measure is.
        cells: of `cells.collect`.
        measures: `measures.Shown`, of the targets.
    """
    if not len(comparison.cells):
        nothing = "No arm of this run is fine-tuned; probe_table.md has those with frozen encoders."
        return [Table("Comparison", [], [], [nothing])]
    tables = []
    for part in comparison.by_labels():
        for measure in measures:
            first, *others = measure_tables(replace(part, measure=measure))
            if measure.is_marked:
                first = replace(first, notes=[*first.notes, *row_notes(part), *collapse_note(part)])
            tables += [first, *others]
        for target in targets_of(cells):
            tables += [score_table(part, cells, target), calibration_table(part, cells, target)]
        if counts_operations(part):
            tables.append(computing_table(part))
    return tables


def targets_of(cells: pd.DataFrame) -> list[str]:
    """The targets that cells have, in the order in which they are listed."""
    return [name for name in TARGETS if f"targets_{name}_mae" in cells]


def score_table(comparison: Comparison, cells: pd.DataFrame, target: str) -> Table:
    """The scores of a target beside its mean absolute error."""
    chosen = comparison.cells
    means = _means_over_seeds(comparison, cells, [f"targets_{target}_{name}" for name in OTHERS])

    def text(cell) -> str:
        numbers = means.loc[(cell["arm"], cell["dataset"])]
        return ", ".join(MISSING if pd.isna(number) else f"{number:.3f}" for number in numbers)

    title, unit, _ = TARGETS[target]
    units = f" in {unit}" if unit else ""
    caption = (
        f"Each cell gives {', '.join(OTHERS.values())}, {seeds_of(chosen)}{fraction_of(chosen)}; "
        f"errors, bias and CRPS{units}, the last two numbers of the distributions as predicted. "
        "error_summary.csv has intervals and tests of all but the correlation."
    )
    return Table(
        f"Other scores: {title}{fraction_of(chosen)}",
        comparison.header("RMSE, bias, R², correlation, NLL, CRPS"),
        comparison.rows(text, [comparison.measure.column]),
        [caption],
    )


def _means_over_seeds(
    comparison: Comparison, cells: pd.DataFrame, columns: Sequence[str]
) -> pd.DataFrame:
    """Columns of cells, by arm and data set, with the share of the labels of a comparison."""
    (labels,) = comparison.cells["labels"].unique()
    part = cells[cells["labels"] == labels]
    return part.groupby(["arm", "dataset"])[list(columns)].mean()


def calibration_table(comparison: Comparison, cells: pd.DataFrame, target: str) -> Table:
    """How many true values lie within the intervals that are predicted."""
    chosen = comparison.cells
    columns = [f"targets_{target}_calibrated_coverage_{level:g}" for level in LEVELS]
    means = _means_over_seeds(comparison, cells, [*columns, f"targets_{target}_scale"])

    def text(cell) -> str:
        numbers = means.loc[(cell["arm"], cell["dataset"])]
        shares = ", ".join(f"{100 * numbers[column]:.1f}" for column in columns)
        return f"{shares} (× {numbers.iloc[-1]:.2f})"

    levels = ", ".join(f"{100 * level:g}" for level in LEVELS)
    title = TARGETS[target].title
    caption = (
        f"Each cell gives the percentages of the test images whose true {title.lower()} lies in "
        f"the central interval of {levels} % that is predicted, {seeds_of(chosen)}"
        f"{fraction_of(chosen)}; and in parentheses the factor of the predicted standard "
        "deviations that suits the validation images best, which they were multiplied by."
    )
    return Table(
        f"Coverage of the intervals: {title}{fraction_of(chosen)}",
        comparison.header("Coverage in %"),
        comparison.rows(text, [comparison.measure.column]),
        [caption],
    )


def frozen_error_tables(comparison: Comparison, measures: Sequence) -> list[Table]:
    """As `frozen_tables`, of every measure."""
    tables = [
        table
        for measure in measures
        for table in frozen_tables(replace(comparison, measure=measure))
    ]
    return tables if len(comparison.cells) else tables[:1]


def latex_errors(comparison: Comparison) -> str:
    """The measure with the most labels as LaTeX (needs the package booktabs)."""
    comparison = next(comparison.by_labels())
    chosen, measure = comparison.cells, comparison.measure
    marks: Mapping[str, str] = {BETTER: "$^{+}$", WORSE: "$^{-}$", "": ""}

    def text(cell) -> str:
        spread = cell[f"{measure.column}_std"]
        deviation = "" if pd.isna(spread) else rf" \pm {spread:.3f}"
        number = f"${cell[measure.column]:.3f}{deviation}$"
        number = rf"\boldmath{number}" if leads(cell) else number
        return number + marks[mark(cell, measure).strip()]

    comments = [
        f"{measure.name}{measure.unit}; {seeds_of(chosen)}; with three or more seeds:",
        "bold: methods that may have the smallest one, the best with 95 % confidence;",
        f"+ and -: methods significantly better and worse than {references_of(comparison)}",
    ]
    return latex_tabular(comparison, comments, comparison.rows(text, [measure.column]))
