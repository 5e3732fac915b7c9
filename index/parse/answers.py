"""A child's answer as a value, checked: a document may have corrupted the child."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from index.model import (
    ATTACHMENTS_MAX,
    Attachment,
    Claim,
    Diagnostic,
    Element,
    Enclosed,
    Failure,
    Link,
    Parsed,
)

#: Characters of a reason.
REASON_MAX = 400
#: Findings of one document.
FINDINGS_MAX = 20
#: Links, and claims, of one document.
LINKS_MAX = 5000
CLAIMS_MAX = 200
#: Characters of the name, and of the type, of an attachment.
NAME_MAX = 1000

_SHA256 = re.compile("[0-9a-f]{64}")


def result_of(answer: dict[str, Any]) -> Parsed | Failure:
    """The elements or the failure that a child answers with. Raises ValueError, KeyError, TypeError or
    AttributeError when the answer is malformed."""
    if (failure := failure_of(answer)) is not None:
        return failure
    parsed = answer["parsed"]
    elements = tuple(
        Element(e["text"], e["kind"], tuple(e["heading_path"]), e["page"]) for e in parsed.pop("elements")
    )
    findings = [_diagnostic(f) for f in parsed.pop("findings", [])[:FINDINGS_MAX]]
    links = tuple(_link(*link) for link in parsed.pop("links", [])[:LINKS_MAX])
    anchors = tuple(parsed.pop("anchors", []))
    claims = tuple(_claim(*claim) for claim in parsed.pop("claims", [])[:CLAIMS_MAX])
    found = Parsed(
        elements=elements, findings=findings, links=links, anchors=anchors, claims=claims, **parsed
    )
    texts = [found.title, found.content_type, found.language or "", *anchors]
    texts += [link.target for link in links] + [claim.cue for claim in claims]
    for element in elements:
        texts += (element.text, element.kind, *element.heading_path)
    for text in texts:
        # Raises UnicodeEncodeError, a ValueError, for lone surrogates.
        str.encode(text)
    if not all(element.page is None or isinstance(element.page, int) for element in elements):
        raise ValueError("These are no pages.")
    if not all(_is_property(value) for value in {**found.properties}.values()):
        raise ValueError("These are no properties.")
    return found


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


def _attachment(name: str, content_type: str, size: int, content_hash: str) -> Attachment:
    if type(size) is not int or size < 0 or not _SHA256.fullmatch(content_hash):
        raise ValueError("This is no attachment.")
    return Attachment(name[:NAME_MAX], _sentence(content_type[:NAME_MAX]), size, content_hash)


def _link(target: str, line: int | None) -> Link:
    return Link(target, None if line is None else int(line))


def _claim(cue: str, day: str) -> Claim:
    return Claim(cue, date.fromisoformat(day).isoformat())


def _sentence(said: str) -> str:
    return "".join(c if c.isprintable() else " " for c in said[:REASON_MAX])


def _diagnostic(found: dict[str, Any]) -> Diagnostic:
    line = None if found["line"] is None else int(found["line"])
    return {"code": _sentence(found["code"]), "line": line, "reason": _sentence(found["reason"])}


def _is_property(value: Any) -> bool:
    """Whether it is a property as defined in `index.freshness.properties`."""
    if isinstance(value, list):
        return not any(isinstance(item, dict | list) for item in value)
    return not value if isinstance(value, dict) else True
