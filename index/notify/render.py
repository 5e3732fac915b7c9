"""A digest as text, as HTML for mail programs, and all open findings as CSV.

Mail programs know tables and inline styles; nothing is loaded from elsewhere. Words of documents are made
printable and escaped; only addresses of the web are linked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from index.audit.report.page import environment_of
from index.audit.report.plain import findings_table
from index.audit.report.rows import rows, safe_url
from index.audit.result import Audit
from index.config.units import written
from index.freshness.finding import CODES
from index.notify.digest import Digest, Item
from index.printable import printable_line

#: Characters of a piece of text in a digest.
_TEXT_MAX = 300


def subject(digest: Digest) -> str:
    number, new = len(digest.due), len(digest.fresh)
    told = f", {new:,} of them new" if 0 < new < number else ", all new" if new and number > 1 else ""
    findings = "1 finding" if number == 1 else f"{number:,} findings"
    return printable_line(f"{_name(digest)}: {findings} for you{told}")


def text(digest: Digest) -> str:
    return _rendered("digest.txt.jinja", digest, escape=False)


def html(digest: Digest) -> str:
    return _rendered("digest.html.jinja", digest, escape=True)


def table(digest: Digest) -> str:
    """All open findings of the person as CSV, as a report has them."""
    return "".join(findings_table(rows(_audit(digest))))


def heading(item: Item) -> str:
    """The title of the finding's code."""
    known = CODES.get(item.finding.code)
    return known.title if known is not None else item.finding.code


def _rendered(template: str, digest: Digest, *, escape: bool) -> str:
    environment = environment_of(Path(__file__).parent, escape=escape)
    shown = digest.shown
    remedies = _remedies(digest)
    return environment.get_template(template).render(
        digest=digest,
        base=_name(digest),
        own=[_fields(digest, item, remedies) for item in shown if not item.left_by],
        others=[_fields(digest, item, remedies) for item in shown if item.left_by],
        period=_span(digest),
        told=len(digest.due),
        open=len(digest.open),
    )


def _audit(digest: Digest) -> Audit:
    """The open findings alone, as if an audit had these."""
    results = {item.result.document_id: item.result for item in digest.open if item.result is not None}
    findings = tuple({item.finding.identity: item.finding for item in digest.open}.values())
    return Audit(digest.at, tuple(results.values()), findings)


def _remedies(digest: Digest) -> dict[str, tuple[str, list[str]]]:
    """(a sentence, the lines to write or to run) of what to do, by the finding's identity."""
    return {
        item.finding.identity: (
            item.remedy.sentence,
            [f"{line.kind}: {row.filled(line)}" for line in item.remedy.lines],
        )
        for row in rows(_audit(digest))
        for item in row.items
        if item.finding is not None
    }


def _fields(digest: Digest, item: Item, remedies: Mapping[str, tuple[str, list[str]]]) -> dict[str, Any]:
    finding, result = item.finding, item.result
    sentence, lines = remedies.get(finding.identity, (finding.remedy, []))
    url = result.url if result is not None and result.url.startswith(("http://", "https://")) else ""
    return {
        "heading": heading(item),
        "severity": finding.severity,
        "title": _short(item.title),
        "place": _short(finding.place),
        "url": url if safe_url(url) else "",
        "evidence": _short(finding.sentence),
        "remedy": _short(sentence),
        "lines": [_short(line) for line in lines],
        "owner": finding.owner,
        "left_by": item.left_by,
        "new": item.identity in digest.fresh,
        "since": finding.first_seen_at.strftime("%Y-%m-%d") if finding.first_seen_at else "",
    }


def _name(digest: Digest) -> str:
    return digest.base or "The knowledge base"


def _span(digest: Digest) -> str:
    days = digest.period.days
    whole = days and digest.period == timedelta(days=days)
    return ("1 day" if days == 1 else f"{days:,} days") if whole else written(digest.period)


def _short(said: str) -> str:
    said = " ".join(said.split())
    return said if len(said) <= _TEXT_MAX else f"{said[: _TEXT_MAX - 2].rsplit(' ', 1)[0]} …"
