from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.base import Context
from connectors.files import FilesConnector, FilesSettings

Connect = Callable[..., FilesConnector]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def connect(root: Path) -> Connect:
    """A connector of `root`, with these settings and private paths."""

    def make(
        *, private: tuple[Path, ...] = (), max_size: int = 100_000, **settings: object
    ) -> FilesConnector:
        context = Context("docs", root.parent, max_size, frozenset(private))
        return FilesConnector(FilesSettings.model_validate({"root": "root", **settings}), context)

    return make
