"""The checks of verify, as a table: an alteration, and the defect that names it. No store, no process."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from index import payload
from index.ledger import LogAction, LogEntry
from index.model import Point, Sparse, State, digest, point_id
from index.payload import Passage
from index.records import ChunkRecord, Collection, Document, Review
from index.verify.checks import (
    Announced,
    Defect,
    Ids,
    judge_collection,
    judge_pending,
    judge_point,
    judge_row,
    judge_rules,
)

WHEN = datetime(2026, 5, 1, tzinfo=UTC)
LATER = WHEN + timedelta(days=1)
MODEL = "a model"

DOCUMENT = Document(
    "d", "docs", "a.md", State.INDEXED, token="1-2-3", size=5, native_id="7", version=2, content_hash="c",
    seen_hash="c", seen_extraction="x", extraction_fingerprint="x", title="Title", url="file:///a.md",
    content_type="text/markdown", language="en", owner="user:anna", owners=["user:anna"],
    owner_source="rule", modified_at=WHEN, date_used=WHEN, warn_at=LATER, stale_at=LATER, indexed_at=WHEN,
    chunk_count=2, first_seen_at=WHEN,
)  # fmt: skip
BODY = payload.build(DOCUMENT, Passage("Text.", ("Heading",), 3, 1))
POINT = Point(point_id("d", "hash", 1, MODEL), BODY, [0.5, 1.0], Sparse([4], [1.0]))
RECORD = ChunkRecord(
    POINT.id, "d", 1, "hash", digest(BODY), page=3, tokens=5, vector_digest=payload.vector_digest(POINT)
)


UNWRITTEN = "the payload has changed since it was written"
REVIEW_LOST = Defect("altered", "the ledger has lost its review")


# ── A point ───────────────────────────────────────────────────────────────────────────────────────────


def point_defect(
    record: ChunkRecord = RECORD,
    point: Point | None = POINT,
    document: Document | None = DOCUMENT,
    *,
    deep: bool = False,
    ordered: bool = False,
) -> Defect | None:
    shared = payload.shared(document) if document is not None else {}
    return judge_point(record, point, document, shared, Ids("d", MODEL, 2), deep=deep, ordered=ordered)


def said(**metadata: Any) -> Point:
    return replace(POINT, payload={**BODY, "metadata": {**BODY["metadata"], **metadata}})


@pytest.mark.parametrize("deep", [False, True])
def test_a_point_that_is_as_it_was_written_has_no_defect(deep: bool) -> None:
    assert point_defect(deep=deep) is None


@pytest.mark.parametrize(
    "point, kind, what",
    [
        (None, "missing", "the store has lost the point"),
        (replace(POINT, dense=None), "missing", "the point has lost a vector"),
        (replace(POINT, sparse=None), "missing", "the point has lost a vector"),
        (replace(POINT, dense=None, sparse=None), "missing", "the point has lost a vector"),
        (replace(POINT, payload={}), "altered", UNWRITTEN),
        (replace(POINT, payload={**BODY, "page_content": "x"}), "altered", UNWRITTEN),
        (replace(POINT, payload={**BODY, "doc_id": "x"}), "altered", UNWRITTEN),
        (replace(POINT, payload={**BODY, "secret": "x"}), "altered", UNWRITTEN),
        (said(secret="x"), "altered", UNWRITTEN),
        *(
            (said(**{name: "another"}), "altered", UNWRITTEN)
            for name in BODY["metadata"]
        ),
    ],
)  # fmt: skip
def test_an_altered_point(point: Point | None, kind: str, what: str) -> None:
    assert point_defect(point=point) == (kind, what)


@pytest.mark.parametrize(
    "columns, what",
    [
        ({"payload_digest": "0" * 64}, "the payload has changed since it was written"),
        ({"chunk_index": 55}, "the ledger's row does not agree with the payload"),
        ({"page": 55}, "the ledger's row does not agree with the payload"),
        ({"page": None}, "the ledger's row does not agree with the payload"),
        ({"embedded_hash": "0" * 64}, "the point's id does not follow from its text and model"),
        ({"point_id": "0" * 32}, "the point's id does not follow from its text and model"),
    ],
)
def test_an_altered_row_of_a_chunk(columns: dict[str, Any], what: str) -> None:
    assert point_defect(record=replace(RECORD, **columns)) == ("altered", what)


@pytest.mark.parametrize(
    "columns",
    [
        {"document_id": "another"}, {"source": "notes"}, {"uri": "ghost.md"}, {"url": "file:///other.md"},
        {"title": "Another"}, {"chunk_count": 1234}, {"language": None}, {"content_type": "text/other"},
        {"owner": "user:mallory"}, {"owners": ["user:mallory"]}, {"owners": []}, {"modified_at": LATER},
        {"reviewed_at": LATER}, {"date_used": None}, {"warn_at": WHEN}, {"stale_at": None},
        {"indexed_at": LATER}, {"content_hash": "0" * 64}, {"extraction_fingerprint": "other"},
    ],
)  # fmt: skip
def test_a_row_of_a_document_that_its_payloads_contradict(columns: dict[str, Any]) -> None:
    defect = point_defect(document=replace(DOCUMENT, **columns))
    assert defect == ("altered", "the ledger's row does not agree with the payload")


@pytest.mark.parametrize(
    "document, what",
    [
        (None, "the ledger has the chunk but not its document"),
        (replace(DOCUMENT, state=State.DELETED), "the ledger has a chunk of a document that is gone"),
    ],
)
def test_a_chunk_of_a_document_that_there_is_not(document: Document | None, what: str) -> None:
    assert point_defect(document=document) == ("altered", what)


def test_the_points_of_an_open_order_are_its_own_concern() -> None:
    erased = replace(DOCUMENT, state=State.ERASED)
    assert point_defect(document=erased, ordered=True) is None
    assert point_defect(document=erased, point=None, ordered=True) is None
    assert point_defect(document=erased) is not None
    assert point_defect(document=None, ordered=True) is not None


@pytest.mark.parametrize(
    "record, point",
    [
        (RECORD, replace(POINT, dense=[0.5, 1.0000001])),
        (RECORD, replace(POINT, dense=[1.0, 0.5])),
        (RECORD, replace(POINT, sparse=Sparse([4], [1.01]))),
        (RECORD, replace(POINT, sparse=Sparse([5], [1.0]))),
        (replace(RECORD, vector_digest="0" * 64), POINT),
    ],
)
def test_a_vector_that_was_altered_shows_when_vectors_are_compared(record: ChunkRecord, point: Point) -> None:
    assert point_defect(record, point) is None
    assert point_defect(record, point, deep=True) == ("altered", "a vector has changed since it was written")


@pytest.mark.parametrize(
    "names, follows",
    [
        (("d", "hash", 0, MODEL), True),
        (("d", "hash", 1, MODEL), True),
        (("d", "hash", 2, MODEL), False),
        (("another", "hash", 0, MODEL), False),
        (("d", "other", 0, MODEL), False),
        (("d", "hash", 0, "another model"), False),
    ],
)
def test_an_id_follows_from_document_text_occurrence_and_model(names: Any, follows: bool) -> None:
    assert Ids("d", MODEL, 2).genuine(replace(RECORD, point_id=point_id(*names))) is follows


# ── A document's row ──────────────────────────────────────────────────────────────────────────────────

HELD = replace(DOCUMENT, state=State.HELD, reason="legal hold")
QUARANTINED = replace(
    DOCUMENT, state=State.QUARANTINED, reason="It broke.", seen_hash="other", seen_extraction=""
)
NEVER = Document("d", "docs", "a.json", State.QUARANTINED, "It broke.", seen_hash="h")
SKIPPED = Document("d", "docs", "a.xyz", State.SKIPPED, "No such type.")
EMPTY = replace(DOCUMENT, chunk_count=0)
RETRIED = replace(DOCUMENT, reason="Not now.", token=None, seen_extraction="")


@pytest.mark.parametrize("document", [DOCUMENT, QUARANTINED, NEVER, SKIPPED, EMPTY, RETRIED])
def test_a_row_that_agrees_with_itself_has_no_defect(document: Document) -> None:
    assert judge_row(document, []) is None


def test_a_row_that_agrees_with_its_review_and_its_hold_has_no_defect() -> None:
    reviews = [Review("d", "anna", "", LATER), Review("d", "bo", "", WHEN)]
    assert judge_row(replace(DOCUMENT, reviewed_at=WHEN), reviews) is None
    assert judge_row(HELD, [], once_held=True) is None


@pytest.mark.parametrize(
    "document, columns",
    [
        (DOCUMENT, {"state": State.DELETED}), (DOCUMENT, {"state": State.ERASED}),
        (DOCUMENT, {"state": State.PENDING}), (DOCUMENT, {"state": State.SKIPPED}),
        (DOCUMENT, {"deleted_at": WHEN}), (DOCUMENT, {"version": 0}), (DOCUMENT, {"content_hash": None}),
        (DOCUMENT, {"indexed_at": None}), (DOCUMENT, {"seen_hash": "0" * 64}),
        (DOCUMENT, {"content_hash": "0" * 64}), (DOCUMENT, {"seen_extraction": "other"}),
        (DOCUMENT, {"properties": []}), (DOCUMENT, {"reason": "Without one."}),
        (NEVER, {"state": State.INDEXED}), (NEVER, {"version": 1}), (NEVER, {"content_hash": "c"}),
        (SKIPPED, {"state": State.INDEXED}), (SKIPPED, {"version": 1}), (QUARANTINED, {"version": 0}),
        (EMPTY, {"content_type": "text/markdoun"}), (EMPTY, {"content_type": ""}),
    ],
)  # fmt: skip
def test_a_row_that_contradicts_itself(document: Document, columns: dict[str, Any]) -> None:
    defect = judge_row(replace(document, **columns), [])
    assert defect == ("altered", "the ledger's row contradicts itself")


@pytest.mark.parametrize(
    "document, reviews, known, expected",
    [
        (HELD, [], {}, ("altered", "the ledger has lost the hold that keeps it")),
        (replace(DOCUMENT, reviewed_at=WHEN), [], {}, REVIEW_LOST),
        (
            replace(DOCUMENT, reviewed_at=WHEN), [Review("d", "anna", "", LATER)], {},
            REVIEW_LOST,
        ),
        (DOCUMENT, [], {"counted": False}, ("missing", "its number of chunks is not that of its row")),
        (DOCUMENT, [], {"filed": False}, ("altered", "the ledger's row names another folder")),
    ],
)  # fmt: skip
def test_a_row_that_other_rows_contradict(
    document: Document, reviews: list[Review], known: dict[str, bool], expected: tuple[str, str]
) -> None:
    assert judge_row(document, reviews, **known) == expected


@pytest.mark.parametrize("ruled", [None, replace(DOCUMENT, owner="user:bo"), replace(DOCUMENT, warn_at=None)])
def test_a_row_that_its_rules_contradict(ruled: Document | None) -> None:
    assert judge_rules(DOCUMENT, DOCUMENT) is None
    assert judge_rules(DOCUMENT, ruled) == (
        "altered",
        "its link, owner or dates do not follow from its rules",
    )


# ── The ledger as a whole ─────────────────────────────────────────────────────────────────────────────

CONFIGURED = [
    Collection("", f"fingerprint of {dtype}", "a/model", "main", dtype, 384, "")
    for dtype in ("float32", "bfloat16")
]
COLLECTION = replace(CONFIGURED[0], name="kb-1", state="current", created_at=WHEN)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"dtype": "bfloat16", "embedding_fingerprint": "fingerprint of bfloat16"},
        {"model": "b/model", "revision": "r", "embedding_fingerprint": "of another", "dimension": 7},
        {"revision": "r", "embedding_fingerprint": "of another revision"},
    ],
)
def test_a_collection_of_the_configured_model_or_of_another_has_no_defect(columns: dict[str, Any]) -> None:
    assert judge_collection(replace(COLLECTION, **columns), CONFIGURED) is None


@pytest.mark.parametrize(
    "columns",
    [
        {"embedding_fingerprint": "another"}, {"model": "another/model"}, {"revision": "another"},
        {"dtype": "bfloat16"}, {"dtype": "none"}, {"dimension": 7},
        {"embedding_fingerprint": "fingerprint of bfloat16"},
    ],
)  # fmt: skip
def test_a_row_of_a_collection_that_contradicts_itself(columns: dict[str, Any]) -> None:
    defect = judge_collection(replace(COLLECTION, **columns), CONFIGURED)
    assert defect == ("altered", "the ledger's row of collection kb-1 is another")


NOTHING = Announced({}, [], set())
INTENT = Announced({("run", "d"): DOCUMENT}, [], set())
EVENT = Announced({}, [LogEntry(WHEN, LogAction.UPDATED, "docs", "d")], set())
REMOVAL = Announced({}, [], {"p"})


@pytest.mark.parametrize(
    "before, now, writing, expected",
    [
        (INTENT, INTENT, set(), [("a change of it was left unfinished", None, "d")]),
        (INTENT, INTENT, {"notes"}, [("a change of it was left unfinished", None, "d")]),
        (INTENT, INTENT, {"docs"}, []),
        (INTENT, NOTHING, set(), []),
        (NOTHING, INTENT, set(), []),
        (INTENT, Announced({("another run", "d"): DOCUMENT}, [], set()), set(), []),
        (EVENT, EVENT, set(), [("its log entry is still pending", None, "d")]),
        (EVENT, EVENT, {"docs"}, []),
        (EVENT, NOTHING, set(), []),
        (NOTHING, EVENT, set(), []),
        (REMOVAL, REMOVAL, set(), [("its removal was left unfinished", "p", None)]),
        # Nothing says of which source a removal is.
        (REMOVAL, REMOVAL, {"notes"}, []),
        (REMOVAL, NOTHING, set(), []),
        (NOTHING, REMOVAL, set(), []),
    ],
)
def test_what_was_begun_and_is_not_ended_by_a_living_writer(
    before: Announced, now: Announced, writing: set[str], expected: list[tuple[str, str | None, str | None]]
) -> None:
    found = list(judge_pending(before, now, writing))
    assert [(left.defect.what, left.point_id, left.document_id) for left in found] == expected
    assert {left.defect.kind for left in found} <= {"outdated"}
