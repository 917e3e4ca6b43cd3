"""Frozen encoders: what they have learned without labels, as features for others to probe."""

import keras
import numpy as np
import tensorflow as tf

from sslens.images import Images
from sslens.networks.encoders.building import build_encoder

BATCH = 64  # images that a batch normalisation is recomputed on at a time


def frozen_encoder(
    settings: dict, images: Images, pretrained: str | None, seed: int
) -> keras.Model:
    """Build an encoder whose features are probed.

    Args:
        settings: of the encoder.
        images: (n, height, width, channels), all training images, preprocessed; the statistics of
            its batch normalisations become theirs.
        pretrained: path of its weights, or None for a random encoder.
        seed: of the run, which decides the weights of a random one.
    """
    encoder = build_encoder(settings, images.shape[1:], seed)
    if pretrained is not None:
        encoder.load_weights(pretrained)
    recompute_batch_norm_statistics(encoder, images)
    return encoder


def recompute_batch_norm_statistics(encoder: keras.Model, images: Images) -> None:
    """Set the statistics of an encoder's batch normalisations to those of the images as they are.

    They become the plain averages over the batches of one pass ("precise BatchNorm", Wu & Johnson
    2021, arXiv:2105.07576, section 3), whatever they were: a random encoder has never seen an
    image, and a pretrained one has seen augmented views. Otherwise a probe would compare
    normalisations rather than features.
    """
    layers = [
        layer for layer in encoder.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    statistics = [
        variable for layer in layers for variable in (layer.moving_mean, layer.moving_variance)
    ]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0  # the statistics are those of the last batch
    # features are computed without dropout, so their statistics are of values without it
    dropouts = [layer for layer in encoder.layers if isinstance(layer, keras.layers.Dropout)]
    rates = [layer.rate for layer in dropouts]
    for layer in dropouts:
        layer.rate = 0.0

    @tf.function(reduce_retracing=True, autograph=False)
    def normalise(batch):
        encoder(batch, training=True)

    means = [np.zeros(variable.shape, np.float32) for variable in statistics]
    batches = np.array_split(np.arange(len(images)), max(len(images) // BATCH, 1))
    for seen, rows in enumerate(batches):
        normalise(tf.constant(images[rows]))
        keep, new = np.float32(seen / (seen + 1)), np.float32(1 - seen / (seen + 1))
        means = [
            mean * keep + variable.numpy() * new
            for mean, variable in zip(means, statistics, strict=True)
        ]
    for variable, mean in zip(statistics, means, strict=True):
        variable.assign(mean)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    for layer, rate in zip(dropouts, rates, strict=True):
        layer.rate = rate
