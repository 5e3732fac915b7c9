"""Documents by the names that people type.

A name is a document's uri, alone or after its source (``handbook:policies/travel.md``), as `ls` and `search`
print it, escapes of unprintable characters included; or it is a document's id. Where several documents are
printed alike, only their ids tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from connectors.base import Patterns
from index.config.messages import nearest
from index.errors import ConfigError
from index.freshness.owners import folded, require
from index.freshness.properties import mails_above
from index.ledger import Ledger
from index.model import LIVE, State, rfc3339
from index.printable import printable_line
from index.records import Document

#: Uris that a mistyped one is compared with, at 20 µs each.
_NEAREST_AMONG = 50_000
#: Wrong names that a message lists.
_LISTED_MAX = 5


@dataclass(frozen=True, slots=True)
class Lookup:
    """The documents that names are looked up in, and the words of the errors."""

    ledger: Ledger
    source: str | None = None
    states: Collection[State] = LIVE
    what: str = "document"
    see: str = "freshkb ls"
    nothing: str = ""
    """A sentence on the action that a wrong name prevented."""

    def named(self, names: Sequence[str]) -> list[Document]:
        """The documents of these names, each once; a name without its source stands for its documents in all
        sources.

        Raises ConfigError for names that no document has, each with the nearest, and for a printed form that
        several documents share.
        """
        return self._found(names, self._of)

    def matching(self, names: Sequence[str], owner: str | None = None) -> list[Document]:
        """As `named`, where a name that no document has may also be a gitignore-style pattern; only those of
        `owner` when given, and all of them when no name is.

        Raises ConfigError for an owner of nothing, and for a pattern that matches nothing.
        """
        found = self._found(names, self._of_pattern) if names else list(self._documents())
        if owner is None:
            return found
        asked = require(owner, self.ledger.documents.owners())
        theirs = [document for document in found if asked in folded(document.owners or [document.owner])]
        if not theirs:
            raise ConfigError(f"None of these documents is owned by {owner}. {self.nothing}".rstrip())
        return theirs

    def all(self) -> Iterator[Document]:
        """All documents, in order of source and uri."""
        return self._documents()

    def _documents(self, uris: Collection[str] | None = None) -> Iterator[Document]:
        return self.ledger.documents.find(source=self.source, uris=uris, states=self.states)

    def _found(self, names: Sequence[str], look: Callable[[str], list[Document]]) -> list[Document]:
        found: dict[str, Document] = {}
        wrong: list[str] = []
        for name in dict.fromkeys(names):
            own = look(name)
            found |= {document.document_id: document for document in own}
            if not own:
                wrong.append(name)
        if wrong:
            raise ConfigError(self._wrong(wrong))
        return sorted(found.values(), key=lambda document: (document.source, document.uri))

    def _wrong(self, names: Sequence[str]) -> str:
        among = [document.uri for document in islice(self._documents(), _NEAREST_AMONG)]
        said = []
        for name in names[:_LISTED_MAX]:
            near = nearest(name, among) if among else ""
            said.append(
                f"No {self.what} is at {printable_line(name + near)}{'' if near.endswith('?') else '.'}"
            )
        if len(names) > _LISTED_MAX:
            said.append(f"Nor at {len(names) - _LISTED_MAX:,} other names.")
        return " ".join(part for part in (*said, self.nothing, f"See: {self.see}") if part)

    # ── One name ──────────────────────────────────────────────────────────────────────────────────────

    def _of(self, name: str) -> list[Document]:
        source, colon, uri = name.partition(":")
        near = list(self._documents({name, uri} if colon else {name}))
        whole = [document for document in near if (document.source, document.uri) == (source, uri)]
        found = whole or [document for document in near if document.uri == name]
        if "\\" in name:
            # An escape in a name may stand for one of several characters.
            found = self._printed(name, self._documents()) or found
        return found or list(self.ledger.documents.find(document_ids=[name], states=self.states))

    def _printed(self, name: str, documents: Iterable[Document]) -> list[Document]:
        whole, alone = [], []
        for document in documents:
            printed = printable_line(document.uri)
            if f"{document.source}:{printed}" == name:
                whole.append(document)
            elif printed == name:
                alone.append(document)
        found = whole or alone
        if len({document.uri for document in found}) > 1:
            ids = ", ".join(document.document_id for document in found)
            raise ConfigError(
                f"Several documents are printed as {name}. Name one by its id: {ids}. {self.nothing}".rstrip()
            )
        return found

    def _of_pattern(self, name: str) -> list[Document]:
        found = self._of(name)
        if found:
            return unambiguous(found)
        source, colon, below = name.partition(":")
        of_one = bool(colon) and source in self.ledger.documents.counts()
        pattern, within = (below, source) if of_one else (name, self.source)
        if not set(pattern) & set("*?[") and not pattern.endswith("/"):
            return []
        try:
            matches = Patterns([pattern])
        except ValueError as error:
            raise ConfigError(f"{error} {self.nothing}".rstrip()) from error
        return [d for d in self._documents() if within in (None, d.source) and matches.match(d.uri)]


def with_attachments(
    ledger: Ledger, found: Iterable[Document], states: Collection[State] = LIVE
) -> list[Document]:
    """These documents, and what is attached to those that are mails, in order of source and uri."""
    chosen = {document.document_id: document for document in found}
    uris: dict[str, set[str]] = {}
    for document in chosen.values():
        uris.setdefault(document.source, set()).add(document.uri)
    for source, named in uris.items():
        for below in ledger.documents.below(source, named, states):
            if not named.isdisjoint(mails_above(below.uri, below.properties)):
                chosen[below.document_id] = below
    return sorted(chosen.values(), key=lambda document: (document.source, document.uri))


def unambiguous(found: list[Document]) -> list[Document]:
    """The same. Raises ConfigError when two of them are at one uri."""
    at: dict[str, str] = {}
    for document in found:
        if at.setdefault(document.uri, document.source) != document.source:
            raise ConfigError(
                f"{document.uri} is in several sources ({at[document.uri]}, {document.source}). "
                f"Name one, as in {document.source}:{document.uri}, or with --source."
            )
    return found


def shown(ledger: Ledger, name: str, source: str | None = None) -> Document:
    """The live document of this name, else the last one that had it, but for those of open orders to erase.

    Raises ConfigError when there never was one, or when several sources have one and `source` is None.
    """
    look = Lookup(ledger, source, states=[state for state in State if state is not State.ERASED])
    found = look.named([name])
    live = [document for document in found if document.state in LIVE]
    if live:
        return unambiguous(live)[0]
    return max(found, key=lambda document: rfc3339(document.deleted_at) or "")
