"""SFTP, by asyncssh: host keys are checked, links are not followed.

The protocol's time is in whole seconds, and it has no file ids. asyncssh runs in fsspec's loop, which has a
thread of its own: so any thread may ask, and a fork starts a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import asyncssh
from fsspec.asyn import get_loop, sync
from fsspec.exceptions import FSTimeoutError

from connectors.remote.server import (
    BLOCK,
    TIMEOUT_SECONDS,
    Access,
    Changed,
    Dropped,
    Failed,
    Item,
    Missing,
    Names,
    Refused,
    Server,
    Trouble,
    Unusable,
)

_KINDS = {
    asyncssh.FILEXFER_TYPE_REGULAR: "file",
    asyncssh.FILEXFER_TYPE_DIRECTORY: "folder",
    asyncssh.FILEXFER_TYPE_UNKNOWN: "unknown",
}
_GONE = (
    asyncssh.SFTPNoSuchFile,
    asyncssh.SFTPNoSuchPath,
    asyncssh.SFTPNotADirectory,
    asyncssh.SFTPLinkLoop,
    asyncssh.SFTPInvalidFilename,
)
_LOST = (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.ChannelOpenError, OSError)

Answer = TypeVar("Answer")


class SftpServer(Server):
    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None

    def root(self) -> str:
        async def ask(client: asyncssh.SFTPClient) -> str:
            path = self._full(())
            attributes = await client.stat(path)
            if attributes.type != asyncssh.FILEXFER_TYPE_DIRECTORY:
                raise Missing
            real = await client.realpath(path)
            assert isinstance(real, str)
            try:
                return f"{real!r}, file system {(await client.statvfs(path)).fsid:x}"
            except asyncssh.SFTPError:
                # It is an extension of OpenSSH's.
                return repr(real)

        return self._ask(ask)

    def scan(self, path: Names) -> list[Item]:
        async def ask(client: asyncssh.SFTPClient) -> list[Item]:
            listing: AsyncIterator[asyncssh.SFTPName] = client.scandir(self._full(path))
            found: list[Item] = []
            while True:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    name = await anext(listing, None)
                if name is None:
                    return found
                if name.filename not in (".", ".."):
                    assert isinstance(name.filename, str)
                    found.append(_item(name.filename, name.attrs))

        return self._ask(ask, limited=False)

    def look(self, path: Names) -> Item:
        async def ask(client: asyncssh.SFTPClient) -> Item:
            # All at once, which takes one round trip: none on the way may be a link.
            asked = (client.lstat(self._full(path[:count])) for count in range(1, len(path) + 1))
            *above, last = await asyncio.gather(*asked, return_exceptions=True)
            for one in above:
                if isinstance(one, BaseException):
                    raise one
                if one.type != asyncssh.FILEXFER_TYPE_DIRECTORY:
                    raise Missing
            if isinstance(last, BaseException):
                raise last
            return _item(path[-1], last)

        return self._ask(ask)

    def read(self, path: Names, item: Item) -> Generator[bytes, None, None]:
        file = self._ask(lambda client: client.open(self._full(path), "rb"))
        try:
            attributes = self._ask(lambda _: file.stat())
            if _item(path[-1], attributes) != item:
                raise Changed("it changed meanwhile")
            while block := self._ask(lambda _: file.read(BLOCK)):
                assert isinstance(block, bytes)
                yield block
        except Dropped:
            self.close()
            raise
        finally:
            # Not over a new connection, if this one was lost.
            if self._connection is not None:
                with suppress(Trouble):
                    self._ask(lambda _: file.close())

    def close(self) -> None:
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            with suppress(Exception):
                sync(get_loop(), _closed, connection, timeout=TIMEOUT_SECONDS)

    def _full(self, path: Names) -> str:
        names = (*self.access.address.path, *path)
        if names[:1] == ("~",):
            return "/".join(names[1:]) or "."
        return f"/{'/'.join(names)}"

    def _ask(
        self, question: Callable[[asyncssh.SFTPClient], Awaitable[Answer]], *, limited: bool = True
    ) -> Answer:
        """The answer over the open connection, or a new one. `limited` limits it as a whole."""
        if self._client is None:
            self._connect()
        with _troubles():
            found: Answer = sync(
                get_loop(), _called, question, self._client, timeout=TIMEOUT_SECONDS if limited else None
            )
        return found

    def _connect(self) -> None:
        options = self._options()
        address = self.access.address
        try:
            with _troubles():
                self._connection, self._client = sync(
                    get_loop(), _connected, address.host, options, timeout=2 * TIMEOUT_SECONDS
                )
        except asyncssh.HostKeyNotVerifiable as error:
            raise Unusable(self._distrusted()) from error
        except asyncssh.PermissionDenied as error:
            raise Unusable(
                f"the server refuses to log in {self.access.login}; check username, and key_file or password"
            ) from error
        except (asyncssh.KeyExchangeFailed, asyncssh.ProtocolNotSupported) as error:
            raise Unusable(f"the server speaks no kind of SSH that is known here ({error.reason})") from error
        except asyncssh.DisconnectError as error:
            raise Dropped(f"the connection ended ({error.reason})") from error
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise Unusable(
                f"the private key cannot be read ({error}); check key_file, and passphrase if it is encrypted"
            ) from error
        except ValueError as error:
            raise Unusable(f"known_hosts or the configuration of ssh cannot be read ({error})") from error

    def _options(self) -> dict[str, Any]:
        access = self.access
        for name, file in (("key_file", access.key_file), ("known_hosts", access.known_hosts)):
            if file is not None and not file.is_file():
                hint = f"; to add the host's key: {self._keyscan()}" if name == "known_hosts" else ""
                raise Unusable(f"{name} {str(file)!r} does not exist{hint}")
        options: dict[str, Any] = {
            "known_hosts": str(access.known_hosts),
            "connect_timeout": TIMEOUT_SECONDS,
            "login_timeout": TIMEOUT_SECONDS,
            "keepalive_interval": TIMEOUT_SECONDS / 2,
        }
        if access.address.port is not None:
            options["port"] = access.address.port
        if access.username is not None:
            options["username"] = access.username
        if access.passphrase is not None:
            options["passphrase"] = access.passphrase.get_secret_value()
        if access.key_file is not None:
            options |= {"client_keys": [str(access.key_file)], "agent_path": None}
        if access.password is not None:
            options["password"] = access.secret
            if access.key_file is None:
                # A server counts each key that it does not know as a failed attempt.
                options |= {"client_keys": None, "agent_path": None}
        return options

    def _distrusted(self) -> str:
        address, file = self.access.address, self.access.known_hosts
        known = asyncssh.match_known_hosts(str(file), address.host, "", address.port or 22)
        if known[0]:
            return (
                f"the server's host key is another one than {str(file)!r} has for it: somebody may be in "
                "between. Ask its administrator before you replace the old key"
            )
        return (
            f"the server's host key is not in {str(file)!r}; compare its fingerprint with its "
            f"administrator's, and add it: {self._keyscan()}"
        )

    def _keyscan(self) -> str:
        address = self.access.address
        port = "" if address.port is None else f"-p {address.port} "
        return f"ssh-keyscan {port}{address.host} >> {self.access.known_hosts}"


async def _connected(
    host: str, options: dict[str, Any]
) -> tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient]:
    connection = await asyncssh.connect(host, **options)
    try:
        # Names that are not UTF-8 are names, too.
        client = await connection.start_sftp_client(path_encoding="utf-8", path_errors="surrogateescape")
    except BaseException:
        connection.abort()
        raise
    return connection, client


async def _called(
    question: Callable[[asyncssh.SFTPClient], Awaitable[Answer]], client: asyncssh.SFTPClient
) -> Answer:
    return await question(client)


async def _closed(connection: asyncssh.SSHClientConnection) -> None:
    connection.close()
    try:
        async with asyncio.timeout(2):
            await connection.wait_closed()
    except TimeoutError:
        connection.abort()


@contextmanager
def _troubles() -> Iterator[None]:
    """Turns asyncssh's errors about an open connection into ours."""
    try:
        yield
    except _GONE as error:
        raise Missing from error
    except asyncssh.SFTPPermissionDenied as error:
        raise Refused("the server forbids it to this user") from error
    except (FSTimeoutError, TimeoutError) as error:
        raise Dropped(f"the server did not answer within {TIMEOUT_SECONDS:.0f} seconds") from error
    except (asyncssh.ConnectionLost, *_LOST) as error:
        raise Dropped(f"the connection failed ({error})") from error
    except asyncssh.SFTPError as error:
        raise Failed(f"the server answers: {error.reason or type(error).__name__}") from error


def _item(name: str, attributes: asyncssh.SFTPAttrs) -> Item:
    kind: Any = _KINDS.get(attributes.type, "other")
    if kind != "file":
        return Item(name, kind)
    size, seconds = attributes.size, attributes.mtime
    if seconds is None:
        return Item(name, kind, size)
    modified_at = int(seconds) * 1_000_000_000 + (attributes.mtime_ns or 0)
    return Item(name, kind, size, modified_at, None if size is None else f"{size}-{modified_at}")
