"""Probes of features: against scikit-learn and a slow vote; what they keep, what they report."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sslens
from sslens.files import read_arrays, write_arrays
from sslens.labelled import stratified_subset
from sslens.metrics import features as feature_metrics
from sslens.metrics.auc import class_aucs
from sslens.metrics.features import neighbour_auc
from sslens.metrics.predictions import softmax
from sslens.protocols import FROZEN, LINEAR_PROBE, NEAREST_NEIGHBOURS
from sslens.training.probes.base import Features
from sslens.training.probes.classification import (
    PROBES,
    fit_linear_probe,
    fit_nearest_neighbours,
    linear_logits,
    neighbour_logits,
)

LINEAR = {"inverse_penalties": [0.001, 0.1, 10.0]}
NEIGHBOURS = {"neighbours": 7, "temperature": 0.1}
SETTINGS = {LINEAR_PROBE: LINEAR, NEAREST_NEIGHBOURS: NEIGHBOURS}
WIDTH = 16


def features_of(size, seed):
    """Features, the first three higher in one class each; all of other scales and means."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(size) % 3)
    values = rng.normal(size=(size, WIDTH)) + np.eye(3, WIDTH)[labels]
    values = values * np.geomspace(3, 0.2, WIDTH) + np.linspace(-0.5, 1, WIDTH)
    return Features(values.astype(np.float32), labels)


TRAIN, VALIDATION = features_of(90, 0), features_of(45, 1)


def take(features, rows):
    return Features(features.values[rows], features.labels[rows])


def shares_of(features, known, labels, neighbours, temperature):
    """The vote of the nearest, slowly."""
    shares = np.zeros((len(features), 3))
    for own, row in zip(shares, np.float64(features), strict=True):
        cosines = [
            row @ other / np.linalg.norm(row) / np.linalg.norm(other) for other in np.float64(known)
        ]
        for k in np.argsort(cosines)[::-1][:neighbours]:
            own[labels[k]] += np.exp(cosines[k] / temperature)
    return shares / shares.sum(axis=1, keepdims=True)


# --- every probe ----------------------------------------------------------------------------------


def test_every_protocol_with_a_frozen_encoder_has_a_probe():
    assert set(PROBES) == set(SETTINGS) == set(FROZEN)
    assert PROBES[LINEAR_PROBE] == (fit_linear_probe, linear_logits)
    assert PROBES[NEAREST_NEIGHBOURS] == (fit_nearest_neighbours, neighbour_logits)


@pytest.mark.parametrize("protocol", FROZEN)
def test_a_probe_leaves_the_features_as_they_were_and_a_file_of_it_gives_the_same_logits(
    protocol, tmp_path
):
    fit, logits_of = PROBES[protocol]
    copies = [part.copy() for part in (*TRAIN, *VALIDATION)]
    arrays, _ = fit(TRAIN, VALIDATION, SETTINGS[protocol])
    logits = logits_of(arrays, VALIDATION.values, SETTINGS[protocol])
    for part, copy in zip((*TRAIN, *VALIDATION), copies, strict=True):
        assert np.array_equal(part, copy)
    assert logits.shape == (45, 3)
    write_arrays(tmp_path / "probe.npz", arrays)
    again = read_arrays(tmp_path / "probe.npz")
    assert list(again) == list(arrays)
    assert np.array_equal(logits_of(again, VALIDATION.values, SETTINGS[protocol]), logits)


@pytest.mark.parametrize("protocol", FROZEN)
def test_the_same_features_give_the_same_probe(protocol):
    fit, _ = PROBES[protocol]
    (first, history), (second, again) = (
        fit(TRAIN, VALIDATION, SETTINGS[protocol]) for _ in range(2)
    )
    assert history.equals(again)
    for name, array in first.items():
        assert array.tobytes() == second[name].tobytes()


def test_probes_import_no_network():
    """The rule `probe` runs without TensorFlow."""
    code = "import sys, sslens.training.probes.classification as _; "
    code += "print({'tensorflow', 'keras'} & set(sys.modules))"
    scripts = Path(sslens.__file__).parent.parent
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, cwd=scripts, capture_output=True, text=True, check=True)
    assert out.stdout == "set()\n"


# --- the linear probe -----------------------------------------------------------------------------


def pipeline_of(penalty, train=TRAIN):
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=2000))
    return pipeline.fit(train.values.astype(np.float64), train.labels)


def test_the_probe_is_scikit_learns_pipeline_inside_the_layer():
    arrays, history = fit_linear_probe(TRAIN, VALIDATION, LINEAR)
    assert list(history.columns) == ["inverse_penalty", "validation_auc"]
    assert history["inverse_penalty"].tolist() == [0.001, 0.1, 10.0]
    pipelines = [pipeline_of(penalty) for penalty in history["inverse_penalty"]]
    others = VALIDATION.values.astype(np.float64)
    aucs = [
        roc_auc_score(VALIDATION.labels, pipeline.predict_proba(others), multi_class="ovr")
        for pipeline in pipelines
    ]
    assert history["validation_auc"].tolist() == pytest.approx(aucs, abs=2e-3)
    assert len(set(history["validation_auc"])) > 1, "the choice is tested by nothing"
    best = pipelines[int(np.argmax(history["validation_auc"]))]
    assert {name: (array.shape, array.dtype) for name, array in arrays.items()} == {
        "kernel": ((WIDTH, 3), np.float32),
        "bias": ((3,), np.float32),
    }
    logits = linear_logits(arrays, VALIDATION.values, LINEAR)
    np.testing.assert_allclose(logits, best.decision_function(others), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        logits, others @ arrays["kernel"].astype(float) + arrays["bias"], rtol=1e-6, atol=1e-6
    )
    assert class_aucs(VALIDATION.labels, logits).mean() == pytest.approx(
        history["validation_auc"].max(), abs=2e-3
    )


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 0, 1]])
def test_the_penalty_with_the_best_validation_auc_is_chosen_wherever_it_stands(order):
    penalties = [LINEAR["inverse_penalties"][k] for k in order]
    alone = [
        fit_linear_probe(TRAIN, VALIDATION, {"inverse_penalties": [penalty]})
        for penalty in penalties
    ]
    aucs = [float(history["validation_auc"].iloc[0]) for _, history in alone]
    arrays, history = fit_linear_probe(TRAIN, VALIDATION, {"inverse_penalties": penalties})
    assert history["inverse_penalty"].tolist() == penalties
    assert history["validation_auc"].tolist() == aucs
    best = aucs.index(max(aucs))
    assert aucs.count(max(aucs)) == 1
    for k, (own, _) in enumerate(alone):
        same = all(np.array_equal(arrays[name], own[name]) for name in ("kernel", "bias"))
        assert same == (k == best)


def test_the_labels_of_validation_choose_the_penalty_and_nothing_else():
    """The weights are of the labelled images alone, and so is the standardisation."""
    settings = {"inverse_penalties": [0.1]}
    arrays, _ = fit_linear_probe(TRAIN, VALIDATION, settings)
    elsewhere = Features(5 * VALIDATION.values[:30] + 3, VALIDATION.labels[:30])
    others, _ = fit_linear_probe(TRAIN, elsewhere, settings)
    few, _ = fit_linear_probe(take(TRAIN, slice(30)), VALIDATION, settings)
    for name, array in arrays.items():
        assert np.array_equal(array, others[name])
        assert not np.array_equal(array, few[name])


def test_a_feature_without_variance_has_no_weight():
    """As where a unit of the encoder is never active."""
    values = TRAIN.values.copy()
    values[:, 3] = 0.25
    arrays, history = fit_linear_probe(Features(values, TRAIN.labels), VALIDATION, LINEAR)
    assert np.isfinite(history["validation_auc"]).all()
    assert all(np.isfinite(array).all() for array in arrays.values())
    np.testing.assert_allclose(arrays["kernel"][3], 0, atol=1e-7)


# --- nearest neighbours ---------------------------------------------------------------------------


def test_neighbours_are_unit_features_and_classes_and_the_history_is_of_validation():
    arrays, history = fit_nearest_neighbours(TRAIN, VALIDATION, NEIGHBOURS)
    assert sorted(arrays) == ["features", "labels"]
    assert arrays["features"].dtype == np.float32
    expected = TRAIN.values / np.linalg.norm(TRAIN.values, axis=1, keepdims=True)
    np.testing.assert_allclose(arrays["features"], expected, rtol=1e-5, atol=1e-6)
    assert np.array_equal(arrays["labels"], TRAIN.labels)
    assert list(history.columns) == ["neighbours", "validation_auc"]
    assert history["neighbours"].tolist() == [7]
    logits = neighbour_logits(arrays, VALIDATION.values, NEIGHBOURS)
    (auc,) = history["validation_auc"]
    assert auc == class_aucs(VALIDATION.labels, logits).mean()
    diagnosed = neighbour_auc(
        VALIDATION.values, VALIDATION.labels, TRAIN.values, TRAIN.labels, **NEIGHBOURS
    )
    assert auc == pytest.approx(diagnosed, abs=1e-3)
    assert auc > 0.6


@pytest.mark.parametrize("fraction", [0.2, 1.0])
@pytest.mark.parametrize("neighbours", [1, 7, 1000])
@pytest.mark.parametrize("temperature", [0.02, 0.1, 1.0])
def test_probabilities_are_the_shares_of_the_nearest_of_the_labelled_images(
    fraction, neighbours, temperature
):
    settings = {"neighbours": neighbours, "temperature": temperature}
    labelled = take(TRAIN, stratified_subset(TRAIN.labels, fraction, 3))
    arrays, _ = fit_nearest_neighbours(labelled, VALIDATION, settings)
    assert arrays["features"].shape == (len(labelled.labels), WIDTH)
    logits = neighbour_logits(arrays, VALIDATION.values, settings)
    shares = shares_of(VALIDATION.values, *labelled, neighbours, temperature)
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(softmax(logits), shares, rtol=1e-4, atol=1e-9)


def test_fewer_images_than_neighbours_all_vote():
    rows = stratified_subset(TRAIN.labels, 0.04, 3)
    assert len(rows) == 3
    arrays, history = fit_nearest_neighbours(take(TRAIN, rows), VALIDATION, NEIGHBOURS)
    assert arrays["features"].shape == (3, WIDTH)
    logits = neighbour_logits(arrays, VALIDATION.values, NEIGHBOURS)
    assert np.isfinite(logits).all()
    shares = shares_of(VALIDATION.values, *take(TRAIN, rows), 3, NEIGHBOURS["temperature"])
    np.testing.assert_allclose(softmax(logits), shares, rtol=1e-4, atol=1e-9)
    assert history["neighbours"].tolist() == [7]


@pytest.mark.parametrize("temperature", [1e-6, 1e-9])
def test_an_image_of_the_training_finds_itself_at_a_low_temperature(temperature):
    settings = {"neighbours": 2, "temperature": temperature}
    arrays, history = fit_nearest_neighbours(TRAIN, VALIDATION, settings)
    logits = neighbour_logits(arrays, TRAIN.values, settings)
    assert np.isfinite(logits).all()
    assert np.isfinite(history["validation_auc"]).all()
    assert np.array_equal(logits.argmax(axis=1), TRAIN.labels)


@pytest.mark.parametrize("most", [1, 7, 45, 1000])
def test_shares_are_the_same_however_many_images_are_compared_at_a_time(most, monkeypatch):
    arrays, _ = fit_nearest_neighbours(TRAIN, VALIDATION, NEIGHBOURS)
    expected = neighbour_logits(arrays, VALIDATION.values, NEIGHBOURS)
    parts = []

    def compared(logits):
        parts.append(len(logits))
        return softmax(logits)

    monkeypatch.setattr(feature_metrics, "COSINES", most * len(arrays["labels"]))
    monkeypatch.setattr(feature_metrics, "softmax", compared)
    found = neighbour_logits(arrays, VALIDATION.values, NEIGHBOURS)
    assert len(parts) == -(-45 // most)
    assert sum(parts) == 45 and max(parts) <= most
    np.testing.assert_allclose(found, expected, rtol=1e-9)
