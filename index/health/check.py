"""The check for probes, `freshkb status --check`: whether a knowledge base does its work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from index.config.schedule import past_times
from index.errors import FreshkbError
from index.health.services import dead, services
from index.health.status import ask_store
from index.model import rfc3339
from index.records import RunRecord
from index.run import alive, last_sign
from index.workspace import Workspace

#: Outcomes of a successful run.
SUCCESSFUL = ("done", "partial")

#: Kinds of runs that do the work of a schedule besides its own: a watcher that adds ten thousand documents
#: delays the sync, and that is no fault.
ALSO_AT_WORK = {"sync": ("watch",), "retention": ("sync", "watch")}


@dataclass(frozen=True, slots=True)
class Problem:
    """A part that fails, with the reason."""

    part: Literal["ledger", "store", "service", "schedule", "prefect"]
    reason: str

    def __str__(self) -> str:
        """On one line: ``part: reason``."""
        return f"{self.part}: {' '.join(self.reason.split())}"

    def json(self) -> str:
        return str(self)


def problems(workspace: Workspace) -> list[Problem]:
    """The failing parts; none when ledger and store answer, the services that should live do, and of every
    schedule the last successful run is younger than two of its periods."""
    found: list[Problem] = []
    try:
        for look in (_services, _store, _schedules):
            found += look(workspace)
    except (FreshkbError, OSError) as error:
        # Without the ledger nothing else can be checked.
        found.append(Problem("ledger", str(error)))
    return found


def _store(workspace: Workspace) -> Iterator[Problem]:
    workspace.ledger.runs.newest(1)
    _, trouble = ask_store(workspace)
    if trouble is not None:
        yield Problem("store", trouble)


def _services(workspace: Workspace) -> Iterator[Problem]:
    for why in dead(workspace.config.state_dir):
        yield Problem("service", why)


def _schedules(workspace: Workspace) -> Iterator[Problem]:
    ledger, now = workspace.ledger, workspace.now()
    under_way = [run for run in ledger.runs.unfinished() if alive(run, now)]
    for name, cron in workspace.config.schedules:
        times = past_times(cron, now, 2) if cron else []
        if len(times) < 2:
            continue
        good = ledger.runs.last(name, SUCCESSFUL)
        since = _begun(workspace) if good is None else good.finished_at
        if since is None or since >= times[1] or any(_at_work(run, name, times[1]) for run in under_way):
            continue
        ended = "has never succeeded" if good is None else f"succeeded last at {_at(since)}"
        was_due = f"it was due at {_at(times[1])} and {_at(times[0])}"
        reason = f"{name} ({cron}) {ended}; {was_due}. See: freshkb runs, freshkb doctor"
        yield Problem("schedule", reason)


def _begun(workspace: Workspace) -> datetime | None:
    """The instant from which a schedule that never succeeded counts: not before the first run of all, nor
    before the service started."""
    first = workspace.ledger.runs.first()
    times = [service.holder.since for service in services(workspace.config.state_dir)]
    return max([*times, *([first.started_at] if first else [])], default=None)


def _at_work(run: RunRecord, schedule: str, since: datetime) -> bool:
    return run.kind in (schedule, *ALSO_AT_WORK.get(schedule, ())) and last_sign(run) >= since


def _at(moment: datetime) -> str:
    return rfc3339(moment.replace(microsecond=0)) or ""
