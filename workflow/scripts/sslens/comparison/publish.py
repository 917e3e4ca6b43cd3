"""A finished run's tables and figures, put into a document between markers."""

import re
import shutil
from collections.abc import Container
from pathlib import Path

from sslens.comparison.tables import INCONSISTENT
from sslens.files import atomic_path, write_text

OPENING = (
    r"^<!-- sslens: (?!end -->)(?P<name>(?P<file>[\w.-]+)(?:, table (?P<table>\d+))?) -->\r?\n"
)
IMAGES = (".png", ".svg")
#: A place: the line that names a file, and what stands there up to the line that ends it.
PLACE = re.compile(
    rf"({OPENING})(?:(?!^<!-- sslens: ).)*(?=^<!-- sslens: end -->)", re.DOTALL | re.MULTILINE
)


def publish(comparison: Path, document: Path, current: Container[str]) -> list[str]:
    """Put files of a comparison into a document, atomically.

    A place is `<!-- sslens: FILE -->`, a line of its own, up to `<!-- sslens: end -->`, where FILE
    lies in the folder of the comparison. `<!-- sslens: FILE.md, table 2 -->` takes one table of a
    file, counted from 1, with the text below it. Markdown is put there as it is; an image is
    copied into the folder `docs` beside the document, or beside a document that lies in a folder
    `docs`, and shown. The copy has the document's name before its own, so that a run that is
    published in another document leaves it alone.

    Args:
        comparison: the folder `results/comparison` of a run.
        document: Markdown.
        current: names of the files that are of the run's last configuration.

    Returns:
        What was put in, as the markers name it.

    Raises:
        ValueError: where the document has no such place, or one without an end, and where a file
            has no such table, or is neither Markdown nor an image, or is of an earlier
            configuration.
        FileNotFoundError: where the run has no such file.
    """
    text = document.read_bytes().decode()  # read as text, its line ends would change
    for opening in re.finditer(OPENING, text, re.MULTILINE):
        if not PLACE.match(text, opening.start()):
            raise ValueError(
                f"{document}: the place of {opening['name']} has no end; put <!-- sslens: end --> "
                "below it, on a line of its own"
            )
    places = list(PLACE.finditer(text))
    if not places:
        raise ValueError(
            f"{document}: no place for results; put <!-- sslens: auc_table.md --> and "
            "<!-- sslens: end --> there, each on a line of its own"
        )
    if missing := [p["file"] for p in places if not (comparison / p["file"]).is_file()]:
        raise FileNotFoundError(f"{comparison}: no {', '.join(missing)}; has the run finished?")
    if old := [p["file"] for p in places if p["file"] not in current]:
        raise ValueError(
            f"{comparison}: {', '.join(old)}: not of the configuration that the tables are of; run "
            "again, or take it out of the document"
        )
    folder = document.resolve().parent
    images = folder if folder.name == "docs" else folder / "docs"
    copies = {p["file"]: images / f"{document.stem}-{p['file']}" for p in places}
    contents = [
        _content(comparison / p["file"], p["table"], copies[p["file"]].relative_to(folder))
        for p in places
    ]
    for file, copy in copies.items():
        if (source := comparison / file).suffix != ".md":
            with atomic_path(copy) as temporary:
                shutil.copyfile(source, temporary)
    filled = iter(contents)
    write_text(document, PLACE.sub(lambda place: place[1] + next(filled), text))
    return [place["name"] for place in places]


def _content(file: Path, table: str | None, copy: Path) -> str:
    """The lines that show a file, one of its tables, or the copy of an image, in a document."""
    if file.suffix in IMAGES:
        if table is not None:
            raise ValueError(f"{file}: an image has no table {table}; name the file alone")
        return f"![{file.stem.replace('_', ' ')}]({copy.as_posix()})\n"
    if file.suffix != ".md":
        raise ValueError(f"{file}: only .md, .png and .svg can be published")
    text = file.read_text(encoding="utf-8").rstrip("\n") + "\n"
    return text if table is None else _one_table(text, int(table), file)


def _one_table(text: str, number: int, file: Path) -> str:
    """A table of a text of several, with what stands below it up to the next one."""
    # the warning stands at the end of the file, and holds for every table in it
    body, mark, warning = text.rstrip("\n").partition(f"\n\n{INCONSISTENT}")
    tables = re.split(r"\n\n(?=\|)", body)
    if not 1 <= number <= len(tables):
        raise ValueError(f"{file}: no table {number}; it has {len(tables)}, counted from 1")
    return f"{tables[number - 1]}{mark}{warning}\n"
