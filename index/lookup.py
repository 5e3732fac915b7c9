"""Documents by the uris that people type."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice

from index.config.messages import nearest
from index.errors import ConfigError
from index.ledger import Ledger
from index.model import Document, State, rfc3339

#: How many uris are held against a mistyped one: it takes 20 µs each.
_NEAREST_AMONG = 50_000


def located(
    ledger: Ledger,
    uris: Sequence[str],
    *,
    source: str | None = None,
    states: Collection[State] | None = None,
    what: str = "document",
    see: str = "freshkb ls",
) -> list[Document]:
    """The documents at these uris, in any source when none is named; live ones, unless `states` says which.

    Raises ConfigError for a uri that none has, naming the nearest.
    """
    found = list(ledger.documents(source=source, uris=uris, states=states))
    at = {document.uri for document in found}
    for uri in uris:
        if uri not in at:
            among = ledger.documents(source=source, states=states)
            near = nearest(uri, (document.uri for document in islice(among, _NEAREST_AMONG)))
            end = "" if near.endswith("?") else "."
            raise ConfigError(f"No {what} is at {uri}{near}{end} See: {see}")
    return found


def unambiguous(found: Sequence[Document]) -> Sequence[Document]:
    """The same. Raises ConfigError when two of them are at one uri."""
    at: dict[str, str] = {}
    for document in found:
        if at.setdefault(document.uri, document.source) != document.source:
            raise ConfigError(
                f"{document.uri} is in several sources ({at[document.uri]}, {document.source}). "
                "Name one with --source."
            )
    return found


def shown(ledger: Ledger, uri: str, source: str | None = None) -> Document:
    """The live document at this uri, else the last one that was there.

    Raises ConfigError when there never was one, or when several sources have one and none is named.
    """
    gone = list(ledger.documents(source=source, uris=[uri], states=[State.DELETED, State.ERASED]))
    live = list(ledger.documents(source=source, uris=[uri]))
    if live or not gone:
        return unambiguous(live or located(ledger, [uri], source=source))[0]
    return max(gone, key=lambda document: rfc3339(document.deleted_at) or "")
