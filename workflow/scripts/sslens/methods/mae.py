"""Masked autoencoder: predict the pixels of patches that the encoder has not seen from the others.

He et al. 2022 (arXiv:2111.06377). As in the authors' code, no branch is left out in a pretraining
(`drop_path` is of the fine-tuning alone), and the variance of a patch is the unbiased one, of which
the paper says nothing.
"""

import math
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from sslens.methods import base
from sslens.networks import replicas
from sslens.networks.encoders.building import LayerFactory, SharedLayers
from sslens.networks.encoders.costs import seen_tokens
from sslens.networks.encoders.vit import attend, sine_positions, tokens_of
from sslens.seeds import derive_seed

EPSILON = 1e-6  # of the variance of a patch


def patches_of(images: tf.Tensor, patch: int) -> tf.Tensor:
    """Pixels (batch, n, patch^2 channels) of the patches of images, in the order of tokens."""
    _, height, width, channels = images.shape
    shape = (-1, height // patch, patch, width // patch, patch, channels)
    patches = tf.transpose(tf.reshape(images, shape), (0, 1, 3, 2, 4, 5))
    count = height // patch * (width // patch)
    return tf.reshape(patches, (-1, count, patch**2 * channels))


def image_of(patches: np.ndarray, patch: int, channels: int) -> np.ndarray:
    """Images (batch, side, side, channels) of patches that are ordered as by `patches_of`."""
    rows = math.isqrt(patches.shape[1])
    parts = patches.reshape(-1, rows, rows, patch, patch, channels)
    side = rows * patch
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(-1, side, side, channels)


def normalised(patches: tf.Tensor) -> tf.Tensor:
    """Patches (batch, n, pixels), each with mean 0 and unbiased variance 1."""
    mean, deviation = _moments(patches)
    return (patches - mean) / deviation


def masked_error(predicted: tf.Tensor, target: tf.Tensor, masked: tf.Tensor) -> tf.Tensor:
    """Mean squared error of the pixels of masked patches (section 3, "reconstruction target").

    Args:
        predicted, target: (batch, n, pixels).
        masked: (batch, n), 1 where a patch is masked, 0 where it is seen.
    """
    errors = tf.reduce_mean(tf.math.squared_difference(predicted, target), axis=2)
    return tf.reduce_sum(errors * masked) / tf.reduce_sum(masked)


def _moments(patches: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and unbiased standard deviation of each patch, (batch, n, 1)."""
    mean, variance = tf.nn.moments(patches, axes=2, keepdims=True)
    pixels = patches.shape[2]
    return mean, tf.sqrt(variance * pixels / (pixels - 1) + EPSILON)


class Method(base.Method):
    """Encoder of what is seen, and decoder of all patches. Options: mae.schema.yaml.

    Example:

        method = Method(encoder, options | {"encoder": settings}, seed=1)
        outcome = method.loss(Batch((view,), seed, progress))
    """

    views = 1
    uses_encoder_settings = True
    against_collapse = "mask fewer patches (options.masked), or train longer"

    def __init__(self, encoder: keras.Model, options: dict, seed: int):
        """Build the decoder; `options` has the settings of the encoder, as `encoder`, besides."""
        super().__init__(encoder, options, seed)
        settings, shared = options["encoder"], SharedLayers(encoder)
        self._patch, embedding = settings["patch"], settings["embedding"]
        images = keras.Input(encoder.input_shape[1:])
        self._tokens = keras.Model(images, tokens_of(images, settings, shared))
        self._count = self._tokens.output_shape[1]
        self._seen = seen_tokens(self._count, options["masked"])
        if self._seen == self._count:
            raise ValueError(
                f"options.masked: {options['masked']} of {self._count} patches masks none"
            )
        seen = keras.Input((self._seen, embedding))
        self._attended = keras.Model(seen, attend(seen, settings | {"drop_path": 0.0}, shared))
        self._decoder = self._build_decoder(seed, encoder.input_shape[-1])
        drawn = np.random.default_rng(derive_seed(seed, "mask token"))
        token = drawn.normal(scale=0.02, size=options["decoder"]["embedding"]).astype(np.float32)
        self._mask = keras.Variable(token, name="mask_token")
        inner = keras.Input((self._seen, embedding))
        dense = keras.layers.Dense(
            len(token),
            kernel_initializer=keras.initializers.GlorotUniform(derive_seed(seed, "mask")[0]),
            dtype="float32",
            name="decoder_tokens",
        )
        self._into_decoder = keras.Model(inner, dense(inner))
        self._learn(encoder, self._into_decoder, self._decoder)
        self.trainable_variables.append(self._mask)
        self.variables.append(self._mask)
        self.not_decayed = [self._mask]

    def _build_decoder(self, seed: int, channels: int) -> keras.Model:
        settings = self._options["decoder"] | {"drop_path": 0.0}
        layers = LayerFactory(0.9, derive_seed(seed, "decoder")[0])
        tokens = keras.Input((self._count, settings["embedding"]))
        placed = tokens + sine_positions(int(self._count**0.5), settings["embedding"])
        pixels = self._patch**2 * channels
        dense = keras.layers.Dense(
            pixels,
            kernel_initializer=keras.initializers.GlorotUniform(seed=layers.seed("pixels")),
            dtype="float32",
            name="pixels",
        )
        return keras.Model(tokens, dense(attend(placed, settings, layers)), name="decoder")

    def loss(self, batch: base.Batch) -> base.Outcome:
        """The error of masked patches, and what is predicted of all.

        Collapse is diagnosed by the latter, which would be the same for all images. Features are no
        sign, since nothing moves their mean over all images to zero.
        """
        (images,) = batch.views
        order = self._draw_order(tf.shape(images)[0], batch.seed)
        predicted = self.reconstruct(images, order, training=True)
        embeddings = tf.reshape(predicted, (-1, predicted.shape[1] * predicted.shape[2]))
        return base.Outcome(self._error(images, predicted, order), embeddings)

    def held_out(self, views: Sequence[np.ndarray]) -> dict[str, float]:
        """The error of validation images, whose masks are the same ones every epoch."""
        images = tf.constant(views[0])
        order = self._fixed_order(len(images))
        predicted = self.reconstruct(images, order)
        return {"validation_loss": float(self._error(images, predicted, order))}

    def reconstructed(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images without what is masked, and with what is predicted of it.

        Where patches are normalised, means and deviations of the masked ones are their true ones.
        """
        order, true = self._fixed_order(len(images)), patches_of(tf.constant(images), self._patch)
        predicted = self.reconstruct(tf.constant(images), order)
        if self._options["normalise"]:
            mean, deviation = _moments(true)
            predicted = mean + deviation * predicted
        masked = self.masked(order).numpy()[..., None] == 1
        filled = (np.where(masked, patches, true) for patches in (np.nan, predicted))
        seen, whole = (image_of(part, self._patch, images.shape[-1]) for part in filled)
        return seen, whole

    def _error(self, images: tf.Tensor, predicted: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
        target = patches_of(images, self._patch)
        if self._options["normalise"]:
            target = normalised(target)
        return masked_error(predicted, target, self.masked(order))

    def _fixed_order(self, images: int) -> tf.Tensor:
        """Orders of the patches of images that are measured, or shown."""
        key = derive_seed(0, "masks of validation images")
        noise = np.random.default_rng(key).random((images, self._count))
        return tf.constant(noise.argsort(axis=1), tf.int32)

    def _draw_order(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Random orders (images, n) of patches, of which the first ones are seen."""
        # drawn for the whole batch, so that replicas mask an image as one device would
        noise = tf.random.stateless_uniform([images * replicas.count(), self._count], seed)
        return tf.argsort(replicas.own_share(noise), axis=1)

    def masked(self, order: tf.Tensor) -> tf.Tensor:
        """Which patches (batch, n) are masked, 1 or 0, by an order of them."""
        return tf.cast(tf.argsort(order, axis=1) >= self._seen, tf.float32)

    def reconstruct(self, images: tf.Tensor, order: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Predict all patches of images, (batch, n, pixels), from those that are seen.

        Args:
            images: (batch, side, side, channels).
            order: (batch, n), of which the first ones are seen.
            training: whether this is a step of the training.
        """
        tokens = self._tokens(images, training=training)
        seen = tf.gather(tokens, order[:, : self._seen], batch_dims=1)
        encoded = self._attended(seen, training=training)
        known = self._into_decoder(encoded, training=training)
        shape = [tf.shape(known)[0], self._count - self._seen, known.shape[2]]
        masks = tf.broadcast_to(tf.convert_to_tensor(self._mask), shape)
        shuffled = tf.concat([known, tf.cast(masks, known.dtype)], axis=1)
        placed = tf.gather(shuffled, tf.argsort(order, axis=1), batch_dims=1)
        return self._decoder(placed, training=training)
