"""What is written of a comparison, by the task that it is of."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from sslens.comparison.compared import Comparison
from sslens.comparison.error_tables import error_tables, frozen_error_tables, latex_errors
from sslens.comparison.measures import Measures
from sslens.comparison.tables import comparison_tables, frozen_tables, latex_table
from sslens.formatting import Table


class Documents(NamedTuple):
    """Tables of fine-tuned rows and of frozen encoders, and the main one as LaTeX."""

    tables: list[Table]
    probes: list[Table]
    latex: str


def documents(
    task: str, compared: Comparison, probed: Comparison, cells: pd.DataFrame, measures: Measures
) -> Documents:
    """Make the documents of a task.

    Args:
        task: its name.
        compared, probed: fine-tuned rows, and frozen encoders.
        cells: of `cells.collect`.
        measures: that they are compared by.
    """
    return DOCUMENTS[task](compared, probed, cells, measures)


def _of_classification(compared, probed, cells, measures) -> Documents:
    return Documents(comparison_tables(compared), frozen_tables(probed), latex_table(compared))


def _of_regression(compared, probed, cells, measures) -> Documents:
    shown = list(measures.shown())
    compared, probed = (replace(one, measure=shown[0]) for one in (compared, probed))
    return Documents(
        error_tables(compared, cells, shown),
        frozen_error_tables(probed, shown),
        latex_errors(compared),
    )


DOCUMENTS: dict[str, Callable[..., Documents]] = {
    "classification": _of_classification,
    "regression": _of_regression,
}
