"""What a run would cost, from its jobs."""

import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from paths import ROOT

from sslens.jobs.planning import Job, hours_with, job_of_record, report

PLAN = [sys.executable, str(ROOT / "workflow/scripts/plan.py")]


def job(rule, hours, inputs=(), outputs=(), cpus=1, gpus=0, megabytes=1000, minutes=60):
    return Job(rule, tuple(inputs), tuple(outputs), cpus, gpus, megabytes, minutes, hours)


def test_with_enough_gpus_the_longest_way_through_the_jobs_counts():
    jobs = [
        job("tune", 2, ["a"], ["c"], gpus=1),  # waits for the one after it
        job("train", 3, [], ["a"], gpus=1),
        job("train", 1, [], ["b"], gpus=1),
        job("compare", 0.5, ["b", "c", "is there already"], ["d"]),
    ]
    assert hours_with(jobs, 8) == 5.5
    assert hours_with(jobs, 1) == 6.5


def test_jobs_share_the_gpus():
    jobs = [job("train", 1, [], [str(n)], gpus=1) for n in range(16)]
    assert [hours_with(jobs, gpus) for gpus in (1, 8, 64)] == [16, 2, 1]
    jobs = [job("train", 1, [], [str(n)], gpus=2) for n in range(16)]
    assert [hours_with(jobs, gpus) for gpus in (2, 8, 64)] == [16, 4, 1]
    with pytest.raises(ValueError, match="train asks for more GPUs than 1"):
        hours_with(jobs, 1)


def test_the_report_counts_jobs_and_hours():
    jobs = [
        job("train", 1.5, [], ["a"], cpus=2, gpus=1, megabytes=21_500, minutes=372),
        job("train", 2, [], ["b"], cpus=2, gpus=1, megabytes=3_000),
        job("compare", 0.5, ["a", "b"], ["c"]),
    ]
    table, _, sums = report(jobs).partition("\n\n")
    rows = [[text.strip() for text in line.split("|")[1:-1]] for line in table.splitlines()]
    assert rows[0] == ["rule", "jobs", "CPUs", "GPUs", "GB", "time limit, h", "hours in all"]
    assert rows[2:] == [
        ["train", "2", "2", "1", "21.5", "6.2", "3.5"],
        ["compare", "1", "1", "0", "1.0", "1.0", "0.5"],
    ]
    assert sums.splitlines() == [
        "3 jobs, 8 CPU hours, 4 GPU hours; from the first job to the last",
        "- with 1 GPUs: 4.0 h",
        "- with 8 GPUs: 2.5 h",
        "- with 64 GPUs: 2.5 h",
    ]
    assert report([]) == "nothing to be done"


def test_what_is_not_known_yet_counts_as_nothing():
    asked = {"gpu": 2, "mem_mb": "<TBD>", "runtime": 30, "estimated_seconds": 1800}
    record = SimpleNamespace(
        rule_name="train", input=["a"], output=["b", "c"], threads=4, resources=asked
    )
    assert job_of_record(record) == Job("train", ("a",), ("b", "c"), 4, 2, 0, 30, 0.5)


@pytest.mark.slow
def test_the_plan_of_a_configuration(tmp_path):
    def plan(*options):
        words = [*PLAN, "--directory", str(tmp_path), *options]
        return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)

    one = tmp_path / "one.yaml"
    one.write_text(
        "run: {datasets: [model_1]}\n"
        "cpu_threads: 99\n"
        "splits:\n"
        "  {train: {shard_size: 9000}, validation: {shard_size: 3000}, test: {shard_size: 5000}}"
    )
    published = ["--configfile", "config/published.yaml", str(one)]
    done = plan("--workflow-profile", "profiles/slurm", *published)
    assert done.returncode == 0
    lines = [line.split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    rows = {line[1].strip(): line[2:] for line in lines}
    counts = {rule: int(rows[rule][0]) for rule in ("records", "pretrain", "features")}
    assert counts == {"records": 9 + 3 + 3, "pretrain": 3, "features": 4}
    assert {int(rows[rule][0]) for rule in ("finetune", "evaluate", "probe")} == {4}
    assert rows["pretrain"][1].strip() == "99"  # CPUs, whatever this machine has
    slow = tmp_path / "slow.yaml"
    slow.write_text("planning: {core_gflops: 20.0}")
    slower = plan(*published, str(slow))
    told = [re.search(r"jobs, ([\d,]+) CPU hours", each.stdout)[1] for each in (done, slower)]
    hours = [int(number.replace(",", "")) for number in told]
    assert hours[1] == pytest.approx(2 * hours[0], rel=0.05)

    wrong = plan("--config", "run={datasets: [model_4]}")
    assert wrong.returncode != 0
    assert "configuration: run.datasets: unknown data set 'model_4'" in wrong.stderr
    assert not (tmp_path / "results").exists()
