"""Checkpoints: one file that is whole or absent, kept for one training by one writer."""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from sslens.files import atomic_path, sha256_of

log = logging.getLogger(__name__)


def fingerprint(told: list, inputs: list[str]) -> str:
    """SHA-256 of what a training was told (as JSON) and of the content of its input files."""
    content = json.dumps([told, [sha256_of(path) for path in inputs]], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


class Checkpoint:
    """The checkpoint of one training, in a folder of its own outside the workflow's outputs.

    Snakemake deletes the outputs of a job that failed, so what a training goes on from lies
    elsewhere, and belongs to it by a fingerprint of its parameters, inputs and code.
    """

    def __init__(self, folder: str | Path, fingerprint: str):
        """Take the folder for this process.

        Raises:
            RuntimeError: if another living process holds it.
        """
        self._folder = Path(folder)
        self._path = self._folder / "checkpoint.npz"
        self._fingerprint = fingerprint
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = open(self._folder / "lock", "a+")  # noqa: SIM115 (held until the process ends)
        try:
            # the kernel drops the lock with the process, however that ends
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            raise RuntimeError(
                f"{self._folder}: process {self._lock.read().strip() or 'unknown'} is writing this "
                "checkpoint; wait for it or stop it, then run again"
            ) from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    def save(self, arrays: list[np.ndarray], facts: dict) -> None:
        """Replace the checkpoint by these arrays and JSON-able facts."""
        named: dict[str, Any] = {f"array{index:05d}": array for index, array in enumerate(arrays)}
        about = {"fingerprint": self._fingerprint, "arrays": list(named), "facts": facts}
        with atomic_path(self._path) as temporary:
            np.savez(temporary, about=np.array(json.dumps(about)), **named)

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
