"""Whether a collection is sound in itself: it can be read, and its indexes agree with its points.

A search does not read payloads: it uses the engine's indexes, which lie in files of their own. So for each
value of each field that filters use, the points that a filter finds are counted, and compared with the points
whose payload has that value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from index.batched import batched
from index.freshness.owners import fold
from index.model import Point, Sparse
from index.store.base import Each, Filter, Session, VectorStore

#: Points that are read while the store is held once: about a megabyte.
PAGE = 500
#: Documents of one query.
DOCUMENTS = 500
#: Instants that are checked, spread over all.
INSTANTS = 64
#: Points of the largest collection that one search is made to list whole.
REACHED = 200_000


class _Filtered(NamedTuple):
    """The fields of a payload that filters use. All points of a document have the same."""

    source: str | None
    document: str | None
    owners: tuple[str, ...]
    """As filters compare them: each once."""
    warn_at: str | None


@dataclass(slots=True)
class Payloads:
    """Counts of points by the fields of their payloads that filters use."""

    points: int = 0
    alike: Counter[_Filtered] = field(default_factory=Counter)
    worded: int = 0
    """Number of points that have words."""
    words: set[int] = field(default_factory=set)

    def add(self, points: Iterable[Point]) -> None:
        for point in points:
            self.points += 1
            if point.sparse is not None and point.sparse.indices:
                self.worded += 1
                self.words.update(point.sparse.indices)
            self.alike[_filtered(point.payload)] += 1

    def expected(self) -> Iterator[tuple[str, Filter, int]]:
        """(what it filters by, conditions, how many points meet them)."""
        sources, owners, documents = Counter[str](), Counter[str](), Counter[str]()
        dates = Counter[datetime]()
        for fields, count in self.alike.items():
            for name, counter in ((fields.source, sources), (fields.document, documents)):
                if name is not None:
                    counter[name] += count
            for owner in fields.owners:
                owners[owner] += count
            if fields.warn_at is not None:
                with suppress(ValueError):
                    dates[datetime.fromisoformat(fields.warn_at)] += count
        yield "nothing", Filter(), self.points
        for source, count in sources.items():
            yield "source", Filter(sources=(source,)), count
        for owner, count in owners.items():
            yield "owner", Filter(owner=owner), count
        for some in batched(sorted(documents), DOCUMENTS):
            yield "document", Filter(document_ids=tuple(some)), sum(documents[one] for one in some)
        instants, later = sorted(dates), dates.total()
        step = max(1, len(instants) // INSTANTS)
        for number, instant in enumerate(instants):
            later -= dates[instant]
            if number % step == 0 or number == len(instants) - 1:
                yield "freshness", Filter(fresh_at=instant), later


def _filtered(payload: Mapping[str, Any]) -> _Filtered:
    metadata: Any = payload.get("metadata")
    if not isinstance(metadata, dict):
        return _Filtered(None, None, (), None)
    source, document, warn_at = metadata.get("source"), metadata.get("document_id"), metadata.get("warn_at")
    owner, owners = metadata.get("owner"), metadata.get("owners")
    names = [owner, *owners] if isinstance(owners, list) else [owner]
    return _Filtered(
        source if isinstance(source, str) else None,
        document if isinstance(document, str) else None,
        _compared(tuple([name for name in names if isinstance(name, str)])),
        warn_at if isinstance(warn_at, str) and warn_at.endswith("Z") else None,
    )


@lru_cache(maxsize=1000)
def _compared(owners: tuple[str, ...]) -> tuple[str, ...]:
    """Those that a filter takes: as it compares them, or as a point without `owners` has its own written."""
    return tuple(sorted({owner for owner in owners if owner == fold(owner)}))


def faults(
    store: VectorStore,
    collection: str,
    step: Callable[[], bool] = lambda: False,
    each: Each | None = None,
) -> list[str]:
    """Faults of searches and filters, in words; [] when there are none. `step` is called before each call of
    the store: True gives up, with []. `each` is called between two sessions.

    Others may write in between: a suspected fault is checked again in one session. Raises StoreDamaged when
    the collection cannot be read.
    """
    payloads = Payloads()
    first: str | None = None
    while not step():
        with store.session(collection) as session:
            points = session.indexed(page=PAGE + 1, first=first, whole=each is not None)
            page = list(islice(points, PAGE + 1))
        payloads.add(page[:PAGE])
        if each is not None:
            each([Point(point.id, point.payload) for point in page[:PAGE]])
        if len(page) <= PAGE:
            break
        first = page[PAGE].id
    with store.session(collection) as session:
        if not _wrong(session, payloads, step):
            return []
        payloads, rest = Payloads(), session.indexed()
        while not step() and (page := list(islice(rest, PAGE))):
            payloads.add(page)
        return _wrong(session, payloads, step)


def _wrong(session: Session, payloads: Payloads, step: Callable[[], bool]) -> list[str]:
    found: dict[str, str] = {}
    for what, where, expected in payloads.expected():
        if step():
            return []
        counted = session.count(where)
        if counted != expected:
            found.setdefault(
                what, f"a filter by {what} finds {counted:,} points where {expected:,} payloads say so"
            )
    if payloads.points <= REACHED and not step():
        words = sorted(payloads.words)
        reached = session.reached(Sparse(words, [1.0] * len(words))) if words else 0
        if reached != payloads.worded:
            found["words"] = (
                f"a search by words reaches {reached:,} of {payloads.worded:,} points that have any"
            )
    vector = next((p.dense for p in islice(session.scroll(vectors=True, page=10), PAGE) if p.dense), None)
    if vector is not None and not step():
        if not session.search(mode="dense", dense=vector, sparse=None, limit=1, where=Filter()):
            found["vector"] = "a search by a vector finds nothing"
        elif misplaced := session.misplaced(vector, REACHED):
            found["vector"] = f"a search by a vector does not rank {misplaced:,} points by their own vectors"
    return list(found.values())
