"""Files and shorthands of the configuration, merged."""

import subprocess
import sys

import pytest
from configurations import error_of
from paths import ROOT

from sslens.configuration.loading import load, merge


def test_merge_overlays_mappings_and_replaces_all_else():
    base = {"a": {"x": 1, "y": {"z": 2}}, "list": [1, 2], "kept": 0, "none": None, "deep": {"k": 1}}
    overlay = {"a": {"y": {"z": 3}, "new": 4}, "list": [9], "none": {"k": 1}, "deep": None}
    assert merge(base, overlay) == {
        "a": {"x": 1, "y": {"z": 3}, "new": 4},
        "list": [9],
        "kept": 0,
        "none": {"k": 1},
        "deep": None,
    }


def test_merge_changes_neither_and_shares_nothing():
    base, overlay = {"a": {"l": [1]}, "b": {"l": [2]}}, {"a": {"m": [3]}}
    merged = merge(base, overlay)
    for part in (merged["a"]["l"], merged["a"]["m"], merged["b"]["l"]):
        part.append("changed")
    merged["b"]["new"] = 1
    assert base == {"a": {"l": [1]}, "b": {"l": [2]}}
    assert overlay == {"a": {"m": [3]}}


def test_load_lays_what_is_given_over_both_files(tmp_path):
    (tmp_path / "datasets.yaml").write_text("datasets: {a: {seed: 1, k: 1}}\n")
    (tmp_path / "config.yaml").write_text("run: {seeds: [1]}\ndatasets: {a: {k: 2}}\nother: 1\n")
    config = load(tmp_path, {"run": {"seeds": [3]}, "datasets": {"b": {}}})
    assert config == {
        "run": {"seeds": [3]},
        "datasets": {"a": {"seed": 1, "k": 2}, "b": {}},
        "other": 1,
    }


ALIKE = """
datasets:
  a: {title: A, seed: 1, light: {x: 1, amplitude: 20}, camera: {pixels: 64}}
  b: {like: a, title: B, light: {x: 2, magnitude: 20}}
"""


@pytest.fixture
def alike(tmp_path):
    """Loads what is laid over two data sets, of which b is like a."""
    (tmp_path / "datasets.yaml").write_text(ALIKE)
    (tmp_path / "config.yaml").write_text("{}")
    return lambda own: load(tmp_path, {"datasets": own})["datasets"]


def test_a_data_set_is_like_another_but_for_its_title_and_the_sections_it_has(alike):
    made = alike({"d": {"like": "c", "camera": {"pixels": 8}}, "c": {"like": "b", "seed": 3}})
    assert made["b"] == {
        "title": "B",
        "seed": 1,
        "light": {"x": 2, "magnitude": 20},
        "camera": {"pixels": 64},
    }
    assert made["c"] == made["b"] | {"title": "c", "seed": 3}
    assert made["d"] == made["c"] | {"title": "d", "camera": {"pixels": 8}}
    made["d"]["light"]["x"] = 5
    assert made["b"]["light"]["x"] == made["c"]["light"]["x"] == 2, "copies share nothing"


def test_what_is_laid_over_a_data_set_is_merged_and_leaves_those_that_are_like_it(alike):
    made = alike({"a": {"camera": {"psf": 1}}, "b": {"light": {"y": 3}}, "new": {"like": "a"}})
    assert made["a"]["camera"] == {"pixels": 64, "psf": 1}
    assert made["b"]["camera"] == {"pixels": 64}
    assert made["b"]["light"] == {"x": 2, "y": 3, "magnitude": 20}
    assert made["new"] == made["a"] | {"title": "new"}, "of the file that names it, the last word"


def test_a_data_set_has_the_settings_of_the_one_that_it_is_like():
    given = {
        "datasets": {"later": {"like": "mine"}, "mine": {"like": "model_1"}},
        "preprocessing": {"for_dataset": {"mine": {"bin": 1}}},
    }
    config = load(ROOT / "config", {"datasets": given["datasets"]})
    shipped = config["preprocessing"]["for_dataset"]["model_1"]
    for name in ("mine", "later"):
        assert config["preprocessing"]["for_dataset"][name] == shipped
    own = load(ROOT / "config", given)["preprocessing"]["for_dataset"]
    assert own["mine"] == own["later"] == shipped | {"bin": 1}, "what is given is laid over it"


def test_another_camera_has_the_settings_too_and_another_size_those_that_suit_it():
    default = load(ROOT / "config", {})
    camera = default["datasets"]["model_1"]["instrument"]
    given = {
        "datasets": {
            "deep": {"like": "model_1", "instrument": camera | {"exposure_time": 1.0e4}},
            "deeper": {"like": "deep", "seed": 5},
            "large": {"like": "model_1", "instrument": camera | {"pixels": 300}},
        }
    }
    shared = load(ROOT / "config", given)["preprocessing"]["for_dataset"]
    assert shared["deep"] == shared["deeper"] == shared["model_1"]
    assert shared["large"] == {"stretch": "sqrt"}


def test_a_data_set_may_become_like_another(alike):
    made = alike({"b": {"like": "a"}})
    assert made["b"] == made["a"] | {"title": "b"}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (
            {"mine": {"like": "model_4"}},
            ["datasets.mine.like: unknown data set 'model_4'; did you mean 'model_3'?"],
        ),
        ({"mine": {"like": ["model_1"]}}, ["datasets.mine.like: unknown data set ['model_1']"]),
        ({"mine": {"like": "mine"}}, ["datasets.mine.like: goes round in a circle (mine); write"]),
        (
            {"x": {"like": "y"}, "y": {"like": "z"}, "z": {"like": "x"}},
            ["datasets.x.like: goes round in a circle (x, y, z); write"],
        ),
        ({"x": {"like": "y"}, "y": None}, ["datasets.y: None is not of type 'object'"]),
        ({"x": 3}, ["datasets.x: 3 is not of type 'object'"]),
        (["x"], ["datasets: ['x'] is not of type 'object'"]),
    ],
)
def test_what_a_data_set_cannot_be_like(own, expected):
    message = error_of(load(ROOT / "config", {"datasets": own}))
    for part in expected:
        assert part in message


def test_load_reads_utf8_whatever_the_locale(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from sslens.configuration.loading import load\n"
        "print(ascii(load(Path(sys.argv[2]), {})['title']))\n"
        "print('tensorflow' in sys.modules)"
    )
    (tmp_path / "datasets.yaml").write_text("title: Modèle\n", encoding="utf-8")
    (tmp_path / "config.yaml").write_text("run: 1\n")
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code, ROOT / "workflow/scripts", tmp_path],
        env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
    )
    # and the room is free of TensorFlow, since the Snakefile reads it for every job
    assert done.stdout.splitlines() == ["'Mod\\xe8le'", "False"], done.stderr
