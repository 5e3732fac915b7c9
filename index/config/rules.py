"""A document's owners, freshness policy and link. Rules go by path, as in CODEOWNERS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import Patterns
from index.config import SourceConfig
from index.config.codeowners import CodeOwners
from index.freshness import link
from index.freshness.dates import read_date
from index.freshness.governance import Governance
from index.freshness.owners import distinct
from index.freshness.properties import (
    ENCLOSED_IN,
    PROGRAM,
    SOURCE,
    assigned,
    by_name,
    declared,
    described,
    said,
    title,
)
from index.model import digest
from index.records import Document
from index.retention import RetentionRules

#: Longest owner that is taken from a document; longer text is prose.
_OWNER_LENGTH_MAX = 200
#: Owners of one document; every point names them.
_OWNERS_MAX = 20

#: `Governance.owner_source` of owners that a CODEOWNERS file names.
CODEOWNERS = "CODEOWNERS"

#: Properties that name owners.
OWNER_NAMES = ("owner", "owners")


#: Raised when the same rules give a document other owners or dates, or its payload another layout.
RULES_REVISION = 3


def rules_fingerprint(source: SourceConfig, home: str, codeowners: CodeOwners | None = None) -> str:
    """Hash of everything that decides a document's metadata; links depend on `home`, the address of the
    source's root, and owners on a CODEOWNERS file."""
    deciding = [RULES_REVISION, source.rules_fingerprint, home]
    beside = codeowners.fingerprint if codeowners is not None else ""
    return digest([*deciding, beside] if beside else deciding)


def by_codeowners(document: Document) -> tuple[str, ...]:
    """The owners on record that a CODEOWNERS file named."""
    return tuple(document.owners) if document.owner_source == CODEOWNERS else ()


class Rules:
    """A source's rules, compiled once for all of its documents."""

    def __init__(self, source: SourceConfig, codeowners: CodeOwners | None = None) -> None:
        #: The CODEOWNERS file beside the documents.
        self.codeowners = codeowners or CodeOwners()
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
        #: The canonical name of every property that freshness may go by in some document of the source.
        self.freshness_fields = frozenset(
            name for policy in policies if policy != "exempt" for name in policy.fields
        )
        #: The same of freshness or retention.
        self.fields = self.freshness_fields | RetentionRules(source.retention, source.id).fields

    def govern(self, uri: str, properties: Mapping[str, Any], recorded: tuple[str, ...] = ()) -> Governance:
        """Owners: front matter, the owner it was assigned to, last matching rule with one, CODEOWNERS, the
        source's property of the document, source, default. Policy: last matching rule with one, source (whose
        policy has the defaults in it). `recorded` are those that CODEOWNERS gave when it was last read: they
        count while it cannot be."""
        owners, unusable = named_owners(declared(properties)) if properties else ((), "")
        owner_source = "front matter"
        if not owners and (chosen := assigned(properties)):
            owners, owner_source = (chosen,), "assignment"
        if not owners:
            owners, owner_source = next(
                ((owners, "rule") for match, owners in self._owners if match(uri)),
                self._of_codeowners(uri, recorded) or self._of_source(properties),
            )
        policy = next((policy for match, policy in self._policies if match(uri)), self._policy)
        return Governance(owners, owner_source, policy, unusable)

    def _of_codeowners(self, uri: str, recorded: tuple[str, ...]) -> tuple[tuple[str, ...], str] | None:
        """None where the file names nobody."""
        owners = recorded if self.codeowners.trouble else self.codeowners.owners(uri)
        return (owners[:_OWNERS_MAX], CODEOWNERS) if owners else None

    def _of_source(self, properties: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
        given = said(properties)
        owners = named_owners(given)[0] if given else ()
        return (owners, "source property") if owners else self._owner

    def link(self, uri: str, properties: Mapping[str, Any]) -> str:
        """The link that a person opens: the document's own address, or the source's template filled in; ""
        when there is neither, and the connector's link counts."""
        return link.own(by_name(properties)) or (link.fill(self._url, uri) if self._url else "")

    def recorded(
        self, own: Mapping[str, Any], said: Mapping[str, Any] | None, *, authored: bool
    ) -> dict[str, Any]:
        """The properties that the ledger keeps of a document, as `index.freshness.properties` has them.

        `own` are those that its parser found; `authored` says whether an author declared them.
        """
        kept = self._relevant(own)
        return self.resaid(kept if authored or not kept else {PROGRAM: kept}, said)

    def resaid(self, recorded: Mapping[str, Any], said: Mapping[str, Any] | None) -> dict[str, Any]:
        """The row's properties with the source's part replaced by `said`."""
        rest = {name: value for name, value in recorded.items() if name != SOURCE}
        return rest if said is None else {**rest, SOURCE: self.kept(said)}

    def kept(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a source's properties that the ledger keeps."""
        named = {"title": title(said)} if title(said) else {}
        enclosed = {ENCLOSED_IN: said[ENCLOSED_IN]} if ENCLOSED_IN in said else {}
        return {**self._relevant(said), **named, **enclosed}

    def _relevant(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Owners, address and dates of the document, by canonical name."""
        return {
            name: value
            for name, value in by_name(properties).items()
            if name in OWNER_NAMES
            or link.is_name(name)
            or name in self.fields
            or read_date(value) is not None
        }


def _names(owner: str | tuple[str, ...]) -> tuple[str, ...]:
    return distinct(name for name in ((owner,) if isinstance(owner, str) else owner) if name)


def named_owners(properties: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """The owners that properties name, in order, and a sentence on values that are no owners."""
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
