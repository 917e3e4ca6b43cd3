"""Scores of a regression: errors, how much of the variation is explained, and calibration."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from sslens.metrics.gaussian import LEVELS, crps, fit_scale, is_inside, negative_log_likelihood

#: Bins of the true values, of equal width between the least and the largest one.
BINS = 8


def columns_of(target: str) -> tuple[str, str, str]:
    """Columns of the predictions of a target: the true value, the mean, the standard deviation."""
    return f"true_{target}", f"mean_{target}", f"std_{target}"


def check_predictions(predictions: pd.DataFrame, targets: Sequence[str]) -> None:
    """Raise ValueError, in one line, where predictions cannot be scored image by image."""
    wanted = ["image_id", *(column for target in targets for column in columns_of(target))]
    if missing := set(wanted) - set(predictions.columns):
        raise ValueError(f"predictions lack the columns {', '.join(sorted(missing))}")
    if (again := predictions["image_id"].duplicated()).any():
        first = predictions["image_id"][again].iloc[0]
        raise ValueError(f"{int(again.sum())} predictions repeat an image id, such as {first}")
    for target in targets:
        _, mean, deviation = (predictions[column] for column in columns_of(target))
        wrong = ~(np.isfinite(mean) & np.isfinite(deviation) & (deviation > 0))
        if wrong.any():
            raise ValueError(
                f"{int(wrong.sum())} of {len(predictions)} predictions of {target} are not finite, "
                f"or without a deviation, the first of them image "
                f"{predictions['image_id'][wrong].iloc[0]}"
            )


def known(predictions: pd.DataFrame, target: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True values, means and deviations (n,) of the images that have a target."""
    columns = predictions[list(columns_of(target))].dropna(subset=columns_of(target)[0])
    true, mean, deviation = columns.to_numpy(np.float64).T
    return true, mean, deviation


def score(
    predictions: pd.DataFrame, validation: pd.DataFrame, targets: Sequence[str]
) -> dict[str, Any]:
    """All metrics of one predictions frame.

    Args:
        predictions: of the test set, columns `image_id` and `columns_of` every target.
        validation: of the validation set, by which the deviations are scaled for `calibrated`.
        targets: which are scored.

    Returns:
        `images`, the number of them, and `targets`: of each what `score_target` says.

    Raises ValueError as `check_predictions` does, and where fewer than two images have a target.
    """
    for frame in (predictions, validation):
        check_predictions(frame, targets)
    scores = {}
    for target in targets:
        found, own = known(predictions, target), known(validation, target)
        if min(len(found[0]), len(own[0])) < 2:
            raise ValueError(f"fewer than two test or validation images have {target}")
        scores[target] = score_target(*found, fit_scale(own[0] - own[1], own[2]))
    return {"images": len(predictions), "targets": scores}


def score_target(
    true: np.ndarray, mean: np.ndarray, deviation: np.ndarray, scale: float
) -> dict[str, Any]:
    """The metrics of one target.

    Args:
        true, mean, deviation: (n,).
        scale: factor of the deviations for `calibrated`, fitted on other images.

    Returns:
        Finite numbers, in the unit of the target where they have one, for JSON:

        - images: n;
        - mae, rmse, bias: mean absolute error, root of the mean squared error, and mean of the
          prediction less the true value;
        - r2: the share of the true values' variance that is explained, negative where it is less
          than by their mean; correlation: Pearson's, None where predictions do not vary;
        - nll, crps: means of `gaussian.negative_log_likelihood` and `gaussian.crps`;
        - coverage: level -> share of the images whose true value is in the central interval;
        - deviation: the mean standard deviation;
        - scale, calibrated: as given, and {nll, crps, coverage} with it;
        - by_true_value: of each bin of the true values low, high, images, and where it has any
          mae, bias, deviation, and coverage (calibrated).
    """
    errors = true - mean
    total = np.sum((true - true.mean()) ** 2)
    varies = np.ptp(mean) > 0 and total > 0
    return {
        "images": len(true),
        "mae": float(np.abs(errors).mean()),
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "bias": float(-errors.mean()),
        "r2": float(1 - np.sum(errors**2) / total) if total > 0 else None,
        "correlation": float(np.corrcoef(true, mean)[0, 1]) if varies else None,
        "deviation": float(deviation.mean()),
        **_of_distributions(errors, deviation),
        "scale": scale,
        "calibrated": _of_distributions(errors, scale * deviation),
        "by_true_value": _by_true_value(true, errors, scale * deviation),
    }


def _of_distributions(errors: np.ndarray, deviations: np.ndarray) -> dict[str, Any]:
    return {
        "nll": float(negative_log_likelihood(errors, deviations).mean()),
        "crps": float(crps(errors, deviations).mean()),
        "coverage": {
            f"{level:g}": float(is_inside(errors, deviations, level).mean()) for level in LEVELS
        },
    }


def _by_true_value(true: np.ndarray, errors: np.ndarray, deviations: np.ndarray) -> list[dict]:
    edges = np.linspace(true.min(), true.max(), BINS + 1)
    places = np.clip(np.searchsorted(edges, true, side="right") - 1, 0, BINS - 1)
    bins = []
    for place, (low, high) in enumerate(pairwise(edges)):
        chosen = places == place
        row: dict[str, Any] = {"low": float(low), "high": float(high), "images": int(chosen.sum())}
        if chosen.any():
            own = errors[chosen], deviations[chosen]
            row |= {
                "mae": float(np.abs(own[0]).mean()),
                "bias": float(-own[0].mean()),
                "deviation": float(own[1].mean()),
                "coverage": _of_distributions(*own)["coverage"],
            }
        bins.append(row)
    return bins
