"""SMB 2 and 3, by smbprotocol: a folder's names come with their sizes, times and file ids.

The change time is a part of the token, as writers may set the modification time back. Files are opened so
that others may go on reading, writing and removing them.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import smbclient
from smbprotocol.exceptions import (
    LogonFailure,
    SMBAuthenticationError,
    SMBException,
    SMBOSError,
    SMBResponseException,
)
from smbprotocol.header import NtStatus

from connectors.base import Detection
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

_FOLDER, _REPARSE = 0x10, 0x400
#: The bit of reparse tags that stand for another name: links and junctions. Others, as deduplication has
#: them, are files.
_SURROGATE = 0x20000000
#: File ids of a server that has none, or none that is one file's alone (MS-FSCC 2.1.9).
_NO_ID = (0, 0xFFFF_FFFF_FFFF_FFFF)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GONE = frozenset(
    {
        NtStatus.STATUS_NO_SUCH_FILE,
        NtStatus.STATUS_NOT_FOUND,
        NtStatus.STATUS_OBJECT_NAME_INVALID,
        NtStatus.STATUS_OBJECT_NAME_NOT_FOUND,
        NtStatus.STATUS_OBJECT_PATH_INVALID,
        NtStatus.STATUS_OBJECT_PATH_NOT_FOUND,
        NtStatus.STATUS_OBJECT_PATH_SYNTAX_BAD,
        NtStatus.STATUS_NOT_A_DIRECTORY,
        NtStatus.STATUS_BAD_NETWORK_NAME,
    }
)
_REFUSED = frozenset({NtStatus.STATUS_ACCESS_DENIED, NtStatus.STATUS_PRIVILEGE_NOT_HELD})
_LOGIN = frozenset(
    {NtStatus.STATUS_LOGON_FAILURE, NtStatus.STATUS_WRONG_PASSWORD, NtStatus.STATUS_PASSWORD_EXPIRED}
)
_BUSY = frozenset(
    {
        NtStatus.STATUS_SHARING_VIOLATION,
        NtStatus.STATUS_DELETE_PENDING,
        NtStatus.STATUS_FILE_IS_A_DIRECTORY,
    }
)
_LATER = frozenset(
    {
        NtStatus.STATUS_NETWORK_NAME_DELETED,
        NtStatus.STATUS_USER_SESSION_DELETED,
        NtStatus.STATUS_INSUFF_SERVER_RESOURCES,
        NtStatus.STATUS_INSUFFICIENT_RESOURCES,
        NtStatus.STATUS_REQUEST_NOT_ACCEPTED,
        NtStatus.STATUS_IO_TIMEOUT,
        NtStatus.STATUS_SERVER_UNAVAILABLE,
        NtStatus.STATUS_FILE_CLOSED,
    }
)


class SmbServer(Server):
    detects: frozenset[Detection] = frozenset({"dates", "renames"})

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._connections: dict[str, Any] = {}
        self._folders: set[Names] = set()
        """Folders that were seen to be no links, since the root was looked at last."""

    def root(self) -> str:
        self._folders.clear()
        with self._asked() as options:
            found = smbclient.stat(self._full(()), **options)
        if not found.st_file_attributes & _FOLDER:
            raise Missing
        return f"volume {found.st_dev:x}, file id {found.st_ino}"

    def scan(self, path: Names) -> list[Item]:
        found = self._names(path, "*")
        self._folders.add(path)
        return found

    def look(self, path: Names) -> Item:
        for count in range(1, len(path)):
            if path[:count] not in self._folders:
                if self._described(path[:count]).kind != "folder":
                    raise Missing
                self._folders.add(path[:count])
        return self._described(path)

    def read(self, path: Names, item: Item) -> Generator[bytes, None, None]:
        with self._asked() as options:
            file = smbclient.open_file(self._full(path), "rb", buffering=0, share_access="rwd", **options)
        try:
            while True:
                with self._asked():
                    block = file.read(BLOCK)
                if not block:
                    return
                yield block
        finally:
            # Not over a new connection, if this one was lost.
            if self._connections:
                with suppress(Trouble), self._asked():
                    file.close()

    def close(self) -> None:
        smbclient.reset_connection_cache(fail_on_error=False, connection_cache=self._connections)
        self._connections.clear()

    def _described(self, path: Names) -> Item:
        """As the listing above shows it, so that both say the same."""
        name = path[-1]
        if "\\" in name:
            raise Missing
        for item in self._names(path[:-1], name):
            if item.name == name:
                return item
        raise Missing

    def _names(self, path: Names, pattern: str) -> list[Item]:
        with (
            self._asked() as options,
            closing(smbclient.scandir(self._full(path), search_pattern=pattern, **options)) as names,
        ):
            return [_item(name.smb_info) for name in names]

    def _full(self, path: Names) -> str:
        names = (*self.access.address.path, *path)
        if any("\\" in name for name in names):
            raise Missing
        return "\\".join([f"\\\\{self.access.address.host}", *names])

    @contextmanager
    def _asked(self) -> Iterator[dict[str, Any]]:
        """Around one question, with the options of smbclient's functions. A server that does not answer it in
        time loses the connection: the library would wait for ten minutes, or for ever."""
        options = {
            "username": self.access.username,
            "password": None if self.access.password is None else self.access.secret,
            "port": self.access.address.port or 445,
            "connection_timeout": TIMEOUT_SECONDS,
            "connection_cache": self._connections,
        }
        late = threading.Event()
        timer = threading.Timer(TIMEOUT_SECONDS, self._cut, (late,))
        timer.daemon = True
        timer.start()
        try:
            with self._troubles(late):
                yield options
        finally:
            timer.cancel()

    def _cut(self, late: threading.Event) -> None:
        late.set()
        for connection in list(self._connections.values()):
            connection.transport.close()

    @contextmanager
    def _troubles(self, late: threading.Event) -> Iterator[None]:
        """Turns smbprotocol's errors into ours."""
        login = f"the server refuses to log in {self.access.login}; check username and password"
        try:
            yield
        except (LogonFailure, SMBAuthenticationError) as error:
            raise Unusable(login) from error
        except (SMBOSError, SMBResponseException) as error:
            status = error.ntstatus if isinstance(error, SMBOSError) else error.status
            if status in _GONE:
                raise Missing from error
            if status in _REFUSED:
                raise Refused("the server forbids it to this user") from error
            if status in _LOGIN:
                raise Unusable(login) from error
            if status in _BUSY:
                raise Changed("another program has it open for itself") from error
            if status in _LATER:
                raise Dropped(f"the server answers {status:#x}") from error
            raise Failed(f"the server answers {status:#x}") from error
        except (SMBException, OSError, ValueError) as error:
            if late.is_set():
                raise Dropped(f"the server did not answer within {TIMEOUT_SECONDS:.0f} seconds") from error
            raise Dropped(f"the connection failed ({error})") from error


def _item(info: Any) -> Item:
    name, attributes = info.file_name, info.file_attributes
    if attributes & _REPARSE and info.ea_size & _SURROGATE:
        return Item(name, "other")
    native_id = None if info.file_id in _NO_ID else str(info.file_id)
    if attributes & _FOLDER:
        return Item(name, "folder", native_id=native_id)
    size, modified_at = info.end_of_file, _nanoseconds(info.last_write_time)
    token = f"{size}-{modified_at}-{_nanoseconds(info.change_time)}-{native_id}"
    return Item(name, "file", size, modified_at, token, native_id)


def _nanoseconds(time: datetime) -> int:
    past = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
    return (past.days * 86_400 + past.seconds) * 1_000_000_000 + past.microseconds * 1_000
