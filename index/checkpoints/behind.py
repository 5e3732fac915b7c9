"""A ledger that is older than its anchors know: what is missing in it, and how its log goes on."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from index.anchors.anchor import Anchor
from index.checkpoints.origin import all_origins, anchors_of, origin, origin_of
from index.errors import AnchorError, Refused
from index.ledger import Head, Ledger, LogAction, LogEntry, generation_id
from index.ledger.history import GENERATION, generations
from index.signed.note import ERASED, Checkpoint, parse
from index.workspace import Workspace

log = logging.getLogger("freshkb.log")

#: Orders that a message names at most.
_NAMED_MAX = 20

# ── Orders ────────────────────────────────────────────────────────────────────────────────────────────


def require_orders(workspace: Workspace) -> None:
    """Raises Refused when the anchors name orders to erase that this ledger has not: what they erased may be
    in it again. Without anchors it costs nothing; where the newest checkpoint is that of this log, one is
    read."""
    if workspace.config.log.anchors and (lacking := missing(workspace)):
        raise Refused(
            f"This ledger is older than its anchors know: {told(lacking)} carried out, and it does not know "
            "of that, so that what was erased may be in it again. Nothing was done. Have it erased again, "
            "from the receipts: freshkb erase --replay RECEIPT…"
        )


def told(order_ids: Sequence[str]) -> str:
    """``the orders E-1, E-2 were``"""
    named = ", ".join(order_ids[:_NAMED_MAX])
    more = f" and {len(order_ids) - _NAMED_MAX:,} more" if len(order_ids) > _NAMED_MAX else ""
    return f"the orders {named}{more} were" if len(order_ids) > 1 else f"the order {named} was"


def missing(workspace: Workspace) -> list[str]:
    """Ids of the orders that anchors name as carried out and this ledger has not on record. No signature is
    checked: a key may be lost with the ledger, and an order that somebody made up shuts too much rather than
    too little. Anchors that cannot be asked are passed over."""
    ledger, named = workspace.ledger, set(workspace.ledger.history.missing())
    head: Head | None = None
    for anchor in anchors_of(workspace):
        if not anchor.readable:
            continue
        head = head or ledger.log.head()
        try:
            named |= _named(anchor, ledger, head)
        except AnchorError as error:
            log.warning("%s It is not known whether orders to erase are missing here.", error)
    return sorted(named - ledger.erasures.states(named).keys()) if named else []


def _named(anchor: Anchor, ledger: Ledger, head: Head) -> set[str]:
    """The orders that the anchor names; none when it knows this very log, which has all since it began."""
    note = anchor.newest(origin(ledger.instance_id))
    if note is None:
        return set()
    found = Checkpoint.of(parse(note))
    if (found.size, found.root) == (head.size, head.frontier.root()) and found.origin == origin_of(ledger):
        return set()
    notes = anchor.all(origin(ledger.instance_id), having=f"\n{ERASED}")
    return {order_id for note in notes for order_id in Checkpoint.of(parse(note)).erased}


# ── The log ───────────────────────────────────────────────────────────────────────────────────────────


def checkpoints_of(workspace: Workspace, instance: str) -> list[Checkpoint]:
    """All checkpoints of a knowledge base that readable anchors have; no signature is checked. Raises
    AnchorError when one of them cannot be asked."""
    found = []
    for anchor in anchors_of(workspace):
        found += [Checkpoint.of(parse(note)) for note in anchor.all(origin(instance))]
    return found


def lost_beyond(
    known: Iterable[Checkpoint], instance: str, own: str, former: Collection[str], kept: int
) -> dict[str, int]:
    """What anchors know that a log has not, as facts of an entry: the log has the origin `own` and `kept`
    entries in common with them, and `former` are the origins of other generations that it knows. {} when
    they know no more."""
    facts: dict[str, int] = {}
    for found in known:
        generation = found.origin.removeprefix(f"{origin(instance)}/")
        if found.origin == own and found.size > kept:
            facts["known"] = max(found.size, facts.get("known", 0))
        elif found.origin not in {own, *former} and generations({generation: 0}):
            facts[generation] = max(found.size, facts.get(generation, 0))
    return facts


def begins(generation: str, kept: int, lost: Mapping[str, int]) -> dict[str, int | str]:
    """The facts of the entry that begins a generation."""
    return {GENERATION: generation, "kept": kept, "known": kept, **lost}


def go_on(workspace: Workspace, run_id: str | None = None) -> None:
    """Begin a generation of the log when this ledger is an older copy, so that it has checkpoints again; see
    `index.ledger.history`. Anchors that cannot be asked are passed over."""
    ledger = workspace.ledger
    instance, own = ledger.instance_id, origin_of(ledger)
    known: list[Checkpoint] = []
    for anchor in anchors_of(workspace):
        try:
            known += [Checkpoint.of(parse(note)) for note in anchor.all(origin(instance))]
        except AnchorError as error:
            log.warning("%s", error)
    same = sorted({(found.size, found.root) for found in known if found.origin == own})
    check = ledger.log.check({size for size, _ in same})
    kept = check.entries
    for size, root in same:
        if size <= check.entries and check.roots.get(size) not in (None, root):
            kept = max((each for each, _ in same if each < size), default=0)
            break
    former = all_origins(instance, ledger.history.begun())
    lost = lost_beyond(known, instance, own, former, kept)
    if lost:
        facts = begins(generation_id(workspace.new_id()), kept, lost)
        now = workspace.now()
        entry = LogEntry(now, LogAction.LEDGER_RESTORED, "", instance, run_id, facts)
        ledger.history.begin(entry, missing(workspace))
