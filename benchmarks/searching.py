"""Search and verify in a large index."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import median

import numpy as np

from benchmarks import synthetic
from benchmarks.corpus import Prose
from benchmarks.measure import Bench, Row, seconds
from benchmarks.workplace import SOURCE, workspace, write_configuration
from index.batched import batched
from index.model import Action, Chunk
from index.records import Document
from index.run import Run
from index.search.knowledge_base import KnowledgeBase
from index.store.base import EVERYTHING, Mode
from index.store.edge.ahead import AHEAD
from index.sync.apply import apply
from index.sync.govern import governed
from index.sync.source import source_of
from index.sync.target import target_of
from index.sync.work import NewVersion
from index.verify.compare import verify
from index.workspace import Workspace, require_collection

#: Of the median search, in milliseconds.
TARGETS: dict[Mode, float] = {"hybrid": 8, "dense": 10, "sparse": 10}
CHUNKS_PER_DOCUMENT = 10
#: Of a chunk; about 700 characters, so that a payload is about 1.4 KB.
WORDS = 120
BATCH_DOCUMENTS = 100


def large(bench: Bench) -> Iterator[Row]:
    """Median search without the query's embedding, its recall, and one verify of ledger, store and source."""
    with large_index(bench) as knowledge_base:
        search = KnowledgeBase(knowledge_base)
        prose = bench.corpus.prose(seed=5)
        queries = [" ".join(prose.words(6)) for _ in range(2 * bench.scale.searches)]
        first = _times(search, queries[: bench.scale.searches])
        # What the first searches read from the disk is read ahead meanwhile.
        for thread in threading.enumerate():
            if thread.name == AHEAD:
                thread.join()
        times = _times(search, queries[bench.scale.searches :])
        recall = _recall(knowledge_base, queries)
        found = []
        took = seconds(lambda: found.append(verify(knowledge_base)))
    if not found[0].ok or found[0].points != bench.scale.chunks:
        raise RuntimeError(f"The index to be measured is not right: {found[0].json()}")
    for mode, target in TARGETS.items():
        middle, worst = median(times[mode]), max(times[mode])
        yield Row(
            f"{mode} search in {bench.scale.chunks:,} chunks, median",
            1000 * middle,
            " ms",
            target,
            "≤",
            f"slowest of {len(times[mode])}: {1000 * worst:.1f} ms; "
            f"median of the first {len(first[mode])}: {1000 * median(first[mode]):.1f} ms",
        )
    yield Row(
        "of the ten nearest chunks, the share that the dense search finds",
        100 * recall,
        " %",
        99.9,
        "≥",
        f"against every vector; {len(queries)} queries",
    )
    yield Row(
        f"verify of {bench.scale.chunks:,} chunks",
        took,
        " s",
        12,
        "≤",
        f"{took / bench.scale.chunks * 1e6:.0f} µs a chunk; {found[0].documents:,} documents",
    )


def _recall(knowledge_base: Workspace, queries: Sequence[str]) -> float:
    """Recall of the store's ten nearest, by the cosines of all vectors. Equal cosines count as one."""
    collection = require_collection(knowledge_base)
    embedder = knowledge_base.embedder(collection)
    with knowledge_base.store.session(collection.name) as session:
        points = {p.id: array("f", p.dense or ()) for p in session.scroll(vectors=True)}
        vectors = np.array(list(points.values()), np.float32)
        found = 0
        for query in queries:
            asked = embedder.embed_query(query)
            hits = session.search(mode="dense", dense=asked, sparse=None, limit=10, where=EVERYTHING)
            least = np.sort(vectors @ np.array(asked, np.float32))[-10] - 1e-6
            found += sum(float(np.dot(points[hit.point.id], asked)) >= least for hit in hits)
    return found / (10 * len(queries))


def _times(search: KnowledgeBase, queries: Sequence[str]) -> dict[Mode, list[float]]:
    times: dict[Mode, list[float]] = {mode: [] for mode in TARGETS}
    for query in queries:
        for mode in TARGETS:
            times[mode].append(_timed(search, query, mode))
    return times


def _timed(search: KnowledgeBase, query: str, mode: Mode) -> float:
    """A search that must find something. The stand-in's vector of a query takes 20 µs."""
    hits = []
    took = seconds(lambda: hits.extend(search.search(query, k=10, mode=mode)))
    if len(hits) != 10:
        raise RuntimeError(f"A {mode} search for {query!r} found {len(hits)} chunks.")
    return took


@contextmanager
def large_index(bench: Bench) -> Iterator[Workspace]:
    """An index of as many chunks, written as a sync writes it; only the reading of documents is left out."""
    count = bench.scale.chunks // CHUNKS_PER_DOCUMENT
    prose = bench.corpus.prose(seed=4)
    with bench.folder() as folder:
        path = write_configuration(folder, {"type": synthetic.TYPE, "documents": count})
        with workspace(path) as knowledge_base:
            run = Run(knowledge_base, "sync")
            target = target_of(run)
            documents = synthetic.rows(knowledge_base, SOURCE)
            for some in batched(documents, BATCH_DOCUMENTS):
                texts = [_text(knowledge_base, document, prose) for document in some]
                apply(target, run.run_id, texts, lambda _: [])
            synthetic.record_rules(knowledge_base, SOURCE)
            yield knowledge_base


def _text(knowledge_base: Workspace, document: Document, prose: Prose) -> NewVersion:
    rules = source_of(knowledge_base, SOURCE).rules
    written = replace(document, title=document.uri, chunk_count=CHUNKS_PER_DOCUMENT)
    chunks = []
    for number in range(CHUNKS_PER_DOCUMENT):
        text = prose.paragraph(WORDS)
        path = (written.title, f"Section {number}")
        chunks.append(Chunk(text, "\n".join((*path, "", text)), path, None, WORDS))
    return NewVersion(Action.ADD, governed(written, rules, knowledge_base.now()), tuple(chunks))
