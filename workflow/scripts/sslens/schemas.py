"""Checks of what a user writes against JSON schemas: all mistakes at once, one line each.

    mistakes = Mistakes({"seed": -1, "titel": "Model I"})
    mistakes.check_schema((), load_schema(path))
    mistakes.lines()  # ["seed: -1 is less than ...", "top level: unknown key 'titel'; did you ..."]

Read whenever the workflow is, so free of slow imports.
"""

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import yaml

from sslens.suggestions import nearest, unknown

#: Old name of a key -> its name.
RENAMED = {
    "as_long_as": "match_steps_of",
    "longest": "max_runtime_min",
    "margin": "safety_factor",
    "minutes": "overhead_min",
    "most_mb": "max_mem_mb",
}
#: Keys and indices that lead from the top to a value.
Place = tuple[Any, ...]


class Mistake(NamedTuple):
    """What is wrong at a place.

    `shown` is as much of the place as the line names; `meant` is the place of the key that an
    unknown one is probably a misspelling or the old name of.
    """

    place: Place
    problem: str
    shown: Place
    meant: Place | None = None


class Mistakes:
    """The mistakes found so far in nested mappings and lists.

    A check that depends on values with a mistake is left out, by `is_sound` and `names`: what it
    finds would follow from that mistake, and the user would look for two.

    Args:
        content: what is checked, such as the configuration.
    """

    def __init__(self, content: Any):
        self.content = content
        self._found: list[Mistake] = []

    def add(self, place: Place, problem: str, shown: Place | None = None) -> None:
        """Add a mistake; its line names `shown` where that is not the whole place."""
        self._found.append(Mistake(place, problem, place if shown is None else shown))

    def at(self, *place: Any) -> Any:
        """The value at a place, None where there is none."""
        value = self.content
        for part in place:
            if isinstance(value, Mapping):
                value = value.get(part)
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return None
        return value

    def is_sound(self, *places: Place) -> bool:
        """Whether there is no mistake at these places, inside of them, or around them."""
        # a key under a wrong name is not missing
        meant = {m.meant for m in self._found if m.meant and self.at(*m.meant) is None}
        wrong = {mistake.place for mistake in self._found} | meant
        return not any(
            place[: len(other)] == other[: len(place)] for place in places for other in wrong
        )

    def names(self, *place: Any) -> list[str] | None:
        """Keys of the mapping at a place, None where a mistake leaves open which there are."""
        value, wrong = self.at(*place), {p for m in self._found for p in (m.place, m.meant)}
        is_open = any(place[:end] in wrong for end in range(len(place) + 1))
        return list(value) if isinstance(value, Mapping) and not is_open else None

    def check_name(
        self, place: Place, known: Iterable[str] | None, kind: str, shown: Place | None = None
    ) -> None:
        """Check that the name at a place, if there is a sound one, is one of those of its kind."""
        name = self.at(*place)
        if name is None or known is None or not self.is_sound(place):
            return
        if name not in (known := list(known)):
            self.add(place, unknown(kind, name, known), shown)

    def check_schema(self, place: Place, schema: Mapping) -> None:
        """Check the value at a place against a schema."""
        self._found += schema_mistakes(self.at(*place), schema, place)

    def lines(self) -> list[str]:
        """A line for every mistake, in the order of what is checked."""
        ordered = sorted(self._found, key=lambda mistake: self._position(mistake.place))
        return [f"{'.'.join(map(str, m.shown)) or 'top level'}: {m.problem}" for m in ordered]

    def _position(self, place: Place) -> list[int]:
        position = []
        for end, part in enumerate(place):
            around = self.at(*place[:end])
            if isinstance(around, Mapping):
                keys = list(around)
                position.append(keys.index(part) if part in keys else len(keys))
            else:  # a list
                position.append(part)
        return position


def schema_mistakes(content: Any, schema: Mapping, where: Place = ()) -> list[Mistake]:
    """Every mistake of a content that stands at `where`, at most one at each place."""
    found: dict[Place, tuple[int, Mistake]] = {}
    for error in _Validator(schema).iter_errors(content):
        # of a value that fits none of several alternatives, what is wrong by the nearest
        error = jsonschema.exceptions.best_match([error], key=_relevance) or error
        weight = _WEIGHTS.get(str(error.validator), 1)
        if "propertyNames" in error.absolute_schema_path:
            weight = 3  # a name that is wrong stands at the place of what it names
        for mistake in _mistakes_of(error, where):
            if weight >= found.get(mistake.place, (0,))[0]:
                found[mistake.place] = weight, mistake
    meant = {mistake.meant for _, mistake in found.values()}
    explained = meant | {place[:end] for place in found for end in range(len(place))}
    return [
        mistake
        for place, (weight, mistake) in found.items()
        if weight > 0 or place not in explained
    ]


def misfits(values: Mapping, schema: Mapping) -> Iterator[tuple[Place, Place, str]]:
    """Where a number does not fit another one beside it, where that one is, and the problem.

    A schema, of the values or of a part of them, names both in `divides`, for whole numbers that
    have to divide the other one, or in `at_most`.
    """
    for key, what in schema.get("divides", {}).items():
        total: Any = values.get(what)
        part: Any = values.get(key)
        if is_whole(total) and is_whole(part, 1) and total % part:
            yield (key,), (what,), f"{part} does not divide {what} of {total}"
    for key, what in schema.get("at_most", {}).items():
        if values[key] > values[what]:
            yield (key,), (what,), f"{key} of {values[key]} is above {what} of {values[what]}"
    for name, own in schema.get("properties", {}).items():
        if isinstance(values.get(name), Mapping):
            for one, other, problem in misfits(values[name], own):
                yield (name, *one), (name, *other), problem


#: What an error weighs, by its keyword (1 if it is not here): of two errors of one value, the
#: heavier counts, or else the later, whose limit is stricter. Those of 0 follow from an error
#: inside of the value, or from its key's wrong name.
_WEIGHTS = dict.fromkeys(
    ("required", "minProperties", "maxProperties", "minItems", "maxItems", "uniqueItems"), 0
) | {"type": 2}


def _mistakes_of(error: Any, where: Place) -> Iterator[Mistake]:
    """What an error of jsonschema says, in one mistake for each key."""
    place: Place = (*where, *error.absolute_path)
    message, hint = error.message, error.schema.get("description")
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for key in error.instance:
            if key not in known:
                yield _unknown_key(key, known, place)
        return
    if error.validator == "type":
        message = _problem_of_number(error.instance, error.validator_value) or message
        hint = _hint_of_text(error.instance, error.validator_value) or hint
    problem = message + (f" ({hint})" if hint else "")
    if error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                part = error.schema.get("properties", {}).get(key, {})
                hint = f" ({part['description']})" if "description" in part else ""
                yield Mistake((*place, key), f"{key!r} is a required property{hint}", place)
    elif "propertyNames" in error.absolute_schema_path:
        yield Mistake((*place, error.instance), problem, place)
    else:
        yield Mistake(place, problem, place)


def _unknown_key(key: Any, known: list[str], place: Place) -> Mistake:
    name: str | None
    if RENAMED.get(key) in known:
        name, shown = RENAMED[key], (*place, key)
        problem = f"this key is {name!r} now; rename it"
    else:
        name, problem, shown = nearest(key, known), unknown("key", key, known), place
    return Mistake((*place, key), problem, shown, None if name is None else (*place, name))


def _relevance(error: jsonschema.ValidationError) -> tuple:
    """What an error is chosen by, the largest; jsonschema's own cannot order the keys 1 and "a"."""
    return -len(error.path), [str(part) for part in error.path]


def _problem_of_number(value: Any, types: str | list[str]) -> str | None:
    """What is wrong with a number, where numbers are expected and this one is out of range."""
    if isinstance(value, bool) or not {"number", "integer"} & {*_listed(types)}:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is not a finite number"
    if isinstance(value, int) and not is_whole(value):
        return f"a whole number of {value.bit_length()} bits is out of range"
    return None


def _listed(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _hint_of_text(value: Any, types: str | list[str]) -> str | None:
    """How to write a value as a text, or what was given as one and reads as of the right type."""
    if isinstance(value, int | float) and "string" in _listed(types):
        return "write it in quotes"
    if not isinstance(value, str):
        return None
    with contextlib.suppress(ValueError):
        if math.isfinite(float(value)) and isinstance(yaml.safe_load(value), str):
            return "write 1.0e-3: YAML takes 1e-3 for a text"
    with contextlib.suppress(yaml.YAMLError, ValueError):
        if _Validator({"type": types}).is_valid(yaml.safe_load(value)):
            return (
                "it is a text: write it without quotes and, since --config reads true, null and "
                "everything inside of braces as texts, in a file for --configfile"
            )
    return None


def is_number(value: object) -> bool:
    """Whether a value is a number that float64 can hold (a truth value is none)."""
    try:
        return (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        )
    except OverflowError:  # a whole number beyond float64's range
        return False


def is_whole(value: object, least: int = -(2**63)) -> bool:
    """Whether a value is a whole number from `least` that int64 can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**63


# JSON schema takes 1500.0 for an integer, and 1.0 for a seed; in a file name they are none.
# YAML's .nan and .inf would pass most bounds.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": lambda _, value: is_whole(value), "number": lambda _, value: is_number(value)}
    ),
)


@cache
def load_schema(path: Path) -> dict:
    """The schema in a YAML file of the library."""
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be without LibYAML
    return yaml.load(path.read_text(encoding="utf-8"), Loader=fast)
