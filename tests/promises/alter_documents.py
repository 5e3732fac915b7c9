"""Alterations of the ledger's rows of documents, and of what people decided about them."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from index.errors import LedgerError
from index.model import LIVE, Action, State
from index.records import ChunkRecord, Document, Intent
from tests.promises.alteration import Alteration, changed, each, kind, row_of, unknown_id
from tests.promises.altered import UNREADABLE, Altered

#: Columns of a document that has text, with another value. All show in the payloads or contradict the rest.
OTHER_COLUMNS: dict[str, Any] = {
    "uri": "ghost.md", "source": "notes", "folder": "ghosts", "content_hash": "0" * 64, "title": "Another",
    "url": "file:///other.md", "content_type": "text/other", "language": "xx", "owner": "user:mallory",
    "owners": '["user:mallory"]',
    "owner_source": "default?", "extraction_fingerprint": "other", "chunk_count": 1234, "version": 0,
    "modified_at": 1, "reviewed_at": 1, "date_used": 1, "warn_at": 1, "stale_at": 1, "indexed_at": 1,
    "deleted_at": 1,
}  # fmt: skip

#: Those that only a listing or the content of a document that can be read shows.
OTHER_VERSIONS: dict[str, Any] = {
    "token": "1-2-3", "seen_hash": "0" * 64, "seen_extraction": "other", "properties": "{}", "size": 4321,
    "native_id": "4321",
}  # fmt: skip


def _altered(index: Altered, document: Document, **columns: Any) -> None:
    for name, value in columns.items():
        statement = f"UPDATE documents SET {name} = ? WHERE document_id = ?"
        index.sql(statement, value, document.document_id)


#: Documents that their source still has, and that a hold or a review names.
DECIDED = ("kept.md", "reviewed.md")

#: Fields that only the row of a held document knew.
UNTOLD = frozenset({"size", "seen_extraction", "properties"})


@kind
def document_row_lost(index: Altered, random: Random) -> Alteration:
    document = index.any(random)
    index.sql("DELETE FROM documents WHERE document_id = ?", document.document_id)
    return row_of(index, document, forgets=UNTOLD if document.uri == "held.md" else frozenset())


@kind
def document_swallowed_by_another(index: Altered, random: Random) -> Alteration:
    """Its row is lost, and the ledger calls its chunks those of another document."""
    document = index.by_uri[random.choice(["held.md", "long.txt"])]
    other = index.by_uri["plain.md"]
    index.sql(
        "UPDATE chunks SET document_id = ? WHERE document_id = ?", other.document_id, document.document_id
    )
    index.sql("DELETE FROM documents WHERE document_id = ?", document.document_id)
    found = row_of(index, document, new_id=True, left_alone=document.uri == "held.md")
    found.documents.add(other.document_id)
    return found


@kind
def document_known_by_its_points_only(index: Altered, random: Random) -> Alteration:
    document = index.by_uri[random.choice(["held.md", "broken.json", "long.txt", *DECIDED])]
    for table in ("chunks", "documents"):
        index.sql(f"DELETE FROM {table} WHERE document_id = ?", document.document_id)
    held = document.uri == "held.md"
    loses = document.uri in UNREADABLE and not held
    new_id = document.uri not in DECIDED
    return row_of(index, document, kinds="extra", new_id=new_id, loses=loses, left_alone=held)


@kind
def document_row_lost_and_made_anew(index: Altered, random: Random) -> Alteration:
    """A sync has found the document at its source, and given it another id."""
    document = changed(index, random)
    index.sql("DELETE FROM documents WHERE document_id = ?", document.document_id)
    index.kb.sync()
    return row_of(index, document, new_id=True)


@each(("owner_source", "version"))
def row_changed_that_no_source_gives(index: Altered, random: Random, name: str) -> Alteration:
    document = index.by_uri["held.md"]
    _altered(index, document, **{name: OTHER_COLUMNS[name]})
    return row_of(index, document)


#: Documents without text, of a type that is not supported, and that could never be parsed.
WITHOUT_TEXT = ("empty.md", "skipped.xyz", "never.json")


@each(WITHOUT_TEXT)
def row_lost_of_one_without_text(index: Altered, random: Random, uri: str) -> Alteration:
    document = index.by_uri[uri]
    index.sql("DELETE FROM documents WHERE document_id = ?", document.document_id)
    return row_of(index, document, kinds="outdated", new_id=True)


@each(OTHER_COLUMNS)
def document_row_changed(index: Altered, random: Random, name: str) -> Alteration:
    document = index.any(random)
    other = OTHER_COLUMNS[name]
    if name == "source" and document.source == other:
        other = "docs"
    _altered(index, document, **{name: other})
    found = row_of(index, document)
    found.uris |= {"ghost.md"}
    return found


@each(OTHER_VERSIONS)
def document_version_changed(index: Altered, random: Random, name: str) -> Alteration:
    document = random.choice(index.chosen(unreadable=False))
    if name == "properties":
        document = index.by_uri["plain.md"]
    _altered(index, document, **{name: OTHER_VERSIONS[name]})
    return row_of(index, document, deep=name in ("size", "native_id"))


@each(State)
def document_state_changed(index: Altered, random: Random, name: str) -> Alteration:
    gone = State(name) not in LIVE
    document = random.choice([d for d in index.chosen() if d.state != name])
    if gone:
        # It comes from its source alone, and is another document.
        document = changed(index, random)
    _altered(index, document, state=name)
    return row_of(index, document, new_id=gone)


@each(WITHOUT_TEXT)
def state_changed_of_one_without_text(index: Altered, random: Random, uri: str) -> Alteration:
    document = index.by_uri[uri]
    state = random.choice([s for s in State if s is not document.state])
    _altered(index, document, state=state.value)
    gone = document.state is State.SKIPPED or state in (State.DELETED, State.ERASED)
    return row_of(index, document, new_id=gone)


@each(WITHOUT_TEXT)
def version_changed_of_one_without_text(index: Altered, random: Random, uri: str) -> Alteration:
    document = index.by_uri[uri]
    _altered(index, document, version=0 if document.version else 1)
    return row_of(index, document, new_id=document.state is State.SKIPPED)


@each(WITHOUT_TEXT)
def row_changed_of_one_without_text(index: Altered, random: Random, uri: str) -> Alteration:
    """Of the bits of a row that has no chunks, too, most stand for something that can be checked."""
    document = index.by_uri[uri]
    other = {"url": document.url.replace("file:///", "file://-")}
    _altered(
        index,
        document,
        **(other if document.url and uri != "empty.md" else {"content_type": "text/markdoun"}),
    )
    return row_of(index, document, new_id=document.state is State.SKIPPED)


@kind
def quarantine_changed(index: Altered, random: Random) -> Alteration:
    document = index.by_uri[random.choice(["broken.json", "never.json"])]
    name, other = random.choice([("seen_extraction", "other"), ("token", "1-2-3"), ("seen_hash", "0" * 64)])
    _altered(index, document, **{name: other})
    return row_of(index, document, deep=name == "seen_hash")


@kind
def row_made_unreadable(index: Altered, random: Random) -> Alteration:
    document = index.any(random)
    name, other = random.choice([("state", "lost"), ("properties", "{"), ("indexed_at", "soon")])
    _altered(index, document, **{name: other})
    return Alteration(refused=LedgerError)


@kind
def review_lost(index: Altered, random: Random) -> Alteration:
    document = index.by_uri[random.choice(["reviewed.md", "twin-1.md"])]
    index.sql("DELETE FROM reviews WHERE document_id = ?", document.document_id)
    return row_of(index, document)


@kind
def review_put_earlier(index: Altered, random: Random) -> Alteration:
    document = index.by_uri[random.choice(["reviewed.md", "twin-1.md"])]
    index.sql("UPDATE reviews SET at = at - 1000 WHERE document_id = ?", document.document_id)
    return row_of(index, document)


@kind
def hold_lost(index: Altered, random: Random) -> Alteration:
    document = index.by_uri["held.md"]
    index.sql("DELETE FROM held_documents WHERE document_id = ?", document.document_id)
    return row_of(index, document)


@kind
def intent_left(index: Altered, random: Random) -> Alteration:
    """As a process that was killed leaves it: announced, and in the store before or not."""
    document = random.choice(index.chosen(unreadable=False))
    own, new = index.of(document), unknown_id(random)
    record = ChunkRecord(new, document.document_id, 0, "0" * 64, "0" * 64)
    intent = Intent(Action.UPDATE, document, (record,))
    index.kb.ask(lambda m: m.ledger.writes.intend("killed", index.collection.name, [intent]))
    if random.random() < 0.5:
        index.upsert(replace(own[0], id=new))
    return row_of(index, document, kinds="outdated")


@kind
def removal_left(index: Altered, random: Random) -> Alteration:
    point = replace(index.some(random), id=unknown_id(random))
    statement = "INSERT INTO removals (collection, point_id, document_id) VALUES (?, ?, ?)"
    index.sql(statement, index.collection.name, point.id, point.payload["doc_id"])
    if random.random() < 0.5:
        index.upsert(point)
    return Alteration("outdated", {point.id})


@kind
def entry_left(index: Altered, random: Random) -> Alteration:
    """As a process that was killed leaves it: committed, and its entry still pending."""
    document = random.choice(index.chosen())
    statement = (
        "INSERT INTO log (at, actor, run_id, subject, source, action, facts, collection)"
        " VALUES (0, '', 'killed', ?, ?, 'updated', '{}', ?)"
    )
    index.sql(statement, document.document_id, document.source, index.collection.name)
    return row_of(index, document, kinds="outdated")
