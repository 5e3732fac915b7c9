"""Search in a given collection: its requests to the store, and its hits."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from math import sqrt
from operator import mul
from pathlib import Path
from typing import Any, cast

import pytest
from qdrant_client import QdrantClient

from index import KnowledgeBase, payload
from index.errors import ConfigError, ModelChanged, StoreError
from index.ledger import Ledger
from index.ledger.chunks import Chunks
from index.model import Action, Point, State
from index.records import Collection, Document, Intent
from index.run import Run
from index.search.hits import Candidate, SearchHit, search_hit
from index.search.query import FRESH, Query, _conditions, check, search
from index.search.reader import Reader
from index.store import bm25
from index.store.base import Hit, Mode, Session, VectorStore
from index.store.edge.store import EdgeStore
from index.store.qdrant.store import QdrantStore
from index.sync.sync import sync
from index.workspace import Workspace, require_collection
from tests.knowledge import Knowledge
from tests.qdrant import OneAtATime

MODES: tuple[Mode, ...] = ("hybrid", "dense", "sparse")
UNDATED = 240


@dataclass
class Asked:
    """The requests to a store."""

    limits: list[int] = field(default_factory=list)
    read: int = 0


class Counted:
    """A store that counts what searches ask for; else it is the store within."""

    def __init__(self, store: VectorStore, asked: Asked) -> None:
        self._store, self._asked = store, asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def session(self, collection: str) -> Iterator[Session]:
        with self._store.session(collection) as session:
            within = session.search

            def search(*, limit: int, **parts: Any) -> list[Hit]:
                found = within(limit=limit, **parts)
                self._asked.limits.append(limit)
                self._asked.read += len(found)
                return found

            session.search = search  # type: ignore[method-assign]
            yield session


@pytest.fixture
def asked() -> Asked:
    return Asked()


#: In the short form these ask the embedded store alone, because the stores have one contract.
ON_EDGE = {
    "test_until_payloads_have_the_rules_of_now_the_rules_of_now_decide",
    "test_hits_and_their_copies_are_those_of_reading_every_candidate",
}


@pytest.fixture(params=["edge", "qdrant"])
def store(request: pytest.FixtureRequest, kb: Knowledge, asked: Asked, soak: bool) -> VectorStore:
    """The store of `kb`, which has to be handed to each of its workspaces."""
    if not soak and request.param == "qdrant" and request.node.originalname in ON_EDGE:
        pytest.skip("Only with --soak.")
    made: VectorStore = EdgeStore(kb.home / ".freshkb" / "index")
    if request.param == "qdrant":
        made = QdrantStore("memory", client=cast(QdrantClient, OneAtATime()))
    return cast(VectorStore, Counted(made, asked))


def page(kb: Knowledge, uri: str, text: str, date: str = "") -> None:
    front = f"---\nlast_reviewed: {date}\n---\n" if date else ""
    kb.write(uri, f"{front}# {Path(uri).stem}\n\n{text}\n")


def mostly_undated(kb: Knowledge) -> None:
    """A document of hundreds of chunks whose date cannot be read, and three that are fresh or exempt."""
    kb.source["rules"] = [{"match": "archive/**", "freshness": "exempt"}]
    page(kb, "undated.md", "".join(f"# Leave {n}\n\nLeave leave.\n\n" for n in range(UNDATED)), "soon")
    long = "A long text that says leave only once, at its very end, after many other words: leave"
    page(kb, "fresh.md", f"{long}.", "2026-05-01")
    page(kb, "archive/exempt.md", f"{long} of absence.", "2020-01-01")
    page(kb, "archive/undated.md", f"{long} of old.", "someday")


def fresh(kb: Knowledge, store: VectorStore, mode: Mode, **options: Any) -> list[SearchHit]:
    with kb.workspace(store=store) as workspace:
        return KnowledgeBase(workspace).search("leave", k=3, mode=mode, fresh_only=True, **options)


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")
def test_the_store_tells_what_is_fresh_however_many_documents_have_no_date(
    kb: Knowledge, store: VectorStore, asked: Asked
) -> None:
    mostly_undated(kb)
    with kb.workspace(store=store) as workspace:
        sync(Run(workspace, "sync"))
        with workspace.store.session(require_collection(workspace).name) as session:
            assert session.count() == UNDATED + 3
    for mode in MODES:
        asked.limits, asked.read = [], 0
        kept = {hit.uri: hit.verdict for hit in fresh(kb, store, mode)}
        assert kept == {"fresh.md": "fresh", "archive/exempt.md": "exempt", "archive/undated.md": "exempt"}
        assert (asked.limits, asked.read) == ([16], 3), mode


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")
def test_until_payloads_have_the_rules_of_now_the_rules_of_now_decide(
    kb: Knowledge, store: VectorStore, asked: Asked
) -> None:
    mostly_undated(kb)
    page(kb, "stale.md", "Leave leave.", "2020-01-01")
    with kb.workspace(store=store) as workspace:
        sync(Run(workspace, "sync"))
    # The exempt document is judged by its date now, the stale one is exempt; no payload says so yet.
    kb.source["rules"] = [{"match": "stale.md", "freshness": "exempt"}]
    for mode in MODES:
        kept = {hit.uri: hit.verdict for hit in fresh(kb, store, mode)}
        assert kept == {"fresh.md": "fresh", "stale.md": "exempt"}, mode
        assert {hit.uri for hit in fresh(kb, store, mode, source="docs")} == {"fresh.md", "stale.md"}
    with kb.workspace(store=store) as workspace:
        sync(Run(workspace, "sync"))
    asked.limits = []
    assert {hit.uri for hit in fresh(kb, store, "dense")} == {"fresh.md", "stale.md"}
    assert asked.limits == [16]


def test_nothing_of_a_source_that_was_taken_out_is_fresh_or_read(kb: Knowledge, asked: Asked) -> None:
    (kb.home / "more").mkdir()
    for number in range(80):
        kb.docs.joinpath(f"{number}.md").write_text(f"---\nlast_reviewed: 2026-05-01\n---\nLeave {number}.\n")
    kb.home.joinpath("more", "a.md").write_text("---\nlast_reviewed: 2026-05-01\n---\nLeave of more.\n")
    kb.settings["sources"].append({"id": "more", "type": "files", "root": "./more"})
    kb.sync()
    del kb.settings["sources"][0]
    store = cast(VectorStore, Counted(EdgeStore(kb.home / ".freshkb" / "index"), asked))
    (hit,) = fresh(kb, store, "dense")
    assert (hit.source, asked.read) == ("more", 1)
    assert fresh(kb, store, "dense", source="docs") == []


def test_it_asks_the_collection_that_is_given_and_no_other(kb: Knowledge) -> None:
    page(kb, "a.md", "Leave.")
    kb.sync()
    with kb.workspace() as workspace:
        reader, current = Reader(workspace), require_collection(workspace)
        empty = replace(current, name="kb-empty", state="building")
        workspace.ledger.collections.put(empty, [])
        workspace.store.create(empty.name, dimension=empty.dimension, instance=workspace.ledger.instance_id)
        query = Query("leave")
        check(reader, query)
        assert [hit.uri for hit in search(reader, current, query)] == ["a.md"]
        assert search(reader, empty, query) == []
        assert search(reader, current, Query(" \n")) == [] == search(reader, current, Query("leave", k=0))
        workspace.store.drop(empty.name)
        with pytest.raises(StoreError, match="no collection 'kb-empty'"):
            search(reader, empty, query)


def test_what_cannot_be_asked_is_told_before_anything_is_opened(kb: Knowledge) -> None:
    with pytest.raises(ConfigError, match="no mode 'magic'"):
        Query("leave", mode=cast(Mode, "magic"))
    with pytest.raises(ConfigError, match="is not Unicode text"):
        Query("\ud800")
    for k in (5.5, "3", None, 1001, 2**63, 10**5000):
        with pytest.raises(ConfigError, match="not a whole number up to 1,000"):
            Query("leave", k=cast(int, k))
    assert Query("leave", k=1000).k == 1000
    with kb.workspace() as workspace:
        with pytest.raises(ConfigError, match="no source 'other'"):
            check(Reader(workspace), Query("leave", source="other"))
        with pytest.raises(ConfigError, match="anna"):
            check(Reader(workspace), Query("leave", owner="anna"))


def test_a_search_says_once_how_long_it_took_and_no_word_of_the_query(
    kb: Knowledge, caplog: pytest.LogCaptureFixture
) -> None:
    page(kb, "a.md", "Leave.")
    kb.sync()
    with kb.workspace() as workspace, caplog.at_level(logging.DEBUG, logger="freshkb.search"):
        KnowledgeBase(workspace).search("leave", mode="sparse")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "freshkb.search"]
    assert re.fullmatch(r"sparse: 1 hits of 1 candidates in 1 rounds, \d+\.\d{3} s\.", line)


# ── Candidates ────────────────────────────────────────────────────────────────────────────────────────────


def plainly(reader: Reader, collection: Collection, query: Query) -> list[SearchHit]:
    """The same search in the plain way: each candidate is read whole, the ledger is asked about each, and
    its relevance is computed of its vectors."""
    now, limit = reader.now(), 2 * query.k + 10
    dense, words = reader.embedded(collection, query.text), bm25.query(query.text)
    asked = {"mode": query.mode, "dense": dense, "sparse": words, "where": _conditions(reader, query, now)}

    def relevance(point: Point) -> float:
        assert point.dense is not None and point.sparse is not None
        if query.mode == "sparse":
            return len({*words.indices} & {*point.sparse.indices}) / len(words.indices)
        cosine: float = sum(map(mul, dense, point.dense)) / sqrt(sum(map(mul, dense, dense)))
        return max(0.0, cosine)

    while True:
        with reader.store.session(collection.name) as session:
            found = session.search(limit=limit, **asked)  # type: ignore[arg-type]
            points = session.retrieve([hit.point.id for hit in found], vectors=True)
        documents = reader.ledger.chunks.searchable(collection.name, [*points], held=query.held)
        texts: dict[str, list[Candidate]] = {}
        for hit in found:
            point = points[hit.point.id]
            passage = payload.passage(point.payload)
            candidate = Candidate(Hit(point, hit.score, relevance(point)), passage, documents)
            if point.id in documents and (
                not query.fresh_only or reader.verdicts.of(candidate.document, now).verdict in FRESH
            ):
                texts.setdefault(" ".join(passage.text.split()), []).append(candidate)
        if len(texts) > query.k or len(found) < limit:
            return [
                search_hit(best, copies, reader.verdicts.of(best.document, now))
                for best, *copies in list(texts.values())[: query.k]
            ]
        limit *= 2


def with_copies(kb: Knowledge) -> None:
    """Texts of their own, and texts with copies in other white space, dated otherwise; they begin alike."""
    dates = ("2026-05-01", "2020-01-01", "soon")
    for number in range(40):
        page(kb, f"own/{number:02}.md", f"Leave, part {number}, of {number % 3} days.", dates[number % 3])
        words = ["# Rest\n\nAnnual leave is asked for in", *["writing"] * (number % 5), "by staff"]
        text = ("\n" if number % 2 else " ").join(words)
        kb.write(f"copies/{number:02}.md", f"---\nlast_reviewed: {dates[number % 3]}\n---\n{text}\n")
    kb.write("twice.md", "# One\n\nAsk for leave.\n\n# One\n\nAsk for leave.\n")


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")
def test_hits_and_their_copies_are_those_of_reading_every_candidate(
    kb: Knowledge, store: VectorStore, soak: bool
) -> None:
    with_copies(kb)
    with kb.workspace(store=store) as workspace:
        sync(Run(workspace, "sync"))
        reader, collection = Reader(workspace), require_collection(workspace)
        documents = list(workspace.ledger.documents.find(uris=[f"copies/{n:02}.md" for n in range(9)]))
        gone = [Intent(Action.DELETE, document) for document in documents]
        workspace.ledger.writes.intend("run", collection.name, gone)
        workspace.ledger.writes.commit(collection.name, gone, [])
        copied = 0
        for mode, k, fresh_only, text in product(
            MODES,
            (1, 2, 5, 10, 60) if soak else (1, 5, 60),
            (False, True),
            ("annual leave in writing by staff", "leave of 2 days"),
        ):
            query = Query(text, k, mode, fresh_only)
            expected, hits = plainly(reader, collection, query), search(reader, collection, query)
            assert [replace(hit, relevance=0) for hit in hits] == [replace(e, relevance=0) for e in expected]
            assert [hit.relevance for hit in hits] == pytest.approx([e.relevance for e in expected], abs=2e-4)
            copied += sum(len(hit.duplicates) for hit in hits)
        assert copied > 100


def test_the_ledger_is_asked_about_the_texts_that_are_shown(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        page(kb, f"{number:02}.md", f"Leave, part {number}.")
    kb.sync()
    with kb.workspace() as workspace:
        reader, collection = Reader(workspace), require_collection(workspace)
        searchable, asked = Chunks.searchable, list[int]()

        def counted(self: Chunks, name: str, ids: Sequence[str], **held: bool) -> Mapping[str, Document]:
            asked.append(len(ids))
            return searchable(self, name, ids, **held)

        monkeypatch.setattr(Chunks, "searchable", counted)
        assert len(search(reader, collection, Query("leave", 5))) == 5
        assert asked == [6]
        best = search(reader, collection, Query("leave", 1))[0]
        document = next(workspace.ledger.documents.find(uris=[best.uri]))
        gone = Intent(Action.DELETE, document)
        workspace.ledger.writes.intend("run", collection.name, [gone])
        workspace.ledger.writes.commit(collection.name, [gone], [])
        asked.clear()
        assert best.uri not in {hit.uri for hit in search(reader, collection, Query("leave", 5))}
        assert asked == [6, 14]


# ── Another encoder of words ──────────────────────────────────────────────────────────────────────────────


ANOTHER = "bm25:" + "0" * 64


def record(workspace: Workspace, fingerprint: str) -> None:
    current = require_collection(workspace)
    workspace.ledger.collections.put(replace(current, sparse_fingerprint=fingerprint), [])


def recorded(ledger: Ledger) -> str:
    current = ledger.collections.current()
    assert current is not None
    return current.sparse_fingerprint


def test_the_fingerprint_of_the_encoder_of_words_is_recorded_with_the_collection(kb: Knowledge) -> None:
    page(kb, "a.md", "Leave.")
    kb.sync()
    assert kb.ask(lambda m: recorded(m.ledger)) == bm25.fingerprint()


def test_an_index_of_before_is_taken_for_one_of_this_encoder_and_recorded_by_the_next_sync(
    kb: Knowledge,
) -> None:
    page(kb, "a.md", "Leave.")
    kb.sync()
    with kb.workspace() as workspace:
        record(workspace, "")
        assert [hit.uri for hit in KnowledgeBase(workspace).search("leave", mode="sparse")] == ["a.md"]
        assert recorded(workspace.ledger) == ""
    embedded = len(kb.embedders[0].embedded)
    report = kb.sync()
    assert (report.outcome, sum(len(made.embedded) for made in kb.embedders)) == ("done", embedded)
    assert kb.ask(lambda m: recorded(m.ledger)) == bm25.fingerprint()


def test_another_encoder_of_words_is_refused_until_a_reindex(kb: Knowledge) -> None:
    from index.reindex import reindex

    page(kb, "a.md", "Leave.")
    kb.sync()
    kb.ask(lambda m: record(m, ANOTHER))
    points = kb.points()
    page(kb, "b.md", "More leave.")
    with pytest.raises(ModelChanged, match=r"another encoder of words .*freshkb reindex"):
        kb.sync()
    assert kb.points() == points
    with kb.workspace() as workspace:
        base = KnowledgeBase(workspace)
        modes: tuple[Mode, ...] = ("sparse", "hybrid")
        for mode in modes:
            with pytest.raises(ModelChanged, match="--mode dense"):
                base.search("leave", mode=mode)
        assert [hit.uri for hit in base.search("leave", mode="dense")] == ["a.md"]
        with pytest.raises(ModelChanged):
            workspace.embed(require_collection(workspace), ["text"])
        reindex(workspace, Run(workspace, "reindex"))
        assert recorded(workspace.ledger) == bm25.fingerprint()
        assert [hit.uri for hit in base.search("leave", mode="sparse")] == ["a.md"]
    assert kb.sync().outcome == "done"
    assert {d.uri for d in kb.documents().values() if d.state is State.INDEXED} == {"a.md", "b.md"}


def test_documents_whose_review_is_long_due_come_later_where_that_is_asked_for(kb: Knowledge) -> None:
    kb.write("old.md", "---\nlast_reviewed: 2023-01-01\n---\nFour hours of leave a week.\n")
    kb.write(
        "new.md", "---\nlast_reviewed: 2026-05-30\n---\nFour hours of leave a week, says the new page.\n"
    )
    kb.sync()
    with kb.workspace() as workspace:
        base = KnowledgeBase(workspace)
        query = "four hours of leave a week"
        assert [hit.uri for hit in base.search(query, mode="dense")] == ["old.md", "new.md"]
        assert [hit.uri for hit in base.search(query, mode="dense", prefer_fresh=True)] == [
            "new.md",
            "old.md",
        ]
