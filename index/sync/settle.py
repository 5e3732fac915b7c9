"""Tell a source what became of its documents, once a sync has come to its end.

A drop folder moves its files on then. A kill before that changes nothing but when: the next sync tells it
again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.base import Settled, SourceUnavailable
from index.ledger import WITHHELD
from index.model import State
from index.records import Document
from index.redact import redact
from index.workspace import Workspace


def settle(workspace: Workspace, source: str) -> tuple[str, ...]:
    """Have the connector do what it does with settled documents. Sentences on what it could not do."""

    def settled(uris: Sequence[str]) -> Mapping[str, Settled]:
        found = workspace.ledger.documents.find(source=source, uris=uris)
        return {document.uri: one for document in found if (one := settled_version(document)) is not None}

    try:
        return tuple(map(redact, workspace.connector(source).settle(settled)))
    except SourceUnavailable as error:
        return (redact(str(error)),)


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
