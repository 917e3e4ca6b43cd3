"""ROC curves from predictions, with bands for how the test images were drawn."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from sslens.classes import CLASSES
from sslens.figures.style import (
    CLASS_TITLES,
    legend_below,
    legend_columns,
    legend_height,
    line_looks,
    new_figure,
    own_style,
)
from sslens.metrics.auc import log_odds
from sslens.metrics.predictions import logits_of
from sslens.metrics.scores import score
from sslens.metrics.uncertainty import CONFIDENCE
from sslens.seeds import derive_seed

Predictions: TypeAlias = pd.DataFrame | Sequence[pd.DataFrame]
Curve: TypeAlias = tuple[np.ndarray, np.ndarray]

WIDTH = 12.5
#: Bootstrap samples of a band: they are drawn, not read off, so fewer do than for an interval.
DRAWS = 200
#: Where the logarithmic panel begins.
FLOOR = 1e-3
#: False-positive rates of the bands: dense on either axis, so that steps look like steps.
GRID = np.union1d(np.linspace(0, 1, 51), np.geomspace(FLOOR, 1, 151))


@own_style()
def roc_figure(predictions: Mapping[str, Predictions], title: str, seed: int = 0) -> Figure:
    """ROC curves of one data set: a column a class (one-vs-rest), a line an arm.

    `predictions` maps the title of an arm to its predictions frame, or to several, one a seed, of
    the same images: the line is then the mean of their curves (`mean_curve`). Images are ranked by
    `auc.log_odds`, so the area under a line is the AUC of the comparison table, the mean
    over the seeds, as the legend has it.

    The light band is where 95 % of the lines lie, rate by rate, if the test images are drawn anew
    (`band`, by `seed`); other seeds are not in it. It has no width where no sample differs, as
    where no image is ranked wrong, which does not mean certainty.

    The first row is the ROC plane with equal axes; its legends hold the AUCs. Good classifiers
    crowd in its corner at (0, 1), so the second row shows the same lines over a logarithmic
    false-positive rate, cut to the true-positive rates they have there. (An inset did not do: it
    hides weak classifiers, and strong ones leave it empty.) The legend below names the arms.

    Raises ValueError where there are no predictions, or seeds of an arm predict different images.
    """
    if not predictions:
        raise ValueError("no predictions to draw")
    arms = {
        name: _aligned(name, [frames] if isinstance(frames, pd.DataFrame) else list(frames))
        for name, frames in predictions.items()
    }
    aucs = {
        name: pd.DataFrame([score(frame)["auc"] for frame in frames]).mean()
        for name, frames in arms.items()
    }
    scores = {
        name: np.stack([log_odds(logits_of(frame)) for frame in frames])
        for name, frames in arms.items()
    }
    weights = {name: _bootstrap_weights(frames[0]["label"], seed) for name, frames in arms.items()}
    columns = legend_columns(arms, WIDTH, len(CLASSES))
    figure = new_figure(WIDTH, 8.4 + legend_height(len(arms), columns), title)
    rows = figure.subplots(2, len(CLASSES), height_ratios=(4, 3))
    alpha = 0.6 / max(len(arms), 4)  # many bands lie on top of each other
    for c, (plane, corner) in enumerate(rows.T):
        looks = zip(line_looks(len(arms)), _line_widths(len(arms)), strict=True)
        bottoms = []
        for (name, frames), (look, width) in zip(arms.items(), looks, strict=True):
            is_positive = (frames[0]["label"] == CLASSES[c]).to_numpy()
            curve = mean_curve([_roc_curve(is_positive, s) for s in scores[name][..., c]])
            low, high = band(is_positive, scores[name][..., c], weights[name])
            bottoms.append(low[GRID >= FLOOR][0])
            for panel in (plane, corner):
                panel.plot(*curve, linewidth=width, label=f"{aucs[name][CLASSES[c]]:.4f}", **look)
                panel.fill_between(
                    GRID, low, high, color=look["color"], alpha=alpha, linewidth=0, zorder=1
                )
        plane.legend(title="AUC", loc="lower right", fontsize="small", handlelength=4)
        _style_plane(plane, f"{CLASS_TITLES[CLASSES[c]]} vs rest")
        _style_corner(corner, min(bottoms))
    for panel in rows[:, 0]:
        panel.set_ylabel("true-positive rate")
    handles, _ = rows[0, 0].get_legend_handles_labels()
    legend_below(figure, handles, list(arms), columns)
    return figure


# --- curves --------------------------------------------------------------------------------------


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """Vertical average of ROC curves: the mean of their true-positive rates, rate by rate.

    Its area is the mean of their areas: it has a point wherever one of them has, and two where one
    of them steps up.

    Args:
        curves: pairs of false-positive and true-positive rates, neither of them falling.

    Returns:
        Such a pair.
    """
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    # At a step, np.interp has the last of the points there, the upper end; mirrored, the lower.
    lower = np.mean([np.interp(-grid, -x[::-1], y[::-1]) for x, y in curves], axis=0)
    upper = np.mean([np.interp(grid, x, y) for x, y in curves], axis=0)
    kept = np.stack([np.ones(len(grid), dtype=bool), lower != upper], axis=1).ravel()
    return np.repeat(grid, 2)[kept], np.stack([lower, upper], axis=1).ravel()[kept]


def band(is_positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pointwise 95 % band of the mean ROC curve of some models over the false-positive rates GRID.

    The percentile interval of the bootstrap, the same samples for all models, since they predicted
    the same images.

    Args:
        is_positive: (n,) bool.
        scores: (models, n).
        weights: (draws, n), how often an image is in a sample.

    Returns:
        (2, len(GRID)): low and high.
    """
    rates = np.mean([_resampled_rates(is_positive, s, weights) for s in scores], axis=0)
    return np.quantile(rates, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)


def _resampled_rates(
    is_positive: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """True-positive rates at GRID in every sample, (draws, len(GRID)): ROC curves of weights."""
    order = np.argsort(-scores, kind="stable")
    last_of_tied = np.append(np.diff(scores[order]) != 0, True)

    def rates(counted: np.ndarray) -> np.ndarray:
        counts = np.cumsum(weights[:, order] * counted[order], axis=1)[:, last_of_tied]
        return np.pad(counts / counts[:, -1:], ((0, 0), (1, 0)))

    curves = zip(rates(~is_positive), rates(is_positive), strict=True)
    return np.stack([np.interp(GRID, x, y) for x, y in curves])


def _bootstrap_weights(labels: pd.Series, seed: int) -> np.ndarray:
    """How often each image is in each stratified bootstrap sample: (DRAWS, n)."""
    rng = np.random.default_rng(derive_seed(seed, "roc bands"))
    classes = labels.map(CLASSES.index).to_numpy()
    sizes = np.bincount(classes)
    members = np.argsort(classes, kind="stable")  # the images of class 0, of class 1, ...
    first_member = np.cumsum(sizes) - sizes
    picked = rng.integers(sizes[classes], size=(DRAWS, len(classes)))
    images = members[first_member[classes] + picked]
    cells = (images + len(classes) * np.arange(DRAWS)[:, None]).ravel()
    return np.bincount(cells, minlength=DRAWS * len(classes)).reshape(DRAWS, -1)


def _roc_curve(is_positive: np.ndarray, scores: np.ndarray) -> Curve:
    false_positive_rate, true_positive_rate, _ = roc_curve(is_positive, scores)
    return false_positive_rate, true_positive_rate


def _aligned(name: str, frames: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The frames of an arm with their images in one order."""
    if not frames:
        raise ValueError(f"no predictions of {name} to draw")
    aligned = [frame.sort_values("image_id", ignore_index=True) for frame in frames]
    images = [frame[["image_id", "label"]] for frame in aligned]
    if not all(images[0].equals(other) for other in images):
        raise ValueError(f"the seeds of {name} did not predict the same images")
    return aligned


# --- panels --------------------------------------------------------------------------------------


def _line_widths(count: int) -> np.ndarray:
    """Widths in points, falling, so that a line shows on both sides of one drawn on top of it."""
    return np.linspace(2.4, 1.2, count)


def _style_plane(panel: Axes, title: str) -> None:
    panel.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, zorder=1)
    panel.set(title=title, xlabel="false-positive rate", aspect="equal")
    panel.set(xlim=(-0.015, 1.015), ylim=(-0.015, 1.015))


def _style_corner(panel: Axes, bottom: float) -> None:
    """A logarithmic false-positive rate from FLOOR on, the true-positive rates from the lowest.

    `bottom` is the lowest of a band there.
    """
    # A curve is a staircase: at FLOOR it stands where its last step before that left it.
    curves = [np.asarray(line.get_xydata()) for line in panel.lines]
    heights = [np.max(y[x <= FLOOR]) for x, y in (curve.T for curve in curves)]
    lowest = min(0.9, np.floor(10 * min(bottom, *heights)) / 10)
    if lowest < 0.5:  # above that, only a meaningless sliver of the chance line would be seen
        chance = np.geomspace(FLOOR, 1)
        panel.plot(chance, chance, color="0.6", linewidth=0.8, zorder=1)
    panel.set(xscale="log", xlim=(FLOOR, 1), xlabel="false-positive rate, logarithmic")
    panel.set_ylim(lowest - 0.02 * (1 - lowest), 1 + 0.02 * (1 - lowest))
    panel.grid(color="0.9", linewidth=0.5)
