"""A run on a real Slurm of one node, through the profile: interrupted twice, the same table.

Needs Slurm's packages and root; `.ci/run` installs the one and says by SSLENS_REQUIRE_SLURM that
the test may not be skipped.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
import slurm
import yaml
from paths import ROOT
from running import TINY, command

pytestmark = [pytest.mark.slow, pytest.mark.slurm, pytest.mark.timeout(1800)]

# what a test's cluster has otherwise than most: no accounting, and jobs of seconds
QUICK = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2"]
QUICK += ["--latency-wait", "10"]
# its machine has no GPU, and so TensorFlow for CPUs, with which no job would ask for one
GPU_ASKED_FOR = ("pretrain", "finetune", "evaluate")
BYOL, CONTRASTIVE = (
    f"pretrain/model_2/{name}/seed-1" for name in ("byol-dihedral", "contrastive-rotation")
)
BASELINE = "finetune/model_2/baseline/labels-1.0/seed-1"


class Job(NamedTuple):
    """What Slurm tells of a job, when it has ended or while it has not."""

    comment: str
    state: str
    partition: str
    gpus: str
    limit: str
    array: str
    start: pd.Timestamp
    end: pd.Timestamp


def jobs() -> list[Job]:
    """All jobs of the cluster, in the order of their submission."""
    done = subprocess.run(
        ["scontrol", "--oneliner", "show", "job"], capture_output=True, text=True, check=False
    )
    found = []
    for line in done.stdout.splitlines():
        told = dict(re.findall(r"(\S+?)=(\S*)", line))
        if "JobState" in told:
            found.append(
                Job(
                    comment=told.get("Comment", ""),
                    state=told["JobState"],
                    partition=told["Partition"],
                    gpus=told.get("TresPerJob", ""),
                    limit=told["TimeLimit"],
                    array=told.get("ArrayJobId", ""),
                    start=pd.to_datetime(told["StartTime"], errors="coerce"),
                    end=pd.to_datetime(told["EndTime"], errors="coerce"),
                )
            )
    return found


def id_of(comment: str) -> str:
    """The number of the running job whose comment holds this."""
    done = subprocess.run(
        ["squeue", "--noheader", "--states=RUNNING", "--format=%i %k"],
        capture_output=True,
        text=True,
        check=True,
    )
    (number,) = (line.split()[0] for line in done.stdout.splitlines() if comment in line)
    return number


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if reason := slurm.missing():
        if os.environ.get("SSLENS_REQUIRE_SLURM"):
            pytest.fail(reason)
        pytest.skip(reason)
    # not under pytest's folder, whose path is too long for a socket's name
    folder = Path(tmp_path_factory.mktemp("s"))
    with slurm.cluster(folder):
        yield folder


@pytest.fixture(scope="module")
def ran(cluster, repository, tmp_path_factory):
    """The folder of a run that two of its trainings were interrupted in, and what was seen."""
    folder = tmp_path_factory.mktemp("on slurm")
    profile = folder / "profile"
    shutil.copytree(repository / "profiles" / "slurm", profile)
    told = yaml.safe_load((profile / "profile.yaml").read_text())
    asked = {rule: told["set-resources"][rule] | {"gpu": 1} for rule in GPU_ASKED_FOR}
    # a pretraining is not told beforehand, so that it meets the limit itself
    asked["pretrain"]["slurm_extra"] = "''"
    (profile / "profile.yaml").write_text(yaml.safe_dump(told | {"set-resources": asked}))
    directory = folder / "run"
    words = [*command(directory, configs=())[:3], "--snakefile", str(repository / "Snakefile")]
    words += ["--directory", str(directory), "--configfile", str(TINY)]
    words += ["--workflow-profile", str(profile), *QUICK]
    with open(folder / "printed", "w") as printed:
        process = subprocess.Popen(words, cwd=ROOT, stdout=printed, stderr=subprocess.STDOUT)
        try:
            seen = interrupt(directory, process)
            process.wait(timeout=900)
        finally:
            process.terminate()
            process.wait(timeout=60)
    assert process.returncode == 0, (folder / "printed").read_text()[-6000:]
    return directory, seen, jobs()


def interrupt(directory, process):
    """Interrupt three trainings, each in its way; what was seen of each."""
    ways = {CONTRASTIVE: preempt, BYOL: end_its_time, BASELINE: end_its_time}
    with ThreadPoolExecutor(len(ways)) as pool:
        seen = [pool.submit(watch, directory, process, *each) for each in ways.items()]
        return dict(zip(ways, (each.result() for each in seen), strict=True))


def watch(directory, process, training, way):
    """Interrupt a training once it has a checkpoint, and see it go on; its log's lines and jobs."""
    checkpoint = directory / "checkpoints" / training / "checkpoint.npz"
    end = time.monotonic() + 900
    while not checkpoint.exists():
        assert process.poll() is None, "the run ended before it was interrupted"
        assert time.monotonic() < end, f"waited too long for {checkpoint}"
        time.sleep(0.005)
    pid = int(checkpoint.with_name("lock").read_text())
    os.kill(pid, signal.SIGSTOP)  # or it would be done before it is interrupted
    rule, *wildcards = re.sub("(labels|seed)-", "", training).split("/")
    comment = f"rule_{rule}_wildcards_{'_'.join(wildcards)}"
    way(comment)
    log = directory / "logs" / f"{training}.log"
    stopped = wait_for(log, "stopped by SIGTERM after step")
    resumed = wait_for(log, "resumed from the checkpoint of step")
    return stopped, resumed, [job for job in jobs() if job.comment == comment]


def end_its_time(comment):
    """Shorten a job's time limit to what it has run for; Slurm ends it within a minute."""
    subprocess.run(["scontrol", "update", f"JobId={id_of(comment)}", "TimeLimit=1"], check=True)


def preempt(comment):
    """Submit a job that takes precedence on the only GPU."""
    urgent = ["sbatch", "--partition=urgent", "--gpus=1", "--comment=urgent", "--output=/dev/null"]
    subprocess.run([*urgent, "--wrap=sleep 3"], check=True, capture_output=True)


def wait_for(log, text, seconds=240):
    """The line of a log that has this text, once it is there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        lines = log.read_text().splitlines() if log.exists() else []
        for line in lines:
            if text in line:
                return line
        time.sleep(0.02)
    raise AssertionError(f"no {text!r} in {log}: " + "\n".join(lines[-5:]))


def test_the_tables_are_those_of_an_undisturbed_run_on_one_machine(ran, finished):
    directory, _, _ = ran
    for name in ("auc_table.csv", "auc_table.md", "probe_table.md"):
        here, there = (folder / "results/comparison" / name for folder in (directory, finished))
        assert here.read_bytes() == there.read_bytes()


def test_each_training_goes_on_where_it_was_stopped(ran):
    _, seen, _ = ran
    assert set(seen) == {BYOL, CONTRASTIVE, BASELINE}
    limit = pd.Timedelta(seen[CONTRASTIVE][2][0].limit)  # the only one that was not shortened
    for stopped, resumed, (_, second) in seen.values():
        assert re.search(r"step \d+ of \d+", stopped)[0] == re.search(r"step .*", resumed)[0]
        assert pd.Timedelta(second.limit) == 2 * limit


def test_each_was_stopped_in_its_way(ran):
    _, seen, everything = ran
    first = {training: tried[0] for training, (_, _, tried) in seen.items()}
    assert first[BYOL].state == "TIMEOUT"
    assert first[BYOL].end - first[BYOL].start >= pd.Timedelta(minutes=1)
    # told to end before its time was up
    assert first[BASELINE].state == "FAILED"
    assert first[BASELINE].end - first[BASELINE].start < pd.Timedelta(minutes=1)
    (urgent,) = (job for job in everything if job.partition == "urgent")
    assert first[CONTRASTIVE].state == "FAILED"
    assert pd.Timedelta(0) <= urgent.start - first[CONTRASTIVE].end < pd.Timedelta(seconds=30)


def test_no_two_jobs_are_on_the_gpu_at_the_same_time(ran):
    *_, everything = ran
    on_gpu = sorted((job for job in everything if job.gpus), key=lambda job: job.start)
    assert len(on_gpu) == 2 + 5 + 5 + 3 + 1  # trainings, evaluations, three again, the urgent one
    assert {job.gpus for job in on_gpu} == {"gres:gpu:1"}
    assert all(job.end <= later.start for job, later in pairwise(on_gpu))


def test_rules_are_where_the_profile_puts_them(ran):
    *_, everything = ran
    places = {}
    for job in everything:
        rule = re.sub("(rule_)?([a-z]+).*", r"\2", job.comment)
        places.setdefault(job.partition, set()).add(rule)
    # tables and figures are made where Snakemake runs
    assert places == {
        "cpu": {"catalogue", "records", "manifest", "preprocessing", "shortcuts"},
        "gpu": {"pretrain", "finetune", "evaluate"},
        "urgent": {"urgent"},
    }
    catalogues = [job for job in everything if "rule_catalogue" in job.comment]
    assert len(catalogues) == 3
    assert len({job.array for job in catalogues}) == 1 and catalogues[0].array
