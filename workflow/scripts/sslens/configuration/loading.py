"""Reading the configuration: defaults, and what the user gives laid over them."""

from collections.abc import Collection, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from sslens.configuration.files import read_yaml
from sslens.digests import json_digest
from sslens.networks.encoders.registry import of_same_family

#: Settings that suit images of one size.
OF_SIZE = ("crop", "bin")


def load(folder: Path, given: Mapping) -> dict:
    """Defaults of `folder` (config.yaml, datasets.yaml), overlaid by what the user gave.

    Shorthands are written out: data sets that are `like` another, and files as pretrainings.
    """
    return _with_named_files(_lay_over(_read_defaults(folder), given))


def _read_defaults(folder: Path) -> dict:
    """The defaults, data sets that are `like` another written out."""
    config: dict = {}
    for name in ("datasets.yaml", "config.yaml"):
        config = _lay_over(config, read_yaml(folder / name))
    return config


def _lay_over(config: Mapping, layer: Mapping) -> dict:
    """Merge a layer over the configuration, and make its data sets that are `like` another.

    Layer by layer, so that what is laid over a data set later leaves alone those that are like it.
    """
    layer = _with_text_keys(layer)
    merged = merge(config, layer)
    base, own = config.get("encoder"), layer.get("encoder")
    if isinstance(base, Mapping) and isinstance(own, Mapping):
        merged["encoder"] = merge(of_same_family(base, own), own)
    if isinstance(layer.get("datasets"), Mapping):
        merged["datasets"] = _make_alike(merged["datasets"], layer["datasets"])
        alike = {
            name: str(entry["like"])
            for name, entry in layer["datasets"].items()
            if isinstance(entry, Mapping) and "like" in entry
        }
        for _ in alike:  # as often as one of them may be like another
            for name, other in alike.items():
                sizes = [_pixels_of(merged["datasets"].get(each)) for each in (name, other)]
                _share_settings(merged, name, other, () if sizes[0] == sizes[1] else OF_SIZE)
    return merged


def _pixels_of(entry: Any) -> Any:
    """The pixels along a side of the images of a data set, None where they are not given."""
    instrument = entry.get("instrument") if isinstance(entry, Mapping) else None
    return instrument.get("pixels") if isinstance(instrument, Mapping) else None


def _share_settings(section: Any, name: str, other: str, but: Collection[str]) -> None:
    """Give a data set what other sections have `for_dataset` of the one that it is like, `but`."""
    if not isinstance(section, dict):
        return
    own = section.get("for_dataset")
    if isinstance(own, dict) and isinstance(shared := own.get(other), Mapping):
        given = own.get(name, {})
        shared = {key: value for key, value in shared.items() if key not in but}
        own[name] = merge(of_same_family(shared, given), given)
    for part in section.values():
        _share_settings(part, name, other, but)


def _with_text_keys(layer: Mapping) -> dict:
    """A layer in which labels that are numbers are texts, as they have to be in JSON."""
    copied = deepcopy(dict(layer))
    datasets = copied.get("datasets")
    for entry in datasets.values() if isinstance(datasets, Mapping) else ():
        if isinstance(entry, Mapping) and isinstance(classes := entry.get("classes"), Mapping):
            # but not where both are given, which `check` refuses
            texts = {
                str(key) if type(key) is int and str(key) not in classes else key: name
                for key, name in classes.items()
            }
            entry["classes"] = texts  # type: ignore[index]  # a copy of a mapping from YAML
    return copied


def _with_named_files(config: Mapping) -> dict:
    """Give a name of `pretrainings` to every encoder's file that an arm has for its pretraining."""
    named, pretrainings, arms = dict(config), config.get("pretrainings"), config.get("arms")
    if not isinstance(arms, Mapping) or not isinstance(pretrainings, Mapping):
        return named
    named["arms"], named["pretrainings"] = dict(arms), dict(pretrainings)
    for arm, entry in arms.items():
        given = entry.get("pretraining") if isinstance(entry, Mapping) else None
        if isinstance(given, Mapping) and "file" in given:
            name = f"file-{json_digest(given)[:8]}"
            named["arms"][arm] = {**entry, "pretraining": name}
            named["pretrainings"][name] = dict(given)
    return named


def _make_alike(datasets: Mapping, own: Mapping) -> dict:
    """Lay every entry of `own` that is `like` a data set over a copy of that one but for its title.

    A section of the entry replaces the whole section: of amplitude and magnitude, say, one has to
    go. An entry that is like none that is there, or in the end like itself, is left for `check`.
    """
    resolved = dict(datasets)
    waiting = {
        name: str(entry["like"])
        for name, entry in own.items()
        if isinstance(entry, Mapping) and "like" in entry
    }

    def is_ready(other: str) -> bool:
        return other not in waiting and isinstance(resolved.get(other), Mapping)

    while ready := [name for name, other in waiting.items() if is_ready(other)]:
        for name in ready:
            entry = {**resolved[waiting.pop(name)], "title": name, **own[name]}
            resolved[name] = {key: deepcopy(value) for key, value in entry.items() if key != "like"}
    return resolved


def merge(base: Mapping, overlay: Mapping) -> dict:
    """Merge two nested mappings; where both have a key that holds no mapping, the overlay wins."""
    merged = deepcopy(dict(base))
    for key, value in overlay.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else deepcopy(value)
    return merged
