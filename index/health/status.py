"""The status of a knowledge base: documents, runs, services, and whether its store answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from index.errors import FreshkbError
from index.health.run_summary import RunSummary
from index.health.services import LivingService, services
from index.model import rfc3339
from index.purge.lag import Lag, lag_of
from index.records import RunRecord
from index.sync.collection import count_points
from index.workspace import Workspace

STATES = ("indexed", "pending", "quarantined", "skipped", "held", "expired")


@dataclass(frozen=True, slots=True)
class SourceStatus:
    source: str
    documents: Mapping[str, int]
    """Documents by state, zeros included."""
    synced_at: datetime | None
    """The last run that brought the index up to a complete listing."""
    lag_seconds: float | None
    """Time since then."""
    configured: bool

    def json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "documents": dict(self.documents),
            "synced_at": rfc3339(self.synced_at),
            "lag_seconds": self.lag_seconds,
            "configured": self.configured,
        }


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """The index: collection, model, points. Before the first sync it has no collection, fingerprint and
    dtype."""

    points: int | None
    """Points counted in the store; None when the store does not answer."""
    embedding_fingerprint: str | None
    store: str
    collection: str | None
    model: str
    dtype: str | None
    purge: Lag
    """What waits to be purged."""

    def json(self) -> dict[str, Any]:
        return {
            "points": self.points,
            "embedding_fingerprint": self.embedding_fingerprint,
            "store": self.store,
            "collection": self.collection,
            "model": self.model,
            "dtype": self.dtype,
            "purge": self.purge.json(),
        }


@dataclass(frozen=True, slots=True)
class Withheld:
    """Orders to erase whose tombstones stand, and what they withhold."""

    orders: int
    open: int
    """Those that are not carried out yet."""
    documents: int
    """Documents in quarantine by an order; those that a path or its bytes keep out have no row."""

    def json(self) -> dict[str, Any]:
        return {"orders": self.orders, "open": self.open, "documents": self.documents}


@dataclass(frozen=True, slots=True)
class Status:
    sources: tuple[SourceStatus, ...]
    index: IndexStatus
    store_error: str | None
    """The store's error, or a sentence that it holds too few points."""
    running: tuple[RunSummary, ...]
    killed: tuple[RunSummary, ...]
    """Runs that were killed since `last_run`."""
    last_run: RunSummary | None
    """The newest finished run."""
    services: tuple[LivingService, ...]
    holds: int
    """Standing holds."""
    held: int
    """Documents under them."""
    withheld: Withheld

    @property
    def documents(self) -> dict[str, int]:
        """Documents of all sources, by state."""
        return {name: sum(source.documents[name] for source in self.sources) for name in STATES}

    def json(self) -> dict[str, Any]:
        return {
            "documents": self.documents,
            "sources": [source.json() for source in self.sources],
            "index": self.index.json(),
            "store_error": self.store_error,
            "running": [run.json() for run in self.running],
            "killed": [run.json() for run in self.killed],
            "last_run": self.last_run.json() if self.last_run else None,
            "services": [service.json() for service in self.services],
            "holds": {"standing": self.holds, "documents": self.held},
            "withheld": self.withheld.json(),
        }


def status(workspace: Workspace) -> Status:
    """The status now. A store that does not answer is part of it. Raises LedgerError."""
    ledger, now = workspace.ledger, workspace.now()
    counts, collection = ledger.documents.counts(), ledger.collections.current()
    points, trouble = ask_store(workspace)
    last, unfinished = ledger.runs.last(), ledger.runs.unfinished()
    approvers = ledger.runs.approvers([run.run_id for run in (*unfinished, *([last] if last else ()))])

    def summary(run: RunRecord) -> RunSummary:
        return RunSummary.of(run, now, approvers.get(run.run_id, ""))

    begun = [summary(run) for run in unfinished]
    holds, held = ledger.holds.tally()
    killed = [run for run in begun if run.outcome == "killed"]
    return Status(
        sources=tuple(_sources(workspace, counts)),
        index=IndexStatus(
            points=points,
            embedding_fingerprint=collection.embedding_fingerprint if collection else None,
            store=workspace.config.index.store,
            collection=collection.name if collection else None,
            model=collection.model if collection else workspace.config.embedding.model,
            dtype=collection.dtype if collection else None,
            purge=lag_of(workspace),
        ),
        store_error=trouble,
        running=tuple(run for run in begun if run.outcome == "running"),
        killed=tuple(run for run in killed if last is None or run.record.started_at > last.started_at),
        last_run=summary(last) if last else None,
        services=tuple(services(workspace.config.state_dir)),
        holds=holds,
        held=held,
        withheld=Withheld(*ledger.erasures.tally()),
    )


def _sources(workspace: Workspace, counts: Mapping[str, Mapping[str, int]]) -> Iterator[SourceStatus]:
    configured = {source.id for source in workspace.config.sources}
    for source in sorted({*counts, *configured}):
        record = workspace.ledger.sources.get(source)
        synced = record.synced_at if record else None
        yield SourceStatus(
            source=source,
            documents={name: counts.get(source, {}).get(name, 0) for name in STATES},
            synced_at=synced,
            lag_seconds=round((workspace.now() - synced).total_seconds(), 3) if synced else None,
            configured=source in configured,
        )


def ask_store(workspace: Workspace) -> tuple[int | None, str | None]:
    """(points in the store, error): one of them None, or both set when the points are too few."""
    before = workspace.ledger.collections.current()
    try:
        return _count(workspace)
    except FreshkbError as error:
        if workspace.ledger.collections.current() == before:
            return None, str(error)
    try:
        # A reindex has switched meanwhile, and the former collection is gone.
        return _count(workspace)
    except FreshkbError as error:
        return None, str(error)


def _count(workspace: Workspace) -> tuple[int, str | None]:
    current = workspace.readable()
    if current is None:
        workspace.store.collections()
        return 0, None
    stored, known = count_points(workspace, current.name)
    if stored >= known:
        return stored, None
    return stored, f"The store holds {stored:,} points, and the ledger knows {known:,}. See: freshkb verify"
