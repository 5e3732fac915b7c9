"""The result of a comparison of source, ledger and store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from index.verify.checks import Kind


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference. `what` describes it in words."""

    what: str
    point_id: str | None = None
    document_id: str | None = None
    source: str | None = None
    uri: str | None = None
    collection: str | None = None
    """Set when the difference is of a collection as a whole."""

    @property
    def subject(self) -> tuple[str | None, ...]:
        """The subject, whatever its defect."""
        return self.point_id, self.document_id, self.source, self.uri, self.collection

    def json(self) -> dict[str, Any]:
        parts = {
            "what": self.what,
            "point_id": self.point_id,
            "document_id": self.document_id,
            "source": self.source,
            "uri": self.uri,
            "collection": self.collection,
        }
        return {name: value for name, value in parts.items() if value is not None}


KINDS: tuple[Kind, ...] = ("missing", "extra", "altered", "outdated")


@dataclass(slots=True)
class Verification:
    """The scope of a comparison, and its differences."""

    sample: tuple[int, int] = (1, 1)
    deep: bool = False
    documents: int = 0
    points: int = 0
    missing: list[Difference] = field(default_factory=list)
    extra: list[Difference] = field(default_factory=list)
    altered: list[Difference] = field(default_factory=list)
    outdated: list[Difference] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """Sources that could not be listed completely, and texts that a repair found to be lost."""
    repaired: int = 0
    rebuild: bool = False
    """Whether the collection is damaged as a whole, so that a new one has to replace it."""
    deadly: bool = False
    """Whether reading the damaged collection may end the process."""
    interrupted: bool = False
    """Whether it was stopped before all was compared, or mended."""

    def of(self, kind: Kind) -> list[Difference]:
        found: list[Difference] = getattr(self, kind)
        return found

    @property
    def all(self) -> list[Difference]:
        return [finding for kind in KINDS for finding in self.of(kind)]

    @property
    def findings(self) -> int:
        return len(self.all)

    @property
    def ok(self) -> bool:
        return not self.findings and not self.errors and not self.interrupted

    @property
    def mended(self) -> bool:
        """Whether a repair has mended all differences."""
        return self.repaired == self.findings and not self.errors

    @property
    def outcome(self) -> str:
        """The outcome of the run that compared, and maybe repaired."""
        if self.interrupted:
            return "interrupted"
        return "done" if self.ok or self.mended else "failed"

    def counts(self) -> dict[str, int]:
        return {
            "documents": self.documents,
            "points": self.points,
            **{kind: len(self.of(kind)) for kind in KINDS},
            "errors": len(self.errors),
            "repaired": self.repaired,
        }

    def json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "documents": self.documents,
            "points": self.points,
            **{kind: [finding.json() for finding in self.of(kind)] for kind in KINDS},
            "errors": self.errors,
            "repaired": self.repaired,
        }
