"""What is written of a comparison: the tables that the functions `documents` of tasks choose."""

from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from sslens.comparison.by_measure import frozen_tables_by, latex_by, tables_by
from sslens.comparison.compared import Comparison
from sslens.comparison.error_tables import error_tables
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


def by_measures(compared: Comparison, probed: Comparison, measures: Measures) -> Documents:
    """The tables of any measures."""
    shown = list(measures.shown())
    compared, probed = (replace(one, measure=shown[0]) for one in (compared, probed))
    return Documents(
        tables_by(compared, shown), frozen_tables_by(probed, shown), latex_by(compared)
    )


def by_targets(
    compared: Comparison, probed: Comparison, measures: Measures, cells: pd.DataFrame
) -> Documents:
    """The tables of a regression: those of its measures, other scores, and calibration."""
    documents = by_measures(compared, probed, measures)
    return documents._replace(tables=error_tables(compared, list(measures.shown()), cells))
