"""What the checks of the audit see: documents, sources, and the passages of their texts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from index.freshness.assess import Assessment
from index.freshness.finding import Finding
from index.freshness.governance import Governance
from index.records import Answer, AnswerKind, Document, Extract, Review, SourceRecord

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk of a document."""

    document_id: str
    chunk_index: int
    text: str
    heading_path: tuple[str, ...] = ()
    page: int | None = None

    @property
    def body(self) -> str:
        """Its text without the heading that it begins with."""
        heading = self.heading_path[-1] if self.heading_path else ""
        return self.text.removeprefix(heading)


@dataclass(frozen=True, slots=True)
class Passages:
    """The passages of all documents that a search shows, each document's together and in order."""

    all: Sequence[Passage] = ()
    vectors: np.ndarray | None = None
    """float32 [passages, dimension]: the vector of each, of length 1 or, where the store has lost it, 0. None
    where there are no passages."""

    def documents(self) -> list[int]:
        """The number of the document of each, from 0."""
        numbers: dict[str, int] = {}
        return [numbers.setdefault(passage.document_id, len(numbers)) for passage in self.all]

    def titles(self) -> dict[str, str]:
        """The first heading of each document by id; "" where it has none."""
        found: dict[str, str] = {}
        for passage in self.all:
            found.setdefault(passage.document_id, passage.heading_path[0] if passage.heading_path else "")
        return found


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

    @property
    def dated(self) -> datetime | None:
        """When its text was right: the date that its verdict uses, else its modification."""
        return self.assessment.date_used or self.document.modified_at

    @property
    def name(self) -> str:
        """Its title, place, and date, for a sentence about another document."""
        document = self.document
        about = [f"{document.source} / {document.uri}"] if document.title else []
        about += [f"{self.dated:%Y-%m-%d}"] if self.dated else []
        name = f"“{document.title}”" if document.title else f"{document.source} / {document.uri}"
        return f"{name} ({', '.join(about)})" if about else name

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
    template: str = ""
    """Template of the links to its documents; "" when it has none."""
    hides: Callable[[str], bool] = lambda _: False
    """Whether something may be at a path of it, or is, although its listing does not show it."""

    def finding(
        self, code: str, evidence: str, *, uri: str | None = None, key: str = "", remedy: str = ""
    ) -> Finding:
        """A finding on it as a whole, or on a folder of it, for its owner."""
        return Finding(code, self.source, uri, None, self.owner, evidence, key=key, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Base:
    """A knowledge base at one moment."""

    now: datetime
    subjects: Sequence[Subject] = ()
    sources: Sequence[SourceState] = ()
    passages: Callable[[], Passages] = Passages
    """The passages, read from the store when a check asks for them first."""
    max_lag: timedelta | None = None
    """Time after which a source that was not brought up to date is a finding; None: never."""
    verified: Mapping[str, int] | None = None
    """Differences by kind that the last verify found; None when there was none yet."""
    why_nobody: Callable[[str], str] = lambda owner: ""
    """Why an owner stands for no person that can be told, as a sentence; "" when it stands for one, and when
    no directory of owners says."""
    by_id: Mapping[str, Subject] = field(default_factory=dict)
    others: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Uris by source of what is there besides the subjects: of a type that cannot be parsed, or expired."""
    moved: Callable[[str, str], str | None] = lambda _source, _uri: None
    """The id of the document that was moved away from a place (source and uri)."""
    texts: Callable[[Collection[str]], Iterable[Passage]] = lambda _: ()
    """The passages of these documents, without vectors. Each call reads the store."""
    gone: Callable[[str], Sequence[str]] = lambda _: ()
    """The days on which checks of an external address have found it gone, one after the other."""


def base(
    now: datetime,
    subjects: Sequence[Subject] = (),
    sources: Sequence[SourceState] = (),
    passages: Callable[[], Passages] = Passages,
    max_lag: timedelta | None = None,
    verified: Mapping[str, int] | None = None,
    why_nobody: Callable[[str], str] = lambda owner: "",
) -> Base:
    """A base with its documents by id."""
    known = {subject.document.document_id: subject for subject in subjects}
    return Base(now, subjects, sources, passages, max_lag, verified, why_nobody, known)
