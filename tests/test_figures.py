"""What the figures say (lines and legends), and that their files are the same twice."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import auc, roc_auc_score

from sslens.classes import CLASSES
from sslens.evaluation import predictions_frame, score
from sslens.figures import history_figure, line_looks, roc_figure, save_figure


def predictions(strength, seed=0, images=90):
    rng = np.random.default_rng(seed)
    truth = np.arange(images) % len(CLASSES)
    logits = rng.normal(size=(images, 3)) + strength * np.eye(3)[truth]
    return predictions_frame(np.arange(images), np.asarray(CLASSES)[truth], logits)


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


@pytest.fixture
def arms():
    return {"Baseline": predictions(1), "BYOL": predictions(3, seed=1)}


def history(epochs=3, **columns):
    epoch = np.arange(1, epochs + 1)
    fields = {"epoch": epoch, "step": 10 * epoch, "loss": 1 / epoch, "learning_rate": 1e-3 * epoch}
    return pd.DataFrame({**fields, "images_per_second": 300.0, **columns})


# --- ROC -----------------------------------------------------------------------------------------


def test_roc_legends_have_the_arms_and_the_aucs_of_the_table(arms):
    figure = roc_figure(arms, "Model I")
    assert figure.get_suptitle() == "Model I"
    assert texts(figure.legends[0]) == ["Baseline", "BYOL"]
    scores = [score(frame)["auc"] for frame in arms.values()]
    for name, plane in zip(CLASSES, figure.axes[:3], strict=True):
        assert texts(plane.get_legend()) == [f"{s[name]:.4f}" for s in scores]
        assert plane.get_aspect() == 1.0
    titles = [panel.get_title() for panel in figure.axes[:3]]
    assert titles == ["axion vs rest", "CDM vs rest", "no substructure vs rest"]


def test_the_area_under_each_line_is_its_auc(arms):
    figure = roc_figure(arms, "")
    for c, name in enumerate(CLASSES):
        plane, corner = figure.axes[c], figure.axes[c + 3]
        for i, frame in enumerate(arms.values()):
            expected = roc_auc_score(frame["label"] == name, frame[f"p_{name}"])
            for panel in (plane, corner):
                assert auc(*panel.lines[i].get_data()) == pytest.approx(expected, abs=1e-12)
        # Last comes the diagonal.
        assert [list(values) for values in plane.lines[-1].get_data()] == [[0, 1], [0, 1]]
        assert len(plane.lines) == len(arms) + 1
        assert corner.get_xscale() == "log"


def test_the_log_panel_is_cut_to_where_the_lines_are():
    figure = roc_figure({"good": predictions(30)}, "")
    assert figure.axes[3].get_ylim() == pytest.approx((0.898, 1.002))
    figure = roc_figure({"good": predictions(30), "weak": predictions(0)}, "")
    for corner in figure.axes[3:]:
        bottom = min(line.get_data()[1][line.get_data()[0] <= 1e-3].max() for line in corner.lines)
        assert corner.get_ylim()[0] <= bottom < 0.5


def test_each_seed_is_drawn_and_the_legend_has_their_mean():
    seeds = [predictions(1, seed=0), predictions(1, seed=1)]
    figure = roc_figure({"Baseline": seeds}, "")
    mean = np.mean([score(frame)["auc"]["axion"] for frame in seeds])
    assert texts(figure.axes[0].get_legend()) == [f"{mean:.4f}"]
    assert texts(figure.legends[0]) == ["Baseline"]
    assert len(figure.axes[0].lines) == 3
    first, second = figure.axes[0].lines[:2]
    assert first.get_color() == second.get_color()
    for line, frame in ((first, seeds[0]), (second, seeds[1])):
        assert auc(*line.get_data()) == pytest.approx(score(frame)["auc"]["axion"])


def test_lines_differ_in_colour_and_style():
    looks = line_looks(5)
    assert len({look["color"] for look in looks}) == 5
    assert len({look["linestyle"] for look in looks}) == 5
    assert len({(look["color"], look["linestyle"]) for look in line_looks(35)}) == 35


def test_roc_figure_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no predictions"):
        roc_figure({}, "")


# --- training curves -----------------------------------------------------------------------------


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


def test_history_lines_are_the_columns_and_the_reference_is_drawn():
    std = history(embedding_std=[0.02, 0.04, 0.06], embedding_std_uniform=1 / np.sqrt(128))
    figure = history_figure({"SSL": std, "baseline": history(validation_loss=[3.0, 2.0, 1.0])}, "t")
    assert texts(figure.legends[0]) == ["SSL", "baseline"]
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


def test_the_legend_tells_of_a_collapse():
    runs = {"SSL": history(collapsed=[0, 0, 1]), "BYOL": history(collapsed=0), "none": history()}
    assert texts(history_figure(runs, "").legends[0]) == ["SSL (collapsed)", "BYOL", "none"]


def test_a_history_without_loss_is_named():
    with pytest.raises(ValueError, match="history of BYOL lacks loss"):
        history_figure({"BYOL": history().drop(columns="loss")}, "")
    with pytest.raises(ValueError, match="no history"):
        history_figure({}, "")


# --- files ---------------------------------------------------------------------------------------


def test_files_are_the_same_twice(arms, tmp_path):
    for run in ("first", "second"):
        paths = [tmp_path / run / f"roc.{suffix}" for suffix in ("png", "svg", "pdf")]
        save_figure(roc_figure(arms, "Model I"), paths)
        names = sorted(path.name for path in (tmp_path / run).iterdir())
        assert names == ["roc.pdf", "roc.png", "roc.svg"]
    for name, magic in {"roc.png": b"\x89PNG", "roc.svg": b"<?xml", "roc.pdf": b"%PDF"}.items():
        first = (tmp_path / "first" / name).read_bytes()
        assert first.startswith(magic)
        assert first == (tmp_path / "second" / name).read_bytes()
    assert b"<dc:date>" not in (tmp_path / "first" / "roc.svg").read_bytes()


def test_an_unknown_format_writes_nothing(arms, tmp_path):
    with pytest.raises(ValueError, match="xyz"):
        save_figure(roc_figure(arms, ""), [tmp_path / "roc.xyz"])
    assert list(tmp_path.iterdir()) == []


def test_a_row_looks_the_same_in_every_figure():
    one = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0]})
    rows = ["Baseline", "Contrastive", "BYOL"]
    all_rows = history_figure(dict.fromkeys(rows, one), "T", rows)
    some = history_figure({"BYOL": one}, "T", rows)
    colours = {line.get_label(): line.get_color() for line in all_rows.axes[0].lines}
    (line,) = some.axes[0].lines
    assert line.get_color() == colours["BYOL"] != colours["Baseline"]
