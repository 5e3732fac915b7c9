"""FTP, and FTP with explicit TLS, by the standard library.

Servers with MLSD tell sizes, times and, some of them, file ids. From those without it (vsftpd among them)
come names and sizes alone: their documents have no token, and are hashed at every sync.
"""

from __future__ import annotations

import ftplib
import os
import socket
import ssl
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

from connectors.base import Detection
from connectors.remote.ftp_lines import of_facts, of_list
from connectors.remote.server import (
    BLOCK,
    TIMEOUT_SECONDS,
    Access,
    Dropped,
    Failed,
    Item,
    Missing,
    Names,
    Refused,
    Server,
    Unusable,
)
from connectors.remote.tls import tls_context, untrusted

#: Bytes of names pass unchanged: UTF-8 ones, and those of servers that never heard of it.
_WIRE = "latin-1"


class _Secured(ftplib.FTP_TLS):
    """Data connections take up the session of the control connection, which many servers demand."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        plain, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        assert isinstance(self.sock, ssl.SSLSocket)
        try:
            return self.context.wrap_socket(plain, server_hostname=self.host, session=self.sock.session), size
        except BaseException:
            plain.close()
            raise


class _Unavailable(Failed):
    """Code 550: it is not there, or it may not be read. FTP does not tell which."""


class FtpServer(Server):
    detects: frozenset[Detection] = frozenset()

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._open: ftplib.FTP | None = None
        self._features: frozenset[str] = frozenset()
        self._home = ""
        self._said = ""
        """The server's answer at the end of a transfer."""

    def root(self) -> str:
        with self._asked() as ftp:
            ftp.cwd(self._full(()))
        item = self._facts("MLST") if self._tells_facts else None
        return f"file id {item.native_id}" if item is not None and item.native_id else ""

    @property
    def _tells_facts(self) -> bool:
        with self._asked():
            return "MLST" in self._features

    def scan(self, path: Names) -> list[Item]:
        with self._asked() as ftp:
            # Some list a folder that is not there, or a file, without an error; none enters it.
            ftp.cwd(self._full(path))
        facts = self._tells_facts
        command = "MLSD" if facts else "LIST -a" if self.access.hidden else "LIST"
        lines = b"".join(self._transfer(command)).decode(_WIRE).split("\n")
        if not facts and "fail" in self._said.lower():
            # vsftpd ends the listing of a folder that it may not read in this way.
            raise Refused(f"the server answers: {_shown(self._said)}")
        found = [of_facts(line) if facts else of_list(line) for line in lines if line.strip("\r ")]
        items = [item._replace(name=_decoded(item.name)) for item in found if item is not None]
        if any(item.native_id is not None for item in items):
            self.detects = self.detects | {"renames"}
        return items

    def look(self, path: Names) -> Item:
        for count in range(1, len(path)):
            if self._described(path[:count]).kind != "folder":
                raise Missing
        return self._described(path)

    def read(self, path: Names, item: Item) -> Generator[bytes, None, None]:
        try:
            yield from self._transfer(f"RETR {self._full(path)}")
        except _Unavailable as error:
            self._described(path)
            raise Refused(str(error)) from error

    def close(self) -> None:
        ftp, self._open = self._open, None
        if ftp is not None:
            with suppress(OSError):
                ftp.close()

    def _described(self, path: Names) -> Item:
        """A file or folder by itself, where the server can; else its line of the folder above."""
        if self._tells_facts:
            with suppress(_Unavailable):
                found = self._facts(f"MLST {self._full(path)}")
                # Some take a folder that is asked for by name for the present one.
                return Item(path[-1], "folder") if found is None else found._replace(name=path[-1])
        try:
            above = self.scan(path[:-1])
        except _Unavailable as error:
            if len(path) == 1 or self._described(path[:-1]).kind != "folder":
                raise Missing from error
            raise Refused(str(error)) from error
        for item in above:
            if item.name == path[-1]:
                return item
        raise Missing

    def _facts(self, command: str) -> Item | None:
        with self._asked() as ftp:
            lines = ftp.sendcmd(command).split("\n")
        return of_facts(lines[1]) if len(lines) > 2 else None

    def _transfer(self, command: str) -> Iterator[bytes]:
        """The blocks that a command is answered with over a connection of their own."""
        whole = False
        try:
            with self._asked() as ftp:
                ftp.voidcmd("TYPE I")
                data = ftp.transfercmd(command)
            with data:
                while True:
                    with self._asked():
                        block = data.recv(BLOCK)
                    if not block:
                        break
                    yield block
            with self._asked() as ftp:
                self._said = ftp.voidresp()
            whole = True
        except _Unavailable:
            whole = True
            raise
        finally:
            if not whole:
                # What the server still sends would be taken for the answer to the next question.
                self.close()

    def _full(self, path: Names) -> str:
        names = [*self.access.address.path, *path]
        home = ""
        if names[:1] == ["~"]:
            home, names = self._home.rstrip("/"), names[1:]
        full = f"{home}/{'/'.join(os.fsencode(name).decode(_WIRE) for name in names)}"
        if "\r" in full or "\n" in full:
            raise Missing
        return full

    @contextmanager
    def _asked(self) -> Iterator[ftplib.FTP]:
        """The connection, for one question. Turns the errors of ftplib into ours."""
        try:
            if self._open is None:
                self._connect()
            assert self._open is not None
            yield self._open
        except ftplib.Error as error:
            said = str(error)
            if said.startswith("530"):
                raise Unusable(f"the server refuses to log in {self.access.login}: {_shown(said)}") from error
            if said[:3] in ("450", "550"):
                raise _Unavailable(f"the server answers: {_shown(said)}") from error
            if said[:3] in ("421", "425", "426"):
                raise Dropped(f"the server answers: {_shown(said)}") from error
            raise Failed(f"the server answers: {_shown(said)}") from error
        except TimeoutError as error:
            raise Dropped(f"the server did not answer within {TIMEOUT_SECONDS:.0f} seconds") from error
        except (OSError, EOFError) as error:
            if why := untrusted(error):
                raise Unusable(why) from error
            raise Dropped(f"the connection failed ({error or type(error).__name__})") from error

    def _connect(self) -> None:
        address = self.access.address
        if address.scheme == "ftps":
            secured = _Secured(timeout=TIMEOUT_SECONDS, encoding=_WIRE, context=tls_context(self.access))
            ftp: ftplib.FTP = secured
        else:
            ftp = ftplib.FTP(timeout=TIMEOUT_SECONDS, encoding=_WIRE)
        try:
            ftp.connect(address.host, address.port or ftplib.FTP_PORT)
            user = "anonymous" if self.access.username is None else _sent(self.access.username)
            ftp.login(user, _sent(self.access.secret))
            if address.scheme == "ftps":
                secured.prot_p()
            self._features = _features(ftp)
            if "UTF8" in self._features:
                with suppress(ftplib.Error):
                    ftp.sendcmd("OPTS UTF8 ON")
            if "MLST" in self._features:
                with suppress(ftplib.Error):
                    ftp.sendcmd("OPTS MLST type;size;modify;unique;")
            self._home = ftp.pwd()
        except BaseException:
            ftp.close()
            raise
        self._open = ftp
        if "MLST" in self._features:
            self.detects = self.detects | {"dates"}


def _features(ftp: ftplib.FTP) -> frozenset[str]:
    """The names of what the server can do beyond RFC 959, in capitals."""
    try:
        lines = ftp.sendcmd("FEAT").split("\n")[1:-1]
    except ftplib.error_perm:
        return frozenset()
    return frozenset(line.strip().partition(" ")[0].upper() for line in lines if line.strip())


def _sent(text: str) -> str:
    return text.encode().decode(_WIRE)


def _decoded(name: str) -> str:
    return os.fsdecode(name.encode(_WIRE))


def _shown(said: str) -> str:
    """A server's answer, for a message."""
    return _decoded(" ".join(said.split())).rstrip(".")
