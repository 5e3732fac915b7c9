"""The audit as JUnit XML, which CI servers read: a suite for each source, a case for each document
and for what is about a source as a whole.

A case has one failure with all that is wrong, since not every server reads a second one. Notes fail nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from xml.sax.saxutils import escape, quoteattr

from index.audit.report.wording import finding_name
from index.audit.result import Audit, Result
from index.batched import batched
from index.freshness.assess import Verdict
from index.freshness.finding import Finding
from index.printable import printable_line

#: Characters that no XML may hold, besides those that `printable_line` escapes.
_NEVER = re.compile("[\ufffe\uffff]")
#: Characters of a printable line that are escaped.
#: Cases that are written in one go.
_BATCH = 500
_MARKUP = re.compile('[&<>"]')


def junit(audit: Audit) -> Iterator[str]:
    """The document in parts."""
    found: dict[str, list[Finding]] = {}
    places: dict[tuple[str, str], list[Finding]] = {}
    for finding in audit.findings:
        if finding.document_id is None:
            places.setdefault((finding.source, finding.place), []).append(finding)
        else:
            found.setdefault(finding.document_id, []).append(finding)
    suites: dict[str, list[str]] = {}
    failed: dict[str, int] = {}
    skipped: dict[str, int] = {}
    for (source, place), theirs in places.items():
        case, fails = _case(source, place or "Knowledge base", theirs, False)
        suites.setdefault(source, []).append(case)
        failed[source] = failed.get(source, 0) + fails
    for result in audit.results:
        theirs = found.get(result.document_id, [])
        exempt = _exempt(result, theirs)
        case, fails = _case(result.source, result.uri, theirs, exempt)
        suites.setdefault(result.source, []).append(case)
        failed[result.source] = failed.get(result.source, 0) + fails
        skipped[result.source] = skipped.get(result.source, 0) + exempt
    name = _quoted(f"freshkb audit {audit.name}".rstrip())
    tests, failures = sum(map(len, suites.values())), sum(failed.values())
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<testsuites name={name} tests="{tests}" failures="{failures}" errors="0" time="0">\n'
    for source in sorted(suites):
        cases = suites[source]
        yield (
            f'<testsuite name={_suite(source)} tests="{len(cases)}" '
            f'failures="{failed[source]}" errors="0" skipped="{skipped.get(source, 0)}" time="0" '
            f'timestamp="{audit.generated_at:%Y-%m-%dT%H:%M:%S}">\n'
        )
        yield from map("".join, batched(cases, _BATCH))
        yield "</testsuite>\n"
    yield "</testsuites>\n"


def _exempt(result: Result, findings: Sequence[Finding]) -> bool:
    return result.verdict is Verdict.EXEMPT and not any(map(_fails, findings))


def _fails(finding: Finding) -> bool:
    return finding.severity != "note"


def _case(source: str, name: str, findings: Sequence[Finding], exempt: bool) -> tuple[str, bool]:
    """(the element, whether it failed)."""
    failing: list[Finding] = []
    notes: list[Finding] = []
    for finding in findings:
        (failing if _fails(finding) else notes).append(finding)
    inside = ""
    if failing:
        first = failing[0]
        message = f"{finding_name(first)}: {first.sentence}"
        if len(failing) > 1:
            message += f" (and {len(failing) - 1} more)"
        said = "\n".join(map(_said, failing))
        inside += f"<failure type={_code(first.code)} message={_quoted(message)}>{_text(said)}</failure>"
    elif exempt:
        inside += '<skipped message="Exempt"/>'
    if notes:
        inside += f"<system-out>{_text(chr(10).join(map(_said, notes)))}</system-out>"
    opened = f'<testcase classname={_suite(source)} name={_quoted(name)} time="0"'
    return f"{opened}>{inside}</testcase>\n" if inside else f"{opened}/>\n", bool(failing)


def _said(finding: Finding) -> str:
    owner = f" Owner: {finding.owner}." if finding.owner else ""
    remedy = f" {finding.remedy}" if finding.remedy else ""
    return printable_line(f"{finding_name(finding)} [{finding.code}]: {finding.sentence}{remedy}{owner}")


@lru_cache(maxsize=1000)
def _code(code: str) -> str:
    return _quoted(code)


@lru_cache(maxsize=1000)
def _suite(source: str) -> str:
    return _quoted(source or "knowledge base")


def _quoted(text: str) -> str:
    text = printable_line(text)
    if text.isascii():
        return quoteattr(text) if _MARKUP.search(text) else f'"{text}"'
    return quoteattr(_NEVER.sub(_escaped, text))


def _text(text: str) -> str:
    if text.isascii():
        return escape(text) if _MARKUP.search(text) else text
    return escape(_NEVER.sub(_escaped, text))


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
