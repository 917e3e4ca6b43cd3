"""The published preset learns: a handful of images of native size, as in its four rows.

Of its ResNet50 a block a stage alone, since most of the time is tracing; `test_resnet.py` has all.
"""

import numpy as np
import pytest
import yaml
from paths import ROOT

from sslens.classes import CLASSES
from sslens.configuration import settings
from sslens.configuration.loading import load
from sslens.data.preprocessing import measure, preprocess
from sslens.data.records import Split
from sslens.data.simulation.rendering import render_all
from sslens.data.simulation.sampling import draw_catalogue
from sslens.networks.encoders import resnet
from sslens.networks.inference import predict
from sslens.training.checkpoints import Checkpoint
from sslens.training.labels import learn_labels
from sslens.training.pretraining import pretrain

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PUBLISHED = yaml.safe_load((ROOT / "config/published.yaml").read_text())
CONFIG = load(ROOT / "config", PUBLISHED)
# a handful of images, two steps: all else is as in the preset
SHORT = {"batch_size": 3, "steps": 2}


@pytest.fixture
def shallow(monkeypatch):
    monkeypatch.setitem(resnet.DEPTHS, "resnet50", (1, 1, 1, 1))


@pytest.fixture(scope="module")
def data() -> Split:
    recipe = CONFIG["datasets"]["model_1"]
    catalogue = draw_catalogue("model_1", recipe, "train", 6)
    rendered = [each["image"] for each in render_all(catalogue, recipe)]
    recorded = np.stack(rendered)[..., None]
    facts = measure(recorded, settings.preprocessing_settings(CONFIG, "model_1"))
    labels = np.array([CLASSES.index(label) for label in catalogue["label"]])
    return Split.of(preprocess(recorded, facts), labels)


def test_images_are_of_native_size_between_0_and_1(data):
    assert data.images.shape == (6, 150, 150, 1)
    np.testing.assert_array_equal(data.images[:].min(axis=(1, 2, 3)), 0)
    np.testing.assert_array_equal(data.images[:].max(axis=(1, 2, 3)), 1)


def test_a_pretraining_learns_and_its_encoder_is_fine_tuned(data, shallow, tmp_path):
    weights = tmp_path / "encoder.weights.h5"
    chosen = settings.pretraining_settings(CONFIG, "contrastive-rotation", "model_1") | SHORT
    checkpoint = Checkpoint(tmp_path / "pretrain", "fingerprint")
    encoder, history, _ = pretrain(data, data, chosen, 1, checkpoint)
    assert np.isfinite(history["loss"]).all() and (history["embedding_std"] > 0).all()
    encoder.save_weights(weights)
    chosen = settings.arm_settings(CONFIG, "contrastive-rotation", "model_1")
    assert (chosen["encoder"]["name"], chosen["encoder"]["width"]) == ("resnet50", 64)
    chosen["learning"] |= SHORT
    checkpoint = Checkpoint(tmp_path / "finetune", "fingerprint")
    classifier, history, *_ = learn_labels(data, data, chosen, weights, 1.0, 1, checkpoint)
    assert np.isfinite(history["loss"]).all()
    assert {"validation_loss", "validation_auc"} <= set(history.columns)
    logits = predict(classifier, data.images)
    assert logits.shape == (6, 3) and np.isfinite(logits).all()


def test_the_rows_differ_in_the_weights_that_they_start_from_alone():
    """So that the fine-tuning of one row stands for all four."""
    rows = ["baseline", "contrastive-rotation", "contrastive-gaussian_noise", "byol-dihedral"]
    first, *others = (settings.arm_settings(CONFIG, row, "model_1") for row in rows)
    assert others == [first] * 3
