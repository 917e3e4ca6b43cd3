"""Where the splits of an archive lie. Read whenever the workflow is, so free of slow imports."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path


def split_path(entry: Mapping, split: str) -> Path:
    """Folder or file of a split of an archive, `~` and environment variables filled in."""
    return Path(os.path.expandvars(entry["paths"][split])).expanduser()


def check_paths(dataset: str, entry: Mapping) -> None:
    """Raise a ValueError that names the key, if a split's folder or file is not there."""
    for split in entry["paths"]:
        path, where = split_path(entry, split), f"{dataset}: paths.{split}"
        if not path.is_absolute():
            raise ValueError(
                f"{where}: {str(path)!r} is relative: write the whole path, since a run may be in "
                "another folder"
            )
        if not path.exists():
            raise ValueError(f"{where}: there is no {path}{_guess(path)}")


def watched(entry: Mapping) -> list[str]:
    """Files and folders of an archive whose time tells that a file was added or removed."""
    roots = [split_path(entry, split) for split in entry["paths"]]
    folders = [path for root in roots if root.is_dir() for path in _folders(root)]
    return [str(path) for path in [*roots, *folders]]


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if path.is_dir())
    except OSError:  # the survey tells of it
        return []


def _guess(path: Path) -> str:
    """The neighbour that may have been meant: archives unpack under names of another case."""
    try:
        names = {neighbour.name.lower(): neighbour for neighbour in path.parent.iterdir()}
    except OSError:
        return f", nor a folder {path.parent}"
    near = difflib.get_close_matches(path.name.lower(), names, n=1)
    return f"; did you mean {names[near[0]]}?" if near else ""
