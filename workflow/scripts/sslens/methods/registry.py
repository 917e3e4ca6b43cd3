"""Self-supervised methods: one file each, loaded by name, one at a time.

The contract is in `base`. A schema may have `refused_augmentations`, `needs_encoder` and
`reconstructs`, see the functions of these names, `encoder_passes`, see `passes`, and
`experimental`, the cause in words.

This module imports none of them, so a method's file concerns that method alone.
"""

import importlib
from pathlib import Path
from typing import Any

from sslens.schemas import load_schema

#: How many images there are at least for each element of a queue of earlier ones. In a longer queue
#: most neighbours would be of images that were seen a pass ago.
IMAGES_PER_QUEUED = 3


def method_names() -> list[str]:
    """Names of the methods that have a file and a schema here, in alphabetical order."""
    return sorted(
        path.name.removesuffix(".schema.yaml") for path in _folder().glob("*.schema.yaml")
    )


def schema_path(name: str) -> Path:
    """Path of the schema of a method's settings."""
    return _folder() / f"{name}.schema.yaml"


def refused_augmentations(name: str) -> list[str]:
    """What a pretext of a method may not have: `refused_augmentations` of its schema."""
    return load_schema(schema_path(name)).get("refused_augmentations", [])


def needs_encoder(name: str) -> dict:
    """Settings that an encoder has to have for a method: `needs_encoder` of its schema."""
    return load_schema(schema_path(name)).get("needs_encoder", {})


def views_of(name: str) -> int:
    """How many views of an image a method takes, if only one: `views` of its schema; or else 2."""
    return load_schema(schema_path(name)).get("views", 2)


def reconstructs(name: str) -> bool:
    """Whether a method reconstructs images, which are then shown: `reconstructs` of its schema."""
    return load_schema(schema_path(name)).get("reconstructs", False)


def uses_labels(name: str) -> bool:
    """Whether a method learns from classes: `uses_labels` of its schema."""
    return load_schema(schema_path(name)).get("uses_labels", False)


def load_method(name: str) -> Any:
    """Import the class of a method.

    Raises:
        ValueError: for a name without a file.
    """
    if name not in method_names():
        raise ValueError(f"unknown method {name!r}: known are {', '.join(method_names())}")
    return importlib.import_module(f"sslens.methods.{name}").Method


def _folder() -> Path:
    return Path(__file__).parent
