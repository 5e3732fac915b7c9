"""Every document that contains a phrase: nothing is sampled, ranked or left out.

All rows of the ledger are looked at, those of deleted documents too, and the texts of all chunks. The phrases
and what they find are in no log and in no record.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from index.batched import batched
from index.disk.private import private_file, private_folder
from index.errors import ConfigError, StoreDamaged
from index.ledger import Ledger
from index.model import LIVE, State
from index.phrase import passages, strings
from index.records import Document
from index.search.describe import ChunkDetail, with_chunks
from index.search.reader import Reader

#: Documents whose chunks are read at once.
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Found:
    """A document that contains a phrase."""

    document: Document
    fields: tuple[str, ...]
    """The names of the row's fields that contain one: title, path, owner, properties."""
    passages: tuple[int, ...]
    """The numbers of the chunks that contain one, or a piece of it."""
    chunks: tuple[ChunkDetail, ...]
    """All chunks, in order."""

    def json(self) -> dict[str, Any]:
        document = self.document
        return {
            "document_id": document.document_id,
            "source": document.source,
            "uri": document.uri,
            "passages": len(self.passages),
            "fields": list(self.fields),
            "title": document.title,
            "state": document.state.value,
        }


class Sought(Protocol):
    """What texts are searched for: `index.phrase.Phrases`, or keyed hashes of some."""

    def found(self, text: str) -> bool: ...
    def parts(self, texts: Iterable[str]) -> Collection[int]: ...


def find(
    reader: Reader,
    phrases: Sought,
    *,
    source: str | None = None,
    document_ids: Collection[str] | None = None,
) -> Iterator[Found]:
    """The documents (of a source, or among these) that contain a phrase, in order of source and uri: in the
    text that the index has of them, its headings, or the title, path, owners or properties of their row. What
    is written meanwhile is read as it was before or after.

    Raises StoreDamaged when the text of a chunk cannot be read.
    """
    ledger, states = reader.ledger, [state for state in State if state is not State.ERASED]
    for batch in batched(
        ledger.documents.find(source=source, states=states, document_ids=document_ids), _BATCH
    ):
        read = with_chunks(reader, batch)
        lost = [d for d, chunks in read if any(chunk.passage is None for chunk in chunks)]
        if lost:
            raise StoreDamaged(
                f"The text of {len(lost)} documents cannot be read whole, {lost[0].document_id} first, so it "
                "is not known whether they contain the phrase. See: freshkb verify"
            )
        for document, chunks in read:
            fields = tuple(name for name, text in _fields(document) if phrases.found(text))
            parts = phrases.parts(_parts(chunks))
            if fields or parts:
                passages = tuple(chunks[part].record.chunk_index for part in sorted(parts))
                yield Found(document, fields, passages, chunks)


def unread(ledger: Ledger, source: str | None = None) -> int:
    """How many live documents have no text in the index, so that only their rows are looked at."""
    states = LIVE - {State.INDEXED}
    return sum(not d.version for d in ledger.documents.find(source=source, states=states))


def _fields(document: Document) -> Iterator[tuple[str, str]]:
    yield "title", document.title
    yield "path", "\n".join((unquote(document.uri), unquote(document.url)))
    yield "owner", "\n".join((document.owner, *document.owners))
    yield "properties", "\n".join(strings(document.properties))


def _parts(chunks: Sequence[ChunkDetail]) -> Iterator[str]:
    found = [chunk.passage for chunk in chunks if chunk.passage is not None]
    return passages((passage.heading_path, passage.text) for passage in found)


# ── As files ──────────────────────────────────────────────────────────────────────────────────────────


def export(found: Iterable[Found], folder: Path) -> Iterator[Found]:
    """The same, each written as a file of its text into this folder, which must be new or empty, with a list
    of all in ``documents.json`` at the end.

    Raises ConfigError for a folder that holds anything, OSError when it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is no empty folder, and nothing in it is replaced. Name another one.")
    private_folder(folder)
    listed = []
    for one in found:
        name = f"{one.document.document_id}.md"
        with open(folder / name, "x", encoding="utf-8", opener=private_file) as file:
            file.writelines(_lines(one))
        listed.append(one.json() | {"file": name})
        yield one
    with open(folder / "documents.json", "x", encoding="utf-8", opener=private_file) as file:
        json.dump(listed, file, ensure_ascii=False, indent=2)


def _lines(found: Found) -> Iterator[str]:
    """The document as the index has it: what its row says, then its passages."""
    document = found.document
    said = {
        "title": document.title,
        "source": document.source,
        "uri": document.uri,
        "url": document.url,
        "owner": ", ".join(document.owners or [document.owner]),
        "state": document.state.value,
        "modified": document.modified_at and document.modified_at.isoformat(),
        "indexed": document.indexed_at and document.indexed_at.isoformat(),
        "found in": ", ".join((*found.fields, *(f"passage {number}" for number in found.passages))),
    }
    yield from (f"{name}: {value}\n" for name, value in said.items() if value)
    yield from (f"{name}: {value}\n" for name, value in document.properties.items())
    for chunk in found.chunks:
        assert chunk.passage is not None
        place = " > ".join(chunk.passage.heading_path)
        page = f", page {chunk.record.page}" if chunk.record.page else ""
        yield f"\n---- passage {chunk.record.chunk_index}{page}: {place}\n{chunk.passage.text.rstrip()}\n"
