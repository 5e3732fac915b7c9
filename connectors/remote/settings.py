"""The settings of a folder on a server."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import ClassVar, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from pydantic import SecretStr, field_validator, model_validator

from connectors.base import ConnectorSettings, check_url

#: Scheme → the keys of the settings that it has, beside url, username and password.
SCHEMES: dict[str, frozenset[str]] = {
    "webdav": frozenset(),
    "webdavs": frozenset({"ca_file"}),
    "sftp": frozenset({"key_file", "passphrase", "known_hosts"}),
    "smb": frozenset(),
    "ftp": frozenset(),
    "ftps": frozenset({"ca_file"}),
}


class Address(NamedTuple):
    """A url, taken apart."""

    scheme: str
    host: str
    port: int | None
    path: tuple[str, ...]
    """The names that lead to the folder, as `os.fsdecode` gives them; ``~`` first is the user's home."""

    @property
    def hostport(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


class FsspecSettings(ConnectorSettings):
    place: ClassVar[frozenset[str]] = frozenset({"url"})

    url: str
    """The folder: webdavs://, webdav://, sftp://, smb://, ftps:// or ftp://. Blanks and other special letters
    of a name are written as %XX; sftp://host/~/docs lies in the user's home."""
    username: str | None = None
    """Who logs in; without it nobody does, or the user of this machine by SFTP."""
    password: SecretStr | None = None
    """Of the user; best as ${VARIABLE}."""
    key_file: str | None = None
    """SFTP: the private key, relative to the configuration. Without one (and without a password): the agent's
    keys and those in ~/.ssh."""
    passphrase: SecretStr | None = None
    """SFTP: opens the private key."""
    known_hosts: str = "~/.ssh/known_hosts"
    """SFTP: the host keys that are trusted. There is no way to trust any."""
    ca_file: str | None = None
    """webdavs and ftps: certificates of an authority that the system does not know, as a PEM file."""
    hidden: bool = False
    """Whether files and folders whose names start with a dot are documents, too."""

    @field_validator("url")
    @classmethod
    def _is_a_folder_on_a_server(cls, url: str) -> str:
        check_url(url, SCHEMES)
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise ValueError(
                "names a user or a password; write them as keys of their own: username: NAME, "
                "password: ${VARIABLE}"
            )
        if parts.query or parts.fragment or url.endswith(("?", "#")):
            raise ValueError("has a ? or # in it; in a name they are written %3F and %23")
        path = address(url).path
        if any(name in (".", "..") or "/" in name or "\0" in name for name in path):
            raise ValueError("has a part that is not the name of a folder (. or .. or %2F or %00)")
        if parts.scheme == "smb" and not path:
            raise ValueError("names no share: smb://host/share/folder")
        return url

    @model_validator(mode="after")
    def _keys_belong_to_the_scheme(self) -> FsspecSettings:
        scheme = urlsplit(self.url).scheme
        for key in sorted({"key_file", "passphrase", "known_hosts", "ca_file"} - SCHEMES[scheme]):
            if key in self.model_fields_set and getattr(self, key) is not None:
                schemes = " and ".join(f"{name}://" for name, keys in SCHEMES.items() if key in keys)
                raise ValueError(f"{key} is for {schemes}, and the url begins with {scheme}://")
        if self.password is not None and self.username is None:
            raise ValueError("a password needs a username")
        return self


def address(url: str) -> Address:
    """The parts of a checked url."""
    parts = urlsplit(url)
    path = tuple(os.fsdecode(unquote_to_bytes(part)) for part in parts.path.split("/") if part)
    return Address(parts.scheme, parts.hostname or "", parts.port, path)


def local_file(name: str, base: Path) -> Path:
    """A file of this machine that the settings name. Relative names are relative to `base`."""
    return Path(posixpath.normpath(base / Path(name).expanduser()))
