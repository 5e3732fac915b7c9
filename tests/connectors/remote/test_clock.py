"""Whether a version may have a token: servers keep whole seconds, and have clocks of their own."""

from __future__ import annotations

import time

import pytest

from connectors.remote.clock import Clock

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


def test_a_server_that_tells_its_clock_decides_by_it() -> None:
    clock = Clock()
    # Two hours before ours, and in whole seconds.
    server = (time.time_ns() - 2 * HOUR) // SECOND * SECOND
    assert clock.ambiguous("a", "t", server, server)
    assert clock.ambiguous("a", "t", server - 2 * SECOND, server)
    assert not clock.ambiguous("a", "t", server - 10 * SECOND, server)
    assert not clock.ambiguous("a", "t", server + HOUR, server)


def test_without_it_what_was_modified_in_the_last_hour_may_change_again() -> None:
    clock, now = Clock(), time.time_ns() // SECOND * SECOND
    assert clock.ambiguous("a", "t", now, None)
    assert clock.ambiguous("a", "t", now - HOUR // 2, None)
    assert clock.ambiguous("a", "t", now + HOUR // 2, None)
    assert not clock.ambiguous("a", "t", now - 2 * HOUR, None)
    assert not clock.ambiguous("a", "t", None, None)


def test_a_version_that_is_the_same_some_seconds_later_is_told_from_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, now, passed = Clock(), time.time_ns() // SECOND * SECOND, 0
    monkeypatch.setattr("connectors.remote.clock.time.monotonic_ns", lambda: passed)
    clock.saw("a", "t", now)
    assert clock.ambiguous("a", "t", now, None)
    passed = 4 * SECOND
    clock.saw("a", "t", now)
    assert not clock.ambiguous("a", "t", now, None)
    assert clock.ambiguous("a", "other", now, None)
    clock.saw("a", "other", now)
    assert clock.ambiguous("a", "other", now, None)
