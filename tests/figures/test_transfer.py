"""What the heat map of transfers says."""

import numpy as np
import pandas as pd
import pytest

from sslens.figures.transfer import transfer_figure

TITLES = ["Model I", "Model II"]
MATRIX = pd.DataFrame([[0.95, 0.9], [np.nan, 0.8]], TITLES, TITLES)
BASELINE = pd.Series({"Model II": 0.91, "Model I": 0.9})  # in another order


def words(panel):
    return [text.get_text() for text in panel.texts]


def test_cells_have_the_auc_and_its_difference_to_the_baseline():
    panel = transfer_figure(MATRIX, BASELINE, "T").axes[0]
    assert words(panel) == [
        "0.900",
        "0.910",
        "0.950\n(+0.050)",
        "0.900\n(\N{MINUS SIGN}0.010)",
        "not run",
        "0.800\n(\N{MINUS SIGN}0.110)",
    ]
    rows = [tick.get_text() for tick in panel.get_yticklabels()]
    assert rows == ["no pretraining", *TITLES]
    assert [tick.get_text() for tick in panel.get_xticklabels()] == TITLES
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("fine-tuned and tested on", "pretrained on")


def test_the_baseline_may_have_a_name_or_not_be_there():
    named = transfer_figure(MATRIX, BASELINE.rename("Baseline"), "T").axes[0]
    assert named.get_yticklabels()[0].get_text() == "Baseline"
    alone = transfer_figure(MATRIX, None, "T").axes[0]
    assert words(alone) == ["0.950", "0.900", "not run", "0.800"]
    assert len(alone.get_yticklabels()) == 2


def test_a_data_set_without_the_encoders_baseline_says_so():
    panel = transfer_figure(MATRIX, BASELINE.replace(0.91, np.nan), "T").axes[0]
    assert words(panel)[1] == "none of this\nencoder"
    assert words(panel)[3:] == ["0.900", "not run", "0.800"], "no difference from it"


def test_colours_are_of_the_values_and_words_are_read_on_them():
    panel = transfer_figure(MATRIX, BASELINE, "T").axes[0]
    drawn = panel.images[0]
    assert drawn.get_clim() == (0.8, 0.95)
    assert np.ma.getmaskarray(drawn.get_array()).tolist() == [
        [False] * 2,
        [False] * 2,
        [True, False],
    ]
    assert panel.texts[2].get_color() == "white"  # the highest
    assert panel.texts[5].get_color() == "black"  # the lowest


def test_numbers_have_the_format_of_their_unit():
    panel = transfer_figure(MATRIX * 1e9, BASELINE * 1e9, "T", "error (suns)", ".2e").axes[0]
    assert panel.texts[2].get_text().startswith("9.50e+08\n(+")


def test_a_single_cell_is_drawn():
    figure = transfer_figure(MATRIX.iloc[:1, :1], None, "T")
    figure.canvas.draw()
    low, high = figure.axes[0].images[0].get_clim()
    assert low < high == 0.95


def test_what_cannot_be_drawn_is_refused():
    for nothing in (MATRIX.iloc[:0], MATRIX * np.nan):
        with pytest.raises(ValueError, match="no macro AUC of a transfer"):
            transfer_figure(nothing, None, "")
    with pytest.raises(ValueError, match="no baseline for Model I$"):
        transfer_figure(MATRIX, BASELINE.drop("Model I"), "")


def test_the_file_is_the_same_twice(same_twice):
    same_twice(lambda: transfer_figure(MATRIX, BASELINE, "T"))
