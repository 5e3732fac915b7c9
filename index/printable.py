"""Foreign text made fit for a terminal, a report, a log line or a database.

Titles, names, owners and reasons come from documents. Some of their characters command a terminal, reverse
the direction of what follows, or cannot be seen; each is shown as its escape instead.
"""

from __future__ import annotations

import json
import re
from functools import cache

#: C0 but tab and newline, DEL, C1; soft hyphen, fillers, marks of direction and of width zero, invisible
#: operators, interlinear marks, tags and the other invisible characters of plane 14; line and paragraph
#: separators; lone surrogates.
_NEVER = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
#: Words of these scripts, and symbols, need joiners inside.
_JOIN = "\u200c\u200d"
_JOINED = "\u0600-\u1cff\u2190-\u2bff\ua800-\uabff\ufb50-\ufdff\ufe0f\ufe70-\ufefc\U00010a00-\U0001faff"
#: A character may have one variation selector; a row of them carries an invisible text.
_SELECT, _SELECT_IDEOGRAPH = "\ufe00-\ufe0f", "\U000e0100-\U000e01ef"
_IDEOGRAPHS = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"


@cache
def unprintable() -> re.Pattern[str]:
    """What `printable` escapes. It is compiled when a text needs it, which takes milliseconds: most commands
    show none that does."""
    return re.compile(
        # One class of all candidates, which is fast to search for.
        f"[{_NEVER}{_JOIN}{_SELECT}{_SELECT_IDEOGRAPH}](?:(?<=[{_NEVER}])"
        f"|(?<=[{_JOIN}])(?:(?<![{_JOINED}].)|(?![{_JOINED}]))"
        rf"|(?<=[{_SELECT}])(?<![^\s{_SELECT}].)"
        f"|(?<=[{_SELECT_IDEOGRAPH}])(?<![{_IDEOGRAPHS}].))"
    )


def printable(text: str) -> str:
    """The text with such characters escaped; tabs and newlines stay.

    >>> printable("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    if text.isascii() and text.isprintable():
        return text  # Ten times as fast as the search; most texts are so.
    return unprintable().sub(_escaped, text)


def printable_line(text: str) -> str:
    """The same on one line: newlines and tabs are escaped, too."""
    if text.isascii() and text.isprintable():
        return text
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def printable_json(text: str) -> str:
    """JSON that says the same, with such characters escaped as JSON escapes them."""
    if text.isascii() and text.isprintable():
        return text
    return unprintable().sub(lambda found: json.dumps(found[0])[1:-1], text)


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can express the text; bytes of an argument or of a variable need not have been UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str) -> str:
    """The text with the characters replaced that a database cannot hold in a text: NUL, lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
