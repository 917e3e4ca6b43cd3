"""The main table of a comparison as LaTeX (needs the package booktabs)."""

from collections.abc import Mapping, Sequence

import pandas as pd

from sslens.classes import CLASSES
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
from sslens.comparison.tables import PUBLISHED, footer, leads, mark
from sslens.formatting import Cell, latex_number, latex_text

#: Marks of tables -> those of LaTeX.
MARKS: Mapping[str, str] = {BETTER: "$^{+}$", WORSE: "$^{-}$", "": ""}


def latex_table(comparison: Comparison) -> str:
    """The published layout with the most labels."""
    comparison = next(comparison.by_labels())
    chosen = comparison.cells

    def text(cell) -> str:
        numbers = ", ".join(f"{cell[f'auc_{name}']:.2f}" for name in CLASSES)
        bold = rf"\textbf{{{numbers}}}" if leads(cell) else numbers
        return bold + MARKS[mark(cell).strip()]

    comments = [
        f"one-vs-rest AUC of {', '.join(CLASSES)}; {seeds_of(chosen)}{fraction_of(chosen)}; with "
        "three or more:",
        "bold: methods that may have the highest macro AUC, the best with 95 % confidence;",
        f"+ and -: methods significantly better and worse than {references_of(comparison)}",
    ]
    return latex_tabular(comparison, comments, comparison.rows(text, PUBLISHED))


def latex_by(comparison: Comparison) -> str:
    """The measure of a comparison with the most labels."""
    comparison = next(comparison.by_labels())
    chosen, measure = comparison.cells, comparison.measure

    def text(cell) -> str:
        spread = cell[f"{measure.column}_std"]
        deviation = "" if pd.isna(spread) else rf" \pm {latex_number(spread, measure.number)}"
        number = f"${latex_number(cell[measure.column], measure.number)}{deviation}$"
        number = rf"\boldmath{number}" if leads(cell) else number
        return number + MARKS[mark(cell, measure).strip()]

    comments = [
        f"{measure.name}{measure.unit}; {seeds_of(chosen)}{fraction_of(chosen)}; with three or "
        "more seeds:",
        f"bold: methods that may have the {measure.extreme} one, the best with 95 % confidence;",
        f"+ and -: methods significantly better and worse than {references_of(comparison)}",
    ]
    return latex_tabular(comparison, comments, comparison.rows(text, [measure.column]))


def latex_tabular(
    comparison: Comparison, comments: Sequence[str], rows: Sequence[tuple[str, Sequence[Cell]]]
) -> str:
    """Rows whose cells are LaTeX, of methods on data sets, under lines of comment."""

    notes = [*comments, *row_notes(comparison), *collapse_note(comparison)]

    def line(cells: Sequence[str]) -> str:
        return " & ".join(cells) + r" \\"

    return "\n".join(
        [
            *(f"% {note}" for note in notes),
            rf"\begin{{tabular}}{{l{'c' * len(comparison.datasets)}}}",
            r"\toprule",
            line(["Method", *map(latex_text, comparison.datasets.values())]),
            r"\midrule",
            *(line([latex_text(title), *(cell.text for cell in cells)]) for title, cells in rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def latex_footer(problems: Sequence[str]) -> str:
    """As `footer`, in comments of LaTeX."""
    return "".join(f"% {line}\n" for line in footer(problems).splitlines() if line)
