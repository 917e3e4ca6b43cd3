"""Lines in the log of how far a long loop has come, for people and for the status command."""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

log = logging.getLogger(__name__)

SECONDS = 10  # between two lines
Item = TypeVar("Item")


def tracked(items: Iterable[Item], count: int, what: str) -> Iterator[Item]:
    """Hand items on, and tell now and then how many of `count` are done and the time left."""
    began = logged = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - logged >= SECONDS:
            logged = now
            minutes, seconds = divmod(round((now - began) / done * (count - done)), 60)
            log.info("%d/%d %s, %d:%02d left", done, count, what, minutes, seconds)
