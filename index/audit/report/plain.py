"""Reports as plain text: Markdown for people, CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from index.audit.report import remedy
from index.audit.report.rows import Item, Row
from index.audit.report.wording import NOBODY, VERDICTS, code_name, day, days, percent
from index.audit.result import SEVERITY, Audit
from index.freshness.assess import Verdict
from index.freshness.finding import VERDICT_CODES, Finding
from index.model import rfc3339
from index.printable import printable, printable_line

#: Rows of a Markdown report; viewers of Markdown give up on long tables, and the CSV has them all.
_ROWS_MAX = 500


def counts_markdown(audit: Audit) -> str:
    """Counts and trust score only: no names, titles or paths."""
    head = " | ".join(VERDICTS[verdict] for verdict in SEVERITY)
    row = " | ".join(f"{audit.counts.get(verdict, 0):,}" for verdict in SEVERITY)
    rule = "|".join("---:" for _ in range(len(SEVERITY) + 1))
    return f"| Trust score | {head} |\n|{rule}|\n| {percent(audit.trust_score)} | {row} |\n"


def markdown_page(audit: Audit, shown: Sequence[Row]) -> Iterator[str]:
    base = _cell(audit.name) or "the knowledge base"
    yield "<!-- freshkb -->\n\n"
    yield f"# Freshness of {base}\n\n{audit.generated_at:%Y-%m-%d %H:%M} UTC\n\n"
    yield counts_markdown(audit)
    yield from _compared(audit)
    yield "\n## Owners\n\n| Owner | Trust score | Documents | Stale | Unknown | Review due |\n"
    yield "|---|---:|---:|---:|---:|---:|\n"
    for owner in audit.owners:
        counts = " | ".join(
            f"{owner.counts.get(verdict, 0):,}" for verdict in (Verdict.STALE, Verdict.UNKNOWN, Verdict.WARN)
        )
        total = sum(owner.counts.values())
        yield f"| {_cell(owner.owner or NOBODY)} | {percent(owner.trust_score)} | {total:,} | {counts} |\n"
    attention = [row for row in shown if row.items and row.items[0].code in VERDICT_CODES]
    yield "\n## To be looked at\n\n"
    if not attention:
        yield "Nothing: every document that has to be reviewed is fresh.\n"
    else:
        yield "| Verdict | Document | Owner | Age | Due | Dated by | What to do |\n"
        yield "|---|---|---|---:|---|---|---|\n"
        yield from map(_row, attention[:_ROWS_MAX])
        yield _more(len(attention))
    others = [(row, item) for row in shown for item in row.items if item.code not in VERDICT_CODES]
    if others:
        yield "\n## Also found\n\n| Finding | Document | Owner | Why | What to do |\n|---|---|---|---|---|\n"
        for row, item in others[:_ROWS_MAX]:
            owner = _cell(", ".join(row.owners) or NOBODY)
            found = f"{_cell(item.head)}{_new(item)}"
            yield f"| {found} | {_document(row)} | {owner} | {_cell(item.detail)} | {_todo(row, item)} |\n"
        yield _more(len(others), "findings.csv")
    if audit.resolved:
        yield "\n## Resolved\n\n| Finding | Document | Resolved |\n|---|---|---|\n"
        for one in audit.resolved[:_ROWS_MAX]:
            place = f"{one.source}/{one.uri}" if one.uri else one.source
            yield f"| {_cell(code_name(one.code))} | {_cell(place)} | {day(one.resolved_at)} |\n"
        yield _more(len(audit.resolved), "freshness.json")


def _compared(audit: Audit) -> Iterator[str]:
    if audit.compared_with is not None:
        new = sum(finding.status == "new" for finding in audit.findings)
        yield (
            f"\nSince {day(audit.compared_with)}: {new:,} new, {len(audit.findings) - new:,} still open, "
            f"{len(audit.resolved):,} resolved.\n"
        )


def _row(row: Row) -> str:
    item = row.items[0]
    due = f"{_cell(item.head)}{_new(item)}. {_cell(item.detail)}"
    cells = (
        VERDICTS[Verdict(row.verdict)],
        _document(row),
        _cell(", ".join(row.owners) or NOBODY),
        "" if row.age is None else days(row.age),
        due.rstrip(". ").replace("..", "."),
        _cell(". ".join(part for part in (row.dated, row.reviewed) if part)),
        _todo(row, item),
    )
    return f"| {' | '.join(cells)} |\n"


def _document(row: Row) -> str:
    name = f"**{_cell(row.name)}**"
    linked = f"[{name}]({_target(row.url)})" if row.url else name
    place = "/".join(part for part in (row.source, row.uri) if part)
    return f"{linked}<br>{_cell(place)}"


def _target(url: str) -> str:
    """A safe url as the target of a link: nothing in it ends the link or the cell."""
    escaped = {sign: f"%{ord(sign):02X}" for sign in "()<>|[]\\`*_~$!\"'"}
    return "".join(escaped.get(sign, sign) for sign in url).replace("&", "&amp;")


def _new(item: Item) -> str:
    return " (new)" if item.status == "new" else ""


def _todo(row: Row, item: Item) -> str:
    lines = [f"<code>{_cell(row.filled(line))}</code>" for line in item.remedy.lines]
    return "<br>".join(part for part in (_cell(item.remedy.sentence), *lines) if part)


def _more(total: int, where: str = "report.csv") -> str:
    return f"\n… and {total - _ROWS_MAX:,} more in {where}.\n" if total > _ROWS_MAX else ""


def _cell(text: str) -> str:
    """Text that stays text: nothing in it formats, links or ends the cell."""
    text = re.sub(r"([\\`*_\[\]<>|#~!$])", r"\\\1", printable(" ".join(text.split())).replace("&", "&amp;"))
    # Viewers link bare addresses and notify people that are mentioned.
    return re.sub(r"(?i)://|www\.|@", lambda match: "".join(f"&#{ord(letter)};" for letter in match[0]), text)


def csv_table(audit: Audit) -> Iterator[str]:
    """Every result."""
    columns = [*_CONTRACT, "title", "url"]

    def cells() -> Iterator[list[object]]:
        for result in audit.results:
            row = {**result.json(), "owners": "; ".join(result.owners)}
            row |= {"title": result.title, "url": result.url}
            yield [row[column] for column in columns]

    return _csv(columns, cells())


_FINDING = (
    *("code", "finding", "severity", "status", "first_seen_at", "owner", "source", "uri", "line"),
    *("evidence", "what_to_do", "title", "url", "document_id"),
)


def findings_table(audit: Audit, shown: Sequence[Row]) -> Iterator[str]:
    """Every finding, with what to do."""
    rows = {row.document_id: row for row in shown if row.document_id}
    results = {result.document_id: result for result in audit.results}
    today = audit.generated_at.date()

    def cells(finding: Finding) -> list[object]:
        row = rows.get(finding.document_id or "")
        then = remedy.of_finding(finding, results.get(finding.document_id or ""), today)
        lines = (f"{line.kind}: {row.filled(line) if row else line.text}" for line in then.lines)
        known = {
            "finding": code_name(finding.code),
            "first_seen_at": rfc3339(finding.first_seen_at) or "",
            "what_to_do": " ".join(part for part in (then.sentence, " or ".join(lines)) if part),
            "title": row.name if row else "",
            "url": row.url if row else "",
        }
        return [known[name] if name in known else getattr(finding, name) for name in _FINDING]

    return _csv(_FINDING, map(cells, audit.findings))


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Begins with a byte order mark, without which Excel reads no accented letter right."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    yield "\ufeff"
    writer.writerow(columns)
    for row in rows:
        writer.writerow(list(map(_inert, row)))
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
    *("reviewed_at", "reviewed_by", "review_note", "changed_since_review"),
)


#: Signs that make a spreadsheet take a cell for a formula, where a cell may begin. Its language decides on
#: the separator, and behind another one than ours quotes protect nothing: a cell may begin after any
#: separator. The wide signs are formulas in East Asian versions, the small ones are their kin.
_FORMULA = re.compile(r"(^|[;|،؛；])([\s\"'“”]*)(?=[=+\-@＝＋－＠﹦﹢﹣﹫])")


def _inert(value: object) -> object:
    """A cell of one printable line that no spreadsheet takes for a formula, in whole or in part: an
    apostrophe stands before each sign that would begin one."""
    return _FORMULA.sub(r"\1\2'", printable_line(value)) if isinstance(value, str) else value
