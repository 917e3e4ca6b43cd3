"""Predictions to metrics: one row a test image in, one-vs-rest AUC and accuracy out.

Nothing here needs TensorFlow. The predictions file is the only source of the metrics, so whoever
holds it can recompute them with pandas and scikit-learn alone.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sslens.auc import class_aucs
from sslens.classes import CLASSES
from sslens.files import atomic_path, sha256_of

LOGIT_COLUMNS = tuple(f"logit_{name}" for name in CLASSES)
PROBABILITY_COLUMNS = tuple(f"p_{name}" for name in CLASSES)
PREDICTION_COLUMNS = ("image_id", "label", *LOGIT_COLUMNS, *PROBABILITY_COLUMNS)


# --- predictions ---------------------------------------------------------------------------------


def softmax(logits: np.ndarray) -> np.ndarray:
    """Class probabilities, shape (images, classes), in float64 whatever the logits came in."""
    logits = np.asarray(logits, dtype=np.float64)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def predictions_frame(
    image_ids: Sequence, labels: Sequence[str], logits: np.ndarray
) -> pd.DataFrame:
    """A prediction a row, with the columns `PREDICTION_COLUMNS`.

    `image_ids` and `labels` (class names) have length n; `logits` has shape (n, 3) with the classes
    in the order of `CLASSES`. Logits are widened to float64, which keeps every bit of them.

    Raises ValueError where lengths differ, an id comes twice, a label is no class name or a logit
    is not finite.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if logits.shape != (len(image_ids), len(CLASSES)) or len(labels) != len(image_ids):
        raise ValueError(
            f"{len(image_ids)} image ids need as many labels and logits of shape "
            f"({len(image_ids)}, {len(CLASSES)}); got {len(labels)} labels, logits {logits.shape}"
        )
    frame = pd.DataFrame({"image_id": np.asarray(image_ids), "label": np.asarray(labels)})
    frame[list(LOGIT_COLUMNS)] = logits
    check_predictions(frame)
    # After the check: a softmax of NaN would only warn.
    frame[list(PROBABILITY_COLUMNS)] = softmax(logits)
    return frame


def check_predictions(predictions: pd.DataFrame) -> None:
    """Raise ValueError, in one line, where predictions cannot be scored image by image."""
    missing = {"image_id", "label", *LOGIT_COLUMNS} - set(predictions.columns)
    if missing:
        raise ValueError(f"predictions lack the columns {', '.join(sorted(missing))}")
    duplicated = predictions["image_id"].duplicated()
    if duplicated.any():
        raise ValueError(
            f"{int(duplicated.sum())} of {len(predictions)} predictions repeat an image id, "
            f"the first of them {predictions['image_id'][duplicated].iloc[0]}"
        )
    unknown = ~predictions["label"].isin(CLASSES)
    if unknown.any():
        raise ValueError(
            f"label {predictions['label'][unknown].iloc[0]!r} is none of {', '.join(CLASSES)}"
        )
    broken = ~np.isfinite(predictions[list(LOGIT_COLUMNS)].to_numpy(dtype=np.float64)).all(axis=1)
    if broken.any():
        raise ValueError(
            f"{int(broken.sum())} of {len(predictions)} predictions have a logit that is not "
            f"finite, the first of them image {predictions['image_id'][broken].iloc[0]}"
        )


# --- metrics -------------------------------------------------------------------------------------


def score(predictions: pd.DataFrame) -> dict[str, Any]:
    """AUC, accuracy and number of images of one predictions frame.

    Returns `{"auc": {axion, cdm, no_sub, macro}, "accuracy": ..., "images": ...}`. An AUC is
    one-vs-rest (see `auc.class_aucs`), macro their unweighted mean. The predicted class is the one
    with the largest logit.

    Raises ValueError as `check_predictions` does, and where the test set lacks a class.
    """
    check_predictions(predictions)
    labels = predictions["label"].to_numpy()
    absent = [name for name in CLASSES if name not in set(labels)]
    if absent:
        raise ValueError(f"no AUC without test images of {', '.join(absent)}")
    logits = predictions[list(LOGIT_COLUMNS)].to_numpy(dtype=np.float64)
    indices = np.array([CLASSES.index(label) for label in labels])
    auc = dict(zip(CLASSES, class_aucs(indices, logits).tolist(), strict=True))
    auc["macro"] = float(np.mean(list(auc.values())))
    predicted = np.asarray(CLASSES)[logits.argmax(axis=1)]
    return {
        "auc": auc,
        "accuracy": float(np.mean(predicted == labels)),
        "images": len(predictions),
    }


def metrics_of_file(path: str | Path, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The content of `metrics.json` for the predictions file at `path`.

    `fields` tells which cell of the comparison it is (arm, dataset, title, method, pretext,
    pretraining, protocol, labels, seed, encoder, ...); `score` and the SHA-256 of the file are
    added. Raises ValueError where a field would be overwritten by a score.
    """
    metrics = {
        **score(pd.read_parquet(path)),
        "predictions_sha256": sha256_of(path),
    }
    clash = sorted(set(fields) & set(metrics))
    if clash:
        raise ValueError(f"arm fields {', '.join(clash)} have the names of metrics")
    return {**fields, **metrics}


# --- files ---------------------------------------------------------------------------------------


def write_predictions(predictions: pd.DataFrame, path: str | Path) -> None:
    """Write predictions as Parquet, the columns in the order of `PREDICTION_COLUMNS`, atomically.

    Raises KeyError where a column is missing.
    """
    with atomic_path(path) as temporary:
        predictions[list(PREDICTION_COLUMNS)].to_parquet(temporary, index=False)
