"""Augmentations: what every one must change, and what it must leave as it was."""

import inspect
import math

import numpy as np
import pytest
import tensorflow as tf
import yaml
from paths import ROOT
from scipy import ndimage

from sslens.data.simulation.rendering import NOISE
from sslens.seeds import derive_seed
from sslens.training import augmentations
from sslens.training.augmentations import (
    blur,
    dihedral,
    flux_scale,
    gaussian_noise,
    instrument_noise,
    rotation,
    shift,
    subpixel_shift,
)
from sslens.training.views import load_augmentation

SCHEMA = ROOT / "workflow/scripts/sslens/training/augmentations.schema.yaml"

# strengths for the tests that go over all augmentations
STRENGTHS = {
    "rotation": {"max_degrees": 90},
    "shift": {"max_pixels": 3},
    "dihedral": {},
    "gaussian_noise": {"stddev": 0.5},
    "blur": {"max_sigma": 2.0},
    "flux_scale": {"max_factor": 2.0},
    "subpixel_shift": {"max_pixels": 1.5},
    "psf_blur": {"max_sigma": 2.0},
}
# drawn by facts of the image and of its recipe, see below
NOISE_OF_RECIPE = "instrument_noise"


def seed_of(key=0):
    return tf.constant(derive_seed(0, "test views", key), tf.int32)


def noise_images(batch, size, channels=1, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, size, size, channels)).astype("float32")


def copies(image, batch):
    return np.repeat(image[None], batch, axis=0).astype("float32")


def grid(size):
    """x to the right and y downwards, from the centre."""
    places = np.arange(size) - (size - 1) / 2
    return np.meshgrid(places, places)


def blob(size, x0, y0, sigma):
    x, y = grid(size)
    return np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2))


# --- all of them ----------------------------------------------------------------------------------


def test_every_augmentation_is_described_and_tested():
    """Its schema, free of TensorFlow, and its function tell the same strengths."""
    schema = yaml.safe_load(SCHEMA.read_text())["properties"]
    functions = {
        name: function
        for name, function in inspect.getmembers(augmentations, inspect.isfunction)
        if not name.startswith("_")
    }
    assert set(functions) == set(schema) == {*STRENGTHS, NOISE_OF_RECIPE}
    assert "properties" not in schema[NOISE_OF_RECIPE]
    del functions[NOISE_OF_RECIPE]
    for name, function in functions.items():
        _, _, *strengths = inspect.signature(function).parameters.values()
        told = schema[name].get("properties", {})
        assert [strength.name for strength in strengths] == list(told)
        required = [s.name for s in strengths if s.default is inspect.Parameter.empty]
        assert schema[name].get("required", []) == required


@pytest.mark.parametrize("name", STRENGTHS)
def test_shape_and_type_stay(name):
    images = noise_images(3, 12, channels=2)
    view = load_augmentation(name)(tf.constant(images), seed_of(), **STRENGTHS[name])
    assert view.shape == images.shape
    assert view.dtype == tf.float32
    assert np.isfinite(view).all()


@pytest.mark.parametrize("name", STRENGTHS)
def test_the_seed_alone_decides(name):
    images = tf.constant(noise_images(6, 12))
    augment = load_augmentation(name)
    first = augment(images, seed_of(1), **STRENGTHS[name]).numpy()
    tf.random.set_seed(99)
    again = augment(images, seed_of(1), **STRENGTHS[name]).numpy()
    other = augment(images, seed_of(2), **STRENGTHS[name]).numpy()
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", STRENGTHS)
def test_the_same_numbers_inside_a_graph_of_unknown_batch(name):
    images = noise_images(5, 12)
    spec = tf.TensorSpec([None, 12, 12, 1], tf.float32)
    graph = tf.function(
        lambda x, seed: load_augmentation(name)(x, seed, **STRENGTHS[name]),
        input_signature=[spec, tf.TensorSpec([2], tf.int32)],
    )
    eager = load_augmentation(name)(tf.constant(images), seed_of(), **STRENGTHS[name])
    np.testing.assert_allclose(graph(images, seed_of()), eager, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", STRENGTHS)
def test_every_image_of_a_batch_has_its_own_draw(name):
    images = copies(noise_images(1, 12)[0], 64)
    views = load_augmentation(name)(tf.constant(images), seed_of(), **STRENGTHS[name]).numpy()
    possible = {"dihedral": 8, "shift": 49}.get(name, 64)
    distinct = len(np.unique(views.reshape(64, -1), axis=0))
    assert distinct >= min(possible, 64) * 0.6


@pytest.mark.parametrize("name", sorted(set(STRENGTHS) - {"gaussian_noise"}))
def test_the_channels_of_an_image_share_its_draw(name):
    images = np.repeat(noise_images(8, 12), 2, axis=3)
    views = load_augmentation(name)(tf.constant(images), seed_of(), **STRENGTHS[name]).numpy()
    assert np.array_equal(views[..., 0], views[..., 1])


# --- rotation -------------------------------------------------------------------------------------


def rotated_blob(second_channel, max_degrees, batch):
    """Rotate a blob beside a second channel; return angles (degrees, anticlockwise), channels."""
    size = second_channel.shape[0]
    image = np.stack([blob(size, 8.0, 0.0, 2.5), second_channel], axis=-1)
    views = rotation(tf.constant(copies(image, batch)), seed_of(), max_degrees).numpy()
    x, y = grid(size)
    disc = x**2 + y**2 < (size / 2 - 1) ** 2
    weights = views[..., 0] * disc
    total = weights.sum(axis=(1, 2))
    centre = [(weights * place).sum(axis=(1, 2)) / total for place in (x, y)]
    np.testing.assert_allclose(np.hypot(*centre), 8.0, atol=0.02)
    return np.degrees(np.arctan2(-centre[1], centre[0])), views[..., 1]


@pytest.mark.parametrize("size", [40, 41])
def test_rotation_turns_as_scipy_does(size):
    """The angle is read off a blob in one channel and given to SciPy for the other."""
    structure = sum(
        blob(size, x0, y0, sigma) for x0, y0, sigma in ((3, 5, 3), (-6, 1, 2.5), (0, -7, 3.5))
    )
    angles, turned = rotated_blob(structure, 180, 12)
    x, y = grid(size)
    central = np.hypot(x, y) < size / 2 - 3
    for angle, got in zip(angles, turned, strict=True):
        expected = ndimage.rotate(structure, angle, reshape=False, order=1)
        np.testing.assert_allclose(got[central], expected[central], atol=2e-3)


def test_rotation_preserves_the_central_flux():
    size = 48
    source = blob(size, 2.0, -1.0, 3.0)
    views = rotation(tf.constant(copies(source[..., None], 32)), seed_of(), 180).numpy()
    x, y = grid(size)
    central = np.hypot(x, y) < 18
    np.testing.assert_allclose(views[:, central, 0].sum(axis=1), source[central].sum(), rtol=1e-3)


@pytest.mark.parametrize("limit", [20, 180])
def test_rotation_angles_are_uniform_within_the_limit(limit):
    angles, _ = rotated_blob(np.zeros((40, 40)), limit, 1000)
    assert np.abs(angles).max() <= limit + 0.2
    assert np.abs(angles).max() > 0.98 * limit
    # mean and variance of the uniform distribution, to five standard errors
    assert abs(angles.mean()) < 5 * limit / math.sqrt(3 * 1000)
    assert angles.std() == pytest.approx(limit / math.sqrt(3), rel=0.1)


def test_rotation_by_nothing_is_the_identity():
    images = noise_images(4, 13)
    assert np.array_equal(rotation(tf.constant(images), seed_of(), 0), images)


def test_rotation_leaves_no_dark_corners():
    images = np.full((16, 20, 20, 1), 3.0, np.float32)
    np.testing.assert_allclose(rotation(tf.constant(images), seed_of(), 180), 3.0, rtol=1e-5)


# --- shift ----------------------------------------------------------------------------------------


def test_shift_moves_by_whole_pixels_exactly():
    limit, batch = 3, 600
    image = noise_images(1, 14)[0, ..., 0]
    views = shift(tf.constant(copies(image[..., None], batch)), seed_of(), limit).numpy()[..., 0]
    inner = (slice(limit, -limit),) * 2
    span = range(-limit, limit + 1)
    rolled = {(dy, dx): np.roll(image, (dy, dx), axis=(0, 1)) for dy in span for dx in span}
    counts = dict.fromkeys(rolled, 0)
    for view in views:
        (step,) = (
            step for step, roll in rolled.items() if np.array_equal(view[inner], roll[inner])
        )
        counts[step] += 1
        # beyond the edge the image is mirrored
        dy, dx = step
        mirrored = np.pad(image, limit, mode="symmetric")
        expected = mirrored[limit - dy :, limit - dx :][: len(image), : len(image)]
        assert np.array_equal(view, expected)
    # all 49 occur, about equally often: both directions are drawn independently and uniformly
    expected = batch / len(counts)
    chi_squared = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_squared < 100, counts  # 48 degrees of freedom: beyond 100 once in 50,000 seeds


def test_shift_by_nothing_is_the_identity():
    images = noise_images(4, 9)
    assert np.array_equal(shift(tf.constant(images), seed_of(), 0), images)


# --- dihedral -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 5])
def test_dihedral_gives_the_eight_symmetries(size):
    image = noise_images(1, size, channels=2)[0]
    turns = [np.rot90(image, k) for k in range(4)]
    symmetries = np.stack(turns + [turn[:, ::-1] for turn in turns])
    views = dihedral(tf.constant(copies(image, 800)), seed_of()).numpy()
    matches = (views[:, None] == symmetries[None]).all(axis=(2, 3, 4))
    assert (matches.sum(axis=1) == 1).all()
    counts = matches.sum(axis=0)
    assert (np.abs(counts - 100) < 5 * math.sqrt(100 * 7 / 8)).all(), counts


# --- gaussian noise -------------------------------------------------------------------------------


def test_noise_has_its_standard_deviation_and_is_independent():
    images = noise_images(6, 40, channels=2)
    noise = gaussian_noise(tf.constant(images), seed_of(), 0.3).numpy() - images
    n = noise.size
    assert abs(noise.mean()) < 5 * 0.3 / math.sqrt(n)
    assert noise.std() == pytest.approx(0.3, rel=5 / math.sqrt(2 * n))
    assert np.mean((noise / 0.3) ** 4) == pytest.approx(3.0, abs=5 * math.sqrt(96 / n))
    # between images and channels
    planes = noise.transpose(0, 3, 1, 2).reshape(12, -1)
    assert np.abs(np.corrcoef(planes) - np.eye(12)).max() < 5 / math.sqrt(planes.shape[1])
    # between neighbours in an image
    for neighbour in (noise[:, 1:, :] * noise[:, :-1, :], noise[:, :, 1:] * noise[:, :, :-1]):
        assert abs(neighbour.mean()) < 5 * 0.09 / math.sqrt(neighbour.size)


def test_noise_is_the_same_in_every_pixel_whatever_its_value():
    images = np.concatenate([np.zeros((2, 32, 32, 1)), np.full((2, 32, 32, 1), 50.0)])
    noise = gaussian_noise(tf.constant(images.astype("float32")), seed_of(), 2.0).numpy() - images
    assert noise[:2].std() == pytest.approx(2.0, rel=0.1)
    assert noise[2:].std() == pytest.approx(2.0, rel=0.1)


def test_noise_is_clipped_where_asked():
    images = tf.constant(noise_images(4, 16))
    free = gaussian_noise(images, seed_of(), 1.0).numpy()
    clipped = gaussian_noise(images, seed_of(), 1.0, clip=[-0.5, 0.75]).numpy()
    assert free.min() < -0.5
    assert free.max() > 0.75
    assert np.array_equal(clipped, np.clip(free, -0.5, 0.75).astype("float32"))


# --- blur -----------------------------------------------------------------------------------------


def blurred_beside_an_impulse(image, max_sigma, batch):
    """Blur an image beside an impulse, from which each copy's sigma is read; sigmas, images."""
    size = image.shape[0]
    impulse = np.zeros_like(image)
    centre = size // 2
    impulse[centre, centre] = 1.0
    both = copies(np.stack([impulse, image], axis=-1), batch)
    views = blur(tf.constant(both), seed_of(), max_sigma).numpy().astype(np.float64)
    point = views[..., 0]
    # neighbouring weights of a Gaussian are in the ratio exp(-1 / (2 sigma^2))
    ratio = point[:, centre, centre + 1] / point[:, centre, centre]
    with np.errstate(divide="ignore"):
        sigma = np.sqrt(-0.5 / np.log(ratio))
    return sigma, views[..., 1]


def test_blur_is_scipys_gaussian_filter():
    image = noise_images(1, 24)[0, ..., 0].astype(np.float64)
    max_sigma = 2.0
    sigmas, views = blurred_beside_an_impulse(image, max_sigma, 16)
    for sigma, view in zip(sigmas, views, strict=True):
        expected = ndimage.gaussian_filter(
            image, max(sigma, 1e-3), mode="mirror", radius=math.ceil(3 * max_sigma)
        )
        np.testing.assert_allclose(view, expected, atol=1e-5)


def test_blur_widths_are_uniform_up_to_the_limit():
    sigmas, _ = blurred_beside_an_impulse(np.zeros((15, 15)), 1.5, 1000)
    assert sigmas.max() <= 1.5 * 1.0001
    assert sigmas.max() > 1.48
    assert (sigmas < 0.3).mean() == pytest.approx(0.2, abs=5 * math.sqrt(0.16 / 1000))
    assert sigmas.mean() == pytest.approx(0.75, abs=5 * 1.5 / math.sqrt(12 * 1000))


def test_blur_preserves_the_mean_and_reduces_the_variance():
    image = np.zeros((32, 32, 1))
    image[8:-8, 8:-8, 0] = noise_images(1, 16)[0, ..., 0] + 1.0  # nothing reaches the edge
    views = blur(tf.constant(copies(image, 24)), seed_of(), 2.0).numpy()
    np.testing.assert_allclose(views.mean(axis=(1, 2, 3)), image.mean(), rtol=1e-4)
    assert (views.var(axis=(1, 2, 3)) <= image.var() * 1.0001).all()
    assert np.median(views.var(axis=(1, 2, 3))) < 0.8 * image.var()


# --- of raw images --------------------------------------------------------------------------------


def test_the_flux_is_scaled_as_often_up_as_down():
    images = tf.ones([4000, 2, 2, 1])
    factors = flux_scale(images, seed_of(), 3.0).numpy()[:, 0, 0, 0]
    logarithms = np.log(factors) / math.log(3)
    assert np.abs(logarithms).max() <= 1
    np.testing.assert_allclose([logarithms.mean(), logarithms.std()], [0, 3**-0.5], atol=0.03)


def test_a_shift_by_fractions_moves_the_centre_and_blurs_as_it_says():
    image = blob(33, 0, 0, 3.0)[..., None]
    views = subpixel_shift(tf.constant(copies(image, 200)), seed_of(), 0.5).numpy()[..., 0]
    x, _ = grid(33)
    total = views.sum(axis=(1, 2))
    moved = (views * x).sum(axis=(1, 2)) / total
    assert -0.5 <= moved.min() < -0.45 < 0.45 < moved.max() <= 0.5
    variance = (views * x**2).sum(axis=(1, 2)) / total - moved**2
    np.testing.assert_allclose(variance, 9 + np.abs(moved) * (1 - np.abs(moved)), rtol=2e-3)


INSTRUMENTS = {
    "published_double_poisson": {"background_rms": 0.05},
    "instrument": {
        "zero_point": 24.0,
        "sky_brightness": 22.0,
        "pixel_scale": 0.1,
        "exposures": 4,
        "read_noise": 5.0,
    },
}


@pytest.mark.parametrize("noise", INSTRUMENTS)
def test_noise_is_that_of_the_simulation(noise):
    """The moments of many draws, of dark and bright pixels, and of two exposure times."""
    instrument, batch = INSTRUMENTS[noise], 4000
    image = np.array([[0.0, 0.03], [0.5, 8.0]])[..., None]
    for time in (200.0, 3000.0):
        view = instrument_noise(
            tf.constant(copies(image, batch)), seed_of(), tf.fill([batch], time), noise, instrument
        ).numpy()
        generator = np.random.default_rng(0)
        drawn = NOISE[noise](copies(image, batch).astype(float), time, instrument, generator)
        error = np.sqrt(2) * drawn.std(axis=0) / math.sqrt(batch)
        assert (np.abs(view.mean(axis=0) - drawn.mean(axis=0)) <= 4.5 * error).all()
        np.testing.assert_allclose(view.std(axis=0), drawn.std(axis=0), rtol=0.08)
        assert len(np.unique(view[:, 1, 1, 0])) > batch / 20, "each image has noise of its own"
    again, other = (
        instrument_noise(tf.ones([2, 2, 2, 1]), seed_of(key), tf.fill([2], 9e3), noise, instrument)
        for key in (0, 1)
    )
    assert not np.array_equal(again, other)


def test_a_recipe_without_noise_has_none_to_draw():
    with pytest.raises(ValueError, match="noise: 'none' cannot be drawn anew"):
        instrument_noise(tf.ones([1, 2, 2, 1]), seed_of(), tf.ones([1]), "none", {})
