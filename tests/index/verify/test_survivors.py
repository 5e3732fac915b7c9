"""Of a damaged document, repair takes the text that its payloads prove, and no other."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from index import payload
from index.chunk.chunker import compose
from index.model import Chunk, Point, Sparse, State, digest, point_id
from index.payload import Passage
from index.records import ChunkRecord, Document
from index.verify.survivors import Survivors

WHEN = datetime(2026, 5, 1, tzinfo=UTC)
TEXTS = ("Alpha.\n\n", "Beta.\n\n", "Again.\n\n", "Again.\n\n", "| 7 | row |\n\n")
#: The last chunk continues a table, whose header row was embedded with it and is not in its text.
HEADER = "| n | what |\n|---|---|\n"
MODEL = "a model"


class Written:
    """One document as it was written. Tests take away, add and alter."""

    def __init__(self) -> None:
        self.document = Document(
            "the-document", "docs", "a.md", State.INDEXED, title="Title", url="file:///a.md",
            owner="user:anna", content_type="text/markdown", language="en", version=3, indexed_at=WHEN,
            extraction_fingerprint="extraction", content_hash="content", seen_hash="content", token="1-2-3",
            chunk_count=len(TEXTS),
        )  # fmt: skip
        self.records: list[ChunkRecord] = []
        self.points: dict[str, Point] = {}
        seen: Counter[str] = Counter()
        for index, text in enumerate(TEXTS):
            record, point = written(self.document, index, text, seen[text])
            seen[text] += 1
            self.records.append(record)
            self.points[point.id] = point

    def survivors(self, document: Document | None) -> Survivors:
        return Survivors("the-document", MODEL, document, self.records, self.points)

    def texts(self) -> tuple[str, ...]:
        return tuple(chunk.text for chunk in self.survivors(self.document).chunks(self.document))

    def say(self, index: int, **metadata: Any) -> None:
        """Alter what the payload of a chunk says."""
        point = self.point(index)
        altered = {**point.payload, "metadata": {**point.payload["metadata"], **metadata}}
        self.points[point.id] = replace(point, payload=altered)

    def point(self, index: int) -> Point:
        return self.points[self.records[index].point_id]

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
def sound() -> Written:
    return Written()


# ── Chunks ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sound_document_is_given_as_it_was_written(sound: Written) -> None:
    chunks = sound.survivors(sound.document).chunks(sound.document)
    assert sound.texts() == TEXTS
    assert [c.embedded_hash for c in chunks] == [record.embedded_hash for record in sound.records]
    assert [(c.page, c.tokens, c.heading_path) for c in chunks] == [
        (record.page, record.tokens, ("Heading",)) for record in sound.records
    ]


def test_what_is_said_beside_a_text_is_told_by_the_rows(sound: Written) -> None:
    """With what they say the payload has the digest that the ledger keeps."""
    before = sound.survivors(sound.document).chunks(sound.document)
    sound.say(1, page=99, chunk_index=99, owner="user:mallory")
    assert sound.survivors(sound.document).chunks(sound.document) == before


@pytest.mark.parametrize("columns", [{"page": 9}, {"chunk_index": 99}, {"embedded_hash": "0" * 64}])
def test_what_a_row_says_of_a_chunk_is_told_by_its_payload(sound: Written, columns: dict[str, Any]) -> None:
    before = sound.survivors(sound.document).chunks(sound.document)
    sound.note(1, **columns)
    assert sound.survivors(sound.document).chunks(sound.document) == before


@pytest.mark.parametrize("index", range(len(TEXTS)))
def test_a_text_is_not_taken_when_its_digest_is_lost_although_its_id_follows(
    sound: Written, index: int
) -> None:
    sound.note(index, payload_digest="0" * 64)
    assert sound.texts() == TEXTS[:index] + TEXTS[index + 1 :]


@pytest.mark.parametrize("index", range(len(TEXTS)))
def test_a_text_that_was_altered_is_not_taken_although_another_chunk_has_it(
    sound: Written, index: int
) -> None:
    point = sound.point(index)
    sound.points[point.id] = replace(point, payload={**point.payload, "page_content": "What nobody wrote."})
    assert sound.texts() == TEXTS[:index] + TEXTS[index + 1 :]


def test_a_point_that_the_ledger_does_not_know_is_not_taken(sound: Written) -> None:
    sound.records.pop(1)
    assert sound.texts() == TEXTS[:1] + TEXTS[2:]


def test_a_row_that_was_given_to_another_document_proves_nothing(sound: Written) -> None:
    record, point = written(replace(sound.document, document_id="another"), 1, "Of another.\n\n")
    sound.points[point.id] = point
    sound.records.insert(0, replace(record, document_id="the-document"))
    assert sound.texts() == TEXTS


def test_a_chunk_whose_vector_is_lost_is_embedded_as_it_can_be_composed(sound: Written) -> None:
    point = sound.point(4)
    sound.points[point.id] = replace(point, dense=None)
    last = sound.survivors(sound.document).chunks(sound.document)[-1]
    plain = Chunk(last.text, last.embedded_text, last.heading_path, last.page, last.tokens)
    assert last.embedded_hash == plain.embedded_hash != sound.records[4].embedded_hash


# ── The row ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", [State.INDEXED, State.HELD, State.QUARANTINED])
def test_an_altered_row_is_told_by_the_payloads(sound: Written, state: State) -> None:
    known = replace(sound.document, state=state, owner_source="rule", size=5)
    altered = replace(known, uri="ghost.md", owner="user:mallory", indexed_at=None, deleted_at=WHEN)
    assert sound.survivors(altered).row() == known
    assert sound.survivors(known).row() == known


def test_a_payload_that_is_not_as_it_was_written_tells_nothing(sound: Written) -> None:
    for index in range(len(TEXTS)):
        sound.say(index, owner="user:mallory")
    assert sound.survivors(sound.document).row() == sound.document
    assert sound.survivors(None).row() is None


def test_one_payload_that_agrees_is_enough(sound: Written) -> None:
    """A row whose chunks were written under another one would have no text of its own."""
    other = replace(sound.document, owner="user:mallory")
    body = payload.build(other, payload.passage(sound.point(0).payload))
    sound.points[sound.records[0].point_id] = replace(sound.point(0), payload=body)
    sound.note(0, payload_digest=digest(body))
    assert sound.survivors(sound.document).row() == sound.document


def test_a_row_that_is_lost_is_told_by_the_payloads(sound: Written) -> None:
    # It is looked at again: nothing tells its token.
    assert sound.survivors(None).row() == replace(sound.document, token=None, version=1)


def test_a_row_that_is_lost_is_not_told_by_points_that_the_ledger_does_not_know(sound: Written) -> None:
    sound.records.clear()
    assert sound.survivors(None).row() is None


@pytest.mark.parametrize("state", [State.DELETED, State.ERASED])
def test_what_was_deleted_or_erased_does_not_come_back(sound: Written, state: State) -> None:
    assert sound.survivors(replace(sound.document, state=state, deleted_at=WHEN)).row() is None
