"""A regression as its users run it: from the records of a run to its tables and figures."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from paths import ROOT
from running import TINY, copy_data, dry_run, run

from sslens.configuration.loading import merge
from sslens.data.records import read_split
from sslens.files import read_json
from sslens.metrics.distributions import Normal
from sslens.metrics.regression import Calibration, score_target

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

MASS = "log10_axion_mass"
OVERLAY = {
    "task": {"name": "regression", "targets": [MASS, "substructure_fraction"]},
    "run": {
        "arms": ["baseline", "probe-random"],
        "images_per_seed": None,
        "label_fractions": [0.5, 1.0],
    },
    "finetuning": {"epochs": 2, "augmentation": "dihedral"},
}


@pytest.fixture(scope="module")
def regressed(finished, repository, tmp_path_factory):
    """A run on the records of the finished one, a third of which show an axion."""
    directory = tmp_path_factory.mktemp("regression") / "run"
    copy_data(finished, directory)
    overlay = directory.with_name("overlay.json")
    overlay.write_text(json.dumps(OVERLAY))
    where = {"configs": (TINY, overlay), "repository": repository}
    run(directory, **where)
    assert "Nothing to be done" in dry_run(directory, **where)
    return directory / "results"


def cell(results, arm):
    return results / f"evaluate/model_2/{arm}/labels-1.0/seed-1"


def test_its_tables_and_figures_are_there_and_none_of_a_classification(regressed):
    comparison = regressed / "comparison"
    names = {path.name for path in comparison.iterdir()}
    assert names >= {
        *(f"error_table.{kind}" for kind in ("md", "csv", "tex", "html")),
        "error_summary.csv",
        "probe_table.md",
        "predicted_model_2.png",
        "calibration_model_2.svg",
        "outliers_model_2.png",
        "intervals_fine_tune.png",
        "finetuning_model_2.png",
        "label_efficiency_model_2.png",
        "label_efficiency_model_2.md",
        "label_efficiency_model_2.html",
    }
    assert not [name for name in names if name.startswith(("auc", "roc", "confusion", "shortc"))]
    table = (comparison / "error_table.md").read_text()
    assert "Mean absolute error of the axion mass" in table and " in dex" in table
    assert "Mean absolute error of the substructure fraction in the ring" in table


def test_its_figures_have_a_category_in_the_report(regressed, repository):
    page = regressed.parent.with_name("report.html")
    where = {"configs": (TINY, page.with_name("overlay.json")), "repository": repository}
    run(regressed.parent, "--report", str(page), **where)
    (categories,) = re.findall(r"var categories = (\{.*\})", page.read_text())
    (paths,) = json.loads(categories)["2 Regression"].values()
    names = {Path(path).name for path in paths if path.endswith(".png")}
    assert names == {f"{kind}_model_2.png" for kind in ("predicted", "calibration", "outliers")}


def test_metrics_are_recomputed_from_the_predictions(regressed):
    table = pd.read_csv(regressed / "comparison/error_table.csv")
    table = table[table["labels"] == 1].set_index("arm")
    for arm in OVERLAY["run"]["arms"]:
        predictions = pd.read_parquet(cell(regressed, arm) / "predictions.parquet")
        assert predictions.attrs["units"] == {MASS: "dex", "substructure_fraction": ""}
        metrics = read_json(cell(regressed, arm) / "metrics.json")["targets"]
        assert metrics[MASS]["images"] == 5 and metrics["substructure_fraction"]["images"] == 15
        for target, found in metrics.items():
            columns = [f"{kind}_{target}" for kind in ("true", "mean", "std")]
            true, *own = predictions[columns].dropna().to_numpy().T
            levels = {float(share): level for share, level in found["levels"].items()}
            calibration = Calibration(found["scale"], levels)
            assert score_target(true, Normal(*own), calibration) == found
            assert table.loc[arm, f"targets_{target}_mae"] == found["mae"]


def test_the_example_predicts_raw_images_by_the_exported_network(regressed, tmp_path):
    split = read_split(regressed / "data/model_2/manifest.json", "test")
    for row, image in enumerate(split.images[:]):
        np.save(tmp_path / f"{row:02}.npy", image[..., 0])
    model = cell(regressed, "baseline") / "classifier.keras"
    words = [sys.executable, ROOT / "examples" / "predict.py", model, tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    answers = pd.read_csv(io.StringIO(done.stdout))
    assert list(answers) == ["file", "mean_1", "std_1", "mean_2", "std_2"]
    predictions = pd.read_parquet(cell(regressed, "baseline") / "predictions.parquet")
    for place, target in enumerate((MASS, "substructure_fraction"), 1):
        for kind in ("mean", "std"):
            expected = predictions[f"{kind}_{target}"]
            np.testing.assert_allclose(answers[f"{kind}_{place}"], expected, rtol=2e-4)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (
            {"task": {"name": "regression", "targets": ["lens_e1", "lens_e2"]}},
            "in all images of model_2/train; leave it out",
        ),
        (
            {"run": {"label_fractions": [1.0, 0.1]}},
            "leaves 1, and a regression needs two; take a larger share, or more images",
        ),
    ],
)
def test_what_cannot_be_learned_stops_the_run_before_any_training(
    finished, repository, tmp_path, chosen, message
):
    directory, overlay = tmp_path / "run", tmp_path / "overlay.json"
    copy_data(finished, directory)
    overlay.write_text(json.dumps(merge(OVERLAY, chosen)))
    with pytest.raises(AssertionError, match="Error in rule targets"):
        target = "results/pretrain/model_2/byol-dihedral/seed-1/history.csv"
        run(directory, target, configs=(TINY, overlay), repository=repository)
    *_, line = (directory / "logs/targets/model_2.log").read_text().splitlines()
    assert chosen.get("task", {}).get("targets", [MASS])[0] in line and line.endswith(message)
    assert not (directory / "results/pretrain").exists()
