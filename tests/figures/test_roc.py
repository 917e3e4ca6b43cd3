"""What the ROC curves say: lines, bands and legends."""

import time

import numpy as np
import pytest
from sklearn.metrics import auc, roc_auc_score, roc_curve

from sslens.classes import CLASSES
from sslens.figures.roc import DRAWS, GRID, _bootstrap_weights, band, mean_curve, roc_figure
from sslens.metrics.scores import score


@pytest.fixture
def arms(predictions):
    return {"Baseline": predictions(1), "BYOL": predictions(3, seed=1)}


@pytest.fixture
def seeds(predictions):
    return [predictions(1, seed=0), predictions(1, seed=1), predictions(2, seed=2)]


def scored(frame, name="cdm"):
    """One class of a frame: whether an image is of it, and its probability."""
    return (frame["label"] == name).to_numpy(), frame[f"p_{name}"].to_numpy()


def bands(panel):
    """Low and high of each band of a panel, over GRID."""
    found = []
    for drawn in panel.collections:
        vertices = drawn.get_paths()[0].vertices
        # the lower edge from left to right after a first point, then the upper one back
        lower, upper = vertices[1 : len(GRID) + 1], vertices[len(GRID) + 2 : -1][::-1]
        assert np.array_equal(lower[:, 0], GRID) and np.array_equal(upper[:, 0], GRID)
        found.append((lower[:, 1], upper[:, 1]))
    return found


# --- lines and legends ---------------------------------------------------------------------------


def test_roc_legends_have_the_arms_and_the_aucs_of_the_table(arms, texts_of):
    figure = roc_figure(arms, "Model I")
    assert figure.get_suptitle() == "Model I"
    assert texts_of(figure.legends[0]) == ["Baseline", "BYOL"]
    scores = [score(frame)["auc"] for frame in arms.values()]
    for name, plane in zip(CLASSES, figure.axes[:3], strict=True):
        assert texts_of(plane.get_legend()) == [f"{s[name]:.4f}" for s in scores]
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


def test_the_log_panel_is_cut_to_where_the_lines_are(predictions):
    figure = roc_figure({"good": predictions(30)}, "")
    assert figure.axes[3].get_ylim() == pytest.approx((0.898, 1.002))
    figure = roc_figure({"good": predictions(30), "weak": predictions(0)}, "")
    for corner in figure.axes[3:]:
        bottom = min(line.get_data()[1][line.get_data()[0] <= 1e-3].max() for line in corner.lines)
        assert corner.get_ylim()[0] <= bottom < 0.5


def test_several_seeds_are_one_line_and_the_legend_has_their_mean(seeds, texts_of):
    figure = roc_figure({"Baseline": seeds}, "")
    for name, plane in zip(CLASSES, figure.axes[:3], strict=True):
        mean = np.mean([score(frame)["auc"][name] for frame in seeds])
        assert texts_of(plane.get_legend()) == [f"{mean:.4f}"]
        assert len(plane.lines) == 2 and len(plane.collections) == 1
        assert auc(*plane.lines[0].get_data()) == pytest.approx(mean, abs=1e-12)
    assert texts_of(figure.legends[0]) == ["Baseline"]


def test_the_order_of_images_does_not_matter(seeds):
    shuffled = [seeds[0], *(frame.sample(frac=1, random_state=3) for frame in seeds[1:])]
    one, other = (roc_figure({"Baseline": frames}, "").axes[0] for frames in (seeds, shuffled))
    assert np.array_equal(one.lines[0].get_xydata(), other.lines[0].get_xydata())
    assert np.array_equal(bands(one), bands(other))


def test_what_cannot_be_drawn_is_refused(predictions):
    with pytest.raises(ValueError, match="no predictions"):
        roc_figure({}, "")
    with pytest.raises(ValueError, match="no predictions of BYOL"):
        roc_figure({"BYOL": []}, "")
    with pytest.raises(ValueError, match="seeds of BYOL did not predict the same images"):
        roc_figure({"BYOL": [predictions(1), predictions(1, images=93)]}, "")


# --- the mean curve ------------------------------------------------------------------------------


def test_the_mean_of_one_curve_is_that_curve(predictions):
    x, y, _ = roc_curve(*scored(predictions(1)), drop_intermediate=False)
    mean_x, mean_y = mean_curve([(x, y)])
    assert auc(mean_x, mean_y) == pytest.approx(auc(x, y), abs=1e-12)
    points = set(zip(x, y, strict=True))
    assert {(x[0], y[0]), (x[-1], y[-1])} <= set(zip(mean_x, mean_y, strict=True)) <= points


def test_the_mean_curve_by_hand():
    step = (np.array([0, 0, 1]), np.array([0, 1, 1]))  # up at once
    slope = (np.array([0, 0.5, 1]), np.array([0, 0.5, 1]))  # all tied: the diagonal
    x, y = mean_curve([step, slope])
    assert x.tolist() == [0, 0, 0.5, 1]
    assert y.tolist() == [0, 0.5, 0.75, 1]


def test_the_area_of_the_mean_is_the_mean_of_the_areas_with_ties_too():
    rng = np.random.default_rng(4)
    of_class = rng.random(60) < 0.4
    curves = [roc_curve(of_class, rng.integers(5, size=60) + of_class)[:2] for _ in range(4)]
    assert auc(*mean_curve(curves)) == pytest.approx(np.mean([auc(*curve) for curve in curves]))


# --- bands ---------------------------------------------------------------------------------------


def test_a_band_is_the_quantiles_of_curves_of_resampled_images(predictions):
    frame = predictions(1)
    of_class, scores = scored(frame)
    weights = _bootstrap_weights(frame["label"], 0)
    assert weights.shape == (DRAWS, len(frame))
    for name in CLASSES:  # stratified
        assert (weights[:, frame["label"] == name].sum(axis=1) == 30).all()
    rates = []
    for times in weights:
        x, y, _ = roc_curve(np.repeat(of_class, times), np.repeat(scores, times))
        # scores do not tie, so the curve is a staircase: a rate stands at its last step before
        rates.append([y[x <= rate].max() for rate in GRID])
    expected = np.quantile(rates, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(band(of_class, scores[None], weights), expected, atol=1e-12)


def test_every_image_is_drawn_as_often(predictions):
    frame = predictions(1, images=60)
    weights = np.concatenate([_bootstrap_weights(frame["label"], seed) for seed in range(20)])
    # an image of a class of m is Binomial(m, 1/m) times in a sample, here of 4000
    assert np.abs(weights.mean(axis=0) - 1).max() < 4.5 * np.sqrt(1 / 4000)
    assert weights.var() == pytest.approx(1 - 1 / 20, abs=0.02)


def test_the_band_of_each_arm_lies_around_its_line(arms):
    figure = roc_figure(arms, "")
    for panel in figure.axes:
        assert len(panel.collections) == len(arms)
        for line, drawn, (low, high) in zip(
            panel.lines, panel.collections, bands(panel), strict=False
        ):
            assert drawn.get_facecolor()[0][:3] == pytest.approx(
                np.array([int(line.get_color()[k : k + 2], 16) / 255 for k in (1, 3, 5)])
            )
            assert drawn.get_zorder() < line.get_zorder()
            assert drawn.get_alpha() <= 0.15
            x, y = line.get_data()
            height = np.interp(GRID, x, y)
            assert np.mean((low <= height) & (height <= high)) > 0.97
            assert (low <= high).all() and (high - low).max() > 0.05


def test_more_images_make_a_narrower_band_and_more_arms_a_lighter_one(predictions):
    widths = []
    for images in (90, 900):
        frame = predictions(1, images=images)
        low, high = band(
            *(v[None] if k else v for k, v in enumerate(scored(frame))),
            _bootstrap_weights(frame["label"], 0),
        )
        widths.append(np.mean(high - low))
    assert widths[1] == pytest.approx(widths[0] / np.sqrt(10), rel=0.3)
    many = roc_figure({str(k): predictions(1, seed=k) for k in range(8)}, "")
    assert many.axes[0].collections[0].get_alpha() == pytest.approx(0.075)


def test_a_band_is_that_of_the_mean_over_seeds(seeds):
    weights = _bootstrap_weights(seeds[0]["label"], 0)
    of_class = scored(seeds[0])[0]
    scores = np.stack([scored(frame)[1] for frame in seeds])
    together = band(of_class, scores, weights)
    alone = [band(of_class, s[None], weights) for s in scores]
    assert np.mean(together[1] - together[0]) < np.mean([high - low for low, high in alone])


def test_bands_are_drawn_by_the_seed(arms):
    first, again, other = (bands(roc_figure(arms, "", seed).axes[0]) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_bands_are_quick(predictions):
    arms = {str(k): predictions(1, seed=k, images=1500) for k in range(4)}
    start = time.process_time()
    roc_figure(arms, "")
    assert time.process_time() - start < 3


def test_the_file_is_the_same_twice(arms, same_twice):
    same_twice(lambda: roc_figure(arms, "Model I"))
