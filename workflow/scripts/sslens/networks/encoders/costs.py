"""What encoders cost, by their settings and the pixels of an image. Free of TensorFlow."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from sslens.networks.encoders.registry import encoder_names, family_of


class Cost(NamedTuple):
    """What an encoder of a family costs, each a function of its settings.

    multiplications: of one image's way forward, also of the pixels along its side.
    map_values: values that a training keeps of one image for the way back, also of the pixels.
    features: of an image, without a neck.
    """

    multiplications: Callable[[Mapping, int], float]
    map_values: Callable[[Mapping, int], float]
    features: Callable[[Mapping], float]


def cost_of(encoder: Mapping) -> Cost:
    """The cost of an encoder; of one that is not here, that of a large residual network."""
    if encoder["name"] not in encoder_names():
        return LARGEST
    return COSTS.get(family_of(encoder["name"]), LARGEST)


# --- residual networks ----------------------------------------------------------------------------

#: Multiplications of a pass, a pixel of the image, where the first stage is 64 wide.
MULTIPLICATIONS = {"resnet18": 35_000, "resnet50": 82_000}
#: Values in the feature maps of all layers, a pixel of the image, at this width.
FEATURE_MAPS = {"resnet18": 165, "resnet50": 760}
#: Features of an image, where the first stage is 64 wide.
FEATURES = {"resnet18": 512, "resnet50": 2048}
SMALL_STEM = 16  # how many times as large the maps are after a stem without stride and pooling


def _of_resnet(table: Mapping[str, int], encoder: Mapping) -> float:
    """A value of a table by an encoder's name; one that is not there is taken for the largest."""
    return table.get(encoder["name"], max(table.values()))


def _maps_after_stem(encoder: Mapping, pixels: int) -> int:
    return pixels**2 * (SMALL_STEM if encoder["stem"] == "small" else 1)


def _resnet_multiplications(encoder: Mapping, pixels: int) -> float:
    each = _of_resnet(MULTIPLICATIONS, encoder) * (encoder["width"] / 64) ** 2
    return each * _maps_after_stem(encoder, pixels)


def _resnet_map_values(encoder: Mapping, pixels: int) -> float:
    each = _of_resnet(FEATURE_MAPS, encoder) * encoder["width"] / 64
    return each * _maps_after_stem(encoder, pixels)


def _resnet_features(encoder: Mapping) -> float:
    return _of_resnet(FEATURES, encoder) * encoder["width"] / 64


# --- vision transformers --------------------------------------------------------------------------


def _tokens(encoder: Mapping, pixels: int) -> int:
    return (pixels // encoder["patch"]) ** 2


def _stem_maps(encoder: Mapping, pixels: int) -> list[tuple[int, int]]:
    """Pixels and channels of the maps of a convolutional stem."""
    halvings = int(math.log2(encoder["patch"]))
    return [
        ((pixels >> step) ** 2, max(encoder["embedding"] >> (halvings - step), 4))
        for step in range(1, halvings + 1)
    ]


def _vit_multiplications(encoder: Mapping, pixels: int) -> float:
    tokens, embedding = _tokens(encoder, pixels), encoder["embedding"]
    of_weights = embedding**2 * (4 + 2 * encoder["mlp_ratio"]) * tokens
    of_attention = 2 * tokens**2 * embedding
    stem = encoder["patch"] ** 2 * embedding * tokens
    if encoder["token_stem"] == "convolution":
        maps = _stem_maps(encoder, pixels)
        before = [1, *(channels for _, channels in maps)]
        stem = embedding**2 * tokens
        stem += sum(9 * c * area * n for c, (area, n) in zip(before, maps, strict=False))
    return stem + encoder["layers"] * (of_weights + of_attention)


def _vit_map_values(encoder: Mapping, pixels: int) -> float:
    tokens, embedding = _tokens(encoder, pixels), encoder["embedding"]
    # two normalisations, queries, keys and values, what is attended, two sums; and both sides of an
    # activation
    of_layer = tokens * embedding * (9 + 2 * encoder["mlp_ratio"])
    of_layer += 2 * encoder["heads"] * tokens**2
    stem = tokens * embedding
    if encoder["token_stem"] == "convolution":
        stem += 3 * sum(area * channels for area, channels in _stem_maps(encoder, pixels))
    return stem + encoder["layers"] * of_layer


COSTS = {
    "resnet": Cost(_resnet_multiplications, _resnet_map_values, _resnet_features),
    "vit": Cost(_vit_multiplications, _vit_map_values, lambda encoder: encoder["embedding"]),
}
#: Of a ResNet50 as published.
LARGEST = Cost(
    lambda encoder, pixels: MULTIPLICATIONS["resnet50"] * pixels**2,
    lambda encoder, pixels: FEATURE_MAPS["resnet50"] * pixels**2,
    lambda encoder: FEATURES["resnet50"],
)
