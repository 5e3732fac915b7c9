"""Tables of cells: CSV, TSV, XLSX and XLS, each cell with the value that it holds.

Read without pandas, through which unstructured goes: it rounds numbers to six digits and shows a line break
inside a cell as a backslash and an n.
"""

from __future__ import annotations

import csv
import datetime
import io
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
        rows = ([_shown(value) for value in row] for row in sheet.iter_rows(values_only=True))
        _sheet(outline, sheet.title, number, rows)
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
        book = xlrd.open_workbook(str(path), logfile=io.StringIO())
    except xlrd.XLRDError as error:
        raise Unreadable(f"The document is damaged: it is no XLS file ({error}).") from None
    outline = Outline()
    for number, sheet in enumerate(book.sheets(), start=1):
        rows = ([_xls_shown(cell, book.datemode) for cell in sheet.row(row)] for row in range(sheet.nrows))
        _sheet(outline, sheet.name, number, rows)
    return outline.parsed()


def _xls_shown(cell: Any, datemode: int) -> str:
    import xlrd

    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return _shown(xlrd.xldate_as_datetime(cell.value, datemode))
        except (ValueError, OverflowError):
            return _shown(cell.value)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return _shown(bool(cell.value))
    return "" if cell.ctype in (xlrd.XL_CELL_ERROR, xlrd.XL_CELL_EMPTY) else _shown(cell.value)


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


def _shown(value: Any) -> str:
    """A cell's value as a reader would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat(" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
