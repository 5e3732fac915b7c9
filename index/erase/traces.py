"""Traces of the documents of an order: pieces of their texts, names and vectors, and their ids.

They are gathered before anything is deleted, and searched for twice in every file that we can see: before,
as the control that the search finds what is there, and after the purge. In between they are kept in a file
that is encrypted under a key in the ledger, so that an order that was cut short is proved like any other;
both go when the order is done.

A text is searched for in pieces of 32 bytes from its beginning: the store compresses payloads, which leaves
the first bytes of a text as they are, and breaks up what stands below. Pieces that also stand in documents
that stay are no traces.
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from index.batched import batched
from index.disk.atomic import leftovers, replacing, sync_folder
from index.disk.private import private_folder
from index.erase import TRACES
from index.purge import scan
from index.purge.apart import Search
from index.purge.scan import PIECE_BYTES, Scan, Trace
from index.records import Collection as StoreCollection
from index.records import Document
from index.signed.sealed import seal, unsealed
from index.workspace import Workspace

#: Bytes of a piece of a text, and of the part of a text that pieces are taken from.
TEXT_PIECE_BYTES = 32
TEXT_BYTES = 160
#: Pieces of texts in all, fewer of each text where there are many.
TEXT_PIECES_MAX = 8_000
#: Pieces of a vector, spread over it.
VECTOR_PIECES = 4
#: Vectors that the store is searched by after the deletion.
VECTORS_MAX = 32
#: Names of documents that are read at once to see whether a piece stands in one that stays.
_NAMES = 10_000


@dataclass(slots=True)
class Traces:
    """Pieces by the number of their owner, for each kind."""

    texts: list[list[bytes]] = field(default_factory=list)
    """Of each chunk."""
    names: list[list[bytes]] = field(default_factory=list)
    """Of each document's path and title."""
    vectors: list[list[bytes]] = field(default_factory=list)
    """Of each chunk's dense vector."""
    ids: list[list[bytes]] = field(default_factory=list)
    """Of documents and points, in the forms that the store keeps them in."""
    queries: list[list[float]] = field(default_factory=list)
    """Some of the vectors, whole."""
    points: int = 0
    """Points that were read."""
    control: dict[str, int] | None = None
    """Of each kind, how many owners a piece was found of before anything was deleted; None before that."""

    KINDS = ("texts", "names", "vectors", "ids")

    def pieces(self) -> Iterator[Trace]:
        """Each piece as a trace of its own, named by its kind, its owner and its number."""
        for kind in self.KINDS:
            for owner, some in enumerate(getattr(self, kind)):
                for number, piece in enumerate(some):
                    yield Trace(f"{kind}:{owner}:{number}", frozenset({piece}))

    def owners(self, kind: str) -> int:
        """Owners that have a piece."""
        return sum(bool(some) for some in getattr(self, kind))

    def naming(self) -> Callable[[str], bool]:
        """Whether a text has a piece of a name; one of a short name may be any word."""
        long = [
            t for t in self.pieces() if t.name.startswith("names:") and min(map(len, t.pieces)) >= PIECE_BYTES
        ]
        search = Scan(long)
        return lambda text: bool(search.within(text.encode("utf-8", "surrogatepass")))

    def packed(self) -> bytes:
        kinds = {kind: [[p.hex() for p in some] for some in getattr(self, kind)] for kind in self.KINDS}
        others = {"queries": self.queries, "points": self.points, "control": self.control}
        return json.dumps(kinds | others).encode()

    @classmethod
    def unpacked(cls, packed: bytes) -> Traces:
        said: dict[str, Any] = json.loads(packed)
        kinds = {k: [[bytes.fromhex(p) for p in some] for some in said[k]] for k in cls.KINDS}
        return cls(**kinds, queries=said["queries"], points=said["points"], control=said["control"])


# ── Gathering ─────────────────────────────────────────────────────────────────────────────────────────


def gather(workspace: Workspace, collection: StoreCollection | None, documents: Sequence[Document]) -> Traces:
    """The traces of these documents, whose points are still there."""
    found = Traces()
    ids = [document.document_id for document in documents]
    if collection is not None:
        _of_points(workspace, collection, ids, found)
    names = [_name_pieces(text) for d in documents for text in dict.fromkeys((d.uri, d.title)) if text]
    found.names = _own(workspace, names)
    return found


def _of_points(workspace: Workspace, collection: StoreCollection, ids: Sequence[str], found: Traces) -> None:
    chunks = workspace.ledger.chunks.of(collection.name, ids)
    records = [record for name in ids for record in chunks[name]]
    found.ids += [_forms(name) for name in ids if chunks[name]]
    found.points = len(records)
    step = max(1, -(-len(records) * (TEXT_BYTES - TEXT_PIECE_BYTES) // TEXT_PIECES_MAX))
    copied = _shared(workspace, collection, {r.embedded_hash for r in records}, set(ids))
    for page in batched(records, workspace.sizes.read_points):
        with workspace.store.session(collection.name) as session:
            points = session.retrieve([record.point_id for record in page], vectors=True)
        for record in page:
            point = points.get(record.point_id)
            found.ids.append(_forms(record.point_id))
            if point is None or record.embedded_hash in copied:
                continue
            found.texts.append(_text_pieces(str(point.payload.get("page_content", "")), step))
            if point.dense is not None:
                found.vectors.append(_vector_pieces(point.dense))
                if len(found.queries) < VECTORS_MAX:
                    found.queries.append(list(point.dense))


def _shared(
    workspace: Workspace, collection: StoreCollection, hashes: Collection[str], ids: Collection[str]
) -> set[str]:
    """Those of these texts that documents that stay have, too: their vectors are the same."""
    return workspace.ledger.chunks.elsewhere(collection.name, hashes, ids)


def _text_pieces(text: str, step: int) -> list[bytes]:
    form = text.encode("utf-8", "surrogatepass")[:TEXT_BYTES]
    size = TEXT_PIECE_BYTES if len(form) >= TEXT_PIECE_BYTES else len(form)
    if size < PIECE_BYTES:
        # A shorter text may stand anywhere; its point is found by its ids.
        return []
    starts = range(0, len(form) - size + 1, step)
    return list(dict.fromkeys(form[start : start + size] for start in starts))


def _name_pieces(text: str) -> list[bytes]:
    try:
        return sorted(scan.text("", text).pieces)
    except ValueError:
        return []


def _vector_pieces(values: Sequence[float]) -> list[bytes]:
    """As the store holds it: little-endian float32."""
    content = array("f", values).tobytes()
    step = max(PIECE_BYTES, len(content) // VECTOR_PIECES // 4 * 4)
    starts = range(0, len(content) - PIECE_BYTES + 1, step)
    return [p for start in starts if scan.telling(p := content[start : start + PIECE_BYTES])]


def _forms(value: str) -> list[bytes]:
    return sorted(scan.identifier("", value).pieces)


def _own(workspace: Workspace, names: list[list[bytes]]) -> list[list[bytes]]:
    """The pieces of names without those that names of other documents have, as paths of one folder do."""
    if not names:
        return names
    pieces = {piece for some in names for piece in some}
    numbered = dict(enumerate(pieces))
    search = Scan([Trace(str(number), frozenset({piece})) for number, piece in numbered.items()])
    common: set[bytes] = set()
    for some in batched(workspace.ledger.documents.names(), _NAMES):
        content = "\n".join(some).encode("utf-8", "surrogatepass")
        common |= {numbered[int(found)] for found in search.within(content)}
    return [[piece for piece in some if piece not in common] for some in names]


# ── Searching ─────────────────────────────────────────────────────────────────────────────────────────


def search(
    workspace: Workspace, traces: Traces, look: Search, others: Collection[Path] = ()
) -> dict[Path, set[str]]:
    """The files of the state folder, and of other folders, that hold a piece, with the names of the pieces.
    Raises FreshkbError for a file that cannot be read.

    Ids do not count in the files of the ledger, which has them until the order is done; short names not in
    those of the store, where any four bytes may stand by chance; no name in other folders, whose models
    have a vocabulary.
    """
    folder = workspace.config.state_dir
    if not folder.exists():
        return {}
    index, own, ledger = folder / "index", folder / TRACES, workspace.ledger.files
    named = {t.name for t in traces.pieces() if t.name.startswith("names:")}
    short = {t.name for t in traces.pieces() if min(map(len, t.pieces)) < PIECE_BYTES}
    held = {}
    for path, names in look([folder, *others], list(traces.pieces())).items():
        if path in ledger:
            names = {name for name in names if not name.startswith("ids:")}
        elif path.is_relative_to(index):
            names = names - short
        elif not path.is_relative_to(folder):
            names = names - short - named
        if names and not path.is_relative_to(own):
            held[path] = names
    return held


def counted(held: Mapping[Path, Collection[str]]) -> dict[str, int]:
    """Of each kind, the owners of which a piece was found."""
    owners = {tuple(name.split(":")[:2]) for names in held.values() for name in names}
    return {kind: sum(own[0] == kind for own in owners) for kind in Traces.KINDS}


# ── Keeping ───────────────────────────────────────────────────────────────────────────────────────────


def path_of(workspace: Workspace, order_id: str) -> Path:
    return workspace.config.state_dir / TRACES / f"{order_id}.traces"


def keep(workspace: Workspace, order_id: str, traces: Traces) -> None:
    """Keep the traces of an open order until `forget`, encrypted under a key that the ledger has. Durable
    when it returns."""
    key, text = seal(traces.packed())
    path = path_of(workspace, order_id)
    private_folder(path.parent, inside=workspace.config.state_dir)
    # The key comes first: without it the file says nothing.
    workspace.ledger.erasures.seal(order_id, key)
    with replacing(path) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def kept(workspace: Workspace, order_id: str, trace_key: str) -> Traces | None:
    """The traces that were kept of an open order; None where there are none, or not on this machine."""
    try:
        return Traces.unpacked(unsealed(path_of(workspace, order_id).read_bytes(), trace_key))
    except (FileNotFoundError, ValueError, KeyError):
        return None


def forget(workspace: Workspace) -> None:
    """Remove the files of orders that are not open, as after a kill; their keys went with the end of the
    orders."""
    folder = workspace.config.state_dir / TRACES
    if not folder.exists():
        return
    # Listed first: the order of a file that comes meanwhile may not be among those that are asked for.
    found = set(folder.iterdir())
    for order in workspace.ledger.erasures.open():
        path = path_of(workspace, order.order_id)
        found -= {path, *leftovers(path)}
    for path in found:
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
