"""Another workflow uses this one as a module, with a configuration of its own."""

import os
import subprocess
import sys

import pytest
from paths import ROOT
from running import TINY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CALLER = """
import yaml

with open({tiny!r}) as stream:
    own = yaml.safe_load(stream)


rule all:
    default_target: True
    input:
        "copy.parquet",


module sslens:
    snakefile:
        {snakefile!r}
    config:
        own


use rule * from sslens exclude all as sslens_*


rule copy:
    input:
        "results/data/model_2/test/00000.parquet",
    output:
        "copy.parquet",
    shell:
        "cp {{input}} {{output}}"
"""


PREFIXED = """

module {name}:
    snakefile:
        {snakefile!r}
    prefix:
        {prefix!r}
    config:
        own


use rule * from {name} exclude all as {name}_*


for rule in (rules.{name}_pretrain, rules.{name}_finetune):
    print("writes", rule.params.checkpoint, rule.params.tensorboard)
"""


def call(folder, *arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | variables,
    )


@pytest.fixture
def caller(tmp_path):
    text = CALLER.format(tiny=str(TINY), snakefile=str(ROOT / "Snakefile"))
    (tmp_path / "Snakefile").write_text(text)
    return tmp_path


def test_its_rules_run_in_the_callers_folder(caller):
    other = caller / "other" / "sslens"  # another checkout's library
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise RuntimeError('of another checkout')\n")
    done = call(caller, PYTHONPATH=str(other.parent))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (caller / "copy.parquet").stat().st_size > 0
    assert (caller / "logs/catalogue/model_2/test/00000.log").is_file()


def test_modules_of_two_checkouts_are_refused(caller, repository):
    """Python would take the library of the first for both, beside the digests of the second."""
    second = repository / "Snakefile"
    module = f"module other:\n    snakefile: {str(second)!r}\nuse rule * from other as o_*\n"
    with (caller / "Snakefile").open("a") as stream:
        stream.write(module)
    done = call(caller, "--dry-run")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{repository}: Python has already loaded the library of another ")
    assert str(ROOT / "workflow" / "scripts" / "sslens") in line


def test_the_whole_comparison_can_be_asked_for(caller):
    done = call(caller, "--dry-run", "results/comparison/auc_table.md")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Pretraining byol-dihedral on model_2, seed 1" in done.stdout + done.stderr
    assert "model_1" not in done.stdout, "the caller's configuration, not the default"


def test_what_modules_with_prefixes_write_is_below_their_own(caller):
    """Also what Snakemake does not know of: checkpoints, histories for TensorBoard, old links."""
    names, links = ["one", "two/deep"], []
    for number, name in enumerate(names):
        with open(caller / "Snakefile", "a") as stream:
            text = PREFIXED.format(
                name=f"m{number}", prefix=name, snakefile=str(ROOT / "Snakefile")
            )
            stream.write(text)
        # to a shared file that is gone
        links.append(caller / name / "results/data/model_2/train/00000.tfrecord")
        links[-1].parent.mkdir(parents=True)
        links[-1].symlink_to(caller / "gone.tfrecord")
    done = call(caller, "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    pretraining = "pretrain/{dataset}/{pretraining}/seed-{seed}"
    finetuning = "finetune/{dataset}/{arm}/labels-{fraction}/seed-{seed}"
    for name, link in zip(names, links, strict=True):
        for place in (pretraining, finetuning):
            # below `checkpoint_dir`, and in the run's folder
            assert f"writes {name}/{place} {name}/logs/tensorboard/{place}\n" in done.stdout
        assert not link.is_symlink()
