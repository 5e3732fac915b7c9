"""Who gets what: the items of each person, and what of them is due. From values alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from index.audit.result import Audit, Result
from index.freshness.finding import SEVERITIES, Finding
from index.freshness.owners import fold
from index.people import Directory, Person

#: Items that a digest names.
ITEMS_MAX = 10

#: A Monday from which periods are counted.
_FIRST_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)

#: Share of a period after which an item is due again.
_REPEAT = 0.9


@dataclass(frozen=True, slots=True)
class Item:
    """An open finding, as one person is asked for it."""

    finding: Finding
    result: Result | None = None
    """Of the document that it is about; None when it is about a source."""
    left_by: str = ""
    """The name of the person who left it open, of an item for their manager; "" else."""

    @property
    def identity(self) -> str:
        """As notices record it; a manager's is another than their own."""
        return f"{'manager ' if self.left_by else ''}{self.finding.identity}"

    @property
    def title(self) -> str:
        if self.result is not None and self.result.title:
            return self.result.title
        return (self.finding.uri or self.finding.source).rpartition("/")[2]

    @property
    def rank(self) -> tuple[int, timedelta, str, str, str]:
        """Sorts the worst first: by severity, then by how long a review is overdue times how often the
        document is found."""
        overdue = self.result.overdue if self.result is not None else None
        hits = self.result.hits if self.result is not None else 0
        severity = SEVERITIES.index(self.finding.severity)
        where = (self.finding.source, self.finding.uri or "", self.identity)
        return severity, -(overdue or timedelta(0)) * (1 + hits), *where


@dataclass(frozen=True, slots=True)
class Desk:
    """A person with all their items."""

    person: Person
    items: list[Item] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Digest:
    """What a person is told on one channel."""

    person: Person
    base: str
    """Name of the knowledge base."""
    at: datetime
    period: timedelta
    due: tuple[Item, ...]
    """All that is told, worst first."""
    open: tuple[Item, ...]
    """All open items of the person, worst first."""
    fresh: frozenset[str]
    """Identities of the due items that were never told before."""
    page: str = ""
    """The address that it links to; "" for none. It may be good for this person alone."""
    home: str = ""
    """The same for everybody; "" for none."""

    @property
    def shown(self) -> tuple[Item, ...]:
        """The items that it names: at most `ITEMS_MAX`. Where both a person's own items and those of others
        are too many, each have half of the room."""
        own = [item for item in self.due if not item.left_by]
        others = [item for item in self.due if item.left_by]
        room = max(ITEMS_MAX // 2, ITEMS_MAX - len(own))
        chosen = others[:room]
        return (*own[: ITEMS_MAX - len(chosen)], *chosen)

    @property
    def more(self) -> int:
        """Due items that it does not name."""
        return len(self.due) - len(self.shown)


@dataclass(frozen=True, slots=True)
class Desks:
    people: Mapping[str, Desk]
    """By the key of the person."""
    nobody: Mapping[str, int]
    """Findings whose owner stands for nobody, by owner."""


def desks_of(audit: Audit, directory: Directory) -> Desks:
    """The findings of an audit by the persons that are asked for them. Snoozed documents are left out."""
    results = {result.document_id: result for result in audit.results}
    day = audit.generated_at.date()
    people: dict[str, Desk] = {}
    names: dict[str, str] = {}
    nobody: dict[str, int] = {}
    for finding in audit.findings:
        result = results.get(finding.document_id or "")
        if result is not None and result.snooze is not None:
            continue
        person = directory.person(finding.owner, day) if finding.owner else None
        if person is None:
            name = names.setdefault(fold(finding.owner), finding.owner)
            nobody[name] = nobody.get(name, 0) + 1
        else:
            people.setdefault(person.key, Desk(person)).items.append(Item(finding, result))
    return Desks(people, nobody)


def escalated(
    desks: Mapping[str, Desk],
    directory: Directory,
    first_told: Callable[[str, Item], datetime | None],
    now: datetime,
    after: timedelta | None,
) -> dict[str, Desk]:
    """The desks with what people have left open for so long on the desks of their managers, too.
    `first_told` says when the person of a key was first told of an item."""
    found = {key: Desk(desk.person, list(desk.items)) for key, desk in desks.items()}
    if after is None:
        return found
    for key, desk in desks.items():
        manager = directory.manager(desk.person, now.date())
        if manager is None:
            continue
        for item in desk.items:
            told = first_told(key, item)
            if told is not None and now - told >= after:
                left = replace(item, left_by=desk.person.name or desk.person.owner)
                found.setdefault(manager.key, Desk(manager)).items.append(left)
    return found


def due_of(
    items: Iterable[Item], told: Mapping[str, datetime], now: datetime, period: timedelta
) -> list[Item]:
    """The items that are due, worst first. `told` says when each identity was told last."""
    late = now - _REPEAT * period
    due = (item for item in items if item.identity not in told or told[item.identity] <= late)
    return sorted(due, key=lambda item: item.rank)


def period_of(now: datetime, period: timedelta) -> str:
    """The beginning of the period that a moment lies in, as text."""
    begin = _FIRST_MONDAY + (now - _FIRST_MONDAY) // period * period
    return begin.strftime("%Y-%m-%dT%H:%M:%SZ")


def by_person(desks: Mapping[str, Desk]) -> Sequence[Desk]:
    """In order of the persons' names."""
    return sorted(desks.values(), key=lambda desk: desk.person.owner)
