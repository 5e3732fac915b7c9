"""What the checks of the audit see: documents, sources, and the passages of their texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from index.freshness.assess import Assessment
from index.freshness.finding import Finding
from index.freshness.governance import Governance
from index.records import Answer, AnswerKind, Document, Extract, Review, SourceRecord


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk of a document, in the order in which its text has it."""

    document_id: str
    chunk_index: int
    text: str
    heading_path: tuple[str, ...] = ()
    page: int | None = None
    dense: Sequence[float] | None = None
    """Its vector, of length 1; None where it is not asked for."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A live document with what is known of it."""

    document: Document
    governance: Governance
    assessment: Assessment
    reviews: Sequence[Review] = ()
    """Oldest first; the last one counts."""
    extract: Extract | None = None
    """None of a document that was indexed before there were any, or that has no text."""
    answers: Mapping[AnswerKind, Answer] = field(default_factory=dict)
    """Standing answers of its owners."""
    configured: bool = True
    """Whether the configuration has its source."""

    @property
    def review(self) -> Review | None:
        return self.reviews[-1] if self.reviews else None

    def finding(
        self,
        code: str,
        evidence: str,
        *,
        key: str = "",
        line: int | None = None,
        related: tuple[str, ...] = (),
        remedy: str = "",
    ) -> Finding:
        """A finding on it, for its owner."""
        document = self.document
        owner = self.governance.owner
        where = (document.source, document.uri, document.document_id)
        return Finding(code, *where, owner, evidence, line, key, related, remedy)


@dataclass(frozen=True, slots=True)
class SourceState:
    """A configured source with what is known of it."""

    source: str
    owner: str = ""
    """The source's own; "" when it has none."""
    record: SourceRecord | None = None
    """None before its first complete listing."""
    checked_out_at: datetime | None = None
    """When version control last wrote its work tree; None where there is none."""

    def finding(self, code: str, evidence: str, *, uri: str | None = None, remedy: str = "") -> Finding:
        """A finding on it as a whole, or on a folder of it."""
        return Finding(code, self.source, uri, None, self.owner, evidence, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Base:
    """A knowledge base at one moment."""

    now: datetime
    subjects: Sequence[Subject] = ()
    sources: Sequence[SourceState] = ()
    passages: Callable[[], Iterable[Passage]] = tuple
    """The passages of all live documents, with their vectors; each document's together and in order. Each
    call reads the store."""
    max_lag: timedelta | None = None
    """Time after which a source that was not brought up to date is a finding; None: never."""
    verified: Mapping[str, int] | None = None
    """Differences by kind that the last verify found; None when there was none yet."""
    why_nobody: Callable[[str], str] = lambda owner: ""
    """Why an owner stands for no person that can be told, as a sentence; "" when it stands for one, and when
    no directory of owners says."""
    by_id: Mapping[str, Subject] = field(default_factory=dict)


def base(
    now: datetime,
    subjects: Sequence[Subject] = (),
    sources: Sequence[SourceState] = (),
    passages: Callable[[], Iterable[Passage]] = tuple,
    max_lag: timedelta | None = None,
    verified: Mapping[str, int] | None = None,
    why_nobody: Callable[[str], str] = lambda owner: "",
) -> Base:
    """A base with its documents by id."""
    known = {subject.document.document_id: subject for subject in subjects}
    return Base(now, subjects, sources, passages, max_lag, verified, why_nobody, known)
