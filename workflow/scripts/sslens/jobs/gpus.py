"""Which GPUs a job uses, where nobody else has decided: each job that runs side by side its own.

Snakemake counts GPUs and does not say which. So a job takes as many as it asked for, by a lock on
a file of each that the kernel drops with the process, however that ends. A scheduler that gives
a job its devices does so by CUDA_VISIBLE_DEVICES, and is obeyed.
"""

import contextlib
import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pynvml

log = logging.getLogger(__name__)
VARIABLE = "CUDA_VISIBLE_DEVICES"
SECONDS_BETWEEN_TRIES = 1.0
_held: list[IO[str]] = []  # the locks of this process, open until its end


def assign(count: int) -> None:
    """Choose GPUs of this machine for this process, before TensorFlow starts, and hold them.

    Among those that CUDA_VISIBLE_DEVICES names, where it is set. Waits where other jobs of this
    user hold too many of them. There is no choice where there are not more than asked for.

    Args:
        count: how many GPUs the job asked for.
    """
    if not count:
        return
    chosen = os.environ.get(VARIABLE)
    present = listed() if chosen is None else [name for name in chosen.split(",") if name]
    if len(present) > count:
        os.environ[VARIABLE] = ",".join(take(count, present))


def listed() -> list[str]:
    """Identifiers of this machine's NVIDIA GPUs, which CUDA_VISIBLE_DEVICES may hold."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver
        return []
    found = []
    try:
        for index in range(pynvml.nvmlDeviceGetCount()):
            with contextlib.suppress(pynvml.NVMLError):  # one that is lost, or not for this process
                found.append(pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(index)))
    finally:
        pynvml.nvmlShutdown()
    return found


def take(count: int, present: Sequence[str], folder: Path | None = None) -> list[str]:
    """Hold so many of the devices that are there for this process, or wait until it can.

    A job that waits for several keeps none meanwhile, or two of them could wait for each other.

    Args:
        count: at most as many as there are.
        present: identifiers of all devices.
        folder: of the locks; one of this user's in the machine's temporary folder, and of this
            allocation's where a scheduler numbers its devices anew.
    """
    name = f"sslens-gpus-{os.getuid()}-{os.environ.get('SLURM_JOB_ID', 'machine')}"
    folder = folder or Path(tempfile.gettempdir()) / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    logged = False
    while True:
        free: dict[str, IO[str]] = {}
        for device in present:
            if len(free) < count and (lock := _lock(folder / device)):
                free[device] = lock
        if len(free) == count:
            _held.extend(free.values())
            return list(free)
        for lock in free.values():
            lock.close()
        if not logged:
            log.info("waiting for %d of %d GPUs: other jobs have them", count, len(present))
            logged = True
        time.sleep(SECONDS_BETWEEN_TRIES)


def _lock(path: Path) -> IO[str] | None:
    """The open, locked file, or None where another process has locked it."""
    lock = open(path, "a")  # noqa: SIM115 (held until the process ends)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
