"""Owners to persons, from values alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from index.config.audit_blocks import Person as Entry
from index.config.services import is_mail_address
from index.freshness.owners import fold


@dataclass(frozen=True, slots=True)
class Person:
    """A person that can be told something."""

    owner: str
    """The first name under which the directory has them, else the mail address that names them."""
    name: str = ""
    email: str = ""
    manager: str = ""
    """The owner that their manager is; "" where none is known."""
    apprise: tuple[str, ...] = ()
    """Urls. They hold secrets."""

    @property
    def key(self) -> str:
        """The same for two names of one person."""
        return fold(self.email or self.owner)

    def completed_by(self, other: Person) -> Person:
        """The same person with what only their entry under another name tells."""
        return Person(
            self.owner,
            self.name or other.name,
            self.email or other.email,
            self.manager or other.manager,
            tuple(dict.fromkeys((*self.apprise, *other.apprise))),
        )


class Directory:
    """Persons and groups by the names of owners. `configured` says whether there is a directory at all:
    without one, only mail addresses name persons, and other names are no fault.

    Raises ValueError, naming them, for groups that are members of each other.
    """

    def __init__(self, entries: Mapping[str, Entry] | None = None) -> None:
        self.configured = entries is not None
        self._entries = {fold(owner): (owner, entry) for owner, entry in (entries or {}).items()}
        self._people: dict[str, Person] = {}
        for owner, entry in self._entries.values():
            urls = tuple(url.get_secret_value() for url in entry.apprise)
            if not entry.members and (entry.email or urls):
                named = Person(owner, entry.name or "", entry.email or "", entry.manager or "", urls)
                before = self._people.get(named.key)
                self._people[named.key] = before.completed_by(named) if before is not None else named
        if circle := self.circle():
            raise ValueError(f"groups are members of each other: {' → '.join(circle)}")

    def person(self, owner: str, day: date) -> Person | None:
        """The person that is asked for an owner on a day (UTC); None when it stands for nobody."""
        known = self._entries.get(fold(owner))
        if known is None:
            named = Person(owner, email=owner) if is_mail_address(owner) else None
            return self._people.get(fold(owner), named)
        owner, entry = known
        if entry.members:
            turn = _week(day) % len(entry.members) if entry.rota else 0
            members = entry.members[turn:] + entry.members[:turn]
            return next((found for one in members if (found := self.person(one, day))), None)
        return self._people.get(fold(entry.email or owner))

    def owners_of(self, name: str) -> set[str]:
        """The folded names of all owners that the person of this name may stand for: other names, the mail
        address, and groups of which they are a member."""
        keys = self._persons(name)
        found = {one for one in self._entries if keys & self._persons(one)}
        return found | {key for key in keys if is_mail_address(key)}

    def _persons(self, owner: str) -> set[str]:
        """The keys of all persons that an owner may stand for."""
        known = self._entries.get(fold(owner))
        if known is not None and known[1].members:
            return {key for member in known[1].members for key in self._persons(member)}
        # Only a rota depends on the day.
        found = self.person(owner, date.min)
        return set() if found is None else {found.key}

    def names(self) -> set[str]:
        """All owners that it names: of entries, as members, and as managers."""
        entries = self._entries.values()
        named = ((owner, *(entry.members or ()), entry.manager or "") for owner, entry in entries)
        return {name for names in named for name in names if name}

    def manager(self, person: Person, day: date) -> Person | None:
        """The manager of a person; None when none is known, or they are their own."""
        found = self.person(person.manager, day) if person.manager else None
        return None if found is None or found.key == person.key else found

    def why_nobody(self, owner: str, day: date) -> str:
        """Why an owner stands for nobody, as a sentence; "" when it stands for a person, and when there is no
        directory."""
        if not self.configured or not owner or self.person(owner, day) is not None:
            return ""
        known = self._entries.get(fold(owner))
        if known is None:
            return f"{owner} is not in the directory of owners."
        if known[1].members:
            return f"No member of {owner} is a person who can be told."
        return f"The directory of owners has no mail address and no Apprise url of {owner}."

    def circle(self) -> list[str]:
        """The names of groups of which each is a member of the one before, the first again at the end; []
        where there are none."""
        done: set[str] = set()
        for name in self._entries:
            if found := next(self._circles(name, [], done), None):
                return found
        return []

    def _circles(self, name: str, above: list[str], done: set[str]) -> Iterator[list[str]]:
        if name in above:
            yield [self._entries[one][0] for one in (*above[above.index(name) :], name)]
        elif name in self._entries and name not in done:
            for member in self._entries[name][1].members or ():
                yield from self._circles(fold(member), [*above, name], done)
            done.add(name)


def _week(day: date) -> int:
    """The number of a week since the first Monday of the calendar."""
    return (day.toordinal() - 1) // 7
