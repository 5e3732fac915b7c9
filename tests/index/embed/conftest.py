"""The model that ships, by its identity and loaded."""

from __future__ import annotations

import pytest

from index.embed.embedder import Embedder
from index.embed.identity import DEFAULT, ModelIdentity, identify


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> ModelIdentity:
    return identify(DEFAULT, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def real(identity: ModelIdentity) -> Embedder:
    return Embedder(identity, "float32")
