"""The workflow as its users run it, for the tests that need a run."""

import multiprocessing
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from paths import LIBRARY, ROOT

TINY = ROOT / "tests" / "configs" / "tiny.yaml"

# a process that has imported Snakemake, and nothing of ours, and is copied for each run
_COPIES = multiprocessing.get_context("forkserver")
_COPIES.set_forkserver_preload(["snakemake.cli", "pandas", "jsonschema"])


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
    words = command(directory, *arguments, **where)[2:]
    with tempfile.NamedTemporaryFile() as printed:
        own = os.environ | (variables or {})
        copy = _COPIES.Process(target=_as_program, args=(words, dict(own), printed.name))
        copy.start()
        copy.join()
        text = Path(printed.name).read_text()
    assert copy.exitcode == 0, text[-9000:]
    return text


def dry_run(directory: Path, *arguments: str, **where) -> str:
    """What it prints of a run that is only planned."""
    return run(directory, *arguments, "--dry-run", **where)


def _as_program(words: list[str], variables: dict[str, str], printed: str) -> None:
    """Run a module of Python as the program of this process, and print to a file."""
    with open(printed, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def planned(directory: Path, *arguments: str, **where) -> list[str]:
    """The messages of the jobs that would run, sorted; the target itself has none."""
    printed = dry_run(directory, *arguments, **where)
    return sorted(re.findall(r"^Job \d+: (.+)$", printed, re.MULTILINE))


def copy_data(finished: Path, directory: Path) -> None:
    """Begin a run with the data sets of a finished one, and with nothing that was trained."""
    shutil.copytree(finished, directory)
    for stage in ("pretrain", "finetune", "features", "probe", "evaluate", "comparison"):
        shutil.rmtree(directory / "results" / stage)
    shutil.rmtree(directory / "logs")


def run_as_job(folder: Path, code: str, **variables: str) -> subprocess.CompletedProcess:
    """Run code that begins as the workflow's scripts do, in a folder and a process of its own."""
    header = f"""
        import sys
        sys.path.insert(0, {str(LIBRARY.parent)!r})
        from sslens.jobs import process
        from sslens.jobs.tensorflow_setup import set_up_tensorflow
    """
    script = folder / "script.py"
    script.write_text(textwrap.dedent(header) + textwrap.dedent(code))
    return subprocess.run(
        [sys.executable, script],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
