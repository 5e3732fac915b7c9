"""The ways in which somebody may alter an index behind freshkb's back.

Each is made directly: SQL on the ledger's file, the store's session, the source's files. It says what it
concerns, so that a test can ask whether exactly that was found.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from uuid import UUID

from index.errors import FreshkbError, LedgerError, StoreMismatch
from index.model import Action, ChunkRecord, Document, Intent, Point, Sparse, State, point_id
from tests.promises.altered import THEN, Altered, copy

#: What a payload's metadata says, with something else of the same kind.
OTHER_METADATA: dict[str, Any] = {
    "document_id": "00000000-0000-4000-8000-000000000000", "source": "elsewhere", "uri": "other.md",
    "url": "file:///other.md", "title": "Another title", "heading_path": ["Elsewhere"], "page": 99,
    "chunk_index": 77, "chunk_count": 1234, "language": "xx", "content_type": "text/other",
    "owner": "user:mallory", "modified_at": "2001-01-01T00:00:00Z", "reviewed_at": "2001-01-01T00:00:00Z",
    "date_used": "2001-01-01T00:00:00Z", "warn_at": "2001-01-01T00:00:00Z",
    "stale_at": "2001-01-01T00:00:00Z", "indexed_at": "2001-01-01T00:00:00Z", "content_hash": "0" * 64,
    "extraction_fingerprint": "other",
}  # fmt: skip

#: Columns of a document that has text, with another value. All show in the payloads or contradict the rest.
OTHER_COLUMNS: dict[str, Any] = {
    "uri": "ghost.md", "source": "notes", "folder": "ghosts", "content_hash": "0" * 64, "title": "Another",
    "url": "file:///other.md", "content_type": "text/other", "language": "xx", "owner": "user:mallory",
    "owner_source": "default?", "extraction_fingerprint": "other", "chunk_count": 1234, "version": 0,
    "modified_at": 1, "reviewed_at": 1, "date_used": 1, "warn_at": 1, "stale_at": 1, "indexed_at": 1,
    "deleted_at": 1,
}  # fmt: skip

#: Those that only a listing or the content of a document that can be read shows.
OTHER_VERSIONS: dict[str, Any] = {
    "token": "1-2-3", "seen_hash": "0" * 64, "seen_extraction": "other", "properties": "{}", "size": 4321,
    "native_id": "4321",
}  # fmt: skip


@dataclass
class Alteration:
    """What was done, and what has to be found."""

    kinds: str = "altered"
    """Of findings; at least one of these concerns it."""
    points: set[str] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)
    uris: set[str] = field(default_factory=set)
    everything: bool = False
    """It concerns the index as a whole."""
    deep: bool = False
    """Only `--deep` promises to find it."""
    refused: type[FreshkbError] | None = None
    """Nothing can be compared, and the message says why."""
    loses: bool = False
    """A text is lost that no source can give."""
    forgets: frozenset[str] = frozenset()
    """Of the row of a held document, what neither payload nor source tells."""
    new_id: bool = False
    """The document comes back under another id: nothing tells its own."""
    rebuilt: bool = False
    """The source itself was changed."""
    undo: list[Callable[[], object]] = field(default_factory=list)


Alter = Callable[[Altered, Random], Alteration]
KINDS: dict[str, Alter] = {}


#: Those that are one of many alike, a column or a field each.
ALIKE: set[str] = set()


def kind(make: Alter) -> Alter:
    KINDS[make.__name__] = make
    return make


def each(values: Iterable[str]) -> Callable[[Callable[[Altered, Random, str], Alteration]], None]:
    """A kind of its own for each of the values."""

    def register(make: Callable[[Altered, Random, str], Alteration]) -> None:
        for value in values:
            name = f"{make.__name__}-{value}"
            KINDS[name] = lambda index, random, value=value: make(index, random, value)  # type: ignore[misc]
            ALIKE.add(name)

    return register


def _of(index: Altered, *points: Point, kinds: str = "altered", **more: Any) -> Alteration:
    return Alteration(kinds, {p.id for p in points}, {p.payload["doc_id"] for p in points}, **more)


def _stray(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def _said(point: Point, **metadata: Any) -> Point:
    return replace(point, payload={**point.payload, "metadata": {**point.payload["metadata"], **metadata}})


# ── Points ────────────────────────────────────────────────────────────────────────────────────────────


@kind
def point_removed(index: Altered, random: Random) -> Alteration:
    point = index.some(random, unreadable=False)
    index.store(lambda session: session.delete([point.id]))
    return _of(index, point, kinds="missing")


@kind
def point_removed_that_no_source_gives(index: Altered, random: Random) -> Alteration:
    point = index.some(random, unreadable=True)
    index.store(lambda session: session.delete([point.id]))
    return _of(index, point, kinds="missing", loses=True)


@kind
def point_added(index: Altered, random: Random) -> Alteration:
    stray = replace(index.some(random), id=_stray(random), payload={"text": "of somebody else"})
    index.upsert(stray)
    return Alteration("extra", {stray.id})


@kind
def point_doubled(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    stray = replace(point, id=_stray(random))
    index.upsert(stray)
    return _of(index, stray, kinds="extra")


@kind
def document_doubled(index: Altered, random: Random) -> Alteration:
    strays = [replace(p, id=_stray(random)) for p in index.of(random.choice(index.chosen()))]
    index.upsert(*strays)
    return _of(index, *strays, kinds="extra")


@kind
def point_of_another_model(index: Altered, random: Random) -> Alteration:
    """The id does not follow from the embedding that the collection is made with."""
    point = index.some(random)
    stray = replace(point, id=point_id(point.payload["doc_id"], "0" * 64, 0, "another model"))
    index.upsert(stray)
    index.store(lambda session: session.delete([point.id]))
    return _of(index, point, stray, kinds="missing extra")


@kind
def text_changed(index: Altered, random: Random) -> Alteration:
    point = index.some(random, unreadable=False)
    index.upsert(replace(point, payload={**point.payload, "page_content": "What nobody wrote."}))
    return _of(index, point)


@kind
def text_changed_that_no_source_gives(index: Altered, random: Random) -> Alteration:
    point = index.some(random, unreadable=True)
    index.upsert(replace(point, payload={**point.payload, "page_content": "What nobody wrote."}))
    return _of(index, point, loses=True)


@each(OTHER_METADATA)
def metadata_changed(index: Altered, random: Random, name: str) -> Alteration:
    point = index.some(random)
    index.upsert(_said(point, **{name: OTHER_METADATA[name]}))
    return _of(index, point, loses=name == "heading_path" and _unreadable(index, point))


@kind
def metadata_added(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(_said(point, secret="added"))
    return _of(index, point)


@kind
def payload_field_added(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(replace(point, payload={**point.payload, "secret": "added"}))
    return _of(index, point)


@each(OTHER_METADATA)
def metadata_removed(index: Altered, random: Random, name: str) -> Alteration:
    point = index.some(random)
    left = {n: v for n, v in point.payload["metadata"].items() if n != name}
    index.upsert(replace(point, payload={**point.payload, "metadata": left}))
    return _of(index, point, loses=name == "heading_path" and _unreadable(index, point))


@kind
def payload_emptied(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(replace(point, payload={}))
    return _of(index, point, loses=_unreadable(index, point))


@kind
def document_named_by_nobody(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(replace(point, payload={**point.payload, "doc_id": _stray(random)}))
    return _of(index, point)


@kind
def dense_vector_changed(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(replace(point, dense=[-number for number in point.dense or ()]))
    return _of(index, point, deep=True)


@kind
def one_number_changed(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    numbers = list(point.dense or ())
    numbers[random.randrange(len(numbers))] += 0.001
    index.upsert(replace(point, dense=numbers))
    return _of(index, point, deep=True)


def _words(index: Altered, random: Random) -> tuple[Point, Sparse]:
    """A point that has words: one of nothing but stop words has none."""
    while True:
        point = index.some(random)
        if point.sparse is not None and point.sparse.indices:
            return point, point.sparse


@kind
def sparse_vector_changed(index: Altered, random: Random) -> Alteration:
    point, sparse = _words(index, random)
    index.upsert(replace(point, sparse=Sparse(sparse.indices, [value * 1.01 for value in sparse.values])))
    return _of(index, point, deep=True)


@kind
def sparse_word_changed(index: Altered, random: Random) -> Alteration:
    point, sparse = _words(index, random)
    words = list(sparse.indices)
    words[random.randrange(len(words))] = next(n for n in range(len(words) + 1) if n not in words)
    index.upsert(replace(point, sparse=Sparse(words, sparse.values)))
    return _of(index, point, deep=True)


@kind
def vectors_swapped(index: Altered, random: Random) -> Alteration:
    one, other = (random.choice(index.of(index.by_uri[uri])) for uri in ("plain.md", "long.txt"))
    index.upsert(replace(one, dense=other.dense), replace(other, dense=one.dense))
    return _of(index, one, other, deep=True)


@kind
def dense_vector_lost(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(replace(point, dense=None))
    return _of(index, point, kinds="missing")


@kind
def sparse_vector_lost(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.upsert(replace(point, sparse=None))
    return _of(index, point, kinds="missing")


@kind
def both_vectors_lost(index: Altered, random: Random) -> Alteration:
    point = index.some(random, unreadable=random.random() < 0.5)
    index.upsert(replace(point, dense=None, sparse=None))
    return _of(index, point, kinds="missing")


def _unreadable(index: Altered, point: Point) -> bool:
    return index.owner(point) in index.chosen(unreadable=True)


# ── Rows of chunks ────────────────────────────────────────────────────────────────────────────────────


@kind
def chunk_row_lost(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.sql("DELETE FROM chunks WHERE point_id = ?", point.id)
    return _of(index, point, kinds="extra")


@kind
def chunk_row_lost_that_no_source_gives(index: Altered, random: Random) -> Alteration:
    point = index.some(random, unreadable=True)
    index.sql("DELETE FROM chunks WHERE point_id = ?", point.id)
    return _of(index, point, kinds="extra")


@kind
def all_chunk_rows_of_a_document_lost(index: Altered, random: Random) -> Alteration:
    document = random.choice(index.chosen())
    index.sql("DELETE FROM chunks WHERE document_id = ?", document.document_id)
    return _of(index, *index.of(document), kinds="extra")


@kind
def chunks_lost_from_ledger_and_store(index: Altered, random: Random) -> Alteration:
    """Both agree with each other; only the document's row tells."""
    point = index.some(random, unreadable=False)
    index.sql("DELETE FROM chunks WHERE point_id = ?", point.id)
    index.store(lambda session: session.delete([point.id]))
    return Alteration("missing", documents={point.payload["doc_id"]})


#: Columns of a chunk that a payload or an id repeats.
OTHER_CHUNK: dict[str, Any] = {
    "chunk_index": 55, "embedded_hash": "0" * 64, "payload_digest": "0" * 64, "page": 55,
}  # fmt: skip


@each(OTHER_CHUNK)
def chunk_row_changed(index: Altered, random: Random, name: str) -> Alteration:
    point = index.some(random)
    index.sql(f"UPDATE chunks SET {name} = ? WHERE point_id = ?", OTHER_CHUNK[name], point.id)
    return _of(index, point)


@kind
def vector_digest_changed(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.sql("UPDATE chunks SET vector_digest = ? WHERE point_id = ?", "0" * 64, point.id)
    return _of(index, point, deep=True)


@kind
def chunk_row_of_another_point(index: Altered, random: Random) -> Alteration:
    point, other = index.some(random), _stray(random)
    index.sql("UPDATE chunks SET point_id = ? WHERE point_id = ?", other, point.id)
    found = _of(index, point, kinds="missing extra")
    found.points.add(other)
    return found


@kind
def chunk_row_of_another_document(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    other = random.choice([d for d in index.documents if d != point.payload["doc_id"]])
    return _given_to(index, point, other)


@kind
def chunk_row_of_nobody(index: Altered, random: Random) -> Alteration:
    return _given_to(index, index.some(random), _stray(random))


def _given_to(index: Altered, point: Point, other: str) -> Alteration:
    index.sql("UPDATE chunks SET document_id = ? WHERE point_id = ?", other, point.id)
    found = _of(index, point)
    found.documents.add(other)
    return found


@kind
def chunk_row_of_another_collection(index: Altered, random: Random) -> Alteration:
    point = index.some(random)
    index.sql("UPDATE chunks SET collection = 'elsewhere' WHERE point_id = ?", point.id)
    return _of(index, point, kinds="extra")


@kind
def chunk_row_added(index: Altered, random: Random) -> Alteration:
    point, other = index.some(random), _stray(random)
    columns = "document_id, chunk_index, embedded_hash, payload_digest, page, tokens, vector_digest"
    index.sql(
        f"INSERT INTO chunks (collection, point_id, {columns}) "
        f"SELECT collection, ?, {columns} FROM chunks WHERE point_id = ?",
        other,
        point.id,
    )
    return Alteration("missing", {other}, {point.payload["doc_id"]})


# ── Rows of documents ─────────────────────────────────────────────────────────────────────────────────


def _altered(index: Altered, document: Document, **columns: Any) -> None:
    for name, value in columns.items():
        statement = f"UPDATE documents SET {name} = ? WHERE document_id = ?"
        index.sql(statement, value, document.document_id)


def _row_of(index: Altered, document: Document, **more: Any) -> Alteration:
    found = _of(index, *index.of(document), **{"kinds": "altered outdated", **more})
    found.documents.add(document.document_id)
    found.uris.add(document.uri)
    return found


#: What only the row of a held document knew.
UNTOLD = frozenset({"size", "seen_extraction", "properties"})


@kind
def document_row_lost(index: Altered, random: Random) -> Alteration:
    document = random.choice(index.chosen())
    index.sql("DELETE FROM documents WHERE document_id = ?", document.document_id)
    return _row_of(index, document, forgets=UNTOLD if document.uri == "held.md" else frozenset())


#: One that holds no text, one of a type that is not supported, one that could never be parsed.
WITHOUT_TEXT = ("empty.md", "skipped.xyz", "never.json")


@each(WITHOUT_TEXT)
def row_lost_of_one_without_text(index: Altered, random: Random, uri: str) -> Alteration:
    document = index.by_uri[uri]
    index.sql("DELETE FROM documents WHERE document_id = ?", document.document_id)
    return _row_of(index, document, kinds="outdated", new_id=True)


@each(OTHER_COLUMNS)
def document_row_changed(index: Altered, random: Random, name: str) -> Alteration:
    document = random.choice(index.chosen())
    other = OTHER_COLUMNS[name]
    if name == "source" and document.source == other:
        other = "docs"
    _altered(index, document, **{name: other})
    found = _row_of(index, document)
    found.uris |= {"ghost.md"}
    return found


@each(OTHER_VERSIONS)
def document_version_changed(index: Altered, random: Random, name: str) -> Alteration:
    document = random.choice(index.chosen(unreadable=False))
    if name == "properties":
        document = index.by_uri["plain.md"]
    _altered(index, document, **{name: OTHER_VERSIONS[name]})
    return _row_of(index, document, deep=name in ("size", "native_id"))


@each(State)
def document_state_changed(index: Altered, random: Random, name: str) -> Alteration:
    state = State(name)
    document = random.choice([d for d in index.chosen() if d.state is not state])
    _altered(index, document, state=name)
    found = _row_of(index, document, new_id=state is State.ERASED)
    if document.uri == "held.md":
        found.loses = state is State.ERASED
    return found


@each(WITHOUT_TEXT)
def state_changed_of_one_without_text(index: Altered, random: Random, uri: str) -> Alteration:
    document = index.by_uri[uri]
    state = random.choice([s for s in State if s is not document.state])
    _altered(index, document, state=state.value)
    gone = document.state is State.SKIPPED or state in (State.DELETED, State.ERASED)
    return _row_of(index, document, new_id=gone)


@kind
def quarantine_changed(index: Altered, random: Random) -> Alteration:
    document = index.by_uri[random.choice(["broken.json", "never.json"])]
    name, other = random.choice([("seen_extraction", "other"), ("token", "1-2-3"), ("seen_hash", "0" * 64)])
    _altered(index, document, **{name: other})
    return _row_of(index, document, deep=name == "seen_hash")


@kind
def row_made_unreadable(index: Altered, random: Random) -> Alteration:
    document = random.choice(index.chosen())
    name, other = random.choice([("state", "lost"), ("properties", "{"), ("indexed_at", "soon")])
    _altered(index, document, **{name: other})
    return Alteration(refused=LedgerError)


# ── What people decided, and what was begun ───────────────────────────────────────────────────────────


@kind
def review_lost(index: Altered, random: Random) -> Alteration:
    document = index.by_uri[random.choice(["reviewed.md", "twin-1.md"])]
    index.sql("DELETE FROM reviews WHERE document_id = ?", document.document_id)
    return _row_of(index, document)


@kind
def review_put_earlier(index: Altered, random: Random) -> Alteration:
    document = index.by_uri[random.choice(["reviewed.md", "twin-1.md"])]
    index.sql("UPDATE reviews SET at = at - 1000 WHERE document_id = ?", document.document_id)
    return _row_of(index, document)


@kind
def hold_lost(index: Altered, random: Random) -> Alteration:
    document = index.by_uri["held.md"]
    index.sql("DELETE FROM holds WHERE document_id = ?", document.document_id)
    return _row_of(index, document)


@kind
def intent_left(index: Altered, random: Random) -> Alteration:
    """As a process that was killed leaves it: announced, and in the store before or not."""
    document = random.choice(index.chosen(unreadable=False))
    own, new = index.of(document), _stray(random)
    record = ChunkRecord(new, document.document_id, 0, "0" * 64, "0" * 64)
    intent = Intent(Action.UPDATE, document, (record,))
    index.kb.ask(lambda m: m.ledger.intend("killed", index.collection.name, [intent]))
    if random.random() < 0.5:
        index.upsert(replace(own[0], id=new))
    return _row_of(index, document, kinds="outdated")


@kind
def removal_left(index: Altered, random: Random) -> Alteration:
    point = replace(index.some(random), id=_stray(random))
    statement = "INSERT INTO removals (collection, point_id, document_id) VALUES (?, ?, ?)"
    index.sql(statement, index.collection.name, point.id, point.payload["doc_id"])
    if random.random() < 0.5:
        index.upsert(point)
    return Alteration("outdated", {point.id})


@kind
def event_left(index: Altered, random: Random) -> Alteration:
    """As a process that was killed leaves it: committed, and nobody was told."""
    document = random.choice(index.chosen())
    statement = (
        "INSERT INTO untold (at, run_id, document_id, source, action, detail, collection)"
        " VALUES (0, 'killed', ?, ?, 'updated', '', ?)"
    )
    index.sql(statement, document.document_id, document.source, index.collection.name)
    return _row_of(index, document, kinds="outdated")


# ── Everything ────────────────────────────────────────────────────────────────────────────────────────


OTHER_COLLECTION: dict[str, Any] = {
    "embedding_fingerprint": "another", "model": "another/model", "revision": "another",
    "dtype": "bfloat16", "dimension": 7,
}  # fmt: skip


@each(OTHER_COLLECTION)
def collection_row_changed(index: Altered, random: Random, name: str) -> Alteration:
    index.sql(f"UPDATE collections SET {name} = ?", OTHER_COLLECTION[name])
    return Alteration("altered", everything=True)


@kind
def collection_renamed(index: Altered, random: Random) -> Alteration:
    index.sql("UPDATE collections SET name = 'another'")
    return Alteration("missing", everything=True)


@kind
def collection_not_current(index: Altered, random: Random) -> Alteration:
    index.sql("UPDATE collections SET state = ?", random.choice(["building", "dropping", "another"]))
    return Alteration("missing", everything=True)


@kind
def collection_row_lost(index: Altered, random: Random) -> Alteration:
    index.sql("DELETE FROM collections")
    return Alteration("missing", everything=True)


@kind
def store_lost(index: Altered, random: Random) -> Alteration:
    shutil.rmtree(index.state / "index")
    return Alteration("missing", everything=True, loses=True)


@kind
def points_lost(index: Altered, random: Random) -> Alteration:
    index.store(lambda session: session.delete(sorted(index.points)))
    return Alteration("missing", everything=True, loses=True)


@kind
def ledger_of_another_store(index: Altered, random: Random) -> Alteration:
    index.sql("UPDATE meta SET value = ? WHERE name = 'instance'", _stray(random))
    return Alteration(refused=StoreMismatch)


@kind
def store_of_another_ledger(index: Altered, random: Random) -> Alteration:
    (index.state / "index" / index.collection.name / "instance").write_text(_stray(random))
    return Alteration(refused=StoreMismatch)


@kind
def old_ledger(index: Altered, random: Random) -> Alteration:
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (index.state / name).unlink(missing_ok=True)
        if (index.backup / name).exists():
            shutil.copyfile(index.backup / name, index.state / name)
    return Alteration("missing extra outdated", everything=True)


@kind
def old_store(index: Altered, random: Random) -> Alteration:
    shutil.rmtree(index.state / "index")
    copy(index.backup / "index", index.state / "index")
    return Alteration("missing extra altered", everything=True)


# ── The source ────────────────────────────────────────────────────────────────────────────────────────


def _changed(index: Altered, random: Random) -> Document:
    """One whose file may be changed: nothing but the source gives it."""
    found = [d for d in index.chosen(unreadable=False) if d.reviewed_at is None and d.uri != "kept.md"]
    return random.choice(found)


def _file(index: Altered, document: Document, **more: Any) -> tuple[Any, Alteration]:
    """The file, and an alteration whose undoing leaves it with the same inode, content and times."""
    path = index.kb.home / document.source / document.uri
    content, times = path.read_bytes(), path.stat()

    def undo() -> None:
        with path.open("r+b") as file:
            file.write(content)
            file.truncate()
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    return path, Alteration("outdated", set(), {document.document_id}, {document.uri}, rebuilt=True,
                            undo=[undo], **more)  # fmt: skip


def _rewrite(path: Any, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()


@kind
def file_edited(index: Altered, random: Random) -> Alteration:
    path, found = _file(index, _changed(index, random))
    _rewrite(path, b"# Edited\n\nWithout an event.\n")
    os.utime(path, (THEN + 50, THEN + 50))
    return found


@kind
def file_edited_and_disguised(index: Altered, random: Random) -> Alteration:
    """The same size, inode and times: only the content tells."""
    path, found = _file(index, _changed(index, random), deep=True)
    content, times = path.read_bytes(), path.stat()
    _rewrite(path, content.replace(b" t", b" T").replace(b"e", b"i"))
    assert path.read_bytes() != content
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return found


@kind
def file_touched(index: Altered, random: Random) -> Alteration:
    path, found = _file(index, _changed(index, random))
    os.utime(path, (THEN + 60, THEN + 60))
    return found


@kind
def file_removed(index: Altered, random: Random) -> Alteration:
    document = _changed(index, random)
    path, aside = index.kb.home / document.source / document.uri, index.kb.home / "aside"
    path.rename(aside)
    return Alteration("outdated", set(), {document.document_id}, {document.uri}, rebuilt=True,
                      undo=[lambda: aside.rename(path)])  # fmt: skip


@kind
def file_renamed(index: Altered, random: Random) -> Alteration:
    document = _changed(index, random)
    path = index.kb.home / document.source / document.uri
    other = path.with_stem("renamed")
    path.rename(other)
    return Alteration("outdated", set(), {document.document_id}, {"renamed" + path.suffix}, rebuilt=True,
                      undo=[lambda: other.rename(path)])  # fmt: skip


@kind
def file_replaced_by_a_copy(index: Altered, random: Random) -> Alteration:
    document = _changed(index, random)
    path, aside = index.kb.home / document.source / document.uri, index.kb.home / "aside"
    path.rename(aside)
    shutil.copy2(aside, path)
    return Alteration("outdated", set(), {document.document_id}, {document.uri}, rebuilt=True,
                      undo=[lambda: aside.replace(path)])  # fmt: skip


@kind
def file_added(index: Altered, random: Random) -> Alteration:
    uri = random.choice(["new.md", "team/new.txt", "new.xyz"])
    path = index.put("docs", uri, b"# New\n\nJust come.\n", at=70)
    return Alteration("outdated", uris={uri}, rebuilt=True, undo=[path.unlink])
