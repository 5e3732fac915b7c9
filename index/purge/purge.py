"""The verb: take the bytes of what was removed off the disk, and say what was observed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Any

from connectors.base import BYTES, forget
from index.batched import batched
from index.errors import Locked, StoreError
from index.ledger import LogAction, LogEntry
from index.purge.copy import copied, every_point, fresh, switch
from index.purge.lag import lag_of, seconds
from index.records import Collection
from index.run import Run
from index.store.base import Claim
from index.sync.apply import remove
from index.sync.collection import drop, retire
from index.sync.recover import recover
from index.sync.source import known_sources
from index.sync.target import target_of
from index.workspace import Workspace

COMMAND = "freshkb purge"
SOURCE_CACHES = "source_caches"

#: What no purge reaches, whatever it claims.
NOT_COVERED = (
    "Blocks that a file system freed, of temporary files too: it overwrites them when it needs them.",
    "Copies that others made: backups, snapshots of a disk or of a whole server, replicas.",
    "The ledger's row of a deleted or expired document: its path, title and owner stay until an order erases "
    "them.",
    "A damaged ledger that a repair kept aside (ledger.db.damaged…), until it is removed.",
    "The sources themselves, and what readers of the index have copied.",
)


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of file that may hold pieces of what was removed."""

    place: str
    claim: Claim
    evidence: str
    """Sentences on the action, its evidence, and its limits."""
    left: bool = False
    """Whether something could be removed here and was not: the next purge tries again."""

    def json(self) -> dict[str, Any]:
        return {"place": self.place, "claim": self.claim, "evidence": self.evidence}


@dataclass(frozen=True, slots=True)
class PurgeReport:
    removals: int
    """Removed points that waited."""
    purged: int
    """Those whose bytes were taken off every place, as far as it claims."""
    pending: int
    """Those that wait now."""
    oldest: timedelta | None
    """The time that the oldest of these has waited."""
    places: tuple[Place, ...] = ()
    waiting: tuple[str, ...] = ()
    """Why removals were left to other processes."""
    interrupted: bool = False

    @property
    def outcome(self) -> str:
        if self.interrupted:
            return "interrupted"
        if any(place.left for place in self.places):
            return "failed"
        return "refused" if self.waiting else "done"

    @property
    def exit_code(self) -> int:
        return {"interrupted": 130, "failed": 1, "refused": 4, "done": 0}[self.outcome]

    @property
    def errors(self) -> list[str]:
        """Sentences on what was left."""
        return [place.evidence for place in self.places if place.left] + list(self.waiting)

    def json(self) -> dict[str, Any]:
        return {
            "removals": self.removals,
            "purged": self.purged,
            "pending": self.pending,
            "oldest_seconds": seconds(self.oldest),
            "places": [place.json() for place in self.places],
            "waiting": list(self.waiting),
        }


def preview(workspace: Workspace) -> PurgeReport:
    """What a purge would begin with. Nothing is done."""
    lag = lag_of(workspace)
    said = "Nothing was done. {} is found by no search, and its bytes may be in {}."
    places = (
        Place("store", "unretrievable", said.format("What was removed or replaced", "the store's files")),
        Place("ledger", "unretrievable", said.format("A deleted row", "the ledger's free space and log")),
    )
    return PurgeReport(lag.pending, 0, lag.pending, lag.oldest, places)


def purge(run: Run) -> PurgeReport:
    """Purge the store and the ledger, and forget the removals whose bytes are gone.

    Beside syncs and searches: an embedded store is held while it rewrites segments; a server's copy locks the
    writers of all sources and no search. Raises Locked when a server's source is being written, StoreError
    and LedgerError when these fail; then nothing is forgotten.
    """
    with run:
        report = purge_places(run)
        run.ends(report.outcome, report.json(), " ".join(report.errors))
    return report


def purge_places(run: Run) -> PurgeReport:
    """The same as a part of a run that is under way, whose outcome it leaves alone."""
    workspace, ledger = run.workspace, run.workspace.ledger
    removals = lag_of(workspace).pending
    current = workspace.readable()
    places: list[Place] = []
    purged = 0
    waiting: list[str] = []
    sources = known_sources(workspace)
    with ExitStack() as locks:
        if current is not None:
            waiting = _recover(run, current, sources, locks)
            retire(workspace, run.run_id)
        last = ledger.log.head().size
        if current is not None and not run.stop.is_set():
            # They are absent before any file is rewritten.
            absent = ledger.points.absent(current.name)
            current, store = _store(run, current, sources)
            places.append(store)
        if not run.stop.is_set():
            places.append(_ledger(workspace))
            places += _caches(workspace, removals)
        if current is not None and not run.stop.is_set() and not any(place.left for place in places):
            claims = {place.place: place.claim for place in places}
            purged = len(absent)
            facts = {"removals": purged, "until": last, **claims}
            done = LogEntry(workspace.now(), LogAction.PURGED, "", current.name, run.run_id, facts)
            ledger.writes.purged(current.name, absent, [done])
    lag = lag_of(workspace)
    return PurgeReport(
        max(removals, purged),
        purged,
        lag.pending,
        lag.oldest,
        tuple(places),
        tuple(waiting),
        interrupted=run.stop.is_set(),
    )


def _recover(run: Run, current: Collection, sources: Sequence[str], locks: ExitStack) -> list[str]:
    """Mend what interrupted runs left, of each source that nobody writes. Returns sentences on removals that
    are left to writers. A server's writers stay locked by `locks`; raises Locked when one of them is at
    work."""
    workspace, target = run.workspace, target_of(run, current)
    if _in_place(workspace) and not _unfinished(workspace, current):
        # No writer is locked out without need.
        return []
    busy: list[str] = []
    for source in sources:
        try:
            with ExitStack() as lock:
                lock.enter_context(workspace.ledger.writer(source, COMMAND))
                recover(target, source, run.run_id)
                if not _in_place(workspace):
                    locks.enter_context(lock.pop_all())
        except Locked as error:
            if not _in_place(workspace):
                raise
            busy.append(str(error))
    return busy if busy and workspace.ledger.points.removals(current.name) else []


def _unfinished(workspace: Workspace, current: Collection) -> bool:
    """Whether a run was interrupted, or is under way."""
    points, pending = workspace.ledger.points, workspace.ledger.log.pending(current.name)
    building = any(made.state == "building" for made in workspace.ledger.collections.all())
    return bool(building or pending or points.intents() or points.removals(current.name))


def _in_place(workspace: Workspace) -> bool:
    """Whether the store rewrites its own files, which can be seen."""
    return workspace.store.kind == "edge"


def _store(run: Run, current: Collection, sources: Sequence[str]) -> tuple[Collection, Place]:
    """The collection in use after the purge of the store, and what can be said of its bytes."""
    workspace = run.workspace
    if not _in_place(workspace):
        lag = lag_of(workspace)
        if lag.pending or lag.replaced:
            with workspace.ledger.builder(COMMAND, sources):
                return _replaced(run, current)
    _remove_again(workspace, current)
    found = workspace.store.purge(current.name)
    left = _in_place(workspace) and found.claim != "purged"
    return current, Place("store", found.claim, found.evidence, left)


def _remove_again(workspace: Workspace, current: Collection) -> None:
    """Delete absent points that the store holds all the same: a writer whose lock was lost may have written
    them after a recovery had deleted them, and died."""
    if not workspace.ledger.points.absent(current.name):
        return
    with workspace.store.session(current.name) as session:
        # Read in the session: before it, a run may intend a point again.
        ids = [removal.point_id for removal in workspace.ledger.points.absent(current.name)]
        for page in batched(ids, workspace.sizes.read_points):
            remove(session, sorted(session.retrieve(page, vectors=False)))


def _replaced(run: Run, former: Collection) -> tuple[Collection, Place]:
    """Copy the live points to a fresh collection, which replaces the former one."""
    workspace, count = run.workspace, 0
    _remove_again(workspace, former)
    made = fresh(workspace, former, run.run_id)
    points = takewhile(lambda _: not run.stop.is_set(), every_point(workspace, former))
    for ids in copied(workspace, made, points, exact=True):
        count += len(ids)
    if run.stop.is_set():
        drop(workspace, made, run.run_id)
        return former, Place(
            "store", "unretrievable", "Interrupted; the former collection stays in use.", True
        )
    for collection in (former, made):
        with workspace.store.session(collection.name) as session:
            if (held := session.count()) != count:
                raise StoreError(
                    f"{count:,} points were copied, and collection {collection.name} holds {held:,}: another "
                    f"program writes to it. Nothing was switched. End it, and run: {COMMAND}"
                )
    switch(workspace, former, made, run.run_id)
    evidence = (
        f"{count:,} live points were copied to a fresh collection, each read back and compared; searches are "
        "answered from it, and the former one was dropped with its snapshots. Its bytes lay on a disk that "
        "cannot be seen from here: how long freed blocks, snapshots of the whole server and replicas keep "
        "them is not known."
    )
    return made, Place("store", "unretrievable", evidence)


def _caches(workspace: Workspace, removals: int) -> list[Place]:
    """Bytes of documents that connectors keep and can get again; they stay while nothing was removed."""
    folders = sorted(p for p in workspace.config.caches.glob("*") if (p / BYTES).is_dir()) if removals else []
    if not folders:
        return []
    try:
        for folder in folders:
            forget(folder, names=False)
    except OSError as error:
        said = f"{error.filename} cannot be removed: {error.strerror}. Remove it, and run: {COMMAND}"
        return [Place(SOURCE_CACHES, "unretrievable", said, True)]
    said = (
        f"Copies of documents kept for {', '.join(p.name for p in folders)} were removed, and are had again."
    )
    return [Place(SOURCE_CACHES, "purged", said)]


def _ledger(workspace: Workspace) -> Place:
    found = workspace.ledger.vacuum()
    claim: Claim = "purged" if found.clean else "unretrievable"
    return Place("ledger", claim, found.evidence, left=not (found.clean or found.final))
