"""The report that owners read: one HTML file, with nothing loaded and nothing run."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from index.audit import SEVERITY, Audit, OwnerSummary, Result
from index.audit_findings import Finding
from index.freshness import Verdict
from index.printable import printable_line
from index.report.style import CSS
from index.report.wording import (
    MEANINGS,
    NOBODY,
    VERDICTS,
    dated_by,
    day,
    days,
    due,
    finding_name,
    name,
    percent,
    reviewed,
)

#: Rows of an owner's table, and of the findings'; browsers and readers have limits. The CSV has them all.
_ROWS_MAX = 200

_SYMBOLS = {
    Verdict.STALE: "✕",
    Verdict.UNKNOWN: "?",
    Verdict.WARN: "!",
    Verdict.FRESH: "✓",
    Verdict.EXEMPT: "–",
}


def escape(text: str) -> str:
    """Foreign text that stays text, of which everything can be seen."""
    return html.escape(printable_line(text))


def html_page(audit: Audit) -> Iterator[str]:
    generated = f"{day(audit.generated_at)}, {audit.generated_at:%H:%M} UTC"
    base = escape(audit.name) or "the knowledge base"
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="generator" content="freshkb">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>Freshness of {base}, {generated}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        f"<header><h1>Freshness of {base}</h1><p>As of {generated}</p></header>\n"
    )
    yield _summary(audit)
    if len(audit.owners) > 1:
        yield from _owners(audit.owners)
    for number, owner in enumerate(audit.owners, start=1):
        yield from _owner(number, owner)
    if audit.findings:
        yield from _findings(audit.findings)
    yield _LEGEND + "</main>\n</body>\n</html>\n"


def _summary(audit: Audit) -> str:
    total = sum(audit.counts.values())
    tiles = "".join(
        f'<li class="{verdict}"><b>{audit.counts.get(verdict, 0):,}</b> {VERDICTS[verdict]}</li>'
        for verdict in SEVERITY
    )
    if total == 0:
        sentence = "There are no documents yet."
    elif audit.trust_score is None:
        sentence = "No document has to be reviewed."
    else:
        judged = total - audit.counts.get(Verdict.EXEMPT, 0)
        fresh = audit.counts.get(Verdict.FRESH, 0)
        sentence = f"{fresh:,} of the {judged:,} documents that have to be reviewed are fresh."
    return (
        '<section class="summary" aria-label="Summary">\n'
        f'<div class="score"><b>{percent(audit.trust_score)}</b><span>trust score</span></div>\n'
        f"<div><p>{sentence}</p>{_bar(audit.counts)}<ul>{tiles}</ul></div>\n</section>\n"
    )


def _bar(counts: Mapping[Verdict, int]) -> str:
    """Shares as a coloured bar; the numbers beside it say the same, so it is hidden from screen readers."""
    parts = "".join(
        f'<i class="{verdict}" style="flex-grow:{counts.get(verdict, 0)}"></i>'
        for verdict in reversed(SEVERITY)
        if counts.get(verdict, 0)
    )
    return f'<div class="bar" aria-hidden="true">{parts}</div>'


def _open_table(label: str, kind: str, *columns: tuple[str, str]) -> str:
    """Up to the rows: columns are pairs of a class and a heading. It can be scrolled with the keyboard."""
    heads = "".join(f'<th scope="col" class="{css}">{heading}</th>' for css, heading in columns)
    return (
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">\n<table class="{kind}">\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n"
    )


_CLOSE_TABLE = "</tbody>\n</table>\n</div>\n"


def _owners(owners: Sequence[OwnerSummary]) -> Iterator[str]:
    shown = (Verdict.STALE, Verdict.UNKNOWN, Verdict.WARN, Verdict.FRESH)
    counts = [("number", VERDICTS[verdict]) for verdict in shown]
    yield "<section>\n<h2>Owners</h2>\n"
    yield _open_table("Owners", "owners", ("", "Owner"), ("number", "Trust"), ("shares", "Shares"), *counts)
    for number, owner in enumerate(owners, start=1):
        cells = "".join(_count(owner.counts.get(verdict, 0), VERDICTS[verdict]) for verdict in shown)
        yield (
            f'<tr><th scope="row"><a href="#owner-{number}">{escape(owner.owner or NOBODY)}</a></th>'
            f'<td class="number" data-label="Trust">{percent(owner.trust_score)}</td>'
            f'<td class="shares">{_bar(owner.counts)}</td>{cells}</tr>\n'
        )
    yield f"{_CLOSE_TABLE}</section>\n"


def _count(count: int, label: str) -> str:
    """The label stands beside the number where there is no room for a row of headings."""
    return f'<td class="number{"" if count else " none"}" data-label="{label}">{count:,}</td>'


def _owner(number: int, owner: OwnerSummary) -> Iterator[str]:
    results = owner.results
    attention = [r for r in results if r.verdict not in (Verdict.FRESH, Verdict.EXEMPT)]
    fine = results[len(attention) :]
    note = f"{len(attention):,} of {len(results):,} to be looked at" if attention else "nothing to do"
    yield (
        f'<section id="owner-{number}">\n<h2>{escape(owner.owner or NOBODY)} '
        f"<small>trust {percent(owner.trust_score)} · {note}</small></h2>\n"
    )
    if attention:
        yield from _table(attention)
    if fine:
        count = "1 document needs" if len(fine) == 1 else f"{len(fine):,} documents need"
        yield f"<details><summary>{count} nothing</summary>\n"
        yield from _table(fine)
        yield "</details>\n"
    yield "</section>\n"


def _table(results: Sequence[Result]) -> Iterator[str]:
    yield _open_table(
        "Documents",
        "documents",
        ("verdict", "Verdict"),
        ("", "Document"),
        ("number age", "Age"),
        ("due", "What is due"),
        ("dated", "Dated by"),
    )
    yield from map(_row, results[:_ROWS_MAX])
    yield _CLOSE_TABLE + _more(len(results), "report.csv")


def _row(result: Result) -> str:
    assessment = result.assessment
    age = "" if assessment.age is None else days(assessment.age.days)
    dated = escape(dated_by(result))
    if assessment.dated is not None:
        dated += f'<br><time datetime="{assessment.date_text}">{day(assessment.dated)}</time>'
    what, why = due(result)
    what = escape(what) + (f"<br><small>{escape(why)}</small>" if why else "")
    others = f"Owners: {', '.join(result.owners)}" if len(result.owners) > 1 else ""
    told = "".join(f"<br><small>{escape(line)}</small>" for line in (others, reviewed(result)) if line)
    title = escape(name(result))
    if safe_url(result.url):
        title = f'<a href="{escape(result.url)}" rel="noopener noreferrer">{title}</a>'
    return (
        f'<tr><td>{_badge(result.verdict)}</td><th scope="row">{title}'
        f"<br><small>{escape(result.source)} / {escape(result.uri)}</small>{told}</th>"
        f'<td class="number age">{age}</td><td class="due">{what}</td><td class="dated">{dated}</td></tr>\n'
    )


def _badge(verdict: Verdict) -> str:
    symbol = f'<i aria-hidden="true">{_SYMBOLS[verdict]}</i>'
    return f'<span class="badge {verdict}">{symbol} {VERDICTS[verdict]}</span>'


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    yield f"<section>\n<h2>Also found <small>{len(findings):,}</small></h2>\n"
    yield _open_table(
        "Findings", "findings", ("kind", "Finding"), ("", "Document"), ("", "Owner"), ("", "Why")
    )
    for found in findings[:_ROWS_MAX]:
        path, owner = escape(found.place), escape(found.owner or NOBODY)
        yield (
            f'<tr><td>{escape(finding_name(found))}</td><th scope="row">{path}</th>'
            f"<td>{owner}</td><td>{escape(found.told)}</td></tr>\n"
        )
    yield _CLOSE_TABLE + _more(len(findings), "freshness.json") + "</section>\n"


def _more(total: int, where: str) -> str:
    return f'<p class="more">… and {total - _ROWS_MAX:,} more in {where}.</p>\n' if total > _ROWS_MAX else ""


def safe_url(url: str) -> bool:
    """Whether a report may link it: web addresses and files of this machine, and nothing that runs."""
    if not url or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "file":
        return not parts.netloc and not parts.path.startswith("//")
    return parts.scheme in ("http", "https") and bool(parts.hostname)


_LEGEND = (
    "<footer>\n<h2>What the words mean</h2>\n<dl>\n"
    + "".join(f"<div><dt>{_badge(verdict)}</dt><dd>{MEANINGS[verdict]}</dd></div>\n" for verdict in SEVERITY)
    + "</dl>\n<p>The trust score is the share of fresh documents among those that have to be reviewed. "
    "A document is dated by its last attested review or by the date that it carries, "
    "whichever is newer.</p>\n</footer>\n"
)
