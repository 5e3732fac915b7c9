"""What a sync should do, decided without doing it.

`compare` merges a listing with the ledger's rows, `decide` turns the differences into a `Plan`. Both are
pure: they take values and return values. What lies between them (hashing the few documents whose token
cannot tell) is `index.scan`.

Nothing is removed here unless the listing was complete, the source is the one it was, its filters are the
ones they were, and the guard lets it pass or an approval names exactly these removals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from connectors.base import Entry
from index.model import Action, Item, Row, State, digest

#: Documents of one batch: enough to fill the model's batches, few enough to finish soon after Ctrl-C.
BATCH_DOCUMENTS = 32


@dataclass(frozen=True, slots=True)
class Extraction:
    """The extraction fingerprints in force, by lower-case suffix; a suffix without one is not supported."""

    by_suffix: Mapping[str, str]
    limits: str = ""
    """Fingerprint of the limits: a document that failed is tried again when they change."""

    def of(self, uri: str) -> str:
        dot = uri.rfind(".")
        return self.by_suffix.get(uri[dot:].lower(), "") if dot > uri.rfind("/") else ""

    def seen(self, uri: str, *, failed: bool) -> str:
        """What a row of this state records as `seen_extraction`."""
        return f"{self.of(uri)}+{self.limits}" if failed else self.of(uri)


@dataclass(slots=True)
class Differences:
    """A listing against the ledger. `known` counts the ledger's documents that are not skipped."""

    new: list[Entry] = field(default_factory=list)
    changed: list[tuple[Entry, Row]] = field(default_factory=list)
    """The token differs, or there is none to trust."""
    outdated: list[tuple[Entry, Row]] = field(default_factory=list)
    """The same version, to be looked at again: another extraction, a pending or a returned document."""
    missing: list[Row] = field(default_factory=list)
    unsupported: list[Entry] = field(default_factory=list)
    """New, and of a type that cannot be parsed: recorded as skipped, never fetched."""
    forgotten: list[Row] = field(default_factory=list)
    """Skipped ones that are gone: they have no points, so nothing is removed by forgetting them."""
    known: int = 0
    listed: int = 0
    unchanged: int = 0


def compare(
    entries: Iterable[Entry], rows: Iterable[Row], extraction: Extraction, *, distrust: bool = False
) -> Differences:
    """Merge two streams that are sorted by uri; memory grows with the differences only.

    `distrust` treats every token as changed (`--checksum`).
    """
    found = Differences()
    suffixes = extraction.by_suffix
    quarantined, pending, returned = State.QUARANTINED.value, State.PENDING.value, State.HELD.value
    skipped = State.SKIPPED.value
    unchanged = listed = known = 0
    stream = iter(rows)
    row = next(stream, None)
    for entry in entries:
        listed += 1
        uri = entry[0]
        while row is not None and row[1] < uri:
            (found.forgotten if row[7] == skipped else found.missing).append(row)
            row = next(stream, None)
        if row is None or row[1] != uri:
            (found.new if extraction.of(uri) else found.unsupported).append(entry)
            continue
        state = row[7]
        if state == skipped:
            if extraction.of(uri):
                found.outdated.append((entry, row))
            row = next(stream, None)
            continue
        known += 1
        if entry[1] is None or entry[1] != row[2] or distrust:
            found.changed.append((entry, row))
        elif state == quarantined:
            if row[6] == extraction.seen(uri, failed=True):
                unchanged += 1
            else:
                found.outdated.append((entry, row))
        elif state in (pending, returned):
            found.outdated.append((entry, row))
        else:
            # Inlined `Extraction.of`: this line runs once for every document of every sync.
            dot = uri.rfind(".")
            expected = suffixes.get(uri[dot:].lower(), "") if dot > uri.rfind("/") else ""
            if row[6] == expected or not expected:
                unchanged += 1
            else:
                found.outdated.append((entry, row))
        row = next(stream, None)
    while row is not None:
        (found.forgotten if row[7] == skipped else found.missing).append(row)
        row = next(stream, None)
    found.unchanged, found.listed = unchanged, listed
    found.known = known + len(found.missing)
    return found


@dataclass(frozen=True, slots=True)
class Guard:
    """Removals above both limits are refused."""

    max_fraction: float
    max_count: int

    def refuses(self, removals: int, known: int) -> bool:
        return removals > self.max_count and removals > self.max_fraction * known


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of a source besides its listing. `errors` are why the listing is incomplete."""

    source: str
    errors: Sequence[str] = ()
    complete: bool = True
    partial: bool = False
    """Only some folders were listed: nothing may be concluded from absence."""
    rerooted: str = ""
    """A sentence: the source is another one than it was."""
    refiltered: bool = False
    removed: bool = False
    """The source is no longer in the configuration."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, and what is refused. Printable, and never changed after it was made."""

    source: str
    complete: bool
    items: tuple[Item, ...] = ()
    unchanged: int = 0
    plan_hash: str | None = None
    """Names the removals of this plan; None when there are none."""
    error: str | None = None
    missing: int = 0
    """Documents that a partial listing did not show: the whole source has to be listed."""

    def of(self, *actions: Action) -> Iterator[Item]:
        return (item for item in self.items if item.action in actions)

    def count(self, action: Action) -> int:
        return sum(1 for _ in self.of(action))

    @property
    def work(self) -> tuple[Item, ...]:
        """The items that change something, removals last."""
        changes = self.of(Action.ADD, Action.UPDATE, Action.MOVE, Action.TOUCH, Action.HOLD)
        return (*changes, *self.of(Action.DELETE))

    def batches(self) -> list[tuple[Item, ...]]:
        """`work` in portions; removals never share one with anything else, and come last."""
        removals = tuple(self.of(Action.DELETE))
        changes = self.work[: len(self.work) - len(removals)]
        size = BATCH_DOCUMENTS
        return [part[i : i + size] for part in (changes, removals) for i in range(0, len(part), size)]

    def counts(self) -> dict[str, Any]:
        names = ("add", "update", "move", "delete", "touch")
        counted = {name: self.count(Action(name)) for name in names}
        return counted | {
            "unchanged": self.unchanged,
            "held": self.count(Action.HOLD),
            "refused": self.count(Action.REFUSE),
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


def removals_hash(source: str, uris: Iterable[str]) -> str:
    """The name of a set of removals: it stays the same while anything else of the source changes."""
    return digest([source, sorted(uris)])[:16]


def candidates(found: Differences) -> list[Entry]:
    """The new entries that may be a vanished document under another name, and so are worth hashing."""
    if not found.missing:
        return []
    sizes = {row.size for row in found.missing}
    return [entry for entry in found.new if entry.size is None or None in sizes or entry.size in sizes]


def pair_moves(
    found: Differences, hashes: Mapping[str, str], likeness: Callable[[Entry, Row], float]
) -> list[tuple[Entry, Row]]:
    """Vanished documents with the new uris that they now have; each of either at most once.

    Equal content first, ties by inode, then by likeness of uri. An equal inode alone counts only when at
    least half of the chunks agree, because a freed inode is given out again at once.
    """
    pairs: list[tuple[Entry, Row]] = []
    left: dict[str, list[Row]] = defaultdict(list)
    for row in found.missing:
        if row.seen_hash and row.size != 0:
            left[row.seen_hash].append(row)
    taken: set[str] = set()
    by_hash: dict[str, list[Entry]] = defaultdict(list)
    for entry in found.new:
        content = hashes.get(entry.uri)
        if content in left and entry.size != 0:
            by_hash[content].append(entry)
    for content, entries in by_hash.items():
        ranked = sorted(
            ((_affinity(entry, row), entry, row) for entry in entries for row in left[content]),
            key=lambda triple: (triple[0], triple[2].uri, triple[1].uri),
            reverse=True,
        )
        for _, entry, row in ranked:
            if entry.uri not in taken and row.document_id not in taken:
                taken |= {entry.uri, row.document_id}
                pairs.append((entry, row))
    by_inode = {row.native_id: row for row in found.missing if row.native_id and row.document_id not in taken}
    for entry in found.new:
        same = by_inode.get(entry.native_id) if entry.native_id and entry.uri not in taken else None
        if same is not None and same.document_id not in taken and likeness(entry, same) >= 0.5:
            taken |= {entry.uri, same.document_id}
            pairs.append((entry, same))
    return pairs


def _affinity(entry: Entry, row: Row) -> tuple[bool, float]:
    same_inode = entry.native_id is not None and entry.native_id == row.native_id
    return same_inode, SequenceMatcher(None, entry.uri, row.uri, autojunk=False).ratio()


def decide(
    found: Differences,
    circumstances: Circumstances,
    guard: Guard,
    *,
    hashes: Mapping[str, str] | None = None,
    moves: Sequence[tuple[Entry, Row]] = (),
    touched: Collection[str] = (),
    approved: str | None = None,
    new_id: Callable[[], str] = str,
) -> Plan:
    """The plan for one source.

    `hashes` holds the content hash of documents whose token could not tell; `touched` the ids of documents
    whose owner or dates follow from changed rules; `approved` the name of removals that a person allowed.
    """
    hashes = hashes or {}
    source = circumstances.source
    whole = circumstances.complete and not circumstances.partial
    items: list[Item] = []
    planned: set[str] = set()
    moved_to = {entry.uri for entry, _ in moves} if whole else set()
    moved_from = {row.document_id for _, row in moves} if whole else set()

    def plan(
        action: Action, uri: str, document_id: str, old_uri: str | None = None, reason: str = ""
    ) -> None:
        planned.add(document_id)
        items.append(Item(action, uri, document_id, old_uri, reason))

    for entry in found.new:
        if entry.uri not in moved_to:
            plan(Action.ADD, entry.uri, new_id())
    for entry, row in found.changed:
        same = row.seen_hash is not None and hashes.get(entry.uri) == row.seen_hash
        plan(
            Action.TOUCH if same and row.state == State.INDEXED else Action.UPDATE, entry.uri, row.document_id
        )
    for entry, row in found.outdated:
        plan(Action.UPDATE, entry.uri, row.document_id, reason="extraction")
    if whole:
        for entry, row in moves:
            plan(Action.MOVE, entry.uri, row.document_id, row.uri)

    gone = [row for row in found.missing if row.document_id not in moved_from]
    held = [row for row in gone if row.held]
    removals = [row for row in gone if not row.held]
    error, refused, plan_hash = None, "", None
    if not circumstances.complete:
        error = _incomplete(circumstances.errors)
    elif whole and removals:
        plan_hash = removals_hash(source, (row.uri for row in removals))
        error, refused = _objection(found, circumstances, guard, len(removals), plan_hash)
        if approved == plan_hash:
            error, refused = None, ""
    if error is not None and circumstances.complete:
        # Another source behind the same id: what it holds is not added either.
        items, planned = [], set()
    if whole and error is None:
        for row in held:
            if row.state != State.HELD:
                plan(Action.HOLD, row.uri, row.document_id, reason="legal hold")
    if whole and removals:
        action = Action.REFUSE if refused else Action.DELETE
        for row in removals:
            plan(action, row.uri, row.document_id, reason=refused)
    unchanged = found.unchanged
    for document_id in touched:
        if document_id not in planned:
            items.append(Item(Action.TOUCH, "", document_id, reason="rules"))
            unchanged -= 1
    return Plan(
        source=source,
        complete=circumstances.complete,
        items=tuple(items),
        unchanged=max(unchanged, 0),
        plan_hash=plan_hash,
        error=error,
        missing=len(found.missing) if circumstances.partial else 0,
    )


def _incomplete(errors: Sequence[str]) -> str:
    shown = " ".join(errors[:3]) or "The listing did not come to its end."
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return f"{shown}{more} Nothing was removed, because the listing is incomplete."


def _objection(
    found: Differences, circumstances: Circumstances, guard: Guard, removals: int, plan_hash: str
) -> tuple[str | None, str]:
    """(error, reason) why these removals are not made; two empty answers when they may be."""
    source, known = circumstances.source, found.known
    approve = f"Approve with: freshkb sync --source {source} --approve {plan_hash}"
    count = f"{removals} of {known} documents"
    if circumstances.removed:
        return (
            None,
            f"Source {source!r} is no longer in the configuration; {count} would be removed. {approve}",
        )
    if circumstances.rerooted:
        why = f"{circumstances.rerooted} {count} are not in it."
        return f"{why} Nothing was done. If it is right: {approve}", why
    if found.listed == 0:
        why = f"Source {source!r} lists no document, though {known} are known: is it mounted?"
        return f"{why} Nothing was deleted. If it really is empty: {approve}", why
    if circumstances.refiltered:
        return None, f"The filters of {source!r} were changed; {count} would be removed. {approve}"
    if guard.refuses(removals, known):
        share, limit = removals / known, guard.max_fraction
        return None, (
            f"Refusing to delete {count} from {source!r} ({share:.0%}, limit {limit:.0%} and "
            f"{guard.max_count} documents). Nothing was deleted. {approve}"
        )
    return None, ""
