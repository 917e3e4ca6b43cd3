"""Augmentations: what a pretext is made of.

Every public function here takes a batch of images (batch, height, width, channels) and a stateless
seed of shape (2,), draws anew for every image of the batch, and returns images of the same shape.
It is chosen by its name in the configuration; its other arguments are its strengths, which
`augmentations.schema.yaml` describes. Those that the schema marks `of_raw_images` act on images as
they are recorded, before the preprocessing; the others on normalised ones.
"""

import math
from collections.abc import Mapping

import tensorflow as tf


def rotation(images: tf.Tensor, seed: tf.Tensor, max_degrees: float) -> tf.Tensor:
    """Rotate about the centre by an angle uniform in ±max_degrees; bilinear, reflected edges."""
    limit = math.radians(max_degrees)
    angle = tf.random.stateless_uniform([tf.shape(images)[0]], seed, -limit, limit)
    return _warp(images, tf.cos(angle), tf.sin(angle), tf.zeros_like(angle), tf.zeros_like(angle))


def shift(images: tf.Tensor, seed: tf.Tensor, max_pixels: int) -> tf.Tensor:
    """Shift by whole pixels, uniform in ±max_pixels in both directions; reflected edges."""
    steps = tf.random.stateless_uniform(
        [tf.shape(images)[0], 2], seed, -max_pixels, max_pixels + 1, dtype=tf.int32
    )
    steps = tf.cast(steps, tf.float32)
    ones = tf.ones_like(steps[:, 0])
    return _warp(images, ones, tf.zeros_like(ones), steps[:, 0], steps[:, 1])


def dihedral(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Apply one of the eight flips and 90° rotations of the square: exact, no pixel changes."""
    coins = tf.random.stateless_uniform([3, tf.shape(images)[0], 1, 1, 1], seed) < 0.5
    images = tf.where(coins[0], tf.reverse(images, [1]), images)
    images = tf.where(coins[1], tf.reverse(images, [2]), images)
    return tf.where(coins[2], tf.transpose(images, [0, 2, 1, 3]), images)


def gaussian_noise(
    images: tf.Tensor, seed: tf.Tensor, stddev: float, clip: list[float] | None = None
) -> tf.Tensor:
    """Add independent normal noise of a standard deviation to every pixel; clip where asked."""
    noisy = images + stddev * tf.random.stateless_normal(tf.shape(images), seed)
    return noisy if clip is None else tf.clip_by_value(noisy, *clip)


def blur(images: tf.Tensor, seed: tf.Tensor, max_sigma: float) -> tf.Tensor:
    """Blur by a Gaussian of a standard deviation uniform in [0, max_sigma] pixels."""
    sigma = tf.random.stateless_uniform([tf.shape(images)[0], 1], seed, 1e-3, max_sigma)
    reach = math.ceil(3 * max_sigma)
    offsets = tf.range(-reach, reach + 1, dtype=tf.float32)
    weights = tf.nn.softmax(-0.5 * (offsets / sigma) ** 2)[:, :, None, None, None]
    for axis in (1, 2):
        paddings = [[0, 0]] * 4
        paddings[axis] = [reach, reach]
        padded = tf.pad(images, paddings, "REFLECT")
        pixels = tf.range(tf.shape(images)[axis])
        images = tf.add_n(
            [weights[:, k] * tf.gather(padded, pixels + k, axis=axis) for k in range(2 * reach + 1)]
        )
    return images


# --- of raw images --------------------------------------------------------------------------------


def flux_scale(images: tf.Tensor, seed: tf.Tensor, max_factor: float) -> tf.Tensor:
    """Multiply the flux by a factor that is log-uniform in [1 / max_factor, max_factor]."""
    limit = math.log(max_factor)
    shape = [tf.shape(images)[0], 1, 1, 1]
    return images * tf.exp(tf.random.stateless_uniform(shape, seed, -limit, limit))


def subpixel_shift(images: tf.Tensor, seed: tf.Tensor, max_pixels: float) -> tf.Tensor:
    """Shift by fractions of a pixel, uniform in ±max_pixels in both directions; reflected edges.

    The interpolation is bilinear. It blurs: by f pixels along an axis, as does a kernel of variance
    f (1 - f) pixels squared.
    """
    steps = tf.random.stateless_uniform([tf.shape(images)[0], 2], seed, -max_pixels, max_pixels)
    ones = tf.ones_like(steps[:, 0])
    return _warp(images, ones, tf.zeros_like(ones), steps[:, 0], steps[:, 1])


def psf_blur(images: tf.Tensor, seed: tf.Tensor, max_sigma: float) -> tf.Tensor:
    """Widen the PSF: convolve with a Gaussian of a deviation uniform in [0, max_sigma] pixels."""
    return blur(images, seed, max_sigma)


def instrument_noise(
    images: tf.Tensor, seed: tf.Tensor, exposure_times: tf.Tensor, noise: str, instrument: Mapping
) -> tf.Tensor:
    """Add the noise of the recipe, drawn anew, to images without noise.

    Args:
        images: counts / s / pixel.
        seed: (2,) integers.
        exposure_times: (batch,), s.
        noise: a key of `simulation.rendering.NOISE`, whose function has the same noise.
        instrument: of the recipe.
    """
    times = exposure_times[:, None, None, None]
    first, second, third = (tf.random.experimental.stateless_fold_in(seed, n) for n in range(3))
    shape = tf.shape(images)
    if noise == "published_double_poisson":
        shot = tf.sqrt(tf.abs(images) / times) * tf.random.stateless_normal(shape, first)
        background = instrument["background_rms"] * tf.random.stateless_normal(shape, second)
        expected = times * (images + shot + background)
        return tf.random.stateless_poisson(shape, third, tf.maximum(expected, 0), tf.float32)
    if noise == "instrument":
        magnitudes = instrument["zero_point"] - instrument["sky_brightness"]
        sky = 10 ** (0.4 * magnitudes) * instrument["pixel_scale"] ** 2 * times
        expected = times * tf.maximum(images, 0) + sky
        electrons = tf.random.stateless_poisson(shape, first, expected, tf.float32)
        readings = math.sqrt(instrument["exposures"]) * instrument["read_noise"]
        return (electrons + readings * tf.random.stateless_normal(shape, second) - sky) / times
    raise ValueError(f"noise: {noise!r} cannot be drawn anew")


def _warp(images, cos, sin, dx, dy):
    """Sample images at rotated and shifted places, about their centre."""
    height, width = (tf.cast(size, tf.float32) for size in tf.unstack(tf.shape(images)[1:3]))
    x, y = (width - 1) / 2, (height - 1) / 2
    zero = tf.zeros_like(cos)
    # rows of the matrix that takes an output place to the input place it is sampled from
    transforms = tf.stack(
        [
            cos, -sin, x - cos * x + sin * y - dx,
            sin, cos, y - sin * x - cos * y - dy,
            zero, zero,
        ],
        axis=1,
    )  # fmt: skip
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
