"""Reports as plain text: Markdown for people, CSV for spreadsheets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from index.audit.report.rows import Item, Row
from index.audit.report.wording import NOBODY, VERDICTS, code_name, day, days, percent
from index.audit.result import FIELDS, SEVERITY, Audit
from index.batched import batched
from index.freshness.assess import Verdict
from index.freshness.finding import VERDICT_CODES, Finding
from index.model import rfc3339
from index.printable import printable, printable_line, unprintable

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
    if audit.use is not None and audit.use.all.hits:
        share, use = percent(audit.use.all.share), audit.use
        yield f"\n{share} of the {use.all.hits:,} hits of the last {len(use.days)} days were fresh; "
        yield f"{percent(use.target)} should be.\n"
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
            asked = _cell(", ".join(row.owners) or NOBODY)
            found = f"{_cell(item.head)}{_new(item)}"
            yield f"| {found} | {_document(row)} | {asked} | {_cell(item.detail)} | {_todo(row, item)} |\n"
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
    escaped = {sign: f"%{ord(sign):02X}" for sign in "()<>|[]`\"'"}
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


_OWNERS = FIELDS.index("owners")


def csv_table(audit: Audit, values: Iterable[Sequence[object]]) -> Iterator[str]:
    """Every result; `values` are theirs."""

    def cells() -> Iterator[list[object]]:
        for result, own in zip(audit.results, values, strict=True):
            row = [*own, result.title, result.url]
            row[_OWNERS] = "; ".join(result.owners)
            yield row

    return _csv([*FIELDS, "title", "url"], cells())


_FINDING = (
    *("code", "finding", "severity", "status", "first_seen_at", "owner", "source", "uri", "line"),
    *("evidence", "what_to_do", "title", "url", "document_id"),
)


def findings_table(shown: Iterable[Row]) -> Iterator[str]:
    """Every finding, in the order of the rows, with what to do."""
    found = ((row, item, item.finding) for row in shown for item in row.items if item.finding)
    return _csv(_FINDING, (_finding_cells(*each) for each in found))


def _finding_cells(row: Row, item: Item, finding: Finding) -> list[object]:
    lines = " or ".join([f"{line.kind}: {row.filled(line)}" for line in item.remedy.lines])
    return [
        finding.code,
        code_name(finding.code),
        finding.severity,
        finding.status,
        rfc3339(finding.first_seen_at),
        finding.owner,
        finding.source,
        finding.uri,
        finding.line,
        finding.evidence,
        f"{item.remedy.sentence} {lines}".strip(),
        row.name,
        row.url,
        finding.document_id,
    ]


#: Rows that are written in one go.
_BATCH = 500


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Begins with a byte order mark, without which Excel reads no accented letter right."""
    yield f"\ufeff{_line(columns)}\r\n"
    for batch in batched(rows, _BATCH):
        lines = list(map(_line, batch))
        # Cell by cell takes ten times as long, and hardly any text needs it.
        if not _is_inert("".join(lines)):
            lines = [_line(list(map(_inert, row))) for row in batch]
        yield "\r\n".join([*lines, ""])


def _line(row: Sequence[object]) -> str:
    """The row as `csv.writer` has it, each cell in quotes, at a quarter of the time."""
    cells = [cell if type(cell) is str else "" if cell is None else str(cell) for cell in row]
    line = '","'.join(cells)
    if line.count('"') != 2 * (len(cells) - 1):
        line = '","'.join([cell.replace('"', '""') for cell in cells])
    return f'"{line}"'


def _is_inert(text: str) -> bool:
    """Whether `_inert` would change no cell of these lines."""
    if text.isascii():
        return text.isprintable() and ('"=' not in text.translate(_ALIKE) or not _SUSPECT.search(text))
    blank = "\n" in text or "\r" in text or "\t" in text
    return not (blank or _SUSPECT.search(text) or unprintable().search(text))


#: Signs that make a spreadsheet take a cell for a formula, where a cell may begin. Its language decides on
#: the separator, and behind another one than ours quotes protect nothing: a cell may begin after any
#: separator. The wide signs are formulas in East Asian versions, the small ones are their kin.
_BETWEEN, _SIGNS = r"[\s\"'“”]*", r"(?=[=+\-@＝＋－＠﹦﹢﹣﹫])"
_FORMULA = re.compile(rf"(^|[;|،؛；])({_BETWEEN}){_SIGNS}")
#: The same in lines of cells, each of which begins with a quote.
_SUSPECT = re.compile(rf"[\";|،؛；]{_BETWEEN}{_SIGNS}")
#: All of ASCII that may stand before such a sign, as a quote, and all such signs as one: soon looked for.
_ALIKE = str.maketrans(" ';|+-@", '""""===')


def _inert(value: object) -> object:
    """A cell of one printable line that no spreadsheet takes for a formula, in whole or in part: an
    apostrophe stands before each sign that would begin one."""
    return _FORMULA.sub(r"\1\2'", printable_line(value)) if isinstance(value, str) else value
