"""Compare source, ledger and store, and name every difference.

First the ledger's file and the store's collection are examined in themselves: one that is damaged has to be
mended as a whole. Then three comparisons, whose checks are the pure functions of `index.verify.checks`.
Ledger and store are merged point by point in order of id, as the examination of the collection reads them; a
payload is compared with the digest that the ledger keeps, and also built again from the document's row, so
that an altered row shows as well. Each document's row is checked against itself, its chunks, its reviews and
holds, and the rules that govern it. The source is compared by planning for it. A sample is of points alone.

Values without a second copy cannot be checked: the count of a document's versions, the time it was first
seen, properties that no rule reads, the words of a reason, its parser's findings, the number of a chunk's
tokens, and title, language and source of a document that has no text. Without `deep`, neither can the values
of vectors, the size and inode that only a rename uses, the hash of a document in quarantine, nor a file that
was changed and given its former size, times and inode.
"""

from __future__ import annotations

import logging
import threading
from contextlib import closing, suppress

from index.batched import batched
from index.errors import StoreDamaged, StoreError
from index.ledger import WITHHELD, damaged, file
from index.model import KEPT, Action, Cause, Item, State
from index.records import Collection, Document
from index.store.base import Each
from index.sync.collection import orphans
from index.sync.govern import governed, linked
from index.sync.source import Source, known_sources, source_of
from index.sync.survey import rules_fingerprint, survey
from index.verify.checks import Announced, Defect, judge_collection, judge_pending, judge_row, judge_rules
from index.verify.differences import Difference, Verification
from index.verify.points import Comparison, Stopped, go_on, is_there, lost, named, pages
from index.workspace import Workspace, require_collection

log = logging.getLogger("freshkb.verify")


def verify(
    workspace: Workspace,
    *,
    sample: tuple[int, int] = (1, 1),
    deep: bool = False,
    sources: bool = True,
    stop: threading.Event | None = None,
) -> Verification:
    """Compare everything, or the I-th of N parts of the points (`sample`); N runs cover all.

    `deep` compares the values of vectors too, and hashes every document at its source. When a reindex has
    switched meanwhile, all is compared again: the collection that was compared may be gone. Once `stop` is
    set, the differences so far are returned as interrupted. Raises LedgerDamaged for a ledger that has to be
    mended first (`index.verify.mend`).
    """
    ledger, stop = workspace.ledger, stop or threading.Event()
    if faults := ledger.faults():
        raise damaged(str(workspace.config.state_dir / file.NAME), "; ".join(faults))
    before = ledger.collections.current()
    try:
        found = _compare(workspace, before, Verification(sample, deep), stop, sources=sources)
    except StoreError:
        if ledger.collections.current() == before:
            raise
    else:
        if found.interrupted or ledger.collections.current() == before:
            return found
    # Once: the next switch would take a reindex of everything, which outlasts this.
    return _compare(
        workspace, ledger.collections.current(), Verification(sample, deep), stop, sources=sources
    )


def _compare(
    workspace: Workspace,
    collection: Collection | None,
    found: Verification,
    stop: threading.Event,
    *,
    sources: bool,
) -> Verification:
    try:
        _compare_all(workspace, collection, found, stop, sources=sources)
    except Stopped:
        found.interrupted = True
    return found


def _compare_all(
    workspace: Workspace,
    collection: Collection | None,
    found: Verification,
    stop: threading.Event,
    *,
    sources: bool,
) -> None:
    unknown = orphans(workspace)
    if collection is None and not unknown and not workspace.ledger.chunks.miscounted(""):
        require_collection(workspace)
    if collection is not None:
        defect = judge_collection(collection, configured(workspace))
        if defect is not None:
            found.of(defect.kind).append(Difference(defect.what))
        if is_there(workspace.store, collection.name):
            _compare_points(workspace, collection, found, stop)
        else:
            lost(workspace, collection, found)
        _compare_pending(workspace, collection, found)
    for name in unknown:
        found.extra.append(Difference("the ledger does not know this collection", collection=name))
    log.debug("Verify: %d points compared, %d differences so far.", found.points, found.findings)
    _compare_rows(workspace, collection, found, stop)
    counts = workspace.ledger.documents.counts()
    found.documents = sum(states.get(s, 0) for states in counts.values() for s in KEPT)
    if sources:
        for source in known_sources(workspace):
            _compare_source(workspace, source, found, stop)
            log.debug("Verify: source %s compared, %d differences so far.", source, found.findings)


# ── The store itself ──────────────────────────────────────────────────────────────────────────────────


def _compare_points(
    workspace: Workspace, collection: Collection, found: Verification, stop: threading.Event
) -> None:
    """Examine the collection in itself, and compare its points. All points are read once for both, unless a
    part of them or their vectors are compared."""
    with closing(Comparison(workspace, collection, found, stop)) as comparison:
        at_once = found.sample == (1, 1) and not found.deep
        if not _examine(workspace, collection, found, stop, comparison.take if at_once else None):
            found.points = 0
            return
        if not at_once:
            for page in pages(workspace, collection, found):
                comparison.take(page)
        comparison.finish()


def _examine(
    workspace: Workspace,
    collection: Collection,
    found: Verification,
    stop: threading.Event,
    each: Each | None,
) -> bool:
    """Examine the collection in itself; whether it can be read."""
    store, name = workspace.store, collection.name
    with suppress(StoreDamaged):  # A damaged mark; `faults` reports it.
        workspace.check_instance(collection)
    writing = workspace.ledger.writers()
    try:
        faults = store.faults(name, stop, each)
    except StoreDamaged as error:
        found.missing.append(Difference(str(error)))
        found.rebuild = True
        found.deadly = error.deadly
        return False
    go_on(stop)
    # On a server others write while its points are counted.
    if not (store.kind == "qdrant" and (writing or workspace.ledger.writers())):
        found.altered += [Difference(fault) for fault in faults]
        found.rebuild = bool(faults)
    return True


# ── The ledger itself ─────────────────────────────────────────────────────────────────────────────────


def configured(workspace: Workspace) -> list[Collection]:
    """The rows that the configured model would give a collection, one for each precision."""
    from index.embed.embedder import PRECISIONS, fingerprint

    model = workspace.identity
    return [
        Collection("", fingerprint(model, dtype), model.model, model.revision, dtype, model.dimension, "")
        for dtype in PRECISIONS
    ]


def _compare_pending(workspace: Workspace, collection: Collection, found: Verification) -> None:
    """Changes that were announced and not ended."""
    ledger = workspace.ledger
    before = _pending(workspace, collection)
    writing = {writer.source for writer in ledger.writers()}
    ordered = ledger.erasures.ordered()
    for left in judge_pending(before, _pending(workspace, collection), writing):
        # What is left of a document of an open order is the order's concern.
        if left.document_id not in ordered:
            document = left.document or ledger.documents.get(left.document_id or "")
            named(found, left.defect, left.point_id, left.document_id, document)


def _pending(workspace: Workspace, collection: Collection) -> Announced:
    ledger, name = workspace.ledger, collection.name
    intents = {(run, i.document.document_id): i.document for run, _, i in ledger.points.intents()}
    return Announced(intents, ledger.log.pending(name), set(ledger.points.removals(name)))


def _compare_rows(
    workspace: Workspace, collection: Collection | None, found: Verification, stop: threading.Event
) -> None:
    """Check each live document's row against itself and the ledger's other rows of the document."""
    ledger = workspace.ledger
    settled = {source.id: _settled_source(workspace, source.id) for source in workspace.config.sources}
    miscounted = set(ledger.chunks.miscounted(collection.name if collection else ""))
    misfiled = set(ledger.documents.misfiled())
    suspects: list[tuple[Defect, Document]] = []
    for page in batched(ledger.documents.find(), workspace.sizes.page_points):
        go_on(stop)
        reviews = ledger.reviews.of([document.document_id for document in page])
        held = ledger.holds.once_held([d.document_id for d in page if d.state is State.HELD])
        for document in page:
            name = document.document_id
            defect = judge_row(
                document,
                reviews.get(name, []),
                once_held=name in held,
                counted=name not in miscounted,
                filed=name not in misfiled,
            ) or judge_rules(document, _under_rules(workspace, document, settled.get(document.source)))
            if defect is not None:
                suspects.append((defect, document))
    # A present writer may follow rules that have just changed.
    writing = {writer.source for writer in ledger.writers()} if suspects else set()
    for defect, document in suspects:
        if document.source not in writing:
            named(found, defect, None, document.document_id, document)


def _settled_source(workspace: Workspace, source: str) -> Source | None:
    """The source; None while the rules in force are not those of the last sync: then the plan has the
    changes."""
    here, record = source_of(workspace, source), workspace.ledger.sources.get(source)
    current = rules_fingerprint(here)
    return here if record is not None and record.rules_fingerprint == current else None


def _under_rules(workspace: Workspace, document: Document, here: Source | None) -> Document | None:
    """The row under the rules in force; None when its uri is none that the source can have."""
    unread = not document.version and not document.url
    if here is None or unread or document.reason.startswith(WITHHELD):
        # What is withheld may be what the rules say.
        return document
    try:
        now = linked(document, here.rules, workspace.connector(document.source))
    except ValueError:
        return None
    # A date that lay in the future may have come since: compute the row at its own time.
    return governed(now, here.rules, document.date_used or workspace.now()) if document.version else now


# ── Source and ledger ─────────────────────────────────────────────────────────────────────────────────

SAYS = {
    Action.ADD: "the source has it, the index does not",
    Action.UPDATE: "its content at the source has changed",
    Action.MOVE: "it was renamed or moved at the source",
    Action.DELETE: "the source no longer has it",
    Action.REFUSE: "the source no longer has it, and its removal is refused",
    Action.HOLD: "the source no longer has it, and a hold keeps it",
    Action.EXPIRE: "its retention has ended",
    Action.TOUCH: "its metadata has changed",
}
#: Those of items with these causes.
BECAUSE = {
    (Action.UPDATE, Cause.EXTRACTION): "the way it is parsed or chunked has changed",
    (Action.UPDATE, Cause.RETENTION): "its retention has not ended any more",
    (Action.REFUSE, Cause.RETENTION): "its retention has ended, and its removal is refused",
}


def said(item: Item) -> str:
    """The difference that a plan's item is, in words; "" when it is none."""
    return BECAUSE.get((item.action, item.cause), SAYS.get(item.action, ""))


def _compare_source(workspace: Workspace, source: str, found: Verification, stop: threading.Event) -> None:
    seen = survey(workspace, source, checksum=found.deep, stop=stop)
    go_on(stop)
    if seen.plan.error is not None:
        found.errors.append(seen.plan.error)
    for item in seen.plan.items:
        if what := said(item):
            found.outdated.append(Difference(what, None, item.document_id, source, item.uri or None))
    unseen = [Difference(SAYS[Action.ADD], None, None, source, entry.uri) for entry in seen.unsupported]
    gone = [Difference(SAYS[Action.DELETE], None, row.document_id, source, row.uri) for row in seen.forgotten]
    found.outdated += unseen + gone
    # A file without a token was too recent to be trusted when it was read; a token now is no difference.
    for document in workspace.ledger.documents.find(
        document_ids=[document.document_id for document in seen.settled]
    ):
        if document.token is not None:
            named(
                found,
                Defect("outdated", "its change token differs, with the same content"),
                None,
                document.document_id,
                document,
            )
