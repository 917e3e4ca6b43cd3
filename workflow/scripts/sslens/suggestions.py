"""What is said of a name that nothing has: the nearest one that something has, and all of them."""

import difflib
from collections.abc import Iterable


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """The words of an error, such as "unknown key 'seeed'; did you mean 'seed'? known are seed"."""
    known = list(known)
    near = nearest(name, known)
    guess = f"did you mean {near!r}? " if near is not None else ""
    return f"unknown {kind} {name!r}; {guess}known are {', '.join(known) or 'none'}"


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The name that another one is probably a misspelling of, None if it is like none."""
    return next(iter(difflib.get_close_matches(str(name), known, n=1)), None)
