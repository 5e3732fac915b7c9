"""Listings of FTP servers, line by line: machine-readable ones (RFC 3659), and those of ``ls -l`` and DOS.

The latter show minutes of an unknown time zone, so nothing is taken from them but names and sizes.
"""

from __future__ import annotations

import calendar
import re

from connectors.remote.server import Failed, Item

_MODIFY = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,9}))?")
_UNIX = re.compile(
    r"(?P<type>[-dlbcpsD])[-rwxsStTlL]{9}[.+@]?\s+\d+\s+\S+\s+\S+\s+(?P<size>\d+)(?:,\s*\d+)?"
    r"\s+\S+\s+\d{1,2}\s+[\d:]{4,5} (?P<name>.+)",
    re.ASCII,
)
_DOS = re.compile(
    r"\d\d-\d\d-\d{2,4}\s+\d\d:\d\d(?:[AP]M)?\s+(?:(?P<folder><DIR>)|(?P<link><\w+>)|(?P<size>\d+))\s+(?P<name>.+)",
    re.ASCII,
)


def of_facts(line: str) -> Item | None:
    """The item of a line of MLSD or MLST; None for the folder itself and the one above."""
    facts, blank, name = line.lstrip(" ").rstrip("\r\n").partition(" ")
    told = dict(_pair(fact) for fact in facts.split(";") if fact)
    if not blank or "type" not in told:
        raise Failed("the server's listing has a line that is none of a listing")
    kind = told["type"].lower()
    if kind in ("cdir", "pdir"):
        return None
    native_id = told.get("unique") or None
    if kind == "dir":
        return Item(name, "folder", native_id=native_id)
    if kind != "file":
        return Item(name, "other")
    digits = told.get("size", "")
    size, modified_at = int(digits) if digits.isdecimal() else None, moment(told.get("modify", ""))
    token = None if None in (size, modified_at) else f"{size}-{modified_at}-{native_id or ''}"
    return Item(name, "file", size, modified_at, token, native_id)


def of_list(line: str) -> Item | None:
    """The item of a line of LIST; None for a line that names nothing. Raises Failed for a line that cannot be
    understood: it may name a document."""
    line = line.rstrip("\r\n")
    if not line.strip() or re.fullmatch(r"total \d+", line):
        return None
    if found := _UNIX.fullmatch(line):
        kind, name = found["type"], found["name"]
        if kind == "d":
            return None if name in (".", "..") else Item(name, "folder")
        return Item(name, "file", int(found["size"])) if kind == "-" else Item(name, "other")
    if found := _DOS.fullmatch(line):
        if found["folder"]:
            return None if found["name"] in (".", "..") else Item(found["name"], "folder")
        return (
            Item(found["name"], "other") if found["link"] else Item(found["name"], "file", int(found["size"]))
        )
    raise Failed("the server's listing has a line that cannot be understood")


def moment(text: str) -> int | None:
    """Nanoseconds since the epoch of a time as RFC 3659 writes it; None when it is none."""
    found = _MODIFY.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    if not (year and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 62):
        return None
    seconds = calendar.timegm((year, month, day, hour, minute, second))
    return seconds * 1_000_000_000 + int((found[7] or "").ljust(9, "0"))


def _pair(fact: str) -> tuple[str, str]:
    name, _, value = fact.partition("=")
    return name.lower(), value
