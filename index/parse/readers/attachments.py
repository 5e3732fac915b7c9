"""The files that are attached to a mail, as its parts hold them.

A file is attached when a person put it there: neither the pictures that the text shows nor signatures over
it are, and a text without that disposition is a part of the body. Files of a forwarded mail are the mail's,
as its text is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from index.model import ATTACHMENTS_MAX
from index.parse.outline import Unreadable, squeeze
from index.parse.readers import mime

ENCRYPTED = "The message is encrypted."
#: A forwarded mail in a multipart mail takes two or three levels.
DEPTH_MAX = 100
#: Signatures over a mail, which its program checks.
_SIGNATURES = frozenset({
    "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature",
})  # fmt: skip
#: What S/MIME calls encrypted.
_ENVELOPES = frozenset({"enveloped-data", "authenveloped-data"})
#: A picture by its Content-ID, as HTML refers to it.
_SHOWN = re.compile(rb"cid:([^\"'\s>)]+)", re.IGNORECASE)
#: Outlook's tags of an attachment: whether it is hidden, and its Content-ID.
_HIDDEN, _CONTENT_ID = 0x7FFE, 0x3712


@dataclass(frozen=True, slots=True)
class File:
    """An attached file."""

    name: str
    """As the mail says it; "" where it says none."""
    content_type: str
    data: Callable[[], bytes]


def encrypted(part: Any) -> bool:
    smime = str(part.get_param("smime-type", "")).lower()
    return part.get_content_type() == "multipart/encrypted" or smime in _ENVELOPES


def files(message: Any) -> list[File]:
    """The attached files of a mail, in its order. Raises Unreadable when it is encrypted."""
    leaves = [*_leaves(message, 0)]
    attached = [part for part in leaves if _is_attached(part)]
    named = any(_is_picture(part) and part.get("content-id") for part in attached)
    shown = _shown(leaves) if named else frozenset()
    return [_file(part) for part in attached if not (_is_picture(part) and _is_shown(part, shown))]


def _leaves(part: Any, depth: int) -> Iterator[Any]:
    if encrypted(part):
        raise Unreadable(ENCRYPTED)
    if depth > DEPTH_MAX:
        return
    inside = mime.parts(part)
    for inner in inside:
        yield from _leaves(inner, depth + 1)
    if not inside:
        yield part


def _is_attached(part: Any) -> bool:
    kind = part.get_content_type()
    if kind.startswith("multipart/") or kind in _SIGNATURES:
        return False
    return bool(part.is_attachment()) or not kind.startswith("text/")


def _is_picture(part: Any) -> bool:
    return bool(part.get_content_maintype() == "image")


def _shown(leaves: Sequence[Any]) -> frozenset[str]:
    """The Content-IDs that the HTML of a mail refers to."""
    pages = (part for part in leaves if part.get_content_type() == "text/html")
    found = (one for page in pages for one in _SHOWN.findall(page.get_payload(decode=True) or b""))
    return frozenset(one.decode("ascii", "replace").lower() for one in found)


def _is_shown(picture: Any, shown: frozenset[str]) -> bool:
    """Whether a picture is a part of the text: shown in its place, or named by it."""
    named = str(picture.get("content-id", "")).strip().strip("<>").lower()
    disposition = picture.get_content_disposition()
    return disposition == "inline" or named in shown or bool(named and disposition != "attachment")


def _file(part: Any) -> File:
    return File(
        part.get_filename() or "",
        part.get_content_type(),
        lambda: part.get_payload(decode=True) or b"",
    )


def files_of_msg(message: Any) -> list[File]:
    """The attached files of an Outlook message; what is attached without bytes of its own is none."""
    page = (message.html_body or "").encode("utf-8", "replace")
    shown = frozenset(one.decode("ascii", "replace").lower() for one in _SHOWN.findall(page))
    found = []
    for item in message.attachments:
        named = (item.properties.str_prop_value(_CONTENT_ID) or "").strip("<>").lower()
        hidden = named in shown or bool(item.properties.int_prop_value(_HIDDEN))
        kind = item.mime_type or ""
        if item.file_bytes is not None and not hidden and kind not in _SIGNATURES:
            found.append(File(item.file_name or "", kind, partial(bytes, item.file_bytes)))
    return found


def left_out(attached: Sequence[File]) -> list[str]:
    """Sentences on attached files that are too many to be documents."""
    if len(attached) <= ATTACHMENTS_MAX:
        return []
    return [f"Of its {len(attached):,} attachments only the first {ATTACHMENTS_MAX} are documents."]


def without_bytes(message: Any) -> list[str]:
    """Sentences on what is attached to an Outlook message and is no file: another message, an object."""
    names = [item.file_name or "" for item in message.attachments if item.file_bytes is None]
    return [f"The attached item {squeeze(name) or 'without a name'} cannot be read." for name in names[:9]]
