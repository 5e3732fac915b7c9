"""Who answers for a document, and how old it may get."""

from __future__ import annotations

from typing import NamedTuple

from index.freshness.assess import Policy


class Governance(NamedTuple):
    owners: tuple[str, ...]
    """The first is asked to act; none when nothing names one."""
    owner_source: str
    """front matter, assignment, rule, CODEOWNERS, source property, source or default."""
    policy: Policy
    unusable: str = ""
    """A sentence on a value that the document names as its owner and that is none."""

    @property
    def owner(self) -> str:
        return self.owners[0] if self.owners else ""
