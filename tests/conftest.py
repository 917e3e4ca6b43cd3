"""What the tests share."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from paths import ROOT
from running import run

from sslens.jobs import environment

# as `sslens.jobs.process` does for the workflow's scripts, before anything imports TensorFlow
environment.settle(os.environ)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heeded():
    """By tests and their processes; a shell's background job, as a CI's may be, ignores SIGINT."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> Path:
    """A copy of what a run needs of the repository, which a test may edit and set back."""
    copy = tmp_path_factory.mktemp("copy") / "sslens"
    copy.mkdir()
    shutil.copy(ROOT / "Snakefile", copy)
    for folder in ("config", "envs", "profiles", "workflow"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="session")
def finished(repository, tmp_path_factory) -> Path:
    """The folder of a run of the tiny configuration that nothing disturbed."""
    directory = tmp_path_factory.mktemp("finished run")
    run(directory, repository=repository)
    return directory
