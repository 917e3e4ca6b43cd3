"""Reading files, and writing them so that nobody ever sees a half-written one."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

#: What stands before the digest of its settings in a figure's metadata.
FIGURE_MARK = "sslens settings"


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds.

    The temporary name keeps the whole suffix, because Keras and matplotlib choose a format by
    it. If the block fails, the temporary file is removed and `path` is left as it was.

    Raises:
        OSError: of the block, with the name of the file where it had none, as on a full disk.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # of a process that was killed; a path has one writer at a time
    left_over = re.compile(rf"\.incomplete-\d+-{re.escape(path.name)}")
    for other in path.parent.iterdir():
        if left_over.fullmatch(other.name):
            other.unlink(missing_ok=True)
    temporary = path.with_name(f".incomplete-{os.getpid()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: dict) -> None:
    """Write a JSON file with sorted keys, numbers in full precision, atomically.

    Raises:
        ValueError: if a number is not finite, since JSON has no word for it.
    """
    write_text(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write an array as a `.npy` file, atomically."""
    with atomic_path(path) as temporary:
        np.save(temporary, array, allow_pickle=False)


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by their names as an `.npz` file, atomically."""
    with atomic_path(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read what `write_arrays` wrote."""
    with np.load(path, allow_pickle=False) as content:
        return dict(content)


def read_json(path: str | Path) -> dict:
    """Read a JSON file.

    Raises:
        ValueError: if it holds no JSON, with its name.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error}); delete it and run again") from None
