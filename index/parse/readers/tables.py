"""Tables of cells: CSV, TSV, XLSX and XLS, each cell with the value that it holds.

Read without pandas, through which unstructured goes: it rounds numbers to six digits and shows a line break
inside a cell as a backslash and an n.
"""

from __future__ import annotations

import csv
import datetime
import io
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from index.model import Parsed
from index.parse import archive
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable
from index.parse.readers.text import decode

_SNIFFED = 16 * 1024
#: In number formats: text in quotes, escaped characters, colours and conditions in brackets.
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
#: A currency: [$€-407], "EUR", €.
_CURRENCY = re.compile(r'\[\$([^\-\]]+)[^\]]*\]|"([A-Z]{3}|[€$£¥₹])"|([€$£¥₹])')
_DIGIT = re.compile("[0#?]")
csv.field_size_limit(sys.maxsize)


def parse(path: Path, format: Format) -> Parsed:
    if format.name in ("csv", "tsv"):
        return _delimited(decode(path.read_bytes()), "\t" if format.name == "tsv" else None)
    archive.refuse_protected(path)
    if format.name == "xlsx":
        archive.check(path)
        return _xlsx(path)
    return _xls(path)


def _delimited(text: str, delimiter: str | None) -> Parsed:
    if delimiter is None:
        try:
            delimiter = csv.Sniffer().sniff(text[:_SNIFFED], delimiters=",;\t|").delimiter
        except csv.Error:
            delimiter = ","
    outline = Outline()
    try:
        outline.table(list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)))
    except csv.Error as error:
        raise Unreadable(f"The document is damaged: its table cannot be read ({error}).") from None
    return outline.parsed()


def _xlsx(path: Path) -> Parsed:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    outline = Outline()
    for number, sheet in enumerate(book.worksheets, start=1):
        # The declared size of a sheet may be wrong in either direction.
        sheet.reset_dimensions()
        rows = ([_shown(cell.value, cell.number_format) for cell in row] for row in sheet.iter_rows())
        _sheet(outline, _named(sheet.title, sheet.sheet_state != "visible"), number, rows)
    known = book.properties
    book.close()
    properties = {
        "author": known.creator,
        "last_modified_by": known.lastModifiedBy,
        "created": known.created and known.created.isoformat(),
        "modified": known.modified and known.modified.isoformat(),
        "subject": known.subject,
        "keywords": known.keywords,
    }
    return outline.parsed(
        title=known.title or "", properties={name: value for name, value in properties.items() if value}
    )


def _xls(path: Path) -> Parsed:
    import xlrd

    try:
        # xlrd writes its warnings to standard output by default.
        book = xlrd.open_workbook(str(path), logfile=io.StringIO(), formatting_info=True)
    except xlrd.XLRDError as error:
        raise Unreadable(f"The document is damaged: it is no XLS file ({error}).") from None
    outline = Outline()
    for number, sheet in enumerate(book.sheets(), start=1):
        rows = ([_xls_shown(cell, book) for cell in sheet.row(row)] for row in range(sheet.nrows))
        _sheet(outline, _named(sheet.name, sheet.visibility != 0), number, rows)
    return outline.parsed()


def _xls_shown(cell: Any, book: Any) -> str:
    import xlrd

    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return _shown(xlrd.xldate_as_datetime(cell.value, book.datemode))
        except (ValueError, OverflowError):
            return _shown(cell.value)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return _shown(bool(cell.value))
    if cell.ctype in (xlrd.XL_CELL_ERROR, xlrd.XL_CELL_EMPTY):
        return ""
    styled = book.xf_list[cell.xf_index] if cell.xf_index is not None else None
    style = book.format_map.get(styled.format_key) if styled is not None else None
    return _shown(cell.value, style.format_str if style is not None else "")


def _named(sheet: str, hidden: bool) -> str:
    return f"{sheet} (hidden)" if hidden else sheet


def _sheet(outline: Outline, name: str, number: int, rows: Iterable[list[str]]) -> None:
    """A heading with the sheet's name, then a table for each run of rows without an empty one."""
    block: list[list[str]] = []
    headed = False

    def close() -> None:
        if len(block) == 1 and sum(map(bool, block[0])) == 1:
            outline.add("".join(block[0]), "NarrativeText", number)
        else:
            outline.table(block, number)
        block.clear()

    for row in rows:
        if any(cell.strip() for cell in row):
            if not headed:
                # Below the top, because the name of a sheet is not the title of the document.
                outline.heading(name, 2, number)
                headed = True
            block.append(row)
        elif block:
            close()
    if block:
        close()


def _shown(value: Any, style: str = "") -> str:
    """A cell's value as a reader would type it; `style` is its number format: what it says of percent and
    currency is a part of the value, all else is decoration."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool) and style:
        positive = style.partition(";")[0]
        if "%" in _LITERAL.sub("", positive):
            return f"{_plain(round(value * 100, 10))}%"
        if (sign := _CURRENCY.search(positive)) and (digit := _DIGIT.search(_LITERAL.sub(_blanks, positive))):
            return _priced(value, sign[1] or sign[2] or sign[3], sign.start() < digit.start())
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return _plain(value)
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else str(value)


def _blanks(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _priced(value: float, sign: str, before: bool) -> str:
    amount = _plain(abs(value))
    blank = " " if len(sign) > 1 and sign.isalpha() else ""
    shown = f"{sign}{blank}{amount}" if before else f"{amount} {sign}"
    return f"-{shown}" if value < 0 else shown
