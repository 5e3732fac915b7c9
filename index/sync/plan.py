"""The plan of a sync: decided without doing it.

`index.sync.diff` merges a listing with the ledger's rows, `decide` turns the differences into a `Plan`. Both
are pure: they take values and return values. The step between them (hashing the few documents whose token
does not decide) is in `index.sync.survey`.

Nothing is removed here unless the listing was complete, source and filters are unchanged, and the guard lets
it pass or an approval names exactly these removals. Absence of a held document is concluded under the same
conditions, once: it leaves search, and stays. When its hold ends it is removed without another question.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import Entry
from index.config import DeletionGuard
from index.model import Action, Cause, Item, State, digest
from index.precedence import Fate, fate
from index.records import PlanRow
from index.sync.diff import Diff


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
        return (*changes, *self.of(Action.DELETE))

    def batches(self, size: int) -> list[tuple[Item, ...]]:
        """`work` in portions of so many documents. Removals come last, in portions of their own."""
        removals = tuple(self.of(Action.DELETE))
        changes = self.work[: len(self.work) - len(removals)]
        return [part[i : i + size] for part in (changes, removals) for i in range(0, len(part), size)]

    def counts(self) -> dict[str, Any]:
        names = ("add", "update", "move", "delete", "touch")
        counted = {name: self.count(Action(name)) for name in names}
        return counted | {
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


def removals_hash(source: str, removals: Iterable[PlanRow], held: Iterable[PlanRow] = ()) -> str:
    """The name of a set of removals, and of held documents that leave search beside them: it stays the same
    while anything else of the source changes. Removed documents that come back have new ids, so that nothing
    is approved twice by one name."""
    sets = [sorted((row.uri, row.document_id) for row in rows) for rows in (removals, held)]
    return digest([source, *(sets if sets[1] else sets[:1])])[:16]


def decide(
    found: Diff,
    state: SourceState,
    guard: DeletionGuard,
    *,
    hashes: Mapping[str, str] | None = None,
    moves: Sequence[tuple[Entry, PlanRow]] = (),
    touched: Collection[str] = (),
    approved: str | None = None,
    new_id: Callable[[], str] = str,
) -> Plan:
    """The plan for one source.

    `hashes` holds the content hash of documents whose token did not decide; `touched` the ids of documents
    whose owner or dates follow from changed rules; `approved` the name of removals that a person allowed.
    """
    hashes = hashes or {}
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
        plan(Action.UPDATE, entry.uri, row.document_id, None, Cause.EXTRACTION, "extraction")
    if whole:
        for entry, row in moves:
            plan(Action.MOVE, entry.uri, row.document_id, row.uri)

    gone = [row for row in found.missing if row.document_id not in moved_from]
    fates = [(row, fate(held=row.held, absent=True)) for row in gone]
    held = [row for row, its in fates if its is Fate.HELD and row.state != State.HELD]
    removals = [row for row, its in fates if its is Fate.DELETED]
    error, refused, plan_hash = None, "", None
    if not state.complete:
        error = _incomplete(state.errors)
    elif whole and (removals or held):
        name = removals_hash(source, removals, held)
        error, refused = _objection(found, state, guard, removals, held, name)
        if removals or error or refused:
            plan_hash = name
        if approved == name:
            error, refused = None, ""
    if error is not None and state.complete:
        # Another source behind the same id: what it holds is not added either.
        items, planned, touched = [], set(), ()
    if whole and refused:
        for row in (*held, *removals):
            plan(Action.REFUSE, row.uri, row.document_id, reason=refused)
    elif whole and error is None:
        for row in held:
            plan(Action.HOLD, row.uri, row.document_id, None, Cause.HOLD, "legal hold")
        for row in removals:
            plan(Action.DELETE, row.uri, row.document_id)
    ruled = [document_id for document_id in touched if document_id not in planned]
    items += [Item(Action.TOUCH, "", document_id, None, Cause.RULES, "rules") for document_id in ruled]
    absent = {row.document_id for row in found.missing}
    return Plan(
        source=source,
        complete=state.complete,
        items=tuple(items),
        unchanged=found.unchanged - sum(document_id not in absent for document_id in ruled),
        plan_hash=plan_hash,
        error=error,
        missing=len(found.missing) if state.partial else 0,
        withheld=found.withheld,
    )


def _incomplete(errors: Sequence[str]) -> str:
    shown = " ".join(errors[:3]) or "The listing did not come to its end."
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return f"{shown}{more} Nothing was removed, because the listing is incomplete."


def _objection(
    found: Diff,
    state: SourceState,
    guard: DeletionGuard,
    removals: Sequence[PlanRow],
    held: Sequence[PlanRow],
    name: str,
) -> tuple[str | None, str]:
    """(error, reason) why these removals are not made, nor these held documents taken out of search; two
    empty answers when they may be."""
    source, known = state.source, found.known
    approve = f"approve with: freshkb sync --source {source} --approve {name}"
    count = f"{len(removals) + len(held)} of {known} documents"
    stay = f" {len(held)} of them would stay, held and out of search." if held else ""
    # The others were absent before, and stayed for a hold that has ended.
    vanished = len(held) + sum(row.state != State.HELD for row in removals)
    if state.rerooted:
        why = f"{state.rerooted} {count} are not in it.{stay}"
        return f"{why} Nothing was done. If it is right, {approve}", why
    if not vanished:
        return None, ""
    if state.removed:
        why = f"Source {source!r} is no longer in the configuration; {count} would be removed.{stay}"
        return None, f"{why} To remove them, {approve}"
    if state.refiltered:
        why = f"The filters of {source!r} were changed; {count} would be removed.{stay}"
        return None, f"{why} To remove them, {approve}"
    if found.listed == 0:
        why = f"Source {source!r} lists no document, though {known} are known: is it mounted?{stay}"
        return f"{why} Nothing was deleted. If it really is empty, {approve}", why
    if guard.refuses(vanished, known):
        share, limit = vanished / known, guard.max_fraction
        return None, (
            f"Refusing to delete {count} from {source!r} ({share:.0%}, limit {limit:.0%} and "
            f"{guard.max_count} documents).{stay} Nothing was deleted. To delete them, {approve}"
        )
    return None, ""
