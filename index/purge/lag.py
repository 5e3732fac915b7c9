"""What waits to be purged, since when, and whether it is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from index.ledger import LogAction
from index.workspace import Workspace

#: After each of these no replaced payload is left: it counts the entries since.
_CLEAN = (LogAction.PURGED, LogAction.COLLECTION_SWITCHED)
#: Points are written over when a document is changed in one of these ways. Removed points have rows of their
#: own.
_REPLACING = (LogAction.UPDATED, LogAction.MOVED, LogAction.TOUCHED)

#: Clocks of machines that share a ledger differ by less.
_SKEW = timedelta(minutes=5)

#: Kinds of runs that end with a purge when it is due.
WRITING = ("sync", "watch", "retention", "purge")
#: Runs on record among which the one before is looked for.
_RUNS = 50


@dataclass(frozen=True, slots=True)
class Lag:
    """What waits to be purged."""

    pending: int
    """Removed points whose bytes may be on a disk."""
    replaced: int
    """Documents whose payloads were written over since the last purge."""
    oldest: timedelta | None
    """The time that the oldest of both has waited; None when nothing waits, or is not proved absent yet. At
    least `within` when a clock that was ahead has stamped one of them: nobody knows how long that one has."""
    within: timedelta
    """`delete.purge_within`."""

    @property
    def late(self) -> bool:
        """Whether the bound is broken."""
        return self.oldest is not None and self.oldest > self.within

    def json(self) -> dict[str, Any]:
        return {
            "pending": self.pending,
            "replaced": self.replaced,
            "oldest_seconds": seconds(self.oldest),
            "purge_within_seconds": self.within.total_seconds(),
        }


def seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 3)


def lag_of(workspace: Workspace) -> Lag:
    """What waits now. A few queries of the ledger; the store is not asked."""
    log, now = workspace.ledger.log, workspace.now()
    within = workspace.config.purge_within
    removals, *absent = workspace.ledger.points.unpurged()
    replaced, *written = log.since(purged_until(workspace), _REPLACING)
    oldest = None
    if times := [time for time in (*absent, *written) if time is not None]:
        least = within if max(times) > now + _SKEW else timedelta()
        oldest = max(now - min(times), least)
    return Lag(removals, replaced, oldest, within)


def purged_until(workspace: Workspace) -> int:
    """The number of the last entry of the log whose change left no bytes behind."""
    last = workspace.ledger.log.last(_CLEAN)
    if last is None:
        return 0
    # A purge says what was the last entry when it began.
    return int(last.facts.get("until", last.sequence or 0))


def is_due(lag: Lag, gap: timedelta | None) -> bool:
    """Whether to purge now. `gap`: the time since the run before this one that could have purged, which is
    how far off the next one may be; None when there was none."""
    half = lag.within / 2
    return lag.oldest is not None and (lag.oldest >= half or gap is None or gap >= half)


def gap_before(workspace: Workspace) -> timedelta | None:
    """The time between the newest run that writes and the one before; None when there was none."""
    starts: list[datetime] = [
        run.started_at for run in workspace.ledger.runs.newest(_RUNS) if run.kind in WRITING
    ]
    return starts[0] - starts[1] if len(starts) > 1 else None
