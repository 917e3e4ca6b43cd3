"""Area under the ROC curve, one-vs-rest, from logits."""

import numpy as np
from sklearn.metrics import roc_auc_score


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
    """
    aucs = []
    for c, scores in enumerate(log_odds(logits).T):
        of_class = np.asarray(labels) == c
        mixed = 0 < of_class.sum() < len(of_class)
        aucs.append(roc_auc_score(of_class, scores) if mixed else 0.5)
    return np.array(aucs)
