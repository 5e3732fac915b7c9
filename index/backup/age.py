"""Encryption by age (https://age-encryption.org), so that the `age` program opens a backup as well.

Files are encrypted for an X25519 key that is made for each backup, as a passphrase of age's own takes a
second and as much memory as the whole file. The key lies beside them, encrypted by the passphrase; or the
files are encrypted for the given recipient besides, and the key is forgotten.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

from index.errors import ConfigError, Refused
from index.redact import remember


class Writes(Protocol):
    def write(self, data: bytes, /) -> object: ...


class Key:
    """The key that opens a backup's files, and those for whom they are encrypted."""

    def __init__(self, identity: Any, *recipients: Any) -> None:
        self._identity = identity
        self._recipients = [identity.to_public(), *recipients]

    @classmethod
    def made(cls, recipient: str | None = None) -> Self:
        """A new key, for files that a recipient (``age1…``) can open as well. Raises ConfigError when it is
        none."""
        from pyrage import RecipientError, x25519

        try:
            others = [] if recipient is None else [x25519.Recipient.from_str(recipient)]
        except RecipientError as error:
            raise ConfigError(
                f"{recipient} is no recipient of age's: {error}. It begins with age1; `age-keygen` prints it "
                "as the public key."
            ) from error
        return cls(x25519.Identity.generate(), *others)

    @classmethod
    def unsealed(cls, sealed: bytes, passphrase: str) -> Self:
        """The key that `sealed` returned. Raises ConfigError for another passphrase."""
        from pyrage import DecryptError, x25519
        from pyrage import passphrase as by_passphrase

        remember({"passphrase": passphrase})
        try:
            return cls(x25519.Identity.from_str(by_passphrase.decrypt(sealed, passphrase).decode().strip()))
        except DecryptError as error:
            raise ConfigError(
                f"The backup does not open with this passphrase ({error}). Nothing was restored."
            ) from error

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """The key in an identity file as `age-keygen` writes it. Raises ConfigError when it holds none."""
        from pyrage import IdentityError, x25519

        try:
            lines = path.read_text("utf-8").split()
            return cls(x25519.Identity.from_str(next(s for s in lines if s.startswith("AGE-SECRET-KEY-"))))
        except (OSError, UnicodeDecodeError, StopIteration, IdentityError) as error:
            raise ConfigError(
                f"{path} holds no key of age's: a line that begins with AGE-SECRET-KEY-, as `age-keygen` "
                "writes it."
            ) from error

    def sealed(self, passphrase: str) -> bytes:
        """The key behind the passphrase, as an identity file that `age -i` takes. Takes a second and some
        hundred MB of memory, as guessing shall."""
        from pyrage import passphrase as by_passphrase

        remember({"passphrase": passphrase})
        sealed: bytes = by_passphrase.encrypt(f"{self._identity}\n".encode(), passphrase, armored=True)
        return sealed

    def encrypt(self, plain: Iterator[bytes], file: Writes) -> None:
        """Write the pieces to the file, encrypted. Raises what the iterator raises."""
        from pyrage import encrypt_io

        source = _Pieces(plain)
        try:
            encrypt_io(io.BufferedReader(source), file, self._recipients)
        except Exception:
            # It wraps the failure of its source in an error of its own.
            if source.failure is not None:
                raise source.failure from None
            raise

    @contextmanager
    def decrypted(self, file: BinaryIO, name: str) -> Iterator[BinaryIO]:
        """The content of an encrypted file; of what was read before damage shows, every byte is right.

        Raises ConfigError when the file is not for this key, Refused when it is damaged.
        """
        from pyrage import DecryptError, decrypt_io

        reading, writing = os.pipe()
        failures: list[Exception] = []

        def pour() -> None:
            try:
                with os.fdopen(writing, "wb") as plain:
                    decrypt_io(file, plain, [self._identity])
            except BrokenPipeError:
                pass  # The reader had enough.
            except (DecryptError, OSError) as error:
                failures.append(error)

        thread = threading.Thread(target=pour, name="freshkb-decrypt", daemon=True)
        thread.start()
        try:
            with os.fdopen(reading, "rb") as content:
                yield content
        except (EOFError, OSError):
            thread.join()
            if not failures:
                raise
        finally:
            thread.join()
        if failures and isinstance(failures[0], DecryptError):
            raise ConfigError(
                f"{name} does not open with this key ({failures[0]}). Nothing was restored."
            ) from failures[0]
        if failures:
            raise Refused(f"{name} is damaged: {failures[0]}. Nothing was restored.") from failures[0]


class _Pieces(io.RawIOBase):
    """A file whose content an iterator gives."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            while not self._left:
                piece = next(self._pieces, None)
                if piece is None:
                    return 0
                self._left = memoryview(piece)
        except BaseException as error:
            self.failure = error
            raise
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count
