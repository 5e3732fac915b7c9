"""Recovery's decisions about the points of an intent that was not committed, as tables: no store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from index import payload
from index.model import Action, Point, Sparse, State, digest
from index.payload import Passage
from index.records import ChunkRecord, Document, Intent
from index.sync.recover import as_committed, distrust, shared, uncommitted

DOCUMENT = Document("d1", "docs", "a.md", State.INDEXED, version=1, title="Leave", chunk_count=1)
PASSAGE = Passage("Thirty days.", ("Leave",), 3, 0)
SPARSE = Sparse([1], [0.5])


def point(document: Document = DOCUMENT, passage: Passage = PASSAGE, dense: float = 1.0) -> Point:
    return Point("p1", payload.build(document, passage), [dense], SPARSE)


RECORD = ChunkRecord(
    "p1",
    "d1",
    0,
    "h1",
    digest(point().payload),
    page=3,
    vector_digest=payload.vector_digest(point()),
)


def records(*ids: str) -> list[ChunkRecord]:
    return [replace(RECORD, point_id=name) for name in ids]


@pytest.mark.parametrize(
    ("intended", "committed", "gone", "both"),
    [
        ("", "", "", ""),
        ("ab", "", "ab", ""),
        ("ab", "ab", "", "ab"),
        ("bc", "ab", "c", "b"),
        ("", "ab", "", ""),
        ("cd", "ab", "cd", ""),
    ],
)
def test_points_of_an_intent_go_unless_the_committed_version_has_them(
    intended: str, committed: str, gone: str, both: str
) -> None:
    intent = Intent(Action.UPDATE, DOCUMENT, tuple(records(*intended)))
    assert uncommitted(intent, records(*committed)) == list(gone)
    assert [record.point_id for record in shared(intent, records(*committed))] == list(both)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(point(), id="as it was committed"),
        pytest.param(
            point(replace(DOCUMENT, uri="b.md", title="Vacation")), id="with the new version's payload"
        ),
        pytest.param(
            point(passage=replace(PASSAGE, page=4, chunk_index=7)), id="at another place of the text"
        ),
    ],
)
def test_a_shared_point_is_written_as_it_was_committed(found: Point) -> None:
    assert as_committed(DOCUMENT, [RECORD], {"p1": found}) == [point()]


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(None, id="gone"),
        pytest.param(point(dense=2.0), id="another vector"),
        pytest.param(replace(point(), sparse=None), id="a vector is lost"),
        pytest.param(replace(point(), payload={"foreign": True}), id="no payload of freshkb"),
        pytest.param(point(passage=replace(PASSAGE, text="Forty days.")), id="another text"),
    ],
)
def test_what_the_store_has_lost_is_not_made_up(found: Point | None) -> None:
    assert as_committed(DOCUMENT, [RECORD], {"p1": found} if found else {}) is None


def test_one_point_that_is_lost_makes_the_document_unsound() -> None:
    other = replace(RECORD, point_id="p2")
    assert as_committed(DOCUMENT, [RECORD, other], {"p1": point()}) is None
    assert as_committed(DOCUMENT, [], {}) == []


def test_a_distrusted_document_is_looked_at_again_and_keeps_its_hash() -> None:
    seen = replace(DOCUMENT, seen_hash="h", seen_extraction="x1", extraction_fingerprint="x1")
    doubted, unsound = distrust(seen, sound=True), distrust(seen, sound=False)
    assert (doubted.seen_hash, doubted.seen_extraction, doubted.extraction_fingerprint) == ("h", "", "x1")
    assert (unsound.seen_hash, unsound.seen_extraction, unsound.extraction_fingerprint) == ("h", "", "")
