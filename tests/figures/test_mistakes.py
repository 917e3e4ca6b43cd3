"""Which mistakes are shown, and what is said of them."""

import numpy as np
import pandas as pd
import pytest

from sslens.classes import CLASSES
from sslens.figures.mistakes import mistakes_figure, most_confidently_wrong
from sslens.metrics.predictions import predictions_frame


def frame(rows):
    """Predictions of (image id, label, predicted, logit of the predicted class)."""
    ids, labels, predicted, logits = zip(*rows, strict=True)
    places = [CLASSES.index(name) for name in predicted]
    return predictions_frame(ids, labels, np.eye(3)[places] * np.array(logits)[:, None])


MIXED = frame(
    [
        (7, "cdm", "axion", 2.0),
        (3, "cdm", "axion", 2.0),
        (5, "cdm", "no_sub", 4.0),
        (1, "axion", "axion", 9.0),
        (2, "axion", "cdm", 3.0),
        (4, "axion", "no_sub", 1.0),
        (6, "no_sub", "no_sub", 5.0),
    ]
)


def images(count):
    """Each with one bright pixel of its own."""
    return np.eye(16)[:count].reshape(count, 4, 4, 1).astype(np.float32)


def table(count=1):
    return most_confidently_wrong(MIXED, count)


def test_the_surest_of_each_class_come_first_and_ties_go_by_id():
    worst = most_confidently_wrong(MIXED, 2)
    assert list(worst.columns) == ["image_id", "label", "predicted", "probability"]
    assert worst["image_id"].tolist() == [5, 2, 3, 4]
    assert worst["label"].tolist() == ["cdm", "axion", "cdm", "axion"]
    assert worst["predicted"].tolist() == ["no_sub", "cdm", "axion", "no_sub"]
    expected = [np.exp(x) / (np.exp(x) + 2) for x in (4, 3, 2, 1)]
    assert worst["probability"].to_numpy() == pytest.approx(expected)
    assert most_confidently_wrong(MIXED, 9)["image_id"].tolist() == [5, 2, 3, 7, 4]
    assert most_confidently_wrong(MIXED.iloc[::-1], 2).equals(worst)


def test_who_makes_no_mistake_has_none():
    right = most_confidently_wrong(MIXED[MIXED["image_id"].isin([1, 6])], 3)
    assert len(right) == 0 and list(right.columns)[-1] == "probability"


def test_a_row_a_class_with_captions():
    worst = table(2)
    figure = mistakes_figure(images(4), worst, "Model I")
    assert [panel.get_ylabel() for panel in figure.axes[::3]] == [
        "true: axion",
        "true: CDM",
        "true: no substructure",
    ]
    shown = {k: panel for k, panel in enumerate(figure.axes) if panel.images}
    assert list(shown) == [0, 1, 3, 4]
    for panel, row in zip(shown.values(), (1, 3, 0, 2), strict=True):
        brightest = np.asarray(panel.images[0].get_array()).argmax()
        assert brightest == images(4)[row].argmax()
        told = worst.loc[row]
        assert panel.get_title().endswith(f"\nimage {told['image_id']}")
        assert f"p = {told['probability']:.3f}" in panel.get_title()
    assert figure.axes[0].get_title().startswith("axion → CDM, p = ")
    assert figure.axes[3].get_title().startswith("CDM → no substructure, p = ")


def test_a_class_without_mistakes_says_so():
    figure = mistakes_figure(images(2), table(), "")
    assert [text.get_text() for text in figure.axes[6].texts] == ["none wrong"]


def test_without_any_mistake_all_classes_say_so():
    figure = mistakes_figure(images(0), table().iloc[:0], "")
    texts = [text.get_text() for panel in figure.axes for text in panel.texts]
    assert texts == ["none wrong"] * 3


def test_six_of_a_class_are_shown_at_most():
    worst = pd.concat([table()] * 8, ignore_index=True)
    figure = mistakes_figure(images(16), worst, "")
    assert len(figure.axes) == 18
    assert [sum(bool(p.images) for p in figure.axes[k : k + 6]) for k in (0, 6, 12)] == [6, 6, 0]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="3 images of mistakes, but 2 rows"):
        mistakes_figure(images(3), table(), "")


def test_the_file_is_the_same_twice(same_twice):
    same_twice(lambda: mistakes_figure(images(2), table(), "T"))
