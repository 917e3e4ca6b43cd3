"""Files that runs share: made once, whoever starts first, whatever ends it."""

import json
import subprocess
import sys
import time

import pytest
from paths import ROOT
from running import command, planned, run

from sslens.data.records import describe, index_path, read_split
from sslens.data.sharing import forget_missing, make_once
from sslens.digests import sha256_of
from sslens.files import read_json, write_json

SLOWLY = """
import sys, time
from pathlib import Path
sys.path.insert(0, {library!r})
from sslens.data.sharing import forget_missing, make_once
def make(path, index):
    with open({made!r}, "a") as made:
        made.write("made\\n")
    path.write_text("content")
    time.sleep({seconds})
    index.write_text("index")
paths = [Path({path!r}), Path({path!r}).with_suffix(".index.parquet")]
for path in paths:
    path.parent.mkdir(parents=True, exist_ok=True)
make_once(make, paths, {folder!r}, ["recipe"], [])
"""


@pytest.fixture
def runs(tmp_path):
    """Start the making of the same file in the folder of a run, as a process."""
    (tmp_path / "made").touch()
    started = []

    def start(name, seconds=0.5):
        told = {"library": str(ROOT / "workflow/scripts"), "made": str(tmp_path / "made")}
        told |= {"path": str(tmp_path / name / "model_2/train/00000.tfrecord")}
        told |= {"folder": str(tmp_path / "shared"), "seconds": seconds}
        process = subprocess.Popen([sys.executable, "-c", SLOWLY.format(**told)])
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def made(folder):
    return (folder / "made").read_text().count("made")


def test_of_many_at_the_same_time_one_makes_it(runs, tmp_path):
    names = [f"run-{number}" for number in range(5)]
    assert [process.wait() for process in [runs(name) for name in names]] == [0] * 5
    assert made(tmp_path) == 1
    links = [tmp_path / name / "model_2/train/00000.tfrecord" for name in names]
    assert {link.read_text() for link in links} == {"content"}
    (stored,) = {link.resolve() for link in links}
    assert stored.parent == tmp_path / "shared/model_2/train"


def test_another_makes_what_one_was_killed_at(runs, tmp_path):
    first = runs("first", seconds=60)
    while not made(tmp_path):
        time.sleep(0.01)
    second = runs("second")
    first.kill()
    assert second.wait() == 0
    assert made(tmp_path) == 2
    assert (tmp_path / "second/model_2/train/00000.tfrecord").read_text() == "content"


@pytest.fixture
def make(tmp_path):
    """Make a file of a run, and tell which it has."""

    def of(settings, inputs=(), folder=tmp_path / "shared", name="run"):
        path = tmp_path / name / "model_2/train/00000.tfrecord"
        folder = folder and str(folder)
        paths = [path, index_path(path), path.with_suffix(".json")]

        def write_all(*paths):
            for each in paths:
                write(each, str(settings))

        make_once(write_all, paths, folder, settings, list(inputs))
        return path

    return of


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_other_settings_or_inputs_are_another_file(make, tmp_path):
    catalogue = tmp_path / "catalogue"
    catalogue.write_text("one")
    first = make(["a"], [catalogue]).resolve()
    assert make(["a"], [catalogue]).resolve() == first
    assert make(["b"], [catalogue]).resolve() != first
    assert make(["b"], [catalogue]).read_text() == "['b']"
    catalogue.write_text("two")
    assert make(["a"], [catalogue]).resolve() != first


def test_without_a_folder_it_is_the_runs_own(make):
    path = make(["a"], folder=None)
    assert not path.is_symlink() and path.read_text() == "['a']"


def test_links_to_files_that_are_gone_are_forgotten(make, tmp_path):
    link, data = make(["a"]), tmp_path / "run"
    forget_missing(data)
    assert link.exists()
    shared = tmp_path / "shared"
    shared.rename(tmp_path / "not mounted")
    forget_missing(data)
    assert link.is_symlink(), "the folder may be there tomorrow"
    (tmp_path / "not mounted").rename(shared)
    link.resolve().unlink()
    forget_missing(data)
    assert not link.is_symlink()


@pytest.mark.parametrize("suffix", [".tfrecord", ".index.parquet", ".json"])
def test_the_files_of_a_shard_are_linked_and_forgotten_together(make, tmp_path, suffix):
    link, data = make(["a"]), tmp_path / "run"
    catalogue = link.with_suffix(".parquet")
    catalogue.write_text("this run's own")
    links = [link, index_path(link), link.with_suffix(".json")]
    assert all(each.is_symlink() and each.exists() for each in links)
    assert len({each.resolve().name.partition(".")[0] for each in links}) == 1
    link.with_suffix(suffix).resolve().unlink()
    forget_missing(data)
    assert list(link.parent.iterdir()) == [catalogue]
    assert make(["a"]).read_text() == "['a']"
    assert all(each.exists() for each in links), "all of them were made anew"


def test_what_was_there_is_replaced(make, tmp_path):
    path = tmp_path / "run/model_2/train/00000.tfrecord"
    write(path, "of an earlier run")
    assert make(["a"]).is_symlink()
    path.resolve().unlink()  # somebody has cleaned up
    assert path.is_symlink() and not path.exists()
    assert make(["a"]).read_text() == "['a']"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_runs_that_start_together_share_their_records(tmp_path):
    shared = tmp_path / "shared"
    overlay = tmp_path / "shared.yaml"
    given = {
        "data_dir": str(shared),
        "run": {"datasets": ["model_2"], "arms": ["baseline"]},
        "splits": {"train": {"images": 15, "shard_size": 15}},
    }
    overlay.write_text(json.dumps(given))
    target = "results/data/model_2/train/00000.tfrecord"
    folders = [tmp_path / "first", tmp_path / "second"]
    words = [command(folder, target, configs=(overlay,)) for folder in folders]
    started = [subprocess.Popen(each, cwd=ROOT, stderr=subprocess.DEVNULL) for each in words]
    assert [process.wait() for process in started] == [0, 0]
    assert len(list(shared.rglob("*.tfrecord"))) == 1
    logs = [log.read_text() for f in folders for log in (f / "logs/records").rglob("*.log")]
    assert sum("taken from" in log for log in logs) == 1
    assert sum("15 images" in log for log in logs) == 1

    # damage is reported, set aside where it is, and the next run of either makes it anew
    link, other = (folder / target for folder in folders)
    stored, digest = link.resolve(), sha256_of(link)
    assert other.resolve() == stored
    manifest = folders[0] / "results/data/model_2/manifest.json"
    facts = read_json(link.with_suffix(".json"))
    write_json(manifest, describe("model_2", {str(link): facts}))
    for file in (index_path(stored), stored):
        kept = file.read_bytes()
        file.write_bytes(kept[:-100])
        with pytest.raises(ValueError, match=f"{file}: .* it is {file.name}.damaged now"):
            read_split(manifest, "train")
        if file != stored:
            file.write_bytes(kept)
    index_path(stored).unlink()
    run(folders[1], target, configs=(overlay,))
    assert sha256_of(link) == digest
    assert len(read_split(manifest, "train").images[:]) == 15
    for folder in folders:
        assert planned(folder, target, configs=(overlay,)) == []
