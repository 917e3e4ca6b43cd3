"""The preprocessing as operations of Keras: of exported networks, and of views of raw images."""

from collections.abc import Mapping

import keras
from keras import ops


def preprocess(images, facts: Mapping):
    """`sslens.data.preprocessing.preprocess`, in float32.

    Args:
        images: raw ones (batch, height, width, channels), a tensor or a symbolic input.
        facts: of `sslens.data.preprocessing.measure`.

    Returns:
        (batch, *facts["input_shape"]).
    """
    if facts["crop"] is not None:
        # not CenterCrop: by default it computes, and all layers after it, as in a training
        margins = [_margins(pixels - facts["crop"]) for pixels in images.shape[1:3]]
        images = keras.layers.Cropping2D(margins, name="crop", dtype="float32")(images)
    if facts["bin"] > 1:
        images = keras.layers.AveragePooling2D(facts["bin"], name="bin", dtype="float32")(images)
    if facts["stretch"] == "asinh":
        images = ops.arcsinh(images / facts["softening_flux"])
    elif facts["stretch"] == "sqrt":
        images = ops.sqrt(ops.maximum(images, 0.0))
    if facts["scaling"] == "standardise":
        images = (images - facts["mean"]) / facts["standard_deviation"]
    elif facts["scaling"] == "min_max":
        low = ops.min(images, axis=(1, 2, 3), keepdims=True)
        high = ops.max(images, axis=(1, 2, 3), keepdims=True)
        images = (images - low) / ops.maximum(high - low, 1e-37)
    return images


def _margins(pixels: int) -> tuple[int, int]:
    """How many of so many pixels are cut off before and after the middle, as `data` does."""
    return pixels // 2, pixels - pixels // 2
