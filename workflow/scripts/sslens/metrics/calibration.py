"""Can the probabilities of a classifier be believed? Measures of it, and a temperature to mend it.

Pure functions of labels and of logits or probabilities. Nothing here changes which class is the
likeliest.
"""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.metrics import brier_score_loss

#: Between these a temperature is looked for.
TEMPERATURES = (0.05, 20.0)
#: Bins of equal width of the confidence, as many as Guo et al. 2017 (arXiv:1706.04599) take.
BINS = 15


def log_loss(labels: np.ndarray, logits: np.ndarray) -> float:
    """Mean negative log-likelihood of the labels in nats, from 0 up.

    Taken from the logits: a probability that has become 0 would have an infinite logarithm, or,
    clipped as scikit-learn does, hide how wrong it was.

    Args:
        labels: (n,) integers.
        logits: (n, classes).
    """
    logarithms = log_softmax(np.asarray(logits, dtype=np.float64), axis=1)
    return float(-logarithms[np.arange(len(logarithms)), labels].mean())


def brier_score(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean over images of the sum over classes of (probability - whether it is the class)^2.

    Brier 1950 (Monthly Weather Review 78, 1), so in [0, 2]; for two classes others give half of it.

    Args:
        labels: (n,) integers.
        probabilities: (n, classes), rows that sum to 1.
    """
    classes = np.arange(np.shape(probabilities)[1])
    return float(brier_score_loss(labels, probabilities, labels=classes, scale_by_half=False))


def reliability(labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """How often the predicted class is right, by how sure the classifier is of it.

    The confidence is the probability of the predicted class. It is put into bins of equal width
    over [0, 1], each with its upper edge (Guo et al. 2017, arXiv:1706.04599, section 2).

    Args:
        labels: (n,) integers.
        probabilities: (n, classes).
        bins: number of them.

    Returns:
        A row a bin that is not empty, by confidence: confidence (mean of its images), accuracy
        (the share of them that are right), images (their number).
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    confidence = probabilities.max(axis=1)
    edges = np.linspace(0, 1, bins + 1)
    frame = pd.DataFrame(
        {
            # the outer edges are left out, since rounding may take a confidence past 1
            "bin": np.searchsorted(edges[1:-1], confidence, side="left"),
            "confidence": confidence,
            "right": probabilities.argmax(axis=1) == np.asarray(labels),
        }
    )
    means = frame.groupby("bin").agg(
        confidence=("confidence", "mean"), accuracy=("right", "mean"), images=("right", "size")
    )
    return means.reset_index(drop=True)


def expected_calibration_error(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS
) -> float:
    """Mean over images of |accuracy - confidence| of their bin of `reliability`, in [0, 1].

    Guo et al. 2017 (arXiv:1706.04599, equation 3). Arguments as `reliability`.
    """
    return error_of_bins(reliability(labels, probabilities, bins))


def error_of_bins(table: pd.DataFrame) -> float:
    """The expected calibration error of what `reliability` returns; bins may have no images."""
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return float((gaps * table["images"]).sum() / table["images"].sum())


def fit_temperature(labels: np.ndarray, logits: np.ndarray) -> float:
    """The temperature by which logits have to be divided for the least log-loss.

    Temperature scaling, Guo et al. 2017 (arXiv:1706.04599, section 4.2). To be fitted on images
    that it is not measured on.

    Args:
        labels: (n,) integers.
        logits: (n, classes).

    Returns:
        Within `TEMPERATURES`: above 1 where the classifier is too sure, below 1 where it is not
        sure enough. The lower bound where the largest logit is right for every image, since the
        log-loss then falls for as long as the temperature does. It says that there are too few
        mistakes to fit a temperature on. The lower bound too where the logits of every image are
        all the same, so that no temperature matters.

    Raises:
        ValueError: without an image.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if not len(logits):
        raise ValueError("no temperature without images to fit it on")

    def loss(temperature: float) -> float:
        return log_loss(labels, logits / temperature)

    # convex in 1 / temperature, so with one minimum over its logarithm too
    found = minimize_scalar(
        lambda logarithm: loss(np.exp(logarithm)),
        bounds=np.log(TEMPERATURES),
        method="bounded",
        options={"xatol": 1e-6},
    )
    # The search never quite reaches a bound, and stops anywhere where the log-loss is 0 all along.
    return min((*TEMPERATURES, float(np.exp(found.x))), key=loss)
