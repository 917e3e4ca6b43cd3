"""What a run would ask of a cluster, and how long it would take: jobs, memory, time, GPU hours.

    python workflow/scripts/plan.py --workflow-profile profiles/slurm --configfile mine.yaml

Takes Snakemake's options, makes a dry run with them, and submits nothing. Hours are estimates by
the speeds of `planning` in the configuration; docs/cluster.md has their formula. A training is
planned for a GPU unless TensorFlow for CPUs alone is installed here.
"""

import contextlib
import io
import logging
import sys
from pathlib import Path

from snakemake import cli
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

sys.path.insert(0, str(Path(__file__).parent))  # not there with PYTHONSAFEPATH
from sslens.jobs.planning import Job, job_of_record, report

MANY_CORES = "9999"  # or a job's threads would be cut down to this machine's


def dry_run(options: list[str]) -> list[Job]:
    """The jobs that Snakemake would run; where it cannot tell, its own words, and the exit."""
    jobs: list[Job] = []

    def note(record: logging.LogRecord) -> bool:
        # the target itself makes nothing
        if getattr(record, "event", None) == LogEvent.JOB_INFO and record.output:
            jobs.append(job_of_record(record))
        return True

    logger.addFilter(note)
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
        try:
            cli.main([*options, "--dry-run", "--cores", MANY_CORES])
        except SystemExit as end:
            failure = end.code  # a wrong configuration is told by it
    if failure:
        sys.exit(failure if isinstance(failure, str) else printed.getvalue())
    return jobs


if __name__ == "__main__":
    print(report(dry_run(sys.argv[1:])))
