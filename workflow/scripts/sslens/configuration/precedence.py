"""What a user gives without effect, since a more specific entry of the defaults goes before it."""

from collections.abc import Iterator, Mapping
from typing import Any

from sslens.configuration.settings import datasets_used
from sslens.schemas import Place

FOR_DATASET = "for_dataset"


def without_effect(defaults: Mapping, given: Mapping, config: Mapping) -> list[str]:
    """A line for each setting that is given for all, while the defaults have one for a part.

    Such a part is a data set of the run (`for_dataset`), or a pretraining of one of its arms. Where
    the user gives the part's setting, too, both are meant.

    Args:
        defaults: of `loading.read_defaults`.
        given: by the user.
        config: both, checked.
    """
    datasets, arms = datasets_used(config), config["run"]["arms"]
    lines: list[str] = []
    for place in _sections(defaults):
        own = _section_at(given, place)
        for dataset, part in _section_at(defaults, (*place, FOR_DATASET)).items():
            if dataset in datasets:
                lines += _hidden(place, own, (*place, FOR_DATASET, dataset), part, given)
    for name in dict.fromkeys(config["arms"][arm].get("pretraining") for arm in arms):
        part = _section_at(defaults, ("pretrainings", name))
        own = _section_at(given, ("pretraining",))
        lines += _hidden(("pretraining",), own, ("pretrainings", name), part, given)
    return lines


def _sections(defaults: Mapping, place: Place = ()) -> Iterator[Place]:
    """Places of all sections that have settings for single data sets."""
    for key, part in defaults.items():
        if isinstance(part, Mapping) and key != FOR_DATASET:
            if FOR_DATASET in part:
                yield (*place, key)
            yield from _sections(part, (*place, key))


def _hidden(
    place: Place, own: Mapping, place_of_part: Place, part: Mapping, given: Mapping
) -> Iterator[str]:
    """Lines for the settings of `own` that those of a part of the defaults go before."""
    of_part = _section_at(given, place_of_part)
    for key, value in _leaves(own):
        before = _at(part, key)
        is_there = before is not _MISSING and not isinstance(before, Mapping)
        if not is_there or before == value or _at(of_part, key) is not _MISSING:
            continue
        named = ".".join(map(str, (*place_of_part, *key)))
        yield (
            f"{'.'.join(map(str, (*place, *key)))}: {value!r} is not used where {named} of the "
            f"defaults is {before!r}; give that one as well"
        )


def _leaves(section: Mapping, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Settings of a section and of those inside it, but for those of single data sets."""
    for key, value in section.items():
        if key == FOR_DATASET:
            continue
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*place, key))
        else:
            yield (*place, key), value


_MISSING = object()


def _at(section: Any, place: Place, default: Any = _MISSING) -> Any:
    """What is at a place, or a default."""
    for key in place:
        if not isinstance(section, Mapping) or key not in section:
            return default
        section = section[key]
    return section


def _section_at(content: Mapping, place: Place) -> Mapping:
    """The section at a place; empty where there is none."""
    found = _at(content, place)
    return found if isinstance(found, Mapping) else {}
