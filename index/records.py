"""Records of the ledger, as the rooms hand them to each other. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from index.model import Action, Diagnostic, State


class PlanRow(NamedTuple):
    """The columns of a document that a plan reads; a tuple, because a plan reads millions of them."""

    document_id: str
    uri: str
    token: str | None
    native_id: str | None
    size: int | None
    seen_hash: str | None
    """Content hash of the version last looked at (also when it failed to parse)."""
    seen_extraction: str
    """Extraction fingerprint of that look; "" when its type was not supported."""
    state: str
    held: bool
    """Whether it is under a legal hold."""


class RetainedRow(NamedTuple):
    """The columns of a document by which its retention is judged."""

    document_id: str
    uri: str
    state: State
    modified_at: datetime | None
    properties: Mapping[str, Any]
    held: bool
    """Whether it is under a legal hold."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as the ledger records it. The `seen_*` fields, with token, native_id and size, describe the
    version last looked at; the others describe the version that is in the index."""

    document_id: str
    source: str
    uri: str
    state: State
    reason: str = ""
    token: str | None = None
    native_id: str | None = None
    size: int | None = None
    seen_hash: str | None = None
    seen_extraction: str = ""
    version: int = 0
    """Counts committed versions; 0 before the first, and of an expired document, which has no text."""
    content_hash: str | None = None
    extraction_fingerprint: str = ""
    modified_at: datetime | None = None
    title: str = ""
    url: str = ""
    content_type: str = ""
    language: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    owner: str = ""
    owner_source: str = ""
    """front matter, rule, source, default."""
    owners: Sequence[str] = field(default_factory=list)
    """A list, as read from JSON; `owner` is the first."""
    reviewed_at: datetime | None = None
    """Last attested review."""
    date_used: datetime | None = None
    warn_at: datetime | None = None
    stale_at: datetime | None = None
    chunk_count: int = 0
    first_seen_at: datetime | None = None
    indexed_at: datetime | None = None
    deleted_at: datetime | None = None
    findings: Sequence[Diagnostic] = field(default_factory=list)
    """A list, as read from JSON: findings of its parser."""


@dataclass(frozen=True, slots=True)
class Review:
    """A person's attestation that a document is right."""

    document_id: str
    reviewed_by: str
    note: str
    at: datetime
    content_hash: str | None = None
    """Content hash of the version that was reviewed; None where it is not known."""

    def changed(self, document: Document) -> bool | None:
        """Whether the document changed since; None when that is not known."""
        return None if self.content_hash is None else document.content_hash != self.content_hash


@dataclass(frozen=True, slots=True)
class Extract:
    """What the checks need of a document's present text, so that they need not read it again."""

    document_id: str
    links: Sequence[Sequence[Any]] = ()
    """[target, line or None] of each link, in order; the target as the document writes it."""
    anchors: Sequence[str] = ()
    """`index.freshness.extract.anchor_hash` of each name inside of the document that a link may end in."""
    claims: Sequence[Sequence[str]] = ()
    """[cue, ISO date] of each sentence that says until when it holds."""
    text_hash: str = ""
    """Hash of the text without front matter."""
    text_since: datetime | None = None
    """When this text was first there."""


class AnswerKind(StrEnum):
    SNOOZE = "snooze"
    """The owner will change the document by a date, and is not asked until then."""
    REASSIGN = "reassign"
    """Another owner is asked from now on."""
    RETIRE = "retire"
    """The owner asks for its removal from its source."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an owner said about a document, besides reviews."""

    document_id: str
    kind: AnswerKind
    by: str
    at: datetime
    note: str = ""
    until: datetime | None = None
    """End of a snooze."""
    owner: str = ""
    """The new owner of a reassigned document."""
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """A committed or intended chunk: everything but its text."""

    point_id: str
    document_id: str
    chunk_index: int
    embedded_hash: str
    payload_digest: str
    page: int | None = None
    tokens: int = 0
    vector_digest: str = ""
    """Digest of both vectors as read back from the store; "" before."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A document's next committed state: written durably before the store is touched."""

    action: Action
    document: Document
    chunks: tuple[ChunkRecord, ...] = ()
    extract: Extract | None = None
    """Of a new text. It is not announced: after a crash the text is read again."""


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """The record of a source between runs."""

    source: str
    type: str = "files"
    identity: str = ""
    """The answer of `Connector.probe` when a listing was last accepted as complete."""
    filter_fingerprint: str = ""
    rules_fingerprint: str = ""
    cursor: str | None = None
    listed_at: datetime | None = None
    """Time of the last complete listing."""
    synced_at: datetime | None = None
    """Time of the last run that brought the index up to a complete listing."""
    findings: Sequence[Mapping[str, Any]] = field(default_factory=list)
    """Folders that this listing left out for good: code, uri and reason of each."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection of the store, and the embedding that all its vectors share."""

    name: str
    embedding_fingerprint: str
    model: str
    revision: str
    dtype: str
    dimension: int
    state: str
    """building, current, dropping."""
    created_at: datetime | None = None
    sparse_fingerprint: str = ""
    """Fingerprint of the encoder of its sparse vectors; "" where it was not recorded."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run on record; `index.run.Run` is the running one."""

    run_id: str
    kind: str
    """sync, watch, retention, verify, audit, notify, review, reindex, retry, purge."""
    started_at: datetime
    finished_at: datetime | None = None
    outcome: str = ""
    """done, partial, refused, failed, interrupted; "" while it runs or when it was killed."""
    host: str = ""
    pid: int = 0
    counts: Mapping[str, Any] = field(default_factory=dict)
    """Empty when nothing was begun: such a refused run changed nothing."""
    error: str = ""
    actor: str = ""
    """user@host."""
    progress: Mapping[str, Any] = field(default_factory=dict)
    """Progress: see `index.run`."""
