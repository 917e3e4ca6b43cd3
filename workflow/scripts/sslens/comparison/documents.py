"""What is written of a comparison: the tables that the functions `documents` of tasks choose."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from sslens.comparison.by_measure import frozen_tables_by, latex_by, tables_by
from sslens.comparison.compared import Comparison
from sslens.comparison.error_tables import calibration_table, score_table
from sslens.comparison.measures import Measures
from sslens.comparison.tables import comparison_tables, frozen_tables, latex_table
from sslens.formatting import Table


class Documents(NamedTuple):
    """Tables of fine-tuned rows and of frozen encoders, and the main one as LaTeX."""

    tables: list[Table]
    probes: list[Table]
    latex: str


def by_classes(compared: Comparison, probed: Comparison) -> Documents:
    """The tables of a classification: the published layout, and the macro AUC."""
    return Documents(comparison_tables(compared), frozen_tables(probed), latex_table(compared))


def by_measures(
    compared: Comparison,
    probed: Comparison,
    measures: Measures,
    others: Callable[[Comparison], list[Table]] | None = None,
) -> Documents:
    """The tables of any measures, and `others` of each, see `tables_by`."""
    shown = list(measures.shown())
    compared, probed = (replace(one, measure=shown[0]) for one in (compared, probed))
    return Documents(
        tables_by(compared, shown, others), frozen_tables_by(probed, shown), latex_by(compared)
    )


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
