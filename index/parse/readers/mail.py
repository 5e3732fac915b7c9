"""Mail: sender, recipients, date and names of attachments, then the visible bodies.

Attachments are named and not read: they are documents only where a source lists them as such.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from index.model import Diagnostic, Parsed
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable, squeeze
from index.parse.readers import html
from index.parse.readers.text import decode, marked, paragraphs

_ENCRYPTED = "The message is encrypted."
#: A forwarded mail in a multipart mail takes two or three levels.
_DEPTH_MAX = 100
#: Code of what the mail holds and its elements do not.
_LEFT_OUT = "parts-left-out"
#: Characters of a header's line: a list of recipients has no end.
_LINE_MAX = 1000
#: Alternatives of a body, the one that is read first; others are read where there is none of these.
_RICHEST = ("text/html", "multipart/related", "multipart/mixed", "text/plain", "text/enriched")

_SHOWN = {"from": "From", "to": "To", "cc": "Cc", "sent": "Date", "attachments": "Attachments"}


def parse(path: Path, format: Format) -> Parsed:
    return _msg(path) if format.name == "msg" else _eml(path)


def _eml(path: Path) -> Parsed:
    data = path.read_bytes()
    recoded = marked(data)
    if recoded is not None:
        data = recoded.encode("utf-8", "surrogatepass")
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not message.keys():
        raise Unreadable("The document is damaged: it has no mail headers.")
    body = _Body(recoded is not None)
    body.read(message, 0)
    return _letter(body, _header(message, "subject"), _properties(message, body.attachments))


def _letter(body: _Body, subject: str, properties: Mapping[str, str]) -> Parsed:
    outline = Outline(letter=True)
    sent = properties.get("sent", "")
    shown = {**properties, "sent": sent[:16].replace("T", " ")}
    lines = [f"{label}: {shown[name][:_LINE_MAX]}" for name, label in _SHOWN.items() if shown.get(name)]
    outline.add("\n".join(lines), "Address")
    outline.extend(body.outline)
    reasons = dict.fromkeys(body.left_out)
    findings: list[Diagnostic] = [{"code": _LEFT_OUT, "line": None, "reason": why} for why in reasons]
    found = {name: value for name, value in properties.items() if value}
    return outline.parsed(title=subject, properties=found, findings=findings)


def _properties(message: EmailMessage, attachments: list[str]) -> dict[str, str]:
    found = {name: _header(message, name) for name in ("from", "to", "cc", "message-id")}
    date = _header(message, "date")
    try:
        found["sent"] = parsedate_to_datetime(date).isoformat()
    except (ValueError, IndexError, OverflowError):
        found["sent"] = date
    return {**found, "attachments": ", ".join(attachments)}


def _header(message: EmailMessage, name: str) -> str:
    """A header's decoded value; "" when there is none or it breaks its grammar beyond reading."""
    try:
        return squeeze(str(message.get(name, "")))
    except (ValueError, IndexError, AttributeError):
        return ""


class _Body:
    """The visible parts of a mail, in its order."""

    def __init__(self, recoded: bool) -> None:
        """`recoded`: its bytes were UTF-16 and are UTF-8 now, whatever its parts say."""
        self.outline = Outline(letter=True)
        self.attachments: list[str] = []
        self.left_out: list[str] = []
        self._recoded = recoded

    def read(self, part: Any, depth: int) -> None:
        kind = part.get_content_type()
        if kind == "multipart/encrypted" or part.get_param("smime-type") == "enveloped-data":
            raise Unreadable(_ENCRYPTED)
        if depth > _DEPTH_MAX:
            self.left_out.append(f"Parts that are nested more than {_DEPTH_MAX} levels deep were left out.")
        elif kind == "multipart/alternative" and part.is_multipart():
            self._alternative(list(part.iter_parts()), depth)
        elif kind == "message/rfc822" and part.is_multipart():
            for inner in part.iter_parts():
                self.outline.heading(_header(inner, "subject") or "Forwarded message", depth + 1)
                self.read(inner, depth + 1)
        elif part.is_multipart():
            for inner in part.iter_parts():
                self.read(inner, depth + 1)
        elif kind.startswith("multipart/"):
            self._undivided(part)
        elif part.is_attachment() or not kind.startswith("text/") or kind == "text/calendar":
            if name := part.get_filename():
                self.attachments.append(squeeze(name))
        else:
            add(self._decoded(part), kind, self.outline)

    def _alternative(self, choices: list[Any], depth: int) -> None:
        """The richest that has text. What is no text, such as an invitation's calendar, stands beside it."""
        for choice in sorted(choices, key=_poverty):
            before = len(self.outline.elements)
            self.read(choice, depth + 1)
            if len(self.outline.elements) > before:
                break
        named = (choice.get_filename() for choice in choices if choice.is_attachment())
        self.attachments += [squeeze(name) for name in named if name and name not in self.attachments]

    def _undivided(self, part: Any) -> None:
        """A part whose boundary never comes: everything in it is one text, headers of its parts included."""
        text = self._decoded(part)
        if text.strip():
            self.left_out.append("Its parts cannot be told apart: their boundary is missing or wrong.")
            add(text, "text/plain", self.outline)

    def _decoded(self, part: Any) -> str:
        data = part.get_payload(decode=True) or b""
        # A payload that was encoded as ASCII is in the charset that is stated.
        as_stated = str(part.get("content-transfer-encoding", "")).lower() in ("base64", "quoted-printable")
        charset = part.get_content_charset("utf-8")
        try:
            if self._recoded and not as_stated:
                charset = "utf-8"
            return str(data.decode(charset)).replace("\r\n", "\n")
        except (LookupError, UnicodeDecodeError):
            return decode(data, markup=True)


def _person(name: str, address: str) -> str:
    return f"{name} <{address}>" if name and address and name != address else name or address


def _poverty(choice: Any) -> int:
    kind = choice.get_content_type()
    return _RICHEST.index(kind) if kind in _RICHEST else len(_RICHEST)


def add(text: str, kind: str, outline: Outline) -> None:
    """Append a body of this content type."""
    if kind != "text/html":
        paragraphs(text, outline)
    elif (root := html.tree(text)) is not None:
        html.walk(root, outline)


def _msg(path: Path) -> Parsed:
    from oxmsg import Message
    from oxmsg.domain.constants import PID_SENDER_NAME

    message = Message.load(str(path))
    headers = message.message_headers
    if "encrypted" in headers.get("Content-Type", "") or "SMIME" in (message.message_class or ""):
        raise Unreadable(_ENCRYPTED)
    body = _Body(False)
    if message.html_body:
        add(message.html_body, "text/html", body.outline)
    if not body.outline.elements and message.body:
        add(message.body.replace("\r\n", "\n"), "text/plain", body.outline)
    sent: datetime | None = message.sent_date
    properties = {
        "from": message.sender or message.properties.str_prop_value(PID_SENDER_NAME) or "",
        "to": ", ".join(_person(one.name, one.email_address) for one in message.recipients),
        "cc": headers.get("Cc", ""),
        "sent": sent.isoformat() if sent else "",
        "attachments": ", ".join(filter(None, (item.file_name for item in message.attachments))),
    }
    return _letter(body, message.subject or "", properties)
