"""A stop that is asked for: once, twice, by another thread's side."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

from flows.stop import graceful
from tests.commands import environment


def run(code: str) -> str:
    """What a process of its own prints: a signal that nobody handles would end the one that tests."""
    lines = f"import signal, threading\nfrom flows.stop import graceful\nstop = threading.Event()\n{code}"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, env=environment())
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout.strip()


def test_the_first_signal_asks_and_the_second_ctrl_c_ends_at_once() -> None:
    said = run("""
numbers = []
before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
with graceful(stop, numbers.append):
    signal.raise_signal(signal.SIGTERM)
    asked = stop.is_set()
    signal.raise_signal(signal.SIGTERM)
    try:
        signal.raise_signal(signal.SIGINT)
        ended = False
    except KeyboardInterrupt:
        ended = True
restored = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
print(asked, ended, numbers == [signal.SIGTERM] * 2, restored)
""")
    assert said == "True True True True"


def test_ctrl_c_alone_only_asks() -> None:
    assert (
        run("""
with graceful(stop):
    signal.raise_signal(signal.SIGINT)
print(stop.is_set())
""")
        == "True"
    )


def test_outside_the_main_thread_it_changes_nothing() -> None:
    before, seen = signal.getsignal(signal.SIGINT), list[object]()

    def body() -> None:
        with graceful(threading.Event()):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [before]
