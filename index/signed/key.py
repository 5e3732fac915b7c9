"""Ed25519 keys: made once, kept in a file for their owner alone, told to others by their public half."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index.disk.atomic import sync_folder
from index.disk.private import private_folder
from index.errors import SignatureError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: The key that is made in the state folder.
NAME = "signing.pem"

#: A public key in DER begins with this (RFC 8410), and 32 bytes follow.
_SPKI = bytes.fromhex("302a300506032b6570032100")
_RAW = 32
#: A PEM file of a key has some hundred bytes.
_LARGEST = 10_000


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a key."""

    raw: bytes
    """32 bytes, as RFC 8032 encodes them."""

    @classmethod
    def of_pem(cls, text: str) -> PublicKey:
        """The key of a text that is as `pem` writes it. Raises ValueError for any other."""
        from base64 import b64decode

        found = cls(b64decode("".join(text.split("\n")[1:-2]))[len(_SPKI) :])
        if len(found.raw) != _RAW or found.pem != text:
            raise ValueError("it is no public key of Ed25519 in PEM")
        return found

    @property
    def pem(self) -> str:
        """As `openssl` reads it."""
        from base64 import b64encode

        body = b64encode(_SPKI + self.raw).decode()
        return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"

    @property
    def key_id(self) -> str:
        """SHA-256 of the key in DER, in hex."""
        return hashlib.sha256(_SPKI + self.raw).hexdigest()

    def verifies(self, signature: bytes, data: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """A key with its private half."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = PublicKey(private.public_key().public_bytes_raw())

    def sign(self, data: bytes) -> bytes:
        """A signature of 64 bytes."""
        return self._private.sign(data)


def load(path: Path) -> SigningKey:
    """The key in a PEM file (PKCS #8). Raises SignatureError when there is none, or all may read it."""
    content = _read(path)
    if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
        raise SignatureError(f"Every user may read or write the key {path}. Close it with: chmod 600 {path}")
    return SigningKey(_private(content, path))


def load_or_make(path: Path) -> SigningKey:
    """The key in this file, which is made, with mode 0600, when it is missing. Processes that come at once
    agree on one key. Raises SignatureError."""
    if not path.exists():
        try:
            private_folder(path.parent)
            _make(path)
        except OSError as error:
            raise SignatureError(f"The key {path} cannot be made: {error.strerror or error}.") from error
    return load(path)


def read_public(path: Path) -> PublicKey:
    """The public half of a key in a PEM file, of either half. Raises SignatureError."""
    content = _read(path)
    if b"PRIVATE KEY" in content:
        return SigningKey(_private(content, path)).public
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        public = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _not_a_key(path) from error
    if not isinstance(public, Ed25519PublicKey):
        raise _not_a_key(path)
    return PublicKey(public.public_bytes_raw())


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    made = Ed25519PrivateKey.generate()
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # mkstemp's files are 0600, whatever the folder grants.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(handle)
        # A link never replaces the key of a process that was faster.
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
        sync_folder(path.parent)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise SignatureError(f"The key {path} cannot be read: {error.strerror or error}.") from error


def _private(content: bytes, path: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # TypeError: it is encrypted.
        raise _not_a_key(path) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise _not_a_key(path)
    return private


def _not_a_key(path: Path) -> SignatureError:
    return SignatureError(
        f"{path} holds no Ed25519 key in PEM without a passphrase. Make one with: openssl genpkey -algorithm "
        f"ed25519 -out FILE"
    )
