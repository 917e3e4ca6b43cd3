"""What a run would cost on a cluster, from its jobs as a dry run tells them."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from sslens.formatting import pipe_table

#: Numbers of GPUs for which a run's hours are listed.
GPUS = (1, 8, 64)
RESOURCES = ("gpu", "mem_mb", "runtime", "estimated_seconds")
COLUMNS = ("jobs", "CPUs", "GPUs", "GB", "time limit, h", "hours in all")


@dataclass(frozen=True)
class Job:
    """A job of a dry run.

    `minutes` is the time limit it asks for, `hours` what it is estimated to take.
    """

    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    cpus: int
    gpus: int
    megabytes: int
    minutes: int
    hours: float


def job_of_record(record: Any) -> Job:
    """The job that a record of Snakemake's log tells of, the kind of event JOB_INFO.

    What depends on files that are not there yet is counted as nothing.
    """
    requested = {key: record.resources.get(key) for key in RESOURCES}
    resolved = {key: value if isinstance(value, int) else 0 for key, value in requested.items()}
    return Job(
        rule=record.rule_name,
        inputs=tuple(map(str, record.input)),
        outputs=tuple(map(str, record.output)),
        cpus=record.threads,
        gpus=resolved["gpu"],
        megabytes=resolved["mem_mb"],
        minutes=resolved["runtime"],
        hours=resolved["estimated_seconds"] / 3600,
    )


def report(jobs: Sequence[Job]) -> str:
    """A table of the rules in markdown, its sums, and the hours with some numbers of GPUs."""
    if not jobs:
        return "nothing to be done"
    by_rule: dict[str, list[Job]] = {}
    for job in jobs:
        by_rule.setdefault(job.rule, []).append(job)
    rows = [[rule, *_texts(of_rule)] for rule, of_rule in by_rule.items()]
    on_gpu = sum(job.hours * job.gpus for job in jobs)
    on_cpu = sum(job.hours * job.cpus for job in jobs)
    lines = [f"{len(jobs)} jobs, {on_cpu:,.0f} CPU hours, {on_gpu:,.0f} GPU hours"]
    if on_gpu:
        most = max(job.gpus for job in jobs)
        lines[0] += "; from the first job to the last"
        lines += [f"- with {n} GPUs: {hours_with(jobs, n):.1f} h" for n in GPUS if n >= most]
    return pipe_table(["rule", *COLUMNS], rows) + "\n" + "\n".join(lines)


def _texts(jobs: Sequence[Job]) -> list[str]:
    """The columns of a rule: how many jobs, the most that one asks for, the hours of all."""
    return [
        str(len(jobs)),
        str(max(job.cpus for job in jobs)),
        str(max(job.gpus for job in jobs)),
        f"{max(job.megabytes for job in jobs) / 1000:.1f}",
        f"{max(job.minutes for job in jobs) / 60:.1f}",
        f"{sum(job.hours for job in jobs):.1f}",
    ]


def hours_with(jobs: Iterable[Job], gpus: int) -> float:
    """Hours from the first job to the end of the last, with so many GPUs and CPUs for all.

    Every job starts as soon as what it reads is there and its GPUs are free, in the order of the
    jobs: as a scheduler would that has nothing else to do.

    Raises:
        ValueError: where a job asks for more GPUs than there are.
    """
    waiting = list(jobs)
    if short := [job.rule for job in waiting if job.gpus > gpus]:
        raise ValueError(f"{short[0]} asks for more GPUs than {gpus}")
    missing = {output for job in waiting for output in job.outputs}
    running: list[tuple[float, int, Job]] = []
    order = count()  # of jobs that end at the same time
    now = 0.0
    while waiting or running:
        for job in [job for job in waiting if missing.isdisjoint(job.inputs)]:
            if job.gpus <= gpus:
                gpus -= job.gpus
                waiting.remove(job)
                heapq.heappush(running, (now + job.hours, next(order), job))
        now, _, done = heapq.heappop(running)
        gpus += done.gpus
        missing -= set(done.outputs)
    return now
