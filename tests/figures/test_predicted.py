"""Figures of a regression: what they draw is what was predicted."""

import numpy as np
import pandas as pd
import pytest

from sslens.figures.predicted import calibration_figure, predicted_figure
from sslens.metrics.regression import columns_of

MASS, RADIUS = "log10_axion_mass", "shown_einstein_radius"
SIZE = 4000


def frame(target, deviation, predicted, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.uniform(-24, -22, SIZE)
    mean = true + rng.normal(0, deviation, SIZE)
    true[0] = np.nan
    columns = dict(zip(columns_of(target), (true, mean, np.full(SIZE, predicted)), strict=True))
    return pd.DataFrame({"image_id": np.arange(SIZE), **columns})


def test_predictions_stand_over_true_values_a_row_a_target():
    good, wide = (
        frame(MASS, deviation, deviation).merge(frame(RADIUS, deviation, deviation))
        for deviation in (0.05, 0.3)
    )
    rows = {"Baseline": [good, good], "Other": [wide]}
    figure = predicted_figure(rows, [MASS, RADIUS], {MASS: -22.4}, "Model II")
    panels = figure.axes
    assert [panel.get_title() for panel in panels] == ["Baseline", "Other"] * 2
    assert panels[0].get_xlabel() == "true log10 axion mass (eV)"
    assert panels[2].get_ylabel() == "predicted Einstein radius (arcsec)"
    points, _, line, *limit = panels[0].lines
    assert len(points.get_xdata()) <= 1500
    assert set(points.get_xdata()) <= set(good[f"true_{MASS}"])
    np.testing.assert_allclose(line.get_ydata(), line.get_xdata(), atol=0.03)
    assert [list(one.get_xdata()) for one in limit] == [[-22.4, -22.4]]
    assert len(panels[2].lines) == 3, "no limit of the radius is known"


def test_more_rows_than_a_page_can_show_follow_below():
    rows = {f"Row {k}": [frame(MASS, 0.1 * k + 0.05, 0.1)] for k in range(5)}
    figure = predicted_figure(rows, [MASS], {}, "Model II")
    panels = figure.axes
    assert [panel.get_title() for panel in panels] == list(rows)
    assert [panel.get_ylabel() != "" for panel in panels] == [True, False, False, True, False]
    assert len({panel.get_xlim() for panel in panels}) == 1
    assert len({panel.get_ylim() for panel in panels}) == 1
    assert figure.get_size_inches()[0] < 10


@pytest.mark.parametrize("claimed", [0.05, 0.2, 0.6])
def test_calibration_is_with_deviations_that_validation_images_have_scaled(claimed):
    rows = {"Baseline": [frame(MASS, 0.2, claimed, seed) for seed in (1, 2)]}
    validation = {"Baseline": [frame(MASS, 0.2, claimed, seed) for seed in (3, 4)]}
    errors, by_value, pit, coverage = calibration_figure(rows, validation, MASS, "Model II").axes
    mean_error, deviation = errors.lines
    np.testing.assert_allclose(mean_error.get_ydata(), 0.2 * np.sqrt(2 / np.pi), rtol=0.1)
    np.testing.assert_allclose(deviation.get_ydata(), 0.2, rtol=0.03)
    _, share = by_value.lines
    np.testing.assert_allclose(share.get_ydata(), 0.9, atol=0.04)
    (stairs,) = pit.patches
    np.testing.assert_allclose(stairs.get_data().values, 1, atol=0.12)
    _, curve = coverage.lines
    np.testing.assert_allclose(curve.get_ydata(), curve.get_xdata(), atol=0.02)
