"""Results that were made with other settings than the configuration has are named."""

import json
import shutil
from copy import deepcopy
from pathlib import Path

import pandas as pd
import pytest
from origins import SHIPPED, record_of, write_results
from paths import ROOT

from sslens.configuration import outputs, settings
from sslens.configuration.loading import load, merge
from sslens.data.catalogue import write_catalogue
from sslens.data.records import index_path
from sslens.data.shards import make_shard, manifest_of
from sslens.differences import differences
from sslens.digests import sha256_of
from sslens.figures.style import new_figure, save_figure
from sslens.files import read_json, write_json
from sslens.jobs.outdated import check, current_files, outdated_figure, outdated_results

OWN = {
    "run": {
        "datasets": ["model_2"],
        "arms": ["baseline", "byol-dihedral", "probe-random", "probe-byol-dihedral"],
        "seeds": [1, 2],
    }
}
CONFIG = merge(SHIPPED, OWN)
BYOL = "pretrain of byol-dihedral on model_2 (seed 1) and 1 more"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The files and the figures' settings of a run of CONFIG."""
    return write_results(CONFIG, tmp_path_factory.mktemp("results"))


def outdated(results, change):
    """What is said of a run's results where the configuration has been changed."""
    files, figures = results
    config = merge(CONFIG, change)
    now = {
        path: outputs.figure_settings(config, *name)
        for path, name in zip(figures, outputs.figures_of_run(CONFIG), strict=True)
        if name in outputs.figures_of_run(config)
    }
    return outdated_results(config, files, now)


def test_differences_are_named_by_their_keys():
    old = {"a": {"b": 1, "c": [1, 2], "gone": None}, "same": (1, 2), "sha": "x"}
    new = {"a": {"b": 2, "c": [1], "new": 3}, "same": [1, 2], "sha": "x"}
    assert list(differences(old, new)) == [
        "a.b 1, not 2",
        "a.c [1, 2], not [1]",
        "no a.new, now 3",
        "a.gone null, now without",
    ]
    assert list(differences({"settings_sha256": "0"}, {"settings_sha256": "1"}, "data")) == [
        "other settings of data"
    ]


def test_nothing_is_said_of_results_of_the_configuration(results):
    assert outdated(results, {}) == []
    files, figures = results
    assert outdated_results(CONFIG, [f"{file}.gone" for file in files], figures) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"finetuning": {"epochs": 3}},
            ["finetune of baseline on model_2 (labels 1, seed 1) and 3 more: "
             "learning.epochs 16, not 3",
             "baseline on model_2 (labels 1, seed 1) and 3 more: "
             "learning.epochs 16, not 3 (finetune, evaluate)"],
        ),
        (
            {"pretrainings": {"byol-dihedral": {"optimizer": {"learning_rate": 0.5}}}},
            [f"{BYOL}: optimizer.learning_rate 0.001, not 0.5",
             "byol-dihedral on model_2 (labels 1, seed 1) and 3 more: "
             "optimizer.learning_rate 0.001, not 0.5 (pretrain)",
             "features of byol-dihedral@model_2 on model_2 (seed 1) and 1 more: "
             "optimizer.learning_rate 0.001, not 0.5 (its pretraining)"],
        ),
        (
            {"run": {"seeds": [1]}},
            ["tables: seeds [1, 2], not [1], configuration.run.seeds [1, 2], not [1]"],
        ),
        (
            {"datasets": {"model_2": {"deflection_scale": 0.7}}},
            ["images of model_2: deflection_scale 0.634, not 0.7",
             "finetune of baseline on model_2 (labels 1, seed 1) and 9 more: "
             "other settings of data",
             "probe-random on model_2 (labels 1, seed 1) and 1 more: "
             "other settings of data (features, probe)"],
        ),
        (
            {"splits": {"train": {"images": 750}}},
            ["images of model_2: splits.train.images 1500, not 750"],
        ),
        (
            {"preprocessing": {"softening": 0.1}},
            ["preprocessing of model_2: softening 0.05, not 0.1",
             "finetune of baseline on model_2 (labels 1, seed 1) and 9 more: "
             "data.preprocessing.softening 0.05, not 0.1"],
        ),
        (
            {"arms": {"byol-dihedral": {"pretraining": "contrastive-rotation"}}},
            ["finetune of byol-dihedral on model_2 (labels 1, seed 1) and 1 more: "
             "pretraining.pretraining byol-dihedral, not contrastive-rotation"],
        ),
        (
            {"evaluation": {"average_orientations": True}},
            ["baseline on model_2 (labels 1, seed 1) and 3 more: "
             "average_orientations False, not True (evaluate)",
             "probe-random on model_2 (labels 1, seed 1) and 3 more: "
             "average_orientations False, not True (features, probe)",
             "features of random@"],
        ),
        (
            {"probe": {"inverse_penalties": [1.0]}},
            ["probe-random on model_2 (labels 1, seed 1) and 3 more: "
             "learning.inverse_penalties [0.001, 0.01, 0.1, 1.0, 10.0], not [1.0] (probe)"],
        ),
        (
            {"arms": {"probe-byol-dihedral": {"pretraining": "contrastive-rotation"}}},
            ["probe-byol-dihedral on model_2 (labels 1, seed 1) and 1 more: "
             "encoder byol-dihedral@model_2, not contrastive-rotation@model_2 (features)"],
        ),
        (
            {"arms": {"probe-byol-dihedral": {"protocol": "nearest_neighbours"}}},
            ["probe-byol-dihedral on model_2 (labels 1, seed 1) and 1 more: "
             "protocol linear_probe, not nearest_neighbours"],
        ),
        ({"cpu_threads": 4}, ["finetune of baseline on model_2 (labels 1, seed 1) and 9 more: "
                              "computing.threads 1, not 4"]),
    ],
)  # fmt: skip
def test_what_was_made_with_other_settings_is_named(results, change, expected):
    said = outdated(results, change)
    for line in expected:
        assert any(one.startswith(line) for one in said), said


def test_an_encoder_file_of_other_content_is_named(tmp_path):
    file = tmp_path / "encoder.keras"
    file.write_bytes(b"one")
    arms = {"mine": {"title": "Mine", "pretraining": {"file": str(file)}}}
    config = load(ROOT / "config", {"arms": arms, "run": {"datasets": ["model_2"]}})
    cell = {"dataset": "model_2", "pretraining": config["arms"]["mine"]["pretraining"], "seed": 1}
    record = record_of(config, "import_encoder", cell) | {"sha256": sha256_of(file)}
    write_json(path := tmp_path / "provenance.json", record)
    assert outdated_results(config, [str(path)], {}) == []
    file.write_bytes(b"another")
    (line,) = outdated_results(config, [str(path)], {})
    assert line.endswith(f"other content of {file}")


def test_a_figure_of_other_rows_is_named(results):
    (line,) = [
        line
        for line in outdated(results, {"arms": {"baseline": {"title": "From scratch"}}})
        if line.endswith("other rows, seeds, labels or titles")
    ]
    assert "roc_model_2.png and" in line
    _, figures = results
    path = next(path for path in figures if "gallery" in path)
    assert not outdated_figure(path, figures[path])
    assert outdated_figure(path, figures[path] | {"title": "Another"})


def test_of_a_comparison_counts_what_its_last_configuration_has_made(tmp_path):
    several = merge(CONFIG, {"run": {"label_fractions": [0.1, 1.0]}})
    files, _ = write_results(several, tmp_path / "results")
    (account,) = (path for path in files if path.endswith("comparison/provenance.json"))
    comparison = tmp_path / "comparison"
    shutil.copytree(Path(account).parent, comparison)
    for name in ("auc_table.md", "auc_table.csv", "label_efficiency_model_2.md"):
        (comparison / name).touch()
    shutil.copy(comparison / "gallery_model_2.png", comparison / "parameters_model_2.png")
    roc = outputs.figure_settings(several, "roc", "model_2")
    save_figure(new_figure(1, 1, ""), [comparison / "roc_model_2.svg"], roc)
    expected = {path.name for path in comparison.iterdir()}
    assert current_files(comparison) == expected
    # of a regression, of another data set, and of encoders from others
    for name in ("error_table.md", "roc_model_3.png", "transfer_byol-dihedral.png"):
        (comparison / name).touch()
    assert current_files(comparison) == expected
    save_figure(new_figure(1, 1, ""), [comparison / "roc_model_2.png"], {"title": "of other rows"})
    assert current_files(comparison) == expected - {"roc_model_2.png"}
    write_json(comparison / "provenance.json", {"settings": {}})
    with pytest.raises(ValueError, match="provenance.json: another version of sslens made it"):
        current_files(comparison)


def test_results_that_cannot_be_read_are_named_and_stop_nothing(tmp_path):
    path = tmp_path / "metrics.json"
    for content in ("", "[]", "{}", '{"provenance": 3}', json.dumps({"arm": "a"})):
        path.write_text(content)
        assert outdated_results(CONFIG, [str(path)], {}) == [
            f"{path}: no settings that can be read"
        ]
    write_json(path, {"arm": "a", "dataset": "d", "labels": 1, "seed": 1})  # of earlier versions
    (line,) = outdated_results(CONFIG, [str(path)], {})
    assert line == "a on d (labels 1, seed 1): settings that it does not hold (finetune, evaluate)"


def test_figures_are_not_drawn_of_results_with_other_settings(results, caplog):
    files = [file for file in results[0] if file.endswith(("metrics.json", "manifest.json"))]
    check(CONFIG, files)
    longer = merge(CONFIG, {"finetuning": {"epochs": 30}})
    with pytest.raises(
        ValueError, match=r"^4 results .*: baseline on model_2 \(labels 1, seed 1\)"
    ):
        check(longer, files)
    check(merge(longer, {"comparison": {"allow_mixed": True}}), files)
    assert "4 results were made with other settings" in caplog.text


# --- shards ---------------------------------------------------------------------------------------


def test_a_shard_says_what_it_was_made_with_and_its_catalogue_must_be_alike(tmp_path):
    recipe = settings.dataset_settings(CONFIG, "model_2")
    rows = pd.DataFrame({"image_id": ["a"], "lens_id": ["a"], "label": ["cdm"]})
    catalogue, shard, facts = (tmp_path / name for name in ("c.parquet", "0.tfrecord", "0.json"))
    write_catalogue(rows, catalogue, recipe)

    def make(own):
        images = lambda rows, _: ({"image": [[1.0]]} for _ in rows.itertuples())  # noqa: E731
        paths = [shard, index_path(shard), facts]
        make_shard(paths, str(catalogue), images, own, "code", None)

    other = deepcopy(recipe) | {"deflection_scale": 0.7}
    with pytest.raises(ValueError, match=r"c.parquet: made with other .*deflection_scale 0.634"):
        make(other)
    assert not shard.exists()
    make(recipe)
    assert read_json(facts)["settings"] == recipe
    manifest = manifest_of("model_2", [str(facts)], recipe)
    assert manifest["settings"] == recipe
    assert manifest["splits"][tmp_path.name]["images"] == 1
    with pytest.raises(ValueError, match=r"0.tfrecord: made with other .*0.634, not 0.7"):
        manifest_of("model_2", [str(facts)], other)
    newer = facts.with_name("00001.json")
    write_json(newer, read_json(facts) | {"code": "newer"})
    with pytest.raises(ValueError, match=r"0.tfrecord and .*00001.tfrecord were made by differ"):
        manifest_of("model_2", [str(facts), str(newer)], recipe)
