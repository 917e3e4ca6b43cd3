"""Where the splits of an archive lie. Read whenever the workflow is, so free of slow imports."""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from sslens.schemas import Mistakes, Place

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # characters, most of which break lines


def split_path(entry: Mapping, split: str) -> Path:
    """Folder or file of a split of an archive, `~` and environment variables filled in."""
    return Path(os.path.expandvars(entry["paths"][split])).expanduser()


def check_paths(mistakes: Mistakes, place: Place) -> None:
    """Check that the folder or file of each split of an archive, at a place, is there."""
    for split in mistakes.names(*place, "paths") or ():
        where = (*place, "paths", split)
        if not mistakes.is_sound(where):
            continue
        path = split_path(mistakes.at(*place), split)
        if not path.is_absolute():
            mistakes.add(
                where,
                f"{str(path)!r} is relative: write the whole path, since a run may be in another "
                "folder",
            )
        elif problem := _braces(path):
            mistakes.add(where, problem)
        elif not path.exists():
            mistakes.add(where, f"there is no {path}{_guess(path)}")


def watched(dataset: str, entry: Mapping) -> list[str]:
    """Files and folders of an archive whose time tells that a file was added or removed.

    Raises:
        ValueError: if one of them has a brace in its name.
    """
    roots = {split: split_path(entry, split) for split in entry["paths"]}
    found = [str(root) for root in roots.values()]
    for split, root in roots.items():
        for folder in _folders(root):
            if problem := _braces(folder):
                raise ValueError(f"{dataset}.paths.{split}: {problem}")
            found.append(folder)
    return found


def _braces(path: str | Path) -> str | None:
    """Snakemake would take `{name}` in an input's path for a wildcard, and cannot be stopped."""
    if "{" in str(path):
        return f"{str(path)!r} has a brace in its name; rename it, or link to it"
    return None


def _folders(root: Path) -> list[str]:
    """All folders below, but for those that no image can be used of: the survey tells of them.

    Links are followed as by the survey, which reads a folder once, and none that the root lies in.
    """
    paths: list[str] = []
    seen: set[tuple[int, int]] = set()
    for place, names, _ in os.walk(root, followlinks=True):
        names.sort()  # so that the same paths are found whatever the file system's order
        below = [f"{place}/{name}" for name in names]
        paths += below
        names[:] = [
            name for name, path in zip(names, below, strict=True) if _is_new(path, root, seen)
        ]
    return sorted(path for path in paths if path == in_one_line(path) and os.access(path, os.F_OK))


def _is_new(folder: str, root: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether a folder is not yet seen, and no link to one that the root lies in."""
    path = Path(folder)
    try:
        facts = path.stat()
    except OSError:
        return False
    if leads_above(path, root):
        return False
    is_new = (facts.st_dev, facts.st_ino) not in seen
    seen.add((facts.st_dev, facts.st_ino))
    return is_new


def leads_above(path: Path, root: Path) -> bool:
    """Whether a path is a link to a folder that the root lies in."""
    return path.is_symlink() and root.resolve().is_relative_to(path.resolve())


def in_one_line(path: str) -> str:
    """A path in letters that every file can hold and a line each, whatever bytes it is made of."""
    letters = os.fsencode(path).decode("utf-8", errors="backslashreplace")
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], letters)


def _guess(path: Path) -> str:
    """The neighbour that may have been meant: archives unpack under names of another case."""
    try:
        names = {neighbour.name.lower(): neighbour for neighbour in path.parent.iterdir()}
    except OSError:
        return f", nor a folder {path.parent}"
    near = difflib.get_close_matches(path.name.lower(), names, n=1)
    return f"; did you mean {names[near[0]]}?" if near else ""
