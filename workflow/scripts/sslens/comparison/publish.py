"""A finished run's table and figures, put into a document between markers."""

import re
import shutil
from pathlib import Path

from sslens.files import atomic_path, write_text

OPENING = r"^<!-- sslens: (?!end -->)(?P<file>[\w.-]+) -->\r?\n"
#: A place: the line that names a file, and what stands there up to the line that ends it.
PLACE = re.compile(
    rf"({OPENING})(?:(?!^<!-- sslens: ).)*(?=^<!-- sslens: end -->)", re.DOTALL | re.MULTILINE
)


def publish(comparison: Path, document: Path) -> list[str]:
    """Put files of a comparison into a document, atomically.

    A place is `<!-- sslens: FILE -->`, a line of its own, up to `<!-- sslens: end -->`, where FILE
    lies in the folder of the comparison. Markdown is put there as it is; an image is copied beside
    the document, into `docs`, and shown.

    Args:
        comparison: the folder `results/comparison` of a run.
        document: Markdown.

    Returns:
        The files that were put in.

    Raises:
        ValueError: where the document has no such place, or one without an end.
        FileNotFoundError: where the run has no such file.
    """
    text = document.read_bytes().decode()  # read as text, its line ends would change
    for opening in re.finditer(OPENING, text, re.MULTILINE):
        if not PLACE.match(text, opening.start()):
            raise ValueError(
                f"{document}: the place of {opening['file']} has no end; put <!-- sslens: end --> "
                "below it, on a line of its own"
            )
    files = [match["file"] for match in PLACE.finditer(text)]
    if not files:
        raise ValueError(
            f"{document}: no place for results; put <!-- sslens: auc_table.md --> and "
            "<!-- sslens: end --> there, each on a line of its own"
        )
    if missing := [file for file in files if not (comparison / file).is_file()]:
        raise FileNotFoundError(f"{comparison}: no {', '.join(missing)}; has the run finished?")
    write_text(
        document,
        PLACE.sub(lambda match: match[1] + _content(comparison / match["file"], document), text),
    )
    return files


def _content(file: Path, document: Path) -> str:
    if file.suffix == ".md":
        return file.read_text(encoding="utf-8").rstrip("\n") + "\n"
    copy = document.parent / "docs" / file.name
    with atomic_path(copy) as temporary:
        shutil.copyfile(file, temporary)
    return f"![{file.stem.replace('_', ' ')}](docs/{file.name})\n"
