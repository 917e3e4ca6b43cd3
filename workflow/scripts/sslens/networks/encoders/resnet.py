"""Residual networks of any width, with a choice of stem."""

import re
from collections.abc import Mapping

import keras

from sslens.networks.encoders.building import LayerFactory

# Encoder -> blocks of each of its four stages (He et al. 2016, arXiv:1512.03385, table 1). Of which
# kind its blocks are, BLOCKS says at the end.
DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}
STEMS = ("imagenet", "small")


def features_of(inputs, settings: Mapping, layers: LayerFactory):
    """Build a residual network with pooled output.

    It is the ResNet of He et al. 2016 (arXiv:1512.03385) with the stride of a bottleneck on its 3x3
    convolution, and global average pooling.

    Args:
        inputs: symbolic images (batch, height, width, channels).
        settings: `name` (a key of `DEPTHS`), `width` (channels of the first stage; 64 as
            published), `stem` ("imagenet": 7x7 stride 2 and max-pooling; "small": 3x3 stride 1,
            for images that a fourfold reduction would rob of their detail).
        layers: that makes its layers.

    Returns:
        Features (batch, d).

    Raises:
        ValueError: for an unknown stem.
    """
    block = BLOCKS[settings["name"]]
    maps = _stem(inputs, settings, layers)
    for stage, depth in enumerate(DEPTHS[settings["name"]]):
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            channels = settings["width"] * 2**stage
            maps = block(maps, channels, stride, f"stage{stage + 1}_block{index + 1}", layers)
    # float32 whatever the policy: what the maps agree on is in the small differences of their means
    return keras.layers.GlobalAveragePooling2D(name="pool", dtype="float32")(maps)


def depth_of(layer: str, settings: Mapping) -> int:
    """How deep a layer lies: 0 in the stem, then the number of its block; after all, one more."""
    if layer.startswith("stem"):
        return 0
    blocks = DEPTHS[settings["name"]]
    if not (place := re.match(r"stage(\d+)_block(\d+)_", layer)):
        return sum(blocks) + 1
    stage, block = map(int, place.groups())
    return sum(blocks[: stage - 1]) + block


def _stem(inputs, settings: Mapping, layers: LayerFactory):
    if settings["stem"] == "imagenet":
        maps = layers.convolution(inputs, settings["width"], 7, 2, "stem")
        maps = keras.layers.ReLU(name="stem_relu")(maps)
        return keras.layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(maps)
    if settings["stem"] == "small":
        maps = layers.convolution(inputs, settings["width"], 3, 1, "stem")
        return keras.layers.ReLU(name="stem_relu")(maps)
    raise ValueError(f"unknown stem {settings['stem']!r}: known are {', '.join(STEMS)}")


def basic_block(maps, channels: int, stride: int, name: str, layers: LayerFactory):
    """Two 3x3 convolutions and the shortcut."""
    shortcut = maps
    if stride > 1 or maps.shape[-1] != channels:
        shortcut = layers.convolution(maps, channels, 1, stride, f"{name}_shortcut")
    maps = layers.convolution(maps, channels, 3, stride, f"{name}_conv1")
    maps = keras.layers.ReLU(name=f"{name}_relu1")(maps)
    maps = layers.convolution(maps, channels, 3, 1, f"{name}_conv2")
    return keras.layers.ReLU(name=f"{name}_relu")(keras.layers.Add(name=name)([shortcut, maps]))


def _bottleneck_block(maps, channels: int, stride: int, name: str, layers: LayerFactory):
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


BLOCKS = {"resnet18": basic_block, "resnet50": _bottleneck_block}
