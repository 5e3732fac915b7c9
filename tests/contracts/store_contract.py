"""The contract of every vector store, as tests.

A store's own test module derives from `StoreContract` and provides the fixture `opened`: a function that
gives a new store object, every time over the same data.
"""

from __future__ import annotations

import math
import random
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from index import payload
from index.errors import ConfigError, StoreError
from index.freshness.assess import NEVER
from index.model import Point, Sparse, digest, rfc3339
from index.store import bm25
from index.store.base import Claim, Filter, Hit, Mode, VectorStore

Opened = Callable[[], VectorStore]

DIMENSION = 8
NAME = "kb-1"
ANY = Filter()

#: Values that JSON can hold and a document can say. Integers and floats as far as every engine keeps them.
ODD = {
    "page_content": 'Ünïcödé ☃ 🎉 日本語 \u0000 \u2028 "quoted" \\ line\nbreak',
    "doc_id": "d",
    "metadata": {
        "document_id": "d",
        "heading_path": ["Top", "", "Näxt"],
        "page": None,
        "empty": {},
        "none": [None],
        "nested": [{"a": [1, 2.5, {"b": []}]}, True, False],
        "large": 2**53 + 1,
        "negative": -(2**62),
        "float": 0.1,
        "whole": 1.0,
        "tiny": 1e-300,
    },
}


def uid(number: int) -> str:
    return str(uuid.UUID(int=number))


def dense(seed: int) -> list[float]:
    chance = random.Random(seed)
    return [chance.uniform(-1, 1) for _ in range(DIMENSION)]


def point(number: int, text: str = "some words", **metadata: Any) -> Point:
    payload = {
        "page_content": text,
        "doc_id": f"d{number}",
        "metadata": {"document_id": f"d{number}", **metadata},
    }
    return Point(uid(number), payload, dense(number), bm25.document([text])[0])


def found(hits: Sequence[Hit]) -> list[str]:
    return [hit.point.id for hit in hits]


class StoreContract:
    #: The claim that a purge of this store may make.
    claim: Claim

    @pytest.fixture
    def store(self, opened: Opened) -> VectorStore:
        store = opened()
        store.create(NAME, dimension=DIMENSION, instance="ledger-1")
        return store

    # ── Collections ──────────────────────────────────────────────────────────────────────────────────

    def test_a_collection_remembers_the_instance_it_was_made_for(
        self, opened: Opened, store: VectorStore
    ) -> None:
        assert store.instance(NAME) == "ledger-1"
        assert opened().instance(NAME) == "ledger-1"
        assert store.instance("kb-2") is None

    def test_making_a_collection_that_exists_is_refused(self, store: VectorStore) -> None:
        with pytest.raises(StoreError, match="already has a collection 'kb-1'"):
            store.create(NAME, dimension=DIMENSION, instance="ledger-2")
        assert store.instance(NAME) == "ledger-1"

    def test_collections_are_listed_by_name_and_apart(self, store: VectorStore) -> None:
        store.create("kb-0", dimension=3, instance="ledger-1")
        with store.session(NAME) as session:
            session.upsert([point(1)])
        assert store.collections() == ["kb-0", "kb-1"]
        with store.session("kb-0") as session:
            assert session.count() == 0

    def test_a_dropped_collection_is_gone_and_its_name_free(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([point(1)])
        store.drop(NAME)
        store.drop(NAME)
        assert store.collections() == []
        assert store.instance(NAME) is None
        with pytest.raises(StoreError, match="no collection 'kb-1'"), store.session(NAME):
            pass
        store.create(NAME, dimension=DIMENSION, instance="ledger-2")
        with store.session(NAME) as session:
            assert session.count() == 0

    @pytest.mark.parametrize("name", ["", ".", "..", "../kb", "a/b", ".hidden", "x" * 201, "a b", "käse"])
    def test_a_name_that_is_no_sound_folder_name_is_refused(self, store: VectorStore, name: str) -> None:
        with pytest.raises(ConfigError, match="cannot name a collection"):
            store.create(name, dimension=DIMENSION, instance="ledger-1")

    def test_a_published_name_can_be_given_to_the_next_collection(self, store: VectorStore) -> None:
        store.publish("kb", NAME)
        store.create("kb-2", dimension=DIMENSION, instance="ledger-1")
        store.publish("kb", "kb-2")
        store.publish("kb", "kb-2")
        store.drop(NAME)
        assert store.collections() == ["kb-2"]

    # ── Writing and reading back ─────────────────────────────────────────────────────────────────────

    def test_a_point_comes_back_whole(self, store: VectorStore) -> None:
        written = Point(uid(1), ODD, dense(1), Sparse([9, 4_000_000_000, 3], [0.5, 1.25, 2.0]))
        with store.session(NAME) as session:
            session.upsert([written])
            read = session.retrieve([written.id], vectors=True)[written.id]
        assert read.id == written.id
        assert read.payload == ODD
        assert digest(read.payload) == digest(ODD)
        assert read.sparse is not None
        pairs = dict(zip(read.sparse.indices, read.sparse.values, strict=True))
        assert pairs == {9: 0.5, 4_000_000_000: 1.25, 3: 2.0}

    def test_a_dense_vector_comes_back_normalised_and_the_same_every_time(
        self, opened: Opened, store: VectorStore
    ) -> None:
        with store.session(NAME) as session:
            session.upsert([point(1)])
            first = session.retrieve([uid(1)], vectors=True)[uid(1)]
            [scrolled] = session.scroll(vectors=True)
        with opened_again(store, opened).session(NAME) as session:
            second = session.retrieve([uid(1)], vectors=True)[uid(1)]
        assert first == second == scrolled
        assert first.dense is not None
        assert all(type(value) is float for value in first.dense)
        length = math.hypot(*dense(1))
        assert first.dense == pytest.approx([value / length for value in dense(1)], abs=1e-6)

    def test_a_vector_written_as_it_was_read_stays_the_same(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([point(1)])
            read = session.retrieve([uid(1)], vectors=True)[uid(1)]
            session.upsert([Point(uid(2), {}, read.dense, read.sparse)])
            copy = session.retrieve([uid(2)], vectors=True)[uid(2)]
        assert copy.dense == pytest.approx(read.dense, abs=1e-7)
        assert copy.sparse == read.sparse

    def test_vectors_are_left_out_unless_asked_for(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([point(1)])
            read = session.retrieve([uid(1)], vectors=False)[uid(1)]
            [scrolled] = session.scroll(vectors=False)
        assert (read.dense, read.sparse, scrolled.dense, scrolled.sparse) == (None, None, None, None)
        assert read.payload == scrolled.payload == point(1).payload

    def test_a_missing_vector_is_none(self, store: VectorStore) -> None:
        words = Sparse([1], [1.0])
        with store.session(NAME) as session:
            session.upsert(
                [Point(uid(1), {}, dense(1), None), Point(uid(2), {}, None, words), Point(uid(3), {})]
            )
            read = session.retrieve([uid(1), uid(2), uid(3)], vectors=True)
        assert read[uid(1)].dense is not None
        assert (read[uid(1)].sparse, read[uid(2)].dense) == (None, None)
        assert read[uid(2)].sparse == words
        assert (read[uid(3)].dense, read[uid(3)].sparse) == (None, None)

    def test_a_text_without_words_has_an_empty_sparse_vector_and_not_none(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([point(1, "— … —")])
            read = session.retrieve([uid(1)], vectors=True)[uid(1)]
        assert read.sparse == Sparse([], [])

    def test_writing_an_id_again_replaces_the_whole_point(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([point(1, "first text", owner="anna")])
            session.upsert([Point(uid(1), {"metadata": {"source": "b"}}, dense(2))])
            read = session.retrieve([uid(1)], vectors=True)[uid(1)]
            session.upsert([Point(uid(2), {}, dense(2))])
            other = session.retrieve([uid(2)], vectors=True)[uid(2)]
            assert session.count() == 2
        assert read.payload == {"metadata": {"source": "b"}}
        assert read.dense == pytest.approx(other.dense, abs=1e-6)
        assert read.sparse is None

    def test_deleted_points_are_gone_and_unknown_ids_are_no_error(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([point(n) for n in range(5)])
            session.delete([uid(1), uid(3), uid(99)])
            assert set(session.retrieve([uid(n) for n in range(5)], vectors=True)) == {uid(0), uid(2), uid(4)}
            assert session.count() == 3
            assert uid(1) not in found(
                session.search(mode="dense", dense=dense(1), sparse=None, limit=5, where=ANY)
            )
            session.delete([])

    def test_a_vector_of_the_wrong_length_is_refused(self, store: VectorStore) -> None:
        with store.session(NAME) as session, pytest.raises(StoreError):
            session.upsert([Point(uid(1), {}, [1.0, 2.0], Sparse([1], [1.0]))])

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_a_vector_that_is_not_numbers_is_refused(self, store: VectorStore, value: float) -> None:
        with store.session(NAME) as session:
            with pytest.raises(StoreError, match="not a finite number"):
                session.upsert([point(1), Point(uid(2), {}, [value, *dense(2)[1:]])])
            with pytest.raises(StoreError, match="not a finite number"):
                session.upsert([Point(uid(2), {}, dense(2), Sparse([1], [value]))])
            assert session.count() == 0

    def test_five_thousand_points_go_in_and_out_in_one_call(self, store: VectorStore) -> None:
        ids = [uid(n) for n in range(5_000)]
        with store.session(NAME) as session:
            session.upsert([point(n) for n in range(5_000)])
            assert session.count() == 5_000
            read = session.retrieve(ids, vectors=True)
            assert set(read) == set(ids)
            assert all(p.dense is not None and p.sparse is not None for p in read.values())
            session.delete(ids[:-1])
            assert [p.id for p in session.scroll(vectors=False)] == ids[-1:]

    def test_scrolling_gives_every_point_once_in_order_of_id(self, store: VectorStore) -> None:
        ids = sorted(str(uuid.uuid5(uuid.NAMESPACE_URL, str(n))) for n in range(250))
        with store.session(NAME) as session:
            session.upsert([Point(i, {}, dense(n)) for n, i in enumerate(random.Random(1).sample(ids, 250))])
            for page in (1, 7, 50, 250, 1000):
                assert [p.id for p in session.scroll(vectors=False, page=page)] == ids

    def test_a_scroll_keeps_to_its_range(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([point(n) for n in range(0, 40, 2)])

            def part(first: int | None, end: int | None) -> list[str]:
                start, stop = (None if edge is None else uid(edge) for edge in (first, end))
                return [p.id for p in session.scroll(vectors=False, page=3, first=start, end=stop)]

            assert part(10, 20) == [uid(n) for n in range(10, 20, 2)]
            assert part(11, 21) == [uid(n) for n in range(12, 21, 2)]
            assert part(None, 5) + part(5, None) == [uid(n) for n in range(0, 40, 2)]
            assert part(39, None) == []

    def test_what_was_written_is_there_for_the_next_store_object(
        self, opened: Opened, store: VectorStore
    ) -> None:
        with store.session(NAME) as session:
            session.upsert([point(n) for n in range(20)])
            session.delete([uid(3)])
        with opened_again(store, opened).session(NAME) as session:
            assert [p.id for p in session.scroll(vectors=True)] == [uid(n) for n in range(20) if n != 3]

    def test_a_session_that_has_ended_does_nothing_more(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([point(n) for n in range(3)])
            pages = session.scroll(vectors=False, page=1)
            next(pages)
        for use in (session.count, lambda: next(pages), lambda: session.delete([uid(1)])):
            with pytest.raises(StoreError, match="has ended"):
                use()
        with store.session(NAME) as session:
            assert session.count() == 3

    def test_an_error_inside_a_session_ends_it(self, store: VectorStore) -> None:
        with pytest.raises(ZeroDivisionError), store.session(NAME) as session:
            session.upsert([point(1)])
            raise ZeroDivisionError
        with store.session(NAME) as session:
            assert session.count() == 1

    def test_a_session_inside_another_is_the_same_threads_right(self, store: VectorStore) -> None:
        store.create("kb-2", dimension=DIMENSION, instance="ledger-1")
        with store.session(NAME) as outer:
            with store.session("kb-2") as inner, store.session(NAME) as same:
                inner.upsert([point(2)])
                same.upsert([point(1)])
            outer.upsert([point(3)])
            assert (outer.count(), sorted(outer.retrieve([uid(1)], vectors=False))) == (2, [uid(1)])

    def test_threads_share_a_store_and_lose_nothing(self, store: VectorStore) -> None:
        errors: list[BaseException] = []

        def work(thread: int) -> None:
            try:
                for n in range(5):
                    with store.session(NAME) as session:
                        session.upsert([point(thread * 100 + n)])
                        session.search(mode="dense", dense=dense(1), sparse=None, limit=3, where=ANY)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        with store.session(NAME) as session:
            read = list(session.scroll(vectors=True))
        assert [p.id for p in read] == [uid(t * 100 + n) for t in range(4) for n in range(5)]
        assert all(p.dense is not None and p.sparse is not None for p in read)

    # ── Searching ────────────────────────────────────────────────────────────────────────────────────

    def test_a_dense_search_ranks_by_cosine(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([point(n) for n in range(30)])
            hits = session.search(mode="dense", dense=dense(7), sparse=None, limit=30, where=ANY)
        expected = sorted(range(30), key=lambda n: -cosine(dense(7), dense(n)))
        assert found(hits) == [uid(n) for n in expected]
        assert hits[0].score == pytest.approx(1)
        assert hits[0].point.payload["page_content"] == "some words"
        assert (hits[0].point.dense, hits[0].point.sparse) == (None, None)

    def test_a_hit_brings_the_passage_of_its_point(self, store: VectorStore) -> None:
        own = {"heading_path": ["Top", ""], "page": 7, "chunk_index": 3}
        points = [point(1, "leave", **own), point(2, "leave", title="Rest")]
        with store.session(NAME) as session:
            # Found by its words alone.
            lone = Point(uid(3), {"page_content": "leave"}, None, bm25.document(["leave"])[0])
            session.upsert([*points, lone])
            for mode in ("dense", "sparse", "hybrid"):
                hits = session.search(
                    mode=mode, dense=dense(1), sparse=bm25.query("leave"), limit=5, where=ANY
                )
                assert {hit.point.id: payload.passage_in(hit.point.payload) for hit in hits} == {
                    uid(1): payload.passage(points[0].payload),
                    uid(2): None,
                    **({} if mode == "dense" else {uid(3): None}),
                }, mode
                texts = {hit.point.payload["page_content"] for hit in hits}
                assert texts == {"leave"}
            assert {hit.point.id: hit.relevance for hit in hits}[uid(3)] == 0

    def test_a_sparse_search_prefers_the_rarer_word(self, store: VectorStore) -> None:
        texts = ["vacation policy"] * 8 + ["parental leave policy", "nothing of the kind"]
        with store.session(NAME) as session:
            session.upsert([point(n, text) for n, text in enumerate(texts)])
            question = bm25.query("policy on parental leave")
            hits = session.search(mode="sparse", dense=None, sparse=question, limit=20, where=ANY)
        assert found(hits) == [uid(n) for n in (8, *range(8))]
        assert hits[0].score > hits[1].score > 0

    def test_a_hybrid_search_puts_first_what_both_rankings_have(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            texts = {3: "parental leave", 4: "leave", 5: "parental parental leave leave"}
            session.upsert([point(n, texts.get(n, "other words")) for n in range(10)])
            question = bm25.query("parental leave")
            by_words = session.search(mode="sparse", dense=None, sparse=question, limit=10, where=ANY)
            by_sense = session.search(mode="dense", dense=dense(4), sparse=None, limit=10, where=ANY)
            hits = session.search(mode="hybrid", dense=dense(4), sparse=question, limit=10, where=ANY)
            top = session.search(mode="hybrid", dense=dense(4), sparse=question, limit=2, where=ANY)
            alone = session.search(mode="hybrid", dense=dense(4), sparse=Sparse([], []), limit=10, where=ANY)
        scores = {
            identifier: sum(
                1 / (20 + found(ranking).index(identifier))
                for ranking in (by_words, by_sense)
                if identifier in found(ranking)
            )
            for identifier in found(by_sense)
        }
        assert set(found(hits)) == set(scores)
        assert [hit.score for hit in hits] == pytest.approx(sorted(scores.values(), reverse=True))
        assert {hit.point.id: hit.score for hit in hits} == pytest.approx(scores)
        assert hits[0].point.payload["page_content"] in texts.values()
        assert found(top) == found(hits)[:2]
        assert found(alone) == found(by_sense)

    def test_equal_scores_come_in_the_same_order_every_time(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([Point(uid(n), {}, dense(1), Sparse([1], [1.0])) for n in range(9, -1, -1)])
            words = Sparse([1], [1.0])
            for mode in ("dense", "sparse", "hybrid"):
                hits = session.search(mode=mode, dense=dense(1), sparse=words, limit=10, where=ANY)
                assert found(hits) == [uid(n) for n in range(10)], mode

    @pytest.mark.parametrize("mode", ["dense", "sparse", "hybrid"])
    def test_filters_hold_in_every_mode(self, store: VectorStore, mode: Mode) -> None:
        noon = datetime(2026, 6, 15, 12, tzinfo=UTC)
        points = [
            point(0, source="hr", owner="anna", warn_at="2026-06-15T12:00:00Z"),
            point(1, source="hr", owner="anna", warn_at="2026-06-15T12:00:00.000001Z"),
            point(2, source="hr", owner="ben", warn_at=None),
            point(3, source="hr", owner="ben"),
            point(4, source="it", owner="anna", warn_at="2026-06-15T11:59:59Z"),
            point(5, source="it", owner="anna", warn_at="2027-01-01T00:00:00Z"),
            point(6, source="it", owner="Dörte", owners=["dörte", "carla"], warn_at="2026-01-01T00:00:00Z"),
            point(7, source="misc", warn_at=rfc3339(NEVER)),
        ]
        with store.session(NAME) as session:
            session.upsert(points)

            def kept(where: Filter) -> list[int]:
                hits = session.search(
                    mode=mode, dense=dense(1), sparse=bm25.query("some words"), limit=10, where=where
                )
                return sorted(uuid.UUID(identifier).int for identifier in found(hits))

            assert kept(ANY) == [0, 1, 2, 3, 4, 5, 6, 7]
            assert kept(Filter(sources=("hr",))) == [0, 1, 2, 3]
            assert kept(Filter(sources=("hr", "it", "nowhere"))) == [0, 1, 2, 3, 4, 5, 6]
            assert kept(Filter(owner="anna")) == [0, 1, 4, 5]
            assert kept(Filter(owner="Carla")) == [6] == kept(Filter(owner="DÖRTE "))
            assert kept(Filter(document_ids=("d2", "d4", "d9"))) == [2, 4]
            assert kept(Filter(document_ids=())) == []
            assert kept(Filter(fresh_at=noon)) == [1, 5, 7]
            assert kept(Filter(fresh_at=NEVER)) == []
            assert kept(Filter(fresh_at=noon, doubted=("it", "nowhere"))) == [1, 4, 5, 6, 7]
            assert kept(Filter(fresh_at=noon, doubted=("it",), owner="ben")) == []
            assert kept(Filter(("it",), "anna", document_ids=("d5", "d1"), fresh_at=noon)) == [5]
            assert kept(Filter(sources=("nowhere",))) == [] == kept(Filter(sources=()))

    @pytest.mark.parametrize("mode", ["dense", "sparse", "hybrid"])
    def test_what_was_due_long_ago_comes_later_where_that_is_asked_for(
        self, store: VectorStore, mode: Mode
    ) -> None:
        noon = datetime(2026, 6, 15, 12, tzinfo=UTC)
        due = {
            0: "2020-01-01T00:00:00Z", 1: "2025-12-17T12:00:00Z", 2: "2026-06-15T11:00:00Z",
            3: "2026-06-16T00:00:00Z", 4: rfc3339(NEVER), 5: None,
        }  # fmt: skip
        with store.session(NAME) as session:
            same = [replace(point(n, "leave", warn_at=at), dense=dense(0)) for n, at in due.items()]
            session.upsert(
                [*same, replace(point(6, "leave"), dense=dense(0)), point(7, "pay", warn_at=due[3])]
            )
            asked: dict[str, Any] = {"mode": mode, "dense": dense(0), "sparse": bm25.query("leave")}
            usual = session.search(**asked, limit=9, where=ANY)
            faded = session.search(**asked, limit=9, where=ANY, fresh_first=noon)
            only = session.search(**asked, limit=9, where=Filter(document_ids=("d0",)), fresh_first=noon)
        assert found(usual)[:7] == [uid(n) for n in (0, 1, 2, 3, 4, 5, 6)]
        ranked = [identifier for identifier in found(faded) if identifier != uid(7)]
        assert set(ranked[:2]) == {uid(3), uid(4)} and ranked[2:4] == [uid(2), uid(1)]
        assert set(ranked[4:]) == {uid(0), uid(5), uid(6)}
        assert found(only) == [uid(0)]
        scores = {hit.point.id: hit.score for hit in faded}
        if mode != "hybrid":
            assert scores[uid(1)] == pytest.approx(0.75 * scores[uid(3)], rel=1e-3)
            assert scores[uid(5)] == pytest.approx(0.5 * scores[uid(3)], rel=1e-3)
        assert {hit.point.id: hit.relevance for hit in faded} == {
            hit.point.id: hit.relevance for hit in usual
        }

    def test_what_meets_conditions_is_counted(self, store: VectorStore) -> None:
        noon = datetime(2026, 6, 15, 12, tzinfo=UTC)
        with store.session(NAME) as session:
            session.upsert(
                [
                    point(0, source="hr", owner="anna", warn_at="2026-06-15T12:00:00Z"),
                    point(1, source="hr", owner="ben", warn_at=None),
                    point(2, source="it", owner="anna", warn_at="2027-01-01T00:00:00Z"),
                ]
            )
            assert session.count() == session.count(ANY) == 3
            assert session.count(Filter(sources=("hr",))) == session.count(Filter(owner="anna")) == 2
            assert session.count(Filter(document_ids=("d0", "d2", "d9"))) == 2
            assert session.count(Filter(fresh_at=noon)) == 1
            assert session.count(Filter(sources=("it",), owner="ben")) == 0

    def test_a_search_by_words_reaches_every_point_that_has_one(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([point(n, "leave" if n % 2 else "policy") for n in range(300)])
            assert session.reached(bm25.query("leave")) == 150
            assert session.reached(bm25.query("leave policy")) == 300

    def test_points_without_one_of_their_vectors_are_listed(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([point(n) for n in range(30)])
            assert session.lacking() == set()
            session.upsert([replace(point(3), dense=None), replace(point(4), sparse=None)])
            session.upsert([replace(point(5), sparse=Sparse([], []))])
            assert session.lacking() == {uid(3), uid(4)}

    def test_what_indexes_are_made_of_is_read_without_the_rest(self, store: VectorStore) -> None:
        metadata: dict[str, Any] = {
            "source": "hr",
            "owner": "Anna",
            "owners": ["anna"],
            "warn_at": "2026-06-15T12:00:00Z",
        }
        with store.session(NAME) as session:
            session.upsert([point(n, **metadata, title="Leave") for n in range(5)])
            read = list(session.indexed(page=2, first=uid(1)))
        assert [p.id for p in read] == [uid(n) for n in range(1, 5)]
        assert read[0].payload == {"metadata": {"document_id": "d1", **metadata}}
        assert read[0].dense is None
        words = point(1).sparse
        assert words is not None and read[0].sparse is not None
        assert set(read[0].sparse.indices) == set(words.indices)
        with store.session(NAME) as session:
            (whole, *_) = session.indexed(page=2, whole=True)
        assert whole.payload == point(0, **metadata, title="Leave").payload
        assert whole.dense is None and whole.sparse is not None

    def test_the_relevance_of_a_hybrid_hit_is_its_cosine_however_it_was_found(
        self, store: VectorStore
    ) -> None:
        with store.session(NAME) as session:
            session.upsert([point(n, "leave" if n % 9 == 0 else "policy") for n in range(250)])
            question = bm25.query("leave")
            hits = session.search(mode="hybrid", dense=dense(7), sparse=question, limit=250, where=ANY)
            near = session.search(mode="dense", dense=dense(7), sparse=None, limit=100, where=ANY)
        by_words = set(found(hits)) - set(found(near))
        assert by_words
        for hit in hits:
            expected = max(0.0, cosine(dense(7), dense(uuid.UUID(hit.point.id).int)))
            assert hit.relevance == pytest.approx(expected, abs=1e-6), hit.point.id in by_words

    def test_a_sound_collection_has_no_faults(self, store: VectorStore) -> None:
        assert store.faults(NAME) == []
        instants = [None, "2026-06-15T12:00:00Z", "2027-01-01T00:00:00.000001Z", rfc3339(NEVER)]
        points = [
            point(n, source=f"s{n % 2}", owner=f"o{n % 5}", warn_at=instants[n % 4]) for n in range(700)
        ]
        with store.session(NAME) as session:
            session.upsert(points)
            session.upsert([Point(uid(800), {"text": "of somebody else"}, dense(1), Sparse([], []))])
            session.delete([uid(n) for n in range(50)])
        assert store.faults(NAME) == []
        stopped = threading.Event()
        stopped.set()
        assert store.faults(NAME, stopped) == []

    def test_points_are_handed_on_while_they_are_examined(
        self, store: VectorStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("index.store.examine.PAGE", 300)
        written = [point(n, f"leave {n} \u2028 {'policy ' * 300}") for n in range(700)]
        odd = Point(uid(800), ODD, dense(1), Sparse([], []))
        with store.session(NAME) as session:
            session.upsert([*written, odd])
        pages: list[list[Point]] = []
        assert store.faults(NAME, each=lambda points: pages.append(list(points))) == []
        handed = [each for page in pages for each in page]
        assert handed == [Point(each.id, each.payload) for each in (*written, odd)]
        assert [digest(each.payload) for each in handed] == [digest(each.payload) for each in (*written, odd)]

    def test_a_failure_of_the_taker_of_points_ends_the_examination(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([point(n) for n in range(20)])

        def fail(points: Sequence[Point]) -> None:
            raise LookupError(f"{len(points)} points")

        with pytest.raises(LookupError, match=r"^20 points$"):
            store.faults(NAME, each=fail)
        with store.session(NAME) as session:
            assert session.count() == 20

    def test_a_purge_keeps_what_is_left_and_claims_no_more_than_it_saw(
        self, opened: Opened, store: VectorStore
    ) -> None:
        with pytest.raises(StoreError, match="no collection 'kb-2'"):
            store.purge("kb-2")
        empty = store.purge(NAME)
        with store.session(NAME) as session:
            session.upsert([point(n, f"text{n} words") for n in range(30)])
            session.upsert([point(4, "replaced words")])
            session.delete([uid(n) for n in range(0, 30, 3)])
            before = list(session.scroll(vectors=True))
        first, again = store.purge(NAME), store.purge(NAME)
        assert (empty.points, first.points, again.points) == (0, 20, 20)
        assert {empty.claim, first.claim, again.claim} == {self.claim}
        assert first.evidence.endswith(".")
        assert [*first.json()] == ["claim", "evidence", "points", "files", "bytes"]
        assert (first.files > 0, first.bytes > 0) == (self.claim == "purged",) * 2
        with opened_again(store, opened).session(NAME) as session:
            assert list(session.scroll(vectors=True)) == before
            session.upsert([point(0)])
            assert session.count() == 21

    def test_a_search_finds_at_most_as_many_as_asked_for(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            assert session.search(mode="dense", dense=dense(1), sparse=None, limit=3, where=ANY) == []
            session.upsert([point(n) for n in range(150)])
            for mode in ("dense", "sparse", "hybrid"):
                for limit in (0, 1, 10, 120, 200):
                    hits = session.search(
                        mode=mode, dense=dense(1), sparse=bm25.query("words"), limit=limit, where=ANY
                    )
                    assert len(set(found(hits))) == len(hits) == min(limit, 150), (mode, limit)

    def test_a_question_without_words_matches_nothing_by_words(self, store: VectorStore) -> None:
        with store.session(NAME) as session:
            session.upsert([point(1)])
            assert session.search(mode="sparse", dense=None, sparse=bm25.query("…"), limit=3, where=ANY) == []

    def test_a_mode_without_its_vector_is_an_error_of_the_caller(self, store: VectorStore) -> None:
        with store.session(NAME) as session, pytest.raises(ConfigError, match="'hybrid'"):
            session.search(mode="hybrid", dense=dense(1), sparse=None, limit=3, where=ANY)


def opened_again(store: VectorStore, opened: Opened) -> VectorStore:
    store.close()
    return opened()


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
