"""Signed links: addresses that let a person act on a document without a password, for a time.

A token is ``PAYLOAD.MAC`` in base64url: JSON with the hash of the person, the document's id and the second at
which it ends, and an HMAC-SHA256 under a secret of the ledger. It holds no name and no path.
"""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from typing import NamedTuple


class Grant(NamedTuple):
    """What a link lets its bearer do: answer for a person."""

    person: str
    """Keyed hash of the person's name."""
    document_id: str
    """The only document that it is about; "" for all of the person's."""
    until: datetime


class BadLink(Exception):
    """The link was altered, or has ended. The message is a sentence for people."""


def sign(secret: bytes, grant: Grant) -> str:
    body = json.dumps([grant.person, grant.document_id, int(grant.until.timestamp())]).encode()
    return f"{_text(body)}.{_text(hmac.digest(secret, body, 'sha256'))}"


def read(secret: bytes, token: str, now: datetime) -> Grant:
    """The grant of a token. Raises BadLink."""
    body, _, mac = token.partition(".")
    try:
        payload = _bytes(body)
        if not hmac.compare_digest(hmac.digest(secret, payload, "sha256"), _bytes(mac)):
            raise ValueError
        person, document_id, until = json.loads(payload)
        grant = Grant(str(person), str(document_id), datetime.fromtimestamp(until, UTC))
    except (ValueError, TypeError, OverflowError) as error:
        raise BadLink("This link is not whole, or was not made here. Take it from the mail again.") from error
    if now >= grant.until:
        raise BadLink(f"This link ended on {grant.until:%Y-%m-%d}. The next mail has a new one.")
    return grant


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _text(data) != text:
        raise ValueError("several texts stand for these bytes")
    return data
