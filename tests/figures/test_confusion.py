"""What the confusion matrices say."""

import numpy as np
import pytest

from sslens.figures.confusion import confusion_figure

COUNTS = np.array([[90, 10, 0], [1, 1199, 0], [0, 0, 0]])


def cells(panel):
    """(true, predicted) -> the lines of its cell."""
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t for t in panel.texts}


def test_a_cell_has_the_share_of_its_true_class_and_the_count():
    figure = confusion_figure({"BYOL": COUNTS}, "Model I")
    (panel,) = figure.axes
    assert figure.get_suptitle() == "Model I" and panel.get_title() == "BYOL"
    words = {place: text.get_text() for place, text in cells(panel).items()}
    assert words[0, 0] == "90.0 %\n90" and words[0, 1] == "10.0 %\n10"
    assert words[1, 1] == "99.9 %\n1\N{THIN SPACE}199" and words[1, 0] == "0.1 %\n1"
    assert words[2, 2] == "–\n0"  # no image of that class
    shares = np.asarray(panel.images[0].get_array())
    np.testing.assert_allclose(shares, [[0.9, 0.1, 0], [1 / 1200, 1199 / 1200, 0], [0, 0, 0]])
    assert panel.images[0].get_clim() == (0, 1)


def test_axes_tell_true_from_predicted():
    figure = confusion_figure({"BYOL": COUNTS}, "")
    assert (figure.get_supylabel(), figure.get_supxlabel()) == ("true class", "predicted class")
    names = ["axion", "CDM", "no\nsubstructure"]
    (panel,) = figure.axes
    assert [tick.get_text() for tick in panel.get_xticklabels()] == names
    assert [tick.get_text() for tick in panel.get_yticklabels()] == names


def test_words_are_read_on_dark_and_on_light_cells():
    (panel,) = confusion_figure({"BYOL": COUNTS}, "").axes
    colours = {place: text.get_color() for place, text in cells(panel).items()}
    assert colours[0, 0] == colours[1, 1] == "white"
    assert colours[0, 1] == colours[2, 2] == "black"


def test_a_panel_a_row_of_the_table():
    figure = confusion_figure({str(k): COUNTS for k in range(6)}, "")
    assert [panel.get_title() for panel in figure.axes] == list("012345")
    heights = {round(panel.get_position().y0, 6) for panel in figure.axes}
    assert len(heights) == 2


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="no confusion matrices"):
        confusion_figure({}, "")
    with pytest.raises(ValueError, match=r"BYOL has the shape \(2, 2\)"):
        confusion_figure({"BYOL": np.eye(2)}, "")


def test_the_file_is_the_same_twice(same_twice):
    same_twice(lambda: confusion_figure({"BYOL": COUNTS, "SSL": COUNTS}, "T"))
