"""Families of encoders: one file each, found by the name of an encoder. Free of TensorFlow.

A family is a module `FAMILY.py` with the functions `features_of` and `depth_of`, see `building`,
and beside it `FAMILY.schema.yaml`, the JSON schema of its settings, whose `names` are those of its
encoders. It may have `sizes` (of each name, defaults of settings) and `divides` (settings that have
to divide another one, or the `pixels` along a side of an image).
"""

import importlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from sslens.schemas import load_schema

SUFFIX = ".schema.yaml"


def _schemas() -> dict[str, dict]:
    """Family -> schema of its settings."""
    paths = sorted(Path(__file__).parent.glob(f"*{SUFFIX}"))
    return {path.name.removesuffix(SUFFIX): load_schema(path) for path in paths}


@cache
def _families() -> dict[str, str]:
    """Name of an encoder -> its family."""
    return {name: family for family, schema in _schemas().items() for name in schema["names"]}


def encoder_names() -> list[str]:
    """Names of all encoders, family by family."""
    return list(_families())


def family_of(name: str) -> str:
    """The family of an encoder.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in _families():
        raise ValueError(f"unknown encoder {name!r}: known are {', '.join(encoder_names())}")
    return _families()[name]


def encoder_schema(name: str) -> dict:
    """The schema of the settings that an encoder has besides those of all encoders.

    Where the name stands for a size, the settings of that size are the defaults.
    """
    schema = _schemas()[family_of(name)]
    size = schema.get("sizes", {}).get(name, {})
    own = {key: {**schema["properties"][key], "default": value} for key, value in size.items()}
    return {**schema, "properties": schema["properties"] | own}


def family_settings() -> dict[str, dict]:
    """Settings that some family has -> their schemas; no two families share a name of one."""
    return {
        key: part for schema in _schemas().values() for key, part in schema["properties"].items()
    }


def laid_over(base: Mapping, own: Mapping) -> dict:
    """Settings of an encoder, with others laid over them; one of another family begins anew."""
    return {**of_same_family(base, own), **own}


def of_same_family(base: Mapping, own: Mapping) -> dict:
    """Settings of an encoder without those that another one leaves behind.

    Of another family these are all of its own; of the same family those that a name stands for.
    """
    names = [str(part.get("name")) for part in (base, own)]
    if names[0] == names[1] or not all(name in _families() for name in names):
        return dict(base)
    family = family_of(names[0])
    if family == family_of(names[1]):
        sizes = _schemas()[family].get("sizes", {})
        dropped = {key for name in names for key in sizes.get(name, {})}
    else:
        dropped = set(encoder_schema(names[0])["properties"])
    return {key: value for key, value in base.items() if key not in dropped}


def load_family(name: str) -> ModuleType:
    """Import the module of an encoder's family, and so TensorFlow."""
    return importlib.import_module(f"sslens.networks.encoders.{family_of(name)}")
