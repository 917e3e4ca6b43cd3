"""What a run is doing, read from the files it writes: its logs, and Snakemake's own.

Works beside a run and after it, on any machine that sees its folder. A job's log begins with the
process it ran in and ends with how it ended (see `process`).
"""

import re
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import psutil

#: A log line of `process`: time, level, message.
LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ ([A-Z]+) (.*)")
STARTED = re.compile(r"started as process (\d+) on (\S+)")
USED = re.compile(r"used ([\d.]+) s of CPU time, ([\d.]+) GB of memory")
FINISHED = "finished"
FAILED = "failed: "
# somebody's wish: by Ctrl-C in a job that cannot go on, or in one that can (see `stopping`)
INTERRUPTED = re.compile(rf"{FAILED}KeyboardInterrupt|stopped by ")
CLOCK = 10  # seconds that the log's clock and the system's start of a process may be apart
STEPS = re.compile(r"^(\d+ of \d+ steps \([\d.]+%\)) done$", re.MULTILINE)


class Job(NamedTuple):
    """A job as its log tells of it.

    `state` is running, finished, failed or, where its process is gone without a word, stopped.
    """

    name: str
    state: str
    began: datetime
    message: str
    log: Path


def read_jobs(folder: Path) -> list[Job]:
    """The jobs whose logs lie under `folder`/logs, in the order they began."""
    root = folder / "logs"
    jobs = (_read_job(log, str(log.relative_to(root))) for log in root.rglob("*.log"))
    return sorted(filter(None, jobs), key=lambda job: job.began)


def report(folder: Path, tail: int = 12) -> str:
    """Tell what runs, and what failed with the last `tail` lines of its log.

    Raises:
        FileNotFoundError: where no run has left a log.
    """
    if not (folder / "logs").is_dir():
        raise FileNotFoundError(
            f"{folder}: no run here; there is no folder {folder / 'logs'} (with a module's prefix, "
            "name that folder)"
        )
    jobs = read_jobs(folder)
    return "\n".join([*_summary(folder, jobs), *_running(jobs), *_broken(jobs, tail)])


def _read_job(log: Path, name: str) -> Job | None:
    """A job from its log; nothing where the job has not begun to write."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    entries = [match.groups() for match in map(LINE.fullmatch, lines) if match]
    if not entries or not (started := STARTED.fullmatch(entries[0][2])):
        return None
    process, host, began = int(started[1]), started[2], datetime.fromisoformat(entries[0][0])
    _, _, message = entries[-1]
    return Job(
        name=name.removesuffix(".log"),
        state=_state(message, process, host, began),
        began=began,
        message=message,
        log=log,
    )


def _state(last: str, process: int, host: str, began: datetime) -> str:
    if last == FINISHED:
        return "finished"
    if INTERRUPTED.match(last):
        return "stopped"
    if last.startswith(FAILED):
        return "failed"
    if host != socket.gethostname():  # another machine of a cluster: its processes are not seen
        return "running"
    try:
        started = psutil.Process(process).create_time()
    except psutil.NoSuchProcess:
        return "stopped"
    # numbers are used again: a process that is younger than the log is another one
    return "running" if started < began.timestamp() + CLOCK else "stopped"


def _summary(folder: Path, jobs: list[Job]) -> Iterator[str]:
    counts = {
        state: sum(job.state == state for job in jobs)
        for state in ("finished", "running", "failed", "stopped")
    }
    counted = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    steps = f"; the last run of Snakemake: {done}" if (done := _steps(folder)) else ""
    yield f"{folder.resolve()}: jobs of all runs: {counted or 'none'}{steps}"


def _steps(folder: Path) -> str:
    """Snakemake's own count, of the newest of its runs in this folder that did something.

    What a module with a prefix writes lies below the folder of Snakemake's own log.
    """
    for place in (folder.resolve(), *folder.resolve().parents):
        logs = sorted((place / ".snakemake" / "log").glob("*.snakemake.log"), reverse=True)
        for log in logs:
            if found := STEPS.findall(log.read_text(encoding="utf-8", errors="replace")):
                return found[-1]
        if logs:
            break
    return ""


def _running(jobs: list[Job]) -> Iterator[str]:
    for job in jobs:
        if job.state == "running":
            yield f"running  {job.name} since {job.began:%H:%M:%S}: {job.message}"


def _broken(jobs: list[Job], tail: int) -> Iterator[str]:
    for job in jobs:
        if job.state in ("failed", "stopped"):
            yield f"{job.state:<8} {job.name} began {job.began}: {job.message}"
            if INTERRUPTED.match(job.message):  # the end of its log tells nothing more
                continue
            lines = job.log.read_text(encoding="utf-8", errors="replace").splitlines()
            yield from (f"    {line}" for line in lines[-tail:])
            yield f"    (whole log: {job.log})"
