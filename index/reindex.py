"""Build the index anew for another model, beside the one in use, and switch.

The texts come from the old collection, so that no source has to be reachable, and documents that can no
longer be read keep their texts. The old collection is searched until the switch. No row of a sound document
changes, so an interrupted reindex leaves nothing to mend. Chunks were cut for the old model's tokens: where
the new one counts others, the extraction fingerprints differ, and the next sync extracts every document
again, keeping each vector whose text stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain

from index.batched import batched
from index.chunk.chunker import compose, headers
from index.errors import Refused
from index.ledger import Ledger, LogAction
from index.model import Action, Chunk, Point, State
from index.outcome import RunReport
from index.payload import Passage
from index.proof import proven
from index.records import ChunkRecord, Document
from index.run import Run
from index.sync.apply import apply
from index.sync.collection import create, drop, entry, retire
from index.sync.recover import recover
from index.sync.source import known_sources
from index.sync.sync import recorded
from index.sync.target import Target, target_of
from index.sync.work import NewVersion
from index.workspace import Workspace

COMMAND = "freshkb reindex"

#: Ids of points to the existing points, without vectors.
Read = Callable[[Sequence[str]], Mapping[str, Point]]


def reindex(workspace: Workspace, run: Run) -> RunReport:
    """Build, switch, drop. Interrupted, it leaves the old index in use; started again, it begins anew.

    Raises Refused when the configured model is the one in use, or when a text was lost that no source gives;
    Locked when a source is being written.
    """
    ledger = workspace.ledger
    report = RunReport(run.run_id)
    with recorded(run, report), ExitStack() as locks:
        old = ledger.collections.current()
        if old is None:
            raise Refused(
                "There is no index yet, so there is nothing to build anew. Make one with: freshkb sync"
            )
        sources = known_sources(workspace)
        for source in sources:
            locks.enter_context(ledger.writer(source, COMMAND))
        workspace.check_instance(old)
        for source in ledger.documents.counts():
            recover(target_of(run, old), source, run.run_id)
        locks.enter_context(ledger.builder(COMMAND, sources))
        for left in ledger.collections.all():
            if ledger.writes.give_up_collection(left.name):
                drop(workspace, left, run.run_id)
        read = reader(workspace, old.name)
        _check(workspace, old.name, read)
        new = create(workspace, "building", run.run_id)
        words = old.sparse_fingerprint or new.sparse_fingerprint
        if (new.embedding_fingerprint, new.sparse_fingerprint) == (old.embedding_fingerprint, words):
            drop(workspace, new, run.run_id)
            raise Refused(
                f"The index already uses {old.model} ({old.dtype}); there is nothing to build anew."
            )
        if fill(run, target_of(run, new), old.name, read) is None:
            report.interrupted = True
            return report
        switched = entry(workspace, LogAction.COLLECTION_SWITCHED, new.name, run.run_id)
        ledger.writes.switch_collection(new.name, [switched])
        retire(workspace, run.run_id)
    return report


def fill(run: Run, target: Target, former: str, read: Read) -> list[str] | None:
    """Write every document that has text into the collection of `target`, with the chunks that payloads of
    the `former` collection prove.

    Returns the ids of documents to be read from their source again: chunks are missing, or were embedded with
    more than their own text. None when the run was stopped before the end.
    """
    ledger = target.ledger
    inexact: list[str] = []
    run.begins("reindex", sum(sum(states.values()) for states in ledger.documents.counts().values()))
    for batch in batched(ledger.documents.find(), run.workspace.sizes.batch_documents):
        texts = _texts(ledger, former, [document for document in batch if document.version], read)
        # The texts are whole: nothing has to be read again.
        done = apply(target, run.run_id, [text for text, _ in texts], lambda _: [])
        run.advances(len(batch), done)
        inexact += [text.document.document_id for text, exact in texts if not exact]
        if run.stop.is_set():
            return None
    return inexact


def reader(workspace: Workspace, collection: str) -> Read:
    """A function that reads points of this collection."""

    def read(ids: Sequence[str]) -> Mapping[str, Point]:
        with workspace.store.session(collection) as session:
            return session.retrieve(ids, vectors=False) if ids else {}

    return read


def _check(workspace: Workspace, former: str, read: Read) -> None:
    """Raises Refused when a text would be left behind that no source gives."""
    ledger, states = workspace.ledger, [State.HELD, State.QUARANTINED]
    unreadable = (d for d in ledger.documents.find(states=states) if d.version)
    for batch in batched(unreadable, workspace.sizes.batch_documents):
        for text, _ in _texts(ledger, former, batch, read):
            document = text.document
            if len(text.chunks) < document.chunk_count:
                raise Refused(
                    f"The index has lost text of {document.source}:{document.uri}, and no source can give it "
                    "again. Save what is left of it first, with: freshkb verify --repair"
                )


def _texts(
    ledger: Ledger, former: str, documents: Sequence[Document], read: Read
) -> list[tuple[NewVersion, bool]]:
    """The documents with the chunks that the former collection proves, each with whether that is all of it:
    every chunk is there, and would be embedded as it was."""
    records = ledger.chunks.of(former, [document.document_id for document in documents])
    points = read([record.point_id for own in records.values() for record in own])
    texts = []
    for document in documents:
        found: dict[int, tuple[Passage, ChunkRecord]] = {}
        for record in records[document.document_id]:
            passage = proven(record, points.get(record.point_id), document)
            if passage is not None:
                found[passage.chunk_index] = passage, record
        in_order = [found[index] for index in sorted(found)]
        chunks = tuple(_chunks(document.title, in_order))
        exact = all(c.embedded_hash == r.embedded_hash for c, (_, r) in zip(chunks, in_order, strict=True))
        if len(found) < document.chunk_count:
            # The former collection has a part only: the source has the whole.
            document = replace(document, seen_extraction="", extraction_fingerprint="")
            exact = False
        texts.append((NewVersion(Action.REINDEX, document, chunks), exact))
    return texts


def _chunks(title: str, passages: Sequence[tuple[Passage, ChunkRecord]]) -> Iterator[Chunk]:
    """Chunks in order, embedded as they were where their hashes tell: the header row of a table that a chunk
    continues stands in the chunk before, or was that chunk's own."""
    header = before = ""
    for passage, record in passages:
        for tried in chain(["", header], headers(before)):
            chunk = _chunk(title, passage, record.tokens, tried)
            if chunk.embedded_hash == record.embedded_hash:
                header = tried or header
                break
        else:
            chunk = _chunk(title, passage, record.tokens, "")
        yield chunk
        before = passage.text


def _chunk(title: str, passage: Passage, tokens: int, header: str) -> Chunk:
    return Chunk(
        text=passage.text,
        embedded_text=compose(title, passage.heading_path, passage.text, header),
        heading_path=passage.heading_path,
        page=passage.page,
        tokens=tokens,
    )
