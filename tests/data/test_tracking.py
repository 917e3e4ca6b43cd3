"""Long loops tell how far they have come, and hand everything on."""

import logging

from sslens.data import tracking
from sslens.data.tracking import tracked


def test_lines_tell_count_and_time_left(monkeypatch, caplog):
    clock = iter(range(0, 1000, 4))  # every item takes four seconds
    monkeypatch.setattr(tracking.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO):
        assert list(tracked("abcdefgh", 8, "letters")) == list("abcdefgh")
    assert caplog.messages == ["3/8 letters, 0:20 left", "6/8 letters, 0:08 left"]


def test_short_loops_are_silent(caplog):
    with caplog.at_level(logging.INFO):
        assert list(tracked(iter([1, 2]), 2, "numbers")) == [1, 2]
    assert not caplog.messages
