"""Settings of the user that have no effect, since another setting takes precedence."""

from collections.abc import Iterator, Mapping
from typing import Any

from sslens.configuration.settings import MATCHES, datasets_used
from sslens.schemas import Place

FOR_DATASET = "for_dataset"
_MISSING = object()


def without_effect(defaults: Mapping, given: Mapping, config: Mapping) -> list[str]:
    """One line for each general setting of the user where the defaults have a more specific one.

    More specific is a setting `for_dataset`, of a data set of the run or of one that it is `like`,
    or one of an entry of `pretrainings`, of an arm of the run. Where the user gives the specific
    setting as well, both are meant. There is a line, too, where the user gives the `epochs` of a
    training and its `steps`, which take precedence.

    Args:
        defaults: of `loading.read_defaults`.
        given: by the user.
        config: both merged, and checked.
    """
    datasets, arms = datasets_used(config), config["run"]["arms"]
    lines: list[str] = []
    for place in _sections(config):
        for dataset, specific in _section_at(config, (*place, FOR_DATASET)).items():
            if dataset in datasets:
                there = [(*place, FOR_DATASET, name) for name in _alike(dataset, given)]
                lines += _overridden(place, there, specific, given)
    everywhere: Place = ("pretraining",)
    named = [config["arms"][arm].get(key) for arm in arms for key in ("pretraining", *MATCHES)]
    for name in dict.fromkeys(named):
        own: Place = ("pretrainings", name)
        for place in (everywhere, *((*everywhere, FOR_DATASET, dataset) for dataset in datasets)):
            lines += _overridden(place, [own], _section_at(defaults, own), given)
    return [*lines, *_both_lengths(given)]


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


def _sections(defaults: Mapping, place: Place = ()) -> Iterator[Place]:
    """Places of all sections that have settings for single data sets."""
    for key, section in defaults.items():
        if isinstance(section, Mapping) and key != FOR_DATASET:
            if FOR_DATASET in section:
                yield (*place, key)
            yield from _sections(section, (*place, key))


def _overridden(
    place: Place, specific_places: list[Place], specific: Mapping, given: Mapping
) -> Iterator[str]:
    """Lines for what the user gives at a place, but not at any of the specific ones.

    Args:
        place: of the general section.
        specific_places: of the specific one, and of those that it was copied from.
        specific: the settings of the specific section.
        given: by the user.
    """
    given_there = [_section_at(given, there) for there in specific_places]
    for key, value in _leaves(_section_at(given, place)):
        default = _at(specific, key)
        is_set = default is not _MISSING and not isinstance(default, Mapping)
        if not is_set or default == value:
            continue
        if any(_at(section, key) is not _MISSING for section in given_there):
            continue
        yield (
            f"{_dotted(*place, *key)}: {value!r} has no effect where "
            f"{_dotted(*specific_places[0], *key)} of the defaults is {default!r}; set that one, "
            "too"
        )


def _leaves(section: Mapping, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Settings of a section and of those inside it, except those of single data sets."""
    for key, value in section.items():
        if key == FOR_DATASET:
            continue
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*place, key))
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
