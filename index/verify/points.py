"""Compare ledger and store, point by point in order of id.

A payload is compared with the digest that the ledger keeps, and built again from the document's row. A sample
takes a part of the points.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence, Set
from itertools import islice
from typing import Any, NamedTuple

from index import payload
from index.batched import batched
from index.errors import StoreDamaged
from index.model import Point, State
from index.records import ChunkRecord, Collection, Document
from index.store.base import Session, VectorStore
from index.verify.checks import Defect, Ids, judge_point
from index.verify.differences import Difference, Verification
from index.workspace import Workspace

#: Documents that are remembered while their points go by.
DOCUMENTS = 20_000


class Stopped(Exception):
    """Raised to end the comparison, once `stop` is set."""


def go_on(stop: threading.Event) -> None:
    if stop.is_set():
        raise Stopped


def named(
    found: Verification,
    defect: Defect,
    point_id: str | None,
    document_id: str | None,
    document: Document | None,
) -> None:
    place = (document.source, document.uri) if document else (None, None)
    found.of(defect.kind).append(Difference(defect.what, point_id, document_id, *place))


def is_there(store: VectorStore, name: str) -> bool:
    try:
        return store.instance(name) is not None
    except StoreDamaged:
        return True


def part(sample: tuple[int, int]) -> tuple[str | None, str | None]:
    """The range of point ids [first, end) of one part; ids are spread evenly because they are hashes."""
    number, parts = sample
    first, end = ((1 << 128) * (number - 1) // parts, (1 << 128) * number // parts)
    return (_uuid(first) if number > 1 else None, _uuid(end) if number < parts else None)


def _uuid(value: int) -> str:
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def lost(workspace: Workspace, collection: Collection, found: Verification) -> None:
    """Name the points of a collection that the store does not have any more."""
    ledger, (first, end) = workspace.ledger, part(found.sample)
    gone = Defect("missing", "the store has lost its collection")
    for record in ledger.chunks.stream(collection.name, first=first, end=end):
        named(found, gone, record.point_id, record.document_id, ledger.documents.get(record.document_id))
    if not found.missing:
        found.missing.append(Difference(f"the store has lost collection {collection.name}"))


class Comparison:
    """One pass over everything, as points come, and others can use the store in between; then suspects are
    compared again in one session, because a batch may have been half done."""

    def __init__(
        self, workspace: Workspace, collection: Collection, found: Verification, stop: threading.Event
    ) -> None:
        self._workspace = workspace
        self._collection = collection
        self._found = found
        self._stop = stop
        self._known = _Known(workspace, collection)
        self._suspects: set[str] = set()
        self._foreign: list[str] = []
        first, end = part(found.sample)
        self._records = workspace.ledger.chunks.stream(collection.name, first=first, end=end)
        self._record = next(self._records, None)

    def take(self, points: Sequence[Point]) -> None:
        """Compare the next points of the part, in order of id."""
        go_on(self._stop)
        self._found.points += len(points)
        if points:
            self._judge(list(_merge(self._until(points[-1].id), points)))

    def finish(self) -> None:
        """Compare chunks without a point, and all suspects again."""
        for pairs in batched(_merge(self._until(None), ()), self._workspace.sizes.page_points):
            go_on(self._stop)
            self._judge(pairs)
        workspace, collection, found = self._workspace, self._collection, self._found
        with workspace.store.session(collection.name) as session:
            # A payload that does not name its document is suspect by itself.
            lacking = session.retrieve(sorted(session.lacking()), vectors=False).values()
            claimed = filter(None, (claim_of(point.payload).document_id for point in lacking))
            _look_again(workspace, collection, session, found, self._suspects.union(claimed))
            ours = workspace.ledger.points.known(collection.name, self._foreign)
            strange = [point for point in self._foreign if point not in ours]
            for point in session.retrieve(strange, vectors=False).values():
                found.extra.append(_foreign(workspace, point))

    def close(self) -> None:
        """Let go of the ledger's rows where the comparison broke off: they keep a transaction open."""
        if isinstance(self._records, Generator):
            self._records.close()

    def _until(self, last: str | None) -> Iterator[ChunkRecord]:
        """The next records up to this id; None: all that are left."""
        while self._record is not None and (last is None or self._record.point_id <= last):
            yield self._record
            self._record = next(self._records, None)

    def _judge(self, pairs: Sequence[tuple[ChunkRecord | None, Point | None]]) -> None:
        deep = self._found.deep
        self._known.learn({record.document_id for record, _ in pairs if record is not None})
        for record, point in pairs:
            if record is None:
                assert point is not None
                self._foreign.append(point.id)
            elif self._known.judge(record, point, vectors=deep, deep=deep):
                self._suspects.add(record.document_id)


class _Known:
    """Documents of the ledger, and the parts of payloads that follow from them."""

    def __init__(self, workspace: Workspace, collection: Collection) -> None:
        self._ledger = workspace.ledger
        self._fingerprint = collection.embedding_fingerprint
        self.documents: dict[str, Document | None] = {}
        self._ordered = workspace.ledger.erasures.ordered()
        self._shared: dict[str, dict[str, Any]] = {}
        self._ids: dict[str, Ids] = {}

    def learn(self, document_ids: Set[str]) -> None:
        """Read those that are not known yet. The chunks of a document come in many pages."""
        if len(self.documents) > DOCUMENTS:
            self.documents.clear()
            self._shared.clear()
            self._ids.clear()
        new = document_ids - self.documents.keys()
        self.documents |= dict.fromkeys(new)
        for document in self._ledger.documents.find(document_ids=new, states=list(State)):
            self.documents[document.document_id] = document
            self._shared[document.document_id] = payload.shared(document)

    def judge(self, record: ChunkRecord, point: Point | None, *, vectors: bool, deep: bool) -> Defect | None:
        name = record.document_id
        document, shared = self.documents[name], self._shared.get(name, {})
        if name not in self._ids:
            self._ids[name] = Ids(name, self._fingerprint, document.chunk_count if document else 0)
        ids, ordered = self._ids[name], name in self._ordered
        return judge_point(record, point, document, shared, ids, vectors=vectors, deep=deep, ordered=ordered)


def pages(workspace: Workspace, collection: Collection, found: Verification) -> Iterator[list[Point]]:
    """All points of the part in order of id, with their vectors where a comparison is deep, holding the store
    for a page at a time."""
    size, (first, end) = workspace.sizes.page_points, part(found.sample)
    while True:
        with workspace.store.session(collection.name) as session:
            points = session.scroll(vectors=found.deep, page=size, first=first, end=end)
            page = list(islice(points, size))
        yield page
        if len(page) < size:
            return
        first = _uuid(int(page[-1].id.replace("-", ""), 16) + 1)


def _look_again(
    workspace: Workspace, collection: Collection, session: Session, found: Verification, suspects: set[str]
) -> None:
    """A version is committed while its writer holds the store: in this session, the ledger's points do not
    change."""
    first, end = part(found.sample)
    known = _Known(workspace, collection)
    known.learn(suspects)
    # On a server others write meanwhile: leave changes that a living writer has announced.
    writing = {writer.source for writer in workspace.ledger.writers()}
    intents = workspace.ledger.points.intents(collection.name)
    busy = {i.document.document_id for _, _, i in intents if i.document.source in writing}
    for document_id, records in workspace.ledger.chunks.of(collection.name, suspects - busy).items():
        points = session.retrieve([record.point_id for record in records], vectors=True) if records else {}
        for record in records:
            if (first is not None and record.point_id < first) or (
                end is not None and record.point_id >= end
            ):
                continue
            point = points.get(record.point_id)
            defect = known.judge(record, point, vectors=True, deep=found.deep)
            if defect is not None:
                named(found, defect, record.point_id, document_id, known.documents.get(document_id))


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


class Claim(NamedTuple):
    """The document that a payload names; None for missing parts."""

    document_id: str | None
    source: str | None
    uri: str | None


def claim_of(said: Mapping[str, Any]) -> Claim:
    """The document that a payload of any origin names."""
    about = payload.metadata(said)
    names = (about.get("document_id"), about.get("source"), about.get("uri"))
    return Claim(*(name if isinstance(name, str) else None for name in names))


def _foreign(workspace: Workspace, point: Point) -> Difference:
    """The difference of a point that the ledger does not know, with the document that its payload names."""
    claimed, source, uri = claim_of(point.payload)
    document = workspace.ledger.documents.get(claimed) if claimed is not None else None
    if document is not None:
        source, uri = document.source, document.uri
    return Difference("the ledger does not know this point", point.id, claimed, source, uri)
