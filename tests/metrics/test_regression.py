"""Scores of a regression: by hand, and of predictors whose errors are known."""

import numpy as np
import pandas as pd
import pytest

from sslens.metrics.distributions import Histogram, Normal
from sslens.metrics.gaussian import LEVELS
from sslens.metrics.regression import (
    SCORES,
    Calibration,
    calibrate,
    check_predictions,
    columns_of,
    contributions,
    score,
    score_target,
)

MASS = "log10_axion_mass"
#: Evenly over the two dex of the prior.
TRUE = np.linspace(-24, -22, 20_001)
HALVES = slice(None, 20_000), slice(20_000, None)


def scaled(factor):
    """A calibration with a scale and nothing else."""
    return Calibration(factor, {level: level for level in LEVELS})


PLAIN = scaled(1.0)


def frame(true, mean, deviation, target=MASS):
    columns = dict(zip(columns_of(target), (true, mean, deviation), strict=True))
    return pd.DataFrame({"image_id": [f"image-{k}" for k in range(len(true))], **columns})


def test_what_predicts_the_mean_scores_as_is_known():
    found = score_target(TRUE, Normal(np.full(len(TRUE), -23.0), np.full(len(TRUE), 0.577)), PLAIN)
    assert found["mae"] == pytest.approx(0.5, abs=1e-3)
    assert found["rmse"] == pytest.approx(1 / np.sqrt(3), abs=1e-3)
    assert found["r2"] == pytest.approx(0, abs=1e-9) and found["correlation"] is None
    assert found["bias"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("width", [0.4, 1.0, 1.5])
def test_what_is_blind_above_a_mass_scores_as_is_known(width):
    """It predicts the middle of what it does not see, and the truth elsewhere."""
    blind = -22 - width < TRUE
    mean = np.where(blind, -22 - width / 2, TRUE)
    found = score_target(TRUE, Normal(mean, np.where(blind, width / 12**0.5, 1e-6)), PLAIN)
    assert found["mae"] == pytest.approx(width**2 / 8, rel=1e-2)
    assert found["rmse"] == pytest.approx(np.sqrt(width**3 / 24), rel=1e-2)
    assert found["r2"] == pytest.approx(1 - width**3 / 8, abs=2e-3)
    # w^2/12 is of a flat distribution; a normal one of its deviation comes near
    assert found["crps"] == pytest.approx(width**2 / 12, rel=0.05)
    edges = np.linspace(-24, -22, 2001)
    flat = np.where(blind[:, None] & (edges[:-1] > -22 - width - 1e-9), 1.0, 0.0)[::40]
    seen = np.searchsorted(edges, TRUE[::40], side="right") - 1
    flat[np.arange(len(seen)), np.minimum(seen, 1999)] += np.where(blind[::40], 0, 1)
    flat = score_target(TRUE[::40], Histogram(edges, flat), PLAIN)
    assert flat["crps"] == pytest.approx(width**2 / 12, rel=0.03)
    bins = found["by_true_value"]
    assert sum(row["images"] for row in bins) == len(TRUE)
    assert bins[0]["mae"] < 1e-6 < bins[-1]["mae"]


def test_scores_by_hand():
    true, mean = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.5, 2.0, 2.0, 4.5])
    deviation = np.array([1.0, 0.5, 0.5, 0.25])
    found = score_target(true, Normal(mean, deviation), scaled(2.0))
    assert found["mae"] == pytest.approx(0.5)
    assert found["rmse"] == pytest.approx(np.sqrt((0.25 + 1 + 0.25) / 4))
    assert found["bias"] == pytest.approx(0.0)
    assert found["r2"] == pytest.approx(1 - 1.5 / 5)
    assert found["correlation"] == pytest.approx(np.corrcoef(true, mean)[0, 1])
    # errors in deviations: 0.5, 0, 2, 2
    assert found["coverage"] == {"0.5": 0.5, "0.68": 0.5, "0.9": 0.5, "0.95": 0.5}
    assert found["calibrated"]["coverage"] == {"0.5": 0.5, "0.68": 0.5, "0.9": 1.0, "0.95": 1.0}


def test_a_temperature_moves_no_mean_in_the_bins_of_true_values():
    edges, true = np.linspace(-24, -22, 41), np.linspace(-24, -22, 400)
    rising = Histogram(edges, np.repeat(np.arange(1.0, 41)[None] / 820, 400, axis=0))
    plain, narrow = (score_target(true, rising, scaled(factor)) for factor in (1.0, 0.5))
    for before, after in zip(plain["by_true_value"], narrow["by_true_value"], strict=True):
        for name in ("mae", "rmse", "bias"):
            assert before[name] == after[name]
        assert before["deviation"] > after["deviation"]


def test_contributions_are_what_scores_change_by_without_an_image():
    rng, images = np.random.default_rng(0), 500
    true = rng.uniform(-24, -22, images)
    spread = rng.uniform(0.1, 0.4, images)
    mean = 0.9 * true - 2.2 + spread * rng.normal(size=images)
    scores = contributions(true, Normal(mean, spread))
    assert tuple(scores) == SCORES
    for place in (0, 17, 499):
        kept = np.arange(images) != place
        without = contributions(true[kept], Normal(mean[kept], spread[kept]))
        for name, (value, parts) in scores.items():
            assert parts.mean() == pytest.approx(0, abs=1e-12)
            # to first order in 1 / n
            expected = (images - 1) * (value - without[name][0])
            assert parts[place] == pytest.approx(expected, abs=0.03 * parts.std()), name


def test_scores_of_what_is_exact_or_does_not_vary():
    true = np.array([1.0, 2.0, 3.0])
    exact = contributions(true, Normal(true, np.ones(3)))
    assert exact["rmse"][0] == 0 and not exact["rmse"][1].any() and exact["r2"][0] == 1
    constant = score_target(np.ones(3), Normal(true, np.ones(3)), PLAIN)
    assert constant["r2"] is None and constant["correlation"] is None


def test_the_scale_is_of_the_validation_images_and_images_without_a_target_do_not_count():
    rng = np.random.default_rng(0)
    true = rng.uniform(-24, -22, 5000)
    mean = true + rng.normal(0, 0.2, 5000)
    true[::5] = np.nan
    test, validation = (frame(true, mean, np.full(5000, width)) for width in (0.1, 0.4))
    found = score(test, validation, [MASS])
    own = found["targets"][MASS]
    assert (found["images"], own["images"]) == (5000, 4000)
    assert own["scale"] == pytest.approx(0.5, rel=0.03)
    assert own["mae"] == pytest.approx(0.2 * np.sqrt(2 / np.pi), rel=0.03)


def test_calibrated_intervals_hold_what_they_are_to_hold_whatever_is_predicted():
    """Of flat errors, intervals of normal distributions do not: those of 50 % hold 39 %."""
    rng = np.random.default_rng(0)
    true = rng.uniform(-24, -22, 40_000)
    flat = Normal(np.full(40_000, -23.0), np.full(40_000, 0.1))
    halves = [Normal(*(part[own] for part in (flat.mean, flat.deviation))) for own in HALVES]
    calibration = calibrate(true[HALVES[0]], halves[0])
    assert calibration.scale == pytest.approx(10 / np.sqrt(3), rel=0.01)
    found = score_target(true[HALVES[1]], halves[1], calibration)
    assert found["levels"] == {f"{share:g}": level for share, level in calibration.levels.items()}
    for share in LEVELS:
        assert found["calibrated"]["coverage"][f"{share:g}"] == pytest.approx(share, abs=0.01)
    of_scale_alone = score_target(true[HALVES[1]], halves[1], scaled(calibration.scale))
    assert of_scale_alone["calibrated"]["coverage"]["0.5"] == pytest.approx(0.39, abs=0.01)
    held = [row["coverage"]["0.5"] for row in found["by_true_value"]]
    assert held == pytest.approx([0, 0, 1, 1, 1, 1, 0, 0], abs=0.1), "all or nothing, by true value"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns=f"std_{MASS}"), "lack the columns std_log10_axion_mass"),
        (lambda f: f.assign(image_id="a"), "2 predictions repeat an image id, such as a"),
        (lambda f: f.assign(**{f"std_{MASS}": 0.0}), "3 of 3 predictions of log10_axion_mass are"),
        (lambda f: f.assign(**{f"mean_{MASS}": [1, np.nan, 2]}), "1 of 3 .* first of them image-1"),
    ],
)
def test_predictions_that_cannot_be_scored_are_refused(change, message):
    good = frame(np.array([1.0, np.nan, 3.0]), np.ones(3), np.ones(3))
    check_predictions(good, [MASS])
    with pytest.raises(ValueError, match=message.replace("image-1", "image image-1")):
        check_predictions(change(good), [MASS])


def test_a_target_that_no_image_has_cannot_be_scored():
    nothing = frame(np.full(3, np.nan), np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="fewer than two test or validation images have log10_a"):
        score(nothing, nothing, [MASS])
