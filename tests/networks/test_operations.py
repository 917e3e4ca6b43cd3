"""Floating-point operations of networks, by hand."""

import keras
import pytest
from paths import ROOT

from sslens.configuration.loading import load
from sslens.networks.classifiers import build_network
from sslens.networks.operations import forward_operations

SETTINGS = load(ROOT / "config", {})["encoder"] | {"width": 4}


def test_layers_by_hand():
    model = keras.Sequential(
        [
            keras.Input((8, 6, 1)),
            keras.layers.Conv2D(5, 3, strides=2, padding="same"),  # 4 x 3 places, 9 x 1 x 5 weights
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(7),  # 60 x 7
        ]
    )
    assert forward_operations(model) == 2 * (12 * 45 + 420)
    # inside of another one
    outer = keras.Sequential([keras.Input((8, 6, 1)), model, keras.layers.Dense(2)])
    assert forward_operations(outer) == forward_operations(model) + 2 * 14


def test_a_classifier_is_its_encoder_and_a_layer():
    classifier, encoder = build_network(SETTINGS | {"neck": [6]}, (32, 32, 1), 0)
    assert forward_operations(classifier) == forward_operations(encoder) + 2 * 6 * 3


def test_operations_grow_with_pixels_and_the_square_of_the_width():
    def operations(pixels=64, **settings):
        _, encoder = build_network(SETTINGS | settings, (pixels, pixels, 1), 0)
        return forward_operations(encoder)

    assert operations(128) == pytest.approx(4 * operations(), rel=1e-9)
    # but for the stem
    assert operations(width=64) == pytest.approx(16 * operations(width=16), rel=0.1)
    # ResNet18 at 224 x 224 pixels with three channels has 1.8e9 multiplications
    _, encoder = build_network(SETTINGS | {"width": 64}, (224, 224, 3), 0)
    assert forward_operations(encoder) == pytest.approx(2 * 1.82e9, rel=0.01)
