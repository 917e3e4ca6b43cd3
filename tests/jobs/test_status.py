"""What a run is doing, as its own files tell: jobs that finish, fail, are killed, and go on."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from paths import ROOT

from sslens.jobs.status import read_jobs, report

SCRIPTS = ROOT / "workflow" / "scripts"
JOB = """
import sys, time
sys.path.insert(0, sys.argv[1])
from sslens.jobs import process
process.start(sys.argv[2], "job", 1)
process.log.info("epoch 3/10: loss 0.5, 0:12 left")
{}
"""


def job(folder, name, code):
    """Start a script that writes a log as the workflow's do."""
    log = folder / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", JOB.format(code), str(SCRIPTS), str(log)], stderr=subprocess.DEVNULL
    )
    while not (log.exists() and "epoch 3/10" in log.read_text()):
        assert process.poll() in (None, 0, 1)
        time.sleep(0.01)
    return process


@pytest.fixture
def folder(tmp_path):
    """A run with a job in every state; its folder may well be called logs."""
    folder = tmp_path / "logs" / "run"
    job(folder, "records/model_1/train/00000", "").wait()
    job(folder, "finetune/model_1/a", "raise ValueError('no images')").wait()
    killed = job(folder, "finetune/model_1/b", "time.sleep(600)")
    killed.kill()
    killed.wait()
    running = job(folder, "pretrain/model_2/c", "time.sleep(600)")
    (folder / "logs/pretrain/model_2/d.log").write_text("")  # begun, and has not written
    yield folder
    running.kill()
    running.wait()


def test_every_job_is_in_its_state(folder):
    states = {job.name: (job.state, job.message) for job in read_jobs(folder)}
    progress = "epoch 3/10: loss 0.5, 0:12 left"
    assert states == {
        "records/model_1/train/00000": ("finished", "finished"),
        "finetune/model_1/a": ("failed", "failed: ValueError: no images"),
        "finetune/model_1/b": ("stopped", progress),
        "pretrain/model_2/c": ("running", progress),
    }


def test_a_process_of_another_machine_is_taken_to_run(folder):
    log = folder / "logs/finetune/model_1/b.log"
    log.write_text(re.sub(r" on \S+$", " on another.machine", log.read_text(), flags=re.MULTILINE))
    states = {job.name: job.state for job in read_jobs(folder)}
    assert states["finetune/model_1/b"] == "running"


def test_a_process_that_took_over_the_number_is_not_the_job(folder):
    log = folder / "logs/pretrain/model_2/c.log"
    log.write_text(re.sub(r"^\d{4}-", "2001-", log.read_text(), flags=re.MULTILINE))
    states = {job.name: job.state for job in read_jobs(folder)}
    assert states["pretrain/model_2/c"] == "stopped"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise KeyboardInterrupt", "failed: KeyboardInterrupt:"),
        (
            "from sslens.training.stopping import Stopped\n"
            "raise Stopped('stopped by SIGTERM after step 1')",
            "stopped by SIGTERM after step 1",
        ),
    ],
)
def test_what_was_interrupted_was_stopped_and_did_not_fail(tmp_path, code, message):
    job(tmp_path, "pretrain/a", code).wait()
    assert [(job.state, job.message) for job in read_jobs(tmp_path)] == [("stopped", message)]
    assert len(report(tmp_path).splitlines()) == 2


def test_the_report_shows_progress_and_the_end_of_a_failed_log(folder):
    own = folder / ".snakemake" / "log"
    own.mkdir(parents=True)
    (own / "2026-01-01T1.snakemake.log").write_text("9 of 9 steps (100%) done\n")
    (own / "2026-01-02T1.snakemake.log").write_text(
        "3 of 999 steps (0.3%) done\nfinished\n4 of 999 steps (0.4%) done\n"
    )
    (own / "2026-01-03T1.snakemake.log").write_text("a dry run\n")
    lines = report(folder, tail=3).splitlines()
    assert lines[0].endswith(
        ": jobs of all runs: 1 finished, 1 running, 1 failed, 1 stopped;"
        " the last run of Snakemake: 4 of 999 steps (0.4%)"
    )
    assert lines[1].startswith("running  pretrain/model_2/c since ")
    assert lines[1].endswith("0:12 left")
    (failed,) = (
        n for n, line in enumerate(lines) if line.startswith("failed   finetune/model_1/a")
    )
    assert lines[failed].endswith(": failed: ValueError: no images")
    assert lines[failed + 3] == "    ValueError: no images"
    assert lines[failed + 4] == f"    (whole log: {folder / 'logs/finetune/model_1/a.log'})"


def status(*arguments, cwd=None):
    return subprocess.Popen(
        [sys.executable, str(SCRIPTS / "status.py"), *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_shows_it_once_or_again_and_again(folder):
    out, _ = status(cwd=folder).communicate(timeout=60)
    assert "1 running" in out
    watching = status(str(folder), "--every", "0.05")
    for _ in range(3):
        assert any("1 running" in watching.stdout.readline() for _ in range(40))
    os.kill(watching.pid, signal.SIGINT)
    _, errors = watching.communicate(timeout=60)
    assert errors == ""


def test_where_no_run_is_the_command_says_so(tmp_path):
    process = status(str(tmp_path))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.startswith(f"{tmp_path}: no run here; there is no folder {tmp_path / 'logs'} (")
    assert errors.count("\n") == 1


def test_a_module_with_a_prefix_is_a_folder_of_a_run(folder, tmp_path):
    run = tmp_path / "run"
    (run / ".snakemake" / "log").mkdir(parents=True)
    (run / ".snakemake" / "log" / "1.snakemake.log").write_text("4 of 9 steps (44%) done\n")
    module = run / "deep" / "module"
    module.mkdir(parents=True)
    (folder / "logs").rename(module / "logs")
    assert report(module).splitlines()[0].endswith("the last run of Snakemake: 4 of 9 steps (44%)")
