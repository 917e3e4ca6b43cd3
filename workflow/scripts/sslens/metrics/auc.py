"""Area under the ROC curve, one-vs-rest, from logits."""

import numpy as np


def log_odds(logits: np.ndarray) -> np.ndarray:
    """One-vs-rest log-odds log(p_c / (1 - p_c)) of every class, shape (images, classes).

    Computed from the logits as logit_c - logsumexp(the other logits). It ranks images exactly as
    p_c does, but without its saturation: from a log-odds of about 37 on, p_c is 1.0 in float64
    (from about 17 on in float32), and images a confident network still tells apart would count
    as tied in an AUC taken from the probabilities.
    """
    logits = np.asarray(logits, dtype=np.float64)
    rest = [np.delete(logits, c, axis=1) for c in range(logits.shape[1])]
    return logits - np.stack([np.logaddexp.reduce(r, axis=1) for r in rest], axis=1)


def class_aucs(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """AUC of every class against the rest, ranked by `log_odds`; chance, 0.5, for an absent class.

    Args:
        labels: (images,) integers.
        logits: (images, classes).

    Returns:
        (classes,); their mean is the macro AUC, scikit-learn's
        `roc_auc_score(multi_class="ovr", average="macro")` (Provost & Domingos 2000 weight by
        class frequency instead).

    Raises:
        ValueError: where a logit is NaN.
    """
    labels, scores = np.asarray(labels), log_odds(logits)
    if np.isnan(scores).any():
        raise ValueError("an AUC of scores that are NaN")
    are_positive = (labels == c for c in range(scores.shape[1]))
    return np.array([_auc(*pair) for pair in zip(are_positive, scores.T, strict=True)])


def _auc(is_positive: np.ndarray, scores: np.ndarray) -> float:
    """Share of the pairs of an image of the class and another one that are ordered rightly.

    A tie counts half. Counted here, since every training needs it after every epoch, and
    scikit-learn takes longer to import than all of these take together.
    """
    positives, negatives = scores[is_positive], np.sort(scores[~is_positive])
    if not (len(positives) and len(negatives)):
        return 0.5
    # in halves: those below count twice
    halves = np.searchsorted(negatives, positives, "left") + np.searchsorted(
        negatives, positives, "right"
    )
    return float(halves.sum() / (2 * len(positives) * len(negatives)))
