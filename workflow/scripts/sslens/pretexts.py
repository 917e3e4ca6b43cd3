"""Pretexts: lists of augmentations with their strengths. Free of TensorFlow.

What the code has to know of an augmentation are traits in its schema, beside its settings:
`of_raw_images`; `places`, whether what an image shows stays where it is, turns about the centre, or
is shifted; and of a strength its `neutral` value, at which the augmentation does nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sslens.schemas import load_schema

#: Schema of an augmentation of a pretext.
PRETEXT_SCHEMA = Path(__file__).parent / "training" / "augmentations.schema.yaml"
#: The augmentation that needs images without noise, and the exposure time of each.
NOISE = "instrument_noise"
#: Values of the trait `places`.
STAY, TURN, SHIFT = "stay", "turn", "shift"


def augmentation_names(pretext: Sequence[Mapping]) -> list[str]:
    """Names of the augmentations of a pretext."""
    return [name for augmentation in pretext for name in augmentation]


def changes_nothing(pretext: Sequence[Mapping]) -> bool:
    """Whether every augmentation of a pretext has the strengths at which it does nothing."""
    return all(
        bool(neutral := _neutral_strengths(name)) and neutral.items() <= (strengths or {}).items()
        for augmentation in pretext
        for name, strengths in augmentation.items()
    )


def _neutral_strengths(name: str) -> dict:
    """The strengths of an augmentation that have a neutral value, and these values."""
    strengths = _schema_of(name).get("properties", {})
    return {key: schema["neutral"] for key, schema in strengths.items() if "neutral" in schema}


def of_raw_images(name: str) -> bool:
    """Whether an augmentation acts on images as they are recorded, before the preprocessing."""
    return _schema_of(name).get("of_raw_images", False)


def augmentations_by_places() -> dict[str | None, list[str]]:
    """What augmentations do to the places of what an image shows, and the names of those that do.

    The key is STAY, TURN or SHIFT, or None for those whose schema does not say so.
    """
    found: dict[str | None, list[str]] = {}
    for name, schema in load_schema(PRETEXT_SCHEMA)["properties"].items():
        found.setdefault(schema.get("places"), []).append(name)
    return found


def _schema_of(name: str) -> Mapping:
    return load_schema(PRETEXT_SCHEMA)["properties"].get(name, {})


def split_raw(pretext: Sequence[Mapping]) -> tuple[list[Mapping], list[Mapping]]:
    """The augmentations of a pretext of raw images, and those of normalised ones."""
    parts: tuple[list[Mapping], list[Mapping]] = [], []
    for augmentation in pretext:
        parts[0 if any(map(of_raw_images, augmentation)) else 1].append(augmentation)
    return parts
