"""Inference over seeds and test images: published and other examples, and simulations."""

import math
from functools import cache

import numpy as np
import pytest
from MLstatkit import Delong_test
from scipy.stats import norm, t
from sklearn.metrics import roc_auc_score

from sslens.metrics.mrmc import (
    Components,
    Sample,
    best_p_values,
    class_sample,
    critical_value,
    difference,
    difference_interval,
    estimate,
    images_needed,
    nested_difference,
    of_networks,
    p_value,
    pairwise_tests,
    power,
    row_interval,
    samples,
    seeds_needed,
    simultaneous_p_value,
    variance_components,
)

LABELS = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], (12, 20, 9)))


def some_scores(seeds, ties=False, shift=1.0, seed=2, labels=LABELS):
    """Scores (seeds, images, classes) of correlated networks."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(len(labels), 3)) + rng.normal(size=(seeds, len(labels), 3))
    scores += shift * np.eye(3)[labels] * (1 + 0.3 * rng.normal(size=(seeds, 1, 1)))
    return np.round(scores) if ties else scores


def macro(scores, seeds=None, labels=LABELS):
    return samples(labels, scores, seeds)[-1]


def of_variances(aucs, seed_part, image_part, seeds=None):
    """A sample with these AUCs and covariances: `image_part` of all pairs, and a part of each."""
    count = np.shape(aucs)[-1]
    own = np.sqrt(seed_part) * np.eye(count)
    influence = np.concatenate([np.full((count, 1), np.sqrt(image_part)), own], axis=1)
    return Sample(tuple(seeds or range(count)), np.asarray(aucs), influence)


def on_images(sample, place, size=12):
    """The sample on other images than those of other places, so that it has no part in common."""
    own = np.zeros((len(sample.seeds), 2, size))
    own[:, place, : sample.influence.shape[1]] = sample.influence
    return Sample(sample.seeds, sample.values, own.reshape(len(sample.seeds), -1))


def numbers(found):
    return [float(found.mean), float(found.standard_error), float(found.degrees_of_freedom)]


# --- influence values -----------------------------------------------------------------------------


def slow_covariance(labels, scores):
    """Covariances of macro AUCs of networks, from influence values that are written out."""
    influence = np.zeros(scores.shape[:2])
    for network, network_scores in enumerate(scores):
        for c in range(3):
            own, rest = np.flatnonzero(labels == c), np.flatnonzero(labels != c)
            column = network_scores[:, c]
            for k in range(len(labels)):
                others = rest if labels[k] == c else own
                below = [np.heaviside(column[k] - column[i], 0.5) for i in others]
                placement = np.mean(below) if labels[k] == c else 1 - np.mean(below)
                auc = roc_auc_score(labels == c, column)
                count = len(own) if labels[k] == c else len(rest)
                influence[network, k] += (placement - auc) / count / 3
    covariance = np.zeros((len(scores), len(scores)))
    for y in range(3):
        part = influence[:, labels == y]
        size = part.shape[1]
        covariance += size * np.cov(part, ddof=1) if len(scores) > 1 else size * part.var(ddof=1)
    return covariance


def slow_delong(is_positive, scores):
    """AUCs and covariances, by the structural components of DeLong et al. written out."""
    positives = [i for i in range(len(is_positive)) if is_positive[i]]
    negatives = [j for j in range(len(is_positive)) if not is_positive[j]]
    m, n, k = len(positives), len(negatives), len(scores)

    def psi(r, i, j):
        return np.heaviside(scores[r][i] - scores[r][j], 0.5)

    v10 = [[sum(psi(r, i, j) for j in negatives) / n for i in positives] for r in range(k)]
    v01 = [[sum(psi(r, i, j) for i in positives) / m for j in negatives] for r in range(k)]
    aucs = [sum(v10[r]) / m for r in range(k)]
    covariance = np.zeros((k, k))
    for r in range(k):
        for s in range(k):
            s10 = sum((v10[r][i] - aucs[r]) * (v10[s][i] - aucs[s]) for i in range(m)) / (m - 1)
            s01 = sum((v01[r][j] - aucs[r]) * (v01[s][j] - aucs[s]) for j in range(n)) / (n - 1)
            covariance[r, s] = s10 / m + s01 / n
    return np.array(aucs), covariance


@pytest.mark.parametrize("ties", [False, True])
def test_covariance_of_class_aucs_is_that_of_delong(ties):
    scores = some_scores(4, ties)
    for c, sample in enumerate(samples(LABELS, scores)[:-1]):
        aucs, covariance = slow_delong(c == LABELS, scores[..., c])
        assert sample.values == pytest.approx(aucs, abs=1e-15)
        found = sample.influence @ sample.influence.T
        np.testing.assert_allclose(found, covariance, rtol=0, atol=1e-16)
        alone = class_sample(c == LABELS, scores[..., c])
        assert (alone.influence == sample.influence).all() and (alone.values == sample.values).all()


@pytest.mark.parametrize("ties", [False, True])
def test_two_networks_are_compared_as_by_mlstatkit(ties):
    is_positive, scores = LABELS == 0, some_scores(2, ties)[..., 0]
    z, p, interval, _, first_auc, second_auc, info = Delong_test(is_positive, *scores)
    assert info["method"] == "delong" and interval[1] < 1
    first, second = (class_sample(is_positive, row[None]) for row in scores)
    assert (first.values[0], second.values[0]) == pytest.approx((first_auc, second_auc), abs=1e-12)
    # its interval of an AUC is symmetric
    half_width = norm.isf(0.025) * math.sqrt(estimate(first).networks)
    assert half_width == pytest.approx((interval[1] - interval[0]) / 2, abs=1e-12)
    found = of_networks(difference(first, second))
    assert p_value(found) == pytest.approx(p, abs=1e-12)
    # its difference is second less first
    assert found.mean / found.standard_error == pytest.approx(-z, abs=1e-9)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seeds", [1, 3])
def test_covariance_of_macro_aucs_by_its_definition(seeds, ties):
    scores = some_scores(seeds, ties)
    sample = macro(scores)
    expected = [np.mean([roc_auc_score(c == LABELS, s[:, c]) for c in range(3)]) for s in scores]
    assert sample.values == pytest.approx(expected, abs=1e-15)
    covariance = sample.influence @ sample.influence.T
    np.testing.assert_allclose(covariance, slow_covariance(LABELS, scores), rtol=0, atol=1e-16)


def bootstrap(scores, labels, draws=1000):
    """Macro AUCs in stratified bootstrap samples of the images: (draws, networks)."""
    rng, order = np.random.default_rng(0), np.argsort(labels, kind="stable")
    classes = np.split(order, np.cumsum(np.bincount(labels))[:-1])
    drawn = ([rng.choice(images, len(images)) for images in classes] for _ in range(draws))
    return np.array(
        [macro(scores[:, sample], labels=labels[sample]).values for sample in map(np.hstack, drawn)]
    )


def test_covariance_of_macro_aucs_is_that_of_the_bootstrap():
    labels = np.arange(600) % 3
    scores = some_scores(2, labels=labels)
    sample = macro(scores, labels=labels)
    covariance = sample.influence @ sample.influence.T
    # a variance of 1000 draws has a standard error of 4.5 %
    np.testing.assert_allclose(covariance, np.cov(bootstrap(scores, labels).T), rtol=0.14)


def test_leading_dimensions_are_experiments():
    scores = np.stack([some_scores(3, seed=seed) for seed in range(4)])
    others = np.stack([some_scores(3, seed=seed) for seed in range(4, 8)])
    found = difference(macro(scores), macro(others))
    assert found.mean.shape == p_value(found).shape == (4,)
    nested = nested_difference(macro(scores), macro(others))
    for place, pair in enumerate(zip(scores, others, strict=True)):
        for all_of_them, function in ((found, difference), (nested, nested_difference)):
            one = function(*map(macro, pair))
            for of in (difference_interval, row_interval, p_value, simultaneous_p_value):
                expected = of(all_of_them)[..., place]
                np.testing.assert_allclose(of(one), expected, rtol=1e-9)


def test_what_cannot_be_analysed():
    with pytest.raises(ValueError, match=r"3 classes needs two images of each; got 3, 1, 2"):
        samples(np.array([0, 0, 0, 1, 2, 2]), np.zeros((2, 6, 3)))
    with pytest.raises(ValueError, match=r"2 classes needs two images of each; got 2, 2, 2"):
        samples(np.array([0, 0, 1, 1, 2, 2]), np.zeros((2, 6, 2)))
    with pytest.raises(ValueError, match="two images of the class and two of the rest; got 1"):
        class_sample(np.arange(9) < 1, np.zeros((2, 9)))
    with pytest.raises(ValueError, match="NaN"):
        samples(LABELS, np.full((2, 41, 3), np.nan))
    with pytest.raises(ValueError, match=r"3 networks need as many different seeds; got \(1, 1, 2"):
        macro(some_scores(3), seeds=[1, 1, 2])


# --- examples -------------------------------------------------------------------------------------

# Five readers, two tests, 114 cases (Van Dyke et al. 1993), as the user guide of the R package
# MRMCaov 0.3.0 analyses them: AUCs, and covariances by DeLong. v and Cov2 are of each test.
FIRST = (0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066)
SECOND = (0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169)
V, COV2 = (0.0010013829326, 0.0005828819736), (0.0004775238683, 0.0002015291937)
COV1, COV3 = 0.0003420090, 0.0002358497


def published():
    """The two tests, with influence values whose products are the covariances."""
    blocks = [c + (v - c) * np.eye(5) for v, c in zip(V, COV2, strict=True)]
    cross = COV3 + (COV1 - COV3) * np.eye(5)
    values, vectors = np.linalg.eigh(np.block([[blocks[0], cross], [cross, blocks[1]]]))
    assert values.min() > 0
    first, second = np.split(vectors * np.sqrt(values), 2)
    return (
        Sample(tuple("abcde"), np.array(FIRST), first),
        Sample(tuple("abcde"), np.array(SECOND), second),
    )


def test_published_example_of_a_difference():
    found = difference(*published())
    assert found.mean_squares[0] / 2 == pytest.approx(0.0005510306, abs=1e-9)
    assert found.mean == pytest.approx(-0.04380032, abs=1e-8)
    assert found.standard_error == pytest.approx(0.0206825, abs=1e-7)
    assert found.hillis_degrees_of_freedom == pytest.approx(15.06611, abs=1e-4)
    statistic = abs(found.mean) / found.standard_error
    p_of_hillis = 2 * t.sf(statistic, found.hillis_degrees_of_freedom)
    assert p_of_hillis == pytest.approx(0.05123303, abs=1e-7)
    # with the degrees of freedom of this module
    assert found.degrees_of_freedom == pytest.approx(7.763017, abs=1e-5)
    assert difference_interval(found) == pytest.approx([-0.09174889, 0.00414824], abs=1e-7)
    assert p_value(found) == pytest.approx(0.06810486, abs=1e-7)
    assert simultaneous_p_value(found) == pytest.approx(0.07265463, abs=1e-7)
    assert p_value(of_networks(found)) == pytest.approx(0.01852520, abs=1e-7)


def test_published_example_of_rows():
    expected = [
        (0.03307642, 12.59597, (0.78922823, 0.95298695)),
        (0.02150464, 12.56530, (0.86474389, 0.97534224)),
    ]
    for sample, (error, df, interval) in zip(published(), expected, strict=True):
        found = estimate(sample)
        assert found.standard_error == pytest.approx(error, abs=1e-7)
        assert found.hillis_degrees_of_freedom == pytest.approx(df, abs=1e-4)
        assert row_interval(found) == pytest.approx(interval, abs=1e-7)


def test_published_example_as_if_readers_were_nested():
    found = nested_difference(*published())
    assert found.standard_error == pytest.approx(0.03228523, abs=1e-7)
    assert found.hillis_degrees_of_freedom == pytest.approx(9.696607, abs=1e-4)
    between = np.array([0.0030826286624, 0.0013046019484]) / 5
    df = 0.03228523**2 * between.sum() / np.sum(between**2 / 4)
    assert found.degrees_of_freedom == pytest.approx(df, rel=1e-5)


def made_up():
    """Two rows of three networks on 60 images of three classes, from sines."""
    i, j, k, c = np.ogrid[:2, :3, :60, :3]
    scores = (1.5 - 0.4 * i + 0.3 * np.sin(3 * i + 5 * j)) * (c == k % 3)
    scores = (
        scores + np.sin(1 + 5 * k + 11 * c) + 0.7 * np.sin(2 + 7 * i + 13 * j + 29 * k + 53 * c)
    )
    return [macro(row, labels=np.arange(60) % 3) for row in scores]


def test_example_of_macro_aucs():
    first, second = made_up()
    assert first.values == pytest.approx([0.8829166667, 0.8316666667, 0.8429166667], abs=1e-10)
    assert second.values == pytest.approx([0.8125, 0.8516666667, 0.8279166667], abs=1e-10)
    row = estimate(first)
    assert row.mean_squares[0] == pytest.approx(7.25520833e-4, abs=1e-12)
    assert row.interaction[0] == pytest.approx(1.15423977e-4, abs=1e-12)
    assert row.image == pytest.approx(1.04864157e-3, abs=1e-11)
    assert row_interval(row) == pytest.approx([0.75457976, 0.91571498], abs=1e-8)
    found = difference(first, second)
    assert found.mean == pytest.approx(0.0218055556, abs=1e-10)
    assert found.mean_squares[0] == pytest.approx(2.07853009e-3, abs=1e-11)
    assert found.interaction[0] == pytest.approx(1.83778021e-4, abs=1e-12)
    assert found.image == pytest.approx(1.58966862e-4, abs=1e-12)
    assert found.degrees_of_freedom == pytest.approx(2.458883, abs=1e-6)
    assert difference_interval(found) == pytest.approx([-0.08378240, 0.12739352], abs=1e-8)
    assert p_value(found) == pytest.approx(0.51991138, abs=1e-8)
    assert simultaneous_p_value(found) == pytest.approx(0.52116503, abs=1e-8)


def test_components_of_the_example():
    found = estimate(made_up()[0])
    components = variance_components(found)
    expected = (7.25520833e-4 - 1.15423977e-4, 1.15423977e-4, 1.04864157e-3)
    assert components == pytest.approx(expected, abs=1e-11)
    # MS = b + w, and the variance of the mean over three seeds has these parts
    assert sum(components[:2]) / 3 + components.image == pytest.approx(found.variance, abs=1e-15)
    # the upper bound with three seeds: 2 / chi-square's 20 % quantile of two, -2 log(0.8)
    upper = variance_components(found, confidence=0.8)
    bound = 7.25520833e-4 * 2 / (-2 * math.log(0.8))
    assert upper.seed + upper.interaction == pytest.approx(bound, rel=1e-8)
    with pytest.raises(ValueError, match="of a row, or of a paired difference"):
        variance_components(nested_difference(*made_up()))


# --- designs --------------------------------------------------------------------------------------


def interval_by_delong(is_positive, scores):
    """Mean AUC of networks as they are, and its interval, symmetric on the scale of the logit."""
    aucs, covariance = slow_delong(is_positive, scores)
    mean, count = aucs.mean(), len(scores)
    half_width = 1.959963984540054 * math.sqrt(covariance.sum()) / count / (mean * (1 - mean))
    ends = [math.log(mean / (1 - mean)) + sign * half_width for sign in (-1, 1)]
    return [1 / (1 + math.exp(-end)) for end in ends]


def difference_by_delong(is_positive, first, second):
    """Ends of the interval of a difference between networks as they are, and its p value."""
    aucs, covariance = slow_delong(is_positive, np.concatenate([first, second]))
    contrast = np.repeat([1 / len(first), -1 / len(second)], [len(first), len(second)])
    mean, error = contrast @ aucs, math.sqrt(contrast @ covariance @ contrast)
    half_width = 1.959963984540054 * error
    return mean - half_width, mean + half_width, math.erfc(abs(mean) / error / math.sqrt(2))


@pytest.mark.parametrize("copies", [1, 2, 5])
def test_copies_of_a_network_have_the_interval_of_the_network(copies):
    is_positive, scores = LABELS == 0, some_scores(1)[..., 0]
    other = some_scores(1, seed=8)[..., 0]
    one, two = (class_sample(is_positive, np.repeat(s, copies, axis=0)) for s in (scores, other))
    row, between = estimate(one), difference(one, two)
    expected_row = interval_by_delong(is_positive, scores)
    *expected, expected_p = difference_by_delong(is_positive, scores, other)
    assert row_interval(of_networks(row)) == pytest.approx(expected_row, abs=1e-12)
    assert difference_interval(of_networks(between)) == pytest.approx(expected, abs=1e-12)
    if copies > 1:
        assert row.degrees_of_freedom == between.degrees_of_freedom == np.inf
        assert row_interval(row) == pytest.approx(expected_row, abs=1e-12)
        assert difference_interval(between) == pytest.approx(expected, abs=1e-12)
        for function in (p_value, simultaneous_p_value):
            assert function(between) == pytest.approx(expected_p, rel=1e-9)
    else:  # of one seed nothing is known about the method
        assert math.isnan(row.variance) and np.isnan(row_interval(row)).all()
        assert np.isnan(difference_interval(between)).all()
        assert math.isnan(p_value(between)) and math.isnan(simultaneous_p_value(between))


def test_networks_as_they_are_have_the_mean_of_their_aucs():
    is_positive, scores = LABELS == 1, some_scores(3)[..., 1]
    other = some_scores(3, seed=8)[..., 1]
    one, two = class_sample(is_positive, scores), class_sample(is_positive, other)
    expected = interval_by_delong(is_positive, scores)
    assert row_interval(of_networks(estimate(one))) == pytest.approx(expected, abs=1e-12)
    *expected, expected_p = difference_by_delong(is_positive, scores, other)
    for found in (of_networks(difference(one, two)), of_networks(nested_difference(one, two))):
        assert difference_interval(found) == pytest.approx(expected, abs=1e-12)
        for function in (p_value, simultaneous_p_value):
            assert function(found) == pytest.approx(expected_p, rel=1e-9)


def test_swapped_rows_change_the_sign_alone():
    one, two = macro(some_scores(3)), macro(some_scores(3, seed=5))
    for function in (difference, nested_difference):
        found, swapped = function(one, two), function(two, one)
        assert swapped.mean == -found.mean
        low, high = difference_interval(found)
        assert difference_interval(swapped) == pytest.approx([-high, -low], abs=1e-15)
        assert p_value(swapped) == pytest.approx(p_value(found), rel=1e-12)


def test_rows_are_paired_by_the_names_of_their_seeds():
    scores, others = some_scores(3), some_scores(3, seed=5)
    one, two = macro(scores, [1, 2, 3]), macro(others, [1, 2, 3])
    turned = macro(others[[1, 2, 0]], [2, 3, 1])
    assert numbers(difference(one, turned)) == pytest.approx(numbers(difference(one, two)))
    # other networks in the same place make another pair
    permuted = macro(others[[1, 2, 0]], [1, 2, 3])
    assert p_value(difference(one, permuted)) != pytest.approx(p_value(difference(one, two)), 1e-3)
    nested = [nested_difference(one, other) for other in (two, permuted)]
    assert p_value(nested[0]) == pytest.approx(p_value(nested[1]), rel=1e-12)


def test_rows_with_other_seeds():
    scores, others = some_scores(4), some_scores(4, seed=5)
    one = macro(scores, [1, 2, 3, 4])
    # a seed is missing, or is another one: those in common are compared
    common = difference(macro(scores[:3]), macro(others[:3]))
    for other in (macro(others[:3], [1, 2, 3]), macro(others, [1, 2, 3, 9])):
        assert numbers(difference(one, other)) == pytest.approx(numbers(common), rel=1e-12)
        assert difference(one, other).seeds == (3,)
    # one or none in common: nothing can be paired
    for seeds in ([5, 6, 7, 8], [4, 5, 6, 7]):
        other = macro(others, seeds)
        assert difference(one, other).seeds == (4, 4)
        expected = numbers(nested_difference(one, other))
        assert numbers(difference(one, other)) == pytest.approx(expected, rel=1e-12)
    # one row has one seed: its networks alone can be compared
    alone = difference(one, macro(others[:1], [1]))
    assert math.isnan(alone.variance) and math.isnan(simultaneous_p_value(alone))
    assert alone.mean == pytest.approx(one.values.mean() - macro(others[:1]).values[0], abs=1e-15)
    assert 0 < p_value(of_networks(alone)) < 1


def test_nested_difference_by_hand():
    one, two = macro(some_scores(3)), macro(some_scores(2, seed=5))
    found = nested_difference(one, two)
    covariance = slow_covariance(LABELS, np.concatenate([some_scores(3), some_scores(2, seed=5)]))
    c_one = covariance[:3, :3][~np.eye(3, dtype=bool)].mean()
    c_two, cov3 = covariance[3, 4], covariance[:3, 3:].mean()
    between = np.array([one.values.var(ddof=1) / 3, two.values.var(ddof=1) / 2])
    variance = between.sum() + max(c_one + c_two - 2 * cov3, 0)
    assert found.variance == pytest.approx(variance, rel=1e-12)
    parts = between[0] ** 2 / 2 + between[1] ** 2
    assert found.hillis_degrees_of_freedom == pytest.approx(variance**2 / parts, rel=1e-12)
    expected = variance * between.sum() / parts
    assert found.degrees_of_freedom == pytest.approx(expected, rel=1e-12)
    half_width = t.isf(0.025, expected) * math.sqrt(variance)
    difference_of_means = one.values.mean() - two.values.mean()
    interval = difference_of_means + np.array([-half_width, half_width])
    assert difference_interval(found) == pytest.approx(np.clip(interval, -1, 1), abs=1e-12)


# --- where variances vanish -----------------------------------------------------------------------


def test_perfect_networks_have_no_interval():
    perfect = macro(np.eye(3)[LABELS] + 0.1 * np.random.default_rng(0).random((3, 41, 3)))
    row = estimate(perfect)
    assert row.mean == 1 and row.variance == 0
    assert np.isnan(row_interval(row)).all() and np.isnan(row_interval(of_networks(row))).all()
    same = difference(perfect, perfect)
    assert same.mean == 0
    assert np.isnan([*difference_interval(same), p_value(same), simultaneous_p_value(same)]).all()
    # another row differs from it, and all of the variance is of that row
    other = macro(some_scores(3))
    found = difference(perfect, other)
    assert found.variance == pytest.approx(estimate(other).variance, rel=1e-12)
    assert found.mean == pytest.approx(1 - other.values.mean(), abs=1e-15)


def test_a_row_does_not_differ_from_itself():
    sample = macro(some_scores(5, ties=True))
    same = difference(sample, sample)
    assert (same.mean, same.variance) == (0, 0) and math.isnan(p_value(same))


def test_rounding_is_no_variance_of_the_images():
    # opposed networks, whose mean does not vary
    scores = some_scores(1)[..., 0]
    opposed = estimate(class_sample(LABELS == 0, np.concatenate([scores, -scores])))
    assert opposed.mean == pytest.approx(0.5, abs=1e-15)
    assert opposed.networks == 0 and np.isnan(row_interval(of_networks(opposed))).all()
    # the same networks in another number
    one, many = (macro(np.tile(some_scores(1), (n, 1, 1)), range(n, 2 * n)) for n in (3, 7))
    found = nested_difference(one, many)
    assert found.networks == found.variance == 0 and np.isnan(difference_interval(found)).all()


def test_rounding_does_not_decide_a_test():
    # but for rounding, the same difference in every seed, and orthogonal influence values
    influence = np.array([[0.1, 0.2, 0.3], [0.3, 0.3, -0.3]])
    first = Sample((1, 2), np.array([0.3, 0.8]), influence)
    second = Sample((1, 2), np.array([0.2, 0.7]), np.zeros((2, 3)))
    assert len(set(first.values - second.values)) == 2
    found = difference(first, second)
    assert found.mean == pytest.approx(0.1) and found.variance == 0
    assert math.isnan(p_value(found)) and math.isnan(simultaneous_p_value(found))


def test_without_a_variance_between_seeds_the_distribution_is_normal():
    found = estimate(of_variances([0.02, 0.02, 0.02], 0, 1e-4))
    assert found.degrees_of_freedom == found.hillis_degrees_of_freedom == np.inf
    assert p_value(found) == pytest.approx(2 * norm.sf(2), rel=1e-9)
    assert simultaneous_p_value(found) == pytest.approx(2 * norm.sf(2), rel=1e-9)


def test_a_negative_component_counts_as_none():
    # two networks whose errors are opposed
    influence = np.array([[1e-3, 2e-3, 0], [-1e-3, 0, 1e-3]])
    found = estimate(Sample((1, 2), np.array([0.03, 0.01]), influence))
    assert found.image == pytest.approx(-1e-6) and found.image_variance == 0
    assert found.variance == pytest.approx(0.02**2 / 2 / 2)
    assert found.degrees_of_freedom == pytest.approx(1)
    assert p_value(found) == pytest.approx(2 * t.sf(2, 1), rel=1e-9)
    assert simultaneous_p_value(found) == pytest.approx(2 * t.sf(2, 1), rel=1e-9)
    assert variance_components(found).image == 0
    # the seeds differ less than their images alone would make them
    quiet = estimate(of_variances([0.03, 0.031, 0.029], 1e-4, 1e-4))
    assert variance_components(quiet) == pytest.approx((0, 1e-4, 1e-4), rel=1e-9)


def test_intervals_end_at_the_end_of_their_scale():
    found = estimate(of_variances([0.99, 0.2], 1e-4, 1e-4))
    assert difference_interval(found).tolist() == [-1, 1]
    low, high = row_interval(found)
    assert 0 <= low < 0.01 and 0.99 < high <= 1


# --- several tests --------------------------------------------------------------------------------


def test_simultaneous_p_value_is_the_root_of_its_equation():
    rng = np.random.default_rng(0)
    for seeds in (2, 3, 10):
        # from no effect at all to one far beyond all quantiles
        aucs = rng.normal(size=(40, seeds)) * 0.01 + np.geomspace(1e-6, 0.9, 40)[:, None]
        found = estimate(of_variances(aucs, 1e-5, 1e-5))
        p_values = simultaneous_p_value(found)
        statistic = abs(found.mean) / found.standard_error
        assert critical_value(found, p_values) == pytest.approx(statistic, rel=1e-9)
        assert (p_values <= 2 * t.sf(statistic, seeds - 1)).all()
        assert (p_values >= 2 * norm.sf(statistic)).all()
        assert (
            np.diff(critical_value(estimate(of_variances([0, 1], 1, 1)), [0.1, 0.01])) > 0
        ).all()


def test_critical_value_by_hand():
    rows = of_variances([0.8, 0.9, 0.7], 1e-4, 1e-3), of_variances([0.8, 0.7], 1e-4, 2e-3)
    found = nested_difference(*(on_images(row, place) for place, row in enumerate(rows)))
    first, second, image = 0.01 / 3, 0.005 / 2, 3e-3
    weighted = first * t.isf(0.002, 2) + second * t.isf(0.002, 1) + image * norm.isf(0.002)
    expected = weighted / (first + second + image)
    assert critical_value(found, 0.004) == pytest.approx(expected, rel=1e-9)


def rows_with(means, spread=0.001, image=0.0):
    """Rows of four seeds, with a standard error of differences of sqrt(2) spread / 2."""
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(len(means), 4))
    noise -= noise.mean(axis=1, keepdims=True)
    noise *= spread / noise.std(axis=1, ddof=1, keepdims=True)
    return [
        of_variances(mean + values, 0, image) for mean, values in zip(means, noise, strict=True)
    ]


def test_pairwise_tests_are_those_of_each_pair():
    rows = rows_with([0.8, 0.81, 0.805])
    differences, p_values = pairwise_tests(rows)
    for i in range(3):
        assert differences[i, i] == 0 and math.isnan(p_values[i, i])
        for k in {0, 1, 2} - {i}:
            found = difference(rows[i], rows[k])
            assert differences[i, k] == pytest.approx(found.mean, abs=1e-15)
            assert p_values[i, k] == pytest.approx(simultaneous_p_value(found), rel=1e-12)


def test_pairs_with_fewer_than_three_seeds_exclude_no_row():
    rows = rows_with([0.7, 0.9, 0.8])
    first, *others = [Sample((k, k + 1, k + 2, k + 3), r.values, r.influence)
                      for k, r in zip((1, 3, 3), rows, strict=True)]  # fmt: skip
    differences, p_values = pairwise_tests([first, *others])
    assert differences[0, 1] == pytest.approx(difference(first, others[0]).mean)
    assert np.isnan(p_values[0]).all() and 0 < p_values[1, 2] < 0.05
    assert best_p_values(differences, p_values)[0] == 1


def test_the_set_of_the_best_by_hand():
    differences = np.array([[0, 0.1, -0.2], [-0.1, 0, -0.3], [0.2, 0.3, 0]])
    p_values = np.array([[np.nan, 0.5, 0.04], [0.5, np.nan, 0.02], [0.04, 0.02, np.nan]])
    # two others each; the last row is below no other, and the least of its one-sided p is 0.98
    assert best_p_values(differences, p_values) == pytest.approx([0.04, 0.02, 1])
    # what was not tested excludes nothing, and one row alone is the best
    assert best_p_values(differences, np.full((3, 3), np.nan)).tolist() == [1, 1, 1]
    assert best_p_values(np.zeros((1, 1)), np.full((1, 1), np.nan)).tolist() == [1]


def test_rows_that_are_clearly_worse_are_not_among_the_best():
    chosen = best_p_values(*pairwise_tests(rows_with([0.8, 0.9, 0.9005, 0.7]))) >= 0.05
    assert chosen.tolist() == [False, True, True, False]


# --- planning -------------------------------------------------------------------------------------

PILOT = Components(2e-5, 1e-5, 4e-6)


@pytest.mark.parametrize(
    ("true", "seeds", "images", "tests"),
    [(0.008, 3, 1, 1), (0.008, 5, 2, 1), (0.016, 4, 0.5, 12)],
)
def test_power_is_that_of_simulated_differences(true, seeds, images, tests):
    w, c = PILOT.interaction / images, PILOT.image / images
    rng = np.random.default_rng(0)
    found = estimate(of_normal(rng, 20_000, seeds, PILOT.seed, w, c, true))
    p_values = simultaneous_p_value(found) if tests > 1 else p_value(found)
    expected = np.mean(p_values < 0.05 / tests)
    assert 0.05 < expected < 0.9
    assert power(PILOT, true, seeds, images, tests) == pytest.approx(expected, abs=0.01)


def test_power_grows_to_one_and_is_the_level_without_a_difference():
    powers = [power(PILOT, 0.01, seeds) for seeds in (2, 3, 5, 10, 50)]
    assert powers == sorted(powers) and powers[-1] > 0.99
    assert power(PILOT, 0, 10) == pytest.approx(0.05, abs=0.01)
    assert power(Components(0, 0, 1e-6), 0.0028, 3) == pytest.approx(norm.cdf(0.84), abs=1e-4)


@pytest.mark.parametrize(("images", "tests"), [(1, 1), (4, 1), (4, 12)])
def test_seeds_needed_are_the_fewest(images, tests):
    seeds = seeds_needed(PILOT, 0.008, images, tests)
    assert seeds is not None and seeds > 3
    assert power(PILOT, 0.008, seeds, images, tests) >= 0.8
    assert power(PILOT, 0.008, seeds - 1, images, tests) < 0.8


def test_seeds_needed_have_bounds():
    assert seeds_needed(PILOT, 0.5) == 3
    # delta^2 < 7.85 c: the variance of the images alone is too large, and more of them help
    limit = math.sqrt(7.85 * PILOT.image)
    assert seeds_needed(PILOT, 0.99 * limit) is None
    assert seeds_needed(PILOT, 0.99 * limit, images=2) is not None
    assert seeds_needed(PILOT, 1.1 * limit, most=5) is None


@pytest.mark.parametrize("tests", [1, 12])
def test_with_fewer_images_than_needed_no_number_of_seeds_suffices(tests):
    pilot = Components(1e-9, 1e-9, 4e-6)  # seeds that hardly differ
    needed = images_needed(pilot, 0.004, tests)
    assert 1 < needed < 4
    assert seeds_needed(pilot, 0.004, 0.99 * needed, tests) is None
    assert seeds_needed(pilot, 0.004, 1.01 * needed, tests) is not None
    # they are four times as many for half the difference
    assert images_needed(pilot, 0.002, tests) == pytest.approx(4 * needed)
    assert images_needed(Components(1e-4, 1e-4, 0), 0.002) == 0


# --- simulations ----------------------------------------------------------------------------------


def of_normal(rng, replicates, seeds, seed, interaction, image, mean=0.0):
    """Samples of the model itself, whose covariances over images are known."""
    sample = of_variances(np.zeros(seeds), interaction, image)
    aucs = rng.normal(size=(replicates, seeds + 1)) @ sample.influence.T
    aucs += mean + math.sqrt(seed) * rng.normal(size=(replicates, seeds))
    return Sample(sample.seeds, aucs, sample.influence)


# the share of the variance that the seeds have decides which degrees of freedom fail
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 1])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_true_hypotheses_are_rejected_at_the_level(seeds, share):
    rng = np.random.default_rng(seeds)
    parts = share * seeds / 2, share * seeds / 2, 1 - share
    found = estimate(of_normal(rng, 40_000, seeds, *parts))
    # a share of 40,000 has a standard error of 0.1 % at 5 %
    assert 0.033 < np.mean(p_value(found) < 0.05) < 0.065
    # at a small level the other p value is needed, whose root is not searched for here
    level = 0.05 / 12
    statistic = np.abs(found.mean) / found.standard_error
    assert np.mean(statistic > critical_value(found, level)) < 1.5 * level


@pytest.mark.parametrize("share", [0.2, 0.9, 1])
@pytest.mark.parametrize("balance", [0.5, 0.95])
@pytest.mark.parametrize("seeds", [(3, 3), (3, 5)])
def test_so_they_are_with_nested_seeds(seeds, balance, share):
    rng = np.random.default_rng(0)
    rows = []
    for number, part in zip(seeds, (balance, 1 - balance), strict=True):
        seed = share * part * number / 2
        row = of_normal(rng, 40_000, number, seed, seed, (1 - share) / 2)
        rows.append(on_images(row, len(rows)))
    assert 0.03 < np.mean(p_value(nested_difference(*rows)) < 0.05) < 0.068


@cache
def simulated(seeds, seed_sd, images, rows=7, auc=0.9, replicates=500):
    """Intervals of rows and of differences from the first, in repeated draws of all.

    The three-class extension of the model of Roe & Metz that `benchmarks/inference.py` has, with a
    smaller part of the images' variance for each network alone.
    """
    rng = np.random.default_rng(seeds)
    labels = np.arange(images) % 3
    v = (seed_sd / norm.pdf(norm.ppf(auc))) ** 2
    shape = (replicates, rows, seeds, images, 3)

    def part(variance, *same):
        size = [1 if axis in same else number for axis, number in enumerate(shape)]
        return math.sqrt(variance) * rng.normal(size=size)

    scores = part(0.6, 1, 2) + part(0.1, 2) + part(0.1, 1) + part(0.2)
    shift = norm.ppf(auc) * math.sqrt(2 + 2 * v) + part(v, 1, 3, 4) + part(v, 3, 4)
    sample = macro(scores + shift * np.eye(3)[labels], labels=labels)
    first, others = (Sample(sample.seeds, sample.values[:, r], sample.influence[:, r])
                     for r in (slice(1), slice(1, None)))  # fmt: skip
    return row_interval(estimate(sample)), difference_interval(difference(others, first))


@pytest.mark.parametrize(
    ("seeds", "seed_sd", "images"), [(2, 0.02, 150), (3, 0, 150), (3, 0.02, 300), (5, 0.01, 150)]
)
def test_intervals_contain_the_truth(seeds, seed_sd, images):
    row, between = simulated(seeds, seed_sd, images)
    for (low, high), truth in ((row, 0.9), (between, 0)):
        assert 0.91 < np.mean((low <= truth) & (truth <= high)) < 0.99


@pytest.mark.parametrize("auc", [0.8, 0.95])
def test_intervals_of_networks_contain_what_they_do_with_other_images(auc):
    """Two rows of networks that are what they are: seeds are not drawn anew."""
    rng, is_positive = np.random.default_rng(11), np.arange(150) < 50
    # AUCs of norm.cdf(shift / sqrt(2))
    shifts = math.sqrt(2) * norm.ppf(auc) + np.array([[0.2, 0, -0.2], [-0.1, 0, 0.1]])
    scores = np.sqrt(0.5) * (
        rng.normal(size=(2000, 1, 1, 150)) + rng.normal(size=(2000, 2, 3, 150))
    )
    scores += shifts[..., None] * is_positive
    one, two = (class_sample(is_positive, scores[:, row]) for row in (0, 1))
    truth = norm.cdf(shifts / math.sqrt(2)).mean(axis=1)
    row, between = of_networks(estimate(one)), of_networks(difference(one, two))
    for (low, high), value in (
        (row_interval(row), truth[0]),
        (difference_interval(between), truth[0] - truth[1]),
    ):
        # a share of 2000 has a standard error of 0.5 %
        assert 0.93 < np.mean((low <= value) & (value <= high)) < 0.97
