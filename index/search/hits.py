"""Hits of a search: chunks to cite and to judge by their age."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from index.audit.fields import whole_days
from index.freshness.assess import Assessment
from index.model import rfc3339
from index.payload import Passage
from index.records import Document
from index.store.base import Hit


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
    uri: str
    url: str
    """The link that a person opens."""
    document_id: str
    source: str
    owner: str
    modified_at: str | None
    reviewed_at: str | None
    age_days: int | None
    verdict: str
    relevance: float
    chunk_index: int
    """Number in its document, from 0; -1 when it is not known."""
    chunk_count: int
    """Owners of its document."""
    point_id: str
    content_type: str
    language: str | None
    date_used: str | None
    """Reason of the verdict."""
    duplicates: tuple[Place, ...] = ()
    """Other places of the same text."""

    def json(self) -> dict[str, Any]:
        places = [place._asdict() for place in self.duplicates]
        return asdict(self) | {"heading_path": list(self.heading_path), "duplicates": places}


def search_hit(hit: Hit, passage: Passage, document: Document, verdict: Assessment) -> SearchHit:
    return SearchHit(
        score=hit.score,
        text=passage.text,
        title=document.title,
        heading_path=passage.heading_path,
        page=passage.page,
        uri=document.uri,
        url=document.url,
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
    )


def folded(hits: Iterable[SearchHit]) -> list[SearchHit]:
    """Hits of one text, white space apart, merged into the best of them, which names the places of the
    others."""
    by_text: dict[str, list[SearchHit]] = {}
    for hit in hits:
        by_text.setdefault(" ".join(hit.text.split()), []).append(hit)
    return [replace(best, duplicates=_elsewhere(best, others)) for best, *others in by_text.values()]


def _elsewhere(best: SearchHit, others: Iterable[SearchHit]) -> tuple[Place, ...]:
    own = Place(best.source, best.uri)
    places = dict.fromkeys(Place(other.source, other.uri) for other in others)
    return tuple(place for place in places if place != own)
