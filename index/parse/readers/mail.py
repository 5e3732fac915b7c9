"""Mail: the visible bodies, with subject and addresses as properties.

Attachments are named and not read: they are documents only where a source lists them as such.
"""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from index.model import Parsed
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable, squeeze
from index.parse.readers import html
from index.parse.readers.text import decode, paragraphs

_ENCRYPTED = "The message is encrypted."
_DEPTH_MAX = 20


def parse(path: Path, format: Format) -> Parsed:
    return _msg(path) if format.name == "msg" else _eml(path)


def _eml(path: Path) -> Parsed:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    if not message.keys():
        raise Unreadable("The document is damaged: it has no mail headers.")
    outline = Outline(letter=True)
    attachments: list[str] = []
    _bodies(message, outline, attachments, 0)
    return outline.parsed(title=_header(message, "subject"), properties=_properties(message, attachments))


def _properties(message: EmailMessage, attachments: list[str]) -> dict[str, str]:
    found = {name: _header(message, name) for name in ("from", "to", "cc", "message-id")}
    try:
        found["date"] = parsedate_to_datetime(_header(message, "date")).isoformat()
    except (ValueError, IndexError, OverflowError):
        found["date"] = _header(message, "date")
    found["attachments"] = ", ".join(attachments)
    return {name: value for name, value in found.items() if value}


def _header(message: EmailMessage, name: str) -> str:
    """A header's decoded value; "" when there is none or it breaks its grammar beyond reading."""
    try:
        return squeeze(str(message.get(name, "")))
    except (ValueError, IndexError, AttributeError):
        return ""


def _bodies(part: Any, outline: Outline, attachments: list[str], depth: int) -> None:
    kind = part.get_content_type()
    if kind == "multipart/encrypted" or part.get_param("smime-type") == "enveloped-data":
        raise Unreadable(_ENCRYPTED)
    if depth > _DEPTH_MAX:
        return
    if kind == "multipart/alternative":
        choices = {choice.get_content_type(): choice for choice in part.iter_parts()}
        rich = [c for name, c in choices.items() if name == "text/html" or name.startswith("multipart/")]
        for choice in rich[-1:] or list(choices.values())[-1:]:
            _bodies(choice, outline, attachments, depth + 1)
    elif kind == "message/rfc822":
        for inner in part.iter_parts():
            outline.heading(_header(inner, "subject") or "Forwarded message", depth + 1)
            _bodies(inner, outline, attachments, depth + 1)
    elif part.is_multipart():
        for inner in part.iter_parts():
            _bodies(inner, outline, attachments, depth + 1)
    elif part.is_attachment() or not kind.startswith("text/"):
        if name := part.get_filename():
            attachments.append(squeeze(name))
    else:
        _body(_decoded(part), kind, outline)


def _decoded(part: Any) -> str:
    data = part.get_payload(decode=True) or b""
    try:
        return str(data.decode(part.get_content_charset("utf-8"))).replace("\r\n", "\n")
    except (LookupError, UnicodeDecodeError):
        return decode(data, markup=True)


def _body(text: str, kind: str, outline: Outline) -> None:
    if kind != "text/html":
        paragraphs(text, outline)
    elif (root := html.tree(text)) is not None:
        html.walk(root, outline)


def _msg(path: Path) -> Parsed:
    from oxmsg import Message

    message = Message.load(str(path))
    headers = message.message_headers
    if "encrypted" in headers.get("Content-Type", "") or "SMIME" in (message.message_class or ""):
        raise Unreadable(_ENCRYPTED)
    outline = Outline(letter=True)
    if message.html_body:
        _body(message.html_body, "text/html", outline)
    elif message.body:
        _body(message.body.replace("\r\n", "\n"), "text/plain", outline)
    sent = message.sent_date
    properties = {
        "from": message.sender or "",
        "to": ", ".join(recipient.email_address for recipient in message.recipients),
        "cc": headers.get("Cc", ""),
        "date": sent.isoformat() if sent else "",
        "attachments": ", ".join(filter(None, (item.file_name for item in message.attachments))),
    }
    return outline.parsed(
        title=message.subject or "", properties={name: value for name, value in properties.items() if value}
    )
