"""What orders to erase keep out: paths, bytes and phrases, looked up as keyed hashes.

Nothing is looked up, and no hash is made, while no tombstone stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import unquote

from connectors.base import Entry, Fetched
from index.config.rules import Rules
from index.freshness.properties import SOURCE, mails_above, said
from index.ledger import WITHHELD, Keys, Ledger, TombstoneKind, windows
from index.model import REMOVALS, Chunk, State
from index.phrase import passages, readings, strings
from index.records import Document, Intent
from index.sync.diff import Diff, same_properties, token_of

if TYPE_CHECKING:
    from index.sync.work import Work

#: Paths that are looked up at once.
_PATHS = 1000


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Phrases that no text of the index may have, known by their keyed hashes only."""

    keys: Keys
    orders: Mapping[int, Mapping[str, str]]
    """{number of words: {key hash: id of the order}}."""

    def __bool__(self) -> bool:
        return bool(self.orders)

    @property
    def hashes(self) -> frozenset[str]:
        return frozenset(key for own in self.orders.values() for key in own)

    def order(self, texts: Iterable[str]) -> str:
        """The id of the order that one of these texts has a phrase of; "" when none has. As
        `index.phrase.Phrases.found`, by windows of as many words as the phrases have."""
        looked: set[str] = set()
        for text in texts if self.orders else ():
            for reading in readings(text):
                for length, own in self.orders.items():
                    for window in windows(reading, length):
                        if window not in looked:
                            looked.add(window)
                            if order := own.get(self.keys.phrase(window)):
                                return order
        return ""


class Tombstones:
    """The tombstones that stand, as a survey or a batch asks for them. Which kinds there are is asked once:
    `forbidden` finds what was placed meanwhile. Without a ledger there are none.

    Raises LedgerDamaged when some stand and the ledger has lost their key.
    """

    def __init__(self, ledger: Ledger | None = None) -> None:
        self._optional = ledger

    @property
    def _ledger(self) -> Ledger:
        assert self._optional is not None, "asked for tombstones where there are none"
        return self._optional

    @cached_property
    def _kinds(self) -> set[TombstoneKind]:
        return set() if self._optional is None else self._ledger.tombstones.kinds()

    @cached_property
    def _keys(self) -> Keys:
        return self._ledger.tombstones.keys()

    @cached_property
    def phrases(self) -> Suppressed | None:
        """None when no phrase is suppressed."""
        if TombstoneKind.PHRASE not in self._kinds:
            return None
        return Suppressed(self._keys, self._ledger.tombstones.phrases())

    def content(self, fetched: Fetched) -> str:
        """The id of the order that keeps these bytes out; "" when none does."""
        if TombstoneKind.CONTENT not in self._kinds or fetched.entry.size == 0:
            return ""
        key = self._keys.content(fetched.content_hash)
        return self._ledger.tombstones.standing([key]).get(key, "")

    def paths(self, source: str, uris: Sequence[str]) -> set[str]:
        """Those of these paths that are kept out, or have a phrase in them."""
        if not self._kinds:
            return set()
        found: set[str] = set()
        for first in range(0, len(uris), _PATHS):
            keys = {self._keys.uri(source, uri): uri for uri in uris[first : first + _PATHS]}
            found |= {keys[key] for key in self._ledger.tombstones.standing(keys)}
        if phrases := self.phrases:
            found |= {uri for uri in uris if phrases.order([unquote(uri)])}
        return found

    def any(self, source: str, uris: Sequence[str], content_hashes: Sequence[str]) -> bool:
        """Whether one of these paths is kept out, or the bytes with one of these hashes."""
        if not self._kinds:
            return False
        keys = [self._keys.content(content_hash) for content_hash in content_hashes]
        return bool(self.paths(source, uris)) or bool(self._ledger.tombstones.standing(keys))

    def held(self, document_id: str) -> bool:
        return self._optional is not None and bool(self._ledger.holds.of([document_id]))


def take_out(found: Diff, source: str, tombstones: Tombstones) -> None:
    """Take new entries at paths that are kept out, or in mails that are, out of the diff, which counts
    them."""
    new = {entry.uri: _mails_above(entry) for entry in (*found.new, *found.unsupported)}
    if not new:
        return
    paths = dict.fromkeys(path for uri, mails in new.items() for path in (uri, *mails))
    if out := tombstones.paths(source, [*paths]):
        gone = {uri for uri, mails in new.items() if not out.isdisjoint((uri, *mails))}

        def left(entries: Iterable[Entry]) -> list[Entry]:
            return [entry for entry in entries if entry.uri not in gone]

        found.new, found.unsupported = left(found.new), left(found.unsupported)
        found.withheld += len(gone)


def _mails_above(entry: Entry) -> list[str]:
    return mails_above(entry.uri, {SOURCE: entry.properties}) if entry.properties else []


def redescribed(document: Document, entry: Entry, rules: Rules) -> bool:
    """Whether the source gives the document other properties than when it was looked at. The row has none of
    a version that is withheld, but for their digest."""
    if document.reason.startswith(WITHHELD):
        return not same_properties(document.token, token_of(entry))
    now = entry.properties
    return said(document.properties) != (None if now is None else rules.kept(now))


def texts_of(document: Document, chunks: Sequence[Chunk] = ()) -> Iterator[str]:
    """Everything that the index would say of a document: title, path, owners, properties, and the text with
    its headings."""
    yield document.title
    yield unquote(document.uri)
    yield "\n".join((document.owner, *document.owners))
    yield "\n".join(strings(document.properties))
    yield "".join(chunk.text for chunk in chunks)
    yield "\n".join(passages((chunk.heading_path, chunk.text) for chunk in chunks))


def forbidden(ledger: Ledger, work: Iterable[Work], intents: Iterable[Intent]) -> set[str]:
    """The ids of those of these documents that may not be written any more: by orders that were placed since
    they were prepared."""
    kinds = ledger.tombstones.kinds()
    if not kinds:
        return set()
    found = ledger.tombstones.barred([i.document for i in intents if i.action not in REMOVALS])
    if TombstoneKind.PHRASE in kinds:
        from index.sync.work import NewVersion

        keys, phrases = ledger.tombstones.keys(), ledger.tombstones.phrases()
        for one in work:
            if isinstance(one, NewVersion) and one.searched is not None:
                late = Suppressed(keys, _without(phrases, one.searched))
                if late.order(texts_of(one.document, one.chunks)):
                    found.add(one.document.document_id)
    return found


def _without(phrases: Mapping[int, Mapping[str, str]], known: Collection[str]) -> dict[int, dict[str, str]]:
    found = {n: {key: order for key, order in own.items() if key not in known} for n, own in phrases.items()}
    return {n: own for n, own in found.items() if own}


def kept_out(known: Document, looked_at: Document, reason: str) -> Document:
    """The row of a document whose version `looked_at` is withheld: what follows from the text that it had
    stays, and of the new version come only token, size and hashes."""
    return replace(
        known,
        state=State.QUARANTINED,
        reason=reason,
        token=looked_at.token,
        native_id=looked_at.native_id,
        size=looked_at.size,
        seen_hash=looked_at.seen_hash,
        seen_extraction=looked_at.seen_extraction,
    )
