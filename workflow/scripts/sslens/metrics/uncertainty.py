"""What the inference on AUCs is built of: placements of images, bounds, Holm's correction.

`metrics.mrmc` makes intervals and tests of the placements. Where nothing varies, as where images
are classified without a mistake, a variance of 0 would claim certainty: bounds from the number of
images take its place, see `agreement_bound`.
"""

from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95
#: AUCs that differ by less differ by rounding alone: the smallest step of a mean of macro AUCs is
#: 1 / (2 pairs networks classes), far above it.
ROUNDING = 1e-12


def placements(is_positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """In how many of its pairs is an image on the right side, in halves: 2 a pair, 1 for a tie.

    Whole numbers, though of type float64: sums of them are exact, so that what does not vary has
    a variance of exactly 0.

    Args:
        is_positive: (n,) bool, whether an image is of the class.
        scores: (..., n), one row per model.

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


def agreement_bound(is_positive: np.ndarray) -> float:
    """Least share of all pairs that are scored alike, where every pair of the images seen is.

    `share_bound` of as many pairs, an image of the class and one of the rest, as share no image.
    Pairs that share one would add to the evidence, by an unknown amount: without them the bound is
    on the safe side.
    """
    positives = int(np.sum(is_positive))
    return share_bound(min(positives, len(is_positive) - positives))


def share_bound(trials: int, alpha: float = 1 - CONFIDENCE) -> float:
    """Least share of successes, where all of so many independent trials succeed.

    The one-sided bound of Clopper & Pearson 1934 (Biometrika 26, 404), alpha^(1/trials).
    """
    return alpha ** (1 / trials)


def macro_agreement_bound(counts: Sequence[int] | np.ndarray) -> float:
    """Mean over the classes of the `share_bound` of each, all of them valid at once.

    Each at alpha / classes: by Bonferroni's inequality they hold together with 95 % confidence.

    Args:
        counts: (classes,) images of each class.
    """
    alpha = (1 - CONFIDENCE) / len(counts)
    pairs = [int(min(count, np.sum(counts) - count)) for count in counts]
    return float(np.mean([share_bound(trials, alpha) for trials in pairs]))


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
