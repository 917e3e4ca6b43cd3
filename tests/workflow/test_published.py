"""The published preset learns: its four rows on a handful of images of native size."""

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
from sslens.networks.inference import predict
from sslens.training.checkpoints import Checkpoint
from sslens.training.labels import learn_labels
from sslens.training.pretraining import pretrain

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PUBLISHED = yaml.safe_load((ROOT / "config/published.yaml").read_text())
CONFIG = load(ROOT / "config", PUBLISHED)
ROWS = ["baseline", "contrastive-rotation", "contrastive-gaussian_noise", "byol-dihedral"]
# a handful of images, two steps: all else is as in the preset
SHORT = {"batch_size": 3, "steps": 2}


@pytest.fixture(scope="module")
def data() -> Split:
    recipe = CONFIG["datasets"]["model_1"]
    catalogue = draw_catalogue("model_1", recipe, "train", 6)
    recorded = np.stack(list(render_all(catalogue, recipe)))[..., None]
    facts = measure(recorded, settings.preprocessing_settings(CONFIG, "model_1"))
    labels = np.array([CLASSES.index(label) for label in catalogue["label"]])
    ids = catalogue["image_id"].to_numpy()
    return Split(ids, preprocess(recorded, facts), labels, ids)


def test_images_are_of_native_size_between_0_and_1(data):
    assert data.images.shape == (6, 150, 150, 1)
    np.testing.assert_array_equal(data.images.min(axis=(1, 2, 3)), 0)
    np.testing.assert_array_equal(data.images.max(axis=(1, 2, 3)), 1)


@pytest.mark.parametrize("arm", ROWS)
def test_row_learns(arm, data, tmp_path):
    told = settings.arm_settings(CONFIG, arm, "model_1")
    assert (told["encoder"]["name"], told["encoder"]["width"]) == ("resnet50", 64)
    weights = None
    if (pretraining := CONFIG["arms"][arm].get("pretraining")) is not None:
        chosen = settings.pretraining_settings(CONFIG, pretraining, "model_1") | SHORT
        checkpoint = Checkpoint(tmp_path / "pretrain", "fingerprint")
        encoder, history = pretrain(data, data, chosen, 1, checkpoint)
        assert np.isfinite(history["loss"]).all() and (history["embedding_std"] > 0).all()
        weights = tmp_path / "encoder.weights.h5"
        encoder.save_weights(weights)
    told["learning"] |= SHORT
    checkpoint = Checkpoint(tmp_path / "finetune", "fingerprint")
    classifier, history = learn_labels(data, data, told, weights, 1.0, 1, checkpoint)
    assert np.isfinite(history["loss"]).all()
    assert {"validation_loss", "validation_auc"} <= set(history.columns)
    logits = predict(classifier, data.images)
    assert logits.shape == (6, 3) and np.isfinite(logits).all()
    assert classifier.count_params() > 23_508_032  # ResNet50's, and the dense layers'
