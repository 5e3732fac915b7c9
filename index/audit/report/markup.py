"""The rows of documents as markup: what the page's script (report.js) makes of a row, too.

Strings instead of a template, because owners' pages have tens of thousands of rows together, and a template
takes five times as long. Every value goes through `_text`, which makes it printable and escapes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from index.audit.report import wording
from index.audit.report.rows import Item, Row
from index.freshness.assess import Verdict
from index.printable import printable_line

SYMBOLS = {
    Verdict.STALE: "✕",
    Verdict.UNKNOWN: "?",
    Verdict.WARN: "!",
    Verdict.FRESH: "✓",
    Verdict.EXEMPT: "–",
}


class Markup(str):
    """Text that the environment of templates prints as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


def row_markup(rows: Iterable[Row], pages: Mapping[str, str]) -> Markup:
    """Elements `tr` of these rows; `pages` are the pages of owners by their names as rows have them."""
    return Markup("".join([_row(row, pages) for row in rows]))


def badge(verdict: str) -> Markup:
    """The verdict with its sign; "" stands for a source as a whole."""
    return _BADGES[verdict]


_BADGES = {
    "": Markup('<span class="badge source"><i aria-hidden="true">◆</i> Source</span>'),
    **{
        verdict.value: Markup(
            f'<span class="badge {verdict}"><i aria-hidden="true">{SYMBOLS[verdict]}</i> {name}</span>'
        )
        for verdict, name in wording.VERDICTS.items()
    },
}


def _row(row: Row, pages: Mapping[str, str]) -> str:
    name = f"<span>{_text(row.name)}</span>"
    if row.url:
        name = f'<a href="{_text(row.url)}" rel="noopener noreferrer">{_text(row.name)}</a>'
    age = f"<span>{wording.days(row.age)}</span>" if row.age is not None else ""
    todo = f'<span class="due">{_text(row.due)}</span>' if row.due else ""
    if row.items:
        todo = f"<ul>{''.join([_item(row, item) for item in row.items])}</ul>"
    return (
        f'<tr><td class="verdict">{badge(row.verdict)}</td>'
        f'<th scope="row">{name}<small>{_text(row.place)}</small>{_small(row.reviewed)}</th>'
        f'<td class="owner">{"".join([_owner(owner, pages) for owner in row.owners or ("",)])}</td>'
        f'<td class="age">{age}{_small(row.dated)}</td>'
        f'<td class="todo">{todo}</td></tr>\n'
    )


def _small(text: str) -> str:
    return f"<small>{_text(text)}</small>" if text else ""


def _owner(owner: str, pages: Mapping[str, str]) -> str:
    name = _text(owner or wording.NOBODY)
    return f'<a href="{_text(pages[owner])}">{name}</a>' if owner in pages else f"<span>{name}</span>"


def _item(row: Row, item: Item) -> str:
    new = " <em>New</em>" if item.status == "new" else ""
    detail = f" <span>{_text(item.detail)}</span>" if item.detail else ""
    then = f"<p>{_text(item.remedy.sentence)}</p>" if item.remedy.sentence else ""
    lines = "".join(
        [
            f'<p class="line"><small>{line.kind}</small> <code>{_text(row.filled(line))}</code></p>'
            for line in item.remedy.lines
        ]
    )
    since = f'<p class="since">Open since {item.since}</p>' if item.since else ""
    head = f"<b>{_text(item.head)}</b>{new}{detail}"
    return (
        f'<li class="item {_text(item.code)}"><details><summary>{head}</summary>'
        f'<div class="do">{then}{lines}{since}</div></details></li>'
    )


_SPECIAL = re.compile("[&<>'\"]")
_ENTITIES = (("&", "&amp;"), (">", "&gt;"), ("<", "&lt;"), ("'", "&#39;"), ('"', "&#34;"))


def _text(value: str) -> str:
    value = printable_line(value)
    if _SPECIAL.search(value):
        for sign, entity in _ENTITIES:
            value = value.replace(sign, entity)
    return value
