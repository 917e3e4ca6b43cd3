"""Which METHOD is better: inference over seeds and test images together.

The networks of a row of the table differ by their seeds, and all rows are scored on the same test
images. Medical imaging calls this multi-reader multi-case analysis (MRMC): a seed is a reader, a
test image a case, and a row a modality. Estimated is the mean AUC of a row over new seeds and new
test images; its training images and settings are given. The model is that of Obuchowski & Rockette
1995 (Communications in Statistics: Simulation and Computation 24, 285), in the form of Hillis 2007
(Statistics in Medicine 26, 596): the AUC of a network is the mean of its row, plus an effect of the
seed, plus an error due to the test images whose covariance is estimated from these.

Seeds are crossed with test images: every network scores all of them. Two rows with the same seeds
are compared seed by seed, which is valid whatever the correlation of their networks; rows with
other seeds are nested, see `nested_difference`.

All functions take leading dimensions, of repeated experiments or of several rows. What is not
defined, as with one seed, is NaN.

Example:

    *_, first = samples(labels, scores, seeds=[1, 2, 3])  # the last one is of the macro AUC
    *_, second = samples(labels, other_scores, seeds=[1, 2, 3])
    found = difference(first, second)
    low, high = difference_interval(found)
    p_value(found), simultaneous_p_value(found)  # for one test, and for Holm's correction
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, expit, log_ndtr, logit, ndtr, ndtri, stdtr, stdtrit

from sslens.metrics.uncertainty import CONFIDENCE, ROUNDING, placements

ALPHA = 1 - CONFIDENCE
#: With fewer seeds of a row the level of a test is not kept, and no difference is marked.
MIN_SEEDS = 3
#: p values are between this and 1.
LOG_SMALLEST_P = -700.0
#: Halvings of an interval of log p, until what is left of it is rounding.
BISECTIONS = 60
#: Quantiles of MS that a power is averaged over.
QUANTILES = 1000
#: The most seeds that are planned.
MAX_SEEDS = 1000


# --- networks and what each image contributes -----------------------------------------------------


class Sample(NamedTuple):
    """A measure of a row's networks, or its differences from another row's, and their covariance.

    Args:
        seeds: names of the seeds.
        values: (..., seeds), AUCs, or scores of a regression.
        influence: (..., seeds, images), what each test image contributes to a value, centred within
            the strata of the images and scaled, so that the covariance matrix of the values over
            test images is `influence @ influence.T`. A contrast of values has the same contrast of
            influence values.
    """

    seeds: tuple
    values: np.ndarray
    influence: np.ndarray


def class_sample(
    is_positive: np.ndarray, scores: np.ndarray, seeds: Sequence | None = None
) -> Sample:
    """AUCs of a class, with the covariance of DeLong, DeLong & Clarke-Pearson 1988.

    Args:
        is_positive: (n,) bool, whether an image is of the class.
        scores: (..., seeds, n), one-vs-rest, as of `auc.log_odds`.
        seeds: their names, 0, 1, ... by default.

    Raises ValueError as `uncertainty.placements` does.
    """
    is_positive = np.asarray(is_positive, dtype=bool)
    placed = placements(is_positive, scores)
    aucs = _aucs(is_positive, placed)
    return Sample(_names(seeds, aucs), aucs, _influence(is_positive, placed, is_positive))


def samples(labels: np.ndarray, scores: np.ndarray, seeds: Sequence | None = None) -> list[Sample]:
    """The `class_sample` of each class, and one of the macro AUC, the mean over the classes.

    The strata of the macro AUC are the classes, since test images are drawn to fixed numbers of
    each.

    Args:
        labels: (n,) integers.
        scores: (..., seeds, n, classes), one-vs-rest, as of `auc.log_odds`.
        seeds: their names, 0, 1, ... by default.

    Raises ValueError where a class has fewer than two images, or as `uncertainty.placements` does.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    classes = scores.shape[-1]
    sizes = np.bincount(labels, minlength=classes)
    if len(sizes) > classes or sizes.min() < 2:
        raise ValueError(
            f"the variance of a macro AUC of {classes} classes needs two images of each; "
            f"got {', '.join(map(str, sizes))}"
        )
    found, macro = [], np.zeros(scores.shape[:-1])
    for c in range(classes):
        is_positive = labels == c
        placed = placements(is_positive, scores[..., c])
        aucs = _aucs(is_positive, placed)
        own = _influence(is_positive, placed, is_positive)
        found.append(Sample(_names(seeds, aucs), aucs, own))
        macro += _influence(is_positive, placed, labels)
    mean = np.mean([sample.values for sample in found], axis=0)
    return [*found, Sample(found[0].seeds, mean, macro / classes)]


def smooth_sample(
    values: np.ndarray, contributions: np.ndarray, seeds: Sequence | None = None
) -> Sample:
    """Smooth functions of means over the test images, such as a root mean squared error.

    Args:
        values: (..., seeds).
        contributions: (..., seeds, n) of each image, with a mean of 0, see
            `regression.contributions`; n is at least 2.
        seeds: their names, 0, 1, ... by default.
    """
    images = contributions.shape[-1]
    if images < 2:
        raise ValueError(f"the variance of a score needs two images; got {images}")
    return Sample(_names(seeds, values), values, contributions / np.sqrt(images * (images - 1)))


def _aucs(is_positive: np.ndarray, placed: np.ndarray) -> np.ndarray:
    return placed[..., is_positive].sum(axis=-1) / _halves(is_positive)


def _influence(is_positive: np.ndarray, placed: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Influence values (..., n) of `Sample`, from placements in halves.

    The share of its pairs in which an image is on the right side, less the AUC, is divided by the
    number of images on its side. The AUC falls out as strata are centred, which is done in whole
    halves: what does not vary contributes exactly 0.
    """
    influence = np.empty(placed.shape)
    for stratum in np.unique(strata):
        members = strata == stratum
        part = placed[..., members]
        size = part.shape[-1]
        scale = np.sqrt(size / (size - 1)) / _halves(is_positive)
        influence[..., members] = (part - part.mean(axis=-1, keepdims=True)) * scale
    return influence


def _halves(is_positive: np.ndarray) -> int:
    """The pairs of an image of the class and one of the rest, in halves."""
    return 2 * int(np.sum(is_positive)) * int(np.sum(~is_positive))


def _names(seeds: Sequence | None, values: np.ndarray) -> tuple:
    names = tuple(range(values.shape[-1]) if seeds is None else seeds)
    if len(set(names)) != values.shape[-1]:
        raise ValueError(f"{values.shape[-1]} networks need as many different seeds; got {names}")
    return names


def with_common_seeds(*samples: Sample) -> list[Sample]:
    """The samples with the seeds that all of them have, in the order of the first one."""
    common = [seed for seed in samples[0].seeds if all(seed in s.seeds for s in samples)]
    chosen = []
    for seeds, values, influence in samples:
        places = [seeds.index(seed) for seed in common]
        chosen.append(Sample(tuple(common), values[..., places], influence[..., places, :]))
    return chosen


# --- estimates ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """The mean measure of a row, or a difference of two, and what seeds and test images add to it.

    Args:
        mean: (...), the estimate.
        seeds: the number of seeds of each group: one group for a row or a paired difference, two
            for a nested difference, and none where the networks are taken as they are.
        mean_squares: (groups, ...), MS, the variance of the values between seeds.
        interaction: (groups, ...), w, the part of MS that is due to test images.
        image: (...), c, the variance over test images that all seeds share; it can be negative, as
            estimated.
        networks: (...), the variance over test images of the mean of these networks.
    """

    mean: np.ndarray
    seeds: tuple[int, ...]
    mean_squares: np.ndarray
    interaction: np.ndarray
    image: np.ndarray
    networks: np.ndarray

    @property
    def seed_variances(self) -> np.ndarray:
        """(groups, ...), MS / J, the part of the variance that more seeds reduce."""
        return np.asarray([ms / j for ms, j in zip(self.mean_squares, self.seeds, strict=True)])

    @property
    def image_variance(self) -> np.ndarray:
        """(...), the part of the variance that only more test images reduce: c, at least 0."""
        return np.maximum(self.image, 0)

    @property
    def variance(self) -> np.ndarray:
        """(...), of the mean over seeds and test images; 0 where nothing varies."""
        return self.seed_variances.sum(axis=0) + self.image_variance

    @property
    def standard_error(self) -> np.ndarray:
        """(...), the square root of the variance."""
        return np.sqrt(self.variance)

    @property
    def hillis_degrees_of_freedom(self) -> np.ndarray:
        """(...), V^2 / sum[(MS/J)^2 / (J - 1)] of Hillis 2007, to compare with other packages."""
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = [v**2 / (j - 1) for v, j in zip(self.seed_variances, self.seeds, strict=True)]
            return self.variance**2 / np.sum(parts, axis=0)

    @property
    def degrees_of_freedom(self) -> np.ndarray:
        """(...), V sum[MS/J] / sum[(MS/J)^2 / (J - 1)]; infinite without a variance between seeds.

        Of one group, (J - 1) V / (MS/J), where Hillis squares the ratio. Where MS is small by
        chance, V is too small and the square too large at once: with three seeds, Hillis's number
        rejects up to 8 % of true hypotheses at a level of 5 %.
        """
        hillis, between = self.hillis_degrees_of_freedom, self.seed_variances.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(between > 0, hillis * between / self.variance, hillis)


def estimate(sample: Sample) -> Estimate:
    """Mean and variance components of one sample of networks, crossed with the test images.

    MS, v, c and w of Obuchowski & Rockette 1995. For a paired difference they are 2 MS(TR) and
    2 (Cov2 - Cov3) of two rows, so that the variance is theirs.

    Args:
        sample: a row, or a `paired_difference`; with one seed only `mean` and `networks` are
            defined.
    """
    values, influence = sample.values, sample.influence
    seeds = values.shape[-1]
    covariance = influence @ np.swapaxes(influence, -1, -2)
    v = np.trace(covariance, axis1=-1, axis2=-2) / seeds
    if seeds < 2:
        mean_square = c = np.full(values.shape[:-1], np.nan)
    else:
        # what differs by rounding alone does not differ, else rounding would decide the test
        equal = np.ptp(values, axis=-1) < ROUNDING
        mean_square = np.where(equal, 0, np.var(values, axis=-1, ddof=1))
        c = _rounded(covariance[..., ~np.eye(seeds, dtype=bool)].mean(axis=-1), v)
    return Estimate(
        mean=values.mean(axis=-1),
        seeds=(seeds,),
        mean_squares=mean_square[None],
        interaction=np.maximum(v - c, 0)[None],
        image=c,
        networks=_rounded(covariance.mean(axis=(-1, -2)), v),
    )


def _rounded(difference: np.ndarray, of: np.ndarray) -> np.ndarray:
    """A difference of variances, 0 where it is but the rounding of them."""
    return np.where(np.abs(difference) < ROUNDING * of, 0, difference)


def paired_difference(first: Sample, second: Sample) -> Sample:
    """First less second, seed by seed, of the seeds that both have."""
    first, second = with_common_seeds(first, second)
    return Sample(first.seeds, first.values - second.values, first.influence - second.influence)


def nested_difference(first: Sample, second: Sample) -> Estimate:
    """Difference of rows whose seeds have nothing in common: each row has seeds of its own.

    Readers nested within modality, as Hillis 2014 (Statistics in Medicine 33, 330): variances
    between seeds add up, and the images' is c1 + c2 - 2 Cov3, with Cov3 the mean covariance of a
    network of one row and one of the other. On seeds that are shared it is valid, but too wide.
    """
    one, other = estimate(first), estimate(second)
    means = first.influence.mean(axis=-2), second.influence.mean(axis=-2)
    shared, both = np.sum(means[0] * means[1], axis=-1), one.networks + other.networks
    return Estimate(
        mean=one.mean - other.mean,
        seeds=one.seeds + other.seeds,
        mean_squares=np.concatenate([one.mean_squares, other.mean_squares]),
        interaction=np.concatenate([one.interaction, other.interaction]),
        image=_rounded(one.image + other.image - 2 * shared, both),
        networks=_rounded(np.sum((means[0] - means[1]) ** 2, axis=-1), both),
    )


def difference(first: Sample, second: Sample) -> Estimate:
    """Difference of two rows, first less second: paired by seed where it can be, else nested.

    Of rows with some seeds in common, only these are compared, so that the difference may not be
    that of the rows' means. With fewer than two, unless they are all that the rows have, there is
    nothing to pair.
    """
    paired = paired_difference(first, second)
    if len(paired.seeds) >= 2 or set(first.seeds) == set(second.seeds):
        return estimate(paired)
    return nested_difference(first, second)


def of_networks(estimate: Estimate) -> Estimate:
    """The same estimate for these networks alone: only test images are random, seeds are not."""
    none = np.empty((0, *np.shape(estimate.mean)))
    return Estimate(estimate.mean, (), none, none, estimate.networks, estimate.networks)


# --- intervals and tests --------------------------------------------------------------------------


def row_interval(estimate: Estimate) -> np.ndarray:
    """95 % interval of a mean AUC, symmetric on the scale of logit(AUC): (2, ...), low and high.

    NaN where nothing varies, as with an AUC of exactly 1 in all seeds. How well these networks do
    on other images is then bounded by `uncertainty.agreement_bound`.
    """
    mean = estimate.mean
    with np.errstate(divide="ignore", invalid="ignore"):
        # by the delta method, the derivative of the logit is 1 / (mean (1 - mean))
        half_width = _half_width(estimate) / (mean * (1 - mean))
        return expit(logit(mean) + np.multiply.outer([-1, 1], half_width))


def difference_interval(estimate: Estimate) -> np.ndarray:
    """95 % interval of a difference of AUCs: (2, ...), low and high; NaN where nothing varies."""
    return np.clip(mean_interval(estimate), -1, 1)


def mean_interval(estimate: Estimate) -> np.ndarray:
    """95 % interval of a mean without bounds: (2, ...), low and high; NaN where nothing varies."""
    return estimate.mean + np.multiply.outer([-1, 1], _half_width(estimate))


def positive_interval(estimate: Estimate) -> np.ndarray:
    """95 % interval of a positive mean, symmetric on the scale of its logarithm: (2, ...)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # by the delta method, the derivative of the logarithm is 1 / mean
        factor = np.exp(_half_width(estimate) / estimate.mean)
    return np.stack([estimate.mean / factor, estimate.mean * factor])


def share_interval(estimate: Estimate) -> np.ndarray:
    """95 % interval of what is at most 1, such as R²: (2, ...).

    It is symmetric on the scale of the logarithm of what is missing from 1.
    """
    return 1 - positive_interval(replace(estimate, mean=1 - estimate.mean))[::-1]


def p_value(estimate: Estimate) -> np.ndarray:
    """Two-sided p value of no difference, for a single test: (...), NaN where nothing varies."""
    return 2 * stdtr(estimate.degrees_of_freedom, -_statistic(estimate))


def _half_width(estimate: Estimate) -> np.ndarray:
    quantile = stdtrit(estimate.degrees_of_freedom, 1 - ALPHA / 2)
    return quantile * estimate.standard_error


def _statistic(estimate: Estimate) -> np.ndarray:
    error = estimate.standard_error
    return np.abs(estimate.mean) / np.where(error > 0, error, np.nan)


def critical_value(estimate: Estimate, p: float | np.ndarray) -> np.ndarray:
    """What |mean| / SE is at a two-sided p value, for levels far below 5 %: (...).

    After Cochran & Cox 1957 ("Experimental Designs"): every part of the variance has the quantile
    of its own distribution, and these are averaged with the parts as weights,

        [sum MS/J t(1 - p/2, J - 1) + c z(1 - p/2)] / V.

    Where the level is as small as the correction for several tests makes it, degrees of freedom
    that are estimated reject true hypotheses up to six times too often with three seeds.
    """
    halves = np.asarray(p) / 2
    parts = zip(estimate.seed_variances, estimate.seeds, strict=True)
    weighted = sum((-stdtrit(j - 1.0, halves) * variance for variance, j in parts), start=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (weighted - ndtri(halves) * estimate.image_variance) / estimate.variance


def simultaneous_p_value(estimate: Estimate) -> np.ndarray:
    """Two-sided p value of no difference, where it is one of several tests: (...).

    The root p of `critical_value` = |mean| / SE, for Holm's correction, the best rows and ranks.
    NaN where nothing varies.
    """
    statistic = _statistic(estimate)
    # between the p values of the normal distribution and of t with the fewest degrees of freedom
    fewest = min((j - 1.0 for j in estimate.seeds), default=np.inf)
    with np.errstate(divide="ignore"):
        low = np.maximum(np.log(2) + log_ndtr(-statistic), LOG_SMALLEST_P)
        high = np.maximum(np.log(2 * stdtr(fewest, -statistic)), LOG_SMALLEST_P)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        beyond = critical_value(estimate, np.exp(middle)) > statistic
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return np.exp((low + high) / 2)


# --- several rows ---------------------------------------------------------------------------------


def pairwise_tests(samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """All differences of rows, and the `simultaneous_p_value` of each.

    Args:
        samples: (rows), all of the same test images.

    Returns:
        (rows, rows, ...), AUC of the first row less that of the second, and p values; on the
        diagonal 0 and NaN. A p value of fewer than `MIN_SEEDS` seeds is NaN.
    """
    shape = (len(samples), len(samples), *samples[0].values.shape[:-1])
    differences, p_values = np.zeros(shape), np.full(shape, np.nan)
    for i, first in enumerate(samples):
        for k, second in enumerate(samples[:i]):
            found = difference(first, second)
            differences[i, k], differences[k, i] = found.mean, -found.mean
            if min(found.seeds) >= MIN_SEEDS:
                p_values[i, k] = p_values[k, i] = simultaneous_p_value(found)
    return differences, p_values


def best_p_values(differences: np.ndarray, p_values: np.ndarray) -> np.ndarray:
    """p values of the hypotheses that a row is the best: (rows, ...).

    The rows whose p value is 5 % or more are a confidence set: it has the best row in it with a
    probability of at least 95 %, although the best is chosen on the same images. Comparisons with
    the best as Edwards & Hsu 1983 (Journal of the American Statistical Association 78, 965), with
    Bonferroni's inequality for their quantile: only the one-sided tests of the best row against
    each other one can exclude it.

    Args:
        differences, p_values: of `pairwise_tests`; a row is not excluded by a missing p value.
    """
    others = max(differences.shape[1] - 1, 1)
    worse = np.where(differences < 0, p_values / 2, 1 - p_values / 2)
    return np.minimum(others * np.where(np.isnan(worse), 1, worse).min(axis=1), 1)


# --- planning -------------------------------------------------------------------------------------


class Components(NamedTuple):
    """Variances of one network's AUC, or of a paired difference: (...) each.

    Args:
        seed: b, of the seeds with infinitely many test images.
        interaction: w, of test images, different for each seed; it falls with their number.
        image: c, of test images, the same for all seeds; it falls with their number.
    """

    seed: np.ndarray
    interaction: np.ndarray
    image: np.ndarray


def variance_components(estimate: Estimate, confidence: float | None = None) -> Components:
    """The components of a row or of a paired difference; none of them is below 0.

    Args:
        confidence: takes MS at the upper end of its one-sided interval with this confidence, to
            plan on the safe side: with three seeds and 0.8, it is 4.5 times as large.

    Raises ValueError for a nested difference, which has those of its two rows.
    """
    if len(estimate.seeds) != 1:
        raise ValueError("variance components are those of a row, or of a paired difference")
    seeds, mean_square = estimate.seeds[0], estimate.mean_squares[0]
    interaction = estimate.interaction[0]
    if confidence is not None:
        mean_square = mean_square * (seeds - 1) / chdtri(seeds - 1, confidence)
    seed = np.maximum(mean_square - interaction, 0)
    return Components(seed, interaction, estimate.image_variance)


def power(
    components: Components, difference: float, seeds: int, images: float = 1, tests: int = 1
) -> float:
    """Probability that a true difference of two rows is found significant at 5 %.

    The mean over the distribution of MS, a multiple of chi-square, of the probability that a
    normal estimate is beyond its half-width.

    Args:
        components: of the paired difference, in a pilot run.
        difference: the true one.
        seeds: of each row, two at least.
        images: number of test images, relative to that of the pilot.
        tests: with more than one, `simultaneous_p_value` is used at a level of 5 % / tests, the
            smallest of Holm's correction.
    """
    seed, interaction, image = components
    per_seed, image = seed + interaction / images, image / images
    quantiles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    mean_squares = per_seed * chdtri(seeds - 1, quantiles) / (seeds - 1)
    none = np.zeros(QUANTILES)
    found = Estimate(none, (seeds,), mean_squares[None], none[None], none + image, none)
    bound = _half_width(found)
    if tests > 1:
        bound = critical_value(found, ALPHA / tests) * found.standard_error
    error = np.sqrt(per_seed / seeds + image)
    return float(np.mean(ndtr((difference - bound) / error) + ndtr((-difference - bound) / error)))


def seeds_needed(
    components: Components,
    difference: float,
    images: float = 1,
    tests: int = 1,
    target: float = 0.8,
    most: int = MAX_SEEDS,
) -> int | None:
    """The fewest seeds, three at least, whose `power` reaches the target.

    None where `most` do not: the variance of the test images alone may be too large, and then only
    more of these help, see `images_needed`.
    """
    numbers = range(MIN_SEEDS, most + 1)

    def suffices(seeds: int) -> bool:
        return power(components, difference, seeds, images, tests) >= target

    place = bisect_left(numbers, True, key=suffices)
    return numbers[place] if place < len(numbers) else None


def images_needed(
    components: Components, difference: float, tests: int = 1, target: float = 0.8
) -> float:
    """The test images, relative to the pilot's, with fewer of which no number of seeds suffices.

    With all seeds there are, c alone is left of the variance, and the `power` is that of a normal
    estimate. 0 where the images that all seeds share do not matter.
    """
    quantiles = ndtri(1 - ALPHA / tests / 2) + ndtri(target)
    return float(components.image * (quantiles / difference) ** 2)
