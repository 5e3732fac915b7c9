"""What is left of a damaged document is proven, and what is not proven is not taken."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from index import payload
from index.chunk import compose
from index.model import Chunk, ChunkRecord, Document, Point, Sparse, State, digest, point_id
from index.payload import Passage
from index.salvage import Remains

WHEN = datetime(2026, 5, 1, tzinfo=UTC)
TEXTS = ("Alpha.\n\n", "Beta.\n\n", "Again.\n\n", "Again.\n\n", "| 7 | row |\n\n")
#: The last chunk continues a table, whose header row was embedded with it and is not in its text.
HEADER = "| n | what |\n|---|---|\n"
MODEL = "a model"


class Written:
    """One document as it was written. Tests take away, add and alter."""

    def __init__(self, **row: Any) -> None:
        said = {
            "source": "docs",
            "uri": "a.md",
            "title": "Title",
            "url": "file:///a.md",
            "owner": "user:anna",
        }
        told = {"content_type": "text/markdown", "language": "en", "extraction_fingerprint": "extraction"}
        told |= {"content_hash": "content", "seen_hash": "content", "token": "1-2-3"}
        whole = {**said, **told, "version": 3, "indexed_at": WHEN, "chunk_count": len(TEXTS), **row}
        self.document = Document("the-document", state=whole.pop("state", State.INDEXED), **whole)
        self.records: list[ChunkRecord] = []
        self.points: dict[str, Point] = {}
        seen: Counter[str] = Counter()
        for index, text in enumerate(TEXTS):
            record, point = written(self.document, index, text, seen[text])
            seen[text] += 1
            self.records.append(record)
            self.points[point.id] = point

    def remains(self, document: Document | None) -> Remains:
        return Remains("the-document", MODEL, document, self.records, self.points)

    def texts(self, row: Document | None = None) -> tuple[str, ...]:
        row = row or self.document
        return tuple(chunk.text for chunk in self.remains(row).chunks(row))

    def say(self, index: int, **metadata: Any) -> None:
        """Alter what the payload of a chunk says."""
        point = self.point(index)
        altered = {**point.payload, "metadata": {**point.payload["metadata"], **metadata}}
        self.points[point.id] = replace(point, payload=altered)

    def point(self, index: int) -> Point:
        return self.points[self.records[index].point_id]

    def lose(self, index: int) -> None:
        del self.points[self.records[index].point_id]

    def note(self, index: int, **columns: Any) -> None:
        """Alter what the ledger says of a chunk."""
        self.records[index] = replace(self.records[index], **columns)


def written(document: Document, index: int, text: str, occurrence: int = 0) -> tuple[ChunkRecord, Point]:
    embedded = compose(document.title, ("Heading",), (HEADER if text.startswith("|") else "") + text)
    hashed = Chunk(text, embedded, ("Heading",), index + 1, 5).embedded_hash
    name = point_id(document.document_id, hashed, occurrence, MODEL)
    body = payload.build(document, Passage(text, ("Heading",), index + 1, index))
    point = Point(name, body, [float(index), 1.0], Sparse([index], [1.0]))
    record = ChunkRecord(name, document.document_id, index, hashed, digest(body), index + 1, 5)
    return replace(record, vector_digest=payload.vector_digest(point)), point


@pytest.fixture
def whole() -> Written:
    return Written()


# ── Chunks ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_whole_document_is_given_as_it_was_written(whole: Written) -> None:
    chunks = whole.remains(whole.document).chunks(whole.document)
    assert whole.texts() == TEXTS
    assert [c.embedded_hash for c in chunks] == [record.embedded_hash for record in whole.records]
    assert [(c.page, c.tokens, c.heading_path) for c in chunks] == [
        (record.page, record.tokens, ("Heading",)) for record in whole.records
    ]


@pytest.mark.parametrize("index", range(len(TEXTS)))
def test_what_is_said_beside_a_text_is_told_by_the_rows(whole: Written, index: int) -> None:
    before = whole.remains(whole.document).chunks(whole.document)
    whole.say(index, page=99, chunk_index=99, owner="user:mallory")
    assert whole.remains(whole.document).chunks(whole.document) == before


@pytest.mark.parametrize("columns", [{"page": 9}, {"chunk_index": 99}, {"embedded_hash": "0" * 64}])
def test_what_a_row_says_of_a_chunk_is_told_by_its_payload(whole: Written, columns: dict[str, Any]) -> None:
    before = whole.remains(whole.document).chunks(whole.document)
    whole.note(1, **columns)
    assert whole.remains(whole.document).chunks(whole.document) == before


@pytest.mark.parametrize("index", range(4))
def test_the_id_proves_a_text_whose_digest_is_lost(whole: Written, index: int) -> None:
    whole.note(index, payload_digest="0" * 64)
    assert whole.texts() == TEXTS


def test_the_id_proves_a_text_whose_row_says_nothing_right(whole: Written) -> None:
    whole.note(1, payload_digest="0" * 64, embedded_hash="0" * 64, vector_digest="0" * 64, page=None)
    assert whole.texts() == TEXTS


@pytest.mark.parametrize("index", range(len(TEXTS)))
def test_a_text_that_nothing_proves_is_not_taken(whole: Written, index: int) -> None:
    point = whole.point(index)
    whole.points[point.id] = replace(point, payload={**point.payload, "page_content": "What nobody wrote."})
    left = whole.texts()
    # One that occurs twice is told by its twin.
    assert left == (TEXTS if index in (2, 3) else TEXTS[:index] + TEXTS[index + 1 :])


def test_a_twin_gives_its_text_and_not_its_page_and_place(whole: Written) -> None:
    before = whole.remains(whole.document).chunks(whole.document)
    whole.lose(2)
    again = whole.remains(whole.document).chunks(whole.document)
    assert [(c.text, c.page) for c in again] == [(c.text, c.page) for c in before]


def test_a_row_that_does_not_prove_its_hash_has_no_twin(whole: Written) -> None:
    whole.lose(0)
    whole.note(0, embedded_hash=whole.records[1].embedded_hash)
    assert whole.texts() == TEXTS[1:]


def test_a_proven_row_goes_before_another_of_its_place(whole: Written) -> None:
    record, point = written(replace(whole.document, document_id="forged"), 1, "Forged.\n\n")
    whole.points[point.id] = point
    whole.records.insert(0, replace(record, document_id="the-document"))
    assert whole.texts() == TEXTS


def test_a_chunk_whose_vector_is_lost_is_embedded_as_it_can_be_composed(whole: Written) -> None:
    point = whole.point(4)
    whole.points[point.id] = replace(point, dense=None)
    last = whole.remains(whole.document).chunks(whole.document)[-1]
    plain = Chunk(last.text, last.embedded_text, last.heading_path, last.page, last.tokens)
    assert last.embedded_hash == plain.embedded_hash != whole.records[4].embedded_hash


# ── Points whose rows are lost ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("index", range(4))
def test_a_point_whose_row_is_lost_is_taken_into_its_place(whole: Written, index: int) -> None:
    record = whole.records.pop(index)
    chunks = whole.remains(whole.document).chunks(whole.document)
    assert tuple(chunk.text for chunk in chunks) == TEXTS
    assert chunks[index].embedded_hash == record.embedded_hash
    assert chunks[index].page == record.page


def test_all_rows_may_be_lost(whole: Written) -> None:
    whole.records.clear()
    # But that of which only the row tells what was embedded.
    assert whole.texts() == TEXTS[:4]


@pytest.mark.parametrize("known", [True, False])
def test_an_occurrence_is_counted_by_whatever_is_left(whole: Written, known: bool) -> None:
    """The second of two equal texts has an id of its own, however few rows or points there are beside it."""
    second = whole.records[3]
    del whole.records[:]
    if known:
        whole.points = {second.point_id: whole.points[second.point_id]}
        assert whole.texts() == ("Again.\n\n",)
    else:
        assert whole.texts(replace(whole.document, chunk_count=0)) == TEXTS[:4]


def test_an_occurrence_is_counted_by_rows_when_their_points_are_lost(whole: Written) -> None:
    for index in (0, 1, 2, 4):
        whole.lose(index)
    whole.note(3, payload_digest="0" * 64)
    assert whole.texts(replace(whole.document, chunk_count=0)) == TEXTS[2:4]


@pytest.mark.parametrize("title", [None, 5, "Another"])
def test_a_point_without_a_row_is_not_taken_when_its_title_is_altered(whole: Written, title: object) -> None:
    whole.say(1, title=title)
    whole.records.pop(1)
    assert whole.texts() == TEXTS[:1] + TEXTS[2:]


@pytest.mark.parametrize("text", ["What nobody wrote.", None, 5])
def test_a_point_without_a_row_is_not_taken_when_its_text_is_altered(whole: Written, text: object) -> None:
    point = whole.point(1)
    whole.points[point.id] = replace(point, payload={**point.payload, "page_content": text})
    whole.records.pop(1)
    assert whole.texts() == TEXTS[:1] + TEXTS[2:]


@pytest.mark.parametrize("row", [{"content_hash": "older"}, {"extraction_fingerprint": "older"}])
def test_a_point_of_another_version_is_not_taken(whole: Written, row: dict[str, Any]) -> None:
    _, older = written(replace(whole.document, **row), 0, "Older.\n\n")
    whole.points[older.id] = older
    whole.lose(0)
    assert whole.texts() == TEXTS[1:]


def test_a_point_without_a_row_takes_the_place_of_no_other(whole: Written) -> None:
    whole.say(1, chunk_index=0)
    whole.records.pop(1)
    assert whole.texts() == TEXTS[:1] + TEXTS[2:]


# ── The row ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", [State.INDEXED, State.HELD, State.QUARANTINED])
def test_an_altered_row_is_told_by_the_payloads(whole: Written, state: State) -> None:
    known = replace(whole.document, state=state)
    altered = replace(known, uri="ghost.md", owner="user:mallory", indexed_at=None, deleted_at=WHEN)
    assert whole.remains(altered).row() == known
    assert whole.remains(known).row() == known


def test_what_no_payload_tells_stays(whole: Written) -> None:
    known = replace(whole.document, owner_source="rule", size=5)
    assert whole.remains(known).row() == known


def test_a_payload_that_is_not_as_it_was_written_tells_nothing(whole: Written) -> None:
    for index in range(len(TEXTS)):
        whole.say(index, owner="user:mallory")
    assert whole.remains(whole.document).row() == whole.document


def test_one_payload_that_agrees_is_enough(whole: Written) -> None:
    """A row whose chunks were written under another one would have no text of its own."""
    other = replace(whole.document, owner="user:mallory")
    body = payload.build(other, payload.passage(whole.point(0).payload))
    whole.points[whole.records[0].point_id] = replace(whole.point(0), payload=body)
    whole.note(0, payload_digest=digest(body))
    assert whole.remains(whole.document).row() == whole.document


def test_the_payload_of_another_document_tells_nothing(whole: Written) -> None:
    record, point = written(replace(whole.document, document_id="another", uri="b.md"), 0, "Other.\n\n")
    whole.records, whole.points = [record], {point.id: point}
    assert whole.remains(whole.document).row() == whole.document


def test_a_row_that_is_lost_is_told_by_the_payloads(whole: Written) -> None:
    # It is looked at again: nothing tells its token.
    assert whole.remains(None).row() == replace(whole.document, token=None, version=1)


def test_a_document_that_has_points_is_not_gone(whole: Written) -> None:
    gone = replace(whole.document, state=State.DELETED, deleted_at=WHEN, reason="gone", seen_hash="other")
    assert whole.remains(gone).row() == replace(whole.document, token=None)
    whole.records.clear()
    assert whole.remains(gone).row() is None


def test_what_was_erased_does_not_come_back(whole: Written) -> None:
    assert whole.remains(replace(whole.document, state=State.ERASED)).row() is None


def test_a_document_without_any_row_is_told_by_the_newest_of_its_points(whole: Written) -> None:
    _, older = written(replace(whole.document, indexed_at=WHEN.replace(year=2025)), 7, "Older.\n\n")
    whole.records.clear()
    whole.points = {older.id: older, **whole.points}
    assert whole.remains(None).row() == replace(whole.document, token=None, version=1)


def test_a_point_without_a_row_is_heard_after_those_that_have_one(whole: Written) -> None:
    whole.say(1, owner="user:mallory", indexed_at="2030-01-01T00:00:00Z")
    whole.records.pop(1)
    assert whole.remains(None).row() == replace(whole.document, token=None, version=1)


@pytest.mark.parametrize("metadata", [{"indexed_at": None}, {"warn_at": "soon"}, {"stale_at": 5}])
def test_a_point_that_does_not_tell_all_leaves_it_to_the_others(
    whole: Written, metadata: dict[str, Any]
) -> None:
    whole.records.clear()
    for name in list(whole.points)[1:3]:
        del whole.points[name]
    first = next(iter(whole.points.values()))
    said = {**first.payload["metadata"], **metadata}
    if "indexed_at" in metadata:
        del said["owner"]
    whole.points[first.id] = replace(first, payload={**first.payload, "metadata": said})
    assert whole.remains(None).row() == replace(whole.document, token=None, version=1)


def test_nothing_tells_of_a_document_that_has_neither_row_nor_proof(whole: Written) -> None:
    whole.records.clear()
    for name, point in whole.points.items():
        whole.points[name] = replace(point, payload={**point.payload, "page_content": "What nobody wrote."})
    assert whole.remains(None).row() is None
