"""What sources of our own types need of the platform: packages of extras, programs, and credentials that
libraries find by themselves.

A table in one place, so that a connector need not repeat it. Plug-ins say the same in `Connector.needs`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from connectors.needs import Need, file, packages, program, variable

_SSH = r"(?:ssh|sftp)://|(?!\w+://)[\w.-]+@[\w.-]+:"


class _Row(NamedTuple):
    type: str
    place: str
    """A pattern for the start of the place; "" for every one."""
    needs: Callable[[], Iterator[Need]]


def platform_needs(type_name: str, settings: BaseModel) -> Iterator[Need]:
    """The needs of a source of this type with these settings; credentials only where they are found, because
    each of them may do. No server is asked, and nothing of a credential is read."""
    places: frozenset[str] = getattr(type(settings), "place", frozenset())
    values = [value for name in sorted(places) if isinstance(value := getattr(settings, name), str)]
    yield from packages(type_name)
    for row in _ROWS:
        if row.type == type_name and (not row.place or any(re.match(row.place, value) for value in values)):
            for need in row.needs():
                if need.kind != "credential" or need.origin is not None:
                    yield need


def _aws() -> Iterator[Need]:
    yield from map(
        variable,
        (
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ),
    )
    yield _file("AWS credentials", "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    yield _file("AWS configuration", "AWS_CONFIG_FILE", "~/.aws/config")


def _google() -> Iterator[Need]:
    default = "~/.config/gcloud/application_default_credentials.json"
    yield _file("Google's default credentials", "GOOGLE_APPLICATION_CREDENTIALS", default)
    yield from map(variable, ("GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY"))


def _azure() -> Iterator[Need]:
    yield from map(
        variable,
        (
            "AZURE_STORAGE_ACCOUNT_KEY",
            "AZURE_STORAGE_SAS_KEY",
            "AZURE_CLIENT_SECRET",
            "AZURE_FEDERATED_TOKEN_FILE",
        ),
    )


def _postgresql() -> Iterator[Need]:
    yield variable("PGPASSWORD")
    yield _file("passwords of PostgreSQL", "PGPASSFILE", "~/.pgpass")


def _agent() -> Iterator[Need]:
    found = variable("SSH_AUTH_SOCK").origin
    yield Need("credential", "ssh's agent", found)


def _git() -> Iterator[Need]:
    yield program("git", "Debian: apt install git")


def _ssh() -> Iterator[Need]:
    yield program("ssh", "Debian: apt install openssh-client")
    yield from _agent()


def _file(name: str, told_by: str, default: str) -> Need:
    """The file that a variable names; without it the one that libraries look for."""
    return file(name, Path(os.environ.get(told_by) or default))


_ROWS = (
    _Row("s3", "", _aws),
    _Row("gcs", "", _google),
    _Row("azure", "", _azure),
    _Row("sql", r"postgres", _postgresql),
    _Row("git", "", _git),
    _Row("git", _SSH, _ssh),
    _Row("fsspec", r"webdavs?://", lambda: packages("webdav")),
    _Row("fsspec", r"sftp://", lambda: packages("sftp")),
    _Row("fsspec", r"sftp://", _agent),
    _Row("fsspec", r"smb://", lambda: packages("smb")),
)
