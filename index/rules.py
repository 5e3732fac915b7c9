"""Who answers for a document, how fresh it has to be, and where a person opens it. Rules go by path, as
CODEOWNERS has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from connectors.base import Patterns
from index import link
from index.config import SourceConfig
from index.freshness import Policy

#: Longest owner that is taken from a document; what is longer is prose.
_OWNER_LENGTH_MAX = 200


class Governance(NamedTuple):
    owner: str
    """"" when nothing names one."""
    owner_source: str
    """front matter, rule, source or default."""
    policy: Policy


class Rules:
    """A source's rules, compiled once for all of its documents."""

    def __init__(self, source: SourceConfig) -> None:
        self._policy = source.freshness
        self._owner = (source.owner, source.owner_source)
        self._url = source.url
        # The last match wins, so the first that matches of the reversed rules does.
        rules = [(rule, Patterns((rule.match,)).match) for rule in reversed(source.rules)]
        self._owners = [(match, rule.owner) for rule, match in rules if rule.owner is not None]
        self._policies = [(match, rule.freshness) for rule, match in rules if rule.freshness is not None]
        policies = (source.freshness, *(policy for _, policy in self._policies))
        #: Every property that some document of the source may be dated by.
        self.fields = frozenset(name for policy in policies if policy != "exempt" for name in policy.field)

    def govern(self, uri: str, properties: Mapping[str, Any]) -> Governance:
        """Owner: front matter, last matching rule with one, source, default. Policy: last matching rule with
        one, source (whose policy has the defaults in it)."""
        owner = front_matter_owner(properties)
        if owner:
            owner_source = "front matter"
        else:
            owner, owner_source = next(
                ((owner, "rule") for match, owner in self._owners if match(uri)), self._owner
            )
        policy = next((policy for match, policy in self._policies if match(uri)), self._policy)
        return Governance(owner, owner_source, policy)

    def link(self, uri: str, properties: Mapping[str, Any]) -> str:
        """What a person opens: the document's own address, or the source's template filled in; "" when there
        is neither, and the connector knows."""
        return link.own(properties) or (link.fill(self._url, uri) if self._url else "")


def front_matter_owner(properties: Mapping[str, Any]) -> str:
    """The `owner` property, the first where there are several; "" when there is none to be used."""
    value = properties.get("owner")
    if isinstance(value, list | tuple):
        value = next((item for item in value if isinstance(item, str) and item.strip()), None)
    if not isinstance(value, str):
        return ""
    owner = " ".join(value.split())
    return owner if len(owner) <= _OWNER_LENGTH_MAX else ""
