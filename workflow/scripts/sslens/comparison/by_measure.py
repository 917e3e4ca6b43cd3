"""The tables of a comparison by the measures that a task shows, whichever these are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from sslens.comparison.captions import (
    BETTER,
    WORSE,
    collapse_note,
    fraction_of,
    references_of,
    row_notes,
    seeds_of,
)
from sslens.comparison.compared import Comparison
from sslens.comparison.measures import Shown
from sslens.comparison.tables import (
    computing_table,
    counts_operations,
    frozen_tables,
    latex_tabular,
    leads,
    mark,
    measure_tables,
    nothing_tuned,
)
from sslens.formatting import Table, latex_number


def tables_by(
    comparison: Comparison,
    measures: Sequence[Shown],
    others: Callable[[Comparison], list[Table]] | None = None,
) -> list[Table]:
    """The tables of fine-tuned rows, for every share of the labels, the largest first.

    Of each: for every measure its values, differences and components; what else a task has; and
    how much was computed.

    Args:
        comparison: whichever its measure is.
        measures: of which one is marked.
        others: makes more tables of a comparison by one measure.
    """
    if not len(comparison.cells):
        return [nothing_tuned()]
    tables = []
    for part in comparison.by_labels():
        of_measures = [replace(part, measure=measure) for measure in measures]
        for own in of_measures:
            first, *rest = measure_tables(own)
            if own.measure.is_marked:
                first = replace(first, notes=[*first.notes, *row_notes(part), *collapse_note(part)])
            tables += [first, *rest]
        for own in of_measures:
            tables += others(own) if others else []
        if counts_operations(part):
            tables.append(computing_table(part))
    return tables


def frozen_tables_by(comparison: Comparison, measures: Sequence[Shown]) -> list[Table]:
    """As `frozen_tables`, of every measure."""
    if not len(comparison.cells):
        return frozen_tables(comparison)
    return [
        replace(table, title=f"{table.title}: {measure.name}")
        for measure in measures
        for table in frozen_tables(replace(comparison, measure=measure))
    ]


def latex_by(comparison: Comparison) -> str:
    """The measure with the most labels as LaTeX (needs the package booktabs)."""
    comparison = next(comparison.by_labels())
    chosen, measure = comparison.cells, comparison.measure
    marks: Mapping[str, str] = {BETTER: "$^{+}$", WORSE: "$^{-}$", "": ""}

    def text(cell) -> str:
        spread = cell[f"{measure.column}_std"]
        deviation = "" if pd.isna(spread) else rf" \pm {latex_number(spread, measure.number)}"
        number = f"${latex_number(cell[measure.column], measure.number)}{deviation}$"
        number = rf"\boldmath{number}" if leads(cell) else number
        return number + marks[mark(cell, measure).strip()]

    comments = [
        f"{measure.name}{measure.unit}; {seeds_of(chosen)}{fraction_of(chosen)}; with three or "
        "more seeds:",
        f"bold: methods that may have the {measure.extreme} one, the best with 95 % confidence;",
        f"+ and -: methods significantly better and worse than {references_of(comparison)}",
    ]
    return latex_tabular(comparison, comments, comparison.rows(text, [measure.column]))
