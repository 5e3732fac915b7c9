"""The seam between the connector and a protocol: what a server is asked, and how it fails.

Errors carry a clause, without a full stop: the connector makes sentences of them, which name the place or the
document::

    Trouble
    ├── Unusable   nothing can be asked: the host key is unknown, the password refused, a package missing
    ├── Dropped    no answer, or "later": the same question may be answered once it is asked again
    ├── Missing    there is nothing at this path
    ├── Refused    it may not be read
    ├── Changed    it is another version than the one that was asked for
    └── Failed     anything else
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import SecretStr

from connectors.base import Detection
from connectors.remote.settings import Address

#: Seconds that an answer is waited for: a connection, a part of a listing, a block of bytes.
TIMEOUT_SECONDS = 30.0
#: Bytes of a block that is asked for.
BLOCK = 1 << 18

Names = tuple[str, ...]
"""The names that lead from the root to a file or folder, as `os.fsdecode` gives them; none for the root."""


class Trouble(Exception):
    """Base of what a server raises. The message is a clause without a full stop."""


class Unusable(Trouble):
    """Nothing can be asked, and waiting does not help."""


class Dropped(Trouble):
    """There was no answer, or one that asks to come again."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after
        """Seconds that the server asks to be left alone for."""


class Missing(Trouble):
    """There is nothing at this path, or it is no folder."""

    def __init__(self, why: str = "it does not exist") -> None:
        super().__init__(why)


class Refused(Trouble):
    """It exists, perhaps, and may not be read."""


class Changed(Trouble):
    """It is not the version that was asked for, or it is being written."""


class Failed(Trouble):
    """The server gave an answer that is no use."""


class Item(NamedTuple):
    """One name of a folder."""

    name: str
    """As `os.fsdecode` gives it: bytes that are not UTF-8 are lone surrogates."""
    kind: Literal["file", "folder", "other", "unknown"]
    """`other`: a link, a device, a pipe. `unknown`: the server does not say, or may not."""
    size: int | None = None
    """Bytes."""
    modified_at: int | None = None
    """Nanoseconds since the epoch, UTC, by the server's clock."""
    token: str | None = None
    """Of files; as in `connectors.base.Entry`."""
    native_id: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """The settings that a server is reached by, files resolved."""

    address: Address
    username: str | None
    password: SecretStr | None
    key_file: Path | None
    passphrase: SecretStr | None
    known_hosts: Path
    ca_file: Path | None
    hidden: bool

    @property
    def secret(self) -> str:
        return "" if self.password is None else self.password.get_secret_value()

    @property
    def login(self) -> str:
        """The user, for a message."""
        return "without a user name" if self.username is None else f"as user {self.username!r}"


class Server(ABC):
    """A folder on a server. It connects when it is first asked, and again after `close`. Every method may
    raise `Trouble`. Used by one thread at a time, not always the same."""

    token: Literal["mtime", "etag"] = "mtime"
    detects: frozenset[Detection] = frozenset({"dates"})
    """Grows when the server turns out to give file ids."""

    def __init__(self, access: Access) -> None:
        self.access = access

    @abstractmethod
    def root(self) -> str:
        """What tells the root from another folder at the same address (a file id, the real path), "" where
        nothing does. Raises Missing when it is not a folder."""

    @abstractmethod
    def scan(self, path: Names) -> Sequence[Item]:
        """All names of a folder, in any order."""

    @abstractmethod
    def look(self, path: Names) -> Item:
        """One file or folder, as `scan` of the folder above shows it. Raises Missing when it is not there, or
        when links lead to it."""

    @abstractmethod
    def read(self, path: Names, item: Item) -> Generator[bytes, None, None]:
        """The bytes of this version of a file, in blocks. Raises Changed when it is another one, as far as
        the protocol tells. Closing the iterator ends the transfer."""

    def time(self) -> int | None:
        """The server's clock now, nanoseconds since the epoch; None when the protocol does not tell."""
        return None

    @abstractmethod
    def close(self) -> None:
        """End the connection, if there is one. Raises nothing."""
