"""Look at a source and plan for it: the I/O around the pure functions of `index.sync.plan`."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from connectors.base import (
    Connector,
    DocumentError,
    Entry,
    Fetched,
    Listing,
    SourceUnavailable,
    Unlisted,
    shortened,
)
from index.attachments import LEFT_OUT, WithAttachments
from index.config import DeletionGuard
from index.config import rules as ruling
from index.ledger import WITHHELD
from index.model import Action, State
from index.records import Document, PlanRow, SourceRecord
from index.redact import redact
from index.sync import diff as comparing
from index.sync import plan as planning
from index.sync.diff import Diff, Extraction
from index.sync.plan import Plan, SourceState
from index.sync.source import Source, source_of
from index.sync.unasked import endings, unasked
from index.sync.withhold import redescribed, take_out
from index.workspace import Workspace

#: More documents than this that are left out are not named one by one.
NAMED = 100


@dataclass(frozen=True, slots=True)
class Survey:
    """A plan, and the rows of the ledger that change beside it."""

    plan: Plan
    record: SourceRecord | None = None
    """The source's record once the plan was carried out; None when it stays."""
    settled: Sequence[Document] = ()
    """Unchanged documents whose token can be trusted from now on."""
    relinked: Sequence[Document] = ()
    """Documents without any text whose link has changed."""
    unsupported: Sequence[Entry] = ()
    forgotten: Sequence[PlanRow] = ()
    unlisted: Sequence[Unlisted] = ()


def survey(
    workspace: Workspace,
    source: str,
    *,
    folders: Collection[str] | None = None,
    checksum: bool = False,
    approved: str | None = None,
    stop: threading.Event | None = None,
) -> Survey:
    """The plan of a sync of this source now. Nothing is written. Once `stop` is set no more documents are
    read, and the survey is incomplete."""
    try:
        return _survey(workspace, source, folders, checksum, approved, stop)
    except SourceUnavailable as error:
        return Survey(unasked(workspace, source, approved, trouble=redact(str(error))))


def _survey(
    workspace: Workspace,
    source: str,
    folders: Collection[str] | None,
    checksum: bool,
    approved: str | None,
    stop: threading.Event | None,
) -> Survey:
    ledger = workspace.ledger
    remembered = ledger.sources.get(source) or SourceRecord(source)
    if source not in {s.id for s in workspace.config.sources}:
        return Survey(_removed(workspace, source, approved))
    here = source_of(workspace, source)
    connector = here.connector
    try:
        identity = here.identity()
        rerooted = _rerooted(source, remembered.identity, identity)
        if rerooted:
            # Hints may come from another source in its place: only a whole listing can be judged.
            folders = None
        if checksum and isinstance(connector, WithAttachments):
            connector.forget()
        with closing(connector.list(folders)) as listing:
            rows = ledger.documents.rows(source, folders and ledger.documents.with_mails(source, folders))
            found = comparing.compare(listing, rows, here.extraction, distrust=checksum)
        left = comparing.leave_below(found, [folder.uri for folder in listing.unlisted])
        # A mail that cannot be read says so itself, unless documents stay that were attached to it.
        unlisted = [one for one in listing.unlisted if one.code != LEFT_OUT or one.uri in left]
        take_out(found, source, here.tombstones)
        if (limit := ledger.uri_bytes) is not None:
            unlisted += (_too_long(uri, limit) for uri in comparing.leave_out_long(found, limit)[:NAMED])
    except SourceUnavailable as error:
        return Survey(unasked(workspace, source, approved, trouble=redact(str(error))))
    partial = folders is not None
    state = SourceState(
        source=source,
        errors=tuple(map(redact, listing.errors)),
        complete=listing.complete,
        partial=partial,
        rerooted=rerooted,
        refiltered=remembered.filter_fingerprint not in ("", here.settings.filter_fingerprint),
    )
    fetched = _hashes(connector, found, stop)
    settled = _settle(workspace, found, fetched, here)
    hashes = {uri: read.content_hash for uri, read in fetched.items()}
    moves: list[tuple[Entry, PlanRow]] = []
    if listing.complete and not partial and found.missing:
        new = _read(connector, [e.uri for e in comparing.candidates(found)])
        hashes |= {uri: read.content_hash for uri, read in new.items()}
        moves = comparing.pair_moves(found, hashes, lambda e, r: _likeness(workspace, source, e, r))
    governing = rules_fingerprint(here)
    touched: list[str] = []
    relinked: list[Document] = []
    if not partial and remembered.rules_fingerprint != governing:
        touched, relinked = _ruled(workspace, here)
    if not partial:
        # Pending reviews: attested by a command that was killed before it wrote rows and payloads.
        touched = [*touched, *(d for d in ledger.reviews.pending(source) if d not in set(touched))]
    plan = planning.decide(
        found,
        state,
        here.settings.delete,
        hashes=hashes,
        moves=moves,
        touched=touched,
        endings=None if partial else endings(workspace, source),
        approved=approved,
        new_id=workspace.new_id,
    )
    if plan.error is not None and plan.complete:
        return Survey(plan)
    if partial or not plan.complete:
        return Survey(plan, None, settled, unsupported=found.unsupported, unlisted=unlisted)
    refused = any(True for _ in plan.of(Action.REFUSE))
    record = replace(
        remembered,
        type=here.settings.type,
        identity=identity,
        # Filters that would remove documents are not recorded until the removal was approved, or they are as
        # before.
        filter_fingerprint=remembered.filter_fingerprint
        if refused and state.refiltered
        else here.settings.filter_fingerprint,
        rules_fingerprint=governing,
        findings=[folder._asdict() for folder in unlisted],
    )
    return Survey(plan, record, settled, relinked, found.unsupported, found.forgotten, unlisted)


def _removed(workspace: Workspace, source: str, approved: str | None) -> Plan:
    """The plan for a source that was taken out of the configuration or renamed."""
    found = comparing.compare(Listing(iter(())), workspace.ledger.documents.rows(source), Extraction({}))
    state, over = SourceState(source, removed=True), endings(workspace, source)
    return planning.decide(found, state, DeletionGuard(0, 0), endings=over, approved=approved)


def _too_long(uri: str, limit: int) -> Unlisted:
    return Unlisted(
        uri,
        "too-deep",
        f"{shortened(uri)!r} has a path of {len(uri.encode(errors='surrogatepass')):,} bytes; the limit of a "
        f"ledger on PostgreSQL is {limit:,}. It is not indexed. Give it or its folders shorter names, or "
        "exclude it.",
    )


def _rerooted(source: str, before: str, now: str) -> str:
    if before in ("", now):
        return ""
    return f"Source {source!r} is another place than it was ({now}, was {before})."


def _read(
    connector: Connector, uris: Sequence[str], stop: threading.Event | None = None
) -> dict[str, Fetched]:
    read = {}
    for uri in uris:
        if stop is not None and stop.is_set():
            break
        try:
            read[uri] = connector.fetch(uri, None)
        except DocumentError:
            # Preparing the document meets the same error, and records it.
            continue
    return read


def _hashes(connector: Connector, found: Diff, stop: threading.Event | None) -> dict[str, Fetched]:
    """Hashes of changed documents whose token does not decide: it is missing, the same and distrusted, or
    made of times, which often change while the text does not."""
    times = connector.capabilities.token == "mtime"
    doubtful = [
        entry.uri
        for entry, row in found.changed
        if row.seen_hash is not None
        and (times or None in (entry.token, row.token) or comparing.same_version(entry, row.token))
    ]
    return _read(connector, doubtful, stop)


def _settle(workspace: Workspace, found: Diff, fetched: dict[str, Fetched], here: Source) -> list[Document]:
    """Take documents out of `changed` that were only distrusted, and have not changed."""
    doubtful = [(e, r) for e, r in found.changed if _same(e, r, fetched, here.extraction)]
    if not doubtful:
        return []
    from index.sync.prepare import moment

    documents = {
        d.document_id: d
        for d in workspace.ledger.documents.find(document_ids=[r.document_id for _, r in doubtful])
    }
    settled, same = [], set()
    for entry, row in doubtful:
        document, read = documents.get(row.document_id), fetched[entry.uri]
        if document is None or redescribed(document, read.entry, here.rules):
            continue
        if row.state != State.QUARANTINED and document.modified_at != moment(read.entry.modified_at):
            continue
        same.add(entry.uri)
        token, native_id, size = comparing.token_of(read.entry), read.entry.native_id, read.entry.size
        seen = replace(document, token=token, native_id=native_id, size=size)
        if read.entry.token is not None and seen != document:
            settled.append(seen)
    found.expired += [(e, r) for e, r in found.changed if e.uri in same and r.state == State.EXPIRED]
    found.changed = [(e, r) for e, r in found.changed if e.uri not in same]
    found.unchanged += len(same)
    return settled


def _same(entry: Entry, row: PlanRow, fetched: dict[str, Fetched], extraction: Extraction) -> bool:
    """Whether this version was looked at before, with the present extraction."""
    read = fetched.get(entry.uri)
    if read is None or read.content_hash != row.seen_hash:
        return False
    if row.state == State.QUARANTINED:
        return row.seen_extraction == extraction.seen(entry, failed=True)
    return row.state in (State.INDEXED, State.EXPIRED) and row.seen_extraction == extraction.of(entry)


def _likeness(workspace: Workspace, source: str, entry: Entry, row: PlanRow) -> float:
    """The share of the vanished document's chunks that the new one has too; 1 where no identity is reused."""
    here, collection = source_of(workspace, source), workspace.ledger.collections.current()
    if (lasting := here.connector.capabilities.token != "mtime") or collection is None:
        return float(lasting)  # Inodes alone are given out again.
    before = {
        c.embedded_hash
        for c in workspace.ledger.chunks.of(collection.name, [row.document_id])[row.document_id]
    }
    now = {chunk.embedded_hash for chunk in here.read(entry.uri)}
    return len(before & now) / len(before) if before else 0.0


def forget_rules(workspace: Workspace, source: str) -> None:
    """Forget the recorded rules before documents are written under new ones: if the former rules are put in
    force again before a whole run is done, some documents have the new ones."""
    remembered = workspace.ledger.sources.get(source)
    if remembered is None or source not in {s.id for s in workspace.config.sources}:
        return
    here = source_of(workspace, source)
    now = remembered.rules_fingerprint if here.rules.codeowners.trouble else rules_fingerprint(here)
    if remembered.rules_fingerprint not in ("", now):
        workspace.ledger.sources.put(replace(remembered, rules_fingerprint=""))


def rules_fingerprint(source: Source) -> str:
    """`index.config.rules.rules_fingerprint` of a source."""
    return ruling.rules_fingerprint(source.settings, source.connector.home(), source.rules.codeowners)


def _ruled(workspace: Workspace, source: Source) -> tuple[list[str], list[Document]]:
    """Ids of documents whose owner, dates or link change under the rules in force, or that are withheld: a
    rule may have the phrase. And the new rows of those without any text whose link changes."""
    from index.sync.govern import governed, linked

    now = workspace.now()
    changed: list[str] = []
    relinked: list[Document] = []
    for document in workspace.ledger.documents.find(source=source.id):
        current = linked(document, source.rules, source.connector)
        ruled = governed(current, source.rules, now) if document.version else document
        if ruled != document or document.reason.startswith(WITHHELD):
            changed.append(document.document_id)
        elif not document.version and current != document:
            relinked.append(current)
    return changed, relinked
