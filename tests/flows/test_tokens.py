"""Sources of plug-ins, whose tokens are versions, or that have none: a document is what its hash says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.commands import CommandLine
from tests.knowledge import Knowledge

#: A distribution as pip leaves it, with a connector that reads its documents from one JSON file.
PLUG_IN = '''
import hashlib, json
from connectors.base import (
    Capabilities, Connector, ConnectorSettings, DocumentVanished, Entry, Fetched, Listing,
)

class WikiSettings(ConnectorSettings):
    file: str

class Wiki(Connector):
    """{uri: [text, version or null]}; how often a page was read is counted beside it."""

    settings_model = WikiSettings
    capabilities = Capabilities(token="version")

    def _pages(self):
        return json.loads((self.context.base / self.settings.file).read_text())

    def probe(self):
        return f"wiki {self.settings.file}"

    def list(self, folders=None):
        return Listing(self._entry(uri, page) for uri, page in sorted(self._pages().items()))

    def _entry(self, uri, page):
        return Entry(uri, page[1], None, None, None)

    def stat(self, uri):
        page = self._pages().get(uri)
        return None if page is None else self._entry(uri, page)

    def fetch(self, uri, into):
        page = self._pages().get(uri)
        if page is None:
            raise DocumentVanished(f"{uri!r} is gone.")
        if into is not None:
            into.write_text(page[0])
        return Fetched(self._entry(uri, page), hashlib.sha256(page[0].encode()).hexdigest())

    def url(self, uri):
        return f"https://wiki.example.org/{uri}"

    def home(self):
        return "https://wiki.example.org/"
'''


class Wiki:
    def __init__(self, kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = kb.home
        packages = kb.home / "site"
        about = packages / "acme_wiki-1.0.dist-info"
        about.mkdir(parents=True)
        (packages / "acme_wiki.py").write_text(PLUG_IN)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-wiki\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text("[freshkb.connectors]\nwiki = acme_wiki:Wiki\n")
        monkeypatch.syspath_prepend(packages)
        kb.settings["sources"] = [{"id": "wiki", "type": "wiki", "file": "wiki.json"}]
        self.put({})
        self.freshkb = CommandLine(kb, monkeypatch)

    def put(self, pages: Mapping[str, tuple[str, str | None]]) -> None:
        (self.home / "wiki.json").write_text(json.dumps(pages))

    def __call__(self, *arguments: str, code: int = 0) -> Any:
        return self.freshkb.json(*arguments, code=code)

    def sync(self, *options: str) -> dict[str, int]:
        """The counts of a sync, zeros left out."""
        (source,) = self("sync", *options)["sources"]
        names = ("added", "updated", "moved", "deleted", "touched", "unchanged", "quarantined")
        return {name: source[name] for name in names if source[name]}

    def indexed_at(self) -> dict[str, str]:
        return {row["uri"]: row["indexed_at"] for row in self("ls")}


@pytest.mark.parametrize("versioned", [True, False])
def test_a_document_is_changed_when_its_text_is(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch, versioned: bool
) -> None:
    def token(version: str) -> str | None:
        return version if versioned else None

    wiki = Wiki(kb, monkeypatch)
    pages = {name: (f"# {name}\n\nFour hours.\n", token("1")) for name in ("a.md", "b.md", "c.md")}
    wiki.put(pages)
    assert wiki.sync() == {"added": 3}
    written = wiki.indexed_at()
    assert wiki.sync() == {"unchanged": 3}
    assert wiki.sync("--checksum") == {"unchanged": 3}
    assert wiki("verify", "--deep")["ok"]
    pages["b.md"] = ("# b.md\n\nFive hours.\n", token("2"))
    wiki.put(pages)
    assert [found["uri"] for found in wiki("verify", code=1)["outdated"]] == ["b.md"]
    assert wiki.sync() == {"updated": 1, "unchanged": 2}
    # A text that changed behind a version that did not.
    if versioned:
        pages["c.md"] = ("# c.md\n\nSix hours.\n", token("1"))
        wiki.put(pages)
        assert wiki.sync() == {"unchanged": 3}
        assert [found["uri"] for found in wiki("verify", "--deep", code=1)["outdated"]] == ["c.md"]
        assert wiki.sync("--checksum") == {"updated": 1, "unchanged": 2}
    del pages["a.md"]
    wiki.put(pages)
    assert wiki.sync("--checksum") == {"deleted": 1, "unchanged": 2}
    assert wiki("verify", "--deep")["ok"]
    changed = {"b.md", "c.md"} if versioned else {"b.md"}
    assert {uri for uri, at in wiki.indexed_at().items() if at != written[uri]} == changed
