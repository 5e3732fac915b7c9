"""Tell a source what became of its documents, once a sync has come to its end.

A drop folder moves its files on then. A kill before that changes nothing but when: the next sync tells it
again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.base import Settled, SourceUnavailable
from index.freshness.properties import mails_above
from index.ledger import WITHHELD
from index.lookup import with_attachments
from index.model import State
from index.records import Document
from index.redact import redact
from index.workspace import Workspace


def settle(workspace: Workspace, source: str) -> tuple[str, ...]:
    """Have the connector do what it does with settled documents. Sentences on what it could not do."""

    def settled(uris: Sequence[str]) -> Mapping[str, Settled]:
        found = list(workspace.ledger.documents.find(source=source, uris=uris))
        waiting = _with_attachments_to_look_at(workspace, found)
        return {
            document.uri: one
            for document in found
            if document.uri not in waiting and (one := settled_version(document)) is not None
        }

    try:
        return tuple(map(redact, workspace.connector(source).settle(settled)))
    except SourceUnavailable as error:
        return (redact(str(error)),)


def _with_attachments_to_look_at(workspace: Workspace, found: Sequence[Document]) -> set[str]:
    """The uris of those that are mails, and the index has to look again at what is attached to them."""
    return {
        mail
        for one in with_attachments(workspace.ledger, found)
        if settled_version(one) is None
        for mail in mails_above(one.uri, one.properties)
    }


def settled_version(document: Document) -> Settled | None:
    """The version that the index has done with; None while it has to look again, and of what is withheld: a
    file that an order keeps out of the index is not put anywhere else."""
    match document.state:
        case State.INDEXED if not document.reason and document.content_hash:
            return Settled("", document.content_hash, document.token)
        case State.EXPIRED if document.seen_hash:
            return Settled("", document.seen_hash, document.token)
        case State.SKIPPED:
            return Settled(document.reason, None, None)
        case State.QUARANTINED if not document.reason.startswith(WITHHELD):
            if document.seen_hash or document.token:
                return Settled(document.reason, document.seen_hash, document.token)
    return None
