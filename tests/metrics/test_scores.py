"""Metrics against their definition, counted by hand, and against scikit-learn."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from sslens.classes import CLASSES
from sslens.digests import sha256_of
from sslens.files import atomic_path, read_json, write_json
from sslens.metrics.auc import log_odds
from sslens.metrics.calibration import (
    brier_score,
    expected_calibration_error,
    fit_temperature,
    log_loss,
)
from sslens.metrics.predictions import (
    LOGIT_COLUMNS,
    PREDICTION_COLUMNS,
    PROBABILITY_COLUMNS,
    mean_logits,
    predictions_frame,
    softmax,
    write_predictions,
)
from sslens.metrics.scores import (
    auc_one_vs_one,
    calibrated_score,
    metrics_of_file,
    score,
    true_positive_rate,
)


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


def test_the_softmax_of_mean_logits_is_the_mean_of_the_probabilities():
    logits = np.random.default_rng(0).normal(scale=3, size=(8, 7, 3)).astype(np.float32)
    found = mean_logits(logits)
    assert found.shape == (7, 3)
    assert found.dtype == np.float32
    expected = np.mean([softmax(oriented) for oriented in logits], axis=0)
    np.testing.assert_allclose(softmax(found), expected, rtol=1e-5)
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-5)
    assert np.abs(expected - softmax(logits.mean(axis=0))).max() > 0.05, "not the mean of logits"
    np.testing.assert_allclose(mean_logits(logits + 100), found, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(mean_logits(logits[::-1]), found, rtol=1e-6)


def test_mean_logits_of_one_orientation_are_the_same():
    logits = np.random.default_rng(0).normal(scale=30, size=(1, 7, 3)).astype(np.float32)
    found = mean_logits(logits)
    assert found.dtype == np.float32
    assert np.array_equal(found, logits[0])


def test_mean_logits_are_finite_and_keep_images_apart_whose_probabilities_are_0_and_1():
    logits = np.zeros((8, 3, 3), np.float32)
    logits[:, :, 0] = [800, 1600, 2400]
    found = mean_logits(logits)
    assert np.isfinite(found).all()
    assert (softmax(found)[:, 0] == 1).all()
    np.testing.assert_allclose(found[:, 0] - found[:, 1], [800, 1600, 2400], rtol=1e-6)


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


@pytest.mark.parametrize("seed", range(3))
def test_one_vs_one_is_hand_and_tills_count(seed):
    frame = random_frame(images=50, decimals=0, seed=seed)
    ranks = log_odds(frame[list(LOGIT_COLUMNS)].to_numpy())
    of = [ranks[frame["label"] == name] for name in CLASSES]
    separabilities = [
        (mann_whitney(of[i][:, i], of[j][:, i]) + mann_whitney(of[j][:, j], of[i][:, j])) / 2
        for i in range(3)
        for j in range(i)
    ]
    assert score(frame)["auc_one_vs_one"] == pytest.approx(np.mean(separabilities), abs=1e-12)


def test_one_vs_one_is_scikit_learns_of_the_probabilities():
    frame = random_frame(images=300)
    frame = frame.drop(index=range(0, 240, 3))  # few axions: the classes count alike all the same
    expected = roc_auc_score(
        frame["label"], frame[list(PROBABILITY_COLUMNS)].to_numpy(), multi_class="ovo"
    )
    metrics = score(frame)
    assert metrics["auc_one_vs_one"] == pytest.approx(expected, abs=1e-12)
    assert abs(metrics["auc_one_vs_one"] - metrics["auc"]["macro"]) > 1e-3


def test_one_vs_one_does_not_tie_where_probabilities_are_saturated():
    labels = np.array([0, 0, 1, 1])
    logits = np.array([[70.0, 0, -60], [65, 0, -60], [60, 0, -60], [55, 0, -60]])
    probabilities = softmax(logits)
    assert (probabilities[:, 0] == 1).all()
    assert auc_one_vs_one(labels, logits) == 1


def test_accuracy_has_wilsons_interval():
    frame = random_frame(images=60)
    metrics = score(frame)
    n, p, z = 60, metrics["accuracy"], norm.ppf(0.975)
    # the rates q at which p is z standard deviations from q: (p - q)^2 = z^2 q (1 - q) / n
    low, high = np.sort(np.roots([1 + z**2 / n, -(2 * p + z**2 / n), p**2]))
    assert metrics["accuracy_low"] == pytest.approx(low, abs=1e-12)
    assert metrics["accuracy_high"] == pytest.approx(high, abs=1e-12)
    assert 0 < low < p < high < 1


def test_an_accuracy_of_one_has_an_interval_too():
    frame = frame_of(CLASSES * 4, 9 * np.eye(3)[np.arange(12) % 3])
    metrics = score(frame)
    z = norm.ppf(0.975)
    assert (metrics["accuracy"], metrics["accuracy_high"]) == (1, 1)
    assert metrics["accuracy_low"] == pytest.approx(12 / (12 + z**2))


def test_the_confusion_counts_predicted_classes_within_true_ones():
    # two axions, one taken for cdm; three cdm, all right; one no_sub taken for axion
    labels = ["axion", "axion", "cdm", "cdm", "cdm", "no_sub"]
    logits = np.eye(3)[[0, 1, 1, 1, 1, 0]]
    metrics = score(frame_of(labels, logits))
    assert metrics["confusion"] == {
        "axion": {"axion": 1, "cdm": 1, "no_sub": 0},
        "cdm": {"axion": 0, "cdm": 3, "no_sub": 0},
        "no_sub": {"axion": 1, "cdm": 0, "no_sub": 0},
    }
    assert metrics["accuracy"] == pytest.approx(4 / 6)


def largest_rate(positive, negative, most):
    """The best true-positive rate over all thresholds, each tried."""
    thresholds = [*positive, *negative, np.inf]
    return max(
        np.mean(positive >= t) for t in thresholds if np.count_nonzero(negative >= t) <= most
    )


@pytest.mark.parametrize("decimals", [None, 1])
def test_tpr_at_fpr_is_the_best_of_all_thresholds(decimals):
    frame = random_frame(images=600, strength=2, decimals=decimals)  # 400 others: 4 may be wrong
    ranks = log_odds(frame[list(LOGIT_COLUMNS)].to_numpy())
    rates = score(frame)["tpr_at_fpr"]
    assert list(rates) == [*CLASSES, "macro"]
    for c, name in enumerate(CLASSES):
        positive, negative = ranks[frame["label"] == name, c], ranks[frame["label"] != name, c]
        assert rates[name] == largest_rate(positive, negative, 4)
        assert 0 < rates[name] < 1
    assert rates["macro"] == pytest.approx(np.mean([rates[name] for name in CLASSES]))


def test_tpr_at_fpr_does_not_interpolate_and_takes_the_bound_in():
    negative = np.arange(100.0)
    positive = np.array([200.0, 98.5, 97.5])
    of_class = np.repeat([True, False], [3, 100])
    scores = np.concatenate([positive, negative])
    assert true_positive_rate(of_class, scores) == 2 / 3  # 1 of 100 is 1 %
    assert true_positive_rate(of_class[:-1], scores[:-1]) == 2 / 3  # 98.5 is above all 99
    # ties of both: one step along a diagonal, which either is taken as a whole or not at all
    assert true_positive_rate(of_class, np.zeros(103)) == 0
    # points on a line between others count: here steps of one of the class and one of the others
    of_class, scores = (
        np.repeat([True, False], [3, 200]),
        np.array([3.0, 2, 1, 3, 2, 1, *[0] * 197]),
    )
    assert true_positive_rate(of_class, scores) == 2 / 3


def test_calibration_is_of_the_plain_probabilities_and_of_those_with_the_temperature():
    frame = random_frame(images=120, strength=2)
    logits = frame[list(LOGIT_COLUMNS)].to_numpy()
    labels = np.array([CLASSES.index(name) for name in frame["label"]])
    metrics = score(frame, temperature=2.5)
    assert metrics["temperature"] == 2.5
    for found, given in ((metrics, logits), (metrics["calibrated"], logits / 2.5)):
        p = softmax(given)
        assert found["log_loss"] == log_loss(labels, given)
        assert found["log_loss"] == pytest.approx(
            -np.mean(np.log(p[np.arange(120), labels])), abs=1e-12
        )
        assert found["brier"] == brier_score(labels, p)
        assert found["ece"] == expected_calibration_error(labels, p)
    assert set(metrics["calibrated"]) == {"log_loss", "brier", "ece"}
    plain = score(frame)
    assert plain["temperature"] == 1
    assert plain["calibrated"] == {name: plain[name] for name in plain["calibrated"]}
    changed = {name for name in plain if plain[name] != metrics[name]}
    assert changed == {"temperature", "calibrated"}


@pytest.mark.parametrize("temperature", [0, -1.0, np.nan, np.inf])
def test_score_refuses_what_is_no_temperature(temperature):
    with pytest.raises(ValueError, match="a temperature is a positive number; got"):
        score(random_frame(), temperature)


@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
def test_extreme_logits_have_finite_metrics(temperature, tmp_path):
    logits = np.where(np.eye(3)[[0, 1, 2, 1, 2, 0]] > 0, 1000.0, -1000.0)
    metrics = score(frame_of(CLASSES * 2, logits), temperature)
    write_json(tmp_path / "metrics.json", metrics)  # which refuses what is not finite
    assert read_json(tmp_path / "metrics.json") == metrics
    assert metrics["log_loss"] == pytest.approx(1000)  # half of them wrong by 2000
    assert metrics["calibrated"]["log_loss"] == pytest.approx(1000 / temperature)
    assert metrics["brier"] == pytest.approx(1)


def test_score_refuses_a_set_without_a_class():
    frame = random_frame()
    with pytest.raises(ValueError, match="no AUC without test images of cdm, no_sub; take more"):
        score(frame[frame["label"] == "axion"])
    with pytest.raises(ValueError, match="no AUC without validation images of no_sub; take more"):
        calibrated_score(frame, frame[frame["label"] != "no_sub"])


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


def test_the_temperature_of_metrics_is_fitted_on_the_validation_file(tmp_path):
    test, validation = random_frame(seed=0), random_frame(strength=0.5, seed=1)
    write_predictions(test, tmp_path / "test.parquet")
    write_predictions(validation, tmp_path / "validation.parquet")
    metrics = metrics_of_file(
        tmp_path / "test.parquet", {"arm": "baseline"}, tmp_path / "validation.parquet"
    )
    labels = np.array([CLASSES.index(name) for name in validation["label"]])
    temperature = fit_temperature(labels, validation[list(LOGIT_COLUMNS)].to_numpy())
    assert metrics == {
        "arm": "baseline",
        **score(test, temperature),
        "predictions_sha256": sha256_of(tmp_path / "test.parquet"),
    }
    assert metrics["temperature"] > 1.1


def test_validation_predictions_are_checked_too(tmp_path):
    frame = random_frame()
    write_predictions(frame, tmp_path / "test.parquet")
    write_predictions(pd.concat([frame, frame]), tmp_path / "validation.parquet")
    with pytest.raises(ValueError, match="60 of 120 predictions repeat an image id"):
        metrics_of_file(tmp_path / "test.parquet", {}, tmp_path / "validation.parquet")


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
