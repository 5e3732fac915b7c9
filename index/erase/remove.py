"""Points and rows of an order are deleted, under the writer locks of their sources."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from index.erase import traces as tracing
from index.erase.phrases import KeyedPhrases
from index.erase.traces import Traces
from index.errors import Locked, StoreDamaged
from index.ledger import LogAction, Order, OrderKind
from index.model import State
from index.payload import metadata
from index.purge import apart
from index.records import Collection as StoreCollection
from index.records import Document
from index.run import Run
from index.search.find import find
from index.search.reader import Reader
from index.store.base import Filter
from index.sync.apply import apply
from index.sync.apply import remove as remove_points
from index.sync.collection import retire
from index.sync.recover import recover
from index.sync.source import known_sources
from index.sync.target import target_of
from index.sync.work import Removal
from index.workspace import Workspace

COMMAND = "freshkb erase"

#: The name of the lock that lets one process at a time carry out orders; no source has it.
ORDERS = ":orders"
#: How long an order waits for a source that another process writes, and how often it asks.
PATIENCE_SECONDS = 30.0
_ASK_SECONDS = 0.2

#: Changes after which a document may hold a phrase that it did not hold before.
_WRITTEN = (LogAction.ADDED, LogAction.UPDATED, LogAction.INDEXED, LogAction.RESTORED, LogAction.QUARANTINED)


def remove(run: Run, order: Order, since: int | None) -> tuple[list[str], Traces | None]:
    """Delete points and rows. Returns sentences on what stays, and the traces; None where they are lost."""
    workspace, ledger = run.workspace, run.workspace.ledger
    current, kept = workspace.readable(), list[str]()
    with ExitStack() as locks:
        if order.kind is OrderKind.PHRASE:
            kept += _with_phrase(run, order, since)
        locked: set[str] = set()
        while more := sorted(_sources(workspace, order) - locked):
            for source in more:
                locks.enter_context(writer(run, source))
                if current is not None:
                    recover(target_of(run, current), source, run.run_id)
            locked.update(more)
            # A run in flight may have written the same bytes elsewhere, before it ended.
            kept += _joined(workspace, order, ledger.erasures.documents(order.order_id))
        if current is not None:
            retire(workspace, run.run_id)
        ids = ledger.erasures.documents(order.order_id)
        found = list(ledger.documents.find(document_ids=ids, states=[State.ERASED]))
        traces = _traces(workspace, order, current, found)
        if current is not None and ids:
            _delete(run, current, found)
            _delete_unknown(workspace, current, ids)
            _read_back(workspace, current, ids, traces)
        ledger.erasures.reduce(order.order_id, traces.naming() if traces else None)
    return list(dict.fromkeys(kept)), traces


def _sources(workspace: Workspace, order: Order) -> set[str]:
    """The sources of the order's documents, and of changes under way that it forbids."""
    ids = set(workspace.ledger.erasures.documents(order.order_id))
    found = workspace.ledger.documents.find(document_ids=ids, states=[State.ERASED])
    flying = [intent.document for _, _, intent in workspace.ledger.points.intents()]
    barred = workspace.ledger.tombstones.barred(flying)
    return {d.source for d in found} | {d.source for d in flying if d.document_id in barred}


@contextmanager
def writer(run: Run, source: str) -> Iterator[None]:
    """The writer lock of a source, waited for. Raises Locked when it is not free in time."""
    until = time.monotonic() + PATIENCE_SECONDS
    with ExitStack() as lock:
        while True:
            try:
                lock.enter_context(run.workspace.ledger.writer(source, COMMAND))
                break
            except Locked as error:
                if time.monotonic() > until or run.stop.wait(_ASK_SECONDS):
                    said = str(error).partition("; nothing was done.")[0]
                    raise Locked(
                        f"{said}. The order is in force: its documents are out of search, and nothing of "
                        "them is written. It is carried out by the next erase, purge or sync."
                    ) from error
        yield


def _joined(workspace: Workspace, order: Order, document_ids: Collection[str]) -> list[str]:
    """Put documents under the order, as far as no hold keeps them. Returns sentences on those that stay."""
    _, stay = workspace.ledger.erasures.join(order.order_id, document_ids)
    if not stay:
        return []
    count = "A document" if len(stay) == 1 else f"{len(stay):,} documents"
    return [f"{count} with the same content, which a legal hold keeps."]


def _with_phrase(run: Run, order: Order, since: int | None) -> list[str]:
    """Wait for runs that may have read a text before its phrase was suppressed, and put what they wrote under
    the order."""
    workspace, ledger = run.workspace, run.workspace.ledger
    for source in known_sources(workspace):
        with writer(run, source):
            pass
    written = None if since is None else ledger.log.subjects_since(since, _WRITTEN)
    if written == set():
        return []
    found = find(Reader(workspace), KeyedPhrases.of(workspace, order), document_ids=written)
    kept: list[str] = []
    for one in list(found):
        kept += _joined(workspace, order, [one.document.document_id])
    return kept


def _traces(
    workspace: Workspace, order: Order, current: StoreCollection | None, found: Sequence[Document]
) -> Traces | None:
    """The traces of the order with their control: kept ones, or those of what is still there."""
    kept = tracing.kept(workspace, order.order_id, order.trace_key) if order.trace_key else None
    if kept is not None or not found:
        return kept
    with apart.scanner() as scan:
        traces = tracing.gather(workspace, current, found)
        held = tracing.search(workspace, traces, scan)
    traces.control = tracing.counted(held)
    tracing.keep(workspace, order.order_id, traces)
    return traces


def _delete(run: Run, current: StoreCollection, found: Sequence[Document]) -> None:
    now = run.workspace.now()
    gone = [Removal(replace(d, state=State.ERASED, deleted_at=now, chunk_count=0, reason="")) for d in found]
    apply(target_of(run, current), run.run_id, gone, lambda _: [])


def _delete_unknown(workspace: Workspace, current: StoreCollection, ids: Sequence[str]) -> None:
    """Delete the points of these documents that no row names: rows may be lost, as in a damaged ledger. An
    attempt that was cut short after the rows went has left none."""
    wanted = set(ids)
    with workspace.store.session(current.name) as session:
        if not session.count(Filter(document_ids=tuple(ids))):
            return
        named = ((point.id, metadata(point.payload).get("document_id")) for point in session.indexed())
        left = {point: document for point, document in named if document in wanted}
        remove_points(session, list(left))
    workspace.ledger.writes.record_absent(current.name, left, workspace.now())


def _read_back(
    workspace: Workspace, current: StoreCollection, ids: Sequence[str], traces: Traces | None
) -> None:
    """Ask the store in two other ways than by the ids of points. Raises StoreDamaged."""
    gone = set(workspace.ledger.erasures.unpurged(ids))
    with workspace.store.session(current.name) as session:
        left = session.count(Filter(document_ids=tuple(ids)))
        for vector in traces.queries if traces else ():
            hits = session.search(mode="dense", dense=vector, sparse=None, limit=5, where=Filter())
            left += sum(hit.point.id in gone for hit in hits)
    if left:
        raise StoreDamaged(
            f"The store still finds {left} points of erased documents by their document or by their vectors. "
            "Mend it with: freshkb verify --repair"
        )
