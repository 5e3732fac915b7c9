"""What to do about a finding: a sentence, and the lines to write or to run.

A line of a command names the document as ``{document}`` and the reviewer as ``{by}``: thousands of documents
share a remedy, and each fills in its own names (`index.audit.report.rows.Row.filled`).
"""

from __future__ import annotations

import json
import re
from datetime import date
from functools import lru_cache
from typing import Literal, NamedTuple

from index.audit.result import Result
from index.freshness.assess import MODIFIED_AT, REVIEWED_AT, FreshnessPolicy
from index.freshness.finding import VERDICT_CODES, Finding
from index.parse.formats import format_of

Kind = Literal["Front matter", "Meta element", "freshkb.yaml", "Command"]


class Line(NamedTuple):
    """Something to write or to run."""

    kind: Kind
    text: str


class Remedy(NamedTuple):
    sentence: str = ""
    lines: tuple[Line, ...] = ()
    shared: bool = True
    """Whether other documents have the same; False when it was made for one finding."""


_SHOW = Line("Command", "freshkb show {document}")
_RETRY = Line("Command", "freshkb retry {document}")
_REVIEW = Line("Command", "freshkb review {document}{by}")
_SYNC = Line("Command", "freshkb sync")

#: By the code of the finding; those of dates and owners are made for their document.
_BY_CODE = {
    "checkout-dates": Remedy(
        "Give the documents dates of their own, or the files the dates of their commits.",
        (Line("Command", "git restore-mtime"), _SYNC),
    ),
    "changed-since-review": Remedy("Read what was changed. If it is right, attest a review.", (_REVIEW,)),
    "review-without-change": Remedy("Nothing, when it was read each time. Else read it now."),
    "review-in-future": Remedy("Set the clock right, and attest the review again.", (_REVIEW,)),
    "quarantined": Remedy("See why, mend the document, and try it again.", (_SHOW, _RETRY)),
    "incomplete": Remedy("Put the whole document back into its source, then sync.", (_SHOW, _SYNC)),
    "empty": Remedy(
        "Write text into it. Pictures of text need OCR (tesseract); what is no text belongs under `exclude`."
    ),
    "front-matter-invalid": Remedy(
        "Mend the block between the lines ---, and quote values that hold a colon."
    ),
    "parts-left-out": Remedy("Save the document anew, with a program that writes it whole.", (_SHOW,)),
    "too-deep": Remedy("Make the tree of folders flatter, or exclude the folder."),
    "sync-lag": Remedy("Sync, and see to it that syncs run on schedule.", (_SYNC,)),
    "listing-incomplete": Remedy("Sync, and read what it says about the source.", (_SYNC,)),
    "drift": Remedy("Mend the index.", (Line("Command", "freshkb verify --repair"),)),
    "dead-link": Remedy("Correct the link, or take it out."),
    "dead-anchor": Remedy("Correct the part of the link after #."),
    "dead-external-link": Remedy("Link to another page, or take the link out."),
    "claim-expired": Remedy("Write what holds now, or take the sentence out."),
    "retirement-asked": Remedy("Delete it at its source; the next sync removes it here."),
    "repeat": Remedy("Keep one of the two, and link to it from the other."),
    "numbers-disagree": Remedy("Find out which number is right, and correct the other."),
}
_OTHERWISE = Remedy("Read the evidence, and mend the document.")

_RUN = "Run: "


def of_finding(finding: Finding, result: Result | None, today: date) -> Remedy:
    """The remedy that its check names, else that of its code. `result` is of its document."""
    if finding.code in VERDICT_CODES and result is not None:
        return of_verdict(result, today)
    if finding.remedy.startswith(_RUN):
        return Remedy("", (Line("Command", finding.remedy.removeprefix(_RUN)),))
    lines: tuple[Line, ...] = ()
    if finding.code in ("unowned", "owner-invalid", "owner-unresolved"):
        lines = _owner_lines(finding.uri)
        usual = Remedy("Name a person in the document, or by a rule of the source.", lines, shared=False)
    elif finding.code == "date-invalid" and result is not None:
        usual = _dated("Write the date as year, month and day.", result, today)
    else:
        usual = _BY_CODE.get(finding.code, _OTHERWISE)
    return Remedy(finding.remedy, lines, shared=False) if finding.remedy else usual


def of_verdict(result: Result, today: date) -> Remedy:
    """What makes a stale, warned or unknown document fresh."""
    if result.assessment.date_used is None:
        return _dated("Give it a date, or attest a review.", result, today)
    return _dated("Read it. If it is still right, say so:", result, today)


def _dated(sentence: str, result: Result, today: date) -> Remedy:
    field = _date_field(result)
    return _date_remedy(sentence, _authored(result.uri) if field else None, field, today)


@lru_cache(maxsize=256)
def _date_remedy(sentence: str, place: Kind | None, field: str, today: date) -> Remedy:
    lines = (_property(place, field, today.isoformat()),) if place else ()
    return Remedy(sentence, (*lines, _REVIEW))


def _date_field(result: Result) -> str:
    """The field of its date that its author may write; "" where there is none."""
    used = result.assessment.date_field
    if used not in ("", MODIFIED_AT, REVIEWED_AT):
        return used
    fields = result.policy.field if isinstance(result.policy, FreshnessPolicy) else ()
    # A field behind the modification time, which is always there, is not looked at.
    return fields[0] if fields and fields[0] != MODIFIED_AT else ""


def _authored(uri: str) -> Kind | None:
    """Where an author writes properties into this document; None where its format has no such place."""
    known = format_of(uri)
    return _PLACES.get(known.module) if known is not None else None


#: By the module that reads the format.
_PLACES: dict[str, Kind] = {"markdown": "Front matter", "html": "Meta element"}


def _property(place: Kind, name: str, value: str) -> Line:
    text = f'<meta name="{name}" content="{value}">' if place == "Meta element" else f"{name}: {value}"
    return Line(place, text)


def _owner_lines(uri: str | None) -> tuple[Line, ...]:
    if uri is None:
        return ()
    place = _authored(uri)
    own = (_property(place, "owner", "user:NAME"),) if place else ()
    pattern = json.dumps("/" + re.sub(r"([\\*?\[!#])", r"\\\1", uri), ensure_ascii=False)
    return (*own, Line("freshkb.yaml", f"- {{match: {pattern}, owner: user:NAME}}"))
