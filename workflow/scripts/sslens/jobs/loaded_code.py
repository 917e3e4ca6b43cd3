"""Whether a job has loaded the code that its digest, which is recorded with its results, is of."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

#: Variable with the Python by which the workflow was read, and when, in seconds since 1970.
READ = "SSLENS_READ"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def mark_as_read() -> None:
    """Note when the workflow was read, for the jobs that it starts on this machine."""
    os.environ[READ] = f"{PYTHON} {time.time()}"


def check(folder: str, code: str | None) -> None:
    """Stop a job whose code is not that of its digest.

    Args:
        folder: of the job's script, and of the library beside it.
        code: as `digest.code_of` gives it; None of a job whose results do not depend on its code.

    Raises:
        RuntimeError: where Python had loaded another checkout's library before the job's own, or
            where the code was changed after the digest was computed.
    """
    _check_library(folder)
    if code:
        _check_unchanged(folder, code)


def _check_library(folder: str) -> None:
    """Stop where the library was loaded from elsewhere than the folder of the job's script."""
    loaded, own = Path(__file__).resolve().parent.parent, Path(folder, "sslens").resolve()
    if loaded != own:
        raise RuntimeError(
            f"Python loaded the library {loaded} before this job could load its own, {own}; remove "
            "what does so when Python starts: a sitecustomize or usercustomize module, a .pth file"
        )


def _check_unchanged(folder: str, code: str) -> None:
    """Stop where the code was changed after the process that has read the workflow computed `code`.

    A job on this machine gets the digest from that process, and imports the code later. A digest is
    that of one version of Python.
    """
    version, _, read = os.environ.get(READ, "").partition(" ")
    if version != PYTHON or max(times_of_files(folder).values()) <= float(read):
        return
    from sslens.jobs.digest import code_of  # seldom needed, and not by people's commands

    _, script, *loaded = code.split()
    if code_of(script.partition("@")[0], *loaded) != code:
        raise RuntimeError(
            f"the code in {folder} was changed while the workflow runs; run it again, and use "
            "another clone to change code meanwhile"
        )


def times_of_files(folder: str | Path) -> dict[Path, float]:
    """When the files of Python in a folder were changed, in seconds since 1970.

    Without hidden ones of an editor, and without one that is just being replaced.
    """
    times = {}
    for file in Path(folder).rglob("*.py"):
        if not file.name.startswith("."):
            with suppress(FileNotFoundError):
                times[file] = file.stat().st_mtime
    return times
