"""The report that owners read, as HTML: ``report.html.jinja`` filled in.

Each value that the template prints is made printable, then escaped, so that the text of a document stays
visible text. The template itself escapes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from index.audit.report import wording
from index.audit.result import SEVERITY, Audit
from index.freshness.assess import Verdict
from index.printable import printable_line

#: Rows of an owner's table, and of the findings'; browsers and readers have limits. The CSV has them all.
_ROWS_MAX = 200

#: Pieces of the template that are written in one go.
_BUFFER = 500

SYMBOLS = {
    Verdict.STALE: "✕",
    Verdict.UNKNOWN: "?",
    Verdict.WARN: "!",
    Verdict.FRESH: "✓",
    Verdict.EXEMPT: "–",
}


def html_page(audit: Audit) -> Iterator[str]:
    """The page in parts."""
    # The import takes 45 ms: only an audit waits for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["thousands"] = "{:,}".format
    words = {
        "day": wording.day,
        "days": wording.days,
        "dated_by": wording.dated_by,
        "due": wording.due,
        "finding_name": wording.finding_name,
        "meanings": wording.MEANINGS,
        "name": wording.name,
        "nobody": wording.NOBODY,
        "percent": wording.percent,
        "reviewed": wording.reviewed,
        "rows_max": _ROWS_MAX,
        "safe_url": safe_url,
        "severity": SEVERITY,
        "symbols": SYMBOLS,
        "verdicts": wording.VERDICTS,
    }
    page = environment.get_template("report.html.jinja", globals=words).stream(
        audit=audit,
        base=audit.name or "the knowledge base",
        generated=f"{wording.day(audit.generated_at)}, {audit.generated_at:%H:%M} UTC",
        summary=_summary(audit),
    )
    page.enable_buffering(_BUFFER)
    yield from page


def visible(value: Any) -> Any:
    """Text made printable; markup of the template and numbers as they are."""
    return value if hasattr(value, "__html__") or not isinstance(value, str) else printable_line(value)


def _summary(audit: Audit) -> str:
    total = sum(audit.counts.values())
    if total == 0:
        return "There are no documents yet."
    if audit.trust_score is None:
        return "No document has to be reviewed."
    judged = total - audit.counts.get(Verdict.EXEMPT, 0)
    fresh = audit.counts.get(Verdict.FRESH, 0)
    return f"{fresh:,} of the {judged:,} documents that have to be reviewed are fresh."


def safe_url(url: str) -> bool:
    """Whether a report may link this url: web addresses and files of this machine, never code."""
    if not url or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "file":
        return not parts.netloc and not parts.path.startswith("//")
    return parts.scheme in ("http", "https") and bool(parts.hostname)
