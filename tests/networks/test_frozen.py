"""Frozen encoders: whose weights they have, and whose statistics."""

import keras
import numpy as np
import pytest
from paths import ROOT

from sslens.configuration.loading import load
from sslens.images import Images
from sslens.networks.classifiers import build_network
from sslens.networks.encoders import resnet
from sslens.networks.encoders.building import build_encoder
from sslens.networks.frozen import BATCH, frozen_encoder, recompute_batch_norm_statistics
from sslens.networks.inference import predict

SETTINGS = load(ROOT / "config", {})["encoder"] | {"width": 2, "stem": "small"}
SHAPE = (16, 16, 1)
PIXELS = np.random.default_rng(0).normal(size=(150, *SHAPE)).astype(np.float32)
PIXELS[60:] = 3 * PIXELS[60:] + 1  # the last images are unlike the first
IMAGES = Images.of(PIXELS)


@pytest.fixture(autouse=True)
def shallow(monkeypatch):
    """ResNets of one block in each of two stages."""
    monkeypatch.setitem(resnet.DEPTHS, "resnet18", (1, 1))


def stem_of(encoder, images):
    """The maps that the first normalisation of an encoder normalises."""
    return keras.Model(encoder.input, encoder.get_layer("stem").output)(images).numpy()


def weights_of(encoder):
    return {variable.path: variable.numpy().copy() for variable in encoder.variables}


def changed(before, after):
    return [path for path in before if not np.array_equal(before[path], after[path])]


def statistics_of(encoder):
    return [variable.path for variable in encoder.variables if "moving" in variable.path]


def assert_same_bytes(one, other):
    for first, second in zip(one.get_weights(), other.get_weights(), strict=True):
        assert first.tobytes() == second.tobytes()


# --- statistics -----------------------------------------------------------------------------------


def test_recomputing_changes_the_statistics_of_batches_alone():
    encoder = build_encoder(SETTINGS, SHAPE, 3)
    before = weights_of(encoder)
    recompute_batch_norm_statistics(encoder, IMAGES)
    assert changed(before, weights_of(encoder)) == statistics_of(encoder)
    assert len(statistics_of(encoder)) > 4


def test_statistics_are_those_of_the_images_whatever_they_were():
    encoder = build_encoder(SETTINGS, SHAPE, 3)
    normalisation = encoder.get_layer("stem_bn")
    normalisation.moving_mean.assign(normalisation.moving_mean + 7)
    images = PIXELS[:60]  # one batch
    recompute_batch_norm_statistics(encoder, Images.of(images))
    maps = stem_of(encoder, images)
    np.testing.assert_allclose(
        normalisation.moving_mean.numpy(), maps.mean(axis=(0, 1, 2)), atol=1e-5
    )
    np.testing.assert_allclose(
        normalisation.moving_variance.numpy(), maps.var(axis=(0, 1, 2), ddof=1), rtol=1e-4
    )
    # several batches: the average of theirs, each counting as much as the others
    many = np.concatenate([images, images + 1, images * 2, images - 3])[:256]
    recompute_batch_norm_statistics(encoder, Images.of(many))
    means = [stem_of(encoder, batch).mean(axis=(0, 1, 2)) for batch in np.array_split(many, 3)]
    np.testing.assert_allclose(
        normalisation.moving_mean.numpy(), np.mean(means, axis=0), rtol=1e-3, atol=1e-4
    )
    assert normalisation.momentum == SETTINGS["batch_norm_momentum"]


# --- encoders -------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    """A pretrained encoder, whose statistics are not those of the images, and its file."""
    encoder = build_encoder(SETTINGS, SHAPE, 99)
    recompute_batch_norm_statistics(encoder, Images.of(PIXELS[:8] * 5 + 2))
    path = str(tmp_path / "encoder.weights.h5")
    encoder.save_weights(path)
    return encoder, path


def assert_statistics_are_of_all_images(encoder):
    batches = np.array_split(PIXELS, len(PIXELS) // BATCH)
    assert len(batches) == 2
    means = [stem_of(encoder, batch).mean(axis=(0, 1, 2)) for batch in batches]
    found = encoder.get_layer("stem_bn").moving_mean.numpy()
    np.testing.assert_allclose(found, np.mean(means, axis=0), rtol=1e-3, atol=1e-4)
    assert np.abs(found - means[0]).max() > 0.05, "the first images alone have the same statistics"


def test_a_pretrained_one_has_the_saved_weights_and_the_statistics_of_all_images(saved):
    pretrained, path = saved
    before = weights_of(pretrained)
    encoder = frozen_encoder(SETTINGS, IMAGES, path, seed=3)
    assert encoder.input_shape == (None, *SHAPE)
    assert sorted(weights_of(encoder)) == sorted(before)
    assert changed(before, weights_of(encoder)) == statistics_of(pretrained)
    assert_statistics_are_of_all_images(encoder)
    recompute_batch_norm_statistics(pretrained, IMAGES)
    assert_same_bytes(encoder, pretrained)


def test_a_random_one_is_the_fresh_encoder_of_its_seed_but_for_its_statistics():
    encoder = frozen_encoder(SETTINGS, IMAGES, None, seed=3)
    _, fresh = build_network(SETTINGS, SHAPE, 3)  # of the arm that is fine-tuned
    assert changed(weights_of(fresh), weights_of(encoder)) == statistics_of(fresh)
    assert_statistics_are_of_all_images(encoder)
    recompute_batch_norm_statistics(fresh, IMAGES)
    assert_same_bytes(encoder, fresh)
    other = frozen_encoder(SETTINGS, IMAGES, None, seed=4)
    kernels = [one.get_layer("stem").kernel.numpy() for one in (encoder, other)]
    assert not np.array_equal(*kernels)


def test_the_seed_changes_nothing_in_a_pretrained_one(saved):
    _, path = saved
    assert_same_bytes(*(frozen_encoder(SETTINGS, IMAGES, path, seed) for seed in (3, 4)))


def test_features_of_a_pretrained_one_are_not_those_of_a_random_one(saved):
    _, path = saved
    built = [frozen_encoder(SETTINGS, IMAGES, pretrained, seed=3) for pretrained in (path, None)]
    features = [predict(encoder, IMAGES) for encoder in built]
    assert not np.allclose(*features, atol=1e-2)


def test_statistics_behind_a_dropout_are_of_features_that_are_computed_without_it():
    built = [
        frozen_encoder(SETTINGS | {"neck": [8, 4], "neck_dropout": rates}, IMAGES, None, seed=3)
        for rates in ([0.5, 0.5], [])
    ]
    features = [predict(encoder, IMAGES) for encoder in built]
    assert np.array_equal(*features)
    assert built[0].get_layer("drop1").rate == 0.5, "as before"


@pytest.mark.parametrize("pretrained", [False, True])
def test_it_is_the_same_when_it_is_built_again(saved, pretrained):
    """As the export of a probe builds it, whose features are computed already."""
    path = saved[1] if pretrained else None
    first, second = (frozen_encoder(SETTINGS, IMAGES, path, seed=3) for _ in range(2))
    assert_same_bytes(first, second)
    assert np.array_equal(predict(first, IMAGES), predict(second, IMAGES))
