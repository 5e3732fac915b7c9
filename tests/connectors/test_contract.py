"""The contract suite, run for the connectors that we have."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Context
from connectors.files import FilesConnector
from tests.connectors.conftest import Connect
from tests.contracts.connector_contract import MAX_SIZE, ConnectorContract, Driver
from tests.fakes import MemoryConnector
from tests.onethread import OneThread
from tests.wiki import GuardedWiki, Wiki, WikiSettings


class FilesDriver:
    """Permissions do not bind root, and tests often run as root: the system calls are made to refuse."""

    def __init__(self, connector: FilesConnector, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connector, self._monkeypatch = connector, monkeypatch

    def _path(self, uri: str) -> Path:
        return self.connector.root / uri

    def put(self, uri: str, data: bytes) -> None:
        self._path(uri).parent.mkdir(parents=True, exist_ok=True)
        self._path(uri).write_bytes(data)

    def remove(self, uri: str) -> None:
        self._path(uri).unlink()

    def rename(self, old: str, new: str) -> None:
        self._path(old).rename(self._path(new))

    def describe(self, uri: str, properties: dict[str, str]) -> bool:
        return False

    def own(self, text: str) -> bool:
        (self.connector.root / ".github").mkdir(exist_ok=True)
        (self.connector.root / ".github" / "CODEOWNERS").write_text(text)
        return True

    def forbid(self, uri: str) -> None:
        really = os.open

        def refuse(path: Any, *args: Any, **keywords: Any) -> int:
            if path == uri:
                raise PermissionError(13, "Permission denied")
            return really(path, *args, **keywords)

        self._monkeypatch.setattr(os, "open", refuse)

    def disturb(self, uri: str) -> None:
        really = os.read

        def append(file: int, count: int) -> bytes:
            with self._path(uri).open("ab") as writer:
                writer.write(b"!")
            return really(file, count)

        self._monkeypatch.setattr(os, "read", append)

    def conceal(self, folder: str) -> None:
        really, hidden = os.scandir, self._path(folder).stat().st_ino

        def refuse(path: Any) -> Any:
            if os.fstat(path).st_ino == hidden:
                raise PermissionError(13, "Permission denied")
            return really(path)

        self._monkeypatch.setattr(os, "scandir", refuse)

    def take_away(self) -> None:
        shutil.rmtree(self.connector.root)


class TestFiles(ConnectorContract):
    @pytest.fixture
    def driver(self, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Driver:
        return FilesDriver(connect(max_size=MAX_SIZE), monkeypatch)


class MemoryDriver:
    def __init__(self) -> None:
        self.connector = MemoryConnector(max_size=MAX_SIZE)
        self.put, self.remove, self.rename = self.connector.put, self.connector.remove, self.connector.rename
        self.forbid, self.disturb = self.connector.forbidden.add, self.connector.changing.add

    def describe(self, uri: str, properties: dict[str, str]) -> bool:
        self.connector.describe(uri, properties)
        return True

    def own(self, text: str) -> bool:
        return False

    def conceal(self, folder: str) -> None:
        self.connector.errors.append(f"{folder!r} could not be listed.")

    def take_away(self) -> None:
        self.connector.unavailable = "The memory is gone."


class TestMemory(ConnectorContract):
    @pytest.fixture
    def driver(self) -> Driver:
        return MemoryDriver()


class WikiDriver:
    def __init__(self, wiki: Wiki) -> None:
        self._wiki = wiki
        settings = WikiSettings.model_validate({"server": wiki.url})
        self.connector = GuardedWiki(settings, Context("wiki", Path("/"), MAX_SIZE))
        self.remove, self.rename = wiki.remove, wiki.rename
        self.forbid, self.disturb, self.conceal = wiki.forbidden.add, wiki.changing.add, wiki.concealed.add
        self.take_away = wiki.close

    def put(self, uri: str, data: bytes) -> None:
        self._wiki.put(uri, data, "text/html")

    def describe(self, uri: str, properties: dict[str, str]) -> bool:
        self._wiki.pages[uri].properties = properties
        return True

    def own(self, text: str) -> bool:
        return False


class TestWiki(ConnectorContract):
    @pytest.fixture
    def driver(self) -> Iterator[Driver]:
        wiki = Wiki()
        yield WikiDriver(wiki)
        wiki.close()


def test_two_threads_in_one_connector_are_noticed() -> None:
    guarded = OneThread(MemoryConnector({"a.md": b"a", "b.md": b"b"}))
    guarded.linger_seconds = 0.2
    listing = iter(guarded.list())
    assert next(listing).uri == "a.md"
    with ThreadPoolExecutor(2) as threads:
        fetched = [threads.submit(guarded.fetch, "a.md", None) for _ in range(2)]
        failed = [str(found.exception()) for found in fetched if found.exception()]
    assert failed == ["fetch() was called while another thread was in fetch()"]
    assert [entry.uri for entry in listing] == ["b.md"]
