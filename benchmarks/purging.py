"""Purge of a large index, and the search of its files for what was removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import Bench, Row, seconds
from benchmarks.searching import large_index
from index.model import State
from index.purge import apart
from index.purge.purge import PurgeReport, purge
from index.purge.scan import Trace, files, identifier
from index.run import Run
from index.sync.apply import apply
from index.sync.target import target_of
from index.sync.work import Removal

#: One document in so many is removed.
REMOVED = 100


def purged(bench: Bench) -> Iterator[Row]:
    """One purge after some removals from all over the index, and one search of the store's files."""
    with large_index(bench) as knowledge_base:
        documents = list(knowledge_base.ledger.documents.find())[::REMOVED]
        traces = [identifier(d.document_id, d.document_id) for d in documents]
        now = knowledge_base.now()
        gone = [
            Removal(replace(document, state=State.DELETED, deleted_at=now, chunk_count=0))
            for document in documents
        ]
        run = Run(knowledge_base, "sync")
        apply(target_of(run), run.run_id, gone, lambda _: [])
        knowledge_base.store.close()
        # Rows of deleted documents stay in the ledger: the store's files alone.
        index = knowledge_base.config.state_dir / "index"
        control = _held(index, traces)
        done: list[PurgeReport] = []
        took = seconds(lambda: done.append(purge(Run(knowledge_base, "purge"))))
        knowledge_base.store.close()
        left: list[set[str]] = []
        searched = seconds(lambda: left.append(_held(index, traces)))
        size = sum(path.stat().st_blocks * 512 for path in files(index))
    if done[0].outcome != "done" or left[0] or len(control) != len(traces):
        raise RuntimeError(f"The purge to be measured is not right: {done[0].json()}")
    yield Row(
        f"purge of {bench.scale.chunks:,} chunks, one in {REMOVED} removed",
        took,
        " s",
        60,
        "≤",
        f"store and ledger; {done[0].purged:,} points removed all over",
    )
    yield Row(
        f"search of all files of the store for {len(traces):,} removed documents",
        searched,
        " s",
        detail=f"{size / 1e6:,.0f} MB, in a process of its own; all found before the purge, none after it",
    )


def _held(folder: Path, traces: list[Trace]) -> set[str]:
    return set().union(*apart.found([folder], traces).values())
