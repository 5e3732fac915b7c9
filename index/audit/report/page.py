"""The report that owners read, as HTML: ``report.html.jinja`` filled in, for all documents or for an owner's.

Each value that the template prints is made printable, then escaped, so that the text of a document stays
visible text. The template itself escapes nothing. A browser runs the page's own script and style alone, which
it knows by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.audit.report import charts, wording
from index.audit.report.markup import Markup, badge, row_markup
from index.audit.report.rows import Row, Table
from index.audit.result import SEVERITY, Audit
from index.freshness.assess import Verdict
from index.freshness.finding import VERDICT_CODES
from index.freshness.owners import fold
from index.printable import printable_line

if TYPE_CHECKING:
    from jinja2 import Environment

#: Rows that are there without a script: browsers have limits. The script knows them all, and so has the CSV.
_ROWS_MAX = 1000
_ROWS_MAX_OF_OWNER = 100
#: Owners that are shown at first, and resolved findings that are listed.
_OWNERS_SHOWN = 12
_RESOLVED_MAX = 100

#: From left to right; those that nobody has to review stand apart, at the end.
_BAR_ORDER = (Verdict.FRESH, Verdict.WARN, Verdict.UNKNOWN, Verdict.STALE, Verdict.EXEMPT)

_FOLDER = Path(__file__).parent


def html_page(
    audit: Audit, shown: Sequence[Row], table: Table, pages: Mapping[str, str], *, whole: bool = True
) -> Iterator[str]:
    """The page in parts. `shown` are its rows, `pages` the pages of owners by their names as rows have them,
    relative to this one, and `whole` is False on an owner's page."""
    limit = _ROWS_MAX if whole else _ROWS_MAX_OF_OWNER
    codes = Counter([item.code for row in shown for item in row.items])
    found = Counter([fold(f.owner) for f in audit.findings if f.code not in VERDICT_CODES])
    others = {finding.code for finding in audit.findings} - set(VERDICT_CODES)
    # The pieces are not joined: the largest is plain ASCII, and stays so.
    yield from (
        _environment()
        .get_template("report.html.jinja")
        .generate(
            audit=audit,
            ages=charts.ages(audit.results),
            base=audit.name or "the knowledge base",
            codes=sorted((wording.code_name(code), code, count) for code, count in codes.items()),
            csp=_policy(),
            found={owner.owner: found[fold(owner.owner)] for owner in audit.owners} if others else {},
            generated=f"{wording.day(audit.generated_at)}, {audit.generated_at:%H:%M} UTC",
            limit=limit,
            new=sum(finding.status == "new" for finding in audit.findings),
            owner_counts=_owner_counts(shown),
            pages=pages,
            resolved=audit.resolved[:_RESOLVED_MAX],
            rows=row_markup(shown[:limit], pages),
            subject="" if whole else audit.owners[0].owner or wording.NOBODY,
            summary=_summary(audit),
            table=Markup(table.json(shown, dict(pages))),
            total=len(shown),
            trend=charts.trend(audit),
            use=audit.use if whole else None,
        )
    )


def _owner_counts(shown: Sequence[Row]) -> list[tuple[str, int]]:
    """The owners of these rows, each as it comes first, in order of their names."""
    names: dict[str, str] = {}
    spelled = Counter([owner for row in shown for owner in row.owners or ("",)])
    counts: Counter[str] = Counter()
    for owner, count in spelled.items():
        names.setdefault(fold(owner), owner)
        counts[fold(owner)] += count
    return sorted((names[owner], count) for owner, count in counts.items())


def environment_of(folder: Path, *, escape: bool = True) -> Environment:
    """The templates of a folder: each value that they print is made printable, and escaped unless the result
    is plain text."""
    # The import takes 45 ms: only who writes pages waits for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=escape,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["thousands"] = "{:,}".format
    return environment


@cache
def _environment() -> Environment:
    environment = environment_of(_FOLDER)
    environment.globals.update(
        badge=badge,
        bar_order=_BAR_ORDER,
        budget=charts.budget,
        code_name=wording.code_name,
        day=wording.day,
        layers=charts.LAYERS,
        meanings=wording.MEANINGS,
        nobody=wording.NOBODY,
        owners_shown=_OWNERS_SHOWN,
        percent=wording.percent,
        segments=charts.segments,
        severity=SEVERITY,
        verdicts=wording.VERDICTS,
    )
    return environment


@cache
def _policy() -> str:
    """The content security policy: nothing is loaded, and nothing runs but what the page came with."""
    script, style = (_hash((_FOLDER / name).read_bytes()) for name in ("report.js", "style.css"))
    return (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; base-uri 'none'; form-action 'none'"
    )


def _hash(content: bytes) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"


def _visible(value: Any) -> Any:
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
