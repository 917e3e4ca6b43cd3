"""Text of tables and messages: pipe tables, CSV, LaTeX, the names of cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd


class Cell(NamedTuple):
    """A cell of a table, for print and for a web page."""

    #: As it is printed; `**` before and after a part makes it bold.
    text: str
    #: What a web page sorts the column by; None comes last.
    key: float | str | None = None
    #: Its numbers in full precision, one per line.
    exact: str = ""


@dataclass(frozen=True)
class Table:
    """A table and the paragraphs below it."""

    title: str
    header: Sequence[str]
    #: The title of each row and its other cells; as many as the header has.
    rows: Sequence[tuple[str, Sequence[Cell]]]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """The table as markdown, without its title; the notes alone where it has no header."""
        rows = [[title, *(cell.text for cell in cells)] for title, cells in self.rows]
        table = [pipe_table(self.header, rows)] if self.header else []
        return "\n".join([*table, *(f"{note}\n" for note in self.notes)])


def exact_numbers(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    """Numbers of a row with their columns' names, in full precision; one per line, without NaN."""
    numbers = {column: float(row[column]) for column in columns}
    return "\n".join(f"{name} {number!r}" for name, number in numbers.items() if number == number)


def cell_name(cell: Mapping[str, Any]) -> str:
    """A result in words, by the fields of its metrics or by the `cell` of its record."""
    labels = f"labels {cell['labels']:g}, " if "labels" in cell else ""
    key = "arm" if "arm" in cell else "pretraining" if "pretraining" in cell else "encoder"
    return f"{cell[key]} on {cell['dataset']} ({labels}seed {cell['seed']})"


def csv_text(frame: pd.DataFrame) -> str:
    """The frame as CSV, every float in the fewest digits that read back to the same bits."""
    return frame.to_csv(index=False, float_format=lambda x: repr(float(x)), lineterminator="\n")


def read_parquet(
    source: str | Path | BytesIO, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read Parquet in this thread alone.

    Arrow's own threads may still give back memory of Python's when the process ends, which aborts
    it after its work was done (apache/arrow issue 34314).

    Args:
        source: path of the file, or its content.
        columns: names of those that are read, all by default.
    """
    chosen = None if columns is None else list(columns)
    return pd.read_parquet(source, columns=chosen, use_threads=False, pre_buffer=False)


def read_csv(path: str | Path, texts: Sequence[str]) -> pd.DataFrame:
    """Read what `csv_text` wrote back to the same bits.

    Args:
        path: of the file.
        texts: columns of texts, where only an empty field is a missing value: an arm may be called
            "NA".
    """
    types = dict.fromkeys(texts, str)
    return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])


def latex_text(text: str) -> str:
    """A text with what LaTeX would take for a command written out."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {character: f"\\{character}" for character in "&%$#_{}"}
    return "".join(special.get(character, character) for character in text)


def latex_number(value: float, form: str) -> str:
    """A number in a format of Python, such as ".3e", as LaTeX writes it between dollar signs."""
    mantissa, _, exponent = format(value, form).partition("e")
    return rf"{mantissa}\times10^{{{int(exponent)}}}" if exponent else mantissa


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
