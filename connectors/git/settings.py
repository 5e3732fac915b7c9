"""The settings of a git source, and the place of its repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from pydantic import SecretStr, field_validator, model_validator

from connectors.base import ConnectorSettings
from connectors.urls import check_url

#: ``user@host:path``, as git reads it: a colon before the first slash.
_SCP = re.compile(r"(?:(?P<user>[^@/:\s]+)@)?(?P<host>[^@/:\s]+):(?!:)(?P<path>\S+)")

#: What git itself refuses in the name of a branch or tag.
_NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^[-/.]|[/.]$|^@?$")


@dataclass(frozen=True, slots=True)
class Place:
    """A repository and the way to it."""

    scheme: Literal["path", "http", "https", "ssh"]
    address: str
    """A path, or a url without password; of http(s) without user, too."""
    host: str = ""
    user: str = ""
    path: str = ""
    """The path of the url, without slashes at its ends and without ``.git``."""

    @property
    def local(self) -> bool:
        return self.scheme == "path"


def place_of(text: str) -> Place:
    """The place that the key `repository` names. Raises ValueError, which repeats no secret."""
    if not text.strip() or "\0" in text:
        raise ValueError("must name a repository: a folder, or a url")
    if text.startswith("-"):
        raise ValueError("begins with a hyphen: neither a url nor a folder does; write ./ before a folder")
    if "://" in text:
        return _place_of_url(text)
    if found := _SCP.fullmatch(text):
        host, user = found["host"], found["user"] or ""
        _check_host(host, user)
        return Place("ssh", text, host, user, _bare_path(found["path"]))
    if re.match(r"[\w+.-]+::", text):
        raise ValueError("names a helper program of git; give a folder, or an https, ssh or file url")
    return Place("path", text)


def _place_of_url(text: str) -> Place:
    scheme = text.partition("://")[0].lower()
    check_url(text, ("https", "http", "ssh", "file"), host=scheme != "file")
    parts = urlsplit(text)
    if parts.password:
        raise ValueError("holds a password: give that by the key token instead, as token: ${GIT_TOKEN}")
    if parts.query or parts.fragment:
        raise ValueError("has a query or a fragment; the address of a repository has neither")
    if scheme == "file":
        if parts.hostname not in (None, "localhost"):
            raise ValueError("names a host; a file url has three slashes: file:///srv/docs.git")
        return Place("path", url2pathname(parts.path))
    host, user = parts.hostname or "", unquote(parts.username or "")
    _check_host(host, user)
    if scheme == "ssh":
        return Place("ssh", text, host, user, _bare_path(parts.path))
    address = parts._replace(scheme=scheme, netloc=parts.netloc.rpartition("@")[2]).geturl()
    return Place("https" if scheme == "https" else "http", address, host, user, _bare_path(parts.path))


def _check_host(host: str, user: str) -> None:
    if host.startswith("-") or user.startswith("-"):
        raise ValueError("has a host or a user that begins with a hyphen")


def _bare_path(path: str) -> str:
    return path.strip("/").removesuffix(".git").strip("/")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class GitSettings(ConnectorSettings):
    place: ClassVar[frozenset[str]] = frozenset({"repository", "branch", "tag"})

    repository: str
    """A url (https, ssh, file, or ``user@host:path``), or the folder of a work tree or of a bare repository,
    relative to the configuration. Of a work tree only what is committed is seen."""
    branch: str | None = None
    """The branch; without it, and without a tag, the one that is the repository's HEAD."""
    tag: str | None = None
    """The tag, in place of a branch."""
    hidden: bool = False
    """Whether files and folders whose names start with a dot are documents, too."""
    token: SecretStr | None = None
    """For https: an access token, as ``${GIT_TOKEN}``. Without it git's credential helpers are asked."""
    ssh_key: str | None = None
    """For ssh: the file of a private key without a passphrase. Without it ssh's agent and configuration
    are used."""

    @field_validator("repository")
    @classmethod
    def _repository_is_one(cls, repository: str) -> str:
        place = place_of(repository)
        try:
            Path(place.address if place.local else "").expanduser()
        except RuntimeError as error:
            raise ValueError(f"{repository!r} names the home folder of an unknown user") from error
        return repository

    @field_validator("branch", "tag")
    @classmethod
    def _ref_is_a_name(cls, name: str | None) -> str | None:
        if name is not None and _NO_REF.search(name):
            raise ValueError(f"{name!r} is not the name of a branch or tag; give it as 'main', without refs/")
        return name

    @model_validator(mode="after")
    def _credentials_fit(self) -> GitSettings:
        if self.branch is not None and self.tag is not None:
            raise ValueError("give a branch or a tag, not both")
        place = place_of(self.repository)
        if self.token is not None:
            if place.scheme not in ("http", "https"):
                raise ValueError("a token is for https; for ssh give ssh_key, or use ssh's agent")
            if place.scheme == "http" and not _loopback(place.host):
                raise ValueError("a token is not sent over http, where anybody may read it; use https")
            if not self.token.get_secret_value().strip():
                raise ValueError("the token is empty; is its environment variable set?")
        elif place.user and place.scheme in ("http", "https"):
            raise ValueError("repository names a user but there is no token; give one as token: ${GIT_TOKEN}")
        if self.ssh_key is not None and place.scheme != "ssh":
            raise ValueError("ssh_key is for ssh; for https give a token")
        return self

    @property
    def ref(self) -> str:
        """The full name of what is mirrored."""
        if self.branch is not None:
            return f"refs/heads/{self.branch}"
        return "HEAD" if self.tag is None else f"refs/tags/{self.tag}"

    def key_file(self, base: Path) -> Path | None:
        return None if self.ssh_key is None else base / Path(self.ssh_key).expanduser()
