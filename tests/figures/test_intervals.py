"""The figure of all methods: points, intervals, and what they are compared with."""

import numpy as np
import pandas as pd
import pytest

from sslens.figures.intervals import intervals_figure

ROWS = {"baseline": "Baseline", "byol": "Bootstrap Your Own Latent"}
DATASETS = {"model_1": "Model I", "model_2": "Model II"}


def cell(arm, dataset, auc, low=None):
    nothing = np.nan if low is None else low
    return {
        "arm": arm,
        "dataset": dataset,
        "auc_macro": auc,
        "auc_macro_low": nothing,
        "auc_macro_high": nothing + 0.1,
        "auc_macro_networks_low": auc - 0.01,
        "auc_macro_networks_high": auc + 0.02,
        "reference": "baseline" if arm == "byol" else None,
    }


@pytest.fixture
def summary():
    """BYOL has no cell on the second data set, and the baseline one seed there."""
    cells = [cell("baseline", "model_1", 0.8, 0.75), cell("byol", "model_1", 0.9, 0.84)]
    return pd.DataFrame([*cells, cell("baseline", "model_2", 0.7), cell("other", "model_2", 0.1)])


def drawn(panel):
    """Of each point its place, its ends and whether it is filled."""
    found = []
    for container in panel.containers:
        point, _, (bar,) = container
        (low, place), (high, _) = bar.get_segments()[0]
        filled = point.get_markerfacecolor() != "white"
        found.append((int(place), *np.round([float(point.get_xdata()[0]), low, high], 6), filled))
    return found


def test_points_intervals_and_the_reference(summary):
    figure = intervals_figure(summary, ROWS, DATASETS, "t")
    first, second = figure.axes
    assert drawn(first) == [(0, 0.8, 0.75, 0.85, True), (1, 0.9, 0.84, 0.94, True)]
    assert drawn(second) == [(0, 0.7, 0.69, 0.72, False)]
    assert [panel.get_title() for panel in (first, second)] == list(DATASETS.values())
    lines = [line for line in first.lines if len(set(line.get_xdata())) == 1]
    assert 0.8 in [float(line.get_xdata()[0]) for line in lines if len(line.get_xdata()) == 2]
    names = [text.get_text().replace("\n", " ") for text in first.get_yticklabels()]
    assert names == list(ROWS.values())
    assert figure.get_supxlabel() == "macro AUC (hollow: these networks)"
    of_methods = summary[summary["dataset"] == "model_1"]
    of_one = intervals_figure(of_methods, ROWS, {"model_1": "Model I"}, "t")
    assert of_one.get_supxlabel() == "macro AUC"
    assert first.get_ylim()[0] > first.get_ylim()[1], "the first row is on top"


def test_rows_that_are_not_there_are_refused(summary):
    with pytest.raises(ValueError, match="no methods to draw"):
        intervals_figure(summary, {"simsiam": "SimSiam"}, DATASETS, "t")
