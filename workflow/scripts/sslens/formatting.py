"""Text of tables and messages: pipe tables, CSV, LaTeX, the names of cells."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd


def cell_name(cell: Mapping[str, Any]) -> str:
    """A result in words, by the fields of its metrics or by the `cell` of its record."""
    labels = f"labels {cell['labels']:g}, " if "labels" in cell else ""
    what = cell["arm"] if "arm" in cell else cell["pretraining"]
    return f"{what} on {cell['dataset']} ({labels}seed {cell['seed']})"


def csv_text(frame: pd.DataFrame) -> str:
    """The frame as CSV, every float in the fewest digits that read back to the same bits."""
    return frame.to_csv(index=False, float_format=lambda x: repr(float(x)), lineterminator="\n")


def latex_text(text: str) -> str:
    """A text with what LaTeX would take for a command written out."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {character: f"\\{character}" for character in "&%$#_{}"}
    return "".join(special.get(character, character) for character in text)


def pipe_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A pipe table padded so that it also reads as plain text; the first column is the row's."""
    table = [[text.replace("|", r"\|") for text in row] for row in (header, *rows)]
    widths = [max(3, *(len(row[i]) for row in table)) for i in range(len(header))]
    lines = [
        "| " + " | ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)) + " |"
        for row in table
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines) + "\n"
