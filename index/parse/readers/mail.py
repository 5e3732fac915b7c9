"""Mail: sender, recipients, date and names of attachments, then the visible bodies.

Attachments are named in the text, and not read with it: each is a document of its own (`index.attachments`),
by `enclosed` and `content`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from index.model import ATTACHMENTS_MAX, Attachment, Diagnostic, Enclosed, Parsed
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable, squeeze
from index.parse.readers import html, mime
from index.parse.readers.attachments import (
    DEPTH_MAX,
    ENCRYPTED,
    File,
    encrypted,
    files,
    files_of_msg,
    left_out,
    without_bytes,
)
from index.parse.readers.text import decode, decoded_as, marked, paragraphs

#: Code of what the mail holds and its elements do not.
_LEFT_OUT = "parts-left-out"
#: What S/MIME packs into one file: a signed mail, text and all.
_PACKED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
#: Alternatives of a body, the one that is read first; others are read where there is none of these.
_RICHEST = ("text/html", "multipart/related", "multipart/mixed", "text/plain", "text/enriched")

_SHOWN = {"from": "From", "to": "To", "cc": "Cc", "sent": "Date", "attachments": "Attachments"}


def parse(path: Path, format: Format) -> Parsed:
    return _msg(path) if format.name == "msg" else _eml(path)


def _eml(path: Path) -> Parsed:
    message, recoded = _message(path)
    body = _Body(recoded)
    body.read(message, 0)
    body.left_out += left_out(files(message))
    return _letter(body, _header(message, "subject"), _properties(message, body.attachments))


def enclosed(path: Path, format: Format) -> Enclosed:
    """The files that are attached to a mail. Raises Unreadable when it is encrypted or damaged."""
    attached, sent = _attached(path, format)
    found = []
    for one in attached[:ATTACHMENTS_MAX]:
        data = one.data()
        found.append(Attachment(one.name, one.content_type, len(data), hashlib.sha256(data).hexdigest()))
    return Enclosed(tuple(found), sent)


def content(path: Path, format: Format, number: int) -> bytes:
    """The bytes of the attached file of this number, from 0."""
    return _attached(path, format)[0][number].data()


def _attached(path: Path, format: Format) -> tuple[list[File], str]:
    """The attached files, and when the mail was sent, ISO 8601, or ""."""
    if format.name == "msg":
        outlook = _outlook(path)
        at: datetime | None = outlook.sent_date
        return files_of_msg(outlook), at.isoformat() if at else ""
    message, _ = _message(path)
    return files(message), _sent(message)


def _message(path: Path) -> tuple[EmailMessage, bool]:
    """The mail, and whether its bytes were UTF-16 and are UTF-8 now, whatever its parts say."""
    data = path.read_bytes()
    recoded = marked(data)
    if recoded is not None:
        data = recoded.encode("utf-8", "surrogatepass")
    message = mime.message(data)
    if not message.keys():
        raise Unreadable("The document is damaged: it has no mail headers.")
    return message, recoded is not None


def _letter(body: _Body, subject: str, properties: Mapping[str, str]) -> Parsed:
    outline = Outline(letter=True)
    outline.add(_head(properties), "Address")
    outline.extend(body.outline)
    reasons = dict.fromkeys(body.left_out)
    findings: list[Diagnostic] = [{"code": _LEFT_OUT, "line": None, "reason": why} for why in reasons]
    found = {name: value for name, value in properties.items() if value}
    return outline.parsed(title=subject, properties=found, findings=findings)


def _head(properties: Mapping[str, str]) -> str:
    """The lines above a mail, whole: who is looked for may be the last of a thousand recipients."""
    shown = {**properties, "sent": properties.get("sent", "")[:16].replace("T", " ")}
    return "\n".join(f"{label}: {shown[name]}" for name, label in _SHOWN.items() if shown.get(name))


def _properties(message: EmailMessage, attachments: list[str]) -> dict[str, str]:
    found = {name: _header(message, name) for name in ("from", "to", "cc", "message-id")}
    found["sent"] = _sent(message) or _header(message, "date")
    return {**found, "attachments": ", ".join(attachments)}


def _sent(message: EmailMessage) -> str:
    """When it was sent, ISO 8601; "" when that cannot be told."""
    try:
        return parsedate_to_datetime(_header(message, "date")).isoformat()
    except (ValueError, IndexError, OverflowError):
        return ""


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
        if encrypted(part):
            raise Unreadable(ENCRYPTED)
        if depth > DEPTH_MAX:
            self.left_out.append(f"Parts that are nested more than {DEPTH_MAX} levels deep were left out.")
        elif kind == "multipart/alternative" and part.is_multipart():
            self._alternative(list(part.iter_parts()), depth)
        elif kind in mime.FORWARDED:
            for inner in mime.parts(part):
                self.outline.heading(_header(inner, "subject") or "Forwarded message", depth + 1)
                self.outline.add(_head(_properties(inner, [])), "Address")
                self.read(inner, depth + 1)
        elif part.is_multipart():
            for inner in part.iter_parts():
                self.read(inner, depth + 1)
        elif kind.startswith("multipart/"):
            self._undivided(part)
        elif part.is_attachment() or not kind.startswith("text/") or kind == "text/calendar":
            name = squeeze(part.get_filename() or "")
            if name:
                self.attachments.append(name)
            if kind in _PACKED:
                self.left_out.append(f"What S/MIME has packed into {name or 'a part'} cannot be read.")
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
        as_stated = mime.is_encoded(part)
        charset = part.get_content_charset("utf-8")
        try:
            if self._recoded and not as_stated:
                charset = "utf-8"
            return decoded_as(data, charset).replace("\r\n", "\n")
        except (LookupError, ValueError):
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


def _outlook(path: Path) -> Any:
    from oxmsg import Message

    message = Message.load(str(path))
    if "encrypted" in message.message_headers.get("Content-Type", "") or "SMIME" in message.message_class:
        raise Unreadable(ENCRYPTED)
    return message


def _msg(path: Path) -> Parsed:
    from oxmsg.domain.constants import PID_SENDER_NAME

    message = _outlook(path)
    headers = message.message_headers
    body = _Body(False)
    if message.html_body:
        add(message.html_body, "text/html", body.outline)
    if not body.outline.elements and message.body:
        add(message.body.replace("\r\n", "\n"), "text/plain", body.outline)
    body.left_out += left_out(files_of_msg(message)) + without_bytes(message)
    sent: datetime | None = message.sent_date
    properties = {
        "from": message.sender or message.properties.str_prop_value(PID_SENDER_NAME) or "",
        "to": ", ".join(_person(one.name, one.email_address) for one in message.recipients),
        "cc": headers.get("Cc", ""),
        "sent": sent.isoformat() if sent else "",
        "attachments": ", ".join(filter(None, (item.file_name for item in message.attachments))),
    }
    return _letter(body, message.subject or "", properties)
