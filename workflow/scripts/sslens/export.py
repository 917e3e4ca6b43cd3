"""A classifier as one `.keras` file that needs Keras alone: raw images in, probabilities out."""

from collections.abc import Sequence

import keras
from keras import ops

from sslens.files import atomic_path, read_json
from sslens.layers import BatchNormalization, Convolution, FusedBatchNormalization

#: What this library's layers are when they need not be fast: Keras's own, of the same numbers.
PLAIN = {
    Convolution: keras.layers.Conv2D,
    BatchNormalization: keras.layers.BatchNormalization,
    FusedBatchNormalization: keras.layers.BatchNormalization,
}


def exportable(classifier: keras.Model, facts: dict, recorded_shape: Sequence[int]) -> keras.Model:
    """Put the preprocessing in front of a classifier and a softmax behind it.

    Args:
        classifier: made by `classification.build_classifier`.
        facts: of `preprocessing.measure`.
        recorded_shape: (height, width, channels) of the images as they are recorded.

    Returns:
        A model of layers of Keras alone, from raw images (batch, *recorded_shape) to the
        probabilities (batch, classes) in the order of `CLASSES`.
    """
    plain = keras.models.clone_model(classifier, clone_function=_plain_layer, recursive=True)
    plain.set_weights(classifier.get_weights())
    inputs = keras.Input(tuple(recorded_shape), name="raw_image")
    outputs = keras.layers.Softmax(name="probabilities")(plain(_preprocess(inputs, facts)))
    return keras.Model(inputs, outputs, name="sslens_classifier")


def export(classifier: keras.Model, manifest: str, preprocessing: str, path: str) -> None:
    """Write a classifier that was trained on the data of these two files to `path`, atomically."""
    shape = read_json(manifest)["schema"]["image"]["shape"]
    model = exportable(classifier, read_json(preprocessing), shape)
    with atomic_path(path) as temporary:
        model.save(temporary)


def _plain_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    return PLAIN.get(type(layer), type(layer)).from_config(layer.get_config())


def _preprocess(images, facts: dict):
    """`preprocessing.preprocess`, as layers."""
    if facts["crop"] is not None:
        images = keras.layers.CenterCrop(facts["crop"], facts["crop"], name="crop")(images)
    if facts["bin"] > 1:
        images = keras.layers.AveragePooling2D(facts["bin"], name="bin")(images)
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
