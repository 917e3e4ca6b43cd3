"""How much a network computes: its floating-point operations, to compare trainings fairly."""

import math

import keras


def forward_operations(model: keras.Model) -> int:
    """Floating-point operations of one image's way forward through a network.

    Two, a multiplication and an addition, for every weight of a convolution or of a dense layer and
    every place that it is used at. What else there is (batch normalisation, ReLU, pooling) takes
    a few operations a value, some percent of the whole, and is not counted.

    Args:
        model: functional or sequential, built.
    """
    return sum(
        forward_operations(layer) if isinstance(layer, keras.Model) else _of_layer(layer)
        for layer in model.layers
    )


def _of_layer(layer: keras.Layer) -> int:
    if not isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
        return 0
    _, *places, _ = layer.output.shape
    return 2 * math.prod(layer.kernel.shape) * math.prod(places)
