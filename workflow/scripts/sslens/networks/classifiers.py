"""Classifiers: an encoder and what tells classes apart by its features."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from sslens.classes import CLASSES
from sslens.networks.encoders.building import build_encoder
from sslens.networks.heads import classifier_of, neighbours_of
from sslens.protocols import NEAREST_NEIGHBOURS


def build_classifier(
    encoder_settings: dict, input_shape: Sequence[int], seed: int
) -> tuple[keras.Model, keras.Model]:
    """Build an untrained classifier; return it and the encoder inside it."""
    encoder = build_encoder(encoder_settings, input_shape, seed)
    return classifier_of(encoder, len(CLASSES), seed), encoder


def with_features(classifier: keras.Model, encoder: keras.Model) -> keras.Model:
    """A model from images to the logits of a classifier and the features of the encoder in it."""
    images = keras.Input(encoder.input_shape[1:], name="image")
    features = encoder(images)
    return keras.Model(images, [classifier.get_layer("logits")(features), features])


def classifier_of_probe(
    settings: Mapping, encoder: keras.Model, probe: Mapping[str, np.ndarray]
) -> keras.Model:
    """Put a probe on its encoder: a network from images to the logits that the probe gives.

    Args:
        settings: of the arm, `protocol` and `learning`.
        encoder: frozen.
        probe: the arrays that the probe consists of (see `training.probes`).
    """
    if settings["protocol"] == NEAREST_NEIGHBOURS:
        learning = settings["learning"]
        classifier = neighbours_of(encoder, len(CLASSES), len(probe["labels"]), **learning)
        classifier.get_layer("cosines").set_weights([probe["features"].T])
        classifier.get_layer("classes").set_weights([np.eye(len(CLASSES))[probe["labels"]]])
        return classifier
    classifier = classifier_of(encoder, len(CLASSES), seed=0)  # its weights are the probe's
    classifier.layers[-1].set_weights([probe["kernel"], probe["bias"]])
    return classifier
