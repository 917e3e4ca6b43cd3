"""Classifiers: an encoder and the head that an arm's protocol needs."""

from collections.abc import Sequence

import keras

from sslens.classes import CLASSES
from sslens.networks.encoders import build_encoder
from sslens.networks.heads import classifier_of, neighbours_of
from sslens.protocols import NEAREST_NEIGHBOURS


def build_classifier(
    encoder_settings: dict, input_shape: Sequence[int], seed: int
) -> tuple[keras.Model, keras.Model]:
    """Build an untrained classifier; return it and the encoder inside it."""
    encoder = build_encoder(encoder_settings, input_shape, seed)
    return classifier_of(encoder, len(CLASSES), seed), encoder


def classifier_of_arm(
    settings: dict, input_shape: Sequence[int], labelled: int, seed: int
) -> tuple[keras.Model, keras.Model]:
    """Build the classifier that an arm's protocol needs, untrained; and the encoder inside it.

    Args:
        settings: of the arm, resolved.
        input_shape: (height, width, channels).
        labelled: training images whose labels are used.
        seed: of the run.
    """
    if settings["protocol"] != NEAREST_NEIGHBOURS:
        return build_classifier(settings["encoder"], input_shape, seed)
    encoder = build_encoder(settings["encoder"], input_shape, seed)
    return neighbours_of(encoder, len(CLASSES), labelled, **settings["learning"]), encoder
