"""From a plan's item to its work, but for what an order to erase keeps out of the index.

Erased bytes take their path with them into the order: a document that was there before goes, as if its source
had lost it, and the path is not read again. A text with a suppressed phrase leaves its document in
quarantine, with the order as the reason; the text that it had before stays. So does, in either case, the text
of a document under a hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeGuard
from urllib.parse import unquote

from index.ledger import WITHHELD, withheld_by
from index.model import Action, Cause, Chunk, Item, State
from index.records import Document
from index.sync.diff import same_properties
from index.sync.govern import governed, linked
from index.sync.prepare import metadata_work, prepare
from index.sync.reading import Reading
from index.sync.source import Source
from index.sync.withhold import Suppressed, kept_out, texts_of
from index.sync.work import NewMetadata, NewVersion, Removal, RowOnly, Skip, Withheld, Work


def screened(item: Item, known: Document | None, source: Source) -> Work | Reading:
    """The work of this item. `known` is the ledger's row; None for a new document."""
    if item.cause in (Cause.RULES, Cause.PROPERTIES) and known and known.reason.startswith(WITHHELD):
        # Its owner or its properties may have had the phrase: the whole is looked at again.
        item = replace(item, action=Action.UPDATE, uri=known.uri, cause=Cause.REPAIR)
    made = prepare(item, known, source)
    if known and _as_before(made, known) and not same_properties(known.token, made.document.token):
        made = prepare(replace(item, cause=Cause.REPAIR), known, source)
    phrases = source.tombstones.phrases
    if isinstance(made, Withheld):
        return _without_bytes(item, known, source, made)
    if phrases is None:
        return made
    if isinstance(made, Reading):
        finish = made.finish
        return replace(made, finish=lambda parsed: _unspoken(item, known, source, finish(parsed), phrases))
    return _unspoken(item, known, source, made, phrases)


def _without_bytes(item: Item, known: Document | None, source: Source, made: Withheld) -> Work:
    looked_at = made.document
    if known is None or looked_at is None:
        return replace(made, document=None)
    if source.tombstones.held(known.document_id):
        reason = f"{withheld_by(made.order_id)}; a hold keeps the text that it had before"
        seen = source.extraction.held(looked_at.seen_extraction)
        # The hash of erased bytes stays out of the row.
        looked_at = replace(looked_at, seen_hash=None, seen_extraction=seen)
        return _kept(item, known, source, looked_at, reason)
    gone = replace(known, state=State.DELETED, deleted_at=source.now(), chunk_count=0, reason="")
    return replace(made, document=gone)


def _unspoken(item: Item, known: Document | None, source: Source, made: Work, phrases: Suppressed) -> Work:
    """The same work; or the work that keeps a suppressed phrase out."""
    chunks: Sequence[Chunk] = ()
    match made:
        case NewVersion(_, document, chunks):
            pass
        case NewMetadata(_, document, _) | RowOnly(document) if document.state is not State.HELD:
            pass
        case Removal(document) if document.state is State.EXPIRED:
            # Its row stays, with a title and properties.
            pass
        case _:
            return made
    if (known is None or known.uri != document.uri) and phrases.order([unquote(document.uri)]):
        # The next survey takes it out.
        return Skip(document.uri)
    if not isinstance(made, NewVersion) and known is not None:
        if _as_before(made, known):
            return _kept(item, known, source, document, known.reason)
        if [*texts_of(document)] == [*texts_of(known)]:
            return made
    order = phrases.order(texts_of(document, chunks))
    if not order:
        return _searched(made, phrases) if isinstance(made, NewVersion) else made
    if known is None:
        known = Document(item.document_id, source.id, item.uri, State.PENDING, first_seen_at=source.now())
    looked_at = replace(document, seen_extraction=source.extraction.failed(document.seen_extraction))
    return _kept(item, known, source, looked_at, withheld_by(order))


def _searched(made: NewVersion, phrases: Suppressed) -> NewVersion:
    """The version on whose text no order stands. Links whose targets have a phrase are not kept."""
    extract = made.extract
    if extract is not None:
        links = [link for link in extract.links if not phrases.order([unquote(link[0])])]
        extract = replace(extract, links=links)
    return replace(made, searched=phrases.hashes, extract=extract)


def _as_before(made: Work | Reading, known: Document) -> TypeGuard[NewMetadata | RowOnly]:
    """Whether the document is withheld, and this work leaves it so without another look at its text."""
    withheld = known.reason.startswith(WITHHELD)
    return withheld and isinstance(made, NewMetadata | RowOnly) and made.document.reason == known.reason


def _kept(item: Item, known: Document, source: Source, looked_at: Document, reason: str) -> Work:
    """The text that the document had stays, under the present path, and under the present rules unless these
    have the phrase."""
    ruled = linked(replace(known, uri=looked_at.uri), source.rules, source.connector)
    if known.version:
        now, phrases = governed(ruled, source.rules, source.now()), source.tombstones.phrases
        if phrases is None or not phrases.order(texts_of(now)):
            ruled = now
    return metadata_work(item, known, ruled, kept_out(ruled, looked_at, reason))
