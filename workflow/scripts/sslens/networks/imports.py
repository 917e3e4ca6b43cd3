"""Encoders from files that `networks.export` wrote, here or elsewhere."""

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from sslens.networks.encoders.building import build_encoder

#: Modules whose classes a file may name; with a dot at their end, all below.
MODULES = ("keras.layers", "keras.initializers", "keras.src.ops.", "keras.src.models.")
#: What else it may name: the precision of a layer, a layer's input, and an array of constants.
NAMES = {("keras", "DTypePolicy"), ("None", "__keras_tensor__"), ("None", "__numpy__")}
#: Layers that run code that is in a file, or that read other files.
REFUSED = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "FlaxLayer", "JaxLayer")
MAX_BYTES = 10_000_000  # of a description of a network; that of a ResNet50 has 0.2 million


def read_encoder(path: str | Path, settings: Mapping, input_shape: Sequence[int]) -> keras.Model:
    """Read the encoder in a file that `networks.export.export_encoder` wrote.

    The file's own preprocessing is left behind: images come preprocessed as all of a run are.

    Args:
        path: of the file; it is not trusted, so nothing in it is run (Keras's `safe_mode`), and it
            may name layers of Keras alone.
        settings: of the encoder that it has to be, as of `build_encoder`.
        input_shape: (height, width, channels) of preprocessed images.

    Returns:
        The encoder, with the weights of the file.

    Raises:
        ValueError: in one line, where it is no such file, or the encoder is of another
            architecture or input size.
    """
    _check_names(path)
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a file that is damaged, or forged, makes Keras raise
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: Keras cannot read this encoder: {reason}") from None
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if len(inner) != 1:
        raise ValueError(
            f"{path}: {len(inner)} networks, and not one encoder behind its preprocessing; take a "
            "file that the rule features wrote"
        )
    (found,), encoder = inner, build_encoder(dict(settings), input_shape, seed=0)
    if found.input_shape[1:] != tuple(input_shape):
        raise ValueError(
            f"{path}: an encoder of images of {_size(found.input_shape[1:])}, but those of this "
            f"data set have {_size(input_shape)} after the preprocessing; take another file, or "
            "change preprocessing.crop or preprocessing.bin"
        )
    expected, given = _weights(encoder), _weights(found)
    if expected != given:
        raise ValueError(
            f"{path}: an encoder with other layers than {settings['name']} has with the settings "
            f"of this pretraining ({_difference(expected, given)}); set its encoder beside its file"
        )
    encoder.set_weights(found.get_weights())
    images = np.random.default_rng(0).normal(size=(2, *input_shape)).astype(np.float32)
    features, wanted = (np.asarray(model(images, training=False)) for model in (encoder, found))
    if not np.allclose(features, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max()):
        raise ValueError(
            f"{path}: an encoder with other features than {settings['name']} has with its weights "
            "and the settings of this pretraining, such as another number of heads; set its "
            "encoder beside its file"
        )
    return encoder


def _check_names(path: str | Path) -> None:
    """Stop where a file is no network of Keras, or names something else than Keras's layers."""
    try:
        with zipfile.ZipFile(path) as file:
            member = file.getinfo("config.json")
            if member.file_size > MAX_BYTES:
                raise ValueError(f"{path}: its description of a network is too long")
            description = json.loads(file.read(member))
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError, UnicodeDecodeError):
        raise ValueError(f"{path}: not an encoder that was exported as .keras") from None
    for module, name in _named(description):
        known = any(module == own or (own[-1] == "." and module.startswith(own)) for own in MODULES)
        if (module, name) not in NAMES and (not known or name in REFUSED):
            raise ValueError(
                f"{path}: it names {module}.{name}; an encoder may have layers of Keras alone, and "
                "none that runs code"
            )


def _named(description: Any) -> Iterator[tuple[str, str]]:
    """Modules of the classes and functions that a description of a network names, and these."""
    if isinstance(description, dict):
        if "class_name" in description:
            yield str(description.get("module")), str(description["class_name"])
        description = list(description.values())
    for part in description if isinstance(description, list) else ():
        yield from _named(part)


def _weights(network: keras.Model) -> dict[str, tuple]:
    """Name -> shape of the weights of a network, in their order."""
    return {
        f"{layer.name}/{weight.name}": tuple(weight.shape)
        for layer in network.layers
        for weight in layer.weights
    }


def _difference(expected: Mapping, given: Mapping) -> str:
    """The first weight that is another."""
    for name, shape in expected.items():
        if name not in given:
            return f"no {name}"
        if given[name] != shape:
            return f"{name} is {_size(given[name])}, not {_size(shape)}"
    return f"{len(given) - len(expected)} weights more"


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
