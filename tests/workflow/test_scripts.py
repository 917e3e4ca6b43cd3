"""Whose library a script imports: the one beside it, wherever else Python could find one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

SCRIPTS = ROOT / "workflow" / "scripts"
#: For people, or started by the workflow; all others are run by Snakemake.
COMMANDS = ("plan", "publish", "seeds", "status", "warm_start")
FIRST = """\
import sys

sys.path.insert(0, snakemake.scriptdir)
"""
START = "from sslens.jobs import process\n"
#: Before that, where TensorFlow is loaded.
WARM_START = """\
from sslens.jobs import warm_start

warm_start.continue_in_copy()
"""
#: A script's first lines as a job has them, Snakemake's object with no more than they need.
JOB = f"""
from types import SimpleNamespace
snakemake = SimpleNamespace(scriptdir={str(SCRIPTS)!r}, params={{{{}}}})
{{before}}
{FIRST}
{START}
process.start("job.log", "job", 1)
from sslens.jobs import digest
print(digest.PACKAGE)
"""


@pytest.fixture
def other(tmp_path):
    """Another checkout's scripts, whose library says so."""
    folder = tmp_path / "other" / "workflow" / "scripts"
    package = folder / "sslens"
    shutil.copytree(SCRIPTS / "sslens", package)
    for name in ("jobs/status", "comparison/publish", "jobs/planning", "jobs/sample_size"):
        (package / f"{name}.py").write_text("raise RuntimeError('of another checkout')\n")
    return folder


def python(folder: Path, *arguments, **variables):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("script", sorted(path.stem for path in SCRIPTS.glob("*.py")))
def test_a_script_looks_beside_itself_first(script):
    text = (SCRIPTS / f"{script}.py").read_text(encoding="utf-8")
    code = text.split('"""', 2)[2].lstrip()
    assert script not in sys.stdlib_module_names, "it would be imported in its place"
    if script in COMMANDS:
        before, found, after = code.partition("sys.path.insert(0, str(Path(__file__).parent))")
        assert found and "sslens" not in before and "from sslens" in after
    else:
        warm = WARM_START if "set_up_tensorflow" in code else ""
        assert code.startswith(FIRST + warm + START)


def test_a_job_imports_the_library_beside_its_script(tmp_path, other):
    done = python(tmp_path, "-c", JOB.format(before=""), PYTHONPATH=str(other))
    assert done.stdout == f"{SCRIPTS / 'sslens'}\n", done.stderr


def test_a_job_stops_where_another_library_is_loaded_already(tmp_path, other):
    done = python(tmp_path, "-c", JOB.format(before="import sslens"), PYTHONPATH=str(other))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    told = f"job: RuntimeError: Python loaded the library {other / 'sslens'} before"
    assert line.startswith(told) and str(SCRIPTS / "sslens") in line
    assert "failed" in (tmp_path / "job.log").read_text()


@pytest.mark.parametrize(
    ("command", "isolation"),
    [
        ("status", "path"),
        ("status", "safe"),
        ("status", "-I"),
        ("publish", "-P"),
        ("plan", "safe"),
        ("seeds", "-P"),
    ],
)
def test_a_command_finds_its_library_however_python_is_started(tmp_path, other, command, isolation):
    variables = {"PYTHONPATH": str(other), "PYTHONSAFEPATH": "1" if isolation == "safe" else ""}
    options = [isolation] if isolation.startswith("-") else []
    done = python(tmp_path, *options, SCRIPTS / f"{command}.py", "--help", **variables)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "program", ["config/reference.py", "benchmarks/convolution.py", "benchmarks/training.py"]
)
def test_other_programs_find_theirs_too(tmp_path, other, program):
    code = f"import runpy, sys; runpy.run_path({str(ROOT / program)!r}, run_name='imported')"
    if program.startswith("benchmarks"):
        code += f"; assert sys.modules['sslens'].__file__.startswith({str(SCRIPTS)!r})"
    if program.endswith("training.py"):
        code += "; import importlib.util as u; assert u.find_spec('torch_training')"
    done = python(tmp_path, "-P", "-c", code, PYTHONPATH=str(other))
    assert done.returncode == 0, done.stderr
