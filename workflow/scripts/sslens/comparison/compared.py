"""What a table of the comparison compares: its cells, rows and columns."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from sslens.comparison.measures import MACRO_AUC, Shown
from sslens.formatting import Cell, exact_numbers

MISSING = "—"


@dataclass(frozen=True)
class Comparison:
    """What a table compares: results, and the titles of its rows and columns.

    Args:
        summary: see `sslens.comparison.summary`; it may hold other arms (probes, say) too.
        arms: names to titles, in the order of the rows.
        datasets: names to titles, in the order of the columns.
        notes: arm -> mark in its title -> why, in words; see `captions.NOTES`.
        measure: that is compared.

    Example:

        published_table(Comparison(summary, {"baseline": "Baseline"}, {"model_1": "Model I"}))
    """

    summary: pd.DataFrame
    arms: Mapping[str, str]
    datasets: Mapping[str, str]
    notes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    measure: Shown = MACRO_AUC

    @property
    def cells(self) -> pd.DataFrame:
        """The rows of the summary that are cells of the table."""
        of_arms = self.summary["arm"].isin(list(self.arms))
        return self.summary[of_arms & self.summary["dataset"].isin(list(self.datasets))]

    def by_labels(self) -> Iterator["Comparison"]:
        """The comparison with each share of the labels, the largest first."""
        for part in by_labels(self.summary):
            yield replace(self, summary=part)

    def of_protocol(self, protocol: str) -> "Comparison":
        """The comparison of the arms with one protocol."""
        return replace(self, summary=self.summary[self.summary["protocol"] == protocol])

    def of_arms(self, names: Collection[str]) -> "Comparison":
        """The comparison of these arms alone."""
        return replace(self, arms={arm: self.arms[arm] for arm in self.arms if arm in names})

    def rows(
        self, text: Callable[[Any], str], columns: Sequence[str]
    ) -> list[tuple[str, list[Cell]]]:
        """One row per arm; `columns` are those that make the text of a cell, see `cell_of`."""
        cells = {
            (cell["arm"], cell["dataset"]): cell_of(cell, text(cell), columns)
            for _, cell in self.cells.iterrows()
        }
        return [
            (title, [cells.get((arm, dataset), Cell(MISSING)) for dataset in self.datasets])
            for arm, title in self.arms.items()
        ]

    def header(self, corner: str) -> list[str]:
        """The headings of the columns, with a word in the upper left corner."""
        return [corner, *self.datasets.values()]


def by_labels(summary: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The parts of a summary with one share of the labels, the largest first."""
    for labels in sorted(summary["labels"].unique(), reverse=True):
        yield summary[summary["labels"] == labels]


def cell_of(row: Mapping[str, Any], text: str, columns: Sequence[str]) -> Cell:
    """A cell with its numbers in full precision, which sorts by the first of them."""
    key = float(row[columns[0]])
    return Cell(text, None if pd.isna(key) else key, exact_numbers(row, columns))
