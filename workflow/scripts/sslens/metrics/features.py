"""What features look like: are they spread out, do neighbours share a class?

Pure functions; nothing is chosen by what they return.
"""

import numpy as np

from sslens.classes import CLASSES
from sslens.metrics.auc import class_aucs
from sslens.metrics.predictions import softmax

COSINES = 2**24  # of images with their possible neighbours, that are compared at a time


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
    """Macro one-vs-rest AUC of the classification by `neighbour_shares`, whose arguments it has.

    Args:
        labels: (images,) integers, the true classes of the features.

    Returns:
        In [0, 1]; chance is 0.5.
    """
    shares = neighbour_shares(features, reference, reference_labels, neighbours, temperature)
    return float(class_aucs(labels, share_logits(shares)).mean())


def neighbour_shares(
    features: np.ndarray,
    reference: np.ndarray,
    reference_labels: np.ndarray,
    neighbours: int,
    temperature: float,
) -> np.ndarray:
    """How much of the vote of the nearest features of known class each class has.

    The share of the weights exp(cosine / temperature) that a class's images have among the nearest
    by cosine (Wu et al. 2018, arXiv:1805.01978, section 3.4).

    Args:
        features: (images, d), to be classified.
        reference: (others, d).
        reference_labels: (others,) integers.
        neighbours: how many vote; all of them where there are fewer.
        temperature: of the weights.

    Returns:
        (images, classes), float64; every row sums to 1.
    """
    votes = np.eye(len(CLASSES))[reference_labels]
    return neighbour_means(features, reference, votes, neighbours, temperature)


def neighbour_means(
    features: np.ndarray,
    reference: np.ndarray,
    values: np.ndarray,
    neighbours: int,
    temperature: float,
) -> np.ndarray:
    """Means of values of the nearest, with the weights of `neighbour_shares`.

    Args:
        features, reference, neighbours, temperature: as of `neighbour_shares`.
        values: (others, m).

    Returns:
        (images, m), float64.
    """
    unit = normalised(reference)
    # in parts, since every image has a cosine with every other one
    most = max(COSINES // len(unit), 1)
    parts = np.array_split(normalised(features), -(-len(features) // most) or 1)
    means = []
    for part in parts:
        cosines = part @ unit.T
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :neighbours]
        weights = softmax(np.take_along_axis(cosines, nearest, axis=1) / temperature)
        means.append(np.einsum("in,inc->ic", weights, values[nearest]))
    return np.concatenate(means)


def share_logits(shares: np.ndarray) -> np.ndarray:
    """Shares as logits: the least share keeps them finite, and leaves their order as it is."""
    return np.log(shares + 1e-12)


def normalised(features: np.ndarray) -> np.ndarray:
    """Features of unit length, float64; those of length zero stay."""
    features = np.asarray(features, dtype=np.float64)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
