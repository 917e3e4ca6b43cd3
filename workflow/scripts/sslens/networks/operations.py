"""How much a network computes: its floating-point operations, to compare trainings fairly."""

import math

import keras
from keras.src.ops.nn import DotProductAttention


def forward_operations(model: keras.Model) -> int:
    """Floating-point operations of one image's way forward through a network.

    Two, a multiplication and an addition, for every weight of a convolution or of a dense layer and
    every place that it is used at, and for every product within an attention. What else there is
    (normalisation, activations, pooling) takes a few operations a value, some percent of the whole,
    and is not counted.

    Args:
        model: functional or sequential, built.
    """
    return sum(
        forward_operations(part) if isinstance(part, keras.Model) else _of_part(part)
        for part in getattr(model, "operations", model.layers)
    )


def _of_part(layer: keras.Operation) -> int:
    if isinstance(layer, DotProductAttention):
        _, tokens, heads, size = layer.output.shape
        return 4 * tokens**2 * heads * size  # queries with keys, and their softmax with values
    if not isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
        return 0
    _, *places, _ = layer.output.shape
    return 2 * math.prod(layer.kernel.shape) * math.prod(places)
