"""The charts of a report: ages of documents, the trend over past audits, and what readers were shown. Numbers
and SVG paths alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from index.audit.result import Audit, PastAudit, Result
from index.audit.use import Use
from index.freshness.assess import Verdict

#: Ages in days that end a bar, and its name.
_AGES = (
    (30, "Under 30 days"),
    (90, "30 to 89 days"),
    (180, "90 to 179 days"),
    (365, "180 to 364 days"),
    (730, "1 to 2 years"),
    (1825, "2 to 5 years"),
)
_OLDER, _UNDATED = "Over 5 years", "No date"

#: Worst first: the lowest layer of the trend.
LAYERS = (Verdict.STALE, Verdict.UNKNOWN, Verdict.WARN)


class Bar(NamedTuple):
    label: str
    counts: Mapping[Verdict, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def ages(results: Iterable[Result]) -> list[Bar]:
    """A bar for each span of ages, the youngest first; those of no date last, and only if there are any."""
    counts: dict[str, Counter[Verdict]] = {name: Counter() for name in (*dict(_AGES).values(), _OLDER)}
    judged = [result.assessment for result in results]
    days_of = Counter([(None if a.age is None else a.age.days, a.verdict) for a in judged])
    for (days, verdict), count in days_of.items():
        counts.setdefault(_span(days), Counter())[verdict] += count
    return [Bar(name, count) for name, count in counts.items()]


def _span(age: int | None) -> str:
    if age is None:
        return _UNDATED
    return next((name for days, name in _AGES if age < days), _OLDER)


class Segment(NamedTuple):
    """A part of a bar, in percent of its width."""

    verdict: Verdict
    start: float
    width: float


def segments(counts: Mapping[Verdict, int], whole: int, order: Sequence[Verdict]) -> list[Segment]:
    """The bar of these counts, where `whole` documents fill its width."""
    found, start = [], 0.0
    for verdict in order:
        if width := round(100 * counts.get(verdict, 0) / max(whole, 1), 3):
            found.append(Segment(verdict, round(start, 3), width))
            start += width
    return found


class Moment(NamedTuple):
    """An audit in the trend."""

    at: datetime
    score: float | None
    counts: Mapping[Verdict, int]

    @property
    def attention(self) -> int:
        return sum(self.counts.get(verdict, 0) for verdict in LAYERS)


class Trend(NamedTuple):
    """Paths in a square of 100 by 100, from the first audit to the present one."""

    moments: list[Moment]
    score: str
    """Path of the trust score, from 0 % below to 100 % above."""
    end: str
    """Path of its last point."""
    layers: list[tuple[Verdict, str]]
    """Path of each layer of the documents that need attention."""
    most: int
    """Documents at the top of the layers."""


def trend(audit: Audit) -> Trend | None:
    """The trend up to this audit; None of the first one."""
    moments = [_moment(past) for past in audit.past]
    moments.append(Moment(audit.generated_at, audit.trust_score, audit.counts))
    if len(moments) < 2:
        return None
    first, last = moments[0].at, moments[-1].at
    span = (last - first).total_seconds() or 1.0
    across = [round(100 * (moment.at - first).total_seconds() / span, 2) for moment in moments]
    points = [
        (x, round(100 - 100 * moment.score, 2))
        for x, moment in zip(across, moments, strict=True)
        if moment.score is not None
    ]
    most = max(moment.attention for moment in moments)
    end = f"M{points[-1][0]} {points[-1][1]}h0" if points else ""
    return Trend(moments, _line(points), end, list(_layers(moments, across, most)), most)


def _moment(past: PastAudit) -> Moment:
    return Moment(
        past.at, past.trust_score, {verdict: past.counts.get(verdict.value, 0) for verdict in Verdict}
    )


def _layers(moments: Sequence[Moment], across: Sequence[float], most: int) -> Iterable[tuple[Verdict, str]]:
    below = [0.0] * len(moments)
    for verdict in LAYERS:
        above = [low + moment.counts.get(verdict, 0) for low, moment in zip(below, moments, strict=True)]
        if above != below:
            upper, lower = (
                [(x, round(100 - 100 * y / most, 2)) for x, y in zip(across, edge, strict=True)]
                for edge in (above, below)
            )
            yield verdict, f"{_line([*upper, *reversed(lower)])}Z"
        below = above


class Budget(NamedTuple):
    """What is left of the hits that may be not fresh, day by day, in a square of 100 by 100: all of it above,
    and nothing at `nothing`."""

    path: str
    end: str
    nothing: float
    left: float
    """Share of it that is left now; below 0 when it is overspent."""


def budget(use: Use) -> Budget | None:
    """The budget of the window; None when nothing was shown."""
    days = use.burn_down()
    if not days:
        return None
    least = min(0.0, *(left for _, left in days))
    height = 1 - least
    points = [
        (round(100 * number / max(len(days) - 1, 1), 2), round(100 * (1 - left) / height, 2))
        for number, (_, left) in enumerate(days)
    ]
    return Budget(_line(points), f"M{points[-1][0]} {points[-1][1]}h0", round(100 / height, 2), days[-1][1])


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points) if points else ""
