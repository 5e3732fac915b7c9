"""Expiration, from values: a document whose retention has ended, and its row without the text.

A hold suspends retention: what it covers stays, and what had expired comes back while its source has it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from index.config.units import written_span
from index.model import Action, Cause, Item, State, rfc3339
from index.precedence import Fate, fate
from index.records import Document
from index.retention import Expiry

if TYPE_CHECKING:
    from index.sync.work import Removal


class Ending(NamedTuple):
    """A document whose retention has ended."""

    document_id: str
    uri: str
    held: bool
    """Whether it is under a legal hold."""
    state: State
    """`expired` once its text is gone."""
    reason: str
    """A sentence."""

    @property
    def removes(self) -> bool:
        """Whether there is text that goes, because no hold suspends the end."""
        return self.state is not State.EXPIRED and fate(held=self.held, expired=True) is Fate.EXPIRED


def reason(expiry: Expiry) -> str:
    """Why a document has expired, as a sentence for its owner."""
    dated = expiry.dated
    given = rfc3339(dated) if isinstance(dated, datetime) else dated.isoformat()
    span = written_span(expiry.after)
    return f"Its retention ended at {rfc3339(expiry.at)}: {span} from {given} ({expiry.field})."


def expired(document: Document, why: str, *, gone_at: datetime | None = None) -> Document:
    """The row of a document without its text. `gone_at`: the time, if its source does not have it either."""
    return replace(
        document,
        state=State.EXPIRED if gone_at is None else State.DELETED,
        reason=why,
        version=0,
        content_hash=None,
        extraction_fingerprint="",
        indexed_at=None,
        chunk_count=0,
        findings=[],
        deleted_at=gone_at,
    )


def expiring(item: Item, known: Document, now: datetime) -> Removal:
    """The work of an item that expires: the text goes; the row stays, unless a listing lacks the document,
    too."""
    # Not imported by the many surveys in which nothing has expired.
    from index.sync.work import Removal

    gone_at = now if item.cause is Cause.LISTING else None
    return Removal(expired(known, item.reason, gone_at=gone_at), Action.EXPIRE)
