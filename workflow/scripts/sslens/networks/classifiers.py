"""Networks that answer: an encoder and what makes an answer of its features."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from sslens.classes import CLASSES
from sslens.networks.encoders.building import build_encoder
from sslens.networks.heads import (
    classifier_of,
    neighbour_distributions,
    neighbours_of,
    share_logits,
)
from sslens.protocols import NEAREST_NEIGHBOURS


def build_network(
    encoder_settings: dict,
    input_shape: Sequence[int],
    seed: int,
    outputs: int = len(CLASSES),
    layer: str = "logits",
) -> tuple[keras.Model, keras.Model]:
    """Build an untrained network, a classifier by default; return it and the encoder inside it.

    Args:
        encoder_settings: resolved.
        input_shape: of an image.
        seed: decides the initial weights.
        outputs, layer: how many the network has, and the name of the layer that gives them.
    """
    encoder = build_encoder(encoder_settings, input_shape, seed)
    return classifier_of(encoder, outputs, seed, layer), encoder


def with_features(network: keras.Model, encoder: keras.Model) -> keras.Model:
    """A model from images to the outputs of a network and the features of the encoder in it."""
    images = keras.Input(encoder.input_shape[1:], name="image")
    features = encoder(images)
    return keras.Model(images, [network.layers[-1](features), features])


def network_of_probe(
    settings: Mapping, encoder: keras.Model, probe: Mapping[str, np.ndarray]
) -> keras.Model:
    """Put a probe on its encoder: a network from images to the outputs that the probe gives.

    Args:
        settings: of the arm, `protocol` and `learning`.
        encoder: frozen.
        probe: the arrays that the probe consists of (see `training.probes`).
    """
    if settings["protocol"] == NEAREST_NEIGHBOURS:
        of_classes = "labels" in probe
        values = np.eye(len(CLASSES))[probe["labels"]] if of_classes else probe["values"]
        answer = share_logits if of_classes else neighbour_distributions
        images, count = values.shape
        network = neighbours_of(encoder, count, images, **settings["learning"], answer=answer)
        network.get_layer("cosines").set_weights([probe["features"].T])
        network.get_layer("classes").set_weights([values])
        return network
    outputs = probe["kernel"].shape[1]
    network = classifier_of(encoder, outputs, seed=0)  # its weights are the probe's
    network.layers[-1].set_weights([probe["kernel"], probe["bias"]])
    return network
