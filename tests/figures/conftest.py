"""What the tests of the figures share."""

import numpy as np
import pytest

from sslens.classes import CLASSES
from sslens.evaluation import predictions_frame
from sslens.figures.style import save_figure


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


@pytest.fixture
def same_twice(tmp_path):
    """Asserts that a function draws a figure whose files are the same the second time."""

    def check(draw):
        written = []
        for run in ("first", "second"):
            paths = [tmp_path / run / f"figure.{suffix}" for suffix in ("png", "svg")]
            save_figure(draw(), paths, {})
            written.append([path.read_bytes() for path in paths])
        assert written[0] == written[1]

    return check
