"""Metrics against their definition, counted by hand, and against scikit-learn."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from sslens.auc import log_odds
from sslens.classes import CLASSES
from sslens.evaluation import (
    PREDICTION_COLUMNS,
    PROBABILITY_COLUMNS,
    metrics_of_file,
    predictions_frame,
    score,
    softmax,
    write_predictions,
)
from sslens.files import atomic_path, read_json, sha256_of, write_json


def frame_of(labels, logits):
    return predictions_frame([f"test-{i}" for i in range(len(labels))], labels, logits)


def random_frame(images=60, strength=1.0, decimals=None, seed=0):
    """Predictions that are right more often than not; few `decimals` make ties."""
    rng = np.random.default_rng(seed)
    truth = np.arange(images) % len(CLASSES)
    logits = rng.normal(size=(images, 3)) + strength * np.eye(3)[truth]
    logits = logits if decimals is None else logits.round(decimals)
    return frame_of(np.asarray(CLASSES)[truth], logits)


def mann_whitney(positive, negative):
    """AUC by definition: the share of pairs in the right order, a tie counting half. O(n^2)."""
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    return sum(pairs) / len(pairs)


# --- predictions ---------------------------------------------------------------------------------


def test_predictions_frame_has_the_contract_columns_and_exact_logits():
    logits = np.array([[0.1, -2.0, 3.0], [1e-8, 5.5, -1.0]], dtype=np.float32)
    frame = predictions_frame(["a", "b"], ["axion", "no_sub"], logits)
    assert tuple(frame.columns) == PREDICTION_COLUMNS
    assert list(frame["image_id"]) == ["a", "b"]
    assert list(frame["label"]) == ["axion", "no_sub"]
    stored = frame[["logit_axion", "logit_cdm", "logit_no_sub"]].to_numpy()
    assert stored.dtype == np.float64
    assert np.array_equal(stored.astype(np.float32), logits)


def test_probabilities_are_the_softmax_in_float64():
    logits = np.log(np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]])) + 400.0
    frame = frame_of(["axion", "cdm"], logits)
    probabilities = frame[list(PROBABILITY_COLUMNS)].to_numpy()
    assert probabilities == pytest.approx(np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]]), rel=1e-12)
    # 0.1 in float32 is off by 1.5e-9: this would not hold had the softmax been computed there.
    in_float32 = softmax(np.array([[0.0, 0.1, 0.7]], dtype=np.float32))
    assert in_float32.dtype == np.float64
    assert in_float32.sum() == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(
    ("ids", "labels", "logits", "message"),
    [
        (["a", "a"], ["axion", "cdm"], np.zeros((2, 3)), "1 of 2 predictions repeat .* a$"),
        (["a", "b"], ["axion", "CDM"], np.zeros((2, 3)), "'CDM' is none of axion, cdm, no_sub"),
        (["a", "b"], ["axion", 1], np.zeros((2, 3)), "is none of"),
        (["a", "b"], ["axion", "cdm"], np.array([[0, 0, 0], [0, np.nan, 0]]), "finite.* image b$"),
        (["a", "b"], ["axion", "cdm"], np.array([[0, np.inf, 0], [0, 0, 0]]), "finite.* image a$"),
        (["a", "b"], ["axion", "cdm"], np.zeros((2, 2)), r"logits of shape \(2, 3\)"),
        (["a", "b"], ["axion"], np.zeros((2, 3)), "got 1 labels"),
    ],
)
def test_predictions_that_cannot_be_right_are_refused(ids, labels, logits, message):
    with pytest.raises(ValueError, match=message) as error:
        predictions_frame(ids, labels, logits)
    assert "\n" not in str(error.value)


# --- score ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_auc_is_the_mann_whitney_count_with_ties(seed):
    # Integer logits, identical triples among them: their log-odds tie exactly.
    frame = random_frame(decimals=0, seed=seed)
    ranks = log_odds(frame.filter(like="logit_").to_numpy())
    ties = 0
    auc = score(frame)["auc"]
    for c, name in enumerate(CLASSES):
        positive = ranks[frame["label"] == name, c]
        negative = ranks[frame["label"] != name, c]
        ties += np.isin(positive, negative).sum()
        assert auc[name] == pytest.approx(mann_whitney(positive, negative), abs=1e-12)
    assert ties > 0


def test_auc_of_six_images_counted_on_paper():
    # Only the axion logit differs, so it alone ranks. Axions 3, 1; the rest 2, 1, 0, 0:
    # 3 beats all four, 1 beats two and ties one: (4 + 2 + 0.5) / 8.
    axion_logits = [3, 1, 2, 1, 0, 0]
    labels = ["axion", "axion", "cdm", "cdm", "no_sub", "no_sub"]
    result = score(frame_of(labels, np.array([[x, 0, 0] for x in axion_logits])))
    assert result["auc"]["axion"] == 6.5 / 8
    # For the others the order is reversed: cdm at 2, 1 against 3, 1, 0, 0: 2 beats one; 1 beats
    # one and ties one. no_sub at 0, 0 beats all four, twice.
    assert result["auc"]["cdm"] == 2.5 / 8
    assert result["auc"]["no_sub"] == 1.0
    assert result["auc"]["macro"] == pytest.approx((6.5 / 8 + 2.5 / 8 + 1) / 3, abs=1e-15)
    # The first of tied logits wins: all six are called axion.
    assert result["accuracy"] == pytest.approx(2 / 6)
    assert result["images"] == 6


def test_auc_is_scikit_learns_multiclass_auc_of_the_probabilities():
    frame = random_frame(images=300)
    probabilities = frame[list(PROBABILITY_COLUMNS)].to_numpy()
    auc = score(frame)["auc"]
    each = roc_auc_score(frame["label"], probabilities, multi_class="ovr", average=None)
    macro = roc_auc_score(frame["label"], probabilities, multi_class="ovr", average="macro")
    assert [auc[name] for name in CLASSES] == pytest.approx(list(each), abs=1e-12)
    assert auc["macro"] == pytest.approx(macro, abs=1e-12)
    assert 0.6 < auc["macro"] < 0.95


def test_macro_does_not_weight_by_class_frequency():
    rng = np.random.default_rng(3)
    labels = ["axion"] * 50 + ["cdm"] * 5 + ["no_sub"] * 15
    auc = score(frame_of(labels, rng.normal(size=(70, 3))))["auc"]
    assert auc["macro"] == pytest.approx((auc["axion"] + auc["cdm"] + auc["no_sub"]) / 3)


def test_saturated_probabilities_do_not_tie():
    # Every p_axion is exactly 1.0, yet the axions have the larger logits: a perfect ranking that
    # the probabilities cannot show.
    logits = np.array([[70, -60, -60], [65, -60, -60], [60, -60, -60], [60, -61, -60]], float)
    frame = frame_of(["axion", "axion", "cdm", "no_sub"], logits)
    assert set(frame["p_axion"]) == {1.0}
    assert roc_auc_score(frame["label"] == "axion", frame["p_axion"]) == 0.5
    assert score(frame)["auc"]["axion"] == 1.0


def test_score_refuses_a_test_set_without_a_class():
    frame = random_frame()
    with pytest.raises(ValueError, match="no AUC without test images of cdm, no_sub$"):
        score(frame[frame["label"] == "axion"])


def test_score_checks_a_frame_read_from_elsewhere():
    frame = random_frame()
    with pytest.raises(ValueError, match="60 of 120 predictions repeat an image id.* test-0$"):
        score(pd.concat([frame, frame]))
    with pytest.raises(ValueError, match="lack the columns label, logit_cdm$"):
        score(frame.drop(columns=["logit_cdm", "label"]))
    frame.loc[7, "logit_cdm"] = np.nan
    with pytest.raises(ValueError, match="1 of 60 predictions .* not finite.* test-7$"):
        score(frame)


# --- files ---------------------------------------------------------------------------------------


def test_predictions_round_trip_bit_for_bit_and_write_the_same_bytes(tmp_path):
    frame = random_frame()
    write_predictions(frame, tmp_path / "new" / "a.parquet")
    write_predictions(frame, tmp_path / "b.parquet")
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "new" / "a.parquet"), frame, check_exact=True
    )
    assert sha256_of(tmp_path / "new" / "a.parquet") == sha256_of(tmp_path / "b.parquet")


def test_metrics_of_file_hold_the_arm_the_scores_and_the_digest(tmp_path):
    path = tmp_path / "predictions.parquet"
    frame = random_frame()
    write_predictions(frame, path)
    metrics = metrics_of_file(path, {"arm": "baseline", "labels": 1.0, "pretraining": None})
    assert metrics == {
        "arm": "baseline",
        "labels": 1.0,
        "pretraining": None,
        **score(frame),
        "predictions_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    with pytest.raises(ValueError, match="accuracy, auc have the names of metrics"):
        metrics_of_file(path, {"auc": 1.0, "accuracy": 1.0})


def test_metrics_round_trip_with_sorted_keys(tmp_path):
    metrics = {"seed": 0, "auc": {"macro": 0.1 + 0.2, "cdm": 1 / 3}, "title": "Größe", "b": None}
    path = tmp_path / "metrics.json"
    write_json(path, metrics)
    assert read_json(path) == metrics
    assert list(json.loads(path.read_text())) == ["auc", "b", "seed", "title"]
    assert "0.30000000000000004" in path.read_text()
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"auc": float("nan")})
    assert read_json(path) == metrics


def test_an_interrupted_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_text("half of the n")
        assert temporary.parent == tmp_path  # os.replace is atomic on one file system only
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
