"""How a knowledge base is: what it holds, what goes on, and whether its store answers."""

from __future__ import annotations

from typing import Any

from index.errors import FreshkbError
from index.mirror import Mirror
from index.model import rfc3339
from index.run import alive, run_json
from index.services import services

STATES = ("indexed", "pending", "quarantined", "skipped", "held")


def status(mirror: Mirror) -> dict[str, Any]:
    """Documents by source and state, runs and services, and what the index is made of.

    `index.points` is counted in the store: None when it does not answer, and `store_error` says why.
    `running` are runs that go on now; `killed` those that ended without a word since `last_run`, the newest
    that was finished. Raises LedgerError.
    """
    ledger = mirror.ledger
    counts = ledger.documents.counts()
    collection = ledger.collections.current()
    configured = {source.id for source in mirror.config.sources}
    sources = []
    for source in sorted({*counts, *configured}):
        record = ledger.sources.get(source)
        synced = record.synced_at if record else None
        sources.append(
            {
                "source": source,
                "documents": {name: counts.get(source, {}).get(name, 0) for name in STATES},
                "synced_at": rfc3339(synced),
                "lag_seconds": round((mirror.now() - synced).total_seconds(), 3) if synced else None,
                "configured": source in configured,
            }
        )
    points, trouble = ask_store(mirror)
    last, unfinished, now = ledger.runs.last(), ledger.runs.unfinished(), mirror.now()
    killed = [run for run in unfinished if not alive(run, now)]
    return {
        "documents": {name: sum(c.get(name, 0) for c in counts.values()) for name in STATES},
        "sources": sources,
        "index": {
            "points": points,
            "embedding_fingerprint": collection.embedding_fingerprint if collection else None,
            "store": mirror.config.index.store,
            "collection": collection.name if collection else None,
            "model": collection.model if collection else mirror.config.embedding.model,
            "dtype": collection.dtype if collection else None,
        },
        "store_error": trouble,
        "running": [run_json(run, now) for run in unfinished if alive(run, now)],
        "killed": [run_json(run, now) for run in killed if last is None or run.started_at > last.started_at],
        "last_run": run_json(last, now) if last else None,
        "services": [
            {
                "service": service.source,
                "command": service.command,
                "host": service.host,
                "pid": service.pid,
                "since": rfc3339(service.since),
            }
            for service in services(mirror.config.state_dir)
        ],
    }


def ask_store(mirror: Mirror) -> tuple[int | None, str | None]:
    """How many points the store holds, or why that cannot be told; both when they are too few."""
    before = mirror.ledger.collections.current()
    try:
        return _count(mirror)
    except FreshkbError as error:
        if mirror.ledger.collections.current() == before:
            return None, str(error)
    try:
        # A reindex has switched meanwhile, and the collection that was asked is gone.
        return _count(mirror)
    except FreshkbError as error:
        return None, str(error)


def _count(mirror: Mirror) -> tuple[int, str | None]:
    current = mirror.readable()
    if current is None:
        mirror.store.collections()
        return 0, None
    known = mirror.ledger.chunks.count(current.name)
    with mirror.store.session(current.name) as session:
        points = session.count()
    # Others may write meanwhile: what is committed is in the store before and until after.
    if points >= min(known, mirror.ledger.chunks.count(current.name)):
        return points, None
    lack = f"The store holds {points:,} points, and the ledger knows {known:,}."
    return points, f"{lack} See: freshkb verify"
