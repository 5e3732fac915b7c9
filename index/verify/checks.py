"""The checks of verify: defects of a point, a row or the ledger, found from their other parts.

Pure: values in, defects out. `index.verify.compare` asks ledger, store and sources for the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, Literal, NamedTuple

from index import payload
from index.ledger import LogEntry
from index.model import LIVE, Point, State, digest, point_id
from index.parse.formats import CONTENT_TYPES
from index.records import ChunkRecord, Collection, Document, Review

Kind = Literal["missing", "extra", "altered", "outdated"]


class Defect(NamedTuple):
    kind: Kind
    what: str
    """The defect in words."""


# ── A point ───────────────────────────────────────────────────────────────────────────────────────────


def judge_point(
    record: ChunkRecord,
    point: Point | None,
    document: Document | None,
    shared: Mapping[str, Any],
    ids: Ids,
    *,
    vectors: bool = True,
    deep: bool = False,
    ordered: bool = False,
) -> Defect | None:
    """None when the point is as the ledger knows it, or is about to be erased. `shared` is `payload.shared`
    of the document, `ids` are those that its points may have. `vectors`: it was read with its vectors.
    `ordered`: an order to erase the document is open."""
    if ordered and document is not None and document.state is State.ERASED:
        # Whether the point is still there is the order's concern.
        return None
    if point is None:
        return Defect("missing", "the store has lost the point")
    if vectors and (point.dense is None or point.sparse is None):
        return Defect("missing", "the point has lost a vector")
    if document is None:
        return Defect("altered", "the ledger has the chunk but not its document")
    if document.state not in LIVE:
        return Defect("altered", "the ledger has a chunk of a document that is gone")
    if digest(point.payload) != record.payload_digest:
        return Defect("altered", "the payload has changed since it was written")
    found = payload.passage(point.payload)
    passage = payload.Passage(found.text, found.heading_path, record.page, record.chunk_index)
    if payload.complete(shared, passage) != point.payload:
        return Defect("altered", "the ledger's row does not agree with the payload")
    if not ids.genuine(record):
        return Defect("altered", "the point's id does not follow from its text and model")
    if deep and payload.vector_digest(point) != record.vector_digest:
        return Defect("altered", "a vector has changed since it was written")
    return None


class Ids:
    """The ids that the points of one document may have. Each is computed once: a text may occur a hundred
    thousand times in a document, with an id for each occurrence."""

    def __init__(self, document_id: str, fingerprint: str, most: int) -> None:
        self._document_id = document_id
        self._fingerprint = fingerprint
        self._most = max(most, 1)
        """Most occurrences of a text."""
        self._made: dict[str, set[str]] = {}
        """{hash of a text: ids of its first occurrences}."""

    def genuine(self, record: ChunkRecord) -> bool:
        """Whether the id follows from document, text and model."""
        text = record.embedded_hash
        # Most texts occur once, and are not kept.
        if self._id(text, 0) == record.point_id:
            return True
        made = self._made.setdefault(text, set())
        while record.point_id not in made and len(made) < self._most:
            made.add(self._id(text, len(made)))
        return record.point_id in made

    def _id(self, embedded_hash: str, occurrence: int) -> str:
        return point_id(self._document_id, embedded_hash, occurrence, self._fingerprint)


# ── A document's row ──────────────────────────────────────────────────────────────────────────────────


def judge_row(
    document: Document,
    reviews: Sequence[Review],
    *,
    once_held: bool = False,
    counted: bool = True,
    filed: bool = True,
) -> Defect | None:
    """None when the row does not contradict itself, nor the rows that are about it.

    `once_held`: a hold stands or stood on it. `counted`: it has as many chunks as it says. `filed`: its
    folder is that of its uri.
    """
    committed = document.version > 0
    # A document that could not be read keeps its text, has a reason, and is looked at again.
    indexed, settled = document.state is State.INDEXED, not document.reason
    if document.state is State.HELD and not once_held:
        return Defect("altered", "the ledger has lost the hold that keeps it")
    if review_lost(document, reviews):
        return Defect("altered", "the ledger has lost its review")
    contradictions = (
        document.state not in LIVE,
        document.deleted_at is not None,
        committed != (document.content_hash is not None),
        committed != (document.indexed_at is not None),
        indexed and not committed,
        document.state in (State.PENDING, State.SKIPPED, State.EXPIRED) and committed,
        indexed and settled and document.seen_hash != document.content_hash,
        indexed and settled and document.seen_extraction not in ("", document.extraction_fingerprint),
        indexed and not settled and document.token is not None,
        # Payloads have the type, too, and prove another that an older freshkb wrote.
        committed and not document.chunk_count and document.content_type not in CONTENT_TYPES,
        not isinstance(document.properties, dict),
    )
    if any(contradictions):
        return Defect("altered", "the ledger's row contradicts itself")
    if not counted:
        return Defect("missing", "its number of chunks is not that of its row")
    if not filed:
        return Defect("altered", "the ledger's row names another folder")
    return None


def review_lost(document: Document, reviews: Sequence[Review]) -> bool:
    told = document.reviewed_at
    return told is not None and all(review.at != told for review in reviews)


def judge_rules(document: Document, ruled: Document | None) -> Defect | None:
    """None when the row agrees with the rules in force. `ruled` is the row under these rules; None when it
    cannot be computed."""
    if ruled != document:
        return Defect("altered", "its link, owner or dates do not follow from its rules")
    return None


# ── The ledger as a whole ─────────────────────────────────────────────────────────────────────────────


def judge_collection(row: Collection, configured: Iterable[Collection]) -> Defect | None:
    """None when the row of a collection does not contradict itself. `configured` are the rows that the
    configured model would make, in each precision: a row that is another model's throughout is no defect."""

    def made(c: Collection) -> tuple[str, str, str]:
        return c.model, c.revision, c.dtype

    for other in configured:
        related = made(row) == made(other) or row.embedding_fingerprint == other.embedding_fingerprint
        same = (made(row), row.embedding_fingerprint, row.dimension) == (
            made(other),
            other.embedding_fingerprint,
            other.dimension,
        )
        if related and not same:
            return Defect("altered", f"the ledger's row of collection {row.name} is another")
    return None


class Announced(NamedTuple):
    """Changes that the ledger announced and has not ended, at one moment."""

    intents: Mapping[tuple[str, str], Document]
    """{(run id, document id): the document's next state}."""
    entries: Sequence[LogEntry]
    """Pending entries of the log."""
    removals: Set[str]
    """Point ids."""


class Unfinished(NamedTuple):
    defect: Defect
    point_id: str | None = None
    document_id: str | None = None
    document: Document | None = None


def judge_pending(before: Announced, now: Announced, writing: Set[str]) -> Iterator[Unfinished]:
    """Abandoned changes: announced before and still after the writers were listed (`writing`: their sources),
    and of none of these."""
    for key, document in now.intents.items():
        if key in before.intents and document.source not in writing:
            left = Defect("outdated", "a change of it was left unfinished")
            yield Unfinished(left, None, document.document_id, document)
    for entry in now.entries:
        if entry in before.entries and entry.source not in writing:
            pending = Defect("outdated", "its log entry is still pending")
            yield Unfinished(pending, None, entry.subject)
    if not writing:
        for point in sorted(before.removals & now.removals):
            yield Unfinished(Defect("outdated", "its removal was left unfinished"), point)
