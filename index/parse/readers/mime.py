"""Mails as MIME has them, and as programs write them: bytes of any encoding in headers, forwarded mails that
are encoded once more."""

from __future__ import annotations

import email
from email.message import EmailMessage
from email.policy import EmailPolicy
from functools import lru_cache
from typing import Any

from index.parse.outline import Unreadable
from index.parse.readers.text import decode

#: A mail inside of another one.
FORWARDED = frozenset({"message/rfc822", "message/global"})


class _Mail(EmailMessage):
    def get_content_maintype(self) -> str:
        """A message is parsed as it stands; a forwarded one that was encoded stays bytes until `parts`."""
        packed = self.get_content_type() in FORWARDED and is_encoded(self)
        return "application" if packed else super().get_content_maintype()


class _Policy(EmailPolicy):
    def header_fetch_parse(self, name: str, value: str) -> Any:
        return super().header_fetch_parse(name, value if value.isascii() else _readable(value))


@lru_cache(maxsize=100)
def _readable(value: str) -> str:
    """What the bytes of a header say, read as a text file is; as they are where they are no text."""
    try:
        return decode(value.encode("utf-8", "surrogateescape"))
    except Unreadable:
        return value


_POLICY: Any = _Policy(message_factory=_Mail)


def message(data: bytes) -> EmailMessage:
    """A mail. Headers whose bytes are no ASCII are decoded as texts are."""
    found: EmailMessage = email.message_from_bytes(data, policy=_POLICY)
    return found


def is_encoded(part: Any) -> bool:
    """Whether a part was made ASCII to be sent."""
    return _encoding(part) in ("base64", "quoted-printable")


def parts(part: Any) -> list[Any]:
    """The parts of one that has some. A forwarded mail that was encoded is decoded, though no standard allows
    it."""
    if part.is_multipart() or part.get_content_type() not in FORWARDED:
        return list(part.iter_parts())
    if _encoding(part) == "base64" and ":" in part.get_payload():
        # It was not encoded, whatever it says: base64 has no colons, and headers have.
        del part["content-transfer-encoding"]
    return [message(part.get_payload(decode=True) or b"")]


def _encoding(part: Any) -> str:
    return str(part.get("content-transfer-encoding", "")).strip().lower()
