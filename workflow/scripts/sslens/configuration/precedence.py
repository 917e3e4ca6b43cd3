"""Settings of the user that have no effect, since another setting takes precedence."""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import chain, product
from typing import Any

from sslens.configuration.loading import merge
from sslens.configuration.settings import MATCHES, datasets_used
from sslens.data.simulation.recipes import NOISES
from sslens.schemas import Place

FOR_DATASET = "for_dataset"
#: Settings that are used with one choice alone -> the key beside them and what it has to be.
OF_CHOICE = {
    "momentum": ("name", "sgd"),
    "softening": ("stretch", "asinh"),
    "collapse_epochs": ("collapse", "stop"),
}
#: The two units of the length of a training.
OTHER_LENGTH = {"epochs": "steps", "steps": "epochs"}
_MISSING = object()


def layers_of(given: Mapping, files: Sequence[Mapping]) -> list[dict]:
    """What the user gives, by where it is from: each setting in the last file that has it so.

    Args:
        given: all of it, merged.
        files: their contents, in the order in which they are laid over one another.

    Returns:
        A layer of each file; and one of what is in none, as from `--config`.
    """
    layers: list[dict] = [{} for _ in range(len(files) + 1)]
    for place, value in _leaves(given, skipping=None):
        at = [_at(content, place) for content in files]
        owner = next((k for k in reversed(range(len(files))) if at[k] == value), len(files))
        section = layers[owner]
        for key in place[:-1]:
            section = section.setdefault(key, {})
        section[place[-1]] = value
    return layers


def without_effect(layers: Sequence[Mapping], config: Mapping) -> list[str]:
    """One line for each general setting where what it is laid over has a more specific one.

    More specific is a setting `for_dataset`, of a data set of the run or of one that it is `like`,
    or one of an entry of `pretrainings` or of the fine-tuning of an arm of the run. Where the same
    layer, or a later one, gives the specific setting as well, both are meant. There is a line, too,
    where the user gives the `epochs` of a training and its `steps`, which take precedence, for a
    setting `OF_CHOICE` where something else is chosen, for the `validation_fraction` of an archive
    that has validation images, and for what the noise of a recipe does not use of the instrument.

    Args:
        layers: what the user gives, of `layers_of`; the first is laid over the defaults.
        config: all of them laid over the defaults, and checked.
    """
    lines: list[str] = []
    for number, layer in enumerate(layers):
        since: dict = reduce(merge, layers[number:], {})
        where = "the defaults or an earlier file" if number else "the defaults"
        lines += _of_layer(layer, since, config, where)
    given: dict = reduce(merge, layers, {})
    others = (
        _both_lengths(given),
        _of_another_choice(given, config),
        _of_archives(given, config),
        _of_another_noise(given, config),
    )
    return [*lines, *chain.from_iterable(others)]


def _of_layer(layer: Mapping, since: Mapping, config: Mapping, where: str) -> Iterator[str]:
    """The lines for one layer, of all that is given `since`; `where` the others are, in words."""
    datasets, arms = datasets_used(config), config["run"]["arms"]
    for place in _sections(config):
        for dataset in filter(datasets.__contains__, _section_at(config, (*place, FOR_DATASET))):
            there = [(*place, FOR_DATASET, name) for name in _alike(dataset, since)]
            yield from _overridden(place, there, layer, since, config, where)
    named = [config["arms"][arm].get(key) for arm in arms for key in ("pretraining", *MATCHES)]
    specific: dict[Place, list[Place]] = {
        ("pretraining",): [("pretrainings", name) for name in dict.fromkeys(named) if name],
        ("finetuning",): [("arms", arm, "finetuning") for arm in arms],
    }
    for general, entries in specific.items():
        places = [general, *((*general, FOR_DATASET, dataset) for dataset in datasets)]
        for own, place in product(entries, places):
            yield from _overridden(place, [own], layer, since, config, where)


def _alike(dataset: str, given: Mapping) -> Iterator[str]:
    """A data set, and those that the user has made it `like`."""
    while True:
        yield dataset
        if not isinstance(other := _at(given, ("datasets", dataset, "like")), str):
            return
        dataset = other


def _both_lengths(section: Mapping, place: Place = ()) -> Iterator[str]:
    """Lines for the sections that have both epochs and steps."""
    epochs, steps = section.get("epochs"), section.get("steps")
    if epochs is not None and isinstance(steps, int):
        there = _dotted(*place, "steps")
        yield (
            f"{_dotted(*place, 'epochs')}: {epochs!r} has no effect where {there} is {steps!r}; "
            "remove one of the two, or give steps: null"
        )
    for key, part in section.items():
        if isinstance(part, Mapping):
            yield from _both_lengths(part, (*place, key))


def _of_another_choice(given: Mapping, config: Mapping) -> Iterator[str]:
    """Lines for settings that what is chosen beside them does not use."""
    for place, value in _leaves(given, skipping=None):
        if place[-1] not in OF_CHOICE:
            continue
        key, needed = OF_CHOICE[place[-1]]
        general = _general(place)
        places = [(*section[:-1], key) for section in (place, _of_all_datasets(place), general)]
        chosen = next(found for there in places if (found := _at(config, there)) is not _MISSING)
        # a general setting may be meant for a part that chooses it
        is_meant = place == general and any(
            own == needed and _general(other) == places[-1]
            for other, own in _leaves(config, skipping=None)
        )
        if chosen != needed and not is_meant:
            yield (
                f"{_dotted(*place)}: {value!r} has no effect where {_dotted(*place[:-1], key)} is "
                f"{chosen!r}; remove it, or choose {needed}"
            )


def _of_archives(given: Mapping, config: Mapping) -> Iterator[str]:
    """Lines for archives with a part of the training images to validate by, and a split for it."""
    for dataset in _section_at(given, ("datasets",)):
        place = ("datasets", dataset)
        split = _at(config, (*place, "paths", "validation"))
        fraction = _at(given, (*place, "validation_fraction"))
        if _MISSING not in (split, fraction):
            there = _dotted(*place, "paths", "validation")
            yield (
                f"{_dotted(*place, 'validation_fraction')}: {fraction!r} has no effect where "
                f"{there} is {split!r}; remove one of the two"
            )


def _of_another_noise(given: Mapping, config: Mapping) -> Iterator[str]:
    """Lines for keys of an instrument that the noise of its recipe does not use."""
    for dataset in _section_at(given, ("datasets",)):
        recipe = _section_at(config, ("datasets", dataset))
        used = {*NOISES.get(recipe.get("noise", ""), ())}
        if "magnitude" in _section_at(recipe, ("source_light",)):
            used.add("zero_point")
        for key, value in _section_at(given, ("datasets", dataset, "instrument")).items():
            if value is not None and key not in used and any(key in own for own in NOISES.values()):
                place = ("datasets", dataset)
                others = " or ".join(noise for noise, own in NOISES.items() if key in own)
                # which every recipe has to have
                remedy = "give null" if key == "zero_point" else "remove it"
                yield (
                    f"{_dotted(*place, 'instrument', key)}: {value!r} has no effect where "
                    f"{_dotted(*place, 'noise')} is {recipe.get('noise')!r}; {remedy}, or choose "
                    f"{others}"
                )


def _of_all_datasets(place: Place) -> Place:
    """The place of a setting for all data sets, of one for a single one."""
    before = (None, *place)
    return tuple(k for k, b in zip(place, before, strict=False) if FOR_DATASET not in (k, b))


def _general(place: Place) -> Place:
    """The place of a setting of all trainings, of one for a single one."""
    first, *rest = _of_all_datasets(place)
    if first == "pretrainings":
        return ("pretraining", *rest[1:])
    return tuple(rest[1:]) if first == "arms" else (first, *rest)


def _sections(content: Mapping, place: Place = ()) -> Iterator[Place]:
    """Places of all sections that have settings for single data sets."""
    for key, section in content.items():
        if isinstance(section, Mapping) and key != FOR_DATASET:
            if FOR_DATASET in section:
                yield (*place, key)
            yield from _sections(section, (*place, key))


def _overridden(
    place: Place,
    specific_places: list[Place],
    layer: Mapping,
    since: Mapping,
    config: Mapping,
    where: str,
) -> Iterator[str]:
    """Lines for what a layer gives at a place, but neither it nor a later one at a specific one.

    Args:
        place: of the general section.
        specific_places: of the specific one, and of those that it was copied from.
        layer, since, config, where: as of `_of_layer`.
    """
    specific = _section_at(config, specific_places[0])
    given_there = [_section_at(since, there) for there in specific_places]
    for key, value in _leaves(_section_at(layer, place)):
        own = [key]
        if value is not None and key[-1] in OTHER_LENGTH:  # a length in one unit replaces the other
            own.append((*key[:-1], OTHER_LENGTH[key[-1]]))
        if any(_at(section, one) is not _MISSING for one in own for section in given_there):
            continue
        for one in own:
            other = _at(specific, one)
            is_set = other is not _MISSING and not isinstance(other, Mapping)
            if not is_set or (one != key and other is None) or (one == key and other == value):
                continue
            yield (
                f"{_dotted(*place, *key)}: {value!r} has no effect where "
                f"{_dotted(*specific_places[0], *one)} of {where} is {other!r}; set "
                f"{'that one' if one == key else _dotted(*specific_places[0], *key)}, too"
            )


def _leaves(
    section: Mapping, place: Place = (), skipping: str | None = FOR_DATASET
) -> Iterator[tuple[Place, Any]]:
    """Settings of a section and of those inside it, except those below the key that is skipped."""
    for key, value in section.items():
        if key == skipping:
            continue
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*place, key), skipping)
        else:
            yield (*place, key), value


def _at(content: Any, place: Place) -> Any:
    """The value at a place, or `_MISSING`."""
    for key in place:
        if not isinstance(content, Mapping) or key not in content:
            return _MISSING
        content = content[key]
    return content


def _section_at(content: Mapping, place: Place) -> Mapping:
    """The section at a place; empty where there is none."""
    found = _at(content, place)
    return found if isinstance(found, Mapping) else {}


def _dotted(*keys: Any) -> str:
    return ".".join(map(str, keys))
