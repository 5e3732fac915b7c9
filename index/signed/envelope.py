"""DSSE envelopes, version 1: a payload of a named type, and signatures over both.

    {"payload": base64, "payloadType": text, "signatures": [{"keyid": text, "sig": base64}]}

A signature covers the *pre-authentication encoding* of type and payload, so that neither can be taken for the
other. The payload is parsed after its signature was checked, not before.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from index.errors import SignatureError
from index.signed import strict
from index.signed.key import PublicKey, SigningKey


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, and its signatures, none of which was checked."""

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]
    """(key id, signature); a key id is a hint, and may be empty."""

    def opened(self, keys: Iterable[PublicKey], payload_type: str) -> bytes:
        """The payload, once it is known to be of this type and signed by one of the keys. Raises
        SignatureError."""
        if self.payload_type != payload_type:
            raise SignatureError(f"The envelope holds {self.payload_type[:100]!r}, and not {payload_type!r}.")
        if self.signer(keys) is None:
            raise SignatureError("The envelope is not signed by this key, or was altered since.")
        return self.payload

    def signer(self, keys: Iterable[PublicKey]) -> PublicKey | None:
        """The first of these keys that has signed it."""
        encoded = pae(self.payload_type, self.payload)
        return next((k for k in keys if any(k.verifies(made, encoded) for _, made in self.signatures)), None)


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed."""
    name = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def seal(payload_type: str, payload: bytes, key: SigningKey) -> str:
    """The payload in an envelope that this key has signed, as JSON."""
    made = {"keyid": key.public.key_id, "sig": _b64(key.sign(pae(payload_type, payload)))}
    found = {"payload": _b64(payload), "payloadType": payload_type, "signatures": [made]}
    return json.dumps(found, indent=2) + "\n"


def parse(text: str | bytes) -> Envelope:
    """Raises SignatureError for what is no envelope. Keys that are not known are passed over, as the
    specification asks; a key that is there twice is refused."""
    found = strict_json(text, "envelope")
    payload, payload_type, signatures = (found.get(k) for k in ("payload", "payloadType", "signatures"))
    if not isinstance(payload_type, str) or not isinstance(signatures, list) or not signatures:
        raise _not_an_envelope()
    made = []
    for signature in signatures:
        if not isinstance(signature, dict) or not isinstance(signature.get("keyid", ""), str):
            raise _not_an_envelope()
        made.append((signature.get("keyid", ""), _unb64(signature.get("sig"))))
    return Envelope(payload_type, _unb64(payload), tuple(made))


def strict_json(text: str | bytes, what: str) -> dict[str, Any]:
    """A JSON object in UTF-8 in which no key is there twice and every number is one. Raises SignatureError,
    with `what` it should have been."""
    try:
        return strict.loads(text)
    except ValueError as error:
        raise SignatureError(f"This is no {what}: {error}.") from error


def _not_an_envelope() -> SignatureError:
    return SignatureError("This is no DSSE envelope: payload, payloadType and signatures.")


def _b64(data: bytes) -> str:
    return b64encode(data).decode()


def _unb64(text: object) -> bytes:
    """Standard and URL-safe base64 are both allowed."""
    if not isinstance(text, str):
        raise _not_an_envelope()
    try:
        return b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _not_an_envelope() from error
