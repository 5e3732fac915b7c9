"""One web site for all tests of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.web.connector import WebConnector
from tests.connectors.web.website import Website, connect

Make = Callable[..., WebConnector]


@pytest.fixture(scope="module")
def _server() -> Iterator[Website]:
    site = Website()
    yield site
    site.close()


@pytest.fixture
def site(_server: Website) -> Website:
    _server.clear()
    return _server


@pytest.fixture
def make(site: Website, tmp_path: Path) -> Iterator[Make]:
    """Connectors of the site, with these settings; ``cache=False`` for one that keeps nothing."""
    made: list[WebConnector] = []

    def one(*, cache: bool = True, **settings: object) -> WebConnector:
        found = connect(site, tmp_path / "cache" / "site" if cache else None, **settings)  # type: ignore[arg-type]
        made.append(found)
        return found

    yield one
    for connector in made:
        connector.close()
