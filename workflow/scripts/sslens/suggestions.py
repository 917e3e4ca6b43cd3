"""What is said of a name that nothing has: the nearest one that something has, and all of them."""

import difflib
from collections.abc import Iterable


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """The words of an error, such as "unknown key 'seeed'; did you mean 'seed'? known are seed"."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {name!r}; {guess}known are {', '.join(known)}"
