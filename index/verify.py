"""Compare source, ledger and store, name every difference, and mend it.

Ledger and store are merged point by point in order of id. A point's payload is not only held against the
digest that the ledger keeps, it is also built again from the document's row, so that an altered row shows
as well. The source is compared by planning for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal

from index import payload
from index.mirror import Mirror, require_collection
from index.model import LIVE, Action, ChunkRecord, Collection, Document, Point, State, digest, point_id
from index.store.base import Session
from index.sync import known_sources, plan

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `what` says it in words."""

    what: str
    point_id: str | None = None
    document_id: str | None = None
    source: str | None = None
    uri: str | None = None

    def json(self) -> dict[str, Any]:
        parts = {
            "what": self.what,
            "point_id": self.point_id,
            "document_id": self.document_id,
            "source": self.source,
            "uri": self.uri,
        }
        return {name: value for name, value in parts.items() if value is not None}


@dataclass(slots=True)
class Verification:
    """What was compared and what was found."""

    documents: int = 0
    points: int = 0
    missing: list[Finding] = field(default_factory=list)
    extra: list[Finding] = field(default_factory=list)
    altered: list[Finding] = field(default_factory=list)
    outdated: list[Finding] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """Sources that could not be listed completely."""
    repaired: int = 0

    @property
    def findings(self) -> int:
        return len(self.missing) + len(self.extra) + len(self.altered) + len(self.outdated)

    @property
    def ok(self) -> bool:
        return not self.findings and not self.errors

    def json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "documents": self.documents,
            "points": self.points,
            **{
                name: [finding.json() for finding in getattr(self, name)]
                for name in ("missing", "extra", "altered", "outdated")
            },
            "errors": self.errors,
            "repaired": self.repaired,
        }


def verify(
    mirror: Mirror, *, sample: tuple[int, int] = (1, 1), deep: bool = False, sources: bool = True
) -> Verification:
    """Compare everything, or the I-th of N parts (`sample`); N runs cover all.

    `deep` compares the values of vectors too, and hashes every document at its source.
    """
    found = Verification()
    collection = mirror.ledger.collection()
    if collection is None:
        collection = require_collection(mirror)
    if mirror.store.instance(collection.name) is None:
        found.missing += [
            _point(mirror, r, "the store has lost its collection")
            for r in mirror.ledger.points(collection.name)
        ]
    else:
        mirror.check_instance(collection)
        _compare_points(mirror, collection, found, sample, deep)
    counts = mirror.ledger.counts()
    found.documents = sum(states.get(s, 0) for states in counts.values() for s in LIVE - {State.SKIPPED})
    if sources:
        for source in known_sources(mirror):
            _compare_source(mirror, source, found, deep)
    return found


# ── Ledger and store ──────────────────────────────────────────────────────────────────────────────────


def part(sample: tuple[int, int]) -> tuple[str | None, str | None]:
    """The range of point ids [first, end) of one part; ids are spread evenly because they are hashes."""
    number, parts = sample
    first, end = ((1 << 128) * (number - 1) // parts, (1 << 128) * number // parts)
    return (_uuid(first) if number > 1 else None, _uuid(end) if number < parts else None)


def _uuid(value: int) -> str:
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _compare_points(
    mirror: Mirror, collection: Collection, found: Verification, sample: tuple[int, int], deep: bool
) -> None:
    """First a pass over everything, page by page, so that others get at the store in between; then what
    looked wrong is looked at again while nobody can write, because a batch may have been half done."""
    first, end = part(sample)
    records = mirror.ledger.points(collection.name, first=first, end=end)
    suspects: set[str] = set()
    foreign: list[str] = []
    for pairs in _pages(_merge(records, _scroll(mirror, collection, first, end))):
        found.points += sum(1 for _, point in pairs if point is not None)
        ids = {record.document_id for record, _ in pairs if record is not None}
        documents = {d.document_id: d for d in mirror.ledger.documents(document_ids=sorted(ids))}
        for record, point in pairs:
            if record is None:
                assert point is not None
                foreign.append(point.id)
            elif _judge(collection, record, point, documents.get(record.document_id), deep):
                suspects.add(record.document_id)
    with mirror.store.session(collection.name) as session:
        _look_again(mirror, collection, session, found, sorted(suspects), (first, end), deep)
        known = mirror.ledger.known_points(collection.name, foreign)
        for point in session.retrieve([i for i in foreign if i not in known], vectors=False).values():
            found.extra.append(_foreign(mirror, point))


def _scroll(mirror: Mirror, collection: Collection, first: str | None, end: str | None) -> Iterator[Point]:
    """All points of a range of ids in order, holding the store for a page at a time."""
    while True:
        with mirror.store.session(collection.name) as session:
            page = list(islice(session.scroll(vectors=True, page=PAGE, first=first, end=end), PAGE))
        yield from page
        if len(page) < PAGE:
            return
        first = _uuid(int(page[-1].id.replace("-", ""), 16) + 1)


def _look_again(
    mirror: Mirror,
    collection: Collection,
    session: Session,
    found: Verification,
    suspects: Sequence[str],
    ids: tuple[str | None, str | None],
    deep: bool,
) -> None:
    """A version is committed while its writer holds the store: as long as we do, the ledger stands still."""
    first, end = ids
    documents = {d.document_id: d for d in mirror.ledger.documents(document_ids=suspects, states=list(State))}
    # On a server others write meanwhile: what a living writer has announced is his to finish.
    writing = {writer.source for writer in mirror.ledger.writers()}
    announced = {i.document.document_id for _, _, i in mirror.ledger.open_intents(collection.name)}
    busy = {d for d in announced if d in documents and documents[d].source in writing}
    suspects = [document_id for document_id in suspects if document_id not in busy]
    for document_id, records in mirror.ledger.chunks(collection.name, suspects).items():
        points = session.retrieve([record.point_id for record in records], vectors=True) if records else {}
        for record in records:
            if (first is not None and record.point_id < first) or (
                end is not None and record.point_id >= end
            ):
                continue
            document = documents.get(document_id)
            verdict = _judge(collection, record, points.get(record.point_id), document, deep)
            if verdict is not None:
                kind, what = verdict
                place = (document.source, document.uri) if document else (None, None)
                getattr(found, kind).append(Finding(what, record.point_id, document_id, *place))


def _judge(
    collection: Collection, record: ChunkRecord, point: Point | None, document: Document | None, deep: bool
) -> tuple[Literal["missing", "altered"], str] | None:
    """What is wrong with a point that the ledger knows; None when nothing is."""
    if point is None:
        return "missing", "the store has no such point"
    if point.dense is None or point.sparse is None:
        return "missing", "the point has lost a vector"
    if document is None:
        return "altered", "the ledger has the chunk and not its document"
    if digest(point.payload) != record.payload_digest:
        return "altered", "the payload is not what was written"
    passage = replace(payload.passage(point.payload), page=record.page, chunk_index=record.chunk_index)
    if digest(payload.build(document, passage)) != record.payload_digest:
        return "altered", "the ledger's row does not agree with the payload"
    if not _genuine(collection, record, document.chunk_count):
        return "altered", "the point's id does not follow from its text and model"
    if deep and payload.vector_digest(point) != record.vector_digest:
        return "altered", "a vector is not what was written"
    return None


def _genuine(collection: Collection, record: ChunkRecord, chunks: int) -> bool:
    return any(
        point_id(record.document_id, record.embedded_hash, occurrence, collection.embedding_fingerprint)
        == record.point_id
        for occurrence in range(max(chunks, 1))
    )


def _merge(
    records: Iterable[ChunkRecord], points: Iterable[Point]
) -> Iterator[tuple[ChunkRecord | None, Point | None]]:
    """Two streams in order of id, side by side."""
    left, right = iter(records), iter(points)
    record, point = next(left, None), next(right, None)
    while record is not None or point is not None:
        if point is None or (record is not None and record.point_id < point.id):
            yield record, None
            record = next(left, None)
        elif record is None or point.id < record.point_id:
            yield None, point
            point = next(right, None)
        else:
            yield record, point
            record, point = next(left, None), next(right, None)


def _pages(
    pairs: Iterator[tuple[ChunkRecord | None, Point | None]],
) -> Iterator[Sequence[tuple[ChunkRecord | None, Point | None]]]:
    while page := list(islice(pairs, PAGE)):
        yield page


def _foreign(mirror: Mirror, point: Point) -> Finding:
    """A point that the ledger does not know, named by the document that its payload speaks of."""
    metadata = point.payload.get("metadata")
    claimed = metadata.get("document_id") if isinstance(metadata, dict) else None
    document = mirror.ledger.document(claimed) if isinstance(claimed, str) else None
    place = (document.document_id, document.source, document.uri) if document else (None, None, None)
    return Finding("the ledger does not know this point", point.id, *place)


def _point(mirror: Mirror, record: ChunkRecord, what: str) -> Finding:
    document = mirror.ledger.document(record.document_id)
    place = (document.source, document.uri) if document else (None, None)
    return Finding(what, record.point_id, record.document_id, *place)


# ── Source and ledger ─────────────────────────────────────────────────────────────────────────────────

SAYS = {
    Action.ADD: "the source has it, the index has not",
    Action.UPDATE: "the content at the source is another",
    Action.MOVE: "it has another name at the source",
    Action.DELETE: "the source no longer has it",
    Action.REFUSE: "the source no longer has it, and its removal is refused",
    Action.TOUCH: "what is said of it has changed",
}


def _compare_source(mirror: Mirror, source: str, found: Verification, deep: bool) -> None:
    planned = plan(mirror, source, checksum=deep)
    if planned.error is not None:
        found.errors.append(planned.error)
    for item in planned.items:
        if item.action in SAYS:
            found.outdated.append(
                Finding(SAYS[item.action], None, item.document_id, source, item.uri or None)
            )
