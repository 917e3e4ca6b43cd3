"""What the tests share."""

import fcntl
import os
import shutil
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from paths import ROOT
from running import run

from sslens.jobs import environment

# as `sslens.jobs.process` does for the workflow's scripts, before anything imports TensorFlow
environment.settle(os.environ)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# workers share a GPU, where there is one
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def pytest_addoption(parser):
    parser.addoption(
        "--finished-run",
        type=Path,
        metavar="FOLDER",
        help="keep the finished run of the tiny configuration here, and update it the next time",
    )
    parser.addoption(
        "--kills",
        type=int,
        default=0,
        help="how often tests/workflow/test_kills.py kills each of its jobs (default: not at all)",
    )


# --- the order of the files, which workers take one after another ---------------------------------


def pytest_collection_modifyitems(items):
    """The finished run starts first, and then what waits most; slow files come before quick ones.

    Those that need the finished run come last of the slow ones, so that no worker waits for it.
    """
    slow, slurm = (
        {item.path for item in items if item.get_closest_marker(name)} for name in ("slow", "slurm")
    )
    waiting = Counter(item.path for item in items if "finished" in item.fixturenames)
    first = [path for path, _ in waiting.most_common(1)]

    def order(item):
        path = item.path
        return path not in first, path not in slurm, path not in slow, path in waiting

    items.sort(key=order)


# --- the memory of each worker --------------------------------------------------------------------

PEAKS = pytest.StashKey[dict[str, float]]()
MEMORY = pytest.StashKey["Memory"]()


class Memory(threading.Thread):
    """Looks every second at the memory of this process and of all that it has started.

    `getrusage` would not do: of processes that it has waited for it gives the largest alone, and
    for each at least what this process had when it started it.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.peak = 0.0  # GB; memory that processes share is counted for each

    def run(self):
        this = psutil.Process()
        while True:
            total = 0
            for process in (this, *this.children(recursive=True)):
                with suppress(psutil.Error):  # it has ended
                    total += process.memory_info().rss
            self.peak = max(self.peak, total / 2**30)
            time.sleep(1)


def pytest_configure(config):
    config.stash[PEAKS] = {}
    config.stash[MEMORY] = Memory()


def pytest_sessionstart(session):
    session.config.stash[MEMORY].start()


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["peak_memory"] = session.config.stash[MEMORY].peak


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    if peak := getattr(node, "workeroutput", {}).get("peak_memory"):
        node.config.stash[PEAKS][node.gateway.id] = peak


def pytest_terminal_summary(terminalreporter, config):
    peaks = config.stash[PEAKS] or {"the tests": config.stash[MEMORY].peak}
    for worker, peak in peaks.items():
        terminalreporter.write_line(f"peak memory of {worker} and its processes: {peak:.1f} GB")


# --- fixtures -------------------------------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heeded():
    """By tests and their processes; a shell's background job, as a CI's may be, ignores SIGINT."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> Path:
    """This worker's copy of what a run needs of the repository; a test may edit and restore it."""
    copy = tmp_path_factory.mktemp("copy") / "sslens"
    copy.mkdir()
    shutil.copy(ROOT / "Snakefile", copy)
    for folder in ("config", "envs", "profiles", "workflow"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="session")
def finished(repository, tmp_path_factory, pytestconfig) -> Path:
    """The folder of a run of the tiny configuration that nothing disturbed; copy it to change it.

    All workers share it: the first that needs it makes it, and the others wait for that.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    directory = pytestconfig.getoption("finished_run") or shared / "finished run"
    done = shared / "the finished run is up to date"
    with open(shared / "finished run.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            variables = {"SSLENS_MODULES": str(Path(directory, "modules"))}
            run(directory, repository=repository, variables=variables)
            done.touch()
    return directory
