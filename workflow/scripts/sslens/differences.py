"""What of one set of settings is different in another, in words for people."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MAX_DIFFERENCES = 4  # that a message lists


def differences(recorded: Any, expected: Any, key: str = "") -> Iterator[str]:
    """What of recorded settings is not as expected: "learning.epochs 20, not 5" for each key."""
    if isinstance(recorded, Mapping) and isinstance(expected, Mapping):
        for name in {**expected, **recorded}:
            where = f"{key}.{name}" if key else str(name)
            if name == "settings_sha256":  # of a whole that is not here
                if recorded.get(name) != expected.get(name):
                    yield f"other settings of {key}"
            elif name not in expected:
                yield f"{where} {_short(recorded[name])}, now without"
            elif name not in recorded:
                yield f"no {where}, now {_short(expected[name])}"
            else:
                yield from differences(recorded[name], expected[name], where)
    elif _as_json(recorded) != _as_json(expected):
        yield f"{key} {_short(recorded)}, not {_short(expected)}"


def _as_json(value: Any) -> Any:
    """A value as it comes back from a JSON file."""
    if isinstance(value, Mapping):
        return {str(key): _as_json(part) for key, part in value.items()}
    return [_as_json(part) for part in value] if isinstance(value, list | tuple) else value


def _short(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def listed(found: Iterable[str]) -> str:
    """Differences in a line, the first of them where there are many."""
    found = list(found)
    more = len(found) - MAX_DIFFERENCES
    return ", ".join(found[:MAX_DIFFERENCES]) + (f" and {more} more" if more > 0 else "")
