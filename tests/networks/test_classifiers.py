"""Classifiers: fresh ones by their seed, and probes on their encoders as networks."""

import numpy as np
import pytest
from paths import ROOT

from sslens.configuration.loading import load
from sslens.data.preprocessing import measure, preprocess
from sslens.files import read_arrays, write_arrays
from sslens.images import Images
from sslens.labelled import stratified_subset
from sslens.metrics.auc import class_aucs
from sslens.metrics.predictions import mean_logits, softmax
from sslens.networks.classifiers import build_network, network_of_probe
from sslens.networks.encoders import resnet
from sslens.networks.export import exportable
from sslens.networks.frozen import frozen_encoder
from sslens.networks.inference import predict, predict_oriented
from sslens.protocols import FROZEN, LINEAR_PROBE, NEAREST_NEIGHBOURS
from sslens.tasks.registry import load_task
from sslens.training.probes.base import Features
from sslens.training.probes.classification import PROBES

ENCODER = load(ROOT / "config", {})["encoder"] | {"width": 2, "stem": "small"}
SHAPE = (16, 16, 1)
SETTINGS = {
    LINEAR_PROBE: {"protocol": LINEAR_PROBE, "learning": {"inverse_penalties": [0.1, 10.0]}},
    NEAREST_NEIGHBOURS: {
        "protocol": NEAREST_NEIGHBOURS,
        "learning": {"neighbours": 7, "temperature": 0.1},
    },
}


@pytest.fixture(autouse=True)
def shallow(monkeypatch):
    """ResNets of one block in each of two stages."""
    monkeypatch.setitem(resnet.DEPTHS, "resnet18", (1, 1))


def split_of(size, seed):
    """Images whose smoothness tells their class, somewhat, and their labels."""
    labels = np.random.default_rng(seed).permutation(np.arange(size) % 3)
    images = np.random.default_rng(seed + 10).normal(size=(size, *SHAPE))
    smooth = (images + np.roll(images, 1, axis=1) + np.roll(images, 1, axis=2)) / 3**0.5
    share = labels.reshape(-1, 1, 1, 1) / 2
    return ((1 - share) * images + share * smooth).astype(np.float32), labels


(TRAIN, TRAIN_LABELS), (VALIDATION, VALIDATION_LABELS) = split_of(90, 0), split_of(45, 1)


def encoder_of(seed=3):
    return frozen_encoder(ENCODER, Images.of(TRAIN), None, seed)


def probe_of(protocol, encoder, path, fraction=1.0):
    """The arrays of a probe of the features of an encoder, out of a file, and its history."""
    rows = stratified_subset(TRAIN_LABELS, fraction, 3)
    labelled = Features(predict(encoder, TRAIN)[rows], TRAIN_LABELS[rows])
    validation = Features(predict(encoder, VALIDATION), VALIDATION_LABELS)
    arrays, history = PROBES[protocol].fit(labelled, validation, SETTINGS[protocol]["learning"])
    write_arrays(path / "probe.npz", arrays)
    return read_arrays(path / "probe.npz"), history


def logits_of(protocol, probe, features):
    """The logits of a probe, without a network."""
    return PROBES[protocol].outputs(probe, features, SETTINGS[protocol]["learning"])


# --- fresh ones -----------------------------------------------------------------------------------


def test_every_classifier_of_a_seed_starts_from_the_same_fresh_weights():
    first, second, other = (
        build_network(ENCODER, SHAPE, seed)[0].get_weights() for seed in (3, 3, 4)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_a_classifier_comes_with_the_encoder_inside_it():
    classifier, encoder = build_network(ENCODER, SHAPE, 3)
    assert classifier.layers[1] is encoder
    assert classifier.output_shape == (None, 3)


# --- probes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.04, 0.2, 1.0])  # of 3, 18 and 90 images
@pytest.mark.parametrize("protocol", FROZEN)
def test_the_network_of_a_probe_has_its_logits_for_the_features_of_the_encoder(
    protocol, fraction, tmp_path
):
    encoder = encoder_of()
    probe, history = probe_of(protocol, encoder, tmp_path, fraction)
    before = encoder.get_weights()
    classifier = network_of_probe(SETTINGS[protocol], encoder, probe)
    assert classifier.layers[1] is encoder
    for one, other in zip(encoder.get_weights(), before, strict=True):
        assert one.tobytes() == other.tobytes(), "the encoder is frozen"
    found = predict(classifier, VALIDATION)
    expected = logits_of(protocol, probe, predict(encoder, VALIDATION))
    assert np.isfinite(found).all()
    assert np.ptp(softmax(expected), axis=0).max() > 0.1, "the images must differ"
    np.testing.assert_allclose(softmax(found), softmax(expected), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    auc = class_aucs(VALIDATION_LABELS, expected).mean()  # some images are nearly tied
    assert auc == pytest.approx(history["validation_auc"].max(), abs=1e-9)
    assert auc > 0.6 or fraction < 1


def test_the_network_of_a_linear_probe_is_like_a_fine_tuned_one(tmp_path):
    encoder = encoder_of()
    expected, _ = build_network(ENCODER, SHAPE, 3)
    for fraction in (0.2, 1.0):
        probe, _ = probe_of(LINEAR_PROBE, encoder, tmp_path, fraction)
        classifier = network_of_probe(SETTINGS[LINEAR_PROBE], encoder, probe)
        layout = [(weight.path, weight.shape) for weight in classifier.weights]
        assert layout == [(weight.path, weight.shape) for weight in expected.weights]
        for weight, array in zip(classifier.layers[-1].get_weights(), probe.values(), strict=True):
            assert np.array_equal(weight, array)


@pytest.mark.parametrize("fraction", [0.04, 0.2, 1.0])
def test_the_network_of_neighbours_holds_as_many_images_as_have_labels(fraction, tmp_path):
    encoder = encoder_of()
    probe, _ = probe_of(NEAREST_NEIGHBOURS, encoder, tmp_path, fraction)
    rows = stratified_subset(TRAIN_LABELS, fraction, 3)
    classifier = network_of_probe(SETTINGS[NEAREST_NEIGHBOURS], encoder, probe)
    kernel = classifier.get_layer("cosines").kernel.numpy()
    votes = classifier.get_layer("classes").embeddings.numpy()
    assert kernel.shape == (encoder.output_shape[1], len(rows))
    known = predict(encoder, TRAIN)[rows]
    unit = known / np.linalg.norm(known, axis=1, keepdims=True)
    np.testing.assert_allclose(kernel, unit.T, rtol=1e-5, atol=1e-6)
    assert np.array_equal(votes, np.eye(3)[TRAIN_LABELS[rows]])


@pytest.mark.parametrize("temperature", [0.1, 1e-6])
def test_an_image_of_the_training_finds_itself(temperature, tmp_path):
    encoder = encoder_of()
    probe, _ = probe_of(NEAREST_NEIGHBOURS, encoder, tmp_path)
    learning = {"neighbours": 2, "temperature": temperature}
    settings = SETTINGS[NEAREST_NEIGHBOURS] | {"learning": learning}
    outputs = predict(network_of_probe(settings, encoder, probe), TRAIN)
    assert np.isfinite(outputs).all()
    assert (outputs.argmax(axis=1) == TRAIN_LABELS).mean() > 0.95


@pytest.mark.parametrize("fraction", [0.2, 1.0])
@pytest.mark.parametrize("protocol", FROZEN)
def test_a_file_of_a_probe_gives_the_same_outputs_on_an_encoder_that_is_built_again(
    protocol, fraction, tmp_path
):
    """As the rule `export_probe` puts them together."""
    encoder = encoder_of()
    probe, _ = probe_of(protocol, encoder, tmp_path, fraction)
    first = network_of_probe(SETTINGS[protocol], encoder, probe)
    again = network_of_probe(SETTINGS[protocol], encoder_of(), read_arrays(tmp_path / "probe.npz"))
    assert np.array_equal(predict(first, VALIDATION), predict(again, VALIDATION))
    features = predict(first.layers[1], VALIDATION)
    assert np.array_equal(predict(again.layers[1], VALIDATION), features)


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("protocol", FROZEN)
def test_what_is_exported_gives_the_probabilities_of_the_probe(protocol, average, tmp_path):
    encoder = encoder_of()
    probe, _ = probe_of(protocol, encoder, tmp_path, fraction=0.5)
    recorded = np.random.default_rng(5).gamma(0.3, 1.0, (9, 33, 33, 1)).astype(np.float32)
    facts = measure(
        recorded,
        {"crop": 32, "bin": 2, "stretch": "asinh", "softening": 0.1, "scaling": "standardise"},
    )
    features = predict_oriented(encoder, Images.of(preprocess(recorded, facts)), average)
    logits = mean_logits(np.stack([logits_of(protocol, probe, seen) for seen in features]))
    expected = softmax(logits)
    assert np.ptp(expected, axis=0).max() > 1e-2
    classifier = network_of_probe(SETTINGS[protocol], encoder, probe)
    task = load_task({"name": "classification"})
    found = predict(exportable(classifier, facts, recorded.shape[1:], task, average), recorded)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
