"""Settings of the user that have no effect, since a more specific default takes precedence."""

from collections.abc import Iterator, Mapping
from typing import Any

from sslens.configuration.settings import datasets_used
from sslens.schemas import Place

FOR_DATASET = "for_dataset"
_MISSING = object()


def without_effect(defaults: Mapping, given: Mapping, config: Mapping) -> list[str]:
    """One line for each general setting of the user where the defaults have a more specific one.

    More specific is a setting `for_dataset`, of a data set of the run, or one of an entry of
    `pretrainings`, of an arm of the run. Where the user gives the specific setting as well, both
    are meant.

    Args:
        defaults: of `loading.read_defaults`.
        given: by the user.
        config: both merged, and checked.
    """
    datasets, arms = datasets_used(config), config["run"]["arms"]
    lines: list[str] = []
    for place in _sections(defaults):
        general = _section_at(given, place)
        for dataset, specific in _section_at(defaults, (*place, FOR_DATASET)).items():
            if dataset in datasets:
                lines += _overridden(
                    place, general, (*place, FOR_DATASET, dataset), specific, given
                )
    general = _section_at(given, ("pretraining",))
    for name in dict.fromkeys(config["arms"][arm].get("pretraining") for arm in arms):
        place = ("pretrainings", name)
        lines += _overridden(("pretraining",), general, place, _section_at(defaults, place), given)
    return lines


def _sections(defaults: Mapping, place: Place = ()) -> Iterator[Place]:
    """Places of all sections that have settings for single data sets."""
    for key, section in defaults.items():
        if isinstance(section, Mapping) and key != FOR_DATASET:
            if FOR_DATASET in section:
                yield (*place, key)
            yield from _sections(section, (*place, key))


def _overridden(
    place: Place, general: Mapping, specific_place: Place, specific: Mapping, given: Mapping
) -> Iterator[str]:
    """Lines for the general settings that have another value in a specific section."""
    given_there = _section_at(given, specific_place)
    for key, value in _leaves(general):
        default = _at(specific, key)
        is_set = default is not _MISSING and not isinstance(default, Mapping)
        if not is_set or default == value or _at(given_there, key) is not _MISSING:
            continue
        yield (
            f"{_dotted(*place, *key)}: {value!r} has no effect where "
            f"{_dotted(*specific_place, *key)} of the defaults is {default!r}; set that one, too"
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
