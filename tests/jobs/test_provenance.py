"""Where results are from: what is recorded, and that what does not belong together is named."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from sslens.classes import CLASSES
from sslens.comparison.measures import Aucs
from sslens.comparison.origin import changed_predictions, check_origin, disagreements
from sslens.files import write_json
from sslens.jobs.provenance import commit, provenance_record, versions
from sslens.metrics.predictions import LOGIT_COLUMNS, predictions_frame, write_predictions
from sslens.metrics.scores import metrics_of_file


def of_file(sha256):
    return {"sha256": sha256, "settings": {"file": "e.keras"}}


def cell(arm="baseline", dataset="model_1", seed=1, pretrained_on=None, **stages):
    made = {
        "pretrain": {"code": "c1 pretrain@p methods.byol", "data": f"of {pretrained_on}"},
        "finetune": {"code": "c2 finetune", "data": f"of {dataset}"},
        "evaluate": {"code": "c3 evaluate", "data": f"of {dataset}"},
    }
    for stage, changes in stages.items():
        made[stage] |= changes
    return {
        "arm": arm,
        "dataset": dataset,
        "labels": 1.0,
        "seed": seed,
        "pretrained_on": pretrained_on,
        "provenance": made | ({} if pretrained_on else {"pretrain": None}),
    }


# --- what is recorded -----------------------------------------------------------------------------


def test_versions_are_those_that_are_installed():
    assert {"python", "numpy", "keras", "snakemake", "scikit-learn"} <= set(versions())
    assert versions()["pandas"] == pd.__version__


def test_a_commit_is_told_with_a_plus_where_files_differ(tmp_path):
    assert commit(tmp_path) is None

    def git(*arguments):
        told = ["-c", "user.name=n", "-c", "user.email=e@e"]
        done = subprocess.run(
            ["git", "-C", tmp_path, *told, *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")
    assert commit(tmp_path) is None, "nothing is committed yet"
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "--quiet", "--message", "one")
    assert commit(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "other").write_text("not of the repository")
    assert commit(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "file").write_text("two")
    assert commit(tmp_path) == git("rev-parse", "HEAD") + "+"


def test_a_record_holds_the_settings_and_follows_the_data(tmp_path):
    paths = [str(tmp_path / name) for name in ("manifest.json", "preprocessing.json")]
    facts = {"settings": {"source": "simulation"}, "settings_sha256": "abc"}
    write_json(paths[0], facts | {"splits": {"train": {"images": 3}}})
    write_json(paths[1], {"bin": 2, "mean": 0.5})

    def record(code="c1 finetune", epochs=3):
        return provenance_record("finetune", {"seed": 1}, {"epochs": epochs}, code, *paths, "CPU")

    first = record()
    assert first["environment"]["TF_ENABLE_ONEDNN_OPTS"] == "1"
    assert first["code"] == "c1 finetune" and first["device"] == "CPU" and first["seconds"] > 0
    data = {"settings_sha256": "abc", "preprocessing": {"bin": 2}, "images": {"train": 3}}
    assert first["settings"] == {"epochs": 3, "data": data}
    assert first["settings_sha256"] == record("other code")["settings_sha256"]
    assert first["settings_sha256"] != record(epochs=4)["settings_sha256"]
    write_json(paths[1], {"bin": 2, "mean": 0.6})
    assert first["data"] != record()["data"]


# --- what belongs together ------------------------------------------------------------------------


def test_cells_that_were_made_alike_agree():
    cells = [
        cell(),
        cell(dataset="model_2"),
        cell("byol", pretrained_on="model_1"),
        cell("moved", dataset="model_2", pretrained_on="model_1"),
        # another method is other code, and may be
        cell("other", pretrained_on="model_1", pretrain={"code": "c9 pretrain@p methods.other"}),
    ]
    assert list(disagreements(cells)) == []


@pytest.mark.parametrize(
    ("last", "line"),
    [
        (
            cell("byol", pretrained_on="model_1", evaluate={"data": "older"}),
            "byol on model_1 (labels 1, seed 1): its evaluate had other images of model_1 than "
            "baseline on model_1 (labels 1, seed 1)",
        ),
        (
            cell(seed=2, finetune={"code": "c7 finetune"}),
            "baseline on model_1 (labels 1, seed 2): its finetune ran other code (finetune) than "
            "baseline on model_1 (labels 1, seed 1)",
        ),
        (
            cell("o", pretrained_on="model_1", pretrain={"code": "c9 pretrain@q methods.o"}),
            "o on model_1 (labels 1, seed 1): its pretrain ran other code (pretrain) than imported "
            "on model_2 (labels 1, seed 1)",
        ),
        (
            cell("moved", "model_2", pretrained_on="model_1", pretrain={"data": "older"}),
            "moved on model_2 (labels 1, seed 1): its pretrain had other images of model_1 than "
            "baseline on model_1 (labels 1, seed 1)",
        ),
        (
            cell("imported", pretrained_on="model_1", pretrain=of_file("b")),
            "imported on model_1 (labels 1, seed 1): its encoder is of other content of e.keras "
            "than that of imported on model_2 (labels 1, seed 1)",
        ),
    ],
)
def test_a_cell_that_was_not_is_named(last, line):
    imported = cell("imported", "model_2", pretrained_on="model_1", pretrain=of_file("a"))
    assert list(disagreements([cell(), cell(dataset="model_2"), imported, last])) == [line]


def test_predictions_that_were_changed_after_scoring_are_named(tmp_path):
    path = tmp_path / "predictions.parquet"
    logits = np.random.default_rng(0).normal(size=(30, 3))
    frame = predictions_frame(
        [str(k) for k in range(30)], [CLASSES[k % 3] for k in range(30)], logits
    )
    write_predictions(frame, path)
    scored = metrics_of_file(path, cell())
    assert check_origin([scored], [str(path)], [""], allow_mixed=False) == []
    name = "baseline on model_1 (labels 1, seed 1)"
    better = scored | {"auc": scored["auc"] | {"axion": 0.999}}
    line = f"{name}: its AUCs are not those of {path}"
    assert list(changed_predictions(better, path, Aucs())) == [line]
    frame.loc[[0, 1], LOGIT_COLUMNS] = frame.loc[[1, 0], LOGIT_COLUMNS].to_numpy()
    write_predictions(frame, path)
    line = f"{name}: {path} was changed after it was scored"
    assert list(changed_predictions(scored, path, Aucs())) == [line]
    with pytest.raises(ValueError, match=r"1 results do not belong together: baseline on model_1"):
        check_origin([scored], [str(path)], [""], allow_mixed=False)
    both = check_origin([scored], [str(path)], ["epochs 3, not 4"], allow_mixed=True)
    assert both == [f"{name}: made with epochs 3, not 4", line]


def test_a_cell_without_an_origin_is_named():
    without = cell("byol")
    del without["provenance"]
    line = "byol on model_1 (labels 1, seed 1): its metrics do not say what it was made from"
    assert list(disagreements([cell(), without])) == [line]
