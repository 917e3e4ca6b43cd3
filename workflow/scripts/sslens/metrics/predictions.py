"""The predictions of a network: the frame that is written, its checks, and what it holds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import log_softmax, logsumexp

from sslens.classes import CLASSES
from sslens.files import atomic_path

LOGIT_COLUMNS = tuple(f"logit_{name}" for name in CLASSES)
PROBABILITY_COLUMNS = tuple(f"p_{name}" for name in CLASSES)
PREDICTION_COLUMNS = ("image_id", "label", *LOGIT_COLUMNS, *PROBABILITY_COLUMNS)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Class probabilities, shape (images, classes), in float64 whatever the logits came in."""
    logits = np.asarray(logits, dtype=np.float64)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def mean_logits(logits: np.ndarray) -> np.ndarray:
    """Logits whose softmax is the mean of the probabilities over an image's orientations.

    Args:
        logits: (orientations, n, classes).

    Returns:
        (n, classes), finite where the given ones are: of one orientation the same, of several
        float32.
    """
    if len(logits) == 1:
        return logits[0]
    # by logarithms, since in float64 too a probability may be 0
    logarithms = log_softmax(np.asarray(logits, np.float64), axis=2)
    return (logsumexp(logarithms, axis=0) - np.log(len(logits))).astype(np.float32)


def predictions_frame(
    image_ids: Sequence | np.ndarray, labels: Sequence[str], logits: np.ndarray
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


def logits_of(predictions: pd.DataFrame) -> np.ndarray:
    """Logits of a predictions frame, (images, classes), float64."""
    return predictions[list(LOGIT_COLUMNS)].to_numpy(dtype=np.float64)


def class_indices(predictions: pd.DataFrame) -> np.ndarray:
    """Labels of a predictions frame as indices into `CLASSES`, (images,)."""
    return predictions["label"].map(CLASSES.index).to_numpy(dtype=np.int64)


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
    broken = ~np.isfinite(logits_of(predictions)).all(axis=1)
    if broken.any():
        raise ValueError(
            f"{int(broken.sum())} of {len(predictions)} predictions have a logit that is not "
            f"finite, the first of them image {predictions['image_id'][broken].iloc[0]}"
        )


def averaged(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Predictions of the same images by several models together: the mean probabilities.

    Raises ValueError where they are of other images.
    """
    first = frames[0]
    for frame in frames:
        check_predictions(frame)
        if not np.array_equal(frame["image_id"], first["image_id"]):
            raise ValueError("predictions of other images cannot be averaged")
    mean = np.mean([softmax(logits_of(frame)) for frame in frames], axis=0)
    # the least probability keeps logits finite
    return predictions_frame(first["image_id"], first["label"], np.log(np.maximum(mean, 1e-300)))


def write_predictions(predictions: pd.DataFrame, path: str | Path) -> None:
    """Write predictions as Parquet, atomically."""
    with atomic_path(path) as temporary:
        predictions.to_parquet(temporary, index=False)
