"""Encoders from files: what was exported comes back, and nothing else does, in one line."""

import json
import zipfile

import keras
import numpy as np
import pytest
from paths import ROOT

from sslens.configuration.loading import load
from sslens.configuration.settings import with_defaults
from sslens.networks import imports
from sslens.networks.encoders.building import build_encoder
from sslens.networks.encoders.registry import encoder_schema, laid_over
from sslens.networks.export import exportable_encoder
from sslens.networks.imports import read_encoder

SETTINGS = load(ROOT / "config", {})["encoder"] | {"width": 2, "neck": [4]}
FACTS = {
    "crop": 32, "bin": 2, "stretch": "asinh", "softening_flux": 0.1, "scaling": "standardise",
    "mean": 1.0, "standard_deviation": 2.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An encoder of 16 x 16 pixels, and the file that it was exported to."""
    encoder = build_encoder(SETTINGS, (16, 16, 1), 3)
    path = tmp_path_factory.mktemp("exported") / "encoder.keras"
    exportable_encoder(encoder, FACTS, (40, 40, 1)).save(path)
    return encoder, path


def refusal(path, settings=SETTINGS, shape=(16, 16, 1)):
    with pytest.raises(ValueError, match=f"^{path}: ") as error:
        read_encoder(path, settings, shape)
    message = str(error.value)
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_an_exported_encoder_comes_back_to_the_bit(exported):
    encoder, path = exported
    found = read_encoder(path, SETTINGS, [16, 16, 1])
    images = np.random.default_rng(0).normal(size=(4, 16, 16, 1)).astype(np.float32)
    assert np.array_equal(found.predict_on_batch(images), encoder.predict_on_batch(images))
    for one, other in zip(found.variables, encoder.variables, strict=True):
        assert one.path == other.path


def test_one_of_another_input_size_or_architecture_is_refused(exported):
    _, path = exported
    assert refusal(path, shape=(32, 32, 1)).startswith(
        "an encoder of images of 16 x 16 x 1, but those of this data set have 32 x 32 x 1 after"
    )
    for other, found in (
        ({"width": 4}, "(stem/kernel is 7 x 7 x 1 x 2, not 7 x 7 x 1 x 4)"),
        ({"neck": []}, "(6 weights more)"),
        ({"neck": [4, 4]}, "(no neck2/kernel)"),
    ):
        message = refusal(path, SETTINGS | other)
        assert message.startswith(
            "an encoder with other layers than resnet18 has with the settings"
        )
        assert f"{found}; set its encoder beside" in message


def test_a_transformer_comes_back_and_one_with_other_heads_is_refused(tmp_path):
    small = laid_over(SETTINGS, {"name": "vit_nano", "embedding": 8, "layers": 1, "neck": []})
    settings = with_defaults(small, encoder_schema("vit_nano"))
    encoder = build_encoder(settings, (16, 16, 1), 3)
    path = tmp_path / "encoder.keras"
    exportable_encoder(encoder, FACTS, (40, 40, 1)).save(path)
    images = np.random.default_rng(0).normal(size=(4, 16, 16, 1)).astype(np.float32)
    found = read_encoder(path, settings, [16, 16, 1])
    assert np.array_equal(found.predict_on_batch(images), encoder.predict_on_batch(images))
    # which leaves no trace in the shapes of weights
    message = refusal(path, settings | {"heads": 4})
    assert "other features than vit_nano" in message and "another number of heads" in message


def test_what_is_no_exported_encoder_is_refused(exported, tmp_path):
    (tmp_path / "text.keras").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as file:
        file.writestr("other.json", "{}")
    for name in ("text", "empty"):
        message = refusal(tmp_path / f"{name}.keras")
        assert message == "not an encoder that was exported as .keras"
    encoder_alone = tmp_path / "alone.keras"
    inputs = keras.Input((16, 16, 1))
    keras.Model(inputs, keras.layers.Flatten()(inputs)).save(encoder_alone)
    assert refusal(encoder_alone).startswith("0 networks, and not one encoder behind its prep")
    damaged = tmp_path / "damaged.keras"
    rewrite(
        exported[1], damaged, lambda name, content: content[: 10 ** (9 - 5 * (name[-1] == "5"))]
    )
    assert refusal(damaged).startswith("Keras cannot read this encoder: ")


def rewrite(path, to, change):
    """Write a file of Keras anew, with other contents of its members."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(to, "w") as target:
        for name in source.namelist():
            target.writestr(name, change(name, source.read(name)))


FORGED = [
    {"class_name": "Lambda", "module": "keras.layers"},
    {"class_name": "TFSMLayer", "module": "keras.layers"},
    {"class_name": "system", "module": "os"},
    {"class_name": "function", "module": "builtins"},
    {"class_name": "get_file", "module": "keras.utils"},
    {"class_name": "Mine", "module": None},
    {"class_name": "layers", "module": "keras"},
]


@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: forged["class_name"])
def test_a_file_that_names_foreign_code_is_not_even_opened_by_keras(
    exported, tmp_path, monkeypatch, forged
):
    def put(name, content):
        if name != "config.json":
            return content
        description = json.loads(content)
        description["config"]["layers"].append({"module": "keras.layers", "x": [{"y": forged}]})
        return json.dumps(description)

    monkeypatch.setattr(keras.models, "load_model", lambda *given, **named: pytest.fail("opened"))
    path = tmp_path / "forged.keras"
    rewrite(exported[1], path, put)
    assert refusal(path).startswith(f"it names {forged['module']}.{forged['class_name']}; an enc")


def test_a_description_that_fills_the_memory_is_not_read(exported, monkeypatch):
    monkeypatch.setattr(imports, "MAX_BYTES", 100)
    assert refusal(exported[1]) == "its description of a network is too long"
