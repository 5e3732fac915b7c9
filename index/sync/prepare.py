"""From a plan's item to its work: fetch, parse, chunk, govern.

Nothing is written here. Every failure of a document is returned as a value. A document that has to be parsed
is a `Reading` until a parser is done with it, so that others are fetched meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.base import (
    DocumentChanging,
    DocumentError,
    DocumentTooLarge,
    DocumentVanished,
    Entry,
    Fetched,
    Notice,
    known_time,
)
from index.freshness.extract import extract_of
from index.freshness.properties import assigned, said, title, with_assigned
from index.model import Action, Cause, Diagnostic, Failure, Item, Parsed, State
from index.parse import formats
from index.records import Document
from index.redact import redact
from index.sync.diff import same_version, token_of
from index.sync.expiry import expired, expiring
from index.sync.govern import governed, linked
from index.sync.reading import Reading
from index.sync.source import Source
from index.sync.work import NewMetadata, NewVersion, Removal, RowOnly, Skip, Withheld, Work

#: Causes whose items are parsed again although nothing seems to have changed.
FORCED = frozenset({Cause.RETRY, Cause.REPAIR})


def prepare(item: Item, known: Document | None, source: Source) -> Work | Reading:
    """The work of this item. `known` is the ledger's row; None for a new document."""
    now = source.now()
    if item.action is Action.DELETE:
        assert known is not None
        try:
            if source.connector.stat(item.uri) is not None:
                # Programs that save a file by deleting it first leave a moment without a file.
                return _unlisted_work(item, known, source)
        except DocumentError as error:
            return _unread_work(item, known, source, State.PENDING, redact(str(error)))
        return Removal(replace(known, state=State.DELETED, deleted_at=now, chunk_count=0, reason=""))
    if item.action is Action.EXPIRE:
        assert known is not None
        return expiring(item, known, now)
    if item.action is Action.HOLD:
        assert known is not None
        ruled = _governed_text(known, source)
        held = replace(ruled, state=State.HELD, reason=item.reason)
        return metadata_work(item, known, ruled, held)
    if known is None:
        known = Document(item.document_id, source.id, item.uri, State.PENDING, first_seen_at=now)
    if item.cause is Cause.RULES:
        again = replace(item, action=Action.UPDATE, uri=known.uri, cause=Cause.REPAIR)
        return NewMetadata(Action.TOUCH, _governed_now(known, source), again)
    if item.cause is Cause.PROPERTIES:
        return _properties_work(item, known, source)
    return _work_of_document(item, known, source)


def _still_expired(item: Item, document: Document, source: Source) -> Work | None:
    """The work of an expired document with this row: it stays expired; None when it comes back."""
    why = source.ended(document)
    if not why:
        return None
    action = Action.MOVE if item.action is Action.MOVE else Action.TOUCH
    row = linked(expired(document, why), source.rules, source.connector)
    return NewMetadata(action, row, Skip(item.uri))


def _properties_work(item: Item, known: Document, source: Source) -> Work | Reading:
    """The source gives the same version other properties; the text is not read again for that."""
    try:
        entry = source.connector.stat(item.uri)
    except DocumentError as error:
        return _unread_work(item, known, source, State.PENDING, redact(str(error)))
    if entry is None:
        return _unlisted_work(item, known, source)
    if not same_version(entry, known.token) or _needs_text(known, entry):
        return _work_of_document(replace(item, action=Action.UPDATE), known, source)
    described = replace(_with_properties(item, known, source, entry), modified_at=moment(entry.modified_at))
    if known.state is State.EXPIRED:
        stays = _still_expired(item, _with_version(described, entry), source)
        return stays or _work_of_document(replace(item, action=Action.UPDATE), known, source)
    ruled = _governed_text(described, source)
    if known.state is not State.INDEXED or ruled == known:
        return metadata_work(item, known, ruled, _with_version(ruled, entry))
    again = replace(item, action=Action.UPDATE, cause=Cause.REPAIR)
    return NewMetadata(item.action, _with_version(ruled, entry), again)


def _with_properties(item: Item, known: Document, source: Source, entry: Entry) -> Document:
    """The document under its present uri, with the source's present properties."""
    return replace(known, uri=item.uri, properties=source.rules.resaid(known.properties, entry.properties))


def _with_version(document: Document, entry: Entry) -> Document:
    """The document, with the version of this entry as the one last looked at."""
    return replace(document, **_version_of(entry))


def _version_of(entry: Entry) -> dict[str, Any]:
    return {"token": token_of(entry), "native_id": entry.native_id, "size": entry.size}


def _needs_text(known: Document, entry: Entry) -> bool:
    """Whether changed properties of the source need the text: a title may stand in every chunk, and an old
    row has the source's properties among the document's own."""
    if entry.properties and said(known.properties) is None:
        return True
    before, now = title(said(known.properties)), title(entry.properties)
    return before != now and known.title in ("", before)


def _work_of_document(item: Item, known: Document, source: Source) -> Work | Reading:
    """Fetch the document and compare its hash; parse it when it changed."""
    uri = item.uri
    target = source.scratch() / item.document_id
    target.unlink(missing_ok=True)
    found: Work | Reading | None = None
    try:
        try:
            fetched = source.fetch(uri, target)
        except DocumentTooLarge as error:
            entry = source.connector.stat(uri)
            if entry is None:
                return _unlisted_work(item, known, source)
            if not (known.version or source.extraction.of(entry)):
                return _skipped_work(item, known, source, entry)
            return _quarantined_work(item, known, source, entry, None, Failure(redact(str(error))))
        found = _work_of_version(item, known, source, fetched, target)
        return found
    except DocumentVanished:
        return _unlisted_work(item, known, source)
    except DocumentChanging as error:
        return _unread_work(item, known, source, State.PENDING, redact(str(error)))
    except DocumentError as error:
        return _unread_work(item, known, source, State.QUARANTINED, redact(str(error)))
    finally:
        if not isinstance(found, Reading):
            target.unlink(missing_ok=True)


def _work_of_version(
    item: Item, known: Document, source: Source, fetched: Fetched, content: Path
) -> Work | Reading:
    entry = fetched.entry
    expected = source.extraction.of(entry)
    if order := source.tombstones.content(fetched):
        looked_at = replace(known, uri=item.uri, seen_extraction=expected, **_version_of(entry))
        return Withheld(order, source.id, item.uri, looked_at)
    if not (known.version or expected):
        # It failed while its type was supported.
        return _skipped_work(item, known, source, entry)
    forced = item.cause in FORCED
    seen = replace(
        _with_properties(item, known, source, entry), **_version_of(entry), seen_hash=fetched.content_hash
    )
    modified_at = moment(entry.modified_at)
    same_text = fetched.content_hash == known.content_hash and expected == known.extraction_fingerprint
    if known.version and same_text and not forced and not _needs_text(known, entry):
        current = replace(
            seen, modified_at=modified_at, state=State.INDEXED, reason="", seen_extraction=expected
        )
        return NewMetadata(item.action, _governed_now(current, source), replace(item, cause=Cause.REPAIR))
    read_before = (known.seen_hash, known.seen_extraction) == (fetched.content_hash, expected)
    if known.state is State.EXPIRED and read_before:
        stays = _still_expired(item, replace(seen, modified_at=modified_at), source)
        if stays:
            return stays
    failed_before = (known.seen_hash, known.seen_extraction) == (
        fetched.content_hash,
        source.extraction.seen(entry, failed=True),
    )
    if known.state is State.QUARANTINED and failed_before and known.uri == item.uri and not forced:
        described = _with_properties(item, known, source, entry)
        return metadata_work(item, known, _governed_text(described, source), _governed_text(seen, source))
    format = formats.of(entry)

    def finish(parsed: Parsed | Failure) -> Work:
        if isinstance(parsed, Failure):
            return _quarantined_work(item, known, source, entry, fetched.content_hash, parsed)
        if not parsed.title and (named := title(entry.properties)):
            parsed = replace(parsed, title=named)
        authored = formats.BY_SUFFIX[format].authored
        document = replace(
            seen,
            state=State.INDEXED,
            reason="",
            seen_extraction=expected,
            version=known.version + 1,
            content_hash=fetched.content_hash,
            extraction_fingerprint=expected,
            modified_at=modified_at,
            title=parsed.title,
            content_type=parsed.content_type,
            language=parsed.language,
            properties=with_assigned(
                source.rules.recorded(parsed.properties, entry.properties, authored=authored),
                assigned(known.properties),
            ),
            indexed_at=source.now(),
            findings=[*parsed.findings, *map(_diagnostic, fetched.notices)],
        )
        document = _governed_now(document, source)
        if known.state is State.EXPIRED and (stays := _still_expired(item, document, source)):
            return stays
        # The end of the retention of a text that is in the index is for the plan and its guard to see.
        if fetched.content_hash != known.content_hash and (why := source.ended(document)):
            return Removal(expired(document, why), Action.EXPIRE)
        chunks = tuple(source.chunk(parsed))
        document = replace(document, chunk_count=len(chunks))
        extract = extract_of(document.document_id, parsed)
        return NewVersion(item.action, document, chunks, frozenset(), extract)

    return Reading(content, content.stat().st_size, source.parser(content, format), finish, source)


def _diagnostic(notice: Notice) -> Diagnostic:
    return {"code": notice.code, "line": None, "reason": redact(notice.reason)}


def _skipped_work(item: Item, known: Document, source: Source, entry: Entry) -> Work:
    why = formats.why_unsupported(formats.of(entry))
    row = replace(known, uri=item.uri, state=State.SKIPPED, reason=why, seen_extraction="")
    return RowOnly(linked(row, source.rules, source.connector))


def _quarantined_work(
    item: Item, known: Document, source: Source, entry: Entry, content_hash: str | None, failure: Failure
) -> Work:
    """Quarantined; the text of an older version stays, under the present uri and rules."""
    described = _with_properties(item, known, source, entry)
    ruled = _governed_text(linked(described, source.rules, source.connector), source)
    document = replace(
        _with_version(ruled, entry),
        state=State.QUARANTINED,
        reason=failure.reason,
        seen_hash=content_hash,
        seen_extraction="" if failure.transient else source.extraction.seen(entry, failed=True),
    )
    return metadata_work(item, known, ruled, document)


def _unlisted_work(item: Item, known: Document, source: Source) -> Work:
    """It changed or vanished since the source was listed: the next listing decides. Until then it stays,
    under the present rules."""
    return metadata_work(replace(item, action=Action.TOUCH), known, _governed_text(known, source), None)


def _unread_work(item: Item, known: Document, source: Source, state: State, reason: str) -> Work:
    """It could not be read: the next sync tries again, because no token is recorded. Text that is in the
    index stays in search. No extraction is recorded either, or the next sync would skip the failure."""
    kept = State.INDEXED if known.version and state is State.PENDING else state
    ruled = _governed_text(linked(known, source.rules, source.connector), source)
    document = replace(ruled, state=kept, reason=reason, token=None, seen_extraction="")
    return metadata_work(item, known, ruled, document)


def _governed_text(document: Document, source: Source) -> Document:
    return _governed_now(document, source) if document.version else document


def _governed_now(document: Document, source: Source) -> Document:
    """The document with its link, owner and instants under the present rules."""
    return governed(linked(document, source.rules, source.connector), source.rules, source.now())


def metadata_work(item: Item, known: Document, ruled: Document, document: Document | None) -> Work:
    """Work without a new text: metadata of an older text reaches its points, too. `document` None: the row
    needs no other change."""
    noted = Skip(item.uri) if document is None else RowOnly(document)
    if known.version and ruled != known:
        return NewMetadata(item.action, document or ruled, noted)
    return noted


def moment(modified_at: int | None) -> datetime | None:
    """The time of an entry's modification."""
    nanoseconds = known_time(modified_at)
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
