"""Probes of a classification: logistic regression, and a vote of the nearest images."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sslens.metrics.auc import class_aucs
from sslens.metrics.features import neighbour_shares, normalised, share_logits
from sslens.protocols import LINEAR_PROBE, NEAREST_NEIGHBOURS
from sslens.training.probes.base import Features, Probe

log = logging.getLogger(__name__)


def fit_linear_probe(
    train: Features, validation: Features, settings: Mapping
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Fit a logistic regression on features that are standardised on the labelled images.

    The strength of the L2 penalty is the one with the best validation AUC. The standardisation ends
    up inside the layer.

    Args:
        train, validation: labelled training images, and validation images.
        settings: `inverse_penalties` to choose from (scikit-learn's C).

    Returns:
        `kernel` (d, classes) and `bias` (classes,), float32, of a dense layer on the features; and
        the history, one row per penalty: `inverse_penalty` and `validation_auc`.
    """
    features = train.values.astype(np.float64)
    scaler = StandardScaler().fit(features)
    scaled, scaled_validation = scaler.transform(features), scaler.transform(validation.values)
    history, probes = [], []
    for inverse_penalty in settings["inverse_penalties"]:
        probe = LogisticRegression(C=inverse_penalty, max_iter=2000).fit(scaled, train.labels)
        auc = class_aucs(validation.labels, probe.decision_function(scaled_validation)).mean()
        log.info("inverse penalty %g: validation AUC %.4f", inverse_penalty, auc)
        history.append({"inverse_penalty": inverse_penalty, "validation_auc": float(auc)})
        probes.append(probe)
    best = probes[int(np.argmax([row["validation_auc"] for row in history]))]
    kernel = best.coef_.T / scaler.scale_[:, None]
    bias = best.intercept_ - scaler.mean_ @ kernel
    arrays = {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}
    return arrays, pd.DataFrame(history)


def linear_logits(
    probe: Mapping[str, np.ndarray], features: np.ndarray, settings: Mapping
) -> np.ndarray:
    """Logits of features (n, d) by what `fit_linear_probe` found."""
    return features.astype(np.float64) @ probe["kernel"] + probe["bias"]


def fit_nearest_neighbours(
    train: Features, validation: Features, settings: Mapping
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Keep the images that vote, see `neighbour_shares`.

    Args:
        train, validation: labelled training images, and validation images.
        settings: `neighbours` and `temperature`.

    Returns:
        `features` (n, d), float32, normalised, and `labels` (n,) of the images that vote; and the
        history, one row: `neighbours` and `validation_auc`.
    """
    arrays = {"features": normalised(train.values).astype(np.float32), "labels": train.labels}
    logits = neighbour_logits(arrays, validation.values, settings)
    auc = float(class_aucs(validation.labels, logits).mean())
    log.info("%d neighbours: validation AUC %.4f", settings["neighbours"], auc)
    row = {"neighbours": settings["neighbours"], "validation_auc": auc}
    return arrays, pd.DataFrame([row])


def neighbour_logits(
    probe: Mapping[str, np.ndarray], features: np.ndarray, settings: Mapping
) -> np.ndarray:
    """Logits of features (n, d) by what `fit_nearest_neighbours` kept: logarithms of shares."""
    neighbours, temperature = settings["neighbours"], settings["temperature"]
    known = probe["features"], probe["labels"]
    return share_logits(neighbour_shares(features, *known, neighbours, temperature))


#: The probe of each protocol with a frozen encoder.
PROBES = {
    LINEAR_PROBE: Probe(fit_linear_probe, linear_logits),
    NEAREST_NEIGHBOURS: Probe(fit_nearest_neighbours, neighbour_logits),
}
