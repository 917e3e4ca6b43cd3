"""Views: a pretext's augmentations in order, each with a seed of its own."""

import math

import numpy as np
import pytest
import tensorflow as tf

from sslens.seeds import derive_seed
from sslens.training.views import make_view


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
