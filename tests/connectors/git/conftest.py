from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.base import Context
from connectors.git.connector import GitConnector
from connectors.git.settings import GitSettings
from tests.connectors.git.origin import Origin
from tests.connectors.git.servers import SSHD, HttpServer, SshServer

Connect = Callable[..., GitConnector]

_NUMBERS = itertools.count(1)


@pytest.fixture(autouse=True)
def no_configuration_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")


@pytest.fixture(scope="session")
def http_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    server = HttpServer(tmp_path_factory.mktemp("repositories"))
    yield server
    server.close()


@pytest.fixture
def http(http_server: HttpServer) -> HttpServer:
    """The server without faults."""
    http_server.requests.clear()
    http_server.refusals.clear()
    http_server.token, http_server.truncated, http_server.silent = None, 0, False
    http_server.before = lambda path: None
    return http_server


@pytest.fixture
def origin(http: HttpServer) -> Origin:
    """A repository with one commit and no file, which the server has."""
    made = Origin(http.root / f"{next(_NUMBERS)}.git")
    made.commit()
    return made


@pytest.fixture(scope="session")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    if SSHD is None:
        pytest.skip("sshd is not installed: apt-get install openssh-server")
    server = SshServer(tmp_path_factory.mktemp("ssh") / "home")
    yield server
    server.close()


@pytest.fixture
def connect(tmp_path: Path) -> Connect:
    """A connector of this repository, which asks the server again at each question and waits for nothing."""

    def make(
        repository: str | Path, *, max_size: int = 100_000, cache: str = "docs", **settings: object
    ) -> GitConnector:
        context = Context("docs", tmp_path, max_size, cache=tmp_path / "cache" / cache)
        model = GitSettings.model_validate({"repository": str(repository), **settings})
        made = GitConnector(model, context)
        made.patience = replace(made.patience, trust=0, waits=(0, 0), longest_wait=0)
        return made

    return make


@pytest.fixture
def url(http: HttpServer, origin: Origin) -> str:
    return f"{http.url}/{origin.path.name}"
