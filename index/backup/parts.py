"""The points of a backup in progress: what each round has read, and the file made of it."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from index.backup import lines
from index.backup.age import Key
from index.backup.lines import File
from index.backup.points import line_of, sound
from index.batched import batched
from index.errors import StoreError
from index.model import Point, Sparse, State
from index.records import ChunkRecord, Collection
from index.sync.recover import as_committed
from index.workspace import Workspace


@dataclass(slots=True)
class _Part:
    """Points of one round, in order of their ids, and as many labels."""

    points: Path
    labels: Path
    written: File | None = None
    count: int = 0
    lacking: int = 0
    """Points that could not be read as their rows say."""


class Parts:
    """Points of one collection, read in several rounds. `scratch` is a private folder on the disk of the
    backup, where they lie as they will lie in it."""

    def __init__(self, workspace: Workspace, collection: Collection, scratch: Path, key: Key | None) -> None:
        self.collection = collection
        self._workspace = workspace
        self._scratch = scratch
        self._key = key
        self._parts: list[_Part] = []

    def read(self, wanted: Iterable[ChunkRecord]) -> int:
        """Read the points of these chunks, which are in order, that no earlier round has read. Returns how
        many cannot be read as their rows say."""
        name = f"{self.collection.name}-{len(self._parts)}"
        part = _Part(self._scratch / f"points-{name}", self._scratch / f"labels-{name}")
        with ExitStack() as stack, part.labels.open("x", encoding="ascii") as labels:
            had = heapq.merge(*(stack.enter_context(p.labels.open(encoding="ascii")) for p in self._parts))
            found = self._found(part, _lacking(wanted, had), labels)
            part.written = lines.write(part.points, found, self._key)
        self._parts.append(part)
        return part.lacking

    def _found(self, part: _Part, wanted: Iterable[ChunkRecord], labels: TextIO) -> Iterator[str]:
        for records in batched(wanted, self._workspace.sizes.read_points):
            points = self._points(records)
            part.lacking += len(records) - len(points)
            for record in records:
                if record.point_id in points:
                    part.count += 1
                    labels.write(_label(record))
                    yield line_of(points[record.point_id])

    def _points(self, records: list[ChunkRecord]) -> dict[str, Point]:
        """The points among these that can be read as their rows say, by id."""
        ledger, ids = self._workspace.ledger, [record.point_id for record in records]
        try:
            with self._workspace.store.session(self.collection.name) as session:
                found = session.retrieve(ids, vectors=True)
        except StoreError:
            # A reindex may have switched, and dropped the collection.
            if ledger.collections.current() == self.collection:
                raise
            return {}
        points = {i: _exact(p) for i, p in found.items() if p.dense is not None and p.sparse is not None}
        whole = {r.point_id: points[r.point_id] for r in records if sound(r, points.get(r.point_id))}
        # The store has a change that is not committed, or never will be.
        others = [r for r in records if r.point_id in points and r.point_id not in whole]
        named = {record.document_id for record in others}
        rows = ledger.documents.find(document_ids=named, states=list(State)) if others else ()
        documents = {row.document_id: row for row in rows}
        for record in others:
            row = documents.get(record.document_id)
            committed = as_committed(row, [record], points) if row is not None else None
            whole |= {point.id: point for point in committed or ()}
        return whole

    def write(self, path: Path, wanted: Iterable[ChunkRecord], count: int) -> File:
        """Write the points of so many chunks, all of which were read, to their file: these and no others."""
        only = self._parts[0]
        if len(self._parts) == 1 and only.count == count:
            assert only.written is not None
            only.points.rename(path)
            return only.written._replace(name=path.name)
        return lines.write(path, self._merged(wanted), self._key)

    def _merged(self, wanted: Iterable[ChunkRecord]) -> Iterator[str]:
        with ExitStack() as stack:
            parts = heapq.merge(
                *(
                    zip(
                        stack.enter_context(part.labels.open(encoding="ascii")),
                        lines.read(part.points, self._key),
                        strict=True,
                    )
                    for part in self._parts
                )
            )
            for record in wanted:
                label = _label(record)
                yield next(line for had, line in parts if had == label).decode("ascii").rstrip("\n")


def _label(record: ChunkRecord) -> str:
    """A line that names the point with its payload and vectors. Lines are in order of ids."""
    return f"{record.point_id} {record.payload_digest} {record.vector_digest}\n"


def _lacking(wanted: Iterable[ChunkRecord], labels: Iterator[str]) -> Iterator[ChunkRecord]:
    """The chunks that are not among the labels. Both are in order."""
    had = next(labels, None)
    for record in wanted:
        label = _label(record)
        while had is not None and had < label:
            had = next(labels, None)
        if had != label:
            yield record


def _exact(point: Point) -> Point:
    """The point with numbers of 32 bits, as a line has them."""
    assert point.dense is not None and point.sparse is not None
    words = Sparse(point.sparse.indices, array("f", point.sparse.values))
    return replace(point, dense=array("f", point.dense), sparse=words)
