"""Rules in environments of their own, and without a file system that jobs share.

No conda channel and no container registry is needed: stand-ins for the programs are told what the
real ones would be, and give the jobs the packages of the tests. The store is a folder.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from paths import ROOT
from running import command, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TARGET = "results/data/model_2/test/00000.tfrecord"
SMALL = """
run: {datasets: [model_2], arms: [baseline, contrastive-rotation]}
splits: {train: {images: 6}, validation: {images: 3}, test: {images: 6}}
pretraining: {batch_size: 3, epochs: 1}
"""
NETWORK = """
encoder: {width: 2}
finetuning: {batch_size: 3, epochs: 1}
preprocessing: {crop: 32}
"""
CONDA = """\
#!{python}
import json, shutil, subprocess, sys
from pathlib import Path
with open({told!r}, "a") as told:
    told.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "info":
    print(json.dumps({{"conda_prefix": {prefix!r}, "platform": "linux-64"}}))
elif sys.argv[1] == "--version":
    print("conda 24.9.2")
elif sys.argv[1] == "config":
    print(json.dumps({{"get": {{"channel_priority": "strict"}}}}))
elif sys.argv[1:3] == ["env", "create"]:
    prefix = Path(sys.argv[sys.argv.index("--prefix") + 1])
    subprocess.run([{python!r}, "-m", "venv", "--without-pip", prefix], check=True)
    (site,) = prefix.glob("lib/python*/site-packages")
    (site / "packages_of_the_tests.pth").write_text({packages!r})
elif sys.argv[1] != "clean":
    sys.exit(f"not told what to do with {{sys.argv}}")
"""
ACTIVATE = """\
export PATH="$1/bin:$PATH" CONDA_PREFIX="$1"
"""
APPTAINER = """\
#!{python}
import json, shlex, subprocess, sys
with open({told!r}, "a") as told:
    told.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "--version":
    print("apptainer version 1.3.6")
    sys.exit()
options, command = sys.argv[: sys.argv.index({image!r})], sys.argv[-3:]
bound = [b.split(":") for a, b in zip(options, options[1:]) if a == "--bind" and ":" in b]
lines = ["mount -t tmpfs tmpfs /mnt"]
lines += [f"mkdir -p {{target}} && mount --bind {{source}} {{target}}" for source, target in bound]
lines += ["exec " + shlex.join(command)]
sys.exit(subprocess.run(["unshare", "--mount", "sh", "-ec", "\\n".join(lines)]).returncode)
"""


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def run_with(programs, directory, config, *options, **environment):
    """Render one shard of a small data set, with programs that stand before all others."""
    environment |= {"PATH": f"{programs}:{os.environ['PATH']}"}
    words = command(directory, TARGET, *options, configs=(config,))
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=ROOT, env=os.environ | environment, check=False
    )
    assert done.returncode == 0, done.stderr[-5000:]
    assert (directory / TARGET).exists()


def test_rules_run_in_their_conda_environments(tmp_path):
    prefix, told = tmp_path / "conda", tmp_path / "told"
    facts = {"python": sys.executable, "prefix": str(prefix), "told": str(told)}
    facts |= {"packages": sysconfig.get_path("purelib")}
    write_program(prefix / "bin/conda", CONDA.format(**facts))
    write_program(prefix / "bin/activate", ACTIVATE)
    config = tmp_path / "small.yaml"
    config.write_text(SMALL)
    # of the user's; rules in environments of their own do not get it
    misleading = tmp_path / "misleading" / "sslens"
    misleading.mkdir(parents=True)
    (misleading / "__init__.py").write_text("raise ImportError('found by PYTHONPATH')")
    paths = {"PYTHONPATH": str(misleading.parent)}
    run_with(prefix / "bin", tmp_path / "run", config, "--sdm", "conda", **paths)
    (made,) = (tmp_path / "run/.snakemake/conda").glob("*.yaml")
    assert yaml.safe_load(made.read_text()) == yaml.safe_load(
        (ROOT / "envs/tensorflow-cpu.yaml").read_text()
    )
    assert told.read_text().count('"create"') == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="binding folders, as a container does, takes root")
def test_rules_run_in_the_container(tmp_path):
    image, told = tmp_path / "sslens.sif", tmp_path / "told"
    image.touch()
    facts = {"python": sys.executable, "told": str(told), "image": str(image)}
    write_program(tmp_path / "bin/apptainer", APPTAINER.format(**facts))
    config = tmp_path / "small.yaml"
    config.write_text(f"{SMALL}container: {image}\n")
    run_with(tmp_path / "bin", tmp_path / "run", config, "--sdm", "apptainer")
    calls = [line for line in told.read_text().splitlines() if '"exec"' in line]
    assert len(calls) == 2  # the catalogue and the records


def test_the_definition_of_the_container_installs_the_lock():
    text = (ROOT / "envs/sslens.def").read_text()
    (source, target), *others = re.findall(r"^    (envs/\S+) (\S+)$", text, re.MULTILINE)
    assert not others
    assert (ROOT / source).exists()
    assert f"--require-hashes -r {target}\n" in text
    version = re.search(r"^From: python:(\d+\.\d+)", text, re.MULTILINE)[1]
    environment = yaml.safe_load(Path(ROOT / "envs/tensorflow-gpu.yaml").read_text())
    assert f"python={version}" in environment["dependencies"]


@pytest.mark.skipif(not shutil.which("rsync"), reason="the store that is a folder needs rsync")
def test_nothing_but_the_declared_files_is_needed(tmp_path):
    """Every job gets its inputs from a store, and leaves its outputs there alone."""
    store, directory = tmp_path / "store", tmp_path / "run"
    store.mkdir()
    config = tmp_path / "small.yaml"
    config.write_text(f"{SMALL}{NETWORK}checkpoint_dir: {tmp_path / 'volume'}\n")
    target = "results/evaluate/model_2/contrastive-rotation/labels-1.0/seed-1/metrics.json"
    options = ["--default-storage-provider", "fs", "--default-storage-prefix", str(store)]
    options += ["--shared-fs-usage", "none"]
    run(directory, target, *options, configs=(config,))
    assert (store / target).exists()
    assert not (directory / "results").exists()
    assert (tmp_path / "volume").exists()
