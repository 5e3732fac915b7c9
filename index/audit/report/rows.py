"""The rows of a report: each document, and each source as a whole, with what was found and what to do.

A row is made once and shown in several files; its texts are printable, and not yet escaped for any format.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from index.audit.fields import whole_days
from index.audit.report import remedy, wording
from index.audit.report.encoded import encoded
from index.audit.report.remedy import Line, Remedy
from index.audit.result import Audit, Result
from index.freshness.assess import Verdict
from index.freshness.finding import CODES, SEVERITIES, VERDICT_CODES, Finding
from index.freshness.owners import fold
from index.printable import printable_line

_ATTENTION = (Verdict.STALE, Verdict.UNKNOWN, Verdict.WARN)


class Item(NamedTuple):
    """Something that was found, and what to do about it."""

    code: str
    head: str
    """A few words."""
    detail: str
    """A sentence; "" where the head says all."""
    status: str
    """``new``, ``open``, or "" when there is no earlier audit to tell by."""
    since: str
    """The day since which it is open; "" of a new one."""
    remedy: Remedy
    finding: Finding | None
    """None of a verdict whose check is off."""


class Row(NamedTuple):
    verdict: str
    """"" of a source as a whole."""
    source: str
    uri: str
    name: str
    url: str
    """"" when a report may not link it."""
    owners: tuple[str, ...]
    age: int | None
    """Days."""
    dated: str
    """Where its date comes from, and the date."""
    reviewed: str
    due: str
    """When it is to be reviewed, if nothing is due now."""
    target: str
    """Its name as an argument of a command, quoted for a shell."""
    by: str
    """`` --by`` with its owner, where the owner is a person."""
    items: tuple[Item, ...]
    document_id: str = ""

    @property
    def place(self) -> str:
        return " / ".join(part for part in (self.source, self.uri) if part)

    def filled(self, line: Line) -> str:
        """A line of a remedy with the names of this row."""
        if line.kind != "Command":
            return line.text
        before, place, after = line.text.partition("{document}")
        return f"{before}{self.target}{after.replace('{by}', self.by)}" if place else line.text


def rows(audit: Audit) -> list[Row]:
    """Rows of an audit: sources first, then the documents that need attention, worst first, then the rest."""
    found: dict[str, list[Finding]] = {}
    for finding in audit.findings:
        if finding.document_id is not None:
            found.setdefault(finding.document_id, []).append(finding)
    maker = _Maker(audit)
    documents = [maker.document(result, found.get(result.document_id, [])) for result in audit.results]
    sources = [maker.source(finding) for finding in audit.findings if finding.document_id is None]
    return [*sources, *sorted(documents, key=_rank)]


def _rank(row: Row) -> int:
    """The order of the results stays within a rank."""
    if row.verdict in _ATTENTION:
        return 0
    return 1 + min((_severity_rank(item.code) for item in row.items), default=len(SEVERITIES))


def _severity_rank(code: str) -> int:
    known = CODES.get(code)
    return SEVERITIES.index("warning" if known is None else known.severity)


class _Maker:
    def __init__(self, audit: Audit) -> None:
        self._today = audit.generated_at.date()
        self._compared = audit.compared_with is not None

    def document(self, result: Result, findings: Iterable[Finding]) -> Row:
        verdict, judged, others = result.verdict, None, []
        for finding in findings:
            if finding.code not in VERDICT_CODES:
                others.append(finding)
            elif finding.code == verdict:
                judged = finding
        items = []
        what, why = wording.due(result)
        if verdict in _ATTENTION:
            unread = any(finding.code == "quarantined" for finding in others)
            items.append(self._verdict(result, judged, what, why, unread))
        items += [self._finding(finding, result) for finding in others]
        dated = f"{wording.dated_by(result)} {wording.day(result.assessment.dated)}".strip()
        source, uri = map(printable_line, (result.source, result.uri))
        return Row(
            verdict.value,
            source,
            uri,
            printable_line(wording.name(result)),
            result.url if safe_url(result.url) else "",
            tuple(map(printable_line, result.owners)),
            whole_days(result.assessment.age),
            printable_line(dated),
            printable_line(wording.reviewed(result)),
            what if verdict is Verdict.FRESH else "",
            shlex.quote(f"{source}:{uri}"),
            _by(result.owner),
            tuple(items),
            result.document_id,
        )

    def source(self, finding: Finding) -> Row:
        source, uri = printable_line(finding.source), printable_line(finding.uri or "")
        owners = (printable_line(finding.owner),) if finding.owner else ()
        name = uri.rpartition("/")[2] or source or "Knowledge base"
        item = (self._finding(finding, None),)
        return Row("", source, uri, name, "", owners, None, "", "", "", shlex.quote(source), "", item)

    def _verdict(self, result: Result, finding: Finding | None, what: str, why: str, unread: bool) -> Item:
        head, detail = (CODES["unknown"].title, why) if result.verdict is Verdict.UNKNOWN else (what, why)
        # A document that was never read has no date to be mended.
        then = Remedy() if unread else remedy.of_verdict(result, self._today)
        return self._item(result.verdict.value, head, detail, finding, then)

    def _finding(self, finding: Finding, result: Result | None) -> Item:
        then = remedy.of_finding(finding, result, self._today)
        return self._item(finding.code, wording.finding_name(finding), finding.sentence, finding, then)

    def _item(self, code: str, head: str, detail: str, finding: Finding | None, then: Remedy) -> Item:
        status = finding.status if finding is not None and self._compared else ""
        since = wording.day(finding.first_seen_at) if finding is not None and status == "open" else ""
        if not then.shared:
            lines = tuple(Line(line.kind, printable_line(line.text)) for line in then.lines)
            then = Remedy(printable_line(then.sentence), lines, shared=False)
        return Item(code, head, printable_line(detail), status, since, then, finding)


@lru_cache(maxsize=4096)
def _by(owner: str) -> str:
    """A group attests nothing: where there is no person, the command asks the system for the login."""
    return (
        f" --by {shlex.quote(printable_line(owner))}"
        if owner and not fold(owner).startswith("group:")
        else ""
    )


#: Addresses of plain characters, as most are, and the schemes that may be linked.
_PLAIN_URL = re.compile(r"https?://[a-z0-9]+(?:[.-][a-z0-9]+)*/[!-\[\]-~]*|file:///(?!/)[!-\[\]-~]*")
_SCHEME = re.compile(r"(?:https?|file):", re.IGNORECASE)


def safe_url(url: str) -> bool:
    """Whether a report may link this url: web addresses and files of this machine, never code."""
    if _PLAIN_URL.fullmatch(url):
        return True
    if not _SCHEME.match(url) or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "file":
        return not parts.netloc and not parts.path.startswith("//")
    return parts.scheme in ("http", "https") and bool(parts.hostname)


class Table:
    """The rows as the script of the page reads them; each row is written as JSON once, for all pages."""

    def __init__(self, made: Iterable[Row]) -> None:
        self._remedies: dict[Remedy, int] = {}
        self._rows: dict[int, str] = {}
        for row in made:
            self._rows[id(row)] = self._row(row)

    def json(self, shown: Iterable[Row], pages: dict[str, str]) -> str:
        """These rows, for an element `script`: nothing in it ends the element. `pages` are the owners'."""
        shared = [[remedy.sentence, remedy.lines] for remedy in self._remedies]
        head = _safe(json.dumps({"pages": pages, "remedies": shared}, ensure_ascii=False))
        body = ",\n".join(map(self._rows.__getitem__, map(id, shown)))
        return f'{head[:-1]}, "rows": [\n{body}\n]}}'

    def _row(self, row: Row) -> str:
        items = [
            (item.code, item.head, item.detail, item.status, item.since, self._remedy(item.remedy))
            for item in row.items
        ]
        target = "" if row.target == f"{row.source}:{row.uri}" else row.target
        values = (
            *(row.verdict, row.source, row.uri, row.name, row.url, row.owners, row.age),
            *(row.dated, row.reviewed, row.due, target, row.by, items),
        )
        return _safe(encoded(values))

    def _remedy(self, remedy: Remedy) -> int | list[object]:
        if remedy.shared:
            return self._remedies.setdefault(remedy, len(self._remedies))
        return [remedy.sentence, remedy.lines]


def _safe(text: str) -> str:
    if "<" in text or "&" in text or ">" in text:
        for sign in "<>&":
            text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
