"""Stopping where the work can go on from, when a signal asks for it: SIGTERM, or Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(Exception):
    """The work was stopped because a signal asked for it, and what was done is saved.

    Its message is one line for users.
    """


@contextmanager
def deferred_signals() -> Iterator[list[signal.Signals]]:
    """Within the block, keep the signals that ask to stop from ending it just anywhere.

    One that comes again changes nothing: Ctrl-C may reach a process twice, from the terminal and
    from its parent. One that was ignored before still is, as in a shell's background job. Outside
    the main thread, where Python lets nobody handle signals, none is held.

    Yields:
        The signals that came so far, in their order. The block looks at them and raises `Stopped`
        when it can; what came after its last look takes its usual effect at the end.
    """
    held: list[signal.Signals] = []

    def hold(number, _frame):
        held.append(signal.Signals(number))

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    # None is a handler that is not Python's, which could not be set back
    before = {n: handler for n, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, hold)
    try:
        yield held
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if held:
        signal.raise_signal(held[0])
