"""The workflow as its users run it, for the tests that need a run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from paths import ROOT

TINY = ROOT / "tests" / "configs" / "tiny.yaml"


def command(
    directory: Path, *arguments: str, configs: tuple[Path, ...] = (TINY,), repository: Path = ROOT
) -> list[str]:
    """Snakemake in a folder of its own, two trainings at a time."""
    start = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile")]
    configfile = ["--configfile", *map(str, configs)] if configs else []
    resources = ["--resources", "gpu=2", "--cores", "2"]
    return [*start, "--directory", str(directory), *configfile, *resources, *arguments]


def run(directory: Path, *arguments: str, variables: dict[str, str] | None = None, **where) -> str:
    """Run it to its end, with variables of its own; what it printed."""
    done = subprocess.run(
        command(directory, *arguments, **where),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | (variables or {}),
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout + done.stderr


def planned(directory: Path, *arguments: str, **where) -> list[str]:
    """The messages of the jobs that would run, sorted; the target itself has none."""
    printed = run(directory, *arguments, "--dry-run", **where)
    return sorted(re.findall(r"^Job \d+: (.+)$", printed, re.MULTILINE))


def copy_data(finished: Path, directory: Path) -> None:
    """Begin a run with the data sets of a finished one, and with nothing that was trained."""
    shutil.copytree(finished, directory)
    for stage in ("pretrain", "finetune", "features", "probe", "evaluate", "comparison"):
        shutil.rmtree(directory / "results" / stage)
    shutil.rmtree(directory / "logs")
