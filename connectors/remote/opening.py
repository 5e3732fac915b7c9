"""The server that settings name. Its packages are imported once it is asked for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from connectors.extras import extra
from connectors.remote.server import Access, Server
from connectors.remote.settings import FsspecSettings, address, local_file

#: Scheme → module, class, extra of the distribution that the module needs.
_SERVERS = {
    "webdav": ("webdav", "WebdavServer", "webdav"),
    "webdavs": ("webdav", "WebdavServer", "webdav"),
    "sftp": ("sftp", "SftpServer", "sftp"),
    "smb": ("smb", "SmbServer", "smb"),
    "ftp": ("ftp", "FtpServer", ""),
    "ftps": ("ftp", "FtpServer", ""),
}


def server_of(settings: FsspecSettings, base: Path, source: str) -> Server:
    """The server, not connected yet. Relative paths are relative to `base`; raises SourceUnavailable when a
    package is missing that this source needs."""
    place = address(settings.url)
    access = Access(
        place,
        settings.username,
        settings.password,
        None if settings.key_file is None else local_file(settings.key_file, base),
        settings.passphrase,
        local_file(settings.known_hosts, base),
        None if settings.ca_file is None else local_file(settings.ca_file, base),
        settings.hidden,
    )
    module, name, packages = _SERVERS[place.scheme]
    with extra(packages, source):
        server: Server = getattr(import_module(f"connectors.remote.{module}"), name)(access)
    return server
