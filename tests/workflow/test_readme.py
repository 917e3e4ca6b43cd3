"""The README's examples work as written: the files that it shows are added, and run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from archives import write_archive
from paths import ROOT
from running import TINY, copy_data, planned, run

from sslens.data.catalogue import COLUMNS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```\n", re.DOTALL)


@pytest.fixture(scope="module")
def extended(repository, tmp_path_factory):
    """A copy of the repository with the files of all examples."""
    copy = tmp_path_factory.mktemp("extended") / "sslens"
    shutil.copytree(repository, copy)
    for name, text in BLOCK.findall(README):
        (copy / name).write_text(text, encoding="utf-8")
    return copy


def test_the_examples_are_found():
    assert [name for name, _ in BLOCK.findall(README)] == [
        "archive.yaml",
        "shifted.yaml",
        "small.yaml",
        "workflow/scripts/sslens/methods/simsiam.py",
        "workflow/scripts/sslens/methods/simsiam.schema.yaml",
        "simsiam.yaml",
        "survey.yaml",
    ]


@pytest.mark.parametrize("overlay", ["shifted.yaml", "simsiam.yaml"])
def test_an_overlay_is_four_rows(extended, tmp_path, overlay):
    jobs = planned(tmp_path, configs=(TINY, extended / overlay), repository=extended)
    assert sum(job.startswith("Learning the labels") for job in jobs) == 4
    assert "Comparing" in jobs


def test_an_archive_is_imported_as_it_says(extended, tmp_path, monkeypatch):
    archive = write_archive(tmp_path / "data", images=3, pixels=64)
    monkeypatch.setenv("HOME", str(tmp_path))
    for split, name in (("train", "Model_II"), ("test", "Model_II_test")):
        Path(archive["paths"][split]).rename(tmp_path / "data" / name)
    configs = (TINY, extended / "archive.yaml")
    jobs = planned(tmp_path / "run", configs=configs, repository=extended)
    assert "Finding and checking the images of my_archive" in jobs
    assert sum(job.startswith("Importing shard") for job in jobs) == 24
    run(
        tmp_path / "run",
        "results/data/my_archive/rejects.csv",
        configs=configs,
        repository=extended,
    )


def test_the_method_and_the_data_set_run(extended, finished, tmp_path):
    """In one run, since most of its time is the start of its processes."""
    history = "results/pretrain/model_2/simsiam-rotation/seed-1/history.csv"
    shard = "results/data/my_survey/test/00000.tfrecord"
    configs = (TINY, extended / "survey.yaml", extended / "simsiam.yaml")
    directory = tmp_path / "run"
    copy_data(finished, directory)
    run(directory, history, shard, configs=configs, repository=extended)
    loss = pd.read_csv(directory / history)["loss"]
    assert loss.iloc[-1] < loss.iloc[0]
    assert (directory / shard).stat().st_size > 15 * 4 * 48 * 48


def printed_by(name, folder):
    """The lines that an example prints in the folder of a finished run."""
    pattern = rf"<!-- run in a finished run: {name} -->\n```python\n(.*?)```"
    (code,) = re.findall(pattern, README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_the_whole_table_is_recomputed_from_the_predictions(finished):
    _, *lines = printed_by("aucs", finished)
    found = {}
    for dataset, arm, labels, *aucs in map(str.split, lines):
        found[dataset, arm, float(labels.removeprefix("labels-"))] = [float(auc) for auc in aucs]
    table = pd.read_csv(finished / "results/comparison/auc_summary.csv")
    measures = [f"auc_{name}" for name in ("axion", "cdm", "no_sub", "macro")]
    assert len(found) == len(table) == 5
    for _, cell in table.iterrows():
        expected = cell[measures].to_list()
        key = cell["dataset"], cell["arm"], cell["labels"]
        assert found[key] == pytest.approx(expected, abs=1e-6)


def test_the_records_are_read_as_it_says(finished):
    lines = [line.split() for line in printed_by("records", finished)]
    assert len(lines) == 15
    assert [int(label) for _, label, _, _ in lines[:3]] == [0, 1, 2]
    axion, cdm = (float(line[3]) for line in lines[:2])
    assert -24 <= axion <= -22
    assert cdm != cdm, "an image without an axion has no axion mass"


def test_every_file_it_names_is_there():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    paths = re.findall(r"`((?:config|envs|workflow|examples|tests|docs)/[\w./-]+)`", README)
    added = {name for name, _ in BLOCK.findall(README)}
    missing = [p for p in {*links, *paths} - added if not (ROOT / p).exists()]
    assert missing == []


def test_every_number_of_a_record_is_documented():
    text = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
    features = set(re.findall(r"`(\w+)`(?=[^|]*\|[^|]*\|$)", text, re.MULTILINE))
    lists = {"subhalo_mass", "subhalo_einstein_radius", "subhalo_x", "subhalo_y", "noise_seed"}
    assert features == set(COLUMNS) - lists | {"image", "shape"}
