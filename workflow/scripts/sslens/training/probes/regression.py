"""Probes of a regression: ridge regression, and the mean of the nearest images."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from sslens.metrics.features import neighbour_means, normalised
from sslens.metrics.gaussian import raw_of
from sslens.protocols import LINEAR_PROBE, NEAREST_NEIGHBOURS
from sslens.targets import NEIGHBOUR_OF_ALL
from sslens.training.probes.base import Features, Probe

log = logging.getLogger(__name__)


def fit_ridge(
    train: Features, validation: Features, settings: Mapping
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Fit a ridge regression of each target on features that are standardised.

    The penalty is the one with the smallest mean squared error of validation images, over all
    targets. The variance of a target is that of these errors, the same for all images. Images
    without a target are left out of its fit.

    Args:
        train, validation: labelled training images, and validation images; targets (n, k).
        settings: `inverse_penalties` to choose from (the inverse of scikit-learn's alpha).

    Returns:
        `kernel` (d, 2 k) and `bias` (2 k,), float32, of a dense layer on the features; and the
        history, one row per penalty: `inverse_penalty` and `validation_mse` (of targets with a
        variance of 1).
    """
    scaler = StandardScaler().fit(train.values.astype(np.float64))
    scaled, scaled_validation = (
        scaler.transform(part.values.astype(np.float64)) for part in (train, validation)
    )
    history, fits = [], []
    for inverse_penalty in settings["inverse_penalties"]:
        weights = np.empty((train.labels.shape[1], scaled.shape[1] + 1))
        errors = np.empty(len(weights))
        for place, (own, held_out) in enumerate(
            zip(train.labels.T, validation.labels.T, strict=True)
        ):
            known, measured = np.isfinite(own), np.isfinite(held_out)
            ridge = Ridge(alpha=1 / inverse_penalty).fit(scaled[known], own[known])
            found = ridge.predict(scaled_validation[measured])
            weights[place] = [*ridge.coef_, ridge.intercept_]
            errors[place] = np.mean((found - held_out[measured]) ** 2)
        error = float(errors.mean())
        log.info("inverse penalty %g: validation MSE %.4f", inverse_penalty, error)
        history.append({"inverse_penalty": inverse_penalty, "validation_mse": error})
        fits.append((weights, errors))
    weights, errors = fits[int(np.argmin([row["validation_mse"] for row in history]))]
    means = weights[:, :-1].T / scaler.scale_[:, None]
    kernel = np.concatenate([means, np.zeros_like(means)], axis=1)
    bias = np.concatenate([weights[:, -1] - scaler.mean_ @ means, raw_of(errors)])
    arrays = {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}
    return arrays, pd.DataFrame(history)


def linear_outputs(
    probe: Mapping[str, np.ndarray], features: np.ndarray, settings: Mapping
) -> np.ndarray:
    """Outputs (n, 2 k) of features (n, d) by what `fit_ridge` found."""
    return features.astype(np.float64) @ probe["kernel"] + probe["bias"]


def fit_nearest_neighbours(
    train: Features, validation: Features, settings: Mapping
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Keep the images whose targets are averaged, see `neighbour_means`.

    Args:
        train, validation: labelled training images, and validation images; targets (n, k).
        settings: `neighbours` and `temperature`.

    Returns:
        `features` (n, d), float32, normalised, and `values` (n, 3 k), float32: of the targets that
        an image has the value, its square, and 1, else 0; and the history, one row: `neighbours`
        and `validation_mse`.
    """
    known = np.isfinite(train.labels)
    targets = np.where(known, train.labels, 0)
    values = np.concatenate([targets, targets**2, known], axis=1).astype(np.float32)
    arrays = {"features": normalised(train.values).astype(np.float32), "values": values}
    means = neighbour_outputs(arrays, validation.values, settings)[:, : targets.shape[1]]
    error = float(np.nanmean((means - validation.labels) ** 2))
    log.info("%d neighbours: validation MSE %.4f", settings["neighbours"], error)
    row = {"neighbours": settings["neighbours"], "validation_mse": error}
    return arrays, pd.DataFrame([row])


def neighbour_outputs(
    probe: Mapping[str, np.ndarray], features: np.ndarray, settings: Mapping
) -> np.ndarray:
    """Outputs (n, 2 k) of features (n, d): means and variances of the nearest images' targets.

    One more neighbour, see `NEIGHBOUR_OF_ALL`, decides where none has a target.
    """
    neighbours, temperature = settings["neighbours"], settings["temperature"]
    found = neighbour_means(features, probe["features"], probe["values"], neighbours, temperature)
    sums, squares, known = np.split(found, 3, axis=1)
    # targets of all training images have mean 0 and variance 1
    weights = known + NEIGHBOUR_OF_ALL
    means, squares = sums / weights, (squares + NEIGHBOUR_OF_ALL) / weights
    return np.concatenate([means, raw_of(squares - means**2)], axis=1)


#: The probe of each protocol with a frozen encoder.
PROBES = {
    LINEAR_PROBE: Probe(fit_ridge, linear_outputs),
    NEAREST_NEIGHBOURS: Probe(fit_nearest_neighbours, neighbour_outputs),
}
