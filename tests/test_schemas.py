"""Mistakes are found by a schema, all of them, each in one line."""

import pytest

from sslens.schemas import Mistakes

SCHEMA = {
    "additionalProperties": False,
    "required": ["seed"],
    "properties": {
        "seed": {"type": "integer", "minimum": 0, "description": "of the draws"},
        "sizes": {"type": "array", "maxItems": 1, "uniqueItems": True, "items": {"type": "number"}},
        "either": {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}]},
        "images": {"allOf": [{"type": "integer", "minimum": 3}], "minimum": 6},
    },
}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"seed": 0}, []),
        ({}, ["top level: 'seed' is a required property (of the draws)"]),
        ({"seeed": 0}, ["top level: unknown key 'seeed'; did you mean 'seed'? known are seed, "]),
        ({"sed": 0, "a": 1}, ["top level: unknown key 'sed'", "top level: unknown key 'a'"]),
        ({"a": 1, "seed": -1}, ["top level: unknown key 'a'", "seed: -1 is less than"]),
        ({"seed": -0.5}, ["seed: -0.5 is not of type 'integer' (of the draws)"]),
        ({"seed": 2**70}, ["seed: a whole number of 71 bits is out of range (of the draws)"]),
        ({"seed": 1, "sizes": ["x", "x"]}, ["sizes.0: 'x' is not of", "sizes.1: 'x' is not of"]),
        ({"seed": 1, "either": [1, "x"]}, ["either.1: 'x' is not of type 'number'"]),
        ({"seed": 1, "images": 2}, ["images: 2 is less than the minimum of 6"]),
    ],
)
def test_every_mistake_is_one_line_and_its_consequences_are_none(content, expected):
    mistakes = Mistakes(content)
    mistakes.check_schema((), SCHEMA)
    for line, part in zip(mistakes.lines(), expected, strict=True):
        assert line.startswith(part)


def test_what_depends_on_a_mistake_is_not_sound():
    mistakes = Mistakes({"a": {"b": {"c": 1}, "d": 2}, "x": {}})
    mistakes.add(("a", "b"), "is wrong")
    assert not mistakes.is_sound(("a",))
    assert not mistakes.is_sound(("a", "b", "c"))
    assert mistakes.is_sound(("a", "d"), ("x",))
    assert mistakes.names("a") == ["b", "d"]
    assert mistakes.names("a", "b") is None
    assert mistakes.names("a", "d") is None
