"""Names of labels that are numbers, where an HDF5 file gives them: as an enumeration's members or
in the attributes of its labels.
"""

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

#: Attributes whose value is a mapping of labels to names or a list of names, by lower-case name.
ATTRIBUTES = ("classes", "class_names", "label_names", "names")
MAX_ATTRIBUTE_BYTES = 2**16


def label_names(labels: Any) -> dict[str, str]:
    """The name of each label of an h5py data set; empty if the file gives none.

    Returns:
        Label, written as a whole number -> name.
    """
    import h5py

    if members := h5py.check_enum_dtype(labels.dtype):
        return {str(int(number)): name for name, number in members.items()}
    keys = {key.lower(): key for key in labels.attrs}
    for key in ATTRIBUTES:
        if key in keys and (found := parse_names(_attribute(labels, keys[key]))):
            return found
    if "flag_values" in keys and "flag_meanings" in keys:  # the CF conventions of netCDF
        numbers = np.ravel(_attribute(labels, keys["flag_values"]))
        meanings = parse_names(_attribute(labels, keys["flag_meanings"]))
        if len(numbers) == len(meanings):
            pairs = zip(numbers, meanings.values(), strict=True)
            return {str(int(number)): name for number, name in pairs}
    return {}


def _attribute(labels: Any, key: str) -> Any:
    """Value of an attribute, if it is of a size that names have."""
    stored = labels.attrs.get_id(key)
    return labels.attrs[key] if stored.get_storage_size() <= MAX_ATTRIBUTE_BYTES else ""


def parse_names(value: Any) -> dict[str, str]:
    """Names of labels as people write them.

    Args:
        value: names in the order of the labels 0, 1, 2, as an array of texts, or one text with
            commas between them, or without a comma spaces; or a text in JSON, of such a list or of
            a mapping of labels to names, or of names to labels.

    Returns:
        Label, written as a whole number -> name. Empty for anything else, also where "no sub",
        between spaces, may be one name or two.
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, bytes | str):
        value = _parse_text(_text(value))
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, Mapping):
        return {}
    pairs = [(_text(key), _text(name)) for key, name in value.items()]
    if pairs and all(_is_number(name) and not _is_number(key) for key, name in pairs):
        pairs = [(name, key) for key, name in pairs]
    if not all(_is_number(key) and not _is_number(name) for key, name in pairs):
        return {}
    return {str(int(key)): name for key, name in pairs}


def _parse_text(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if "," in text:
            return [name.strip() for name in text.split(",")]
        words = text.split()
        # of two classes, or of one in two words
        in_doubt = any(
            one.lower() == "no" and other.lower().startswith("sub")
            for one, other in pairwise(words)
        )
        return [] if in_doubt else words
    return value if isinstance(value, list | dict) else []


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()
