"""A stop that is asked for: once, twice, by another thread's side."""

from __future__ import annotations

import signal
import threading

import pytest

from flows.stop import graceful


def test_the_first_signal_asks_and_the_second_ctrl_c_ends_at_once() -> None:
    stop, numbers = threading.Event(), list[int]()
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with graceful(stop, numbers.append):
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert numbers == [signal.SIGTERM, signal.SIGTERM]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_ctrl_c_alone_only_asks() -> None:
    stop = threading.Event()
    with graceful(stop):
        signal.raise_signal(signal.SIGINT)
    assert stop.is_set()


def test_outside_the_main_thread_it_changes_nothing() -> None:
    before, seen = signal.getsignal(signal.SIGINT), list[object]()

    def body() -> None:
        with graceful(threading.Event()):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [before]
