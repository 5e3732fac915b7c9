"""Strangers, points and collections that the ledger does not know: removed, with a report of documents that
only they had.

They prove nothing, so their texts are not used. They stay while the source that they name cannot be reached,
and where they are all that is left of a document under a hold.

They tell the id of a document whose row is lost. If a hold, a review or a new owner names that id, and its
source still has the document, then the row is recorded again: the sync would give the document another id.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Set
from itertools import islice

from index.batched import batched
from index.ledger import LogAction, LogEntry
from index.model import Action, Point, State
from index.records import Document
from index.sync.apply import remove
from index.sync.collection import orphans
from index.sync.sync import plan_of
from index.sync.target import Target
from index.sync.withhold import Tombstones
from index.verify.differences import Verification
from index.verify.points import Claim, claim_of
from index.verify.renew import readable
from index.workspace import Workspace

#: States of a document that was recorded and, as long as it has no version, not read.
_UNREAD = {State.PENDING, State.QUARANTINED}


class Strangers:
    """Points of the current collection, and whole collections. `absence_counts`: whether absence at a source
    counts; `held`: ids of documents under a hold."""

    def __init__(
        self,
        workspace: Workspace,
        target: Target,
        found: Verification,
        absence_counts: Callable[[str | None], bool],
        held: Set[str],
    ) -> None:
        self._workspace = workspace
        self._target = target
        self._absence_counts = absence_counts
        self._held = held
        self._left: set[Claim] = set()
        """Documents without a row that a hold keeps: nothing of them was removed."""
        self._points = {
            extra.point_id: Claim(extra.document_id, extra.source, extra.uri)
            for extra in found.extra
            if extra.point_id is not None
        }
        """{point id: document that the point names}."""
        self._documents: set[Claim] = set()
        """Documents without a row, or recorded again, of which points were removed."""

    def add(self, points: Iterable[Point]) -> None:
        """Points whose rows were dropped."""
        self._points |= {point.id: claim_of(point.payload) for point in points}

    def recall(self, run_id: str) -> None:
        """Record documents again that people decided on, for the sync to read. The caller is the writer of
        every source."""
        ledger, now = self._workspace.ledger, self._workspace.now()
        lost = self._decided({*self._points.values(), *self._elsewhere()})
        for source in {source.id for source in self._workspace.config.sources} & {c.source for c in lost}:
            added = {item.uri for item in plan_of(self._workspace, source).items if item.action is Action.ADD}
            rows = [
                Document(claim.document_id or "", source, claim.uri or "", State.PENDING, first_seen_at=now)
                for claim in lost
                if claim.source == source and claim.uri in added
            ]
            ledger.documents.put(rows, [LogEntry.of(r, LogAction.RESTORED, now, run_id) for r in rows])
            self._documents |= {Claim(row.document_id, source, row.uri) for row in rows}

    def _elsewhere(self) -> Iterator[Claim]:
        """The documents that collections without a row name."""
        for name in orphans(self._workspace):
            if readable(self._workspace, name):
                yield from _documents(self._workspace, name)

    def _decided(self, claims: Iterable[Claim]) -> list[Claim]:
        """The documents among these without any row that a decision of a person names. No two have the same
        id, or the same place: they contradict each other."""
        ledger, claims = self._workspace.ledger, set(claims)
        named, decided = {claim.document_id for claim in claims if claim.document_id}, set[str]()
        for ids in batched(named, self._workspace.sizes.read_points):
            decided |= self._held & set(ids)
            decided |= ledger.reviews.of(ids).keys() | ledger.answers.owners(ids).keys()
            rows = ledger.documents.find(document_ids=ids, states=list(State))
            decided -= {row.document_id for row in rows}
        found = [claim for claim in claims if claim.document_id in decided]
        times = Counter(claim.document_id for claim in found)
        places = Counter((claim.source, claim.uri) for claim in found)
        return [c for c in found if times[c.document_id] == places[c.source, c.uri] == 1]

    def remove(self) -> None:
        """Remove the points that still have no row; once more after the sync, which may have read documents
        again that a hold keeps. The caller is the writer of every source."""
        name = self._target.collection.name
        known = self._workspace.ledger.points.known(name, self._points)
        gone = {
            point: claim
            for point, claim in self._points.items()
            if point not in known and self._absence_counts(claim.source)
        }
        only = self._unrecorded(gone.values())
        left = {claim for claim in only if claim.document_id in self._held}
        removed = {point: claim.document_id or "" for point, claim in gone.items() if claim not in left}
        with self._target.store.session(name) as session:
            remove(session, list(removed))
        self._workspace.ledger.writes.record_absent(name, removed, self._workspace.now())
        self._documents |= only - left
        self._left = left
        self._points = {point: claim for point, claim in gone.items() if claim in left}

    def drop(self) -> dict[str, str]:
        """Drop the collections, after the sources were synced. Returns {document: sentence} for each that is
        lost, because only removed points or collections had it."""
        lost = {}
        for name in orphans(self._workspace):
            if not readable(self._workspace, name):
                lost[name] = (
                    f"Collection {name}, which the ledger does not know, cannot be read: documents that "
                    "nothing else had are lost, and cannot be named."
                )
            else:
                only = self._unrecorded(_documents(self._workspace, name))
                left = {claim for claim in only if claim.document_id in self._held}
                self._left |= left
                if left or not all(self._absence_counts(claim.source) for claim in only):
                    continue
                self._documents |= only
            self._workspace.store.drop(name)
        for document_id, source, uri in self._documents:
            if document_id and source and uri and not self._indexed(source, uri):
                lost[document_id] = (
                    f"{source}:{uri}: all of its text is lost. The ledger does not know it, and its source "
                    "does not have it."
                )
        for document_id, source, uri in self._left:
            lost[document_id or ""] = (
                f"{source}:{uri}: the ledger has lost it, and a hold stands on it. Nothing of it was "
                "removed. Restore the ledger from a backup, or release the hold."
            )
        return lost

    def _unrecorded(self, claim: Iterable[Claim]) -> set[Claim]:
        """The documents among these without a row, even a deleted or erased one, or recorded again and not
        yet read."""
        by_id = defaultdict[str, set[Claim]](set)
        for each in claim:
            by_id[each.document_id or ""].add(each)
        found: set[Claim] = set()
        for ids in batched(by_id, self._workspace.sizes.read_points):
            rows = self._workspace.ledger.documents.find(document_ids=ids, states=list(State))
            known = {row.document_id for row in rows if row.version or row.state not in _UNREAD}
            for name in set(ids) - known:
                found |= by_id[name]
        return found - self._erased(found)

    def _erased(self, claims: Iterable[Claim]) -> set[Claim]:
        """Those of which an order to erase keeps the path out: they are not lost, and not to be named."""
        tombstones, found = Tombstones(self._workspace.ledger), set[Claim]()
        for source in {claim.source for claim in claims if claim.source}:
            of = [claim for claim in claims if claim.source == source and claim.uri]
            out = tombstones.paths(source, [claim.uri or "" for claim in of])
            found |= {claim for claim in of if claim.uri in out}
        return found

    def _indexed(self, source: str, uri: str) -> bool:
        """Whether a version of a live document of this uri is in the index."""
        return any(
            found.version for found in self._workspace.ledger.documents.find(source=source, uris=[uri])
        )


def _documents(workspace: Workspace, collection: str) -> Iterator[Claim]:
    """The documents that the payloads of a collection name, holding the store for a page at a time."""
    first: str | None = None
    while True:
        with workspace.store.session(collection) as session:
            stream = session.scroll(vectors=False, page=workspace.sizes.read_points, first=first)
            points = list(islice(stream, workspace.sizes.read_points))
        yield from dict.fromkeys(claim_of(point.payload) for point in points)
        if len(points) < workspace.sizes.read_points:
            return
        first = points[-1].id
