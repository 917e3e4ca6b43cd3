"""What encoders cost, by their settings and the pixels of an image. Free of TensorFlow."""

import math
from collections.abc import Callable, Iterator, Mapping
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


#: Family -> the setting by which its operations grow, and the value of it from which on a single
#: operation is work for several threads.
WIDE = {"resnet": ("width", 64), "vit": ("embedding", 96)}


def runs_side_by_side(encoder: Mapping) -> bool:
    """Whether on a CPU operations had better run side by side than each with several threads."""
    family = family_of(encoder["name"])
    return family in WIDE and encoder[WIDE[family][0]] < WIDE[family][1]


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


def stem_channels(encoder: Mapping) -> list[int]:
    """Channels of a stem's maps, each of half the pixels along a side as those before."""
    halvings = int(math.log2(encoder["patch"]))
    return [max(encoder["embedding"] >> step, 4) for step in reversed(range(halvings))]


def _stem_maps(encoder: Mapping, pixels: int) -> Iterator[tuple[int, int, int]]:
    """Pixels, channels, and channels before them, of the maps of a stem."""
    channels = stem_channels(encoder)
    for step, (before, now) in enumerate(zip([1, *channels], channels, strict=False), 1):
        yield (pixels >> step) ** 2, now, before


def _stem_multiplications(encoder: Mapping, pixels: int) -> float:
    tokens, embedding = _tokens(encoder, pixels), encoder["embedding"]
    if encoder["token_stem"] == "patch":
        return encoder["patch"] ** 2 * embedding * tokens
    each = [9 * before * now * area for area, now, before in _stem_maps(encoder, pixels)]
    if encoder["token_stem"] == "residual":
        # after the first a shortcut besides, and three more convolutions
        _, *stages = _stem_maps(encoder, pixels)
        each += [(before + 27 * now) * now * area for area, now, before in stages]
    return sum(each) + embedding**2 * tokens


def _stem_values(encoder: Mapping, pixels: int) -> float:
    tokens = _tokens(encoder, pixels) * encoder["embedding"]
    if encoder["token_stem"] == "patch":
        return tokens
    values = [area * now for area, now, _ in _stem_maps(encoder, pixels)]
    if encoder["token_stem"] == "residual":
        # convolutions, normalisations, ReLUs, and two sums; the shortcut with its normalisation
        return tokens + 3 * values[0] + 16 * sum(values[1:])
    return tokens + 3 * sum(values)


def _vit_multiplications(encoder: Mapping, pixels: int) -> float:
    of_layers = _layers_multiplications(encoder, _tokens(encoder, pixels))
    return _stem_multiplications(encoder, pixels) + of_layers


def _layers_multiplications(settings: Mapping, tokens: int) -> float:
    embedding = settings["embedding"]
    of_weights = embedding**2 * (4 + 2 * settings["mlp_ratio"]) * tokens
    of_attention = 2 * tokens**2 * embedding
    return settings["layers"] * (of_weights + of_attention)


def seen_tokens(tokens: int, masked: float) -> int:
    """How many tokens a masked autoencoder's encoder sees, at least one."""
    return max(round(tokens * (1 - masked)), 1)


def autoencoding_multiplications(encoder: Mapping, options: Mapping, pixels: int) -> float:
    """Of one image's way through a transformer that sees some of it, and through its decoder.

    Args:
        encoder: settings of a vision transformer.
        options: by `methods/mae.schema.yaml`.
        pixels: along the side of the image.
    """
    tokens, decoder = _tokens(encoder, pixels), options["decoder"]
    seen = seen_tokens(tokens, options["masked"])
    # between encoder and decoder a linear map of what is seen, after it one to the pixels
    maps = encoder["embedding"] * seen + encoder["patch"] ** 2 * tokens
    return (
        _stem_multiplications(encoder, pixels)
        + _layers_multiplications(encoder, seen)
        + decoder["embedding"] * maps
        + _layers_multiplications(decoder, tokens)
    )


def _vit_map_values(encoder: Mapping, pixels: int) -> float:
    tokens, embedding = _tokens(encoder, pixels), encoder["embedding"]
    # two normalisations, queries, keys and values, what is attended, two sums; and both sides of an
    # activation
    of_layer = tokens * embedding * (9 + 2 * encoder["mlp_ratio"])
    of_layer += 2 * encoder["heads"] * tokens**2
    return _stem_values(encoder, pixels) + encoder["layers"] * of_layer


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
