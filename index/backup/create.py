"""Create a backup, while runs go on: see the page of the package."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TextIO

from index.backup import lines
from index.backup.age import Key
from index.backup.lines import File
from index.backup.manifest import IDENTITY, Lock, Manifest, Points
from index.backup.parts import Parts
from index.checkpoints import checkpoint_of
from index.disk.atomic import sync_folder
from index.disk.private import private_file
from index.disk.scratch import Scratch, clear
from index.errors import ConfigError, Refused, StoreError
from index.ledger import damaged, file
from index.ledger.copy import Snapshot
from index.model import KEPT, rfc3339
from index.records import ChunkRecord, Collection
from index.workspace import Workspace

#: Prefix of folders of unfinished backups, and of no others: those of dead processes are removed.
PREFIX = ".freshkb-backup-"
#: Snapshots that are taken at most. A second one has only points that changed while the first was read.
ROUNDS = 10

_CHUNK = [field.name for field in fields(ChunkRecord)]
#: Fields of a collection that a manifest has.
_COLLECTION = sorted({field.name for field in fields(Collection)} & {field.name for field in fields(Points)})


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
        written.flush()
        os.fsync(written.fileno())
    return lines.hashed(path)


@dataclass(slots=True)
class _Copy:
    """A backup in progress: what the last snapshot names, and the points that were read so far."""

    workspace: Workspace
    scratch: Path
    made: Path
    key: Key | None
    encrypted: Lock | None
    parts: Parts | None = None
    """Points of the current collection; None when the last snapshot has none."""
    chunks: int = 0
    """Chunks of this collection in the last snapshot."""

    def taken(self) -> Manifest:
        for _ in range(ROUNDS):
            with self.workspace.waiting("copying the ledger"):
                manifest = self._snapshot()
            if self.parts is None:
                return manifest
            with self.workspace.waiting(f"copying {self.chunks:,} points"):
                lacking = self.parts.read(self._chunks())
                if lacking == 0:
                    return self._with_points(manifest, self.parts)
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
            if current is None or self.parts is None or current.name != self.parts.collection.name:
                self.parts = Parts(self.workspace, current, self.scratch, self.key) if current else None
            self.chunks = 0
            written = lines.write(self.made / name, self._rows(snapshot, rows), self.key)
            return Manifest(
                schema=snapshot.schema,
                instance=self.workspace.ledger.instance_id,
                made_at=rfc3339(self.workspace.now()) or "",
                encrypted=self.encrypted,
                documents=snapshot.documents(KEPT),
                rows=rows,
                ledger=name,
                collections=(),
                files=(written,),
                checkpoint=checkpoint_of(self.workspace.ledger, snapshot.head()).text,
            )

    def _rows(self, snapshot: Snapshot, counts: dict[str, int]) -> Iterator[str]:
        """Each table's name and columns, then its rows."""
        with (self.scratch / "chunks").open("w", encoding="ascii") as chunks:
            for table in snapshot.tables():
                yield json.dumps({"table": table.name, "columns": list(table.columns)})
                counts[table.name] = 0
                for row in table.rows:
                    if table.name == "chunks":
                        self._note(dict(zip(table.columns, row, strict=True)), chunks)
                    counts[table.name] += 1
                    yield json.dumps(list(row), separators=(",", ":"))

    def _note(self, row: dict[str, Any], chunks: TextIO) -> None:
        if self.parts is not None and row["collection"] == self.parts.collection.name:
            self.chunks += 1
            chunks.write(json.dumps([row[name] for name in _CHUNK]) + "\n")

    def _chunks(self) -> Iterator[ChunkRecord]:
        """Chunks of the collection in the last snapshot, in order of their points."""
        with (self.scratch / "chunks").open(encoding="ascii") as chunks:
            for line in chunks:
                yield ChunkRecord(*json.loads(line))

    def _with_points(self, manifest: Manifest, parts: Parts) -> Manifest:
        said = {name: getattr(parts.collection, name) for name in _COLLECTION}
        path = self.made / f"points-{parts.collection.name}.jsonl.gz{self._suffix}"
        written = parts.write(path, self._chunks(), self.chunks)
        points = Points(parts.collection.name, written.name, self.chunks, **said)
        return replace(manifest, collections=(points,), files=(*manifest.files, written))

    @property
    def _suffix(self) -> str:
        return ".age" if self.key is not None else ""
