"""Images whose values cannot be right beside those of the other images of their split.

Pipelines mark missing pixels by numbers (-9.223372e18, 1e30, -32768, 65535), detectors have hot
pixels, and some files are in other units. One such image changes the scale by which all images are
preprocessed.

The facts of an image are a few numbers that follow from that image alone, so that they can be
collected shard by shard. Which images are implausible follows from the table of a whole split. What
is usual in a split is a median, which no minority of such images can move.
"""

import numpy as np
import pandas as pd

#: Columns of a table of facts, in the units of the images.
FACTS = (
    "minimum",
    "maximum",
    "mean",
    "median",
    "above_minimum",  # the lowest value above the middle between minimum and median
    "below_maximum",  # the highest value below the middle between median and maximum
)
#: How far an extreme may be from the median of its image, in usual contrasts of the split. Bright
#: and saturated stars are nearer.
MAX_CONTRASTS = 10_000
#: The same for an extreme that stands alone. A single pixel that is nearer than this hardly changes
#: the preprocessing. Below the median there are no cosmic rays that have to be allowed for.
MAX_CONTRASTS_ALONE = {"maximum": 50, "minimum": 10}
#: How far the mean of an image may be from the usual one, in usual distances.
MAX_MEAN = 50
#: An extreme stands alone where the values that are not beyond half of its distance from the median
#: do not even reach this part of it. A single pixel, a row and a block of a fill value do. A star
#: does not, even where it is saturated: the point spread function has all values in between.
GAP = 0.03
#: Extreme -> the fact that is next to it, and the direction in which it is away from the median.
_EXTREMES = {"maximum": ("below_maximum", 1), "minimum": ("above_minimum", -1)}


def image_facts(image: np.ndarray) -> dict[str, float]:
    """The facts of an image by which it is judged.

    Args:
        image: (height, width), finite and not constant.

    Returns:
        `FACTS` in float64, in which differences and means of any float32 are finite.
    """
    middle = image.size // 2
    # of an even number of pixels the upper one in the middle: `np.median` takes twice as long
    median = float(np.partition(image, middle, axis=None)[middle])
    low, high = float(image.min()), float(image.max())
    return {
        "minimum": low,
        "maximum": high,
        "mean": float(image.mean(dtype=np.float64)),
        "median": median,
        "above_minimum": float(image.min(where=image > (low + median) / 2, initial=high)),
        "below_maximum": float(image.max(where=image < (high + median) / 2, initial=low)),
    }


def implausible(facts: pd.DataFrame) -> pd.Series:
    """Which images of a split are implausible, and why.

    The contrast of an image is the distance of its extremes from its median, where the values next
    to them support it. An image is implausible if one of its extremes is more than
    `MAX_CONTRASTS` times the usual contrast from its median, or more than `MAX_CONTRASTS_ALONE`
    times if it stands alone; or if its mean is further from the usual mean than `MAX_MEAN` times
    the sum of the usual contrast, the usual mean and the usual deviation from that.

    Args:
        facts: of all images of the split, one row per image with the columns `FACTS`, in any order.

    Returns:
        The reason of each implausible image, with the index of its row.
    """
    if facts.empty:
        return pd.Series(dtype=object)
    reasons = pd.Series(index=facts.index, dtype=object)
    mean, usual = usual_values(facts)
    away = (facts["mean"] - mean).abs()
    spread = usual + abs(mean) + _usual(away)
    for row in facts.index[away > MAX_MEAN * spread]:
        reasons[row] = f"its mean is {facts.at[row, 'mean']:.4g}, and {mean:.4g} is usual"
    for extreme, (_, sign) in _EXTREMES.items():
        away, next_to_it = _distances(facts, extreme)
        alone = next_to_it < GAP * away
        limit = usual * np.where(alone, MAX_CONTRASTS_ALONE[extreme], MAX_CONTRASTS)
        for row in facts.index[away > limit]:
            reasons[row] = (
                f"its {extreme} {facts.at[row, extreme]:.7g} is {away[row] / usual:.2g} times the "
                f"usual contrast of this split's images ({usual:.3g}) "
                f"{'above' if sign > 0 else 'below'} its median {facts.at[row, 'median']:.4g}: "
                "a bad pixel or a fill value?"
            )
    return reasons.dropna()


def usual_values(facts: pd.DataFrame) -> tuple[float, float]:
    """The usual mean and the usual contrast of the images of a split, as of `implausible`."""
    return _usual(facts["mean"]), _usual(_contrasts(facts))


def _distances(facts: pd.DataFrame, extreme: str) -> tuple[pd.Series, pd.Series]:
    """Distances from the median of an extreme, and of the value that is next to it."""
    other, sign = _EXTREMES[extreme]
    away, next_to_it = (sign * (facts[name] - facts["median"]) for name in (extreme, other))
    return away, next_to_it.clip(lower=0)


def _contrasts(facts: pd.DataFrame) -> pd.Series:
    """The contrast of each image, positive; of an image of two values, their distance."""
    sides = [_distances(facts, extreme) for extreme in _EXTREMES]
    away = np.maximum(*(away for away, _ in sides))
    # of a continuous image the value that is next to an extreme is about half as far
    supported = np.maximum(*(np.minimum(away, 2 * next_to_it) for away, next_to_it in sides))
    return supported.where(supported > 0, away)


def _usual(values: pd.Series) -> float:
    """The median; of an even number of values the lower of the two in the middle."""
    return float(np.sort(values)[(len(values) - 1) // 2])
