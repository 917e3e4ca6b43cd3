"""Intervals and tests of AUCs: against slow transcriptions, other packages, and in simulations."""

import math
from functools import cache

import numpy as np
import pytest
from MLstatkit import Delong_test
from scipy.stats import binomtest, norm
from sklearn.metrics import roc_auc_score

from sslens.metrics import uncertainty
from sslens.metrics.uncertainty import (
    class_difference,
    class_interval,
    delong,
    holm,
    macro_difference,
    macro_draws,
    macro_interval,
    resampled_counts,
)
from sslens.seeds import derive_seed

OF_CLASS = np.arange(40) < 15


def binormal(rng, shifts, of_class, correlation=0.5):
    """Scores (k, n) of models with AUC norm.cdf(shift / sqrt(2)), correlated by image."""
    shared = rng.normal(size=len(of_class))
    own = rng.normal(size=(len(shifts), len(of_class)))
    noise = math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own
    return noise + np.outer(shifts, of_class)


def some_scores(k, ties, seed=0):
    scores = binormal(np.random.default_rng(seed), np.linspace(0.5, 1.5, k), OF_CLASS)
    return np.round(scores) if ties else scores


def truth(shifts):
    return float(np.mean(norm.cdf(np.array(shifts) / math.sqrt(2))))


# --- DeLong ---------------------------------------------------------------------------------------


def slow_delong(of_class, scores):
    """AUCs and covariances, by the structural components of DeLong et al. written out."""
    inside = [i for i in range(len(of_class)) if of_class[i]]
    outside = [j for j in range(len(of_class)) if not of_class[j]]
    m, n, k = len(inside), len(outside), len(scores)

    def psi(r, i, j):
        difference = scores[r][i] - scores[r][j]
        return 1 if difference > 0 else 0.5 if difference == 0 else 0

    v10 = [[sum(psi(r, i, j) for j in outside) / n for i in inside] for r in range(k)]
    v01 = [[sum(psi(r, i, j) for i in inside) / m for j in outside] for r in range(k)]
    aucs = [sum(v10[r]) / m for r in range(k)]
    covariance = np.zeros((k, k))
    for r in range(k):
        for s in range(k):
            s10 = sum((v10[r][i] - aucs[r]) * (v10[s][i] - aucs[s]) for i in range(m)) / (m - 1)
            s01 = sum((v01[r][j] - aucs[r]) * (v01[s][j] - aucs[s]) for j in range(n)) / (n - 1)
            covariance[r, s] = s10 / m + s01 / n
    return np.array(aucs), covariance


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_delong_by_its_definition(k, ties):
    scores = some_scores(k, ties)
    aucs, covariance = delong(OF_CLASS, scores)
    expected_aucs, expected_covariance = slow_delong(OF_CLASS, scores)
    assert aucs.shape == (k,) and covariance.shape == (k, k)
    np.testing.assert_allclose(aucs, expected_aucs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(covariance, expected_covariance, rtol=0, atol=1e-12)
    assert aucs == pytest.approx([roc_auc_score(OF_CLASS, row) for row in scores], abs=1e-12)
    assert aucs.min() > 0.5 and aucs.max() < 1


@pytest.mark.parametrize("ties", [False, True])
def test_delong_is_that_of_mlstatkit(ties):
    scores = some_scores(2, ties, seed=3)
    z, p, interval, _, first_auc, second_auc, info = Delong_test(OF_CLASS, *scores)
    assert info["method"] == "delong"
    aucs, covariance = delong(OF_CLASS, scores)
    assert aucs == pytest.approx([first_auc, second_auc], abs=1e-12)
    # its interval is symmetric, and not cut here
    half_width = (interval[1] - interval[0]) / 2
    assert interval[1] < 1
    assert norm.isf(0.025) * math.sqrt(covariance[0, 0]) == pytest.approx(half_width, abs=1e-12)
    difference, low, high, p_value = class_difference(OF_CLASS, scores[:1], scores[1:])
    assert p_value == pytest.approx(p, abs=1e-12)
    # its difference is second less first
    assert difference / ((high - low) / 2 / norm.isf(0.025)) == pytest.approx(-z, abs=1e-9)


@pytest.mark.parametrize("images", [0, 1, 39, 40])
def test_a_variance_needs_two_images_of_each_side(images):
    few = np.arange(40) < images
    for call in (
        lambda: delong(few, some_scores(2, False)),
        lambda: class_interval(few, some_scores(2, False)),
        lambda: class_difference(few, some_scores(1, False), some_scores(2, False)),
    ):
        with pytest.raises(ValueError, match="two images of the class and two of the rest"):
            call()


def test_nan_has_no_rank():
    scores = some_scores(2, False)
    scores[1, 3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        delong(OF_CLASS, scores)
    with pytest.raises(ValueError, match="NaN"):
        macro_draws(np.arange(40) % 2, np.stack([scores, scores], axis=2), 0, 5)


# --- one class ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ties", [False, True])
def test_class_interval_by_hand(ties):
    scores = some_scores(3, ties)
    aucs, covariance = slow_delong(OF_CLASS, scores)
    mean = aucs.mean()
    error = math.sqrt(covariance.sum() / 9) / (mean * (1 - mean))
    ends = [math.log(mean / (1 - mean)) + sign * 1.959963984540054 * error for sign in (-1, 1)]
    expected = [mean, *(1 / (1 + math.exp(-end)) for end in ends)]
    assert class_interval(OF_CLASS, scores) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_class_difference_by_hand(ties):
    first, second = some_scores(3, ties), some_scores(2, ties, seed=5)
    aucs, covariance = slow_delong(OF_CLASS, np.concatenate([first, second]))
    contrast = np.array([1 / 3, 1 / 3, 1 / 3, -1 / 2, -1 / 2])
    difference = float(contrast @ aucs)
    error = math.sqrt(contrast @ covariance @ contrast)
    expected = [
        difference,
        difference - 1.959963984540054 * error,
        difference + 1.959963984540054 * error,
        math.erfc(abs(difference) / error / math.sqrt(2)),
    ]
    assert class_difference(OF_CLASS, first, second) == pytest.approx(expected, abs=1e-12)
    turned = [-expected[0], -expected[2], -expected[1], expected[3]]
    assert class_difference(OF_CLASS, second, first) == pytest.approx(turned, abs=1e-12)


@pytest.mark.parametrize("images", [2, 15, 30])
@pytest.mark.parametrize("k", [1, 3, 7])
def test_perfect_separation_gives_a_one_sided_bound(images, k):
    of_class = np.arange(40) < images
    scores = np.random.default_rng(0).random((k, 40)) + of_class
    bound = 0.05 ** (1 / min(images, 40 - images))
    assert class_interval(of_class, scores) == pytest.approx((1, bound, 1), abs=1e-12)
    assert class_interval(of_class, -scores) == pytest.approx((0, 0, 1 - bound), abs=1e-12)
    assert class_interval(of_class, scores)[0] == class_interval(of_class, scores)[2] == 1
    # the least share that Clopper and Pearson leave after so many successes alone
    trials = min(images, 40 - images)
    pearson = binomtest(trials, trials, alternative="greater").proportion_ci(0.95, "exact")
    assert bound == pytest.approx(pearson.low, abs=1e-9)


def test_a_constant_score_is_not_sure_of_its_auc():
    bound = 0.05 ** (1 / 15)
    constant = np.full((3, 40), 0.1)
    expected = (0.5, 0.5 * bound, 1 - 0.5 * bound)
    assert class_interval(OF_CLASS, constant) == pytest.approx(expected, abs=1e-12)
    # a mean without variance of models that have one
    scores = some_scores(1, False)
    opposed = np.concatenate([scores, -scores])
    assert delong(OF_CLASS, opposed)[1][0, 0] > 0
    assert class_interval(OF_CLASS, opposed) == pytest.approx(expected, abs=1e-12)


def test_rows_that_always_agree_differ_by_nothing_that_shows():
    scores, bound = some_scores(3, False), 0.05 ** (1 / 15)
    # twice the same models, however often: exactly 0, with no rounding left to divide by
    for first, second in [(scores, scores), (scores, np.tile(scores, (7, 1)))]:
        found = class_difference(OF_CLASS, first, second)
        assert found == pytest.approx((0, bound - 1, 1 - bound, 1), abs=1e-12)
        assert found[0] == 0 and found[3] == 1
    told = np.stack([OF_CLASS + 0.0, 3.0 * OF_CLASS])
    assert class_difference(OF_CLASS, told, told[:1])[3] == 1


def test_rows_that_always_differ():
    told, constant = OF_CLASS[None] + 0.0, np.zeros((2, 40))
    bound = 0.05 ** (1 / 15)
    expected = (0.5, 1.5 * bound - 1, 1 - bound / 2, 1.5**-15)
    assert class_difference(OF_CLASS, told, constant) == pytest.approx(expected, abs=1e-12)
    # with few images the interval has 0 in it, and p is above 5 %: 1.5^-7 = 0.06, 1.5^-8 = 0.04
    for images, sure in [(7, False), (8, True)]:
        few = np.arange(40) < images
        _, low, _, p_value = class_difference(few, few[None] + 0.0, constant)
        assert (low > 0) == (p_value < 0.05) == sure


# --- macro AUC ------------------------------------------------------------------------------------

SIZES = (12, 20, 9)
LABELS = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], SIZES))


def three_scores(models, ties, labels=LABELS, shift=1.0, seed=2):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(models, len(labels), 3)) + shift * np.eye(3)[labels]
    return np.round(scores) if ties else scores


@pytest.mark.parametrize("ties", [False, True])
def test_draws_are_those_of_resampled_images(ties):
    scores = three_scores(3, ties)
    found = macro_draws(LABELS, scores, seed=7, draws=100)  # more than a chunk
    assert found.shape == (100, 3)
    counts = resampled_counts(LABELS, np.random.default_rng(derive_seed(7, "bootstrap")), 100)
    for row, weights in zip(found, counts, strict=True):
        sample = np.repeat(np.arange(len(LABELS)), weights)
        labels = LABELS[sample]
        assert np.bincount(labels).tolist() == list(SIZES)
        expected = [
            np.mean([roc_auc_score(labels == c, model[sample, c]) for c in range(3)])
            for model in scores
        ]
        assert row == pytest.approx(expected, abs=1e-12)
    assert len(set(found[:, 0])) > 80


def test_every_image_is_drawn_as_often():
    counts = resampled_counts(LABELS, np.random.default_rng(0), 4000)
    assert (counts.sum(axis=1) == len(LABELS)).all()
    # an image of a class of m is Binomial(m, 1/m) times in a sample
    error = math.sqrt(1 / 4000)
    assert np.abs(counts.mean(axis=0) - 1).max() < 4.5 * error
    for c, size in enumerate(SIZES):
        variance = counts[:, c == LABELS].var()
        assert variance == pytest.approx(1 - 1 / size, abs=0.05)


def test_draws_are_keyed_by_the_seed(monkeypatch):
    scores = three_scores(2, False)
    draws = macro_draws(LABELS, scores, 3, 150)
    assert (macro_draws(LABELS, scores, 3, 150) == draws).all()
    assert (macro_draws(LABELS, scores, 4, 150) != draws).any()
    assert (macro_draws(LABELS, scores[1:], 3, 150) == draws[:, 1:]).all()
    assert (macro_draws(LABELS, scores, 3, 70) == draws[:70]).all()
    monkeypatch.setattr(uncertainty, "CHUNK", 11)
    assert (macro_draws(LABELS, scores, 3, 150) == draws).all()


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2], [0, 0, 1, 1], [0, 0, 1, 1, 2, 2, 3, 3]])
def test_draws_need_two_images_of_every_class(labels):
    with pytest.raises(ValueError, match="need two images of each"):
        macro_draws(np.array(labels), np.zeros((1, len(labels), 3)), 0)


def test_macro_interval_is_the_percentile_interval():
    draws = np.random.default_rng(0).permutation(1001) / 1000
    assert macro_interval(0.6, draws, SIZES) == pytest.approx((0.025, 0.975), abs=1e-12)


def test_a_perfect_macro_auc_has_a_one_sided_bound():
    draws = macro_draws(LABELS, np.tile(np.eye(3)[LABELS], (2, 1, 1)), 0, 50)
    assert (draws == 1).all()
    bounds = [(0.05 / 3) ** (1 / 12), (0.05 / 3) ** (1 / 20), (0.05 / 3) ** (1 / 9)]
    expected = (sum(bounds) / 3, 1)
    assert macro_interval(1.0, draws.mean(axis=1), SIZES) == pytest.approx(expected, abs=1e-12)
    # the rest of a class that has most of the images is the smaller
    expected = (np.mean([(0.05 / 3) ** (1 / 5), (0.05 / 3) ** (1 / 2), (0.05 / 3) ** (1 / 3)]), 1)
    assert macro_interval(1.0, np.ones(9), (20, 2, 3)) == pytest.approx(expected, abs=1e-12)


def test_a_constant_score_is_not_sure_of_its_macro_auc():
    draws = macro_draws(LABELS, np.zeros((1, len(LABELS), 3)), 0, 50)[:, 0]
    slack = 1 - macro_interval(1.0, np.ones(9), SIZES)[0]
    assert macro_interval(0.5, draws, SIZES) == pytest.approx((0.5 - slack, 0.5 + slack), abs=1e-12)


def test_macro_difference_by_hand():
    rng = np.random.default_rng(0)
    first = 0.8 + 0.01 * rng.normal(size=401)
    second = first - 0.02 + 0.01 * rng.normal(size=401)
    low, high, p_value = macro_difference(0.021, first, second)
    differences = sorted((first - second).tolist())
    assert (low, high) == pytest.approx((differences[10], differences[390]), abs=1e-12)
    mean = sum(differences) / 401
    error = math.sqrt(sum((d - mean) ** 2 for d in differences) / 400)
    assert p_value == pytest.approx(math.erfc(0.021 / error / math.sqrt(2)), abs=1e-12)
    assert 0.03 < p_value < 0.05
    turned = macro_difference(-0.021, second, first)
    assert turned == pytest.approx((-high, -low, p_value), abs=1e-12)


def test_macro_aucs_that_always_differ_by_the_same():
    ones, sizes = np.ones(30), (50, 50, 50)
    slack = 2 * (1 - (0.05 / 3) ** (1 / 50))
    same = macro_difference(0.0, ones, ones, sizes)
    assert same == pytest.approx((-slack, slack, 1), abs=1e-12)
    low, high, p_value = macro_difference(0.5, ones, ones / 2, sizes)
    assert (low, high) == pytest.approx((0.5 - slack, 0.5 + slack), abs=1e-12)
    assert p_value == pytest.approx(3 * 0.75**50, abs=1e-12)
    # p is 5 % where the interval ends at 0
    assert macro_difference(slack, ones, ones - slack, sizes)[2] == pytest.approx(0.05, abs=1e-9)
    # without the number of images, only that nothing differs is known
    assert macro_difference(0.0, ones, ones) == pytest.approx((np.nan, np.nan, 1), nan_ok=True)
    assert all(math.isnan(x) for x in macro_difference(0.5, ones, ones / 2))
    assert (macro_difference(0.5, ones, ones / 2, (4, 4, 4))[1]) == 1


# --- simulations ----------------------------------------------------------------------------------
# The share of 2000 intervals that hold the truth has a standard error of 0.5 %, of 1000 of 0.7 %.

REPEATS = 2000
MACRO_REPEATS = 1000


@cache
def simulated_class(shifts, others):
    """Intervals and p values of two rows of models, in repeated draws of the images."""
    rng = np.random.default_rng(11)
    of_class = np.arange(150) < 50
    intervals, differences = [], []
    for _ in range(REPEATS):
        scores = binormal(rng, shifts + others, of_class)
        first, second = np.split(scores, [len(shifts)])
        intervals.append(class_interval(of_class, first))
        differences.append(class_difference(of_class, first, second))
    return np.array(intervals), np.array(differences)


@cache
def simulated_macro(first, second):
    """Intervals of a row, and intervals and p values of its difference from another one."""
    rng = np.random.default_rng(12)
    labels = np.repeat([0, 1, 2], (60, 50, 40))
    told = np.eye(3)[labels]
    intervals, differences = [], []
    for repeat in range(MACRO_REPEATS):
        shared = rng.normal(size=(150, 3))
        scores = np.stack([(shared + rng.normal(size=(150, 3))) / math.sqrt(2) for _ in range(2)])
        scores += np.array([first, second])[:, None, None] * told
        macros = [
            np.mean([roc_auc(labels == c, model[:, c]) for c in range(3)]) for model in scores
        ]
        draws = macro_draws(labels, scores, repeat, 400)
        intervals.append(macro_interval(macros[0], draws[:, 0], (60, 50, 40)))
        differences.append(macro_difference(macros[0] - macros[1], *draws.T))
    return np.array(intervals), np.array(differences)


def roc_auc(of_class, scores):
    """As scikit-learn's, without its checks, which take most of the time."""
    pairs = scores[of_class][:, None] - scores[~of_class][None]
    return np.mean(pairs > 0) + np.mean(pairs == 0) / 2


def share_within(intervals, value):
    return float(np.mean((intervals[:, 0] <= value) & (value <= intervals[:, 1])))


@pytest.mark.parametrize(
    ("shifts", "others"), [((1.5, 1.2, 1.0), (0.9, 1.1)), ((2.4, 2.2, 2.3), (2.0,))]
)
def test_class_intervals_hold_the_truth(shifts, others):
    intervals, differences = simulated_class(shifts, others)
    assert 0.93 < share_within(intervals[:, 1:], truth(shifts)) < 0.97
    assert 0.93 < share_within(differences[:, 1:3], truth(shifts) - truth(others)) < 0.97
    # far more often than they hold what is not true
    assert share_within(intervals[:, 1:], truth(others)) < 0.85


def test_p_values_of_equal_rows_are_uniform():
    _, differences = simulated_class((1.2, 1.2, 1.2), (1.2, 1.2))
    p_values = differences[:, 3]
    assert 0.035 < np.mean(p_values < 0.05) < 0.065
    assert 0.46 < np.mean(p_values < 0.5) < 0.54
    assert share_within(differences[:, 1:3], 0) == pytest.approx(1 - np.mean(p_values < 0.05))


def test_macro_intervals_hold_the_truth():
    intervals, differences = simulated_macro(1.5, 1.2)
    assert 0.93 < share_within(intervals, truth([1.5])) < 0.97
    assert 0.93 < share_within(differences[:, :2], truth([1.5]) - truth([1.2])) < 0.97
    assert share_within(intervals, truth([1.2])) < 0.5


def test_p_values_of_equal_macro_aucs_are_uniform():
    _, differences = simulated_macro(1.2, 1.2)
    p_values = differences[:, 2]
    assert 0.03 < np.mean(p_values < 0.05) < 0.07
    assert 0.45 < np.mean(p_values < 0.5) < 0.55


# --- several tests, and shares --------------------------------------------------------------------


def slow_holm(p_values):
    """Step by step, as Holm 1979 rejects: the adjusted p value is the level it takes to get there.

    The hypothesis of the i-th smallest p value (from 0) is rejected at a level if this and all
    smaller ones are at most level / (tests - i).
    """
    made = sorted(p for p in p_values if not math.isnan(p))
    adjusted = []
    for p in p_values:
        levels = [(len(made) - i) * q for i, q in enumerate(made) if q <= p]
        adjusted.append(math.nan if math.isnan(p) else min(1.0, max(levels)))
    return adjusted


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9, 0.6]) == pytest.approx([1, 1, 1])
    assert holm([]).tolist() == []


@pytest.mark.parametrize("tests", [1, 2, 5, 20])
def test_holm_step_by_step(tests):
    p_values = np.random.default_rng(tests).random(tests) ** 3
    assert holm(p_values) == pytest.approx(slow_holm(p_values), abs=1e-15)
    gaps = np.insert(p_values, [0, tests // 2, tests], np.nan)
    assert holm(gaps) == pytest.approx(slow_holm(gaps), abs=1e-15, nan_ok=True)
    assert np.isnan(holm(gaps)).sum() == 3
    assert holm(gaps)[~np.isnan(gaps)] == pytest.approx(holm(p_values), abs=1e-15)
    assert np.isnan(holm([np.nan, np.nan])).all()
