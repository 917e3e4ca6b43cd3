"""What the training curves say: lines, panels and the legend."""

import numpy as np
import pandas as pd
import pytest

from sslens.figures.training_curves import history_figure


def history(epochs=3, **columns):
    epoch = np.arange(1, epochs + 1)
    fields = {"epoch": epoch, "step": 10 * epoch, "loss": 1 / epoch, "learning_rate": 1e-3 * epoch}
    return pd.DataFrame({**fields, "images_per_second": 300.0, **columns})


def headings(figure):
    return [panel.get_title() for panel in figure.axes]


def test_history_has_a_panel_for_each_recorded_quantity():
    plain = history_figure({"run": history()}, "pretraining")
    assert headings(plain) == ["loss (hollow: validation)", "learning rate", "images per second"]
    never = history(embedding_std=np.nan, auc=[0.5, 0.6, 0.7])
    assert headings(history_figure({"run": never}, "")) == [
        "loss (hollow: validation)",
        "AUC (hollow: validation)",
        "learning rate",
        "images per second",
    ]


def test_history_lines_are_the_columns_and_the_reference_is_drawn(texts_of):
    std = history(embedding_std=[0.02, 0.04, 0.06], embedding_std_uniform=1 / np.sqrt(128))
    figure = history_figure({"SSL": std, "baseline": history(validation_loss=[3.0, 2.0, 1.0])}, "t")
    assert texts_of(figure.legends[0]) == ["SSL", "baseline"]
    loss, _, _, embedding = figure.axes
    lines = {line.get_label(): line for line in loss.lines}
    assert list(lines["SSL"].get_xdata()) == [1, 2, 3]
    assert list(lines["SSL"].get_ydata()) == [1, 1 / 2, 1 / 3]
    assert [3.0, 2.0, 1.0] in [list(line.get_ydata()) for line in loss.lines]
    drawn = [list(line.get_ydata()) for line in embedding.lines]
    assert [0.02, 0.04, 0.06] in drawn
    assert [1 / np.sqrt(128)] * 3 in drawn
    # A collapse must look like one: the axis reaches zero, and the reference lies inside.
    bottom, top = embedding.get_ylim()
    assert bottom <= 0 < 1 / np.sqrt(128) < top


def test_more_panels_than_a_row_holds_go_into_another_and_leave_no_empty_one():
    measures = dict.fromkeys(("embedding_std", "effective_rank", "alignment"), 0.1)
    figure = history_figure({"SSL": history(**measures)}, "")
    assert len(headings(figure)) == 6 and all(headings(figure))
    heights = [round(panel.get_position().y0, 6) for panel in figure.axes]
    assert len(set(heights[:4])) == len(set(heights[4:])) == 1 and heights[4] < heights[0]


def test_losses_that_are_far_apart_are_on_a_logarithmic_axis():
    small, large = history(), history(loss=[130.0, 120.0, 110.0])
    for runs, scale in (
        ({"small": small}, "linear"),
        ({"small": small, "large": large}, "log"),
        ({"negative": history(loss=[1.0, 0.5, -0.5]), "large": large}, "linear"),
        ({"missing": history(loss=np.nan), "large": large}, "linear"),
    ):
        assert history_figure(runs, "").axes[0].get_yscale() == scale


def test_what_a_method_measures_has_a_panel_by_its_name():
    own = history(turn_accuracy=0.5, validation_turn_accuracy=0.25, queue_age=[1.0, 2.0, 3.0])
    figure = history_figure({"run": own, "other": history()}, "")
    assert headings(figure)[3:] == ["turn accuracy (hollow: validation)", "queue age"]
    assert [list(line.get_ydata()) for line in figure.axes[3].lines[:2]] == [[0.25] * 3, [0.5] * 3]


def test_the_legend_tells_of_a_collapse(texts_of):
    runs = {"SSL": history(collapsed=[0, 0, 1]), "BYOL": history(collapsed=0), "none": history()}
    assert texts_of(history_figure(runs, "").legends[0]) == ["SSL (collapsed)", "BYOL", "none"]


def test_a_history_without_loss_is_named():
    with pytest.raises(ValueError, match="history of BYOL lacks loss"):
        history_figure({"BYOL": history().drop(columns="loss")}, "")
    with pytest.raises(ValueError, match="no history"):
        history_figure({}, "")


def test_a_row_looks_the_same_in_every_figure():
    one = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0]})
    rows = ["Baseline", "Contrastive", "BYOL"]
    all_rows = history_figure(dict.fromkeys(rows, one), "T", rows)
    some = history_figure({"BYOL": one}, "T", rows)
    colours = {line.get_label(): line.get_color() for line in all_rows.axes[0].lines}
    (line,) = some.axes[0].lines
    assert line.get_color() == colours["BYOL"] != colours["Baseline"]


def test_the_file_is_the_same_twice(same_twice):
    same_twice(lambda: history_figure({"SSL": history(), "BYOL": history()}, "T"))
