"""A base of documents whose passages are given as texts, with vectors that texts of the same words share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from index.embed.identity import ModelIdentity
from index.freshness.assess import Assessment, Verdict
from index.freshness.checks.base import Base, Passage, Passages, Subject, base
from index.freshness.governance import Governance
from index.model import State
from index.records import Document
from tests.embedders import HashEmbedder

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def subject(uri: str, age: float = 0, title: str = "", owner: str = "", verdict: str = "fresh") -> Subject:
    """A document, dated `age` days ago."""
    dated = NOW - timedelta(days=age)
    document = Document(f"id-{uri}", "docs", uri, State.INDEXED, version=1, title=title, modified_at=dated)
    return Subject(
        document,
        Governance((owner,) if owner else (), "rule", "exempt"),
        Assessment(Verdict(verdict), "", dated),
    )


def made(
    texts: Mapping[str, str | Sequence[tuple[tuple[str, ...], str]]], **about: Mapping[str, Any]
) -> Base:
    """A base of these documents by uri, each of one text or of headings with a text. `about` tells more of
    some: age, title, owner; by uri with _ for what no name has."""
    subjects, passages = [], []
    for uri, parts in texts.items():
        told = about.get("".join(c if c.isalnum() else "_" for c in uri), {})
        found = subject(uri, **told)
        subjects.append(found)
        for number, (headings, text) in enumerate([((), parts)] if isinstance(parts, str) else parts):
            passages.append(Passage(found.document.document_id, number, text, headings))
    embedder = HashEmbedder(ModelIdentity("none", "", Path(), 64, 256, "", Path()), "float32")
    vectors = embedder.embed_documents([passage.text for passage in passages])
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    read = Passages(passages, (vectors / lengths).astype(np.float32))
    return base(NOW, subjects, passages=lambda: read)
