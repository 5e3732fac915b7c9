"""Restore a backup into a place that has no knowledge base: see the page of the package."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from connectors.base import shortened
from index.backup import lines
from index.backup.admit import admit, lost_entries, lost_since, require_known
from index.backup.age import Key
from index.backup.first import FirstMoment
from index.backup.lines import damaged
from index.backup.manifest import IDENTITY, Manifest, Points
from index.backup.points import kept, point_of, sound
from index.backup.tables import longest, records, renamed, tables_in
from index.batched import batched
from index.disk.atomic import sync_folder
from index.disk.flock import take
from index.disk.private import private_file, private_folder
from index.erase.replay import checked
from index.errors import ConfigError, FreshkbError, LedgerError, Locked, Refused, StoreError
from index.ledger import URI_BYTES, Order
from index.ledger.copy import Table, existing, load, refusal
from index.model import Point
from index.payload import vector_digest
from index.signed.key import PublicKey
from index.store import names
from index.workspace import Workspace

#: Folder of an unfinished restore in the state folder.
HOME = ".restoring"
#: The file in it that names the collections that are being written.
_NOTE = "collections.json"


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that was restored."""

    manifest: Manifest
    lost: int = 0
    """Number of entries of the log that its anchors know and the backup does not have."""
    orders: Sequence[Order] = ()
    """Orders to erase that were placed again, and are to be carried out."""

    def json(self) -> dict[str, Any]:
        """The answer of the command."""
        orders = [order.order_id for order in self.orders]
        return {**self.manifest.json(), "lost": self.lost, "orders": orders}


def restore(
    workspace: Workspace,
    folder: Path,
    *,
    passphrase: Callable[[], str] | None = None,
    identity: Path | None = None,
    receipts: Sequence[str] = (),
    keys: Sequence[PublicKey] = (),
) -> Restored:
    """Make the knowledge base of the configuration from the backup in this folder. An encrypted one is opened
    by the passphrase, which is asked for when it is needed, or by the key in the file `identity`. The orders
    of `receipts` are in force in it from its first moment; `keys` may have signed them.

    Raises Refused when there is a ledger or a collection already, for a backup that is damaged, not whole, or
    of a newer program, and when anchors know orders to erase that neither the backup nor a receipt has;
    AnchorError when an anchor cannot be asked; ConfigError when it does not open. Then, and when it is cut
    short, there is no knowledge base, and another restore begins anew.
    """
    config = workspace.config
    manifest = _named(Manifest.read(folder), config.index.collection)
    with _alone(config.state_dir) as home:
        _clear(workspace, home)
        _require_vacant(workspace, manifest)
        with workspace.waiting("checking the backup's files"):
            manifest.check(folder)
        admit(manifest)
        proofs = checked(workspace, receipts, manifest.instance, keys) if receipts else []
        key = _key(folder, manifest, passphrase, identity)

        def ledger() -> Generator[bytes]:
            return lines.read(folder / manifest.ledger, key)

        def rows(said: Iterator[bytes]) -> Iterator[Table]:
            return renamed(tables_in(said), config.index.collection)

        past, known = require_known(workspace, manifest, lambda: rows(ledger()), proofs)
        facts = lost_since(workspace, manifest, past, known)
        try:
            _note(home, manifest)
            renewed = False
            for points in manifest.collections:
                with workspace.waiting(f"writing {points.points:,} points"):
                    renewed |= _write_points(workspace, folder, manifest, points, key, rows(ledger()))
            # What fails half-way leaves the file open otherwise.
            with workspace.waiting("writing the ledger"), closing(ledger()) as said:
                tables = _as_kept(workspace, rows(said)) if renewed else rows(said)
                then = FirstMoment(workspace, manifest, facts, proofs)
                try:
                    load(config.ledger, config.state_dir, home, manifest.schema, tables, then)
                except LedgerError as error:
                    if config.ledger == "sqlite":
                        raise
                    raise _explained(error, rows(ledger())) from error
        except BaseException:
            with suppress(FreshkbError):
                _clear(workspace, home)
            raise
        _empty(home)
    for points in manifest.collections:
        workspace.store.publish(config.index.collection, points.collection)
    return Restored(manifest, lost_entries(facts), then.orders)


def _key(
    folder: Path, manifest: Manifest, passphrase: Callable[[], str] | None, identity: Path | None
) -> Key | None:
    if manifest.encrypted is None:
        return None
    if identity is not None:
        return Key.of_file(identity)
    if manifest.encrypted == "recipient" or passphrase is None:
        raise ConfigError(
            f"The backup in {folder} is encrypted for a recipient. Name the file with the recipient's key: "
            "--identity FILE"
        )
    return Key.unsealed((folder / IDENTITY).read_bytes(), passphrase())


# ── The place ─────────────────────────────────────────────────────────────────────────────────────────


def _named(manifest: Manifest, base: str) -> Manifest:
    """The manifest, with the names that its collections have here. A copy may be on the server that holds the
    original, with the same instance id: their collections are told apart by their names."""
    here = (
        replace(found, collection=names.renamed(found.collection, base)) for found in manifest.collections
    )
    return replace(manifest, collections=tuple(here))


def _require_vacant(workspace: Workspace, manifest: Manifest) -> None:
    config, store = workspace.config, workspace.store
    if (place := existing(config.ledger, config.state_dir)) is not None:
        raise refusal(place)
    ours = {points.collection for points in manifest.collections} & set(store.collections())
    for name in (*names.candidates(store, config.index.collection), *ours):
        if store.kind == "edge":
            raise Refused(
                f"There is a collection already: {config.state_dir / 'index' / name}, of instance "
                f"{store.instance(name)}. Nothing was restored, and nothing is replaced. Restore with "
                "another state_dir, or move that folder aside."
            )
        raise Refused(
            f"There is a collection already: {name!r} on {config.index.url}, of instance "
            f"{store.instance(name)}; the backup is of {manifest.instance}. Nothing was restored, and "
            "nothing is replaced. Restore with another index.collection or server, or drop it there."
        )


@contextmanager
def _alone(state_dir: Path) -> Iterator[Path]:
    """The folder for what is unfinished, which no other restore uses meanwhile."""
    home = state_dir / HOME
    private_folder(state_dir)
    private_folder(home, inside=state_dir)
    lock = take(home, os.O_RDONLY)
    if lock is None:
        raise Locked(
            f"Another process restores a backup into {state_dir}; nothing was done. Wait until it has "
            "finished, or stop it, and try again."
        )
    try:
        yield home
    finally:
        if not any(home.iterdir()):
            home.rmdir()
        lock.release()


def _note(home: Path, manifest: Manifest) -> None:
    """Put the collections on record before they are made."""
    said = {"instance": manifest.instance, "collections": [p.collection for p in manifest.collections]}
    with open(home / _NOTE, "w", encoding="ascii", opener=private_file) as file:
        json.dump(said, file)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(home)
    sync_folder(home.parent)


def _clear(workspace: Workspace, home: Path) -> None:
    """Remove what a restore left that was cut short. One that has its ledger was finished."""
    config = workspace.config
    # A note that was cut short is older than any collection.
    with suppress(FileNotFoundError, ValueError):
        said = json.loads((home / _NOTE).read_bytes())
        if existing(config.ledger, config.state_dir) is None:
            for name in said["collections"]:
                if workspace.store.instance(name) == said["instance"]:
                    workspace.store.drop(name)
    _empty(home)


def _empty(home: Path) -> None:
    # The note last: it is why the rest may be removed.
    for left in sorted(home.iterdir(), key=lambda path: path.name == _NOTE):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


# ── Points ────────────────────────────────────────────────────────────────────────────────────────────


def _write_points(
    workspace: Workspace,
    folder: Path,
    manifest: Manifest,
    points: Points,
    key: Key | None,
    tables: Iterator[Table],
) -> bool:
    """Make the collection, and write its points, each as the ledger's row says, in the file and as it is read
    back. Returns whether the store holds any vector with other last bits."""
    store, name = workspace.store, points.collection
    store.create(name, dimension=points.dimension, instance=manifest.instance)
    rows = records(tables, name)
    renewed = False
    pairs = zip_longest(rows, _points(folder / points.file, key))
    for some in batched(pairs, workspace.sizes.read_points):
        for record, point in some:
            if record is None or point is None or record.point_id != point.id or not sound(record, point):
                raise damaged(points.file, f"it does not agree with {manifest.ledger}")
        with store.session(name) as session:
            session.upsert([point for _, point in some])
            found = session.retrieve([point.id for _, point in some], vectors=True)
        for record, point in some:
            renewed |= kept(record, point, found.get(point.id)) != record.vector_digest
    with store.session(name) as session:
        count = session.count()
    if count != points.points:
        raise StoreError(
            f"The store holds {count:,} points instead of {points.points:,}. The knowledge base was not "
            "restored."
        )
    return renewed


def _points(path: Path, key: Key | None) -> Iterator[Point]:
    for line in lines.read(path, key):
        try:
            yield point_of(line)
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(path.name, "a line of it is no point") from error


# ── The ledger ────────────────────────────────────────────────────────────────────────────────────────


def _explained(error: LedgerError, tables: Iterator[Table]) -> FreshkbError:
    """The error, or the one that says which path PostgreSQL cannot hold."""
    uri = longest(tables)
    if len(uri.encode()) <= URI_BYTES:
        return error
    return Refused(
        f"The backup has a document with a path of {len(uri.encode()):,} bytes, {shortened(uri)!r}, and "
        "PostgreSQL's limit is some 2,700. Nothing was restored. Restore with ledger: sqlite; or shorten the "
        f"names at its source, sync there, and make another backup. ({error})"
    )


def _as_kept(workspace: Workspace, tables: Iterator[Table]) -> Iterator[Table]:
    """The tables with the digests of the vectors as the store holds them."""
    for table in tables:
        yield table if table.name != "chunks" else table._replace(rows=_renewed(workspace, table))


def _renewed(workspace: Workspace, table: Table) -> Iterator[Sequence[Any]]:
    place, point, of = (table.columns.index(n) for n in ("collection", "point_id", "vector_digest"))
    for rows in batched(table.rows, workspace.sizes.read_points):
        # Rows are in order of their collections, of which the store has one.
        with workspace.store.session(rows[0][place]) as session:
            found = session.retrieve([row[point] for row in rows], vectors=True)
        for row in rows:
            yield [*row[:of], vector_digest(found[row[point]]), *row[of + 1 :]]
