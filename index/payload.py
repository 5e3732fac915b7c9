"""The payload of a point: the chunk's text, and the metadata to cite and filter by.

The layout is a public format: LangChain reads it as it is, LlamaIndex with ``text_key="page_content"``.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from index.freshness.owners import folded
from index.model import Point, rfc3339
from index.records import Document

#: The fields of a payload that `passage_in` reads.
PASSAGE_FIELDS = ("page_content", "metadata.heading_path", "metadata.page", "metadata.chunk_index")


@dataclass(frozen=True, slots=True)
class Passage:
    """The chunk's own part of a payload, beside its document's."""

    text: str
    heading_path: tuple[str, ...]
    page: int | None
    chunk_index: int


def build(document: Document, passage: Passage) -> dict[str, Any]:
    """The payload of one point of this document."""
    return complete(shared(document), passage)


def shared(document: Document) -> dict[str, Any]:
    """The metadata that all points of the document have alike. `owner` is the first owner as it was written;
    `owners` has all as filters compare them, and is left out where there are none."""
    owners = {"owners": folded(document.owners)} if document.owners else {}
    return {
        "document_id": document.document_id,
        "source": document.source,
        "uri": document.uri,
        "url": document.url,
        "title": document.title,
        "chunk_count": document.chunk_count,
        "language": document.language,
        "content_type": document.content_type,
        "owner": document.owner,
        **owners,
        "modified_at": rfc3339(document.modified_at),
        "reviewed_at": rfc3339(document.reviewed_at),
        "date_used": rfc3339(document.date_used),
        "warn_at": rfc3339(document.warn_at),
        "stale_at": rfc3339(document.stale_at),
        "indexed_at": rfc3339(document.indexed_at),
        "content_hash": document.content_hash,
        "extraction_fingerprint": document.extraction_fingerprint,
    }


def complete(shared: Mapping[str, Any], passage: Passage) -> dict[str, Any]:
    """The payload of one point, from the metadata that it shares with the others of its document."""
    own = {"heading_path": list(passage.heading_path), "page": passage.page}
    return {
        "page_content": passage.text,
        "doc_id": shared["document_id"],
        "metadata": {**shared, **own, "chunk_index": passage.chunk_index},
    }


def passage(payload: Mapping[str, Any]) -> Passage:
    """The chunk's own part of a payload that `build` made.

    Raises KeyError or TypeError when it is not one.
    """
    metadata = payload["metadata"]
    return Passage(
        text=payload["page_content"],
        heading_path=tuple(metadata["heading_path"]),
        page=metadata["page"],
        chunk_index=metadata["chunk_index"],
    )


def passage_in(payload: Mapping[str, Any]) -> Passage | None:
    """The same of a payload of any origin; None when it has no text or no heading path."""
    said, text = metadata(payload), payload.get("page_content")
    path, page, index = said.get("heading_path"), said.get("page"), said.get("chunk_index")
    if not isinstance(text, str) or not isinstance(path, list):
        return None
    if not all(isinstance(heading, str) for heading in path):
        return None
    return Passage(
        text,
        tuple(path),
        page if isinstance(page, int) else None,
        index if isinstance(index, int) else -1,
    )


def metadata(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata of a payload of any origin."""
    found = payload.get("metadata")
    return found if isinstance(found, dict) else {}


def vector_digest(point: Point) -> str:
    """Hash of both vectors, exactly as the store gave them; "" when one is missing."""
    if point.dense is None or point.sparse is None:
        return ""
    numbers = (*point.dense, *point.sparse.indices, *point.sparse.values)
    return hashlib.sha256(struct.pack(f"<{len(numbers)}d", *numbers)).hexdigest()
