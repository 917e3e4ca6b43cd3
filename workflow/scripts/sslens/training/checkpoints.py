"""Checkpoints: one file that is whole or absent, kept for one training by one writer."""

import contextlib
import fcntl
import json
import logging
import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from sslens.digests import arrays_digest
from sslens.files import atomic_path

log = logging.getLogger(__name__)


class Checkpoint:
    """The checkpoint of one training, in a folder of its own outside the workflow's outputs.

    Snakemake deletes the outputs of a job that failed, so what a training goes on from lies
    elsewhere, and belongs to it by a fingerprint of its parameters, inputs, code and tools.
    """

    def __init__(self, folder: str | Path, fingerprint: str):
        """Take the folder for this process.

        Raises:
            RuntimeError: if another living process holds it.
        """
        self._folder = Path(folder)
        self._path = self._folder / "checkpoint.npz"
        self._fingerprint = fingerprint
        self._lock = _take(self._folder)
        with _one_line_where_it_cannot_be_written(self._folder):
            self._lock.truncate(0)
            self._lock.write(str(os.getpid()))
            self._lock.flush()
        #: Seconds that the last `save` took; 0 before the first.
        self.seconds_to_save = 0.0

    def save(self, arrays: list[np.ndarray], facts: dict) -> None:
        """Replace the checkpoint by these arrays and JSON-able facts.

        Raises:
            OSError: in one line, where it cannot be written; the one before stays.
        """
        began = time.perf_counter()
        named: dict[str, Any] = {f"array{index:05d}": array for index, array in enumerate(arrays)}
        about = {
            "fingerprint": self._fingerprint,
            "arrays": list(named),
            "facts": facts,
            "digest": arrays_digest(arrays, facts),
        }
        with (
            _one_line_where_it_cannot_be_written(self._folder),
            atomic_path(self._path) as temporary,
        ):
            np.savez(temporary, about=np.array(json.dumps(about)), **named)
            with open(temporary, "rb") as written:
                # or the name may be on the disk before the content when the machine goes down
                os.fsync(written.fileno())
        self.seconds_to_save = time.perf_counter() - began

    def load(self) -> tuple[list[np.ndarray], dict] | None:
        """The arrays and facts last saved, or None.

        A checkpoint that is damaged or was made for other parameters, data or code is set aside
        with a line in the log.
        """
        if not self._path.exists():
            return None
        try:
            with zipfile.ZipFile(self._path) as content:
                # checks every CRC; NumPy checks none where a damaged header shortens the reading
                if (damaged := content.testzip()) is not None:
                    raise zipfile.BadZipFile(f"bad CRC of {damaged}")
            with np.load(self._path, allow_pickle=False) as content:
                about = json.loads(str(content["about"]))
                arrays = [content[name] for name in about["arrays"]]
            if about["digest"] != arrays_digest(arrays, about["facts"]):
                raise ValueError("its content is not what its digest says")
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            self._set_aside(f"is damaged ({error})")
            return None
        if about["fingerprint"] != self._fingerprint:
            self._set_aside("was made for other parameters, data or code")
            return None
        return arrays, about["facts"]

    def remove(self) -> None:
        """Delete the checkpoint and free its folder: the output stands.

        What cannot be deleted stays, since nothing may fail a training that is done.
        """
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
            Path(self._lock.name).unlink(missing_ok=True)
            self._folder.rmdir()  # refused, rightly, where something was set aside
        self._lock.close()

    def _set_aside(self, reason: str) -> None:
        aside = self._path.with_name("set-aside.npz")
        os.replace(self._path, aside)
        log.warning("checkpoint %s; set aside as %s, training starts anew", reason, aside)


def _take(folder: Path) -> IO[str]:
    """The open file whose lock keeps other writers out of a folder, until this process ends.

    Raises:
        RuntimeError: if another living process holds it.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = open(folder / "lock", "a+")  # noqa: SIM115 (held until the process ends)
        except FileNotFoundError:  # a writer that was done has removed the folder just now
            continue
        try:
            # the kernel drops the lock with the process, however that ends
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise RuntimeError(
                f"{folder}: process {lock.read().strip() or 'unknown'} is writing this "
                "checkpoint; wait for it or stop it, then run again"
            ) from None
        # a writer that was done may have deleted the file between our opening and locking it: then
        # this is the lock of nothing, and a third process could take the one that is there
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock.fileno()), (folder / "lock").stat()):
                return lock
        lock.close()


@contextlib.contextmanager
def _one_line_where_it_cannot_be_written(folder: Path) -> Iterator[None]:
    """Turn what the system says of a full disk, and the like, into a line for users."""
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f"no checkpoint could be written ({error.strerror or error}); the last good one stays. "
            "Make room, then run again: the training goes on from it",
            str(folder),
        ) from error
