"""What the reliability diagrams of `figures.reliability` say."""

import numpy as np
import pandas as pd
import pytest

from sslens.figures.reliability import FULL_AREA, reliability_figure
from sslens.metrics.calibration import error_of_bins

PLAIN = pd.DataFrame(
    {"confidence": [0.4, np.nan, 0.9], "accuracy": [0.4, np.nan, 0.7], "images": [25, 0, 75]}
)
CALIBRATED = pd.DataFrame({"confidence": [0.7], "accuracy": [0.69], "images": [100]})
CURVES = {"BYOL": {"plain": PLAIN, "calibrated": CALIBRATED}, "SSL": {"plain": PLAIN}}


def test_the_error_is_the_mean_gap_over_images():
    assert error_of_bins(PLAIN) == pytest.approx(0.75 * 0.2)
    assert error_of_bins(CALIBRATED) == pytest.approx(0.01)


def test_lines_are_the_bins_and_legends_have_the_errors(texts_of):
    figure = reliability_figure(CURVES, "Model I")
    both, plain = figure.axes
    assert [both.get_title(), plain.get_title()] == ["BYOL", "SSL"]
    assert texts_of(both.get_legend()) == [
        "as predicted, ECE 0.150",
        "temperature-scaled, ECE 0.010",
    ]
    assert texts_of(plain.get_legend()) == ["as predicted, ECE 0.150"]
    diagonal, first, _, second, _ = both.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert first.get_xydata().tolist() == [[0.4, 0.4], [0.9, 0.7]]  # no bin without images
    assert second.get_xydata().tolist() == [[0.7, 0.69]]
    assert first.get_color() != second.get_color()
    assert first.get_linestyle() != second.get_linestyle()


def test_the_area_of_a_marker_is_the_share_of_the_images():
    points, single = reliability_figure(CURVES, "").axes[0].collections
    assert points.get_offsets().tolist() == [[0.4, 0.4], [0.9, 0.7]]
    assert points.get_sizes() == pytest.approx(FULL_AREA * np.array([0.25, 0.75]))
    assert single.get_sizes() == pytest.approx([FULL_AREA])
    assert len(points.get_paths()[0].vertices) != len(single.get_paths()[0].vertices)


def test_what_cannot_be_drawn_is_refused():
    for nothing in ({}, {"BYOL": {}}):
        with pytest.raises(ValueError, match="no reliability curves"):
            reliability_figure(nothing, "")
    with pytest.raises(ValueError, match="the plain reliability curve of BYOL has no images"):
        reliability_figure({"BYOL": {"plain": PLAIN.iloc[:0]}}, "")
    with pytest.raises(ValueError, match="unknown curve 'scaled'; known are plain, calibrated"):
        reliability_figure({"BYOL": {"scaled": PLAIN}}, "")


def test_the_file_is_the_same_twice(same_twice):
    same_twice(lambda: reliability_figure(CURVES, "T"))
