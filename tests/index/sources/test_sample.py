"""A sample shows documents as the index would have them, and leaves nothing behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base import Entry, Listing, SourceUnavailable
from index.errors import ConfigError
from index.model import State
from index.sources.sample import Sample, sample
from tests.knowledge import Knowledge
from tests.vault import Vault, installed


@pytest.fixture(autouse=True)
def types() -> Iterator[None]:
    with installed():
        yield


def sampled(kb: Knowledge, size: int = 10, source: str = "docs") -> Sample:
    return kb.ask(lambda workspace: sample(workspace, source, size))


def test_each_document_is_what_a_sync_makes_of_it(kb: Knowledge) -> None:
    kb.source["owner"] = "group:docs"
    kb.source["rules"] = [{"match": "guide/**", "owner": "user:bo"}]
    kb.write(
        "a.md",
        "---\ntitle: Leave\nowner: user:anna\nlast_reviewed: 2026-05-30\n---\n# Leave\n\nFour hours.\n",
    )
    kb.write("guide/b.txt", "A text that has no front matter.")
    kb.write("broken.pdf", "no PDF")
    kb.write("tool.exe", "MZ")
    found = sampled(kb)
    assert (found.listed, dict(found.skipped), found.errors) == (4, {".exe": 1}, [])
    assert not (kb.home / ".freshkb").exists()
    kb.sync()
    documents = kb.documents()
    assert [one.uri for one in found.documents] == ["a.md", "broken.pdf", "guide/b.txt"]
    for one in found.documents:
        synced = documents[one.uri]
        assert one.document is not None and (one.state, one.reason) == (synced.state, synced.reason)
        for field in ("title", "owner", "owner_source", "url", "language", "content_type", "date_used"):
            assert getattr(one.document, field) == getattr(synced, field), (one.uri, field)
        assert len(one.chunks) == synced.chunk_count
    shown = {document["uri"]: document for document in found.json()["sample"]}
    assert shown["a.md"] == shown["a.md"] | {
        "state": "indexed", "title": "Leave", "owner": "user:anna", "owner_source": "front matter",
        "verdict": "fresh", "date_field": "last_reviewed", "chunks": 1, "text": "Leave Four hours.",
    }  # fmt: skip
    assert shown["guide/b.txt"]["owner_source"] == "rule"
    assert (shown["broken.pdf"]["state"], shown["broken.pdf"]["verdict"]) == ("quarantined", None)
    assert [one.failed for one in found.documents] == [False, True, False]


def test_few_are_drawn_of_many_from_all_over_and_the_same_ones_again(kb: Knowledge) -> None:
    for number in range(60):
        kb.write(f"{number:02}.txt", f"Text {number}.")
    first, second = sampled(kb, 5), sampled(kb, 5)
    uris = [one.uri for one in first.documents]
    assert uris == [one.uri for one in second.documents] == sorted(set(uris))
    assert len(uris) == 5 and first.listed == 60
    assert uris[-1] > "30.txt"


def test_a_document_whose_retention_has_ended_says_so(kb: Knowledge) -> None:
    kb.settings["retention"] = [{"after": "1y"}]
    os.utime(kb.write("old.md", "# Old\n"), (1, 1))
    (one,) = sampled(kb).documents
    assert one.state is State.EXPIRED and "Its retention ended" in one.reason
    assert not one.failed


def test_one_that_vanishes_meanwhile_is_said_to(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [Entry("gone.md", "1", 3, None, None)]
    kb.settings["sources"] = [{"id": "docs", "type": "vault", "server": "east", "token": Vault.opens_with}]
    monkeypatch.setattr(Vault, "list", lambda self: Listing(iter(entries)))
    (one,) = sampled(kb).documents
    assert (one.state, one.failed) == (None, True)
    assert "vanished" in one.reason


def test_a_source_that_breaks_off_shows_what_there_was(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb.settings["sources"] = [{"id": "docs", "type": "vault", "server": "east", "token": Vault.opens_with}]
    Vault.documents = {"a.md": (b"# A\n", None), "b.md": (b"# B\n", None)}
    Vault.breaks = "Page 2 was not answered."
    found = sampled(kb)
    assert [one.uri for one in found.documents] == ["a.md", "b.md"]
    assert found.errors == ["Page 2 was not answered."]
    really = Vault.fetch

    def revoked(self: Vault, uri: str, into: Path | None) -> object:
        if uri == "b.md":
            raise SourceUnavailable(f"The token {Vault.opens_with} was revoked.")
        return really(self, uri, into)

    monkeypatch.setattr(Vault, "fetch", revoked)
    found = sampled(kb)
    assert [one.uri for one in found.documents] == ["a.md"]
    assert found.errors == ["Page 2 was not answered.", "The token *** was revoked."]


def test_what_cannot_be_asked_or_is_not_there_raises(kb: Knowledge) -> None:
    with pytest.raises(ConfigError, match="no source 'dogs'; did you mean 'docs'"):
        sampled(kb, source="dogs")
    kb.source["root"] = "./nowhere"
    with pytest.raises(SourceUnavailable, match="does not exist"):
        sampled(kb)


def test_its_scratch_folder_is_gone_afterwards(kb: Knowledge) -> None:
    kb.settings["sources"] = [{"id": "docs", "type": "vault", "server": "east", "token": Vault.opens_with}]
    Vault.documents = {"a.md": (b"# A\n", None)}
    sampled(kb)
    (made,) = Vault.made
    assert made.closed and made.context.cache is not None and not made.context.cache.parent.exists()
