"""Networks as `.keras` files that need Keras alone; they take raw images."""

from collections.abc import Sequence
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from sslens.files import atomic_path, read_json
from sslens.networks.layers import BatchNormalization, Convolution, FusedBatchNormalization
from sslens.networks.preprocessing import preprocess


class Answer(Protocol):
    """What an exported network says of an image: a part of a task, see `tasks.base`."""

    def readable(self, outputs: Any) -> Any:
        """What is made of outputs (batch, outputs), by layers of Keras alone."""

    def averaged(self, readable: Any, turns: np.ndarray) -> Any:
        """The same of several orientations (n, batch, ...), which are turned by (n, 2, 2)."""


#: What this library's layers are when they need not be fast: Keras's own, of the same numbers.
PLAIN = {
    Convolution: keras.layers.Conv2D,
    BatchNormalization: keras.layers.BatchNormalization,
    FusedBatchNormalization: keras.layers.BatchNormalization,
}


def exportable(
    network: keras.Model,
    facts: dict,
    recorded_shape: Sequence[int],
    answer: Answer,
    average: bool = False,
) -> keras.Model:
    """Put the preprocessing in front of a network, and what makes its outputs readable behind it.

    Its answers are those that the rule `evaluate` writes, to the rounding of float32: it
    evaluates in float32 whatever the precision of the training, and so does this model. Where one
    of the two computes in TF32, as on recent GPUs, they agree to that.

    Args:
        network: made by `networks.classifiers`, for whichever protocol.
        facts: of `preprocessing.measure`.
        recorded_shape: (height, width, channels) of the images as they are recorded.
        answer: what it says of an image, such as a task.
        average: whether answers are averaged over the orientations of an image, as predictions
            are; it takes eight times as long, and eight times the memory of a batch.

    Returns:
        A model of layers of Keras alone, from raw images (batch, *recorded_shape) to what
        the answer makes, such as probabilities (batch, classes) in the order of `CLASSES`.
    """
    plain = _plain(network)
    inputs = keras.Input(tuple(recorded_shape), name="raw_image")
    images = preprocess(inputs, facts)
    if average:
        images = ops.concatenate(_orientations(images))
    outputs = answer.readable(plain(images))
    if average:
        outputs = ops.reshape(outputs, (8, -1, *outputs.shape[1:]))
        outputs = answer.averaged(outputs, _turns())
    return keras.Model(inputs, outputs, name="sslens_classifier")


def exportable_encoder(
    encoder: keras.Model, facts: dict, recorded_shape: Sequence[int]
) -> keras.Model:
    """Put the preprocessing in front of a frozen encoder, see `networks.frozen`.

    Args:
        encoder, facts, recorded_shape: as of `exportable`.

    Returns:
        A model of layers of Keras alone, from raw images (batch, *recorded_shape) to the features
        (batch, features) that the rule `features` writes, to the rounding of float32.
    """
    inputs = keras.Input(tuple(recorded_shape), name="raw_image")
    features = _plain(encoder)(preprocess(inputs, facts))
    return keras.Model(inputs, features, name="sslens_encoder")


def export(
    network: keras.Model,
    manifest: str,
    preprocessing: str,
    path: str,
    answer: Answer,
    average: bool,
) -> None:
    """Write a network that was trained on the data of two files to `path`, atomically.

    Args:
        network, answer, average: as of `exportable`.
        manifest, preprocessing: the two files.
        path: ends in `.keras`.
    """
    _save(exportable(network, *_facts(manifest, preprocessing), answer, average), path)


def export_encoder(encoder: keras.Model, manifest: str, preprocessing: str, path: str) -> None:
    """Write a frozen encoder (see `exportable_encoder`) to `path`, as `export` does."""
    _save(exportable_encoder(encoder, *_facts(manifest, preprocessing)), path)


def _facts(manifest: str, preprocessing: str) -> tuple[dict, Sequence[int]]:
    return read_json(preprocessing), read_json(manifest)["schema"]["image"]["shape"]


def _save(model: keras.Model, path: str) -> None:
    with atomic_path(path) as temporary:
        model.save(temporary)


def _plain(network: keras.Model) -> keras.Model:
    """A copy of a network, of layers of Keras alone."""
    plain = keras.models.clone_model(network, clone_function=_plain_layer, recursive=True)
    plain.set_weights(network.get_weights())
    return plain


def _plain_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    return PLAIN.get(type(layer), type(layer)).from_config(layer.get_config())


def _turns() -> np.ndarray:
    """By which matrices places turn in each of the `_orientations`, (8, 2, 2)."""
    turns = [np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]])]
    for flip in (np.diag([1.0, -1.0]), np.diag([-1.0, 1.0])):
        turns += [flip @ turned for turned in turns]
    return np.stack(turns)


def _orientations(images) -> list:
    """The eight flips and quarter turns of square images (batch, side, side, channels)."""
    orientations = [images, ops.transpose(images, (0, 2, 1, 3))]
    for axis in (1, 2):
        orientations += [ops.flip(oriented, axis) for oriented in orientations]
    return orientations
