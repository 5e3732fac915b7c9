"""Legal holds as people place, list and release them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from connectors.base import Patterns
from index.actor import login
from index.errors import ConfigError
from index.freshness.dates import counts_from, read_date
from index.freshness.owners import require
from index.ledger import Hold, HoldKind, LogAction, LogEntry, hold_id
from index.lookup import Lookup, with_attachments
from index.model import rfc3339
from index.workspace import Workspace

#: Documents that the target of a hold names.
_NAMED_MAX = 3


@dataclass(frozen=True, slots=True)
class HoldSummary:
    """A hold with the documents under it, as `freshkb hold list` prints it."""

    hold: Hold
    target: str
    """The pattern, the owner, the source, or the first of the documents."""
    documents: int
    """Documents under it."""
    stands: bool

    def json(self) -> dict[str, Any]:
        hold = self.hold
        return {
            "hold_id": hold.hold_id,
            "kind": hold.kind.value,
            "target": self.target,
            "source": hold.source or None,
            "reason": hold.reason,
            "matter": hold.matter,
            "by": hold.placed_by,
            "placed_at": rfc3339(hold.placed_at),
            "until": rfc3339(hold.until),
            "released_at": rfc3339(hold.released_at),
            "released_by": hold.released_by or None,
            "release_reason": hold.release_reason or None,
            "stands": self.stands,
            "documents": self.documents,
        }


@dataclass(frozen=True, slots=True)
class Target:
    """The documents that a hold is to be placed on: exactly one of names, a pattern and an owner, or else a
    whole source. `source` narrows the others."""

    names: Sequence[str] = ()
    pattern: str | None = None
    owner: str | None = None
    source: str | None = None


def place(
    workspace: Workspace, target: Target, reason: str, *, matter: str = "", until: str = "", by: str = ""
) -> HoldSummary:
    """Place a hold, by the login name unless `by` names another person. `until` is a date, which counts until
    it is over everywhere, or an instant; "" is no end.

    Raises ConfigError, and places nothing, for a target that is none or several, a name (`index.lookup`) that
    no document has, an owner of nothing, a pattern that is none, a blank reason and an end that is no date or
    not in the future.
    """
    now, ledger = workspace.now(), workspace.ledger
    if not reason.strip():
        raise ConfigError("A hold needs a reason: --reason TEXT. Nothing was held.")
    placed = Hold(
        hold_id(workspace.new_id()),
        HoldKind.DOCUMENT,
        target="",
        source=target.source or "",
        reason=reason.strip(),
        placed_by=by.strip() or login(),
        placed_at=now,
        matter=matter.strip(),
        until=_end(until, now),
    )
    placed, ids = _aimed(workspace, placed, target)
    facts = {"kind": placed.kind.value}
    entry = LogEntry(now, LogAction.HOLD_PLACED, placed.source, placed.hold_id, facts=facts)
    return _summary(workspace, placed, ledger.holds.place(placed, ids, [entry]))


def release(workspace: Workspace, name: str, reason: str, *, by: str = "") -> tuple[HoldSummary, int]:
    """Release the hold of this id. Returns it, and the number of its documents that their sources no longer
    have and no other hold keeps: the next sync removes them.

    Raises ConfigError for a blank reason, an unknown id, and a hold that does not stand.
    """
    now, ledger = workspace.now(), workspace.ledger
    if not reason.strip():
        raise ConfigError("A release needs a reason: --reason TEXT. Nothing was released.")
    found = ledger.holds.get(name) or ledger.holds.get(name.upper())
    if found is None:
        raise ConfigError(f"There is no hold {name!r}. See: freshkb hold list")
    entry = LogEntry(now, LogAction.HOLD_RELEASED, found.source, found.hold_id)
    if not ledger.holds.release(found.hold_id, by.strip() or login(), reason.strip(), now, [entry]):
        ended = found.released_at or found.until
        how = "was released" if found.released_at else "ended"
        raise ConfigError(f"Hold {found.hold_id} does not stand: it {how} at {rfc3339(ended)}.")
    released = ledger.holds.get(found.hold_id) or found
    documents = ledger.holds.counts().get(found.hold_id, 0)
    return _summary(workspace, released, documents), ledger.holds.waiting(found.hold_id)


def summaries(workspace: Workspace, *, ended: bool = False) -> list[HoldSummary]:
    """Standing holds in the order of placing; also those that are released or over when `ended` says so."""
    holds = workspace.ledger.holds
    counts = holds.counts()
    return [
        _summary(workspace, hold, counts.get(hold.hold_id, 0))
        for hold in (holds.all() if ended else holds.standing())
    ]


def alike(workspace: Workspace, placed: HoldSummary) -> list[str]:
    """Ids of other standing holds with the same target."""
    return [
        other.hold.hold_id
        for other in summaries(workspace)
        if other.hold.hold_id != placed.hold.hold_id
        and (other.hold.kind, other.hold.source, other.target)
        == (placed.hold.kind, placed.hold.source, placed.target)
    ]


def _aimed(workspace: Workspace, hold: Hold, target: Target) -> tuple[Hold, list[str]]:
    """The hold with its target, and the ids of the documents that were named."""
    given = [bool(target.names), target.pattern is not None, target.owner is not None]
    if sum(given) > 1:
        raise ConfigError(
            "A hold has one target: documents by name, a pattern (--match) or an owner (--owner). Place a "
            "hold for each. Nothing was held."
        )
    if target.names:
        look = Lookup(workspace.ledger, target.source, nothing="Nothing was held.")
        named = with_attachments(workspace.ledger, look.named(target.names))
        return hold, [document.document_id for document in named]
    if target.pattern is not None:
        if target.pattern.startswith("!"):
            raise ConfigError(f"The pattern of a hold cannot be negated: {target.pattern}. Nothing was held.")
        try:
            Patterns([target.pattern])
        except ValueError as error:
            raise ConfigError(f"{error} Nothing was held.") from error
        return replace(hold, kind=HoldKind.PATTERN, target=target.pattern), []
    if target.owner is not None:
        require(target.owner, workspace.ledger.documents.owners())
        return replace(hold, kind=HoldKind.OWNER, target=target.owner), []
    if target.source is None:
        raise ConfigError(
            "A hold needs a target: documents by name, --match PATTERN, --owner O or --source ID. Nothing "
            "was held."
        )
    return replace(hold, kind=HoldKind.SOURCE, target=target.source), []


def _end(until: str, now: datetime) -> datetime | None:
    if not until:
        return None
    dated = read_date(until)
    if dated is None:
        raise ConfigError(f"--until is no date: {until!r}. Write it as in 2031-12-31. Nothing was held.")
    try:
        end = dated if isinstance(dated, datetime) else counts_from(dated + timedelta(days=1))
    except OverflowError as error:
        raise ConfigError(f"--until is too far away: {until!r}. Leave it out for no end.") from error
    if end <= now:
        raise ConfigError(f"--until is over: {until!r}. Nothing was held.")
    return end


def _summary(workspace: Workspace, hold: Hold, documents: int) -> HoldSummary:
    target = hold.target if hold.kind is not HoldKind.DOCUMENT else _named(workspace, hold, documents)
    return HoldSummary(hold, target, documents, hold.stands(workspace.now()))


def _named(workspace: Workspace, hold: Hold, documents: int) -> str:
    """The first of its documents, each by source and uri, or by its id where it is gone."""
    first = workspace.ledger.holds.members(hold.hold_id, _NAMED_MAX)
    rows = workspace.ledger.documents.find(document_ids=first)
    places = {document.document_id: f"{document.source}:{document.uri}" for document in rows}
    more = f" and {documents - len(first):,} more" if documents > len(first) else ""
    return ", ".join(sorted(places.get(name, name) for name in first)) + more
