"""What every script does before its work: logging, threads, readable errors."""

import atexit
import gc
import logging
import os
import resource
import socket
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

from sslens.jobs import environment, loaded_code
from sslens.training.stopping import Stopped

log = logging.getLogger("sslens")
#: Variable of the tests: a folder where every job writes which modules it has loaded.
MODULES = "SSLENS_MODULES"
#: New objects between two collections of garbage. What a job imports lives as long as the job; to
#: look through it again and again, as Python does by default, takes a fifth of its start.
OBJECTS_BETWEEN_COLLECTIONS = 100_000
ONLY_LOG = {"only_log": True}  # of a message that the terminal need not show


def start(log_path: str | Path, title: str, threads: int) -> None:
    """Prepare a script's process; to be called before anything computes.

    Messages go to the log file and, headed by the title, to the terminal. An uncaught error
    becomes one line that names the log, where its traceback stands; work that was stopped is no
    error and has none. The log begins with the process and ends with what it used and how it ended,
    for `status` and `benchmarks/pipeline.py` to read.

    Args:
        log_path: of the rule's log file.
        title: what the job is, for people who read several jobs' lines at once.
        threads: of linear algebra. From the configuration and never from the scheduler: their
            number changes the last bits of a sum.
    """
    to_file = logging.FileHandler(log_path, mode="w", encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setFormatter(logging.Formatter(f"{title}: %(message)s"))
    to_terminal.addFilter(lambda record: not hasattr(record, "only_log"))
    logging.basicConfig(level=logging.INFO, handlers=[to_file, to_terminal], force=True)
    logging.captureWarnings(True)
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    logging.raiseExceptions = False  # on a full disk every line would bring a traceback otherwise
    unused = environment.settle(os.environ)
    os.environ.update(environment.threads(threads))  # of those that are loaded from now on
    threadpool_limits(threads)  # of those that are loaded already

    def report(kind, error, trace):
        atexit.unregister(finish)
        if isinstance(error, Stopped):
            log.warning("%s", error)
            return
        message = " ".join(f"{kind.__name__}: {error}".split())
        log.error("failed: %s", message, exc_info=(kind, error, trace), extra=ONLY_LOG)
        print(f"{title}: {message} (log: {log_path})", file=sys.stderr)

    def finish():
        used = resource.getrusage(resource.RUSAGE_SELF)
        facts = (used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6)
        log.info("used %.1f s of CPU time, %.2f GB of memory", *facts, extra=ONLY_LOG)
        log.info("finished", extra=ONLY_LOG)
        gc.freeze()  # or Python would look through all of TensorFlow once more before it ends
        if folder := os.environ.get(MODULES):
            _list_modules(Path(folder))

    log.info("started as process %d on %s", os.getpid(), socket.gethostname(), extra=ONLY_LOG)
    sys.excepthook = report
    atexit.register(finish)
    job = getattr(sys.modules["__main__"], "snakemake", None)
    if job is not None:  # no benchmark or test
        loaded_code.check(job.scriptdir, job.params.get("code"))
    if unused:
        line = "variables not used, since they can change results: %s"
        log.warning(line, ", ".join(unused), extra=ONLY_LOG)


def _list_modules(folder: Path) -> None:
    """Write which modules this process has loaded, beside those of other jobs of its rule."""
    rule = getattr(sys.modules["__main__"], "snakemake").rule  # noqa: B009 (unknown to mypy)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{rule}-{os.getpid()}.txt").write_text("\n".join(sorted(sys.modules)))
