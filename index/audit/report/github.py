"""Findings as annotations of GitHub Actions: commands on the standard output, each a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from index.audit.report.wording import finding_name
from index.audit.result import Audit
from index.freshness.finding import Finding, Severity
from index.printable import printable_line

#: Annotations of each kind that GitHub shows of a step.
SHOWN_MAX = 10

_KINDS: Mapping[Severity, str] = {"error": "error", "warning": "warning", "note": "notice"}


def annotation_lines(audit: Audit, folders: Mapping[str, Path], repository: Path) -> Iterator[str]:
    """The worst findings, as many of each kind as GitHub shows. `folders` are those of sources whose uris are
    paths below them; what lies outside of the repository is told without a file."""
    counts = dict.fromkeys(_KINDS, 0)
    root = repository.resolve()
    for finding in audit.findings:
        counts[finding.severity] += 1
        if counts[finding.severity] > SHOWN_MAX:
            continue
        file = _file(finding, folders, root)
        properties = {"file": file, "line": finding.line if file else None, "title": finding_name(finding)}
        said = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items() if value)
        place = "" if file else f"{finding.place}: "
        remedy = f" {finding.remedy}" if finding.remedy else ""
        message = _data(f"{place}{finding.sentence}{remedy}")
        yield f"::{_KINDS[finding.severity]} {said}::{message}"


def _file(finding: Finding, folders: Mapping[str, Path], root: Path) -> str:
    """The path of the finding's document in the repository; "" where it has none."""
    folder = folders.get(finding.source)
    if folder is None or finding.uri is None or finding.document_id is None:
        return ""
    path = folder.resolve() / finding.uri
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else ""


def _data(text: str) -> str:
    return printable_line(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
