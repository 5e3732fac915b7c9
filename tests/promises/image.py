"""All that an index and its log hold, in a form that two indexes of the same sources share."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

from index.ledger import LogAction
from index.model import Point, State, point_id
from index.workspace import Workspace
from tests.knowledge import Knowledge

#: Fields that history gives to a document, and times of writing.
HISTORY = ("document_id", "token", "native_id", "version", "first_seen_at", "indexed_at", "deleted_at")

#: Cosine vectors are normalised by the engine, which may round the last bit another way.
TOLERANCE = 1e-6


@dataclass(slots=True)
class Image:
    """By uri, in each source: the document's row and its points in order, both without what history gave."""

    documents: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    points: dict[tuple[str, str], list[Point]] = field(default_factory=dict)
    """Their ids are those of an index that had never seen another document id."""
    wrong: list[str] = field(default_factory=list)
    """Faults that no index may have: points of no document, ids that do not follow from their texts."""


def image(workspace: Workspace) -> Image:
    """The image of this index. Documents that are gone are left out."""
    ledger, taken = workspace.ledger, Image()
    collection = ledger.collections.current()
    documents = {d.document_id: d for d in ledger.documents.find()}
    for document in documents.values():
        row = {name: value for name, value in asdict(document).items() if name not in HISTORY}
        if document.state is State.SKIPPED:
            # It is not looked at again, however its content changes.
            row["size"] = None
        taken.documents[document.source, document.uri] = row
    if collection is None:
        return taken
    with workspace.store.session(collection.name) as session:
        stored = {point.id: point for point in session.scroll(vectors=True)}
    records = ledger.chunks.of(collection.name, list(documents))
    for document_id, own in records.items():
        document, seen = documents[document_id], Counter[str]()
        here: list[Point] = []
        for record in sorted(own, key=lambda record: record.chunk_index):
            occurrence = seen[record.embedded_hash]
            seen[record.embedded_hash] += 1
            names = (record.embedded_hash, occurrence, collection.embedding_fingerprint)
            if point_id(document_id, *names) != record.point_id:
                taken.wrong.append(f"the id of {record.point_id} of {document.uri!r} does not follow")
            point = stored.pop(record.point_id, None)
            if point is None:
                taken.wrong.append(f"point {record.point_id} of {document.uri!r} is missing")
            elif point.payload["doc_id"] != document_id:
                taken.wrong.append(f"point {point.id} of {document.uri!r} says it is another document's")
            else:
                here.append(Point(point_id("", *names), _payload(point), point.dense, point.sparse))
        if here:
            taken.points[document.source, document.uri] = here
    taken.wrong += [f"point {orphan} belongs to no document" for orphan in stored]
    return taken


def _payload(point: Point) -> dict[str, Any]:
    metadata = {n: v for n, v in point.payload["metadata"].items() if n not in ("document_id", "indexed_at")}
    return {"page_content": point.payload["page_content"], "metadata": metadata}


def rebuilt(kb: Knowledge) -> Image:
    """The image of the same configuration with an empty ledger and store, of what the sources hold now."""
    # On a server it lies beside the index, and beside those of former calls.
    index = {**kb.settings.get("index", {}), "collection": f"rebuilt-{uuid4().hex}"}
    apart = {"state_dir": ".freshkb-rebuilt", "ledger": "sqlite", "index": index}
    settings, kb.settings = kb.settings, {**kb.settings, **apart}
    shutil.rmtree(kb.home / ".freshkb-rebuilt", ignore_errors=True)
    try:
        kb.sync()
        return kb.ask(image)
    finally:
        kb.settings = settings
        # Commands in processes of their own read the file.
        kb.config()


def differences(mine: Image, theirs: Image) -> list[str]:
    """How two indexes differ, in words; [] when they are identical."""
    found = mine.wrong + theirs.wrong
    for place in sorted(mine.documents.keys() | theirs.documents.keys()):
        row, other = mine.documents.get(place), theirs.documents.get(place)
        if row is None or other is None:
            found.append(f"{place} is only in {'the rebuild' if row is None else 'the index'}")
            continue
        found += [
            f"{place}: {name} is {row[name]!r}, rebuilt {other[name]!r}"
            for name in row
            if row[name] != other[name]
        ]
        points, others = mine.points.get(place, []), theirs.points.get(place, [])
        if [(p.id, p.payload) for p in points] != [(p.id, p.payload) for p in others]:
            found.append(f"{place}: ids or payloads are {points}, rebuilt {others}")
            continue
        for point, again in zip(points, others, strict=True):
            if not _same_vectors(point, again):
                found.append(f"{place}: a vector of chunk {point.payload['metadata']['chunk_index']} differs")
    return found


def _same_vectors(one: Point, other: Point) -> bool:
    if one.dense is None or other.dense is None or one.sparse is None or other.sparse is None:
        return False
    if (one.dense, one.sparse) == (other.dense, other.sparse):
        return True
    if list(one.sparse.indices) != list(other.sparse.indices):
        return False
    numbers = zip((*one.dense, *one.sparse.values), (*other.dense, *other.sparse.values), strict=True)
    return all(abs(a - b) <= TOLERANCE for a, b in numbers)


#: Done by a person, once for each time that the command was run.
SAID = {LogAction.REVIEWED, LogAction.HOLD_PLACED, LogAction.HOLD_RELEASED, LogAction.APPROVED}

Told = dict[str, Counter[str]]
"""By uri, the actions on its documents, and how often each was done."""


def newest(workspace: Workspace) -> int:
    """The number of the last entry of the log."""
    return max((entry.sequence or 0 for entry in workspace.ledger.log.newest(1)), default=0)


def told(workspace: Workspace, since: int = 0) -> Told:
    """The actions on documents of the entries after this one, people's own apart. A document has the uri
    that it has now."""
    uris = {d.document_id: d.uri for d in workspace.ledger.documents.find(states=list(State))}
    found: Told = {}
    for entry in workspace.ledger.log.newest(10_000):
        if (entry.sequence or 0) > since and entry.source and entry.action not in SAID:
            found.setdefault(uris[entry.subject], Counter())[entry.action] += 1
    return found


def unfinished(workspace: Workspace) -> set[str]:
    """Documents with a change that was not committed."""
    return {intent.document.document_id for _, _, intent in workspace.ledger.points.intents()}


def mistold(workspace: Workspace, since: int, usual: Told, redone: Collection[str]) -> list[str]:
    """How the entries after this one differ from what is told when nothing goes wrong, in words. Documents
    whose change was given up are read and written anew: that may be told as an update, but once."""
    mine = told(workspace, since)
    again = {d.uri for d in workspace.ledger.documents.find(document_ids=redone, states=list(State))}
    found = []
    for uri in sorted(mine.keys() | usual.keys()):
        actions, others = mine.get(uri, Counter()), usual.get(uri, Counter())
        updated = uri in again and set(actions - others) == {"updated"} and actions.total() == others.total()
        if actions != others and not updated:
            found.append(f"of {uri!r} is told {dict(actions)}, when nothing goes wrong {dict(others)}")
    return found
