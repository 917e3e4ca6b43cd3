"""Vision transformers for small images: patches become tokens, which attend to one another."""

import re
from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from sslens.networks.encoders.building import LayerFactory
from sslens.networks.encoders.costs import stem_channels
from sslens.networks.encoders.resnet import basic_block

EPSILON = 1e-6  # of layer normalisations


def features_of(inputs, settings: Mapping, layers: LayerFactory):
    """Build a vision transformer with the mean of its tokens as output.

    The layers are those of Dosovitskiy et al. 2021 (arXiv:2010.11929), which normalise before each
    branch, with fixed positions and without a class token. The convolutional stem is that of Xiao
    et al. 2021 (arXiv:2106.14881); residual stages as a stem make a hybrid of a residual network
    and a transformer (as CoAtNet, Dai et al. 2021, arXiv:2106.04803). A branch is left out at
    random in training (stochastic depth, Huang et al. 2016, arXiv:1603.09382), and its last weights
    begin smaller by sqrt(2 layers), so that the sum of all branches does not grow with their number
    (Radford et al. 2019, GPT-2).

    Args:
        inputs: symbolic images (batch, side, side, channels).
        settings: by `vit.schema.yaml`.
        layers: that makes its layers.

    Returns:
        Features (batch, embedding).

    Raises:
        ValueError: where the patch does not divide the image, or the heads do not the embedding.
    """
    side, patch = inputs.shape[1], settings["patch"]
    if inputs.shape[1] != inputs.shape[2] or side % patch:
        raise ValueError(
            f"encoder.patch: {patch} does not divide images of {side} x {inputs.shape[2]} pixels"
        )
    if settings["embedding"] % settings["heads"]:
        raise ValueError(
            f"encoder.heads: {settings['heads']} do not divide an embedding of "
            f"{settings['embedding']}"
        )
    tokens = attend(tokens_of(inputs, settings, layers), settings, layers)
    # float32 whatever the policy, as the pooling of residual networks
    return keras.layers.GlobalAveragePooling1D(name="pool", dtype="float32")(tokens)


def tokens_of(inputs, settings: Mapping, layers: LayerFactory):
    """Tokens (batch, n, embedding) of the patches of images, with their positions; row by row."""
    rows, stem = inputs.shape[1] // settings["patch"], STEMS[settings["token_stem"]]
    tokens = ops.reshape(stem(inputs, settings, layers), (-1, rows**2, settings["embedding"]))
    return tokens + sine_positions(rows, settings["embedding"])


def depth_of(layer: str, settings: Mapping) -> int:
    """How deep a layer lies: 0 in the stem, then the number of its layer; after all, one more."""
    if layer.startswith(("stem", "patches")):
        return 0
    place = re.match(r"layer(\d+)_", layer)
    return int(place[1]) if place else settings["layers"] + 1


def attend(tokens, settings: Mapping, layers: LayerFactory):
    """Layers of attention and perceptrons on tokens (batch, n, embedding), and a normalisation."""
    count = settings["layers"]
    for index in range(count):
        rate = settings["drop_path"] * index / max(count - 1, 1)
        name = f"layer{index + 1}"
        attended = _attention(_normalised(tokens, f"{name}_norm1", layers), settings, name, layers)
        tokens = tokens + _drop_path(attended, rate, f"{name}_drop1", layers)
        mixed = _perceptron(_normalised(tokens, f"{name}_norm2", layers), settings, name, layers)
        tokens = tokens + _drop_path(mixed, rate, f"{name}_drop2", layers)
    return _normalised(tokens, "norm", layers)


def sine_positions(side: int, embedding: int) -> np.ndarray:
    """Sines and cosines of the row and the column of each place on a square grid.

    As of He et al. 2022 (arXiv:2111.06377, appendix A.1): half of the dimensions are of the row,
    half of the column; each has as many sines as cosines, of wavelengths from 2 pi to 10^4 2 pi.

    Returns:
        (side^2, embedding), float32; row by row.
    """
    quarter = embedding // 4
    frequencies = 1 / 10_000 ** (np.arange(quarter) / quarter)
    phases = np.arange(side)[:, None] * frequencies
    along = np.concatenate([np.sin(phases), np.cos(phases)], axis=1)  # (side, embedding / 2)
    shape = (side, side, embedding // 2)
    of_row, of_column = np.broadcast_to(along[:, None], shape), np.broadcast_to(along, shape)
    grid = np.concatenate([of_row, of_column], axis=2)
    return grid.reshape(side**2, embedding).astype(np.float32)


# --- stems ----------------------------------------------------------------------------------------


def _patch_stem(inputs, settings: Mapping, layers: LayerFactory):
    """A linear map of every patch."""
    return _patches(settings["patch"], settings, layers)(inputs)


def _convolution_stem(inputs, settings: Mapping, layers: LayerFactory):
    """Convolutions that halve the image until a pixel is a patch, and double the channels."""
    maps = inputs
    for index, channels in enumerate(stem_channels(settings)):
        maps = _halve(maps, channels, f"stem{index + 1}", layers)
    return _patches(1, settings, layers)(maps)


def _residual_stem(inputs, settings: Mapping, layers: LayerFactory):
    """As the convolutional stem; but after the first, a stage of two residual blocks each."""
    first, *others = stem_channels(settings)
    maps = _halve(inputs, first, "stem1", layers)
    for index, channels in enumerate(others, 2):
        maps = basic_block(maps, channels, 2, f"stem{index}_block1", layers)
        maps = basic_block(maps, channels, 1, f"stem{index}_block2", layers)
    return _patches(1, settings, layers)(maps)


STEMS = {"patch": _patch_stem, "convolution": _convolution_stem, "residual": _residual_stem}


def _halve(maps, channels: int, name: str, layers: LayerFactory):
    maps = layers.convolution(maps, channels, 3, 2, name)
    return keras.layers.ReLU(name=f"{name}_relu")(maps)


def _patches(size: int, settings: Mapping, layers: LayerFactory) -> keras.Layer:
    """A linear map of squares of pixels, side by side; its weights begin as a dense layer's do."""

    def make():
        # a pixel is in one square alone, while initial weights of convolutions expect it in size^2
        initial = keras.initializers.VarianceScaling(
            mode="fan_avg",
            distribution="uniform",
            seed=layers.seed("patches"),
            input_axes=(0, 1, 2),
            output_axes=(3,),
        )
        return keras.layers.Conv2D(
            settings["embedding"], size, strides=size, kernel_initializer=initial, name="patches"
        )

    return layers.get("patches", make)


# --- parts of a layer -----------------------------------------------------------------------------


def _normalised(tokens, name: str, layers: LayerFactory):
    def make():
        return keras.layers.LayerNormalization(epsilon=EPSILON, name=name)

    return layers.get(name, make)(tokens)


def _attention(tokens, settings: Mapping, name: str, layers: LayerFactory):
    """Self-attention of several heads, which divide the embedding among them."""
    heads, embedding = settings["heads"], settings["embedding"]
    count = tokens.shape[1]
    # queries, keys and values of all heads by one product; split, as slices have a slow gradient
    packed = _dense(3 * embedding, f"{name}_qkv", layers)(tokens)
    queries, keys, values = (
        ops.reshape(part, (-1, count, heads, embedding // heads))
        for part in ops.split(packed, 3, axis=-1)
    )
    attended = ops.dot_product_attention(queries, keys, values)
    attended = ops.reshape(attended, (-1, count, embedding))
    return _dense(embedding, f"{name}_attended", layers, of_branches=settings["layers"])(attended)


def _perceptron(tokens, settings: Mapping, name: str, layers: LayerFactory):
    """A hidden layer with GELU, for each token alone."""
    embedding = settings["embedding"]
    hidden = _dense(round(settings["mlp_ratio"] * embedding), f"{name}_hidden", layers)(tokens)
    hidden = keras.layers.Activation("gelu", name=f"{name}_gelu")(hidden)
    return _dense(embedding, f"{name}_mixed", layers, of_branches=settings["layers"])(hidden)


def _drop_path(branch, rate: float, name: str, layers: LayerFactory):
    """Leave the branch out of some images, and make up for it in the others."""
    if not rate:
        return branch

    def make():
        return keras.layers.Dropout(rate, (None, 1, 1), seed=layers.seed(name), name=name)

    return layers.get(name, make)(branch)


def _dense(units: int, name: str, layers: LayerFactory, of_branches: int = 0):
    """A dense layer; the last one of a branch knows of how many layers the branches are."""
    scale = 1 / (2 * of_branches) if of_branches else 1.0

    def make():
        initial = keras.initializers.VarianceScaling(
            scale, "fan_avg", "uniform", seed=layers.seed(name)
        )
        return keras.layers.Dense(units, kernel_initializer=initial, name=name)

    return layers.get(name, make)
