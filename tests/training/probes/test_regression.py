"""Probes of a regression: ridge regression and nearest neighbours, against slow transcriptions."""

import keras
import numpy as np
import pytest

from sslens.metrics.gaussian import variances_of
from sslens.networks.classifiers import network_of_probe
from sslens.protocols import FROZEN, LINEAR_PROBE, NEAREST_NEIGHBOURS
from sslens.training.probes.base import Features, load_probe

RNG = np.random.default_rng(0)
SLOPES = RNG.normal(size=(5, 2))
SETTINGS = {
    LINEAR_PROBE: {"inverse_penalties": [0.01, 1.0]},
    NEAREST_NEIGHBOURS: {"neighbours": 7, "temperature": 0.1},
}


def features_of(size, holes=False):
    values = RNG.normal(size=(size, 5)).astype(np.float32) * 3 + 1
    targets = (values @ SLOPES / 10 + 0.1 * RNG.normal(size=(size, 2))).astype(np.float32)
    if holes:
        targets[::4, 1] = np.nan
    return Features(values, targets)


TRAIN, VALIDATION = features_of(80, holes=True), features_of(60, holes=True)


def fitted(protocol):
    fit, outputs_of = load_probe("regression", protocol)
    probe, history = fit(TRAIN, VALIDATION, SETTINGS[protocol])
    return probe, history, outputs_of(probe, VALIDATION.values, SETTINGS[protocol])


def test_ridge_regression_is_that_of_the_normal_equations():
    _, history, outputs = fitted(LINEAR_PROBE)
    errors = {}
    mean, deviation = TRAIN.values.mean(axis=0), TRAIN.values.std(axis=0)
    scaled, held_out = ((v - mean) / deviation for v in (TRAIN.values, VALIDATION.values))
    for penalty in SETTINGS[LINEAR_PROBE]["inverse_penalties"]:
        found = []
        for own in TRAIN.labels.T:
            known = np.isfinite(own)
            centre = scaled[known].mean(axis=0)
            x, y = scaled[known] - centre, own[known] - own[known].mean()
            weights = np.linalg.solve(x.T @ x + np.eye(5) / penalty, x.T @ y)
            found.append((held_out - centre) @ weights + own[known].mean())
        errors[penalty] = np.stack(found, axis=1)
    squares = {p: np.nanmean((e - VALIDATION.labels) ** 2, axis=0) for p, e in errors.items()}
    means = [squares[p].mean() for p in history["inverse_penalty"]]
    np.testing.assert_allclose(history["validation_mse"], means, rtol=1e-4)
    best = min(squares, key=lambda p: squares[p].mean())
    np.testing.assert_allclose(outputs[:, :2], errors[best], atol=1e-4)
    np.testing.assert_allclose(variances_of(outputs[:, 2:])[0], squares[best], rtol=1e-3)


def test_neighbours_give_the_mean_and_the_variance_of_those_that_have_the_target():
    _, history, outputs = fitted(NEAREST_NEIGHBOURS)
    unit, others = (
        part.values / np.linalg.norm(part.values, axis=1, keepdims=True)
        for part in (TRAIN, VALIDATION)
    )
    for row, image in enumerate(others):
        cosines = unit @ image
        nearest = np.argsort(-cosines)[:7]
        weights = np.exp(cosines[nearest] / 0.1)
        for place in range(2):
            # and one more, with the distribution of all
            values = np.append(TRAIN.labels[nearest, place], 0)
            own = np.append(weights / weights.sum() * np.isfinite(values[:-1]), 1e-3)
            mean = np.nansum(own * values) / own.sum()
            variance = np.nansum(own * (values - mean) ** 2) / own.sum() + 1e-3 / own.sum()
            assert outputs[row, place] == pytest.approx(mean, rel=1e-4, abs=1e-5)
            assert variances_of(outputs[row, 2 + place]) == pytest.approx(
                variance, rel=1e-3, abs=1e-5
            )
    assert history["neighbours"].tolist() == [7]


def test_an_image_none_of_whose_neighbours_has_a_target_has_the_distribution_of_all():
    fit, outputs_of = load_probe("regression", NEAREST_NEIGHBOURS)
    labels = np.where(np.arange(len(TRAIN.labels))[:, None] < 2, TRAIN.labels, np.nan)
    settings = {"neighbours": 3, "temperature": 0.1}
    probe, _ = fit(TRAIN._replace(labels=labels), VALIDATION, settings)
    outputs = outputs_of(probe, TRAIN.values[10:], settings)
    means, variances = outputs[:, :2], variances_of(outputs[:, 2:])
    alone = means == 0
    assert alone.any(), "of some images all neighbours are without"
    np.testing.assert_allclose(variances[alone], 1, rtol=1e-5)


@pytest.mark.parametrize("protocol", FROZEN)
def test_the_network_of_a_probe_gives_its_outputs(protocol):
    probe, _, outputs = fitted(protocol)
    images = keras.Input((5,))
    encoder = keras.Model(images, keras.layers.Activation("linear", dtype="float32")(images))
    settings = {"protocol": protocol, "learning": SETTINGS[protocol]}
    found = np.asarray(network_of_probe(settings, encoder, probe)(VALIDATION.values))
    np.testing.assert_allclose(found[:, :2], outputs[:, :2], atol=1e-4)
    np.testing.assert_allclose(
        variances_of(found[:, 2:]), variances_of(outputs[:, 2:]), rtol=1e-2, atol=2e-4
    )
