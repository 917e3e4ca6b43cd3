"""Pretexts: lists of augmentations with their strengths. Free of TensorFlow."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sslens.schemas import load_schema

#: Schema of an augmentation of a pretext.
PRETEXT_SCHEMA = Path(__file__).parent / "training" / "augmentations.schema.yaml"
#: The augmentation that needs images without noise, and the exposure time of each.
NOISE = "instrument_noise"
#: Strengths -> the value at which their augmentation does nothing.
NO_STRENGTH = {"max_degrees": 0, "max_pixels": 0, "stddev": 0, "max_factor": 1, "max_sigma": 0}


def augmentation_names(pretext: Sequence[Mapping]) -> list[str]:
    """Names of the augmentations of a pretext."""
    return [name for augmentation in pretext for name in augmentation]


def changes_nothing(pretext: Sequence[Mapping]) -> bool:
    """Whether every augmentation of a pretext has the strength at which it leaves images alone."""
    return all(
        strengths and all(strengths.get(name, none) == none for name, none in NO_STRENGTH.items())
        for augmentation in pretext
        for strengths in augmentation.values()
    )


def of_raw_images(name: str) -> bool:
    """Whether an augmentation acts on images as they are recorded, before the preprocessing."""
    return load_schema(PRETEXT_SCHEMA)["properties"].get(name, {}).get("of_raw_images", False)


def split_raw(pretext: Sequence[Mapping]) -> tuple[list[Mapping], list[Mapping]]:
    """The augmentations of a pretext of raw images, and those of normalised ones."""
    parts: tuple[list[Mapping], list[Mapping]] = [], []
    for augmentation in pretext:
        parts[0 if any(map(of_raw_images, augmentation)) else 1].append(augmentation)
    return parts
