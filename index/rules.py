"""Who answers for a document, how fresh it has to be, and where a person opens it. Rules go by path, as
CODEOWNERS has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from connectors.base import Patterns
from index import link
from index.config import SourceConfig
from index.freshness import Policy
from index.model import digest
from index.owners import distinct
from index.properties import by_name, canonical, described

#: Longest owner that is taken from a document; what is longer is prose.
_OWNER_LENGTH_MAX = 200
#: Owners of one document; every point names them.
_OWNERS_MAX = 20

#: Properties that name owners.
OWNER_NAMES = ("owner", "owners")


#: Raised when the same rules give a document other owners or dates, or its payload another layout.
RULES_REVISION = 2


def rules_fingerprint(source: SourceConfig, home: str) -> str:
    """Of all that decides what is said of a document beside its text; links depend on `home`, the address of
    the source's root."""
    return digest([RULES_REVISION, source.rules_fingerprint, home])


class Governance(NamedTuple):
    owners: tuple[str, ...]
    """The first is asked to act; none when nothing names one."""
    owner_source: str
    """front matter, rule, source or default."""
    policy: Policy
    unusable: str = ""
    """A sentence on what the document itself names as its owner and is none."""

    @property
    def owner(self) -> str:
        return self.owners[0] if self.owners else ""


class Rules:
    """A source's rules, compiled once for all of its documents."""

    def __init__(self, source: SourceConfig) -> None:
        self._policy = source.freshness
        self._owner = (_names(source.owner), source.owner_source)
        #: The source's own; "" when it has none.
        self.owner = self._owner[0][0] if self._owner[0] else ""
        self._url = source.url
        # The last match wins, so the first that matches of the reversed rules does.
        rules = [(rule, Patterns((rule.match,)).match) for rule in reversed(source.rules)]
        self._owners = [(match, _names(rule.owner)) for rule, match in rules if rule.owner is not None]
        self._policies = [(match, rule.freshness) for rule, match in rules if rule.freshness is not None]
        policies = (source.freshness, *(policy for _, policy in self._policies))
        #: The canonical name of every property that some document of the source may be dated by.
        self.fields = frozenset(
            canonical(name) for policy in policies if policy != "exempt" for name in policy.field
        )

    def govern(self, uri: str, properties: Mapping[str, Any]) -> Governance:
        """Owners: front matter, last matching rule with one, source, default. Policy: last matching rule with
        one, source (whose policy has the defaults in it)."""
        owners, unusable = front_matter_owners(properties)
        owner_source = "front matter"
        if not owners:
            owners, owner_source = next(
                ((owners, "rule") for match, owners in self._owners if match(uri)), self._owner
            )
        policy = next((policy for match, policy in self._policies if match(uri)), self._policy)
        return Governance(owners, owner_source, policy, unusable)

    def link(self, uri: str, properties: Mapping[str, Any]) -> str:
        """What a person opens: the document's own address, or the source's template filled in; "" when there
        is neither, and the connector knows."""
        return link.own(properties) or (link.fill(self._url, uri) if self._url else "")


def _names(owner: str | tuple[str, ...]) -> tuple[str, ...]:
    return distinct(name for name in ((owner,) if isinstance(owner, str) else owner) if name)


def front_matter_owners(properties: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """The owners that a document names, in order, and a sentence on what it names that is none."""
    named = by_name(properties)
    owners: list[str] = []
    unusable = ""
    for name in OWNER_NAMES:
        value = named.get(name)
        values = value if isinstance(value, list | tuple) and value else [value]
        for item in values if name in named else ():
            owner = " ".join(item.split()) if isinstance(item, str) else ""
            if owner and len(owner) <= _OWNER_LENGTH_MAX:
                owners.append(owner)
            elif owner:
                unusable = f"Its {name} is longer than {_OWNER_LENGTH_MAX} characters."
            else:
                unusable = f"Its {name} is {described(item)}, and not a name."
    found = distinct(owners)
    if len(found) > _OWNERS_MAX:
        unusable = f"It names {len(found)} owners; the first {_OWNERS_MAX} count."
    return found[:_OWNERS_MAX], unusable
