"""What features look like: have they collapsed, are they spread out, do neighbours share a class?

Pure functions; nothing is chosen by what they return.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sslens.classes import CLASSES
from sslens.metrics.auc import class_aucs

#: Below this share of an even spread's standard deviation, embeddings have collapsed. It is 1 where
#: they are spread evenly, and falls to 0 as they collapse (Chen & He 2021, arXiv:2011.10566, figure
#: 2); in the default run it stays above 0.8.
COLLAPSED_STD = 0.1
#: Features below this effective rank have collapsed, whatever a head makes of them: 1 is a single
#: direction (Jing et al. 2022, arXiv:2110.09348). In the default run it stays above 10.
COLLAPSED_RANK = 1.5


def has_collapsed(measures: Mapping[str, float]) -> bool:
    """Whether an epoch's `embedding_std` or `effective_rank` is that of a collapsed network."""
    spread = measures["embedding_std"] / measures["embedding_std_uniform"]
    return spread < COLLAPSED_STD or measures["effective_rank"] < COLLAPSED_RANK


def ended_collapsed(history: pd.DataFrame) -> bool:
    """Whether the last epoch of a pretraining's history, which its encoder is of, has collapsed."""
    return bool(history["collapsed"].iloc[-1])


def effective_rank(features: np.ndarray) -> float:
    """Effective rank of centred features: in how many directions they vary, weighted by how much.

    exp(H(p)), p the singular values divided by their sum and H the entropy in nats (Roy & Vetterli
    2007, "The effective rank", definition 1). The mean is taken off first, since features that
    are never negative share a large one, which would hide what tells images apart.

    Args:
        features: (images, d).

    Returns:
        From 1 to min(images - 1, d); 1 too where all features are alike.
    """
    features = np.asarray(features)
    values = np.linalg.svd(features - features.mean(axis=0, dtype=np.float64), compute_uv=False)
    # what rounding leaves of features that are alike has directions of its own
    rounding = max(features.shape) * np.finfo(features.dtype).eps * np.linalg.norm(features)
    values = values[values > rounding]
    shares = values / values.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def alignment(first: np.ndarray, second: np.ndarray) -> float:
    """Mean squared distance of the normalised features of two views: 0 where they are the same.

    L_align of Wang & Isola 2020 (arXiv:2005.10242, section 4.1.1) with alpha = 2.

    Args:
        first, second: (images, d), row i of both of the same image or lens.

    Returns:
        In [0, 4].
    """
    return float(np.mean(np.sum((normalised(first) - normalised(second)) ** 2, axis=1)))


def uniformity(features: np.ndarray) -> float:
    """Logarithm of the mean Gaussian potential of pairs of normalised features: 0 if all are alike.

    L_uniform of Wang & Isola 2020 (arXiv:2005.10242, section 4.1.2) with t = 2, log E exp(-t
    |x - y|^2), over all pairs of different images. The lower, the more evenly they are spread.

    Args:
        features: (images, d), two images at least.

    Returns:
        In [-8, 0].
    """
    unit = normalised(features)
    pairs = np.triu_indices(len(unit), k=1)
    squared_distances = 2 - 2 * (unit @ unit.T)[pairs]
    return float(np.log(np.mean(np.exp(-2 * squared_distances))))


def neighbour_auc(
    features: np.ndarray,
    labels: np.ndarray,
    reference: np.ndarray,
    reference_labels: np.ndarray,
    neighbours: int = 10,
    temperature: float = 0.07,
) -> float:
    """Macro one-vs-rest AUC of a classification by the nearest features of known class.

    A class's score is the share of the weights exp(cosine / temperature) that its images have
    among the nearest by cosine (Wu et al. 2018, arXiv:1805.01978, section 3.4). The classifier
    `networks.heads.neighbours_of` votes alike, but as a float32 network that can be exported; a
    test holds the two together.

    Args:
        features: (images, d), to be classified.
        labels: (images,) integers, their true classes.
        reference: (others, d).
        reference_labels: (others,) integers.
        neighbours: how many vote; all of them where there are fewer.
        temperature: of the weights, as there.

    Returns:
        In [0, 1]; chance is 0.5.
    """
    cosines = normalised(features) @ normalised(reference).T
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :neighbours]
    weights = np.exp(np.take_along_axis(cosines, nearest, axis=1) / temperature)
    weights /= weights.sum(axis=1, keepdims=True)
    votes = np.eye(len(CLASSES))[reference_labels[nearest]]
    shares = np.einsum("in,inc->ic", weights, votes)
    # `class_aucs` wants logits. The least share keeps them finite, and leaves their order as it is.
    return float(class_aucs(labels, np.log(shares + 1e-12)).mean())


def normalised(features: np.ndarray) -> np.ndarray:
    """Features of unit length, float64; those of length zero stay."""
    features = np.asarray(features, dtype=np.float64)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
