"""Create a backup, while runs go on: see the page of the package."""

from __future__ import annotations

import heapq
import json
from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from index.backup import lines
from index.backup.age import Key
from index.backup.lines import File
from index.backup.manifest import IDENTITY, Lock, Manifest, Points
from index.backup.points import line_of, sound
from index.batched import batched
from index.disk.atomic import sync_folder
from index.disk.private import private_file
from index.disk.scratch import Scratch, clear
from index.errors import ConfigError, Refused, StoreError
from index.ledger import damaged, file
from index.ledger.copy import Snapshot
from index.model import LIVE, Point, Sparse, State, rfc3339
from index.records import ChunkRecord, Collection
from index.sync.recover import as_committed
from index.workspace import Workspace

#: Prefix of folders of unfinished backups, and of no others: those of dead processes are removed.
PREFIX = ".freshkb-backup-"
#: Snapshots that are taken at most. A second one has only points that changed while the first was read.
ROUNDS = 10

_CHUNK = [field.name for field in fields(ChunkRecord)]


def create(
    workspace: Workspace, folder: Path, *, recipient: str | None = None, passphrase: str | None = None
) -> Manifest:
    """Copy ledger and store into this folder, which must be new or empty; encrypted for the recipient
    (``age1…``) or behind the passphrase when one is given.

    Raises ConfigError for the folder or the recipient, Refused when runs change documents faster than they
    are read, StoreError when the store lacks points, OSError when the backup cannot be written. Then, and
    when it is cut short, there is no backup.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise ConfigError(f"{folder} is no empty folder, and nothing in it is replaced. Name another one.")
    parent, state = folder.absolute().parent, workspace.config.state_dir
    if folder.resolve().is_relative_to(state.resolve()):
        raise ConfigError(
            f"{folder} lies in the state folder {state}, of which it is to be a copy. Name another one."
        )
    encrypted: Lock | None = "recipient" if recipient else "passphrase" if passphrase is not None else None
    key = Key.made(recipient) if encrypted else None
    if faults := workspace.ledger.faults():
        raise damaged(str(state / file.NAME), "; ".join(faults))
    workspace.readable()  # Raises StoreMismatch.
    if parent.exists():
        clear(parent, PREFIX)
    with closing(Scratch(parent, PREFIX)) as scratch:
        made = scratch.folder / "backup"
        made.mkdir(mode=0o700)
        sealed = []
        if key is not None and passphrase is not None:
            with workspace.waiting("encrypting the backup's key"):
                sealed.append(_sealed(made / IDENTITY, key, passphrase))
        copy = _Copy(workspace, scratch.folder, made, key, encrypted)
        manifest = copy.taken()
        manifest = replace(manifest, files=(*manifest.files, *sealed))
        manifest.write(made)
        sync_folder(made)
        made.rename(folder.absolute())
        sync_folder(parent)
    return manifest


def _sealed(path: Path, key: Key, passphrase: str) -> File:
    with open(path, "xb", opener=private_file) as written:
        written.write(key.sealed(passphrase))
    return lines.hashed(path)


@dataclass(slots=True)
class _Part:
    """Points of one round, in order of their ids, and as many labels."""

    points: Path
    labels: Path
    written: File | None = None
    count: int = 0


@dataclass(slots=True)
class _Copy:
    """A backup in progress: what the last snapshot names, and the points that were read so far."""

    workspace: Workspace
    scratch: Path
    made: Path
    key: Key | None
    encrypted: Lock | None
    collection: Collection | None = None
    parts: list[_Part] = field(default_factory=list)
    chunks: int = 0
    """Chunks of the collection in the last snapshot."""

    def taken(self) -> Manifest:
        for number in range(1, ROUNDS + 1):
            with self.workspace.waiting("copying the ledger"):
                manifest = self._snapshot()
            if self.collection is None:
                return manifest
            with self.workspace.waiting(f"copying {self.chunks:,} points"):
                lacking = self._read(self.collection, number)
            if lacking == 0:
                points = self._points(self.collection)
                listed = Points(
                    points=self.chunks,
                    file=points.name,
                    collection=self.collection.name,
                    **{
                        name: getattr(self.collection, name)
                        for name in (
                            "dimension",
                            "embedding_fingerprint",
                            "sparse_fingerprint",
                            "model",
                            "revision",
                            "dtype",
                        )
                    },
                )
                return replace(manifest, collections=(listed,), files=(*manifest.files, points))
        writers = self.workspace.ledger.writers()
        if writers:
            busy = ", ".join(f"`{w.command}` on {w.host} (pid {w.pid}, source {w.source!r})" for w in writers)
            raise Refused(
                f"No backup was made: {busy} changes documents faster than they can be copied. Try again "
                "when it has finished."
            )
        raise StoreError(
            f"No backup was made: the store lacks {lacking:,} of the {self.chunks:,} points that the ledger "
            "names, or holds others in their places. See: freshkb verify. Mend it with: freshkb verify "
            "--repair"
        )

    # ── The ledger ────────────────────────────────────────────────────────────────────────────────────

    def _snapshot(self) -> Manifest:
        """Write the ledger's file anew, and the list of the chunks that it names."""
        name = f"ledger.jsonl.gz{self._suffix}"
        (self.made / name).unlink(missing_ok=True)
        rows: dict[str, int] = {}
        with self.workspace.ledger.snapshot() as snapshot:
            current = snapshot.collection()
            if current is None or self.collection is None or current.name != self.collection.name:
                self.parts = []
            self.collection, self.chunks = current, 0
            written = lines.write(self.made / name, self._rows(snapshot, rows), self.key)
            return Manifest(
                schema=snapshot.schema,
                instance=self.workspace.ledger.instance_id,
                made_at=rfc3339(self.workspace.now()) or "",
                encrypted=self.encrypted,
                documents=snapshot.documents(LIVE - {State.SKIPPED}),
                rows=rows,
                ledger=name,
                collections=(),
                files=(written,),
            )

    def _rows(self, snapshot: Snapshot, counts: dict[str, int]) -> Iterator[str]:
        """Each table's name and columns, then its rows."""
        with (self.scratch / "chunks").open("w", encoding="ascii") as chunks:
            for table in snapshot.tables():
                yield json.dumps({"table": table.name, "columns": list(table.columns)})
                counts[table.name] = 0
                for row in table.rows:
                    if table.name == "chunks":
                        self._name(dict(zip(table.columns, row, strict=True)), chunks)
                    counts[table.name] += 1
                    yield json.dumps(list(row), separators=(",", ":"))

    def _name(self, row: dict[str, Any], chunks: Any) -> None:
        if self.collection is not None and row["collection"] == self.collection.name:
            self.chunks += 1
            chunks.write(json.dumps([row[name] for name in _CHUNK]) + "\n")

    def _chunks(self) -> Iterator[ChunkRecord]:
        """Chunks of the collection in the last snapshot, in order of their points."""
        with (self.scratch / "chunks").open(encoding="ascii") as chunks:
            for line in chunks:
                yield ChunkRecord(*json.loads(line))

    # ── The points ────────────────────────────────────────────────────────────────────────────────────

    def _read(self, collection: Collection, number: int) -> int:
        """Read the points that no part has. Returns how many cannot be read as the snapshot names them."""
        part = _Part(self.scratch / f"points-{number}", self.scratch / f"labels-{number}")
        with ExitStack() as stack, part.labels.open("w", encoding="ascii") as labels:
            had = heapq.merge(*(stack.enter_context(p.labels.open(encoding="ascii")) for p in self.parts))
            lacking = [0]
            found = self._found(collection, _lacking(self._chunks(), had), labels, lacking, part)
            part.written = lines.write(part.points, found, self.key)
        self.parts.append(part)
        return lacking[0]

    def _found(
        self,
        collection: Collection,
        wanted: Iterable[ChunkRecord],
        labels: Any,
        lacking: list[int],
        part: _Part,
    ) -> Iterator[str]:
        for records in batched(wanted, self.workspace.sizes.read_points):
            points = self._of(collection, records)
            lacking[0] += len(records) - len(points)
            for record in records:
                if record.point_id in points:
                    part.count += 1
                    labels.write(_label(record))
                    yield line_of(points[record.point_id])

    def _of(self, collection: Collection, records: list[ChunkRecord]) -> dict[str, Point]:
        """The points among these that can be read as their rows say, by id."""
        ledger, ids = self.workspace.ledger, [record.point_id for record in records]
        try:
            with self.workspace.store.session(collection.name) as session:
                found = session.retrieve(ids, vectors=True)
        except StoreError:
            # A reindex may have switched, and dropped the collection.
            if ledger.collections.current() == collection:
                raise
            return {}
        points = {i: _exact(p) for i, p in found.items() if p.dense is not None and p.sparse is not None}
        whole = {r.point_id: points[r.point_id] for r in records if sound(r, points.get(r.point_id))}
        # The store has a change that is not committed, or never will be.
        others = [r for r in records if r.point_id in points and r.point_id not in whole]
        rows = ledger.documents.find(
            document_ids={record.document_id for record in others}, states=list(State)
        )
        documents = {row.document_id: row for row in rows} if others else {}
        for record in others:
            row = documents.get(record.document_id)
            committed = as_committed(row, [record], points) if row is not None else None
            whole |= {point.id: point for point in committed or ()}
        return whole

    def _points(self, collection: Collection) -> File:
        """The file of all points that the last snapshot names, and of no others."""
        path = self.made / f"points-{collection.name}.jsonl.gz{self._suffix}"
        only = self.parts[0]
        if len(self.parts) == 1 and only.count == self.chunks:
            assert only.written is not None
            only.points.rename(path)
            return only.written._replace(name=path.name)
        return lines.write(path, self._merged(), self.key)

    def _merged(self) -> Iterator[str]:
        with ExitStack() as stack:
            parts = heapq.merge(
                *(
                    zip(
                        stack.enter_context(part.labels.open(encoding="ascii")),
                        lines.read(part.points, self.key),
                        strict=True,
                    )
                    for part in self.parts
                )
            )
            for record in self._chunks():
                label = _label(record)
                yield next(line for had, line in parts if had == label).decode("ascii").rstrip("\n")

    @property
    def _suffix(self) -> str:
        return ".age" if self.key is not None else ""


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
