"""What nothing uses is let go after its time, and not before."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from index import idle as letting_go
from index.idle import Idle, share_arenas


class Clock:
    """Seconds that pass only in a sleep, at which something may happen."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self.meanwhile: list[Callable[[], None]] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.meanwhile:
            self.now += seconds / 2
            self.meanwhile.pop(0)()
            seconds /= 2
        self.now += seconds


class Released:
    """Counts releases, which come from another thread."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._come = threading.Semaphore(0)

    def at(self, clock: Clock) -> Callable[[], None]:
        def release() -> None:
            self.times.append(clock())
            self._come.release()

        return release

    def await_one(self) -> None:
        assert self._come.acquire(timeout=60)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_it_is_released_once_the_time_has_passed_and_once(clock: Clock) -> None:
    released = Released()
    idle = Idle(10, released.at(clock), clock=clock, sleep=clock.sleep)
    idle.touch()
    released.await_one()
    assert (released.times, clock.slept) == ([110.0], [10.0])


def test_a_use_meanwhile_puts_it_off(clock: Clock) -> None:
    released = Released()
    idle = Idle(10, released.at(clock), clock=clock, sleep=clock.sleep)
    clock.meanwhile = [idle.touch, idle.touch]
    idle.touch()
    released.await_one()
    # Touched at 105, and at 112.5.
    assert (released.times, clock.slept) == ([122.5], [10.0, 5.0, 7.5])


def test_a_use_after_a_release_begins_anew(clock: Clock) -> None:
    released = Released()
    idle = Idle(10, released.at(clock), clock=clock, sleep=clock.sleep)
    for number in (1, 2, 3):
        idle.touch()
        released.await_one()
        assert len(released.times) == number
    assert released.times == [110.0, 120.0, 130.0]


def test_where_no_thread_can_be_started_the_next_use_tries_again(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    released = Released()
    idle = Idle(10, released.at(clock), clock=clock, sleep=clock.sleep)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", without)
        idle.touch()
    idle.touch()
    released.await_one()
    assert released.times == [110.0]


def test_without_a_time_nothing_is_released(clock: Clock) -> None:
    released = Released()
    Idle(None, released.at(clock), clock=clock, sleep=clock.sleep).touch()
    assert not [thread for thread in threading.enumerate() if thread.name == "idle"]
    assert (released.times, clock.slept) == ([], [])


@pytest.mark.parametrize(("said", "asked"), [(None, [(-8, 3)]), ("1", [])])
def test_threads_share_an_arena_for_each_core_unless_the_environment_says_how_many(
    said: str | None, asked: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    options: list[tuple[int, int]] = []

    def mallopt(option: int, value: int) -> int:
        options.append((option, value))
        return 1

    monkeypatch.setattr(letting_go, "cores", lambda: 3)
    monkeypatch.setattr(letting_go, "_malloc", {"mallopt": mallopt}.get)
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    if said is not None:
        monkeypatch.setenv("MALLOC_ARENA_MAX", said)
    share_arenas()
    assert options == asked
