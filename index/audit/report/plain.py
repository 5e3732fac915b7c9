"""Reports as plain text: Markdown for people, CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from index.audit.report.wording import (
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
from index.audit.result import SEVERITY, Audit, Result
from index.freshness.assess import Verdict
from index.printable import printable, printable_line

#: Rows of a Markdown report; viewers of Markdown give up on long tables, and the CSV has them all.
_ROWS_MAX = 500


def counts_markdown(audit: Audit) -> str:
    """Counts and trust score only: no names, titles or paths."""
    head = " | ".join(VERDICTS[verdict] for verdict in SEVERITY)
    row = " | ".join(f"{audit.counts.get(verdict, 0):,}" for verdict in SEVERITY)
    rule = "|".join("---:" for _ in range(len(SEVERITY) + 1))
    return f"| Trust score | {head} |\n|{rule}|\n| {percent(audit.trust_score)} | {row} |\n"


def markdown_page(audit: Audit) -> Iterator[str]:
    base = _cell(audit.name) or "the knowledge base"
    yield "<!-- freshkb -->\n\n"
    yield f"# Freshness of {base}\n\n{audit.generated_at:%Y-%m-%d %H:%M} UTC\n\n"
    yield counts_markdown(audit)
    yield "\n## Owners\n\n| Owner | Trust score | Documents | Stale | Unknown | Review due |\n"
    yield "|---|---:|---:|---:|---:|---:|\n"
    for owner in audit.owners:
        counts = " | ".join(
            f"{owner.counts.get(verdict, 0):,}" for verdict in (Verdict.STALE, Verdict.UNKNOWN, Verdict.WARN)
        )
        total = sum(owner.counts.values())
        yield f"| {_cell(owner.owner or NOBODY)} | {percent(owner.trust_score)} | {total:,} | {counts} |\n"
    attention = [r for r in audit.results if r.verdict not in (Verdict.FRESH, Verdict.EXEMPT)]
    yield "\n## To be looked at\n\n"
    if not attention:
        yield "Nothing: every document that has to be reviewed is fresh.\n"
    else:
        yield "| Verdict | Document | Owner | Age | Due | Dated by |\n|---|---|---|---:|---|---|\n"
        yield from map(_row, attention[:_ROWS_MAX])
        yield _more(len(attention))
    if audit.findings:
        yield "\n## Also found\n\n| Finding | Document | Owner | Why |\n|---|---|---|---|\n"
        for found in audit.findings[:_ROWS_MAX]:
            place = found.source if found.uri is None else f"{found.source}/{found.uri}"
            cells = (finding_name(found), place, found.owner or NOBODY, found.sentence)
            yield f"| {' | '.join(map(_cell, cells))} |\n"
        yield _more(len(audit.findings), "freshness.json")


def _row(result: Result) -> str:
    age = result.assessment.age
    dated = f"{dated_by(result)} {day(result.assessment.dated)}".strip()
    document = f"**{_cell(name(result))}**<br>{_cell(result.source)}/{_cell(result.uri)}"
    cells = (
        VERDICTS[result.verdict],
        document,
        _cell(", ".join(result.owners) or NOBODY),
        "" if age is None else days(age.days),
        _cell(". ".join(part for part in due(result) if part)),
        _cell(". ".join(part for part in (dated, reviewed(result)) if part)),
    )
    return f"| {' | '.join(cells)} |\n"


def _more(total: int, where: str = "report.csv") -> str:
    return f"\n… and {total - _ROWS_MAX:,} more in {where}.\n" if total > _ROWS_MAX else ""


def _cell(text: str) -> str:
    """Text that stays text: nothing in it formats, links or ends the cell."""
    text = re.sub(r"([\\`*_\[\]<>|#~!$])", r"\\\1", printable(" ".join(text.split())).replace("&", "&amp;"))
    # Viewers link bare addresses and notify people that are mentioned.
    return re.sub(r"(?i)://|www\.|@", lambda match: "".join(f"&#{ord(letter)};" for letter in match[0]), text)


def csv_table(audit: Audit) -> Iterator[str]:
    """Every result. Begins with a byte order mark, without which Excel reads no accented letter right."""
    columns = [*_CONTRACT, "title", "url"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    yield "\ufeff"
    writer.writerow(columns)
    for result in audit.results:
        row = {**result.json(), "owners": "; ".join(result.owners)}
        row |= {"title": result.title, "url": result.url}
        writer.writerow([_inert(row[column]) for column in columns])
        if buffer.tell() > 1 << 16:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


_CONTRACT = (
    *(
        "document_id",
        "uri",
        "source",
        "owner",
        "owners",
        "owner_source",
        "verdict",
        "reason",
        "date_used",
        "date_field",
    ),
    *("age_days", "warn_after_days", "stale_after_days", "overdue_days"),
    *("reviewed_at", "reviewed_by", "review_note", "changed_since_review", "snoozed_until", "hits"),
)


#: Signs that make a spreadsheet take a cell for a formula, where a cell may begin. Its language decides on
#: the separator, and behind another one than ours quotes protect nothing: a cell may begin after any
#: separator. The wide signs are formulas in East Asian versions, the small ones are their kin.
_FORMULA = re.compile(r"(^|[;|،؛；])([\s\"'“”]*)(?=[=+\-@＝＋－＠﹦﹢﹣﹫])")


def _inert(value: object) -> object:
    """A cell of one printable line that no spreadsheet takes for a formula, in whole or in part: an
    apostrophe stands before each sign that would begin one."""
    return _FORMULA.sub(r"\1\2'", printable_line(value)) if isinstance(value, str) else value
