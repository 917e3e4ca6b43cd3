"""An archive through the workflow: rejects are told, damage is mended, what is new is imported."""

import os
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import yaml
from archives import image, write_archive
from paths import ROOT
from running import TINY, command, planned, run

from sslens.data.records import read_split
from sslens.digests import sha256_of
from sslens.files import read_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PIXELS = 32  # as many as the tiny configuration crops to
MANIFEST = "results/data/mine/manifest.json"


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Folder of an archive with bad files and of a run that imported it; its configuration."""
    folder = tmp_path_factory.mktemp("archive")
    entry = write_archive(folder / "data", pixels=PIXELS)
    (folder / "data" / "train" / "cdm" / "empty.npy").write_bytes(b"")
    np.save(folder / "data" / "test" / "cdm" / "constant.npy", np.ones((PIXELS, PIXELS)))
    mine = {"paths": entry["paths"], "instrument": {"pixels": PIXELS}, "source": "archive"}
    mine |= {"shards": 1, "max_rejected": 0.02}
    config = folder / "mine.yaml"
    chosen = {"datasets": ["mine"], "images_per_seed": None}  # an archive has no new images
    config.write_text(yaml.safe_dump({"run": chosen, "datasets": {"mine": mine}}))
    run(folder / "run", MANIFEST, configs=(TINY, config))
    return folder, config


def test_records_hold_the_images_of_the_files(imported):
    folder, _ = imported
    manifest = folder / "run" / MANIFEST
    catalogue = pd.read_parquet(folder / "run/results/data/mine/images.parquet")
    for split in ("train", "validation", "test"):
        found = read_split(manifest, split)
        rows = catalogue[catalogue["split"] == split].set_index("image_id")
        assert set(found.columns["image_id"]) == set(rows.index)
        for image_id, pixels in zip(found.columns["image_id"], found.images[:], strict=True):
            row = rows.loc[image_id]
            content = np.load(folder / "data" / row["found_in"] / row["file"], allow_pickle=True)
            content = content[0] if row["label"] == "axion" else content
            np.testing.assert_array_equal(pixels[..., 0], content.astype(np.float32))
    assert read_json(manifest)["schema"]["log10_axion_mass"] == {"type": "float"}
    rejects = pd.read_csv(folder / "run/results/data/mine/rejects.csv")
    assert list(rejects["file"]) == ["cdm/constant.npy", "cdm/empty.npy"]
    assert list(rejects["reason"]) == ["all its pixels are 1", "empty file"]


def test_too_many_rejects_stop_with_one_line(imported, tmp_path):
    _, config = imported
    strict = tmp_path / "strict.yaml"
    strict.write_text("datasets: {mine: {max_rejected: 0.0}}")
    done = subprocess.run(
        command(tmp_path, MANIFEST, configs=(TINY, config, strict)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if "cannot be used" in line]
    assert any("mine: 1 of 61 images of test cannot be used" in line for line in lines)
    log = (tmp_path / "logs/survey/mine.log").read_text()
    assert "rejected: train/cdm/empty.npy: empty file" in log
    assert "rejected: test/cdm/constant.npy: all its pixels are 1" in log


def test_records_are_the_same_bytes_whatever_the_cores(imported, tmp_path):
    folder, config = imported
    shard = "results/data/mine/train/00000.tfrecord"
    words = command(tmp_path, shard, configs=(TINY, config))
    words[words.index("--cores") + 1] = "1"
    subprocess.run(words, capture_output=True, cwd=ROOT, check=True)
    for name in ("results/data/mine/images.parquet", shard):
        assert sha256_of(tmp_path / name) == sha256_of(folder / "run" / name)


def test_a_file_that_is_added_is_imported_and_nothing_runs_without_one(imported):
    folder, config = imported

    def jobs():
        return planned(folder / "run", MANIFEST, configs=(TINY, config))

    assert jobs() == []
    added = folder / "data" / "train" / "cdm" / "new.npy"
    before = added.parent.stat()
    np.save(added, image(123_456, PIXELS))
    try:
        new = jobs()
        assert "Finding and checking the images of mine" in new
        assert sum("shard" in job for job in new) == 6
    finally:
        added.unlink()
        os.utime(added.parent, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_archives_are_compared_before_an_encoder_of_one_is_tested_on_another(imported, tmp_path):
    folder, config = imported
    given = yaml.safe_load(config.read_text())
    mine = given["datasets"]["mine"]
    exchanged = {"train": mine["paths"]["test"], "test": mine["paths"]["train"]}
    given["datasets"]["other"] = mine | {"paths": exchanged}
    moved = {"pretraining": "contrastive-rotation", "pretrained_on": "other"}
    given["arms"] = {"moved": moved, "probe-moved": moved | {"protocol": "linear_probe"}}
    given["run"]["arms"] = ["moved", "contrastive-rotation", "probe-random", "probe-moved"]
    both = tmp_path / "both.yaml"
    both.write_text(yaml.safe_dump(given))
    check = "results/data/mine/apart_from_other.json"
    new = planned(folder / "run", configs=(TINY, both))
    assert [job for job in new if "Comparing the test images" in job] == [
        "Comparing the test images of mine with what encoders from other learn from"
    ]
    done = subprocess.run(
        command(tmp_path, check, configs=(TINY, both)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    message = "60 test images of mine are images that encoders from other have learned from"
    assert any(message in line for line in done.stderr.splitlines())


def test_a_damaged_shard_is_told_set_aside_and_made_anew(imported, tmp_path):
    folder, config = imported
    copy = tmp_path / "run"
    shutil.copytree(folder / "run", copy, symlinks=True)
    shard = copy / "results/data/mine/train/00000.tfrecord"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    words = command(copy, MANIFEST, "--forcerun", "manifest", configs=(TINY, config))
    words += ["--rerun-triggers", "params"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{len(whole) // 2} bytes, and not the {len(whole)} that were written" in done.stderr
    assert not shard.exists()
    run(copy, MANIFEST, configs=(TINY, config))
    assert shard.read_bytes() == whole
