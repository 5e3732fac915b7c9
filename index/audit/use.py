"""What readers were shown: how often documents were found, and how many of these hits were fresh.

The *freshness SLO* is the share of fresh hits that a base means to reach; what may be missed in a window is
its budget, and what of it is left says whether it will be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from index.audit.fields import rounded
from index.ledger.usage import Shown

#: Days that are looked at.
WINDOW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Share:
    """Hits, and the fresh ones among them."""

    hits: int = 0
    fresh: int = 0

    @property
    def share(self) -> float | None:
        return self.fresh / self.hits if self.hits else None

    def json(self) -> dict[str, Any]:
        return {"hits": self.hits, "fresh": self.fresh, "share": rounded(self.share)}


@dataclass(frozen=True, slots=True)
class Use:
    """The hits of the last `WINDOW_DAYS` days."""

    target: float
    """Share of fresh hits to be reached."""
    all: Share
    days: tuple[tuple[str, Share], ...]
    """Each day of the window, oldest first."""
    owners: Mapping[str, Share]
    """By the name of the owner that is asked to act; "" for none."""
    sources: Mapping[str, Share]

    @property
    def reached(self) -> bool | None:
        """None when nothing was shown."""
        share = self.all.share
        return None if share is None else share >= self.target

    def burn_down(self) -> list[tuple[str, float]]:
        """For each day the share of the window's budget that was left at its end: 1 at first, below 0 when
        more hits were not fresh than the target allows. [] where nothing was shown."""
        budget = (1 - self.target) * self.all.hits
        if not self.all.hits:
            return []
        left, found = budget, []
        for day, share in self.days:
            left -= share.hits - share.fresh
            found.append((day, left / budget if budget else (0.0 if left >= 0 else -1.0)))
        return found

    def json(self) -> dict[str, Any]:
        return {
            "days": WINDOW_DAYS,
            "target": self.target,
            **self.all.json(),
            "owners": [{"owner": owner, **share.json()} for owner, share in self.owners.items()],
            "sources": [{"source": source, **share.json()} for source, share in self.sources.items()],
            "burn_down": [{"day": day, "left": rounded(left)} for day, left in self.burn_down()],
        }


def first_day(now: datetime) -> date:
    """The first day of the window that ends now."""
    return now.date() - timedelta(days=WINDOW_DAYS - 1)


def use_of(
    shown: Sequence[Shown], documents: Mapping[str, tuple[str, str]], now: datetime, target: float
) -> Use:
    """The use of documents, {id: (owner, source)}, by what was shown in the window. What was shown of other
    documents, which are gone, counts in no owner and no source."""
    of_owner, of_source = _Shares(), _Shares()
    for one in shown:
        if one.document_id in documents:
            owner, source = documents[one.document_id]
            of_owner.add(owner, one)
            of_source.add(source, one)
    of_day = _Shares()
    for one in shown:
        of_day.add(one.day, one)
    first = first_day(now)
    window = [(first + timedelta(days=number)).isoformat() for number in range(WINDOW_DAYS)]
    days = of_day.shares()
    return Use(
        target,
        Share(sum(one.hits for one in shown), sum(one.fresh for one in shown)),
        tuple((day, days.get(day, Share())) for day in window),
        of_owner.shares(),
        of_source.shares(),
    )


def hits_of(shown: Iterable[Shown]) -> Counter[str]:
    """Hits by document."""
    found: Counter[str] = Counter()
    for one in shown:
        found[one.document_id] += one.hits
    return found


class _Shares:
    def __init__(self) -> None:
        self._hits: Counter[str] = Counter()
        self._fresh: Counter[str] = Counter()

    def add(self, name: str, one: Shown) -> None:
        self._hits[name] += one.hits
        self._fresh[name] += one.fresh

    def shares(self) -> dict[str, Share]:
        """The most shown first."""
        return {name: Share(hits, self._fresh[name]) for name, hits in self._hits.most_common()}
