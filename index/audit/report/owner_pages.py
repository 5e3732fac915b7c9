"""The pages of the owners: their names, and the part of an audit that each shows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from index.audit.result import Audit, OwnerSummary
from index.freshness.finding import Finding
from index.freshness.owners import fold
from index.model import digest

#: Folder of the pages, beside the report.
FOLDER = "owners"

_SLUG_MAX = 60
_NAME = re.compile(r"[a-z0-9-]+-[0-9a-f]{8}\.html")


def page_of(owner: str) -> str:
    """The page of an owner, relative to the report; "" stands for documents without an owner.

    It depends on the folded name alone, so that links to it hold; the hash tells names apart that are alike
    in plain letters.
    """
    folded = fold(owner)
    plain = unicodedata.normalize("NFKD", folded).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_MAX].rstrip("-")
    return f"{FOLDER}/{slug or ('owner' if folded else 'nobody')}-{digest([folded])[:8]}.html"


def pages(out: Path) -> list[Path]:
    """Files beside this report whose names are those of owners' pages."""
    folder = out / FOLDER
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def findings_by_owner(audit: Audit) -> dict[str, list[Finding]]:
    """Findings by folded owner: those that the owner is asked to act on, and those of documents that are
    theirs as well."""
    owners = {result.document_id: result.owners for result in audit.results}
    found: dict[str, list[Finding]] = {}
    for finding in audit.findings:
        theirs = owners.get(finding.document_id or "") or (finding.owner,)
        for owner in _distinct(theirs):
            found.setdefault(owner, []).append(finding)
    return found


def _distinct(owners: tuple[str, ...]) -> Iterable[str]:
    """The folded owners, each once."""
    return (fold(owners[0]),) if len(owners) == 1 else dict.fromkeys(map(fold, owners))


def owner_audit(audit: Audit, summary: OwnerSummary, findings: Iterable[Finding]) -> Audit:
    """The part of an audit of the whole base that is about an owner, with these findings."""
    owner = fold(summary.owner)
    theirs = {result.document_id for result in summary.results}
    return replace(
        audit,
        results=summary.results,
        findings=tuple(findings),
        counts=summary.counts,
        owners=(summary,),
        owner=owner,
        resolved=tuple(one for one in audit.resolved if one.document_id in theirs),
        past=tuple(replace(past, counts=past.owners[owner]) for past in audit.past if owner in past.owners),
        since=audit.compared_with,
    )
