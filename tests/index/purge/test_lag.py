"""The removals that wait to be purged, and when a purge is due."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from index.purge.bound import keep_bound
from index.purge.lag import Lag, is_due, lag_of
from index.purge.purge import purge
from index.run import Run
from index.sync.sync import sync
from index.workspace import Workspace
from tests.knowledge import Knowledge
from tests.soak import LONG

DAY = timedelta(hours=24)


def lag(hours: float | None) -> Lag:
    return Lag(1, 0, None if hours is None else timedelta(hours=hours), DAY)


@pytest.mark.parametrize(
    "waited, gap, due",
    [
        (None, None, False),
        (None, 48, False),
        (0, 0.25, False),
        (11.9, 0.25, False),
        (12, 0.25, True),
        (11.9, 11.9, False),
        (0, 12, True),
        (0, 24 * 7, True),
        (0, None, True),
    ],
)
def test_a_purge_is_due_after_half_of_the_time_or_when_runs_are_rare(
    waited: float | None, gap: float | None, due: bool
) -> None:
    assert is_due(lag(waited), None if gap is None else timedelta(hours=gap)) is due


@pytest.mark.parametrize("seed", range(40))
def test_no_regular_schedule_lets_a_removal_wait_longer_than_the_bound(seed: int) -> None:
    """Runs come with one distance or another, removals in any of them."""
    random = Random(seed)
    period = timedelta(hours=random.choice([0.05, 0.25, 1, 5, 11, 12, 13, 23, 24, 25, 47, 168]))
    waiting: list[timedelta] = []
    for run in range(1, 300):
        now = run * period
        if random.random() < random.choice([0.01, 0.5]):
            waiting.append(now)
        assert all(now - since <= DAY for since in waiting), (period, run)
        oldest = now - waiting[0] if waiting else None
        if is_due(Lag(len(waiting), 0, oldest, DAY), period if run > 1 else None):
            waiting.clear()


def run_once(workspace: Workspace) -> None:
    """As `freshkb sync` does it."""
    run = Run(workspace, "sync")
    report = sync(run)
    keep_bound(run, report)
    assert report.error is None


@pytest.mark.parametrize(
    "minutes, within",
    [
        pytest.param(15, "24h", marks=LONG),
        pytest.param(240, "24h", marks=LONG),
        (24 * 60, "24h"),
        (30, "2h"),
    ],
)
def test_a_cron_of_syncs_keeps_the_bound(kb: Knowledge, minutes: int, within: str, soak: bool) -> None:
    kb.source["delete"] = {"purge_within": within, "max_fraction": 1.0}
    random = Random(minutes)
    kb.write("stays.md", "# Stays\n\nAs it is.\n")
    waited, purges = [timedelta()], 0
    with kb.workspace() as workspace:
        # In the short form long enough for two purges of runs that are rare, and of runs that are frequent.
        for number in range(110 if minutes == 15 else 24 if soak else 8 if minutes > 240 else 16):
            fate, there = random.random(), sorted(kb.docs.glob("[0-9]*.md"))
            if fate < 0.3:
                kb.write(f"{number}.md", f"# Number {number}\n\nText {number}.\n")
            elif fate < 0.5 and there:
                there[0].unlink()
            elif fate < 0.6 and there:
                there[-1].write_text(f"# Other {number}\n\nText.\n")
            found = lag_of(workspace)
            assert not found.late, number
            waited.append(found.oldest or timedelta())
            run_once(workspace)
            kb.clock.forward(minutes=minutes)
        purges = sum(run.kind == "purge" for run in workspace.ledger.runs.newest(1000))
    assert purges >= 2
    if minutes < 240:
        assert max(waited) >= timedelta(hours=int(within[:-1])) / 2, "it purges no more often than it must"
        assert purges <= 5


@pytest.mark.parametrize("change", ["removed", "moved"])
def test_what_a_clock_stamped_that_was_ahead_is_purged_by_the_next_run(kb: Knowledge, change: str) -> None:
    first, second = kb.write("first.md", "# First\n\nOne.\n"), kb.write("second.md", "# Second\n\nTwo.\n")
    kb.write("stays.md", "# Stays\n\nThree.\n")
    for _ in range(2):
        kb.ask(run_once)
        kb.clock.forward(minutes=15)
    kb.clock.forward(days=30)
    first.unlink() if change == "removed" else first.rename(first.with_name("moved.md"))
    kb.sync()
    kb.clock.forward(minutes=-1)
    assert kb.ask(lag_of).oldest == timedelta(), "another machine's clock"
    kb.clock.forward(days=-30, minutes=1)
    second.unlink()
    kb.sync()
    found = kb.ask(lag_of)
    assert found.oldest == found.within and not found.late
    kb.clock.forward(minutes=15)
    kb.ask(run_once)
    found = kb.ask(lag_of)
    assert (found.pending, found.replaced, found.oldest) == (0, 0, None)


def test_removed_points_and_replaced_payloads_wait_and_nothing_else(kb: Knowledge) -> None:
    gone, moved = kb.write("gone.md", "# Gone\n\nOne.\n"), kb.write("moved.md", "# Moved\n\nTwo.\n")
    kb.write("stays.md", "# Stays\n\nThree.\n")
    kb.sync()
    assert kb.ask(lag_of).json() == {
        "pending": 0,
        "replaced": 0,
        "oldest_seconds": None,
        "purge_within_seconds": 86_400,
    }
    kb.clock.forward(hours=1)
    gone.unlink()
    kb.sync()
    kb.clock.forward(hours=2)
    found = kb.ask(lag_of)
    assert (found.pending, found.replaced, found.oldest) == (1, 0, timedelta(hours=2))
    moved.rename(kb.docs / "renamed.md")
    kb.sync()
    kb.clock.forward(hours=23)
    found = kb.ask(lag_of)
    assert (found.pending, found.replaced, found.oldest, found.late) == (1, 1, timedelta(hours=25), True)
    with kb.workspace() as workspace:
        purge(Run(workspace, "purge"))
        assert lag_of(workspace) == Lag(0, 0, None, DAY)
        sync(Run(workspace, "sync"))
        assert lag_of(workspace) == Lag(0, 0, None, DAY)


def test_the_shortest_time_of_all_sources_holds(kb: Knowledge) -> None:
    (kb.home / "other").mkdir()
    kb.settings["defaults"] = {"delete": {"purge_within": "7d"}}
    assert kb.config().purge_within == timedelta(days=7)
    other = {"id": "other", "type": "files", "root": "./other", "delete": {"purge_within": "36h"}}
    kb.settings["sources"].append(other)
    assert kb.config().purge_within == timedelta(hours=36)


def test_points_of_a_run_that_was_cut_short_wait_as_well(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were never committed, so that no commit makes them removals."""
    path = kb.write("a.md", "# A\n\nOne.\n")
    kb.write("b.md", "# B\n\nTwo.\n")
    with kb.workspace() as workspace, monkeypatch.context() as patch:
        patch.setattr(workspace.ledger.writes, "commit", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sync(Run(workspace, "sync"))
    path.unlink()
    kb.sync()
    assert kb.ask(lag_of).pending == 2, "both documents were written, and one is written anew"
