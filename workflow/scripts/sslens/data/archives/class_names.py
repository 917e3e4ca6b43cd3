"""Which class the folders of an image name, or its label. Read with the configuration: light."""

import re
from collections.abc import Mapping
from pathlib import Path

from sslens.classes import CLASSES

#: Names of classes as they are met, but for case, spaces and punctuation.
ALIASES = {
    "axion": ("axion", "axions", "vort", "vortex", "vortices"),
    "cdm": ("cdm", "sub", "subhalo", "subhalos", "subhaloes", "sphere"),
    "no_sub": ("no_sub", "no", "no_substructure", "smooth"),
}


def with_aliases(own: Mapping[str, str]) -> dict[str, str]:
    """Plain name of a folder or label -> class, with names of the user's own."""
    classes = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
    return {plain_name(alias): name for alias, name in (classes | dict(own)).items()}


def plain_name(name: object) -> str:
    """A name without case and punctuation; -1 is no 1, nor 0.1."""
    return re.sub(r"(?!-\d|(?<=\d)\.\d)[\W_]", "", str(name).lower())


def is_number(name: object) -> bool:
    """Whether a label is a whole number."""
    return re.fullmatch("-?[0-9]+", str(name)) is not None


def classes_of_folders(file: str, aliases: Mapping[str, str]) -> list[str]:
    """The classes that the folders of a file name, each once; or a number if nothing else does."""
    names = [plain_name(part) for part in Path(file).parent.parts]
    # a number is rather the part of a class: cdm/0, cdm/1
    words = [name for name in names if name in aliases and not name.isdigit()]
    if "sub" in words[:-1]:  # all that has substructure: sub/axion, sub/cdm
        words.remove("sub")
    if words:
        return list(dict.fromkeys(aliases[name] for name in words))
    numbers = [name for name in names if name in aliases or re.fullmatch("[0-9]", name)]
    return [aliases.get(numbers[-1], numbers[-1])] if numbers else []


def class_of(
    label: str | None, folders: list[str], aliases: Mapping[str, str]
) -> tuple[str | None, str]:
    """An image's class by its own label or the names of its folders; or None, and why."""
    if label is None:
        if not folders:
            return None, "in no folder with a class's name, and without a label of its own"
        if len(folders) > 1:
            return None, f"its folders name {' and '.join(folders)}: rename or move one"
        (folder,) = folders
        return (
            (folder, "")
            if folder in CLASSES
            else (None, f"its folder {folder!r} is no class: set `classes`")
        )
    name = aliases.get(plain_name(label))
    if name is None:
        return None, f"its label {label!r} is no class: set `classes`"
    if {*folders} & {*CLASSES} and name not in folders:
        return None, f"its label is {name}, and its folder's {' and '.join(folders)}"
    return name, ""


def number_of(label: str | None, folders: list[str], aliases: Mapping[str, str]) -> str | None:
    """The number that an image has for a label, or its folder for a name, and that is no class."""
    name = plain_name("".join(folders[:1]) if label is None else label)
    return name if is_number(name) and name not in aliases else None
