"""Tables of cells: CSV, TSV, XLSX and XLS, each cell with the value that it holds.

Read without pandas, through which unstructured goes: it rounds numbers to six digits and shows a line break
inside a cell as a backslash and an n.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from index.model import Parsed
from index.parse import archive
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable
from index.parse.readers import ooxml
from index.parse.readers.sheets import Sheet, sheets
from index.parse.readers.text import decode
from index.parse.readers.values import shown, unescaped

_SNIFFED = 16 * 1024
_HIDDEN = " (hidden)"
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

    path, styled = ooxml.plain(path), True
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except (TypeError, ValueError, IndexError) as error:
        # Styles that make no sense cost the formats of the numbers, and not the numbers.
        plain, styled = ooxml.without(path, "xl/styles.xml"), False
        try:
            book = openpyxl.load_workbook(plain, read_only=True, data_only=True, keep_links=False)
        except (TypeError, ValueError, IndexError):
            raise error from None
    cells = {sheet.title: sheet for sheet in book.worksheets}
    outline = Outline()
    for number, aside in enumerate(sheets(path), start=1):
        rows: Iterable[list[str]] = ()
        if (sheet := cells.get(aside.name)) is not None:
            # The declared size of a sheet may be wrong in either direction.
            sheet.reset_dimensions()
            rows = (
                [shown(unescaped(cell.value), cell.number_format if styled else "") for cell in row]
                for row in sheet.iter_rows()
            )
        _sheet(outline, number, aside, rows)
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
        book = xlrd.open_workbook(
            str(path), logfile=io.StringIO(), formatting_info=True, ignore_workbook_corruption=True
        )
    except xlrd.XLRDError as error:
        if "encrypted" in str(error):
            raise Unreadable(archive.PROTECTED) from None
        raise Unreadable(f"The document is damaged: it is no XLS file ({error}).") from None
    outline = Outline()
    for number, sheet in enumerate(book.sheets(), start=1):
        rows = ([_xls_shown(cell, book) for cell in sheet.row(row)] for row in range(sheet.nrows))
        hidden_rows = frozenset(row + 1 for row, info in sheet.rowinfo_map.items() if info.hidden)
        hidden_columns = (column + 1 for column, info in sheet.colinfo_map.items() if info.hidden)
        columns = tuple(range(column, column + 1) for column in hidden_columns)
        aside = Sheet(sheet.name, hidden_rows, columns, (), sheet.visibility != 0)
        _sheet(outline, number, aside, rows)
    return outline.parsed()


def _xls_shown(cell: Any, book: Any) -> str:
    import xlrd

    if cell.ctype == xlrd.XL_CELL_DATE:
        try:
            return shown(xlrd.xldate_as_datetime(cell.value, book.datemode))
        except (ValueError, OverflowError):
            return shown(cell.value)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return shown(bool(cell.value))
    if cell.ctype in (xlrd.XL_CELL_ERROR, xlrd.XL_CELL_EMPTY):
        return ""
    styled = book.xf_list[cell.xf_index] if cell.xf_index is not None else None
    style = book.format_map.get(styled.format_key) if styled is not None else None
    return shown(cell.value, style.format_str if style is not None else "")


def _sheet(outline: Outline, number: int, aside: Sheet, rows: Iterable[list[str]]) -> None:
    """A heading with the sheet's name, then a table for each run of rows without an empty one, then what is
    drawn. Hidden rows and columns are marked: filters hide what is as true as the rest."""
    block: list[list[str]] = []
    headed = False

    def head() -> None:
        nonlocal headed
        if not headed:
            # Below the top, because the name of a sheet is not the title of the document.
            outline.heading(aside.name + _HIDDEN * aside.hidden, 2, number)
            headed = True

    def close() -> None:
        if len(block) == 1 and sum(map(bool, block[0])) == 1:
            outline.add("".join(block[0]), "NarrativeText", number)
        else:
            outline.table(block, number)
        block.clear()

    for at, row in enumerate(rows, start=1):
        if any(cell.strip() for cell in row):
            head()
            if not block and aside.columns:
                row = [
                    cell + _HIDDEN if cell and any(column in one for one in aside.columns) else cell
                    for column, cell in enumerate(row, start=1)
                ]
            block.append([*row, _HIDDEN.strip()] if at in aside.rows else row)
        elif block:
            close()
    if block:
        close()
    for text in aside.drawn:
        if text.strip():
            head()
            outline.add(text, "UncategorizedText", number)
