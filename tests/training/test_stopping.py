"""Signals that ask to stop wait for the end of a block, and nothing stays behind."""

import signal
import threading

import pytest

from sslens.training.stopping import STOP_SIGNALS, Stopped, deferred_signals


@pytest.fixture(autouse=True)
def handlers():
    """Handlers of this test's own, which note what reaches them; none is left changed."""
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    reached = []

    def note(number, _frame):
        reached.append(number)

    for number in STOP_SIGNALS:
        signal.signal(number, note)
    yield reached
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == [note] * len(STOP_SIGNALS)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_block_goes_on_and_sees_the_signal(handlers, number):
    with pytest.raises(Stopped), deferred_signals() as held:
        assert held == []
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert [one.name for one in held] == [number.name] * 2
        raise Stopped
    assert handlers == []


def test_what_the_block_did_not_look_at_takes_effect_at_its_end(handlers):
    with deferred_signals():
        signal.raise_signal(signal.SIGTERM)
        assert handlers == []
    assert handlers == [signal.SIGTERM]


def test_handlers_are_set_back_however_the_block_ends(handlers):
    with deferred_signals():
        pass
    with pytest.raises(ValueError), deferred_signals():
        raise ValueError
    assert handlers == []


def test_a_signal_that_is_ignored_still_is(handlers):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with deferred_signals() as held:
        signal.raise_signal(signal.SIGINT)
    assert held == []
    assert signal.signal(signal.SIGINT, before) == signal.SIG_IGN


def test_other_signals_are_left_alone():
    before = signal.getsignal(signal.SIGHUP)
    with deferred_signals():
        assert signal.getsignal(signal.SIGHUP) == before


def test_in_another_thread_nothing_is_held_and_nothing_fails(handlers):
    found = []

    def work():
        with deferred_signals() as held:
            found.append(held)
            found.extend(signal.getsignal(number) for number in STOP_SIGNALS)

    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [[], *before]
