"""Files that several runs share: each made once, by whichever run needs it first.

A shared file is named after a digest of all that it follows from, so runs of other settings, images
or code never meet. Each run has a link to it where its own file would be.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sslens.digests import fingerprint
from sslens.files import atomic_path

log = logging.getLogger(__name__)
MADE = datetime(2000, 1, 1, tzinfo=UTC).timestamp()


def make_once(
    make: Callable[[Path], None],
    path: str | Path,
    folder: str | None,
    settings: list,
    inputs: list[str],
) -> None:
    """Make a file, or link to the one that some run has made.

    Of runs that need it at the same time, one makes it and the others wait.

    Args:
        make: writes it to the path that it is given, at once and as a whole.
        path: where this run wants it, such as results/data/model_2/train/00000.tfrecord.
        folder: what runs share, on a file system that locks files for all of its machines; with
            None the file is this run's own.
        settings: what the file follows from, as JSON; with its code.
        inputs: paths of the files it follows from.
    """
    path = Path(path)
    if folder is None:
        make(path)
        return
    digest = fingerprint(settings, inputs)[:16]
    shared = Path(folder).expanduser().resolve().joinpath(*path.parent.parts[-2:])
    stored = shared / f"{path.stem}-{digest}{path.suffix}"
    with _locked(shared / ".locks" / f"{stored.stem}.lock"):
        if stored.exists():
            log.info("taken from %s", stored)
        else:
            make(stored)
            # the same whenever it is made, or runs that have it would take it for changed
            os.utime(stored, (MADE, MADE))
    with atomic_path(path) as temporary:
        temporary.symlink_to(stored)


def forget_missing(data: Path) -> None:
    """Remove a run's links to shared files that are gone; Snakemake would take them for files.

    Links into a folder that is not there stay: it may only not be mounted here.
    """
    for link in data.glob("*/*/*.tfrecord"):
        if link.is_symlink() and not link.exists() and link.readlink().parent.is_dir():
            link.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Within the block, keep other processes out of theirs; the kernel frees a dead one's lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # the file stays: were it deleted, one could hold a lock that others no longer see
    with open(path, "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another run, which is making this file")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
