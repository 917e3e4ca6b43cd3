"""Encoders: images to embeddings. Residual networks of any width, with a choice of stem."""

from collections.abc import Sequence

import keras

from sslens.networks.layers import BatchNormalization, Convolution, FusedBatchNormalization
from sslens.seeds import derive_seed

# Encoder -> blocks of each of its four stages (He et al. 2016, arXiv:1512.03385, table 1). What its
# blocks are stands in BLOCKS, at the end.
DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}
STEMS = ("imagenet", "small")


def build_encoder(settings: dict, input_shape: Sequence[int], seed: int) -> keras.Model:
    """Build an untrained encoder with pooled output.

    The network is the ResNet of He et al. 2016 (arXiv:1512.03385) with the stride of a bottleneck
    on its 3x3 convolution, global average pooling and, where `neck` lists units, a stack of
    dense layers, each followed by ReLU, batch normalisation and dropout.

    Args:
        settings: `name` (a key of `DEPTHS`), `width` (channels of the first stage; 64 as
            published), `stem` ("imagenet": 7x7 stride 2 and max-pooling; "small": 3x3 stride 1,
            for images that a fourfold reduction would rob of their detail), `batch_norm_momentum`,
            `neck` (units of its dense layers, may be empty) and `neck_dropout` (a rate a layer).
        input_shape: (height, width, channels) of the images.
        seed: decides the initial weights, layer by layer.

    Returns:
        A model from (batch, height, width, channels) to (batch, features).

    Raises:
        ValueError: for an unknown encoder or stem.
    """
    if settings["name"] not in DEPTHS:
        raise ValueError(f"unknown encoder {settings['name']!r}: known are {', '.join(DEPTHS)}")
    layers = _LayerFactory(settings["batch_norm_momentum"], seed)
    block = BLOCKS[settings["name"]]
    inputs = keras.Input(tuple(input_shape), name="image")
    maps = _stem(inputs, settings, layers)
    for stage, depth in enumerate(DEPTHS[settings["name"]]):
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            channels = settings["width"] * 2**stage
            maps = block(maps, channels, stride, f"stage{stage + 1}_block{index + 1}", layers)
    # float32 whatever the policy: what the maps agree on is in the small differences of their means
    features = keras.layers.GlobalAveragePooling2D(name="pool", dtype="float32")(maps)
    rates = settings["neck_dropout"]
    for index, units in enumerate(settings["neck"]):
        features = layers.dense_block(features, units, f"neck{index + 1}")
        if rates:
            features = keras.layers.Dropout(
                rates[index], seed=layers.seed(f"neck{index + 1}_dropout"), name=f"drop{index + 1}"
            )(features)
    return keras.Model(inputs, features, name=settings["name"])


class _LayerFactory:
    """Makes named layers whose initial weights are keyed by (seed, name)."""

    def __init__(self, momentum: float, seed: int):
        self._momentum = momentum
        self._seed = seed

    def seed(self, name: str) -> int:
        return derive_seed(self._seed, "initial weights", name)[0]

    def convolution(self, maps, channels: int, size: int, stride: int, name: str):
        """Convolution without bias, batch normalisation."""
        maps = Convolution(
            channels,
            size,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.VarianceScaling(
                2.0, "fan_out", seed=self.seed(name)
            ),
            name=name,
        )(maps)
        return FusedBatchNormalization(momentum=self._momentum, epsilon=1e-5, name=f"{name}_bn")(
            maps
        )

    def dense_block(self, features, units: int, name: str):
        """Dense, ReLU, batch normalisation: in the order of the published experiment."""
        features = keras.layers.Dense(
            units,
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed=self.seed(name)),
            name=name,
        )(features)
        return BatchNormalization(momentum=self._momentum, epsilon=1e-5, name=f"{name}_bn")(
            features
        )


def _stem(inputs, settings: dict, layers: _LayerFactory):
    if settings["stem"] == "imagenet":
        maps = layers.convolution(inputs, settings["width"], 7, 2, "stem")
        maps = keras.layers.ReLU(name="stem_relu")(maps)
        return keras.layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(maps)
    if settings["stem"] == "small":
        maps = layers.convolution(inputs, settings["width"], 3, 1, "stem")
        return keras.layers.ReLU(name="stem_relu")(maps)
    raise ValueError(f"unknown stem {settings['stem']!r}: known are {', '.join(STEMS)}")


def _basic_block(maps, channels: int, stride: int, name: str, layers: _LayerFactory):
    """Two 3x3 convolutions and the shortcut."""
    shortcut = maps
    if stride > 1 or maps.shape[-1] != channels:
        shortcut = layers.convolution(maps, channels, 1, stride, f"{name}_shortcut")
    maps = layers.convolution(maps, channels, 3, stride, f"{name}_conv1")
    maps = keras.layers.ReLU(name=f"{name}_relu1")(maps)
    maps = layers.convolution(maps, channels, 3, 1, f"{name}_conv2")
    return keras.layers.ReLU(name=f"{name}_relu")(keras.layers.Add(name=name)([shortcut, maps]))


def _bottleneck_block(maps, channels: int, stride: int, name: str, layers: _LayerFactory):
    """1x1, 3x3 and 1x1 convolutions, the last four times as wide, and the shortcut."""
    shortcut = maps
    if stride > 1 or maps.shape[-1] != 4 * channels:
        shortcut = layers.convolution(maps, 4 * channels, 1, stride, f"{name}_shortcut")
    maps = layers.convolution(maps, channels, 1, 1, f"{name}_conv1")
    maps = keras.layers.ReLU(name=f"{name}_relu1")(maps)
    maps = layers.convolution(maps, channels, 3, stride, f"{name}_conv2")
    maps = keras.layers.ReLU(name=f"{name}_relu2")(maps)
    maps = layers.convolution(maps, 4 * channels, 1, 1, f"{name}_conv3")
    return keras.layers.ReLU(name=f"{name}_relu")(keras.layers.Add(name=name)([shortcut, maps]))


BLOCKS = {"resnet18": _basic_block, "resnet50": _bottleneck_block}
