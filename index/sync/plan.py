"""The plan of a sync: decided without doing it.

`index.sync.diff` merges a listing with the ledger's rows, `decide` turns the differences into a `Plan`. Both
are pure: they take values and return values. The step between them (hashing the few documents whose token
does not decide) is in `index.sync.survey`.

Nothing is removed here unless the listing was complete, source and filters are unchanged, and the guard lets
it pass or an approval names exactly these removals. Absence of a held document is concluded under the same
conditions, once: it leaves search, and stays. When its hold ends it is removed without another question.

Retention ends by the ledger's rows, whatever the source says. Expirations pass the same guard, together with
the removals beside them, under one name. An expired document has no text: that its source loses it, too, is
neither counted nor asked about by the guard.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import Entry
from index.config import DeletionGuard
from index.model import REMOVALS, Action, Cause, Item, State, digest
from index.precedence import Fate, fate
from index.records import PlanRow
from index.sync.diff import Diff
from index.sync.expiry import Ending


@dataclass(frozen=True, slots=True)
class SourceState:
    """The state of a source besides its listing. `errors` are the reasons why the listing is incomplete."""

    source: str
    errors: Sequence[str] = ()
    complete: bool = True
    partial: bool = False
    """Whether only some folders were listed, so that absence means nothing."""
    rerooted: str = ""
    """A sentence when another source is behind the same id; "" otherwise."""
    refiltered: bool = False
    removed: bool = False
    """Whether the source is no longer in the configuration."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The items to carry out, and the refused removals. Printable, and never changed after it was made."""

    source: str
    complete: bool
    items: tuple[Item, ...] = ()
    unchanged: int = 0
    plan_hash: str | None = None
    """Hash that names the removals of this plan; None when there are none, and nothing to approve."""
    error: str | None = None
    missing: int = 0
    """Documents that a partial listing did not show: the whole source has to be listed."""
    withheld: int = 0
    """Listed documents that an order to erase keeps out: they have no item, and no row."""

    def of(self, *actions: Action) -> Iterator[Item]:
        return (item for item in self.items if item.action in actions)

    def count(self, action: Action) -> int:
        return sum(1 for _ in self.of(action))

    @property
    def work(self) -> tuple[Item, ...]:
        """The items that change something, removals last."""
        changes = self.of(Action.ADD, Action.UPDATE, Action.MOVE, Action.TOUCH, Action.HOLD)
        return (*changes, *self.of(*REMOVALS))

    def batches(self, size: int) -> list[tuple[Item, ...]]:
        """`work` in portions of so many documents. Removals come last, in portions of their own."""
        removals = tuple(self.of(*REMOVALS))
        changes = self.work[: len(self.work) - len(removals)]
        return [part[i : i + size] for part in (changes, removals) for i in range(0, len(part), size)]

    def counts(self) -> dict[str, Any]:
        names = ("add", "update", "move", "delete", "touch")
        counted = {name: self.count(Action(name)) for name in names}
        return counted | {
            "expired": self.count(Action.EXPIRE),
            "unchanged": self.unchanged,
            "held": self.count(Action.HOLD),
            "refused": self.count(Action.REFUSE),
            "withheld": self.withheld,
        }

    def json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "complete": self.complete,
            "plan_hash": self.plan_hash,
            **self.counts(),
            "error": self.error,
            "items": [
                {"action": i.action.value, "uri": i.uri, "document_id": i.document_id}
                | ({"old_uri": i.old_uri} if i.old_uri else {})
                | ({"reason": i.reason} if i.reason else {})
                for i in self.items
            ],
        }


def removals_hash(
    source: str,
    removals: Iterable[PlanRow],
    held: Iterable[PlanRow] = (),
    ending: Iterable[Ending] = (),
) -> str:
    """The name of a set of removals, and of held documents that leave search and of expirations beside them:
    it stays the same while anything else of the source changes. Removed documents that come back have new
    ids, so that nothing is approved twice by one name."""
    sets = [sorted((row.uri, row.document_id) for row in rows) for rows in (removals, held, ending)]
    while len(sets) > 1 and not sets[-1]:
        sets.pop()
    return digest([source, *sets])[:16]


def decide(
    found: Diff,
    state: SourceState,
    guard: DeletionGuard,
    *,
    hashes: Mapping[str, str] | None = None,
    moves: Sequence[tuple[Entry, PlanRow]] = (),
    touched: Collection[str] = (),
    endings: Mapping[str, Ending] | None = None,
    approved: str | None = None,
    new_id: Callable[[], str] = str,
) -> Plan:
    """The plan for one source.

    `hashes` holds the content hash of documents whose token did not decide; `touched` the ids of documents
    whose owner or dates follow from changed rules; `endings` the documents whose retention has ended, by
    their ids, None where that was not asked; `approved` the name of removals that a person allowed.
    """
    hashes, over = hashes or {}, endings or {}
    ends = {name: one for name, one in over.items() if one.removes}
    source = state.source
    whole = state.complete and not state.partial
    items: list[Item] = []
    planned: set[str] = set()
    moved_to = {entry.uri for entry, _ in moves} if whole else set()
    moved_from = {row.document_id for _, row in moves} if whole else set()

    def plan(
        action: Action,
        uri: str,
        document_id: str,
        old_uri: str | None = None,
        cause: Cause = Cause.LISTING,
        reason: str = "",
    ) -> None:
        if action is not Action.REFUSE:
            planned.add(document_id)
        items.append(Item(action, uri, document_id, old_uri, cause, reason))

    for entry in found.new:
        if entry.uri not in moved_to:
            plan(Action.ADD, entry.uri, new_id())
    for entry, row in found.changed:
        same = row.seen_hash is not None and hashes.get(entry.uri) == row.seen_hash
        plan(
            Action.TOUCH if same and row.state == State.INDEXED else Action.UPDATE, entry.uri, row.document_id
        )
    for entry, row in found.described:
        plan(Action.TOUCH, entry.uri, row.document_id, None, Cause.PROPERTIES, "properties")
    for entry, row in found.outdated:
        if row.document_id in ends:
            # Its version is the one that has expired.
            continue
        plan(Action.UPDATE, entry.uri, row.document_id, None, Cause.EXTRACTION, "extraction")
    if whole:
        for entry, row in moves:
            plan(Action.MOVE, entry.uri, row.document_id, row.uri)
    returning = [(e, r) for e, r in found.expired if endings is not None and not _stays_expired(r, over)]
    for entry, row in returning:
        plan(Action.UPDATE, entry.uri, row.document_id, None, Cause.RETENTION, "retention")

    gone = [row for row in found.missing if row.document_id not in moved_from] if whole else []
    fates = [(row, fate(held=row.held, expired=row.document_id in ends, absent=True)) for row in gone]
    held = [row for row, its in fates if its is Fate.HELD and row.state != State.HELD]
    removals = [row for row, its in fates if its is Fate.DELETED]
    ending = [one for name, one in ends.items() if name not in planned]
    lost = {row.document_id for row in gone}
    objection, refused, plan_hash = None, "", None
    if removals or held or ending:
        name = removals_hash(source, removals, held, ending)
        objection, refused = _objection(
            found,
            state,
            guard,
            [*removals, *(one for one in ending if one.document_id in lost)],
            held,
            [one for one in ending if one.document_id not in lost],
            name,
        )
        if removals or ending or objection or refused:
            plan_hash = name
        if approved == name:
            objection, refused = None, ""
    if objection is not None:
        # Another source behind the same id: what it holds is not added either.
        items, planned, touched, returning = [], set(), (), []
    expiring: set[str] = set()
    if refused:
        for row in (*held, *removals):
            plan(Action.REFUSE, row.uri, row.document_id, reason=refused)
        for one in ending:
            plan(Action.REFUSE, one.uri, one.document_id, None, Cause.RETENTION, refused)
    elif objection is None:
        for row in held:
            plan(Action.HOLD, row.uri, row.document_id, None, Cause.HOLD, "legal hold")
        for one in ending:
            # A listing that lacks it says that its row is to go, too.
            cause = Cause.LISTING if one.document_id in lost else Cause.RETENTION
            plan(Action.EXPIRE, one.uri, one.document_id, None, cause, one.reason)
        for row in removals:
            plan(Action.DELETE, row.uri, row.document_id)
        expiring = {one.document_id for one in ending}
    ruled = [document_id for document_id in touched if document_id not in planned]
    items += [Item(Action.TOUCH, "", document_id, None, Cause.RULES, "rules") for document_id in ruled]
    # Documents that are planned and were counted as unchanged.
    counted = {*ruled, *expiring, *(row.document_id for _, row in returning)}
    counted -= {row.document_id for row in found.missing} | {row.document_id for _, row in found.outdated}
    return Plan(
        source=source,
        complete=state.complete,
        items=tuple(items),
        unchanged=max(0, found.unchanged - len(counted)),
        plan_hash=plan_hash,
        error=objection if state.complete else _incomplete(state.errors),
        missing=len(found.missing) if state.partial else 0,
        withheld=found.withheld,
    )


def _stays_expired(row: PlanRow, over: Mapping[str, Ending]) -> bool:
    return fate(held=row.held, expired=row.document_id in over) is Fate.EXPIRED


def _incomplete(errors: Sequence[str]) -> str:
    shown = " ".join(errors[:3]) or "The listing did not come to its end."
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return f"{shown}{more} Nothing was removed, because the listing is incomplete."


def _objection(
    found: Diff,
    state: SourceState,
    guard: DeletionGuard,
    removals: Sequence[PlanRow | Ending],
    held: Sequence[PlanRow],
    ending: Sequence[Ending],
    name: str,
) -> tuple[str | None, str]:
    """(error, reason) why these removals are not made, nor these held documents taken out of search, nor the
    text of those that the source still has and whose retention is `ending`; two empty answers when they may
    be. `removals` are all that the source has no more."""
    source, known = state.source, found.known
    approve = f"approve with: freshkb sync --source {source} --approve {name}"
    count = f"{len(removals) + len(held)} of {known} documents"
    stay = f" {len(held)} of them would stay, held and out of search." if held else ""
    # The others were absent before, and stayed for a hold that has ended.
    vanished = len(held) + sum(row.state != State.HELD for row in removals)
    with_text = vanished - sum(row.state == State.EXPIRED for row in removals) + len(ending)
    if state.rerooted and (removals or held):
        why = f"{state.rerooted} {count} are not in it.{stay}"
        return f"{why} Nothing was done. If it is right, {approve}", why
    if vanished and state.removed:
        why = f"Source {source!r} is no longer in the configuration; {count} would be removed.{stay}"
        return None, f"{why} To remove them, {approve}"
    if vanished and state.refiltered:
        why = f"The filters of {source!r} were changed; {count} would be removed.{stay}"
        return None, f"{why} To remove them, {approve}"
    if vanished and found.listed == 0:
        why = f"Source {source!r} lists no document, though {known} are known: is it mounted?{stay}"
        return f"{why} Nothing was deleted. If it really is empty, {approve}", why
    if guard.refuses(with_text, known):
        share, limit = with_text / max(known, 1), guard.max_fraction
        if ending:
            count = f"{len(removals) + len(held) + len(ending)} of {known} documents"
            stay = f" The retention of {len(ending)} of them has ended.{stay}"
        return None, (
            f"Refusing to delete {count} from {source!r} ({share:.0%}, limit {limit:.0%} and "
            f"{guard.max_count} documents).{stay} Nothing was deleted. To delete them, {approve}"
        )
    return None, ""
