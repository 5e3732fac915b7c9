"""A child's answer as a value, checked: a document may have corrupted the child.

What is no answer raises an exception of Python, whichever comes first: `index.parse.line` takes every one for
the failure of the document. What passes can be written into every ledger and store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from math import isfinite
from typing import Any

from index.model import (
    ATTACHMENTS_MAX,
    ELEMENTS_MAX,
    HEADING_MAX,
    Attachment,
    Claim,
    Diagnostic,
    Element,
    Enclosed,
    Failure,
    Link,
    Parsed,
)
from index.parse.sandbox import FILE_BYTES_MAX

#: Characters of a reason.
REASON_MAX = 400
#: Findings of one document.
FINDINGS_MAX = 20
#: Links, and claims, of one document.
LINKS_MAX = 5000
CLAIMS_MAX = 200
#: Characters of the name, and of the type, of an attachment.
NAME_MAX = 1000
#: The last page or line of a document, and the largest number: databases hold no larger ones.
PLACE_MAX = (1 << 31) - 1
NUMBER_MAX = (1 << 63) - 1

_SHA256 = re.compile("[0-9a-f]{64}")
#: Of days that `index.freshness.validity` finds.
_YEARS = range(1900, 2100)


def result_of(answer: dict[str, Any]) -> Parsed | Failure:
    """The elements or the failure that a child answers with. Raises any Exception when it is no answer."""
    if (failure := failure_of(answer)) is not None:
        return failure
    return Parsed(**{name: _FIELDS[name](said) for name, said in answer["parsed"].items()})


def failure_of(answer: dict[str, Any]) -> Failure | None:
    """The failure that a child answers with; None when it has more to say."""
    if "failure" not in answer:
        return None
    return Failure(_sentence(answer["failure"]), transient=bool(answer.get("transient")))


def enclosed_of(answer: dict[str, Any]) -> Enclosed | Failure:
    """The attachments, or the failure, that a child answers with. Raises as `result_of` does."""
    if (failure := failure_of(answer)) is not None:
        return failure
    said = answer["enclosed"]
    found = tuple(_attachment(*one) for one in said["attachments"])
    if len(found) > ATTACHMENTS_MAX:
        raise ValueError("These are too many.")
    return Enclosed(found, datetime.fromisoformat(said["sent"]).isoformat() if said["sent"] else "")


def resident_bytes_of(answer: dict[str, Any]) -> int:
    """The memory that a child says it holds. Raises as `result_of` does."""
    return _number(answer.get("resident_bytes", 0), 0, NUMBER_MAX)


def _attachment(name: str, content_type: str, size: int, content_hash: str) -> Attachment:
    if not _SHA256.fullmatch(content_hash):
        raise ValueError("This is no attachment.")
    size = _number(size, 0, FILE_BYTES_MAX)
    return Attachment(_text(name)[:NAME_MAX], _sentence(content_type[:NAME_MAX]), size, content_hash)


def _elements(said: list[dict[str, Any]]) -> tuple[Element, ...]:
    if len(said) > ELEMENTS_MAX:
        raise ValueError("These are too many.")
    return tuple(
        Element(_text(e["text"]), _word(e["kind"]), tuple(map(_word, e["heading_path"])), _place(e["page"]))
        for e in said
    )


def _link(target: str, line: int | None) -> Link:
    return Link(_text(target), _place(line))


def _claim(cue: str, day: str) -> Claim:
    on = date.fromisoformat(day)
    if on.year not in _YEARS:
        raise ValueError("This is no day of a claim.")
    return Claim(_word(cue), on.isoformat())


def _diagnostic(found: dict[str, Any]) -> Diagnostic:
    return {
        "code": _sentence(found["code"]),
        "line": _place(found["line"]),
        "reason": _sentence(found["reason"]),
    }


def _property(said: Any) -> Any:
    """A property as defined in `index.freshness.properties`."""
    if isinstance(said, list):
        return [_scalar(item) for item in said]
    return {} if said == {} else _scalar(said)


def _scalar(said: Any) -> Any:
    match said:
        case None | bool():
            return said
        case int():
            return _number(said, -NUMBER_MAX - 1, NUMBER_MAX)
        case float() if isfinite(said):
            return said
    return _word(said)


def _place(said: Any) -> int | None:
    """A page, or a line."""
    return None if said is None else _number(said, 1, PLACE_MAX)


def _number(said: Any, least: int, most: int) -> int:
    if type(said) is not int or not least <= said <= most:
        raise ValueError("This is no such number.")
    return said


def _word(said: Any) -> str:
    """Text that every chunk may repeat, and that every ledger can hold."""
    if len(said) > HEADING_MAX or "\0" in said:
        raise ValueError("This is no heading.")
    return _text(said)


def _text(said: Any) -> str:
    """Raises UnicodeEncodeError for lone surrogates."""
    str.encode(said)
    return str(said)


def _sentence(said: str) -> str:
    return "".join(c if c.isprintable() else " " for c in _text(said[:REASON_MAX]))


#: The fields of `Parsed`, each with what makes it of the child's word: none goes unchecked.
_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "elements": _elements,
    "title": _word,
    "language": lambda said: None if said is None else _word(said),
    "content_type": _word,
    "properties": lambda said: {_text(name): _property(value) for name, value in said.items()},
    "findings": lambda said: [_diagnostic(one) for one in said[:FINDINGS_MAX]],
    "links": lambda said: tuple(_link(*one) for one in said[:LINKS_MAX]),
    "anchors": lambda said: tuple(map(_text, said)),
    "claims": lambda said: tuple(_claim(*one) for one in said[:CLAIMS_MAX]),
}
