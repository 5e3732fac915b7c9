"""A run as `freshkb runs` and `freshkb status` print it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from index.model import rfc3339
from index.records import RunRecord
from index.run import alive


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run on record, with its present state."""

    record: RunRecord
    outcome: str
    """As recorded; of a run that is not finished ``running`` or ``killed``."""
    approved_by: str = ""
    """Name of the person who approved the removals of its plan; "" where nobody was asked."""

    @classmethod
    def of(cls, record: RunRecord, now: datetime, approved_by: str = "") -> RunSummary:
        outcome = record.outcome or ("running" if alive(record, now) else "killed")
        return cls(record, outcome, approved_by)

    @property
    def progress(self) -> Mapping[str, Any]:
        """Progress: source, done, of, at; empty before it began a source."""
        progress = self.record.progress
        return {name: progress[name] for name in ("source", "done", "of", "at") if name in progress}

    def json(self) -> dict[str, Any]:
        record = self.record
        return {
            "run_id": record.run_id,
            "kind": record.kind,
            "outcome": self.outcome,
            "started_at": rfc3339(record.started_at),
            "finished_at": rfc3339(record.finished_at),
            "actor": record.actor,
            "approved_by": self.approved_by or None,
            "host": record.host,
            "pid": record.pid,
            "progress": dict(self.progress),
            "counts": dict(record.counts),
            "error": record.error,
        }
