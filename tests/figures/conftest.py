"""What the tests of the figures share."""

import matplotlib
import numpy as np
import pytest

from sslens.classes import CLASSES
from sslens.figures.style import save_figure
from sslens.metrics.predictions import predictions_frame


def _predictions(strength, seed=0, images=90):
    rng = np.random.default_rng(seed)
    truth = np.arange(images) % len(CLASSES)
    logits = rng.normal(size=(images, 3)) + strength * np.eye(3)[truth]
    return predictions_frame(np.arange(images), np.asarray(CLASSES)[truth], logits)


@pytest.fixture
def predictions():
    """A function of (strength, seed, images) to a predictions frame."""
    return _predictions


@pytest.fixture
def texts_of():
    """A function of a legend to its texts."""
    return lambda legend: [text.get_text() for text in legend.get_texts()]


#: What a user's `matplotlibrc` may hold.
USERS = {
    "axes.grid": True,
    "axes.linewidth": 3,
    "figure.autolayout": True,
    "figure.dpi": 37,
    "font.family": "serif",
    "font.size": 17,
    "legend.fontsize": 20,
    "lines.linewidth": 6,
    "savefig.bbox": "tight",
    "svg.hashsalt": None,
    "text.usetex": True,
    "xtick.direction": "in",
}


@pytest.fixture
def same_twice(tmp_path):
    """Asserts that the files of a figure are the same the second time, whatever its user has set.

    What a function draws and saves, it draws in the project's style.
    """

    def check(draw):
        written = []
        for run, settings in (("first", {}), ("second", USERS)):
            paths = [tmp_path / run / f"figure.{suffix}" for suffix in ("png", "svg")]
            with matplotlib.rc_context(settings):
                save_figure(draw(), paths, {})
            written.append([path.read_bytes() for path in paths])
        assert written[0] == written[1]

    return check
