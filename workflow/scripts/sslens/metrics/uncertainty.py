"""How sure is an AUC, and a difference of AUCs, given how few the test images are?

The uncertainty is that of drawing the test images. The models are taken as they are: how much
other seeds would change them is not in it. All models of a cell, and all rows of a data set, see
the same images, so their AUCs are correlated, and every function here keeps that in.

Where nothing varies, as where images are classified without a mistake, variance and bootstrap
are 0 and would claim certainty. Bounds from the number of images take their place, see
`agreement_bound`.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from sslens.seeds import derive_seed

CONFIDENCE = 0.95
#: Bootstrap samples: enough for the ends of a 95 % interval, each with 50 samples beyond it.
DRAWS = 2000
#: Bootstrap samples weighed at once. They bound the memory, and change no number.
CHUNK = 64
#: Samples that differ by less differ by rounding alone: the smallest step of a mean of macro AUCs
#: is 1 / (2 pairs models classes), far above it.
ROUNDING = 1e-12


# --- one class: DeLong ----------------------------------------------------------------------------


def delong(of_class: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUCs of models that scored the same images, and the covariance matrix of these AUCs.

    DeLong, DeLong & Clarke-Pearson 1988 (Biometrics 44, 837), from sorted scores as Sun & Xu 2014
    (IEEE Signal Processing Letters 21, 1389). A tie counts half.

    Args:
        of_class: (n,) bool, whether an image is of the class.
        scores: (k, n), a row a model.

    Returns:
        AUCs (k,) and covariance matrix (k, k).

    Raises ValueError where the class or the rest has fewer than two images, or a score is NaN.
    """
    inside, outside = half_wins(of_class, scores)
    (_, images), (_, others) = inside.shape, outside.shape
    aucs = inside.sum(axis=1) / (2 * images * others)
    # the structural components V10 and V01 of the paper
    covariance = np.cov(inside / (2 * others)) / images + np.cov(outside / (2 * images)) / others
    return aucs, np.atleast_2d(covariance)


def half_wins(of_class: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The `placements` of the images of the class, and those of the rest.

    Args:
        of_class, scores: as `delong`; raises ValueError as it does.

    Returns:
        (k, images of the class) and (k, images of the rest).
    """
    placed, of_class = placements(of_class, scores), np.asarray(of_class, dtype=bool)
    return placed[..., of_class], placed[..., ~of_class]


def placements(is_positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """In how many of its pairs is an image on the right side, in halves: 2 a pair, 1 for a tie.

    Whole numbers, though of type float64: sums of them are exact, so that what does not vary has
    a variance of exactly 0.

    Args:
        is_positive: (n,) bool, whether an image is of the class.
        scores: (..., n), a row a model.

    Returns:
        (..., n).

    Raises ValueError where the class or the rest has fewer than two images, or a score is NaN.
    """
    is_positive, scores = np.asarray(is_positive, dtype=bool), np.asarray(scores, dtype=np.float64)
    images, positives = len(is_positive), int(is_positive.sum())
    if min(positives, images - positives) < 2:
        raise ValueError(
            "the variance of an AUC needs two images of the class and two of the rest; "
            f"got {positives} and {images - positives}"
        )
    if np.isnan(scores).any():
        raise ValueError("a score is NaN")
    order = np.argsort(scores, axis=-1)
    positive = is_positive[order]
    not_above = np.cumsum(positive, axis=-1)  # positives among the scores up to each
    below = not_above - positive
    first = last = np.arange(images)
    ranked = np.take_along_axis(scores, order, axis=-1)
    new = ranked[..., 1:] != ranked[..., :-1]
    if not new.all():  # of images with the same score, the places of the first and the last one
        end = np.ones((*scores.shape[:-1], 1), dtype=bool)
        first = np.where(np.concatenate([end, new], axis=-1), first, 0)
        first = np.maximum.accumulate(first, axis=-1)
        last = np.where(np.concatenate([new, end], axis=-1), last, images)
        last = np.minimum.accumulate(last[..., ::-1], axis=-1)[..., ::-1]
        below = np.take_along_axis(below, first, axis=-1)
        not_above = np.take_along_axis(not_above, last, axis=-1)
    positives_below = below + not_above  # in halves
    all_below = first + last + 1
    wins = np.where(positive, all_below - positives_below, 2 * positives - positives_below)
    placed = np.empty(scores.shape)
    np.put_along_axis(placed, order, wins.astype(np.float64), axis=-1)
    return placed


def class_interval(of_class: np.ndarray, scores: np.ndarray) -> tuple[float, float, float]:
    """Mean AUC of a class over k models, and the 95 % interval for it: mean, low, high.

    The interval is symmetric on the scale of logit(AUC), which has no end at 1 that it could pass.
    Its variance is that of the mean of correlated AUCs, 1' S 1 / k^2 with the S of `delong`.

    Where a few images make all the mistakes it is too short: of simulated AUCs of 0.9998, with 500
    images of the class and 1000 of the rest, 91 % of intervals held the truth.

    Without variance, the interval is that of `agreement_bound` b: at least the share b of pairs
    is scored as the images seen were, and the others somewhere in [0, 1]. At a mean of exactly 1
    that is [b, 1]. The mean can be in between too, with models that give every image one score.

    Args:
        of_class, scores: as `delong`; raises ValueError as it does.
    """
    scores = np.asarray(scores)
    mean, variance = contrast(of_class, scores, np.ones(len(scores)), len(scores))
    if variance == 0:
        bound = agreement_bound(of_class)
        return mean, mean * bound, mean * bound + 1 - bound
    # by the delta method, the derivative of the logit is 1 / (mean (1 - mean))
    half_width = norm.isf((1 - CONFIDENCE) / 2) * np.sqrt(variance) / (mean * (1 - mean))
    low, high = expit(logit(mean) + np.array([-half_width, half_width]))
    return mean, float(low), float(high)


def class_difference(
    of_class: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[float, float, float, float]:
    """Difference of the mean AUCs of two rows, first less second: difference, low, high, p.

    The 95 % interval and the two-sided p value of the hypothesis of no difference are normal
    (DeLong, DeLong & Clarke-Pearson 1988): the variance is L S L' with S the covariance of all
    k1 + k2 AUCs and the contrast L = (1/k1, ..., -1/k2, ...).

    Without variance, every pair of images seen tells the rows apart by the same d. By
    `agreement_bound` b, at least the share b of all pairs does, the others by something in
    [-1, 1]: the interval is d b ± (1 - b). Were there no difference, at most the share
    1 / (1 + |d|) of pairs could tell by d, and N independent pairs that all do would have the
    probability p = (1 + |d|)^-N at most. It is 1 at d = 0, and below 5 % just where the interval
    leaves 0 out.

    Args:
        of_class: (n,) bool.
        first: (k1, n), a row a model.
        second: (k2, n).

    Raises ValueError as `delong` does.
    """
    first, second = np.asarray(first), np.asarray(second)
    weights = np.repeat([len(second), -len(first)], [len(first), len(second)])
    difference, variance = contrast(
        of_class, np.concatenate([first, second]), weights, len(first) * len(second)
    )
    if variance == 0:
        bound = agreement_bound(of_class)
        low, high = difference * bound + np.array([bound - 1, 1 - bound])
        pairs = min(np.sum(of_class), np.sum(~np.asarray(of_class)))
        p_value = float((1 + abs(difference)) ** -float(pairs))
        return difference, float(low), float(high), p_value
    error = np.sqrt(variance)
    half_width = norm.isf((1 - CONFIDENCE) / 2) * error
    low, high = np.clip([difference - half_width, difference + half_width], -1, 1)
    return difference, float(low), float(high), float(2 * norm.sf(abs(difference) / error))


def contrast(
    of_class: np.ndarray, scores: np.ndarray, weights: np.ndarray, divisor: int
) -> tuple[float, float]:
    """A weighted sum of AUCs and its variance, w' A and w' S w with A and S of `delong`.

    Summed image by image before the variance is taken, which is the same, but exactly 0 where the
    sum does not vary; from S, rounding would remain.

    Args:
        of_class, scores: as `delong`; raises ValueError as it does.
        weights: (k,) integers, so that sums stay exact.
        divisor: w is `weights` / `divisor`.
    """
    inside, outside = (np.asarray(weights) @ wins for wins in half_wins(of_class, scores))
    pairs = len(inside) * len(outside)
    estimate = inside.sum() / (2 * pairs * divisor)
    # V10 is `inside` / (2 len(outside)), V01 is `outside` / (2 len(inside))
    squares = np.var(inside, ddof=1) * len(inside) + np.var(outside, ddof=1) * len(outside)
    return float(estimate), float(squares / (2 * pairs * divisor) ** 2)


def agreement_bound(of_class: np.ndarray) -> float:
    """Least share of all pairs that are scored alike, where every pair of the images seen is.

    `share_bound` of as many pairs, an image of the class and one of the rest, as share no image.
    Pairs that share one would add to the evidence, by an unknown amount: without them the bound is
    on the safe side.
    """
    images = int(np.sum(of_class))
    return share_bound(min(images, len(of_class) - images))


def share_bound(trials: int, alpha: float = 1 - CONFIDENCE) -> float:
    """Least share of successes, where all of so many independent trials succeed.

    The one-sided bound of Clopper & Pearson 1934 (Biometrika 26, 404), alpha^(1/trials).
    """
    return alpha ** (1 / trials)


# --- macro AUC: bootstrap -------------------------------------------------------------------------


def macro_draws(
    labels: np.ndarray, scores: np.ndarray, seed: int, draws: int = DRAWS
) -> np.ndarray:
    """Macro AUCs of models in bootstrap samples of the images, the same samples for all models.

    Samples are stratified (every class is drawn with replacement to its own size), as are those
    of the R package pROC (Robin et al. 2011, BMC Bioinformatics 12:77). The macro AUC is the mean
    of the one-vs-rest AUCs, in which a tie counts half.

    An image drawn w times weighs w. Scores are sorted once, and the AUC of a sample is a sum over
    the cumulative weights in that order.

    Args:
        labels: (n,) integers.
        scores: (models, n, classes), one-vs-rest, as of `auc.log_odds`.
        seed: of the run.
        draws: how many samples; fewer of them are the first of more.

    Returns:
        (draws, models).

    Raises ValueError where a class, or the rest of it, has fewer than two images, or a score is
    NaN.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    models, _, classes = scores.shape
    sizes = np.bincount(labels, minlength=classes)
    if len(sizes) > classes or min(sizes.min(), len(labels) - sizes.max()) < 2:
        raise ValueError(
            f"bootstrap samples of {classes} classes need two images of each; "
            f"got {', '.join(map(str, sizes))}"
        )
    if np.isnan(scores).any():
        raise ValueError("a score is NaN")
    columns = [
        (m, sorted_by_score(labels == c, scores[m, :, c]))
        for m in range(models)
        for c in range(classes)
    ]
    rng = np.random.default_rng(derive_seed(seed, "bootstrap"))
    sums = np.zeros((draws, models))
    for start in range(0, draws, CHUNK):
        stop = min(start + CHUNK, draws)
        # an image a row: what is picked by image is then contiguous
        weights = np.ascontiguousarray(
            resampled_counts(labels, rng, stop - start).T, dtype=np.float64
        )
        for m, order in columns:
            sums[start:stop, m] += weighted_aucs(weights, *order)
    return sums / classes


def resampled_counts(labels: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """How often each image is in each of the next stratified samples, shape (draws, n)."""
    sizes = np.bincount(labels)
    members = np.argsort(labels, kind="stable")  # the images of class 0, of class 1, ...
    first_member = np.cumsum(sizes) - sizes
    picked = rng.integers(sizes[labels], size=(draws, len(labels)))
    images = members[first_member[labels] + picked]
    cells = (images + len(labels) * np.arange(draws)[:, None]).ravel()
    return np.bincount(cells, minlength=draws * len(labels)).reshape(draws, -1)


def sorted_by_score(of_class: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, ...]:
    """What `weighted_aucs` needs of one model and class, whatever the weights.

    Returns:
        The images of the class; the images of the rest, by rising score; for each image of the
        class, how many of the rest are below it, and how many are not above.
    """
    inside, outside = np.flatnonzero(of_class), np.flatnonzero(~of_class)
    outside = outside[np.argsort(scores[outside], kind="stable")]
    below = np.searchsorted(scores[outside], scores[inside], side="left")
    not_above = np.searchsorted(scores[outside], scores[inside], side="right")
    return inside, outside, below, not_above


def weighted_aucs(
    weights: np.ndarray,
    inside: np.ndarray,
    outside: np.ndarray,
    below: np.ndarray,
    not_above: np.ndarray,
) -> np.ndarray:
    """AUCs of one model and class with images that weigh, as many as there are columns of weights.

    Exact up to the division, since the weights are whole numbers.

    Args:
        weights: (n, draws), of every image in every sample.
        inside, outside, below, not_above: of `sorted_by_score`.

    Returns:
        (draws,).
    """
    cumulative = np.zeros((len(outside) + 1, weights.shape[1]))
    np.cumsum(weights[outside], axis=0, out=cumulative[1:])
    of_class = weights[inside]
    half_wins = np.einsum("id,id->d", of_class, cumulative[below] + cumulative[not_above])
    return half_wins / (2 * of_class.sum(axis=0) * cumulative[-1])


def macro_interval(
    macro: float, draws: np.ndarray, counts: Sequence[int] | np.ndarray
) -> tuple[float, float]:
    """95 % interval of a macro AUC, or of a mean of several: low, high.

    The percentile interval of the bootstrap (Efron & Tibshirani 1993, "An Introduction to the
    Bootstrap", chapter 13). Where no sample differs, as at a macro AUC of exactly 1, it is macro
    ± (1 - b) within [0, 1], with the b of `macro_agreement_bound`.

    Args:
        macro: of all images.
        draws: (draws,), of bootstrap samples: a column of `macro_draws`, or a mean of columns.
        counts: (classes,) images of each class.
    """
    if macro == 1 or np.ptp(draws) < ROUNDING:
        slack = 1 - macro_agreement_bound(counts)
        return max(0.0, macro - slack), min(1.0, macro + slack)
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def macro_difference(
    difference: float,
    first: np.ndarray,
    second: np.ndarray,
    counts: Sequence[int] | np.ndarray | None = None,
) -> tuple[float, float, float]:
    """95 % interval and p value of a difference of macro AUCs, first less second: low, high, p.

    The percentile interval of the differences in the samples, and the two-sided p value of
    difference / (standard deviation of these) in the normal distribution, as pROC's `roc.test`
    does (Robin et al. 2011, BMC Bioinformatics 12:77).

    Where the difference is the same in every sample, as between rows that make no mistake, the
    samples cannot tell. From `counts`, the interval is then difference ± 2 (1 - b), cut at ±1,
    with the b of `macro_agreement_bound` (a pair can tell two rows apart by 1 either way), and p
    is C (1 - |difference| / 2)^N, 1 at most, with C classes and N the fewest independent pairs
    of a class: below 5 % only where the interval leaves 0 out. Without `counts`, the interval is
    NaN, and so is p unless the difference is 0, where it is 1.

    Args:
        difference: of all images.
        first, second: (draws,), of the same bootstrap samples, as of `macro_interval`.
        counts: (classes,) images of each class.
    """
    differences = np.asarray(first) - np.asarray(second)
    if np.ptp(differences) < ROUNDING:
        if counts is None:
            return np.nan, np.nan, 1.0 if difference == 0 else np.nan
        slack = 2 * (1 - macro_agreement_bound(counts))
        p_value = len(counts) * (1 - abs(difference) / 2) ** float(min(independent_pairs(counts)))
        return max(-1.0, difference - slack), min(1.0, difference + slack), min(1.0, p_value)
    low, high = np.quantile(differences, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    statistic = abs(difference) / np.std(differences, ddof=1)
    return float(low), float(high), float(2 * norm.sf(statistic))


def macro_agreement_bound(counts: Sequence[int] | np.ndarray) -> float:
    """Mean over the classes of the `share_bound` of each, all of them valid at once.

    Each at alpha / classes: by Bonferroni's inequality they hold together with 95 % confidence.
    """
    alpha = (1 - CONFIDENCE) / len(counts)
    return float(np.mean([share_bound(pairs, alpha) for pairs in independent_pairs(counts)]))


def independent_pairs(counts: Sequence[int] | np.ndarray) -> list[int]:
    """For each class, how many pairs of one of its images and one of the rest share no image."""
    return [int(min(count, np.sum(counts) - count)) for count in counts]


# --- several tests, and shares --------------------------------------------------------------------


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjusted p values of Holm 1979 (Scandinavian Journal of Statistics 6, 65), in their order.

    A hypothesis is rejected at the familywise level alpha where its adjusted p value is alpha at
    most. NaN, a test that was not made, stays NaN and does not count as a test.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p_values)  # NaN last
    tested = order[: np.count_nonzero(~np.isnan(p_values))]
    steps = p_values[tested] * np.arange(len(tested), 0, -1)
    adjusted = np.full(len(p_values), np.nan)
    adjusted[tested] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted
