"""Batches of a plan carried out: prepared by one thread, written by another.

Only the preparing thread reads from a source, so that a connector is used by one thread at a time. While it
fetches, the parser's children read what it has fetched before.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

from index.freshness.properties import with_assigned
from index.model import Action, Item, State
from index.outcome import Counts, Seconds
from index.records import Document
from index.run import Run
from index.sync.apply import apply
from index.sync.expiry import expiring
from index.sync.reading import Reading
from index.sync.recover import recover
from index.sync.screen import screened
from index.sync.source import source_of
from index.sync.target import Target, target_of
from index.sync.work import Removal, RowOnly, Work
from index.workspace import Workspace

log = logging.getLogger("freshkb.batches")

#: Bytes of documents that are fetched and not yet parsed, from where on the first of them is waited for.
FETCHED_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True)
class Prepared:
    """The work of a batch, and the seconds of fetching and parsing."""

    work: Sequence[Work]
    seconds: Seconds


class Batches:
    """The batches of one source that a run has on record. Use it in a `with`.

    While a batch is embedded and written, the one that follows it in `numbers` is fetched, parsed and
    chunked. The model is loaded beside the first document that is parsed, whose text is likely to be new.
    """

    def __init__(self, run: Run, source: str, numbers: Sequence[int] = ()) -> None:
        self._run = run
        self._source = source
        self._following = dict(pairwise(numbers))
        self._ahead: dict[int, Future[Prepared]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prepare")
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._loading: Future[object] | None = None

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        self._loader.shutdown()

    def carry_out(self, number: int, *, again: bool = False) -> Counts:
        """Prepare a batch, unless that was done ahead, and write it. `again`: an earlier attempt may have
        done a part of it. Raises SourceUnavailable, and the errors of `index.sync.apply.apply`."""
        run, ledger = self._run, self._run.workspace.ledger
        target = target_of(run)
        ahead = self._ahead.pop(number, None)
        done: Mapping[str, str] = {}
        if again or ahead is None:
            items = ledger.runs.batch(run.run_id, number)[1]
            if again:
                recover(target, self._source, run.run_id)
                # The earlier attempt's commits are done, and published by now.
                done = ledger.log.actions_of(run.run_id, [item.document_id for item in items])
            ahead = self._submit(target, [item for item in items if item.document_id not in done])
        prepared = ahead.result()
        following = self._following.get(number)
        if following is not None and following not in self._ahead:
            self._ahead[following] = self._submit(target, ledger.runs.batch(run.run_id, following)[1])

        def reread(items: Sequence[Item]) -> Sequence[Work]:
            return self._submit(target, items, finish=True).result().work

        counts = apply(target, run.run_id, prepared.work, reread)
        counts.seconds.add(prepared.seconds)
        counts.documents.update(done.values())
        return counts

    def _submit(self, target: Target, items: Sequence[Item], *, finish: bool = False) -> Future[Prepared]:
        known = known_documents(self._run.workspace, items)

        def load() -> None:
            """While a parser's child starts: load the tokenizer here, and the model beside it."""
            if self._loading is None:
                workspace = self._run.workspace
                # Its failure is that of the first text that has to be embedded.
                # One that was let go is loaded again.
                self._loading = self._loader.submit(lambda: workspace.embedder(target.collection).warm())
                _ = workspace.tokenizer

        return self._thread.submit(
            prepare_items, self._run, self._source, items, known, finish=finish, on_parse=load
        )


def carry_out_items(run: Run, target: Target, source: str, items: Sequence[Item]) -> Counts:
    """Prepare and write items outside of any plan, in the thread of the caller."""

    def prepared(some: Sequence[Item], *, finish: bool) -> Prepared:
        known = known_documents(run.workspace, some)
        return prepare_items(run, source, some, known, finish=finish)

    first = prepared(items, finish=False)
    counts = apply(target, run.run_id, first.work, lambda some: prepared(some, finish=True).work)
    counts.seconds.add(first.seconds)
    return counts


def known_documents(workspace: Workspace, items: Sequence[Item]) -> dict[str, Document]:
    """The ledger's rows of these items by document id, each with its last review and the owner that it was
    assigned to."""
    ids, ledger = [item.document_id for item in items], workspace.ledger
    reviews, owners = ledger.reviews.of(ids), ledger.answers.owners(ids)
    return {
        d.document_id: replace(
            d,
            reviewed_at=own[-1].at if (own := reviews.get(d.document_id)) else None,
            properties=with_assigned(d.properties, owners.get(d.document_id, "")),
        )
        for d in ledger.documents.find(document_ids=ids)
    }


def prepare_items(
    run: Run,
    source: str,
    items: Sequence[Item],
    known: dict[str, Document],
    *,
    finish: bool = False,
    on_parse: Callable[[], None] = lambda: None,
) -> Prepared:
    """Fetch, parse and chunk; `on_parse` is called once a parser has a document. When the run is to stop, the
    other items are left to the next run, unless they `finish` a batch that is being written. Raises
    SourceUnavailable."""
    workspace = run.workspace
    if source not in {s.id for s in workspace.config.sources}:
        return Prepared([_unfetched(item, known[item.document_id], workspace) for item in items], Seconds())
    parts = source_of(workspace, source)
    under_way = _UnderWay(source, lambda: run.stop.is_set() and not finish)
    try:
        for item in items:
            if under_way.stopped():
                break
            made = screened(item, known.get(item.document_id), parts)
            under_way.append(item, made)
            if isinstance(made, Reading):
                on_parse()
            while under_way.bytes > FETCHED_BYTES_MAX:
                under_way.end_first()
        while under_way:
            under_way.end_first()
    finally:
        under_way.drop()
    return Prepared(under_way.work, parts.seconds)


class _UnderWay:
    """Items whose documents may be read by parsers, and the work that the first of them came to, in order."""

    def __init__(self, source: str, stopped: Callable[[], bool]) -> None:
        self.stopped = stopped
        self.work: list[Work] = []
        self._source = source
        self.bytes = 0
        """Of the documents."""
        self._made: deque[tuple[Item, Work | Reading]] = deque()

    def __len__(self) -> int:
        return len(self._made)

    def append(self, item: Item, made: Work | Reading) -> None:
        self._made.append((item, made))
        self.bytes += made.size if isinstance(made, Reading) else 0

    def end_first(self) -> None:
        """Wait for the work of the first item; after a stop, only where its document is read already."""
        item, made = self._made[0]
        if isinstance(made, Reading):
            self.bytes -= made.size
            if self.stopped():
                # All of them at once, or another would be begun while one is waited for.
                for reading in self._readings():
                    reading.elements.cancel()
            if made.elements.cancelled():
                made.drop()
                self._made.popleft()
                return
            made = made.work()
        self._made.popleft()
        self.work.append(made)
        kind = type(made).__name__.lower()
        log.debug("%s: document %s: %s, %s.", self._source, item.document_id, item.action, kind)

    def drop(self) -> None:
        for reading in self._readings():
            reading.drop()

    def _readings(self) -> Iterator[Reading]:
        return (made for _, made in self._made if isinstance(made, Reading))


def _unfetched(item: Item, known: Document, workspace: Workspace) -> Work:
    """The work of a document whose source is no longer configured, and has no connector."""
    if item.action is Action.HOLD:
        return RowOnly(replace(known, state=State.HELD, reason=item.reason))
    if item.action is Action.EXPIRE:
        return expiring(item, known, workspace.now())
    return Removal(replace(known, state=State.DELETED, deleted_at=workspace.now(), chunk_count=0, reason=""))
