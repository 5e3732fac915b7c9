"""Hits of a search: chunks to cite and to judge by their age."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from index.audit.fields import whole_days
from index.freshness.assess import Assessment
from index.model import State, rfc3339
from index.payload import Passage
from index.records import Document
from index.store.base import Hit

#: Words by which texts are told apart at a glance.
_START = 6

#: A point that was found, and its passage.
Read = tuple[Hit, Passage]


class Candidate(NamedTuple):
    """A point that may be shown."""

    hit: Hit
    passage: Passage
    documents: Mapping[str, Document]
    """The ledger's row of its document, among those of others, by point."""

    @property
    def document(self) -> Document:
        return self.documents[self.hit.point.id]

    @property
    def place(self) -> Place:
        return Place(self.document.source, self.document.uri)


class Place(NamedTuple):
    """The place of a text."""

    source: str
    uri: str


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A chunk that answers a query. Dates are RFC 3339 in UTC.

    `score` is this search's ranking, and not comparable between searches. `relevance` is comparable, from 0
    to 1: how near in meaning the text is to the query (the cosine of their vectors); in the mode "sparse",
    which needs no model, the share of the query's words that stand in the text. A hybrid search ranks by
    words as well, so that its relevance need not fall from hit to hit.
    """

    score: float
    text: str
    title: str
    heading_path: tuple[str, ...]
    page: int | None
    """From 1; None where its format has no pages."""
    uri: str
    url: str
    """The link that a person opens; of a PDF at the passage's page."""
    document_id: str
    source: str
    owner: str
    """Owners of its document."""
    modified_at: str | None
    reviewed_at: str | None
    age_days: int | None
    verdict: str
    relevance: float
    chunk_index: int
    """Number in its document, from 0; -1 when it is not known."""
    chunk_count: int
    """Chunks of its document."""
    point_id: str
    """Stays the same while its text and its place among its like do."""
    content_type: str
    language: str | None
    date_used: str | None
    """The document's own date by which it is judged, as it is written there."""
    duplicates: tuple[Place, ...] = ()
    """Other places of the same text."""
    findings: tuple[str, ...] = ()
    """Codes of what the last audit found in its document, besides its verdict."""
    held: bool = False
    """Whether its document is gone at its source, and stays because of a hold."""

    def json(self) -> dict[str, Any]:
        places = [place._asdict() for place in self.duplicates]
        lists = {"heading_path": list(self.heading_path), "findings": list(self.findings)}
        return asdict(self) | lists | {"duplicates": places}


def search_hit(
    best: Candidate, copies: Iterable[Candidate], verdict: Assessment, findings: Sequence[str] = ()
) -> SearchHit:
    """The hit of a text that stands in several places, `best` the first of them. `findings` are codes of its
    document."""
    hit, passage, document = best.hit, best.passage, best.document
    places = dict.fromkeys(copy.place for copy in copies)
    return SearchHit(
        score=hit.score,
        text=passage.text,
        title=document.title,
        heading_path=passage.heading_path,
        page=passage.page,
        uri=document.uri,
        url=_at_page(document, passage.page),
        document_id=document.document_id,
        source=document.source,
        owner=document.owner,
        modified_at=rfc3339(document.modified_at),
        reviewed_at=rfc3339(document.reviewed_at),
        age_days=whole_days(verdict.age),
        verdict=str(verdict.verdict),
        # Vectors of one text differ in their last digits from batch to batch.
        relevance=round(hit.relevance, 4),
        chunk_index=passage.chunk_index,
        chunk_count=document.chunk_count,
        point_id=hit.point.id,
        content_type=document.content_type,
        language=document.language,
        date_used=verdict.date_text,
        duplicates=tuple(place for place in places if place != best.place),
        findings=tuple(findings),
        held=document.state is State.HELD,
    )


def _at_page(document: Document, page: int | None) -> str:
    """The document's link, with the page for viewers of PDF: RFC 8118, section 3."""
    whole = page is None or "#" in document.url or document.content_type != "application/pdf"
    return document.url if whole else f"{document.url}#page={page}"


def folded(read: Sequence[Read]) -> list[list[Read]]:
    """Points of one text, white space apart, together, in their order."""
    # Few begin alike: only those are compared whole.
    starts = [tuple(passage.text.split(maxsplit=_START)[:_START]) for _, passage in read]
    alike = Counter(starts)
    by_text: dict[object, list[Read]] = {}
    for (hit, passage), start in zip(read, starts, strict=True):
        text = start if alike[start] == 1 else " ".join(passage.text.split())
        by_text.setdefault(text, []).append((hit, passage))
    return list(by_text.values())
