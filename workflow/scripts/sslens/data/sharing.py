"""Files that several runs share: each made once, by whichever run needs it first.

A shared file is named after a digest of all that it follows from, so runs of other settings, images
or code never meet. Each run has a link to it where its own file would be. The files of a shard
(records, index, facts) are made, linked and removed together.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sslens.digests import fingerprint
from sslens.files import atomic_path

log = logging.getLogger(__name__)
MADE = datetime(2000, 1, 1, tzinfo=UTC).timestamp()


def make_once(
    make: Callable[..., None],
    paths: Sequence[Path],
    folder: str | None,
    settings: list,
    inputs: list[str],
) -> None:
    """Make the files of a shard, or link to those that some run has made.

    Of runs that need them at the same time, one makes them and the others wait.

    Args:
        make: writes the files to the paths that it is given, as many as `paths`, each as a whole.
        paths: where this run wants them, all in one folder and alike up to the first dot, such as
            results/data/model_2/train/00000.tfrecord.
        folder: what runs share, on a file system that locks files for all of its machines; with
            None the files are this run's own.
        settings: what the files follow from, as JSON; with their code.
        inputs: paths of the files they follow from.
    """
    if folder is None:
        make(*paths)
        return
    digest = fingerprint(settings, inputs)[:16]
    shared = Path(folder).expanduser().resolve().joinpath(*paths[0].parent.parts[-2:])
    stored = [shared / path.name.replace(".", f"-{digest}.", 1) for path in paths]
    with _locked(shared / ".locks" / f"{stored[0].stem}.lock"):
        if all(path.exists() for path in stored):
            log.info("taken from %s", stored[0])
        else:
            make(*stored)
            for path in stored:
                # the same whenever it is made, or runs that have it would take it for changed
                os.utime(path, (MADE, MADE))
    for path, target in zip(paths, stored, strict=True):
        with atomic_path(path) as temporary:
            temporary.symlink_to(target)


def forget_missing(data: Path) -> None:
    """Remove a run's links to shared files that are gone; Snakemake would take them for files.

    With a link go those to the other files of its shard. Links into a folder that is not there
    stay: it may only not be mounted here.
    """
    for link in list(data.glob("*/*/*")):
        if link.is_symlink() and not link.exists() and link.readlink().parent.is_dir():
            for beside in link.parent.glob(f"{link.name.partition('.')[0]}.*"):
                if beside.is_symlink():
                    beside.unlink(missing_ok=True)


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
