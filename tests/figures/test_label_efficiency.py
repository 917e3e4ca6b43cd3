"""What the label-efficiency curves say."""

import numpy as np
import pandas as pd
import pytest

from sslens.figures.label_efficiency import label_efficiency_figure

ROWS = {"baseline": "Baseline", "ssl": "Contrastive", "byol": "BYOL"}


def table(arms=("baseline", "byol"), seeds=3):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {
                "arm": arm,
                "labels": labels,
                "labelled_images": round(1500 * labels),
                "seed": seed,
                "auc_macro": 0.8 + 0.1 * labels + 0.02 * rng.random(),
            }
            for arm in arms
            for labels in (0.02, 0.1, 1.0)
            for seed in range(seeds)
        ]
    )


def named(panel):
    return {line.get_label(): line for line in panel.lines if not line.get_label().startswith("_")}


def test_lines_are_the_means_over_seeds_and_bars_their_deviations(texts_of):
    frame = table()
    figure = label_efficiency_figure(frame, ROWS, "Model I")
    (panel,) = figure.axes
    assert texts_of(figure.legends[0]) == ["Baseline", "BYOL"]
    bars = [c for c in panel.collections if len(c.get_segments()) == 3]
    assert len(bars) == 2
    for arm, bar in zip(("baseline", "byol"), bars, strict=True):
        cells = frame[frame["arm"] == arm].groupby("labelled_images")["auc_macro"]
        line = named(panel)[ROWS[arm]]
        assert line.get_xdata().tolist() == [30, 150, 1500]
        assert line.get_ydata() == pytest.approx(cells.mean().to_numpy())
        lengths = [np.ptp(segment[:, 1]) for segment in bar.get_segments()]
        assert lengths == pytest.approx(2 * cells.std().to_numpy())
    points = [line for line in panel.lines if line.get_alpha()]
    assert [len(line.get_xdata()) for line in points] == [9, 9]
    assert points[0].get_ydata().tolist() == frame["auc_macro"][:9].tolist()


def test_the_axis_is_logarithmic_with_the_fractions_as_ticks():
    (panel,) = label_efficiency_figure(table(), ROWS, "").axes
    assert panel.get_xscale() == "log"
    assert panel.get_xticks().tolist() == [30, 150, 1500]
    words = [tick.get_text() for tick in panel.get_xticklabels()]
    assert words == ["30\n(2 %)", "150\n(10 %)", "1500\n(100 %)"]


def test_everything_is_inside_the_axes_and_arms_are_side_by_side():
    frame = table()
    figure = label_efficiency_figure(frame, ROWS, "")
    (panel,) = figure.axes
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    assert left < 30 and right > 1500
    assert bottom < frame["auc_macro"].min() and top > frame["auc_macro"].max()
    figure.canvas.draw()
    first, second = named(panel).values()
    places = [line.get_transform().transform(line.get_xydata())[:, 0] for line in (first, second)]
    assert places[1] - places[0] == pytest.approx(3 * figure.dpi / 72)


def test_a_single_seed_has_neither_bars_nor_points():
    (panel,) = label_efficiency_figure(table(seeds=1), ROWS, "").axes
    assert not any(line.get_alpha() and len(line.get_xdata()) for line in panel.lines)
    assert not any(len(bars.get_segments()) for bars in panel.collections)
    assert np.isfinite(panel.get_ylim()).all()


def test_a_single_fraction_is_drawn():
    frame = table()
    (panel,) = label_efficiency_figure(frame[frame["labels"] == 1], ROWS, "").axes
    left, right = panel.get_xlim()
    assert left < 1500 < right


def test_errors_are_on_a_logarithmic_axis_that_shows_all_points():
    frame = table().rename(columns={"auc_macro": "targets_mass_mae"})
    frame["targets_mass_mae"] = 3 / frame["labelled_images"]
    # a deviation that is larger than the mean
    frame.loc[frame.index[-1], "targets_mass_mae"] = 0.1
    own = {"column": "targets_mass_mae", "measure": "mean absolute error in dex"}
    (panel,) = label_efficiency_figure(frame, ROWS, "", **own, logarithmic=True).axes
    assert panel.get_ylabel() == "mean absolute error in dex" and panel.get_yscale() == "log"
    means = frame.groupby(["arm", "labelled_images"])["targets_mass_mae"].mean()
    assert named(panel)["BYOL"].get_ydata() == pytest.approx(means["byol"].to_numpy())
    bottom, top = panel.get_ylim()
    assert 0 < bottom < 0.002 and 0.1 < top < 0.2
    assert {0.005, 0.01, 0.02} <= set(np.round(panel.get_yticks(), 6))


def test_a_row_looks_the_same_in_every_figure():
    both, one = (
        named(label_efficiency_figure(table(arms), ROWS, "").axes[0])["BYOL"]
        for arms in (("baseline", "ssl", "byol"), ("byol",))
    )
    assert both.get_color() == one.get_color() and both.get_marker() == one.get_marker()


def test_what_cannot_be_drawn_is_refused():
    for frame in (table().iloc[:0], table(("other",))):
        with pytest.raises(ValueError, match="no macro AUC over labels"):
            label_efficiency_figure(frame, ROWS, "")


def test_the_file_is_the_same_twice(same_twice):
    same_twice(lambda: label_efficiency_figure(table(), ROWS, "T"))
