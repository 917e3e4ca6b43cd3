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
from origins import SHIPPED, provenance_of
from paths import ROOT

from sslens.classes import CLASSES
from sslens.comparison.cells import collect
from sslens.comparison.measures import Aucs
from sslens.comparison.summary import UNCERTAINTY, summarise
from sslens.configuration.loading import merge
from sslens.digests import sha256_of
from sslens.files import write_json
from sslens.metrics import mrmc, uncertainty
from sslens.metrics.auc import class_aucs, log_odds
from sslens.metrics.predictions import (
    LOGIT_COLUMNS,
    class_indices,
    logits_of,
    predictions_frame,
    write_predictions,
)
from sslens.metrics.scores import metrics_of_file

ARMS = {"baseline": "Baseline", "better": "Better", "alike": "Alike", "probe": "A probe"}
DATASETS = {"model_1": "Model I"}
IDS = [f"image-{k:03d}" for k in range(150)]
LABELS = [CLASSES[k % 3] for k in range(150)]
REFERENCES = {"model_1": {"better": "baseline", "alike": "baseline"}}
#: How well an arm tells classes apart.
SIGNAL = {"baseline": 0.7, "better": 3.0, "alike": 0.7, "probe": 0.1}
NEW_ARMS = {"better": {}, "alike": {}, "probe": {"protocol": "linear_probe"}}
CONFIG = merge(SHIPPED, {"arms": NEW_ARMS})


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
        "operations": {"pretraining": 7 * seed, "finetuning": 10**15},
        "provenance": provenance_of(CONFIG, arm, "model_1", seed=seed),
    }


def inputs(arms=tuple(ARMS), seeds=(1, 2, 3), change=lambda arm, frame: frame):
    frames = {
        (arm, "model_1", 1.0, seed): change(arm, predicted(arm, seed))
        for arm in arms
        for seed in seeds
    }
    metrics = [
        {**fields(arm, seed), "auc": aucs_of(frame), "images": len(frame)}
        for (arm, _, _, seed), frame in frames.items()
    ]
    return collect(metrics, ARMS, DATASETS), frames


def aucs_of(frame):
    aucs = class_aucs(class_indices(frame), logits_of(frame))
    return dict(zip(Aucs.names, [*aucs, aucs.mean()], strict=True))


def summary(**told):
    return summarise(*inputs(**told), REFERENCES).set_index("arm")


def samples_of(frames, arm, seeds=(1, 2, 3), dataset="model_1", labels=1.0):
    """What `mrmc` makes of an arm, by measure."""
    scores = [log_odds(logits_of(frames[arm, dataset, labels, seed])) for seed in seeds]
    classes = np.array([CLASSES.index(label) for label in LABELS])
    return dict(zip(Aucs.names, mrmc.samples(classes, np.stack(scores), seeds), strict=True))


def columns_of(cell, name):
    return cell[[f"{name}_{part}" for part in UNCERTAINTY]].to_numpy(dtype=float)


# --- a cell ---------------------------------------------------------------------------------------


def test_a_cell_is_the_estimate_of_its_networks():
    frame, frames = inputs()
    table = summarise(frame, frames, REFERENCES).set_index("arm")
    cell = table.loc["better"]
    assert cell["seeds"] == 3 and cell["images"] == 150 and cell["labelled_images"] == 300
    assert cell["training_images"] == "shared"
    assert (cell["operations_pretraining"], cell["operations_finetuning"]) == (14, 1e15)
    own, baseline = samples_of(frames, "better"), samples_of(frames, "baseline")
    for name in Aucs.names:
        aucs = frame.loc[frame["arm"] == "better", f"auc_{name}"]
        assert cell[f"auc_{name}"] == pytest.approx(aucs.mean(), abs=1e-15)
        assert cell[f"auc_{name}_std"] == pytest.approx(aucs.std(ddof=1), abs=1e-15)
        row, found = mrmc.estimate(own[name]), mrmc.difference(own[name], baseline[name])
        assert cell[f"difference_{name}"] == found.mean
        assert cell[f"p_{name}"] == mrmc.p_value(found)
        for column, interval, expected in (
            ("auc", mrmc.row_interval, row),
            ("difference", mrmc.difference_interval, found),
        ):
            ends, of_networks = interval(expected), interval(mrmc.of_networks(expected))
            mean_square, w = expected.mean_squares[0], expected.interaction[0]
            components = (mean_square - w, w, expected.image)
            assert columns_of(cell, f"{column}_{name}") == pytest.approx(
                [*ends, float(expected.degrees_of_freedom), *of_networks, *map(float, components)],
                abs=1e-15,
            )
        # another seed and other images are more uncertain than other images
        assert cell[f"auc_{name}_low"] < cell[f"auc_{name}_networks_low"]


def test_with_one_seed_only_the_networks_have_an_interval():
    table = summary(seeds=(1,))
    assert (table["seeds"] == 1).all() and table["auc_macro_std"].isna().all()
    assert (table["auc_macro_networks_low"] < table["auc_macro"]).all()
    assert table.loc["better", "difference_macro_networks_low"] > 0
    of_methods = [c for c in table.columns if c.endswith(("_low", "_df", "_var_image"))]
    of_methods = [c for c in of_methods if "networks" not in c]
    assert len(of_methods) == 24
    p_values = [c for c in table.columns if c.startswith("p_")]
    assert len(p_values) == 9
    assert table[[*of_methods, *p_values]].isna().all(axis=None)


def test_with_two_seeds_there_is_an_interval_and_no_test():
    table = summary(seeds=(1, 2))
    assert (table["auc_macro_low"] < table["auc_macro"]).all()
    assert table.loc["better", ["difference_macro_low", "difference_macro_df"]].notna().all()
    p_values = [c for c in table.columns if c.startswith("p_")]
    assert table[p_values].isna().all(axis=None)


def test_who_is_better_is_told_from_who_is_alike():
    table = summary()
    assert table.loc["better", "p_macro_holm"] < 0.05
    assert table.loc["better", "difference_macro_low"] > 0
    assert table.loc["alike", "p_macro_holm"] > 0.05
    assert table.loc["better", "p_best"] > 0.05
    assert table.loc["baseline", "p_best"] < 0.05
    # alone with its protocol
    assert table.loc["probe", "p_best"] == 1
    # without a reference there is no test
    for arm in ("baseline", "probe"):
        assert pd.isna(table.loc[arm, "reference"]) and pd.isna(table.loc[arm, "design"])
        assert table.loc[arm, "compared_seeds"] == 0
        assert table.loc[arm, [f"p_{m}_holm" for m in Aucs.names]].isna().all()


def test_seeds_that_differ_more_than_images_decide():
    """An arm that is far better with one seed, and not with the others."""
    shifts = iter([3.0, 0.5, 0.0])

    def change(arm, frame):
        if arm != "alike":
            return frame
        truth = np.eye(3)[class_indices(frame)]
        return predictions_frame(IDS, LABELS, logits_of(frame) + next(shifts) * truth)

    cell = summary(change=change).loc["alike"]
    assert cell["difference_macro_networks_low"] > 0
    assert cell["difference_macro_low"] < 0 and cell["p_macro"] > 0.05
    assert cell["difference_macro_var_seed"] > 10 * cell["difference_macro_var_image"]


# --- rows with other seeds ------------------------------------------------------------------------


def without_seeds(missing):
    """A summary of seeds 1 to 5 in which arms miss some of them."""
    frame, frames = inputs(seeds=(1, 2, 3, 4, 5))
    gone = [row.seed in missing.get(row.arm, ()) for row in frame.itertuples()]
    return summarise(frame[~np.array(gone)], frames, REFERENCES).set_index("arm"), frames


def test_rows_with_some_seeds_in_common_are_compared_by_these():
    table, frames = without_seeds({"better": [1], "baseline": [5]})
    cell = table.loc["better"]
    assert (cell["design"], cell["seeds"], cell["compared_seeds"]) == ("common", 4, 3)
    pair = (samples_of(frames, arm, (2, 3, 4))["macro"] for arm in ("better", "baseline"))
    found = mrmc.difference(*pair)
    assert cell["difference_macro"] == found.mean
    assert cell["difference_macro"] != cell["auc_macro"] - table.loc["baseline", "auc_macro"]
    assert cell["p_macro"] == mrmc.p_value(found)
    assert table.loc["alike", "design"] == "common"
    assert table.loc["alike", "compared_seeds"] == 4


def test_two_seeds_in_common_are_not_tested():
    table, _ = without_seeds({"better": [1, 2], "baseline": [5]})
    cell = table.loc["better"]
    assert (cell["design"], cell["compared_seeds"]) == ("common", 2)
    assert cell["difference_macro_low"] < cell["difference_macro"]
    assert cell[["p_macro", "p_cdm_holm"]].isna().all()
    # nor can they exclude a row that has no less than three seeds itself
    assert table.loc["baseline", "p_best"] > 0.05


def test_rows_without_common_seeds_are_nested():
    table, frames = without_seeds({"better": [1, 2], "baseline": [3, 4, 5]})
    cell = table.loc["better"]
    assert (cell["design"], cell["seeds"], cell["compared_seeds"]) == ("nested", 3, 2)
    found = mrmc.nested_difference(
        samples_of(frames, "better", (3, 4, 5))["macro"],
        samples_of(frames, "baseline", (1, 2))["macro"],
    )
    assert cell["difference_macro"] == found.mean
    assert cell["difference_macro_df"] == found.degrees_of_freedom
    # its variance components are those of its two rows
    assert cell[[f"difference_macro_var_{p}" for p in ("seed", "image")]].isna().all()
    assert np.isnan(cell["p_macro"]) and np.isnan(table.loc["baseline", "p_best"])
    # one seed beside several: the networks alone are compared
    table, _ = without_seeds({"better": [1, 2, 3, 4]})
    cell = table.loc["better"]
    assert (cell["design"], cell["compared_seeds"]) == ("nested", 1)
    assert np.isnan(cell["difference_macro_low"]) and cell["difference_macro_networks_low"] > 0


# --- where nothing varies -------------------------------------------------------------------------


def perfect(arm, frame):
    return predictions_frame(IDS, LABELS, 20 * np.eye(3)[class_indices(frame)])


def test_an_auc_of_one_in_all_seeds_has_a_bound_of_the_networks_alone():
    frame, frames = inputs(
        change=lambda arm, f: f if arm in ("baseline", "probe") else perfect(arm, f)
    )
    cell = summarise(frame, frames, {"model_1": {"better": "alike"}}).set_index("arm").loc["better"]
    assert cell["auc_macro"] == 1 and cell["difference_macro"] == 0
    undefined = ["auc_macro_low", "auc_macro_df", "auc_cdm_high", "difference_macro_low", "p_macro"]
    assert cell[undefined].isna().all()
    class_bound, macro_bound = 0.05 ** (1 / 50), (0.05 / 3) ** (1 / 50)
    for name, bound in (("cdm", class_bound), ("macro", macro_bound)):
        ends = cell[[f"auc_{name}_networks_low", f"auc_{name}_networks_high"]].to_list()
        assert ends == pytest.approx([bound, 1], abs=1e-12)
        slack = 2 * (1 - bound)
        parts = [f"difference_{name}_networks_low", f"difference_{name}_networks_high"]
        assert cell[parts].to_list() == pytest.approx([-slack, slack], abs=1e-12)
    # it may well be the best
    assert cell["p_best"] > 0.05


def test_a_test_without_a_result_does_not_count():
    def change(arm, frame):
        return predicted("baseline", 0) if arm in ("alike", "baseline") else frame

    table = summary(change=change)
    assert np.isnan(table.loc["alike", "p_macro_holm"])
    frames = inputs(change=change)[1]
    pair = (samples_of(frames, arm)["macro"] for arm in ("better", "baseline"))
    expected = mrmc.simultaneous_p_value(mrmc.difference(*pair))
    assert table.loc["better", "p_macro_holm"] == pytest.approx(expected, rel=1e-12)


# --- several tests --------------------------------------------------------------------------------


def several():
    """What `inputs` makes, in three parts: two data sets, one of them with few labels too."""
    parts, frames = [], {}
    for k, (dataset, labels) in enumerate([("model_1", 1.0), ("model_2", 1.0), ("model_1", 0.1)]):
        noise = np.random.default_rng(k).normal(size=(150, 3))

        def change(_, frame, noise=noise):
            return predictions_frame(IDS, LABELS, frame[list(LOGIT_COLUMNS)].to_numpy() + noise)

        frame, made = inputs(change=change)
        parts.append(frame.assign(dataset=dataset, labels=labels))
        frames |= {(arm, dataset, labels, seed): f for (arm, _, _, seed), f in made.items()}
    return pd.concat(parts, ignore_index=True), frames


def test_a_family_is_all_data_sets_with_one_share_of_the_labels_and_one_protocol():
    tested = {"better": "baseline", "alike": "baseline", "probe": "baseline"}
    frame, frames = several()
    table = summarise(frame, frames, {"model_1": tested, "model_2": tested})
    groups = [
        (table["labels"] == labels) & (table["protocol"] == protocol)
        for labels in (0.1, 1.0)
        for protocol in ("fine_tune", "linear_probe")
    ]
    assert [int(group.sum()) for group in groups] == [3, 1, 6, 2]
    for group in groups:
        for family in (["macro"], CLASSES):
            raw = [
                single_p_value(frames, cell, name) for _, cell in table[group].iterrows()
                for name in family
            ]  # fmt: skip
            found = table.loc[group, [f"p_{name}_holm" for name in family]].to_numpy(dtype=float)
            np.testing.assert_allclose(found.ravel(), uncertainty.holm(raw))


def single_p_value(frames, cell, name):
    """Of the test of a cell of a summary, before Holm's correction."""
    if pd.isna(cell["reference"]):
        return np.nan
    place = {"dataset": cell["dataset"], "labels": cell["labels"]}
    pair = (samples_of(frames, arm, **place)[name] for arm in (cell["arm"], cell["reference"]))
    return float(mrmc.simultaneous_p_value(mrmc.difference(*pair)))


def test_the_best_are_those_of_a_data_set_and_a_protocol():
    frame, frames = several()
    table = summarise(frame, frames, REFERENCES)
    for (labels, dataset), part in table.groupby(["labels", "dataset"]):
        rows = part.set_index("arm")["p_best"]
        assert rows["probe"] == 1  # alone
        arms = ["baseline", "better", "alike"]
        own = [samples_of(frames, arm, dataset=dataset, labels=labels)["macro"] for arm in arms]
        expected = mrmc.best_p_values(*mrmc.pairwise_tests(own))
        assert rows[arms].to_list() == pytest.approx(expected, rel=1e-12)


def test_a_data_set_without_the_reference_has_no_test_and_counts_for_none():
    frame, frames = several()
    tested = {"better": "baseline", "alike": "baseline"}
    here = (frame["arm"] != "baseline") | (frame["dataset"] != "model_2")
    table = summarise(frame[here], frames, {"model_1": tested, "model_2": tested})
    compared = [f"{p}_{m}" for p in ("difference", "p") for m in Aucs.names]
    there = table[table["dataset"] == "model_2"]
    assert there[[*compared, "reference", "p_macro_holm"]].isna().all(axis=None)
    assert there[["auc_macro", "auc_macro_low", "auc_cdm_high"]].notna().all(axis=None)
    alone = summarise(frame[frame["dataset"] == "model_1"], frames, {"model_1": tested})
    columns = [*compared, "p_macro_holm", "p_cdm_holm"]
    pd.testing.assert_frame_equal(
        table.loc[table["dataset"] == "model_1", columns].reset_index(drop=True), alone[columns]
    )


def test_rows_may_come_in_any_order():
    frame, frames = several()
    references = REFERENCES | {"model_2": REFERENCES["model_1"]}
    key = ["labels", "dataset", "arm"]
    tables = [
        summarise(rows, frames, references).sort_values(key, ignore_index=True)
        for rows in (frame, frame.sample(frac=1, random_state=0))
    ]
    pd.testing.assert_frame_equal(*tables)


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


def test_operations_that_were_not_counted_are_missing():
    frame, frames = inputs()
    table = summarise(frame.drop(columns="operations_finetuning"), frames, REFERENCES)
    assert table["operations_finetuning"].isna().all()


def test_collapsed_seeds_are_named():
    frame, frames = inputs()
    frame["pretraining_collapsed"] = [row.arm == "alike" for row in frame.itertuples()]
    table = summarise(frame, frames, REFERENCES).set_index("arm")
    assert table.loc["alike", "collapsed_seeds"] == "1, 2, 3"
    assert table["collapsed_seeds"].notna().sum() == 1


OTHERS = (
    r"^better on model_1 \(labels 1, seed 2\) and baseline on model_1 \(labels 1, seed 1\) were "
    "scored on other test images: their predictions differ in"
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.iloc[::-1].reset_index(drop=True), f"{OTHERS} image_id$"),
        (lambda f: f.iloc[[1, 0, *range(2, 150)]], f"{OTHERS} image_id$"),
        (lambda f: f[:149], f"{OTHERS} image_id$"),
        (lambda f: f.assign(label=np.roll(f["label"], 1)), f"{OTHERS} label$"),
        (lambda f: f.assign(image_id=["other", *IDS[1:]]), f"{OTHERS} image_id$"),
        (
            lambda f: f.assign(image_id=[IDS[1], *IDS[1:]]),
            r"^better on model_1 \(labels 1, seed 2\): 1 of 150 predictions repeat an image id, "
            "the first of them image-001$",
        ),
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
        cells = [(arm, seed) for arm in ARMS for seed in (1, 2, 3)]
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
        own = {
            "task": {"name": "classification"},
            "arms": ARMS,
            "rows": {arm: ARMS[arm] for arm in ("baseline", "better", "alike")},
            "datasets": DATASETS,
            "fractions": [1.0],
            "seeds": [1, 2, 3],
            "references": REFERENCES,
            "configuration": {"run": {"seeds": [1, 2, 3]}},
            "allow_mixed": allow_mixed,
        }
        told = SimpleNamespace(
            log=[str(tmp_path / "compare.log")],
            input=SimpleNamespace(
                metrics=[str(folder / "metrics.json") for folder in folders],
                predictions=[str(folder / "predictions.parquet") for folder in folders],
            ),
            output=SimpleNamespace(**outputs),
            params=SimpleNamespace(settings=own),
            config=CONFIG,
            scriptdir=str(ROOT / "workflow/scripts"),
        )
        monkeypatch.setattr("sslens.jobs.process.start", lambda *_: None)
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
    change_metrics(folder, lambda m: m["provenance"]["finetune"].update(data="of last year"))


def with_another_keras(folder):
    change_metrics(
        folder, lambda m: m["provenance"]["finetune"]["versions"].update({"keras": "2.9.0"})
    )


def on_a_gpu(folder):
    change_metrics(folder, lambda m: m["provenance"]["finetune"].update(device="NVIDIA H100"))


def change_metrics(folder, change):
    path = folder / "alike-2/metrics.json"
    metrics = json.loads(path.read_text())
    change(metrics)
    write_json(path, metrics)


def improve(folder):
    """An AUC by hand, and the mean that follows from it."""

    def change(metrics):
        metrics["auc"]["cdm"] += 0.003
        metrics["auc"]["macro"] += 0.001

    change_metrics(folder, change)


def with_other_settings(folder):
    longer = merge(CONFIG, {"finetuning": {"epochs": 5}})
    provenance = provenance_of(longer, "alike", "model_1", seed=2)
    change_metrics(folder, lambda metrics: metrics.update(provenance=provenance))


def forget_the_origin(folder):
    change_metrics(folder, lambda metrics: metrics.pop("provenance"))


def duplicate(folder):
    """An image twice, and metrics of these predictions."""
    path = folder / "better-2"
    frame = pd.read_parquet(path / "predictions.parquet")
    frame = pd.concat([frame, frame[:1]])
    frame.to_parquet(path / "predictions.parquet")
    metrics = json.loads((path / "metrics.json").read_text())
    metrics["predictions_sha256"] = sha256_of(path / "predictions.parquet")
    metrics["auc"] = aucs_of(frame)
    write_json(path / "metrics.json", metrics)


def lose(folder):
    for name in ("metrics.json", "predictions.parquet"):
        (folder / "alike-1" / name).unlink()
    (folder / "alike-1").rmdir()


def test_all_tables_are_made_and_belong_together(compare):
    folder = compare()
    table = (folder / "table").read_text(encoding="utf-8")
    assert "Better" in table and "▲" in table and "Inconsistent provenance" not in table
    assert "| A probe " in (folder / "probes").read_text()
    origin = json.loads((folder / "provenance").read_text())
    assert origin["disagreements"] == [] and len(origin["cells"]) == 12
    assert len(pd.read_csv(folder / "csv")) == 12
    assert len(pd.read_csv(folder / "summary")) == 4
    assert "seeds:" in (folder / "configuration").read_text()


@pytest.mark.parametrize(
    ("happened", "message"),
    [
        (swap, r"better on model_1 \(labels 1, seed 1\): .*was changed after it was scored"),
        (from_other_data, r"alike on model_1 \(labels 1, seed 2\): its finetune had other images"),
        (
            with_another_keras,
            r"alike .*: its finetune had keras 2\.9\.0, and that of baseline .* 3\.0\.0",
        ),
        (on_a_gpu, r"alike .*: its finetune had device GPU, and that of baseline on .* CPU"),
        (improve, r"alike on model_1 \(labels 1, seed 2\): its AUCs are not those of .*parquet"),
        (forget_the_origin, r"alike on model_1 \(labels 1, seed 2\): its metrics do not say"),
        (
            with_other_settings,
            r"alike on model_1 \(labels 1, seed 2\): made with learning.epochs 5, not 16 "
            r"\(finetune, evaluate\)",
        ),
        (duplicate, r"^better on model_1 \(labels 1, seed 2\): 1 of 151 predictions repeat an"),
        (lose, "1 of 12 cells are missing, the first of them arm alike, dataset model_1"),
    ],
)
def test_a_planted_error_is_caught_and_named(compare, happened, message):
    with pytest.raises(ValueError, match=message) as caught:
        compare(happened)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("happened", "cell"),
    [
        (swap, "better on model_1 (labels 1, seed 1)"),
        (from_other_data, "alike on model_1 (labels "),
        (improve, "alike on model_1 (labels 1, seed 2)"),
        (forget_the_origin, "alike on model_1 (labels 1, seed 2)"),
        (with_other_settings, "alike on model_1 (labels 1, seed 2)"),
    ],
)
def test_what_is_allowed_all_the_same_stands_below_the_tables(compare, happened, cell):
    folder = compare(happened, allow_mixed=True)
    for name in ("table", "probes"):
        _, below = (
            (folder / name)
            .read_text()
            .split("**Inconsistent provenance**, so these numbers cannot")
        )
        assert below.count("\n- ") == below.count(f"\n- {cell}") == 1
    assert len(json.loads((folder / "provenance").read_text())["disagreements"]) == 1


def test_tensorflow_is_not_needed():
    """The comparison is made on a machine without it, such as beside a cluster."""
    modules = ("comparison.tables", "comparison.summary", "comparison.origin", "jobs.outdated")
    code = "".join(f"import sslens.{module}\n" for module in modules)
    code += "import sys\nprint('tensorflow' in sys.modules)"

    places = {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | places, capture_output=True, text=True
    )
    assert done.stdout == "False\n", done.stderr
