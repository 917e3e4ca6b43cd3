"""Cells with their uncertainty, and the comparison as its script makes it, with planted errors."""

import json
import os
import runpy
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from paths import ROOT

from sslens import uncertainty
from sslens.auc import log_odds
from sslens.classes import CLASSES
from sslens.comparison import collect
from sslens.evaluation import (
    LOGIT_COLUMNS,
    metrics_of_file,
    predictions_frame,
    score,
    write_predictions,
)
from sslens.files import sha256_of, write_json
from sslens.summary import summarise

ARMS = {"baseline": "Baseline", "better": "Better", "alike": "Alike", "probe": "A probe"}
DATASETS = {"model_1": "Model I"}
IDS = [f"image-{k:03d}" for k in range(150)]
LABELS = [CLASSES[k % 3] for k in range(150)]
REFERENCES = {"model_1": {"better": "baseline", "alike": "baseline"}}
#: How well an arm tells classes apart.
SIGNAL = {"baseline": 0.7, "better": 3.0, "alike": 0.7, "probe": 0.1}


def predicted(arm, seed):
    """Predictions of the same images; the images that are hard are so for all arms."""
    shared = np.random.default_rng(0).normal(size=(150, 3))
    own = np.random.default_rng([seed, *map(ord, arm)]).normal(size=(150, 3))
    truth = np.eye(3)[[CLASSES.index(label) for label in LABELS]]
    return predictions_frame(IDS, LABELS, SIGNAL[arm] * truth + 0.8 * shared + 0.4 * own)


def fields(arm, seed, collapsed=None):
    return {
        "arm": arm,
        "dataset": "model_1",
        "labels": 1.0,
        "labelled_images": 300,
        "seed": seed,
        "protocol": "linear_probe" if arm == "probe" else "fine_tune",
        "pretraining": None if arm == "baseline" else arm,
        "pretrained_on": None,
        "pretraining_collapsed": collapsed,
        "provenance": {
            "finetune": {"code": "c finetune", "data": "d"},
            "evaluate": {"code": "c evaluate", "data": "d"},
        },
    }


def inputs(arms=tuple(ARMS), seeds=(1, 2), change=lambda arm, frame: frame):
    frames = {
        (arm, "model_1", 1.0, seed): change(arm, predicted(arm, seed))
        for arm in arms
        for seed in seeds
    }
    metrics = [
        {**fields(arm, seed), **score(frame), "predictions_sha256": "0"}
        for (arm, _, _, seed), frame in frames.items()
    ]
    return collect(metrics, ARMS, DATASETS), frames


def summary(**told):
    return summarise(*inputs(**told), REFERENCES).set_index("arm")


# --- a cell ---------------------------------------------------------------------------------------


def test_means_deviations_and_intervals_are_those_of_the_cell():
    frame, frames = inputs()
    table = summarise(frame, frames, REFERENCES).set_index("arm")
    own = frame[frame["arm"] == "better"]
    cell = table.loc["better"]
    assert cell["seeds"] == 2 and cell["images"] == 150 and cell["labelled_images"] == 300
    scores = np.stack(
        [
            log_odds(frames["better", "model_1", 1.0, seed][list(LOGIT_COLUMNS)].to_numpy())
            for seed in (1, 2)
        ]
    )
    for c, name in enumerate(CLASSES):
        of_class = np.array(LABELS) == name
        mean, low, high = uncertainty.class_interval(of_class, scores[:, :, c])
        assert cell[f"auc_{name}"] == pytest.approx(mean, abs=1e-12)
        assert (cell[f"auc_{name}_low"], cell[f"auc_{name}_high"]) == (low, high)
        assert cell[f"auc_{name}_std"] == pytest.approx(own[f"auc_{name}"].std(ddof=1))
    labels = np.array([CLASSES.index(label) for label in LABELS])
    draws = uncertainty.macro_draws(labels, scores, 0).mean(axis=1)
    interval = uncertainty.macro_interval(cell["auc_macro"], draws, np.bincount(labels))
    assert (cell["auc_macro_low"], cell["auc_macro_high"]) == pytest.approx(interval)


def test_one_seed_has_no_deviation():
    table = summary(seeds=(1,))
    assert table["auc_macro_std"].isna().all() and (table["seeds"] == 1).all()
    assert (table["auc_macro_low"] < table["auc_macro"]).all()


def test_who_is_better_is_told_from_who_is_alike():
    table = summary()
    assert table.loc["better", "p_macro_holm"] < 1e-4
    assert table.loc["better", "difference_macro_low"] > 0
    assert table.loc["alike", "p_macro_holm"] > 0.05
    assert table.loc["better", "best"] and np.isnan(table.loc["better", "p_best_holm"])
    assert table.loc["baseline", "p_best_holm"] < 1e-4
    # the best of its own group, whatever others do
    assert table.loc["probe", "best"]
    # without a reference there is no test
    for arm in ("baseline", "probe"):
        assert pd.isna(table.loc[arm, "reference"])
        assert table.loc[arm, [f"p_{m}_holm" for m in (*CLASSES, "macro")]].isna().all()


def test_holm_corrects_over_a_table():
    table = summary()
    rows = table.loc[["better", "alike"]]
    for columns in (["p_macro"], [f"p_{name}" for name in CLASSES]):
        expected = uncertainty.holm(rows[columns].to_numpy(dtype=float).ravel())
        found = rows[[f"{column}_holm" for column in columns]].to_numpy(dtype=float).ravel()
        np.testing.assert_allclose(found, expected)


def test_neither_order_nor_other_arms_change_a_cell():
    frame, frames = inputs()
    table = summarise(frame, frames, REFERENCES)
    again = summarise(frame, dict(reversed(frames.items())), REFERENCES)
    pd.testing.assert_frame_equal(table, again)
    fewer = summary(arms=("baseline", "better"))
    told = ["auc_macro", "auc_macro_low", "auc_macro_high", "p_macro", "auc_cdm_low"]
    pd.testing.assert_frame_equal(
        fewer[told].astype(float), table.set_index("arm").loc[fewer.index, told].astype(float)
    )


def test_collapsed_seeds_are_named():
    frame, frames = inputs()
    frame["pretraining_collapsed"] = [row.arm == "alike" for row in frame.itertuples()]
    table = summarise(frame, frames, REFERENCES).set_index("arm")
    assert table.loc["alike", "collapsed_seeds"] == "1, 2"
    assert table["collapsed_seeds"].notna().sum() == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.iloc[::-1].reset_index(drop=True), "other test images.*in image_id"),
        (lambda f: f.assign(label=np.roll(f["label"], 1)), "other test images.*in label"),
        (lambda f: f.assign(image_id=["other", *IDS[1:]]), "other test images.*in image_id"),
        (lambda f: f.assign(image_id=[IDS[1], *IDS[1:]]), "1 of 150 predictions repeat an image"),
    ],
)
def test_models_that_were_not_scored_on_the_same_images_are_refused(change, message):
    frame, frames = inputs()
    key = ("better", "model_1", 1.0, 2)
    frames[key] = change(frames[key])
    with pytest.raises(ValueError, match=message):
        summarise(frame, frames, REFERENCES)


# --- the script -----------------------------------------------------------------------------------


@pytest.fixture
def compare(tmp_path, monkeypatch):
    """Run the rule's script on predictions and metrics in files that something happened to."""

    def run(happened=lambda folder: None, allow_mixed=False):
        cells = [(arm, seed) for arm in ARMS for seed in (1, 2)]
        folders = [tmp_path / f"{arm}-{seed}" for arm, seed in cells]
        for (arm, seed), folder in zip(cells, folders, strict=True):
            folder.mkdir(exist_ok=True)
            write_predictions(predicted(arm, seed), folder / "predictions.parquet")
            metrics = metrics_of_file(folder / "predictions.parquet", fields(arm, seed))
            write_json(folder / "metrics.json", metrics)
        happened(tmp_path)
        folders = [folder for folder in folders if folder.exists()]
        names = "table probes latex csv summary provenance configuration"
        outputs = {name: str(tmp_path / "comparison" / name) for name in names.split()}
        params = {
            "arms": ARMS,
            "rows": {arm: ARMS[arm] for arm in ("baseline", "better", "alike")},
            "datasets": DATASETS,
            "fractions": [1.0],
            "seeds": [1, 2],
            "references": REFERENCES,
            "configuration": {"run": {"seeds": [1, 2]}},
            "allow_mixed": allow_mixed,
        }
        told = SimpleNamespace(
            log=[str(tmp_path / "compare.log")],
            input=SimpleNamespace(
                metrics=[str(folder / "metrics.json") for folder in folders],
                predictions=[str(folder / "predictions.parquet") for folder in folders],
            ),
            output=SimpleNamespace(**outputs),
            params=SimpleNamespace(**params),
        )
        monkeypatch.setattr("sslens.runtime.start", lambda *_: None)
        script = ROOT / "workflow/scripts/compare.py"
        runpy.run_path(str(script), init_globals={"snakemake": told})
        return tmp_path / "comparison"

    return run


def swap(folder):
    """The predictions of two images, and nothing else of them."""
    path = folder / "better-1/predictions.parquet"
    frame = pd.read_parquet(path)
    frame.loc[[0, 1], LOGIT_COLUMNS] = frame.loc[[1, 0], LOGIT_COLUMNS].to_numpy()
    frame.to_parquet(path)


def from_other_data(folder):
    path = folder / "alike-2/metrics.json"
    metrics = json.loads(path.read_text())
    metrics["provenance"]["finetune"]["data"] = "of last year"
    write_json(path, metrics)


def duplicate(folder):
    path = folder / "better-2"
    frame = pd.read_parquet(path / "predictions.parquet")
    pd.concat([frame, frame[:1]]).to_parquet(path / "predictions.parquet")
    metrics = json.loads((path / "metrics.json").read_text())
    metrics["predictions_sha256"] = sha256_of(path / "predictions.parquet")
    write_json(path / "metrics.json", metrics)


def lose(folder):
    for name in ("metrics.json", "predictions.parquet"):
        (folder / "alike-1" / name).unlink()
    (folder / "alike-1").rmdir()


def test_all_tables_are_made_and_belong_together(compare):
    folder = compare()
    table = (folder / "table").read_text(encoding="utf-8")
    assert "Better" in table and "▲" in table and "Not made alike" not in table
    assert "| A probe " in (folder / "probes").read_text()
    origin = json.loads((folder / "provenance").read_text())
    assert origin["disagreements"] == [] and len(origin["cells"]) == 8
    assert len(pd.read_csv(folder / "csv")) == 8
    assert len(pd.read_csv(folder / "summary")) == 4
    assert "seeds:" in (folder / "configuration").read_text()


@pytest.mark.parametrize(
    ("happened", "message"),
    [
        (swap, r"better on model_1 \(labels 1, seed 1\): .*was changed after it was scored"),
        (from_other_data, r"alike on model_1 \(labels 1, seed 2\): its finetune had other images"),
        (duplicate, "1 of 151 predictions repeat an image id, the first of them image-000"),
        (lose, "1 of 8 cells are missing, the first of them arm alike, dataset model_1"),
    ],
)
def test_a_planted_error_is_caught_and_named(compare, happened, message):
    with pytest.raises(ValueError, match=message):
        compare(happened)


@pytest.mark.parametrize("happened", [swap, from_other_data])
def test_what_is_allowed_all_the_same_stands_below_the_tables(compare, happened):
    folder = compare(happened, allow_mixed=True)
    for name in ("table", "probes"):
        assert "**Not made alike**, so these numbers cannot" in (folder / name).read_text()
    assert len(json.loads((folder / "provenance").read_text())["disagreements"]) == 1


def test_tensorflow_is_not_needed():
    """The comparison is made on a machine without it, such as beside a cluster."""
    code = "import sslens.comparison, sslens.summary, sslens.provenance, sys; "
    code += "print('tensorflow' in sys.modules)"

    places = {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | places, capture_output=True, text=True
    )
    assert done.stdout == "False\n", done.stderr
