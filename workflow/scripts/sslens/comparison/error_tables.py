"""The tables of a regression, from its summary and its metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from sslens.comparison.tables import (
    BETTER,
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


def error_tables(comparison: Comparison, cells: pd.DataFrame, measures: Sequence) -> list[Table]:
    """The tables of a regression, for every share of the labels, the largest first.

    Of each: for every measure its values, differences and components; the coverage of the predicted
    intervals; and how much was computed.

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
        tables += [calibration_table(part, cells, target) for target in targets_of(cells)]
        if counts_operations(part):
            tables.append(computing_table(part))
    return tables


def targets_of(cells: pd.DataFrame) -> list[str]:
    """The targets that cells have, in the order in which they are listed."""
    return [name for name in TARGETS if f"targets_{name}_mae" in cells]


def calibration_table(comparison: Comparison, cells: pd.DataFrame, target: str) -> Table:
    """How many true values lie within the intervals that are predicted."""
    chosen = comparison.cells
    (labels,) = chosen["labels"].unique()
    part = cells[cells["labels"] == labels]
    columns = [f"targets_{target}_calibrated_coverage_{level:g}" for level in LEVELS]
    means = part.groupby(["arm", "dataset"])[[*columns, f"targets_{target}_scale"]].mean()

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
