"""A run on a real Slurm of one node, through the profile: interrupted four times, the same tables.

Needs Slurm's packages and root; `.ci/run` installs the one and says by SSLENS_REQUIRE_SLURM that
the test may not be skipped.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import pandas as pd
import pytest
import slurm
import yaml
from paths import ROOT
from running import TINY

pytestmark = [pytest.mark.slow, pytest.mark.slurm, pytest.mark.timeout(3600)]

LONG = 1800  # s; the run took 1,060 s on two slow cores that ran the other tests as well

# what a test's cluster has otherwise than most: no accounting, and jobs of seconds
QUICK = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2"]
QUICK += ["--latency-wait", "10"]
# what makes a run take TensorFlow for one that can use GPUs, and so ask Slurm for them
TENSORFLOW = "tensorflow-2.21.0.dist-info/METADATA"
BYOL, CONTRASTIVE = (
    f"pretrain/model_2/{name}/seed-1" for name in ("byol-dihedral", "contrastive-rotation")
)
BASELINE, TUNED = (
    f"finetune/model_2/{name}/labels-1.0/seed-1" for name in ("baseline", "contrastive-rotation")
)


class Job(NamedTuple):
    """What Slurm tells of a job, when it has ended or while it has not."""

    comment: str
    state: str
    partition: str
    gpus: str
    limit: str
    restarts: int
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
                    restarts=int(told["Restarts"]),
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
    with slurm.cluster(tmp_path_factory.mktemp("s")):  # the path of a socket has to be short
        yield


@pytest.fixture(scope="module")
def ran(cluster, repository, tmp_path_factory):
    """The folder of a run whose trainings were interrupted, what was seen of them, and all jobs."""
    folder = tmp_path_factory.mktemp("on slurm")
    profile = folder / "profile"
    shutil.copytree(repository / "profiles" / "slurm", profile)
    told = yaml.safe_load((profile / "profile.yaml").read_text())
    # a pretraining is not told before its time is up, so that it meets the limit itself
    rules = told["set-resources"]  # which YAML makes one and the same
    rules["pretrain"] = {**rules["pretrain"], "slurm_extra": "''"}
    (profile / "profile.yaml").write_text(yaml.safe_dump(told))
    metadata = folder / "packages" / TENSORFLOW
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.21.0\n")
    environment = os.environ | {"PYTHONPATH": str(folder / "packages")}
    directory = folder / "run"
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile")]
    words += ["--directory", str(directory), "--configfile", str(TINY)]
    words += ["--workflow-profile", str(profile), *QUICK]
    with open(folder / "printed", "w") as printed:
        process = subprocess.Popen(
            words, cwd=ROOT, stdout=printed, stderr=subprocess.STDOUT, env=environment
        )
        try:
            seen = interrupt(directory, process)
            process.wait(timeout=LONG)
        finally:
            process.kill()
    assert process.returncode == 0, (folder / "printed").read_text()[-6000:]
    return directory, seen, jobs()


def interrupt(directory, process):
    """Interrupt four trainings, each in its way; what was seen of each."""
    ways = {CONTRASTIVE: preempt, BYOL: end_its_time, BASELINE: announce_its_end, TUNED: requeue}
    with ThreadPoolExecutor(len(ways)) as pool:
        seen = [pool.submit(watch, directory, process, *each) for each in ways.items()]
        return dict(zip(ways, (each.result() for each in seen), strict=True))


def watch(directory, process, training, way):
    """Interrupt a training once it has a checkpoint, and see it go on; its log's lines and jobs."""
    checkpoint = directory / "checkpoints" / training / "checkpoint.npz"
    end = time.monotonic() + LONG
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
    # by a requeue it is killed at once
    stopped = "" if way is requeue else wait_for(log, "stopped by SIGTERM after step")
    resumed = wait_for(log, "resumed from the checkpoint of step")
    return stopped, resumed, [job for job in jobs() if job.comment == comment]


def end_its_time(comment, minutes=1):
    """Shorten a job's time limit to about what it has run for; Slurm looks every half minute."""
    limit = f"TimeLimit={minutes}"
    subprocess.run(["scontrol", "update", f"JobId={id_of(comment)}", limit], check=True)


def announce_its_end(comment):
    """Shorten it to the two minutes before it that the profile has a job told to end."""
    end_its_time(comment, minutes=2)


def preempt(_comment):
    """Submit a job that takes precedence on the only GPU."""
    urgent = ["sbatch", "--partition=urgent", "--gpus=1", "--comment=urgent", "--output=/dev/null"]
    subprocess.run([*urgent, "--wrap=sleep 3"], check=True, capture_output=True)


def requeue(comment):
    """Have Slurm itself start a job again, as where its node has failed, without its 2 minutes."""
    number = id_of(comment)
    subprocess.run(["scontrol", "requeue", number], check=True)
    while next(job.state for job in jobs() if job.comment == comment) != "PENDING":
        time.sleep(0.1)
    subprocess.run(["scontrol", "update", f"JobId={number}", "StartTime=now"], check=True)


def wait_for(log, text):
    """The line of a log that has this text, once it is there."""
    end = time.monotonic() + LONG
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
    seen = dict(ran[1])
    assert set(seen) == {BYOL, CONTRASTIVE, BASELINE, TUNED}
    _, resumed, (again,) = seen.pop(TUNED)
    assert again.restarts == 1 and re.search(r"step [1-9]\d* of \d+", resumed)
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
    assert first[BASELINE].end - first[BASELINE].start < pd.Timedelta(minutes=2)
    (urgent,) = (job for job in everything if job.partition == "urgent")
    assert first[CONTRASTIVE].state == "FAILED"
    assert pd.Timedelta(0) <= urgent.start - first[CONTRASTIVE].end < pd.Timedelta(seconds=30)


def test_no_two_jobs_are_on_the_gpu_at_the_same_time(ran):
    *_, everything = ran
    on_gpu = sorted((job for job in everything if job.gpus), key=lambda job: job.start)
    # pretrainings, fine-tunings, evaluations, features; three again, and the urgent one
    assert len(on_gpu) == 2 + 3 + 3 + 3 + 3 + 1
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
        "cpu": {"catalogue", "records", "manifest", "preprocessing", "shortcuts", "probe"},
        "gpu": {"pretrain", "finetune", "evaluate", "features"},
        "urgent": {"urgent"},
    }
    catalogues = [job for job in everything if "rule_catalogue" in job.comment]
    assert len(catalogues) == 3
    assert len({job.array for job in catalogues}) == 1 and catalogues[0].array
