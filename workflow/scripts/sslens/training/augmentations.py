"""Augmentations: what a pretext is made of.

Every public function here takes a batch of images (batch, height, width, channels) in normalised
units and a stateless seed of shape (2,), draws anew for every image of the batch, and returns
images of the same shape. It is chosen by its name in the configuration; its other arguments are its
strengths, which `augmentations.schema.yaml` describes.
"""

import math

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
