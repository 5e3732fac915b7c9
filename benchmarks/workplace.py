"""Temporary knowledge bases, and the embedder that they use where vectors do not matter."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from index.config import load
from index.embed.embedder import ModelIdentity
from index.outcome import RunReport
from index.run import Run
from index.sync.sync import sync as engine
from index.workspace import Workspace
from tests.embedders import HashEmbedder

SOURCE = "documents"


class RandomEmbedder(HashEmbedder):
    """A random unit vector for each text, always the same for the same text, in 20 µs."""

    def _vector(self, text: str) -> np.ndarray:
        seed = int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())
        vector = np.random.default_rng(seed).standard_normal(self.dimension, np.float32)
        return vector / np.linalg.norm(vector)


def configure(home: Path, documents: Path | None = None, *, dtype: str = "float32") -> Path:
    """Write a configuration into a folder; its one source is the folder ``documents`` there, or another."""
    return write_configuration(
        home, {"type": "files", "root": str(documents or home / "documents")}, dtype=dtype
    )


def write_configuration(home: Path, source: dict[str, Any], *, dtype: str = "float32") -> Path:
    """The same for a source of any type."""
    settings = {"version": 1, "embedding": {"dtype": dtype}, "sources": [{"id": SOURCE} | source]}
    path = home / "freshkb.yaml"
    home.mkdir(parents=True, exist_ok=True)
    # Every JSON text is YAML.
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def workspace(path: Path, embedder: Any = RandomEmbedder) -> Workspace:
    """The knowledge base of a configuration, whatever the environment says."""
    return Workspace(load(path, {}, path.parent), embedder=embedder)


def sync(knowledge_base: Workspace) -> RunReport:
    """A sync that must have succeeded."""
    report = engine(Run(knowledge_base, "sync"))
    if report.outcome not in ("done", "partial"):
        raise RuntimeError(f"The sync to be measured ended as {report.outcome}: {report.json()}")
    return report


def embedded_texts(path: Path) -> list[str]:
    """The texts that a first sync of this knowledge base embeds. The sync is made, with hash vectors."""
    embedders: list[RandomEmbedder] = []

    def collecting(identity: ModelIdentity, dtype: str) -> RandomEmbedder:
        embedders.append(RandomEmbedder(identity, dtype))
        return embedders[-1]

    with workspace(path, collecting) as knowledge_base:
        sync(knowledge_base)
    return [text for embedder in embedders for text in embedder.embedded]
