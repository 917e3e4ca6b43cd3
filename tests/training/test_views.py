"""Views: a pretext's augmentations in order, each with a seed of its own."""

import math

import numpy as np
import pytest
import tensorflow as tf

from sslens.data.preprocessing import measure, preprocess
from sslens.data.records import Split
from sslens.images import Images
from sslens.pretexts import augmentation_names, split_raw
from sslens.seeds import derive_seed
from sslens.training.views import Views, make_view


def seed_of(key=0):
    return tf.constant(derive_seed(0, "test views", key), tf.int32)


def noise_images(batch, size):
    return np.random.default_rng(0).normal(size=(batch, size, size, 1)).astype("float32")


def test_a_pretext_is_applied_in_order():
    """Noise that is blurred is weak; blur that is made noisy is not."""
    flat = tf.zeros([16, 24, 24, 1])
    noise, smooth = {"gaussian_noise": {"stddev": 1.0}}, {"blur": {"max_sigma": 2.0}}
    assert make_view(flat, seed_of(), [smooth, noise]).numpy().std() == pytest.approx(1, rel=0.05)
    assert make_view(flat, seed_of(), [noise, smooth]).numpy().std() < 0.8


def test_a_repeated_augmentation_draws_anew():
    flat = tf.zeros([8, 24, 24, 1])
    noise = {"gaussian_noise": {"stddev": 1.0}}
    twice = make_view(flat, seed_of(), [noise, noise]).numpy()
    assert twice.std() == pytest.approx(math.sqrt(2), rel=0.05)


def test_an_augmentation_without_strengths_may_have_none():
    images = noise_images(40, 6)
    views = make_view(tf.constant(images), seed_of(), [{"dihedral": None}]).numpy()
    assert not np.array_equal(views, images)
    assert np.array_equal(np.sort(views.reshape(40, -1)), np.sort(images.reshape(40, -1)))


def test_an_empty_pretext_is_the_identity():
    images = noise_images(2, 6)
    assert np.array_equal(make_view(tf.constant(images), seed_of(), []), images)


def test_a_view_is_repeatable_and_two_seeds_give_two_views():
    images = tf.constant(noise_images(4, 16))
    pretext = [{"rotation": {"max_degrees": 90}}, {"dihedral": {}}, {"blur": {"max_sigma": 2.0}}]
    first, again, other = (make_view(images, seed_of(k), pretext).numpy() for k in (1, 1, 2))
    assert np.array_equal(first, again)
    assert all(not np.allclose(a, b) for a, b in zip(first, other, strict=True))


def test_an_unknown_augmentation_is_named_beside_the_known():
    with pytest.raises(ValueError, match="'rotate'.*rotation"):
        make_view(tf.zeros([1, 4, 4, 1]), seed_of(), [{"rotate": {"max_degrees": 3}}])


# --- of raw images --------------------------------------------------------------------------------

PREPROCESSING = [
    {"crop": None, "bin": 1, "stretch": "asinh", "softening": 0.05, "scaling": "standardise"},
    {"crop": 12, "bin": 2, "stretch": "sqrt", "softening": 0.05, "scaling": "min_max"},
]


@pytest.mark.parametrize("chosen", PREPROCESSING)
def test_raw_images_without_augmentations_are_preprocessed_alone(chosen):
    images = np.random.default_rng(1).exponential(size=(6, 14, 14, 1)).astype("float32")
    facts = measure(Images.of(images), chosen)
    views = Views([], [], facts).draw([tf.constant(images[:, None])], seed_of())
    for view in views:
        np.testing.assert_allclose(view, preprocess(images, facts), atol=2e-6)


def test_noise_is_drawn_by_the_exposure_time_of_the_image_that_is_shown():
    """Of two images of a group, one has a hundredth of the other's exposure time."""
    noise = {"noise": "published_double_poisson", "instrument": {"background_rms": 0.0}}
    facts = measure(Images.of(noise_images(2, 8)), PREPROCESSING[0] | {"stretch": "none"})
    views = Views(
        [], [{"instrument_noise": noise}], facts | {"mean": 0.0, "standard_deviation": 1.0}
    )
    images = np.broadcast_to(np.array([2.0, 7.0], "float32"), (30, 2))[..., None, None, None]
    images = np.broadcast_to(images, (30, 2, 8, 8, 1))
    split = Split.of(
        images.reshape(60, 8, 8, 1), np.zeros(60), exposure_time=np.tile([1e2, 1e4], 30)
    )
    groups = [part[:] for part in views.data(split, np.arange(60).reshape(30, 2))]
    pair = np.stack(views.draw([tf.constant(part, tf.float32) for part in groups], seed_of()))
    counts = pair.mean(axis=(2, 3, 4))
    short = counts < 1e3
    assert (short.sum(axis=0) == 1).all(), "both images of a group"
    np.testing.assert_allclose(counts[short], 2e2, rtol=0.1)
    np.testing.assert_allclose(counts[~short], 7e4, rtol=0.01)


def test_a_pretext_is_split_into_raw_and_preprocessed_in_its_order():
    pretext = [{"psf_blur": {"max_sigma": 1}}, {"instrument_noise": None}, {"dihedral": None}]
    raw, others = split_raw(pretext)
    assert (raw, others) == (pretext[:2], pretext[2:])
    assert augmentation_names(pretext) == ["psf_blur", "instrument_noise", "dihedral"]


def test_draws_of_preprocessed_images_do_not_hang_on_those_of_raw_ones():
    images = tf.constant(noise_images(4, 8)[:, None])
    facts = measure(Images.of(noise_images(4, 8)), PREPROCESSING[0] | {"stretch": "none"})
    facts |= {"mean": 0.0, "standard_deviation": 1.0}
    blurred = {"psf_blur": {"max_sigma": 1e-3}}
    plain = Views([{"dihedral": None}]).draw([images], seed_of())
    raw = Views([{"dihedral": None}], [blurred], facts).draw([images], seed_of())
    np.testing.assert_allclose(raw, plain, atol=1e-5)
