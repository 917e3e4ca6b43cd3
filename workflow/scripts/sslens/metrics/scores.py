"""Scores of predictions: AUCs, accuracy, confusion, calibration; and the metrics of a cell."""

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve

from sslens.classes import CLASSES
from sslens.digests import sha256_of
from sslens.formatting import read_parquet
from sslens.metrics.auc import class_aucs, log_odds
from sslens.metrics.calibration import (
    brier_score,
    expected_calibration_error,
    fit_temperature,
    log_loss,
    reliability,
)
from sslens.metrics.predictions import check_predictions, class_indices, logits_of, softmax
from sslens.metrics.uncertainty import CONFIDENCE

#: The most images of other classes that may be taken for one of a class in `score`'s tpr_at_fpr.
FALSE_POSITIVE_RATE = 0.01


# --- metrics -------------------------------------------------------------------------------------


def score(predictions: pd.DataFrame, temperature: float = 1.0) -> dict[str, Any]:
    """All metrics of one predictions frame: how well it ranks, decides, and knows how sure it is.

    Args:
        predictions: with the columns `PREDICTION_COLUMNS`; probabilities are not read.
        temperature: by which logits are divided for `calibrated`, fitted on other images.

    Returns:
        Finite numbers, in mappings that JSON can hold:

        - auc: {axion, cdm, no_sub, macro}, one-vs-rest (see `auc.class_aucs`), macro the
          unweighted mean of the classes;
        - auc_one_vs_one: see `auc_one_vs_one`;
        - tpr_at_fpr: {axion, cdm, no_sub, macro}, see `true_positive_rate`, at a false-positive
          rate of at most `FALSE_POSITIVE_RATE`;
        - accuracy, accuracy_low, accuracy_high: the share of images whose class has the largest
          logit, and its 95 % interval (Wilson 1927, JASA 22, 209);
        - confusion: {true class: {predicted class: images}};
        - log_loss, brier, ece: see `sslens.metrics.calibration`;
        - temperature, calibrated: as given, and {log_loss, brier, ece} with it;
        - images: their number.

    Raises ValueError as `check_predictions` does, where the test set lacks a class, and where the
    temperature is not a positive number.
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"a temperature is a positive number; got {temperature}")
    labels, logits = _labels_and_logits(predictions)
    _check_classes(labels, "test")
    predicted = logits.argmax(axis=1)
    right = int(np.sum(predicted == labels))
    low, high = binomtest(right, len(labels)).proportion_ci(CONFIDENCE, method="wilson")
    counts = confusion_matrix(labels, predicted, labels=range(len(CLASSES))).tolist()
    rates = [true_positive_rate(labels == c, ranks) for c, ranks in enumerate(log_odds(logits).T)]
    return {
        "auc": _by_class(class_aucs(labels, logits)),
        "auc_one_vs_one": auc_one_vs_one(labels, logits),
        "tpr_at_fpr": _by_class(rates),
        "accuracy": right / len(labels),
        "accuracy_low": float(low),
        "accuracy_high": float(high),
        "confusion": {
            true: dict(zip(CLASSES, row, strict=True))
            for true, row in zip(CLASSES, counts, strict=True)
        },
        **calibration_scores(labels, logits),
        "temperature": float(temperature),
        "calibrated": calibration_scores(labels, logits / temperature),
        "images": len(labels),
    }


def _check_classes(labels: np.ndarray, split: str) -> None:
    """ValueError where a split has no image of a class: its AUC would stand for nothing."""
    if absent := [name for c, name in enumerate(CLASSES) if c not in labels]:
        raise ValueError(
            f"no AUC without {split} images of {', '.join(absent)}; take more {split} images, or "
            "other class shares"
        )


def auc_one_vs_one(labels: np.ndarray, logits: np.ndarray) -> float:
    """Mean AUC of all pairs of classes, each distinguished from the other alone.

    M of Hand & Till 2001 (Machine Learning 45, 171): for every ordered pair (i, j), the images of
    these two classes are ranked by p_i. So does scikit-learn's `roc_auc_score(multi_class="ovo")`,
    and not by p_i / (p_i + p_j). Here they are ranked by `auc.log_odds`, which is the same order
    as that of p_i without the ties of probabilities that have become 1 or 0.

    Args:
        labels: (images,) integers, two classes at least.
        logits: (images, classes).
    """
    ranks = log_odds(logits)
    aucs = []
    for one, other in permutations(np.unique(labels), 2):
        pair = np.isin(labels, (one, other))
        aucs.append(roc_auc_score(labels[pair] == one, ranks[pair, one]))
    return float(np.mean(aucs))


def true_positive_rate(
    is_positive: np.ndarray, scores: np.ndarray, false_positive_rate: float = FALSE_POSITIVE_RATE
) -> float:
    """The largest share of a class that a threshold can find with few enough others among it.

    The height of the ROC staircase where it last keeps the false-positive rate; nothing is
    interpolated, so every number is one that a threshold reaches. With fewer than 100 images of
    other classes, 1 % of them is none.

    Args:
        is_positive: (images,) bool, whether an image is of the class; both have to occur.
        scores: (images,), the larger the likelier.
        false_positive_rate: the most that is allowed.
    """
    # all points: scikit-learn would drop those on a line between others, and with them the last
    # one that is allowed
    false, true, _ = roc_curve(is_positive, scores, drop_intermediate=False)
    return float(true[false <= false_positive_rate].max())


def calibration_scores(labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """{log_loss, brier, ece} of class indices (n,) and logits (n, classes); see `calibration`."""
    probabilities = softmax(logits)
    return {
        "log_loss": log_loss(labels, logits),
        "brier": brier_score(labels, probabilities),
        "ece": expected_calibration_error(labels, probabilities),
    }


def _labels_and_logits(predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Class indices (n,) and logits (n, classes) of predictions; raises as `check_predictions`."""
    check_predictions(predictions)
    return class_indices(predictions), logits_of(predictions)


def _by_class(values: Sequence[float] | np.ndarray) -> dict[str, float]:
    """One value a class by its name, and their unweighted mean as `macro`."""
    named = {name: float(value) for name, value in zip(CLASSES, values, strict=True)}
    return {**named, "macro": float(np.mean(values))}


def reliability_curves(predictions: pd.DataFrame, temperature: float) -> dict[str, pd.DataFrame]:
    """`calibration.reliability` as predicted (`plain`) and with a temperature (`calibrated`)."""
    labels, logits = _labels_and_logits(predictions)
    return {
        "plain": reliability(labels, softmax(logits)),
        "calibrated": reliability(labels, softmax(logits / temperature)),
    }


def calibrated_score(
    predictions: pd.DataFrame, validation: pd.DataFrame | None = None
) -> dict[str, Any]:
    """What `score` returns, with the temperature that suits the validation set; without one, 1.

    Raises ValueError as `score` and `calibration.fit_temperature` do, and where the validation set
    lacks a class: by its AUC the best epoch and the best penalty of a probe are chosen, too.
    """
    if validation is None:
        return score(predictions)
    labels, logits = _labels_and_logits(validation)
    _check_classes(labels, "validation")
    return score(predictions, fit_temperature(labels, logits))


def metrics_of_file(
    path: str | Path,
    fields: Mapping[str, Any],
    validation: str | Path | None = None,
    scored: Callable[[pd.DataFrame, pd.DataFrame | None], dict[str, Any]] = calibrated_score,
) -> dict[str, Any]:
    """The content of `metrics.json` for the predictions file at `path`.

    Args:
        path: of the predictions of the test set.
        fields: which cell of the comparison it is (arm, dataset, title, method, pretext,
            pretraining, protocol, labels, seed, encoder, ...).
        validation: path of the predictions of the validation set, with the same columns, that
            they are calibrated by.
        scored: makes metrics of both.

    Returns:
        The fields, what `scored` returns, and the SHA-256 of the file at `path`.

    Raises ValueError where a field would be overwritten by a score, or as `scored` does.
    """
    own = None if validation is None else read_parquet(validation)
    metrics = {**scored(read_parquet(path), own), "predictions_sha256": sha256_of(path)}
    clash = sorted(set(fields) & set(metrics))
    if clash:
        raise ValueError(f"arm fields {', '.join(clash)} have the names of metrics")
    return {**fields, **metrics}
