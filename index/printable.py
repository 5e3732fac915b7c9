"""Foreign text made fit for a terminal, a report or a log line.

Titles, names, owners and reasons come from documents. Some of their characters command a terminal, reverse
the direction of what follows, or cannot be seen; each is shown as its escape instead.
"""

from __future__ import annotations

import re

#: C0 but tab and newline, DEL, C1; soft hyphen, marks of direction and of width zero, invisible operators,
#: interlinear marks and tags; line and paragraph separators.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """The text with such characters escaped; tabs and newlines stay.

    >>> printable("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    return UNPRINTABLE.sub(_escaped, text)


def printable_line(text: str) -> str:
    """The same on one line: newlines and tabs are escaped, too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
