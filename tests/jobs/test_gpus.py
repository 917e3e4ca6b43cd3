"""GPUs of jobs that run side by side, with a stand-in for the list of devices."""

import json
import os
import signal
import subprocess
import sys

import pytest
from paths import ROOT

from sslens.jobs import gpus

HOLD = """
import json, logging, sys, time
from pathlib import Path
sys.path.insert(0, {library!r})
from sslens.jobs import gpus
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
gpus.SECONDS_BETWEEN_TRIES = 0.02
print(json.dumps(gpus.take({count}, ["GPU-a", "GPU-b", "GPU-c"], Path({folder!r}))), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def job(tmp_path):
    """Start a process that takes so many of three GPUs and holds them until its input ends."""
    started = []

    def start(count):
        told = {"library": str(ROOT / "workflow/scripts"), "folder": str(tmp_path), "count": count}
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD.format(**told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def taken(process):
    return json.loads(process.stdout.readline())


def test_jobs_side_by_side_have_devices_of_their_own(job):
    held = [taken(job(1)) for _ in range(3)]
    assert sorted(held) == [["GPU-a"], ["GPU-b"], ["GPU-c"]]


def test_a_job_of_two_and_one_of_one_share_none(job):
    jobs = [job(count) for count in (2, 1)]
    held = [device for process in jobs for device in taken(process)]
    assert sorted(held) == ["GPU-a", "GPU-b", "GPU-c"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_job_waits_for_one_and_gets_that_of_a_job_that_ended(job, number):
    first, second = job(2), job(1)
    held = taken(first), taken(second)
    third = job(1)
    assert "waiting for 1 of 3 GPUs" in third.stderr.readline()
    assert third.poll() is None
    second.send_signal(number)
    assert taken(third) == held[1]


def test_a_job_that_waits_for_several_keeps_none_meanwhile(job):
    one = job(2)
    taken(one)
    several = job(2)
    several.stderr.readline()  # it waits, with one of them free
    assert len(taken(job(1))) == 1


@pytest.fixture
def three(monkeypatch, tmp_path):
    """A machine with three GPUs, as far as this process is told."""
    monkeypatch.setattr(gpus, "listed", lambda: ["GPU-a", "GPU-b", "GPU-c"])
    monkeypatch.setattr(gpus, "_held", [])
    monkeypatch.setattr(gpus.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv(gpus.VARIABLE, raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


def test_the_device_of_a_job_is_the_one_that_cuda_shows(three):
    gpus.assign(2)
    assert os.environ[gpus.VARIABLE] == "GPU-a,GPU-b"


def test_there_is_no_choice_where_all_are_asked_for(three):
    gpus.assign(8)
    assert gpus.VARIABLE not in os.environ


@pytest.mark.parametrize("chosen", ["2", "GPU-b", "-1", ""])
def test_a_choice_of_the_scheduler_stands(three, monkeypatch, chosen):
    monkeypatch.setenv(gpus.VARIABLE, chosen)
    gpus.assign(1)
    assert os.environ[gpus.VARIABLE] == chosen
    assert not gpus._held


def test_of_several_that_a_user_has_chosen_one_is_taken(three, monkeypatch):
    monkeypatch.setenv(gpus.VARIABLE, "2,3")
    gpus.assign(1)
    assert os.environ[gpus.VARIABLE] == "2"
    monkeypatch.setenv(gpus.VARIABLE, "2,3")
    gpus.assign(1)  # as another job, while the first is held
    assert os.environ[gpus.VARIABLE] == "3"


def test_an_allocation_counts_its_devices_for_itself(three, monkeypatch):
    for allocation in ("7", "8"):
        monkeypatch.setenv("SLURM_JOB_ID", allocation)
        monkeypatch.setenv(gpus.VARIABLE, "0,1")
        gpus.assign(1)
        assert os.environ[gpus.VARIABLE] == "0"


def test_without_a_choice_to_make_none_is_made(three, monkeypatch):
    gpus.assign(0)
    monkeypatch.setattr(gpus, "listed", lambda: ["GPU-a"])
    gpus.assign(1)
    assert gpus.VARIABLE not in os.environ


def test_a_machine_without_a_driver_has_none(monkeypatch):
    def fail():
        raise gpus.pynvml.NVMLError_LibraryNotFound

    monkeypatch.setattr(gpus.pynvml, "nvmlInit", fail)
    assert gpus.listed() == []


def test_the_devices_of_nvidias_library(monkeypatch):
    library = gpus.pynvml

    def uuid(handle):
        if handle == 1:
            raise library.NVMLError_NoPermission
        return f"GPU-{handle}"

    monkeypatch.setattr(library, "nvmlInit", lambda: None)
    monkeypatch.setattr(library, "nvmlShutdown", lambda: None)
    monkeypatch.setattr(library, "nvmlDeviceGetCount", lambda: 3)
    monkeypatch.setattr(library, "nvmlDeviceGetHandleByIndex", lambda index: index)
    monkeypatch.setattr(library, "nvmlDeviceGetUUID", uuid)
    assert gpus.listed() == ["GPU-0", "GPU-2"]


def test_a_jobs_tensorflow_starts_after_its_devices_were_chosen(tmp_path):
    """In a process of its own, with the stand-in where NVIDIA's library would be asked."""
    code = f"""
import os, sys, tempfile
sys.path.insert(0, {str(ROOT / "workflow/scripts")!r})
tempfile.tempdir = {str(tmp_path)!r}
from sslens.jobs import gpus, process
from sslens.jobs.tensorflow_setup import set_up_tensorflow
gpus.listed = lambda: ["GPU-a", "GPU-b"]
process.start({str(tmp_path / "log")!r}, "job", 1)
assert "tensorflow" not in sys.modules
set_up_tensorflow(1, gpus=1)
assert "tensorflow" in sys.modules
print(os.environ["CUDA_VISIBLE_DEVICES"])
"""
    environment = {k: v for k, v in os.environ.items() if k != gpus.VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.strip() == "GPU-a"
