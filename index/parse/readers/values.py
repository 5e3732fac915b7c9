"""Values of cells as a reader would type them."""

from __future__ import annotations

import datetime
import re
from typing import Any

#: In number formats: text in quotes, escaped characters, colours and conditions in brackets.
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
#: A currency: [$€-407], "EUR", €.
_CURRENCY = re.compile(r'\[\$([^\-\]]+)[^\]]*\]|"([A-Z]{3}|[€$£¥₹])"|([€$£¥₹])')
_DIGIT = re.compile("[0#?]")
#: A control character in Excel's text, or the underscore before what looks like one. Excel escapes no others,
#: and openpyxl takes such underscores away in most cells: what else has this form is as its author wrote it.
_ESCAPED = re.compile("_x(00[01][0-9A-F]|005F)_", re.IGNORECASE)


def shown(value: Any, style: str = "") -> str:
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


def unescaped(value: Any) -> Any:
    """A cell's value, its text as it was typed.

    >>> unescaped("a_x000D_b"), unescaped("_x005F_x000D_"), unescaped("_x0041_")
    ('a\\rb', '_x000D_', '_x0041_')
    """
    return _ESCAPED.sub(_character, value) if isinstance(value, str) and "_x" in value else value


def _character(escaped: re.Match[str]) -> str:
    return chr(int(escaped[1], 16))


def shown_number(text: str, style: str) -> str:
    """A number as Office writes it to its files, dates among them; other text as it is."""
    from openpyxl.styles.numbers import is_date_format
    from openpyxl.utils.datetime import from_excel

    try:
        number = float(text)
        return shown(from_excel(number) if is_date_format(style) else round(number, 10), style)
    except (ValueError, OverflowError):
        return text


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else str(value)


def _blanks(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _priced(value: float, sign: str, before: bool) -> str:
    amount = _plain(abs(value))
    blank = " " if len(sign) > 1 and sign.isalpha() else ""
    priced = f"{sign}{blank}{amount}" if before else f"{amount} {sign}"
    return f"-{priced}" if value < 0 else priced
