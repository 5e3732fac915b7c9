"""An entry of the log: codes, counts and ids, and no words of a document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from index.records import Document

#: A code, a hash or an id. Paths, titles and texts hold other characters or more of them.
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,79}")


class LogAction(StrEnum):
    """The change on record; its subject is a document, unless a comment names another."""

    ADDED = "added"
    UPDATED = "updated"
    MOVED = "moved"
    TOUCHED = "touched"
    DELETED = "deleted"
    ERASED = "erased"
    #: Its retention has ended: its text is gone, and its row stays while its source has it.
    EXPIRED = "expired"
    #: Its text was written into another collection.
    REINDEXED = "reindexed"

    #: Only its row has changed, to this state.
    INDEXED = "indexed"
    PENDING = "pending"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"
    #: Its source has lost it, and a hold keeps it, which a fact names.
    HELD = "held"
    #: A hold, which a fact names, came before its removal was announced.
    REMOVAL_REFUSED = "removal-refused"

    #: By a repair: its row was mended; rows of its chunks were deleted.
    RESTORED = "restored"
    ROWS_DELETED = "rows-deleted"

    REVIEWED = "reviewed"
    #: An owner's answer: asked again later; another owner is asked; its removal is asked for; taken back.
    SNOOZED = "snoozed"
    REASSIGNED = "reassigned"
    RETIREMENT_ASKED = "retirement-asked"
    ANSWER_WITHDRAWN = "answer-withdrawn"
    #: The subject is the hold.
    HOLD_PLACED = "hold-placed"
    HOLD_RELEASED = "hold-released"
    #: The subject is the hash of the plan.
    APPROVED = "approved"
    #: The subject is the order.
    ERASURE_ORDERED = "erasure-ordered"
    ERASURE_DONE = "erasure-done"
    ERASURE_LIFTED = "erasure-lifted"
    #: A hold, which a fact names, stands on the document that an order was to be placed on.
    ERASURE_REFUSED = "erasure-refused"

    #: The subject is a collection.
    COLLECTION_MADE = "collection-made"
    COLLECTION_SWITCHED = "collection-switched"
    COLLECTION_RESTORED = "collection-restored"
    COLLECTION_DROPPED = "collection-dropped"
    PURGED = "purged"

    #: A new ledger took over the readable rows of a damaged one, or those of a backup. The subject is the
    #: instance id.
    LEDGER_RESTORED = "ledger-restored"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A change of one subject.

    Nothing in it is a path, a title, a name of an owner, a reason or a text: an erasure does not reach the
    log. Reasons stay in the document's row. Raises ValueError for facts that are no codes and counts.
    """

    at: datetime
    action: LogAction
    source: str = ""
    """The source's id; "" for subjects that belong to none."""
    subject: str = ""
    """A document id, or another id: see the action; its exported form, a keyed hash, once it was erased."""
    run_id: str | None = None
    facts: Mapping[str, int | str] = field(default_factory=dict)
    """Counts and codes by their names."""
    actor: str = ""
    """user@host. The ledger puts in the actor of the run, or of this process where there is no run."""
    sequence: int | None = None
    """From 1 and without gaps, in the order of publication; given by the ledger. None while the entry is
    pending: its change is committed, and the store may still hold obsolete points."""

    def __post_init__(self) -> None:
        for name, value in self.facts.items():
            if not (_CODE.fullmatch(name) and (isinstance(value, int) or _CODE.fullmatch(value))):
                raise ValueError(f"The fact {name!r} of an entry of the log is no code or count.")

    @classmethod
    def of(
        cls,
        document: Document,
        action: LogAction,
        at: datetime,
        run_id: str | None = None,
        **facts: int | str,
    ) -> LogEntry:
        """The entry of a change of this document."""
        return cls(at, action, document.source, document.document_id, run_id, facts)
