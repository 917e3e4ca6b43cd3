"""Where settings stand in a configuration: what its checks go over, and what they name."""

from collections.abc import Mapping
from typing import Any

from sslens.configuration.settings import pixels_seen, preprocessing_settings, pretrained_on
from sslens.schemas import Mistakes, Place


def layers_of(mistakes: Mistakes, *place: Any) -> list[Place]:
    """Places of a section and of its entries of `for_dataset`."""
    own = mistakes.names(*place, "for_dataset") or ()
    return [place, *((*place, "for_dataset", dataset) for dataset in own)]


def fine_tuning_layers(mistakes: Mistakes) -> list[Place]:
    """Places of the settings of fine-tuning: of all arms and of single ones, and by data set."""
    arms = mistakes.names("arms") or ()
    sections: list[Place] = [("finetuning",), *(("arms", name, "finetuning") for name in arms)]
    return [layer for section in sections for layer in layers_of(mistakes, *section)]


def names_of_run(mistakes: Mistakes, key: str) -> list[str]:
    """Names of `run.datasets` or `run.arms` that can be looked up."""
    known, names = mistakes.names(key) or (), mistakes.at("run", key)
    return [
        name
        for name in (names if isinstance(names, list) else ())
        if name in known and isinstance(mistakes.at(key, name), Mapping)
    ]


def datasets_to_check(mistakes: Mistakes) -> list[str]:
    """Data sets of the run and those that its encoders are from, where they can be looked up."""
    known = mistakes.names("datasets") or ()
    sources = [mistakes.at("arms", arm, "pretrained_on") for arm in names_of_run(mistakes, "arms")]
    names = [*names_of_run(mistakes, "datasets"), *(name for name in sources if name in known)]
    entries = {name: mistakes.at("datasets", name) for name in names}
    return [name for name, e in entries.items() if isinstance(e, Mapping) and "like" not in e]


def preprocessing_layers(dataset: str) -> list[Place]:
    """Where the settings of a data set's preprocessing stand: what comes first, wins."""
    return [("preprocessing", "for_dataset", dataset), ("preprocessing",)]


def pretraining_layers(name: str, dataset: str) -> list[Place]:
    """Where a pretraining's settings for a data set stand: what comes first, wins."""
    return [
        ("pretrainings", name, "for_dataset", dataset),
        ("pretrainings", name),
        ("pretraining", "for_dataset", dataset),
        ("pretraining",),
    ]


def encoder_layers(mistakes: Mistakes, arm: str, dataset: str) -> list[Place] | None:
    """Where the settings of an arm's encoder stand, the first wins; None if one is wrong."""
    keys = ("pretraining", "pretrained_on", "match_compute_of")
    if not mistakes.is_sound(*keys_in([("arms", arm)], *keys)):
        return None
    entry, parts = mistakes.at("arms", arm), [("arms", arm)]
    if (matched := entry.get("match_compute_of")) is not None:
        parts = pretraining_layers(matched, dataset)
    elif entry.get("pretraining") is not None:
        dataset = pretrained_on(entry, dataset)
        parts = pretraining_layers(entry["pretraining"], dataset)
    own: list[Place] = [(*part, "encoder") for part in parts]
    layers = [
        *((*place, "for_dataset", dataset) for place in own),
        *own,
        ("encoder", "for_dataset", dataset),
        ("encoder",),
    ]
    return layers if mistakes.is_sound(*layers) else None


def pixels_of(config: Mapping, mistakes: Mistakes, dataset: str) -> int | None:
    """The pixels along a side of a network's images, where the configuration has sound ones."""
    layers = preprocessing_layers(dataset)
    pixels: Place = ("datasets", dataset, "instrument", "pixels")
    if not mistakes.is_sound(pixels, *keys_in(layers, "crop", "bin")):
        return None
    # an archive does not say how large its images are
    is_known = preprocessing_settings(config, dataset)["crop"] or mistakes.at(*pixels)
    return pixels_seen(config, dataset) if is_known else None


def keys_in(layers: list[Place], *keys: str) -> list[Place]:
    """The places of these keys in every layer."""
    return [(*layer, key) for layer in layers for key in keys]


def origin(mistakes: Mistakes, layers: list[Place], *keys: Place) -> Place:
    """Where a setting stands: the place of the first of these keys in the first layer with one."""
    places = [(*layer, *key) for layer in layers for key in keys]
    given = (p for p in places if p[-1] in (mistakes.at(*p[:-1]) or ()))
    return next(given, places[-1])
