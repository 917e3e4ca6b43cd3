"""What is written of a comparison: the tables that the functions `documents` of tasks choose."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from sslens.comparison.captions import collapse_note, row_notes
from sslens.comparison.compared import Comparison
from sslens.comparison.error_tables import calibration_table, score_table
from sslens.comparison.latex import latex_by, latex_table
from sslens.comparison.measures import MACRO_AUC, Measures, Shown
from sslens.comparison.tables import (
    computing_table,
    counts_operations,
    frozen_tables,
    measure_tables,
    nothing_tuned,
    published_table,
)
from sslens.formatting import Table


class Documents(NamedTuple):
    """Tables of fine-tuned rows and of frozen encoders, and the main one as LaTeX."""

    tables: list[Table]
    probes: list[Table]
    latex: str


def by_classes(compared: Comparison, probed: Comparison) -> Documents:
    """The tables of a classification: the published layout, and the macro AUC."""
    tables = tables_by(compared, [MACRO_AUC], leading=published_table)
    return Documents(tables, frozen_tables(probed), latex_table(compared))


def by_measures(
    compared: Comparison,
    probed: Comparison,
    measures: Measures,
    others: Callable[[Comparison], list[Table]] | None = None,
) -> Documents:
    """The tables of any measures, and `others` of each, see `tables_by`."""
    shown = list(measures.shown())
    compared, probed = (replace(one, measure=shown[0]) for one in (compared, probed))
    tables = tables_by(compared, shown, others=others)
    return Documents(tables, frozen_tables_by(probed, shown), latex_by(compared))


def by_targets(
    compared: Comparison, probed: Comparison, measures: Measures, cells: pd.DataFrame
) -> Documents:
    """The tables of a regression: those of its measures, other scores, and calibration."""
    return by_measures(
        compared,
        probed,
        measures,
        lambda own: [score_table(own, cells), calibration_table(own, cells)],
    )


def tables_by(
    comparison: Comparison,
    measures: Sequence[Shown],
    leading: Callable[[Comparison], Table] | None = None,
    others: Callable[[Comparison], list[Table]] | None = None,
) -> list[Table]:
    """The tables of fine-tuned rows, for every share of the labels, the largest first.

    Of each: the leading table of a task; for every measure its values with their uncertainty, the
    differences from the reference with their tests, where there is one, and the variance
    components, where a row has several seeds; what else a task has; and how much was computed,
    where it was counted.

    Args:
        comparison: whichever its measure is.
        measures: of which one is marked, or the leading table is.
        leading: makes the first table of a comparison.
        others: makes more tables of a comparison by one measure.
    """
    if not len(comparison.cells):
        return [nothing_tuned()]
    tables = []
    for part in comparison.by_labels():
        of_measures = [replace(part, measure=measure) for measure in measures]
        if leading:
            tables.append(leading(part))
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
