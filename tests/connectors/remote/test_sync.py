"""From the configuration to the index and back out of it, with real servers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from index.model import State
from index.search.knowledge_base import KnowledgeBase
from index.verify.compare import verify
from tests.commands import CommandLine
from tests.connectors.remote.conftest import Place
from tests.connectors.remote.sites import PASSWORD
from tests.knowledge import Knowledge, counts
from tests.soak import LONG

LEAVE = "# Parental leave\n\nParents take sixteen weeks.\n"


def old(path: Path, seconds: float = 100_000) -> None:
    """As if it had been written long ago: then its token is trusted."""
    os.utime(path, (time.time() - seconds,) * 2)


#: A sync asks the connector, whatever its protocol is: the contract is each protocol's.
SITES = ["webdav_site", *(pytest.param(site, marks=LONG) for site in ("sftp_site", "ftp_site"))]


@pytest.mark.parametrize("site", SITES)
def test_documents_on_a_server_are_indexed_changed_moved_and_removed(
    at: Callable[[str], Place], kb: Knowledge, site: str
) -> None:
    place = at(site)
    kb.settings["sources"] = [{"id": "cloud", "type": "fsspec", **place.settings()}]
    old(place.put("policies/leave.md", LEAVE.encode()))
    old(place.put("travel.md", b"# Travel\n\nTrains come first.\n"))

    def sync(**options: Any) -> dict[str, int]:
        place.site.requests.clear()
        return counts(kb.sync(**options), "cloud")

    assert sync() == {"added": 2, "embedded": 2}
    assert sync() == {"unchanged": 2, "embedded": 0}
    assert not [line for line in place.site.requests if line.startswith(("GET", "open", "RETR"))]
    with kb.workspace() as workspace:
        (hit, *_) = KnowledgeBase(workspace).search("sixteen weeks", mode="sparse")
        assert hit.uri == "policies/leave.md"
        assert hit.url.endswith("/policies/leave.md")
    old(place.put("policies/leave.md", LEAVE.replace("sixteen", "twenty").encode()), 90_000)
    assert sync() == {"updated": 1, "unchanged": 1, "embedded": 1}
    (place.root / "travel.md").rename(place.root / "trips.md")
    assert sync() == {"moved": 1, "unchanged": 1, "embedded": 0}
    # A folder that may not be listed takes nothing out of the index.
    place.site.refuse(place.root / "policies")
    (place.root / "trips.md").unlink()
    assert counts(kb.sync(), "cloud").get("deleted") is None
    assert set(kb.texts()) == {"policies/leave.md", "trips.md"}
    place.site.reset()
    assert sync() == {"deleted": 1, "unchanged": 1, "embedded": 0}
    assert set(kb.texts()) == {"policies/leave.md"}
    assert kb.ask(lambda workspace: verify(workspace, deep=True)).ok


def test_one_document_that_may_not_be_read_keeps_no_other_from_the_index(
    at: Callable[[str], Place], kb: Knowledge
) -> None:
    place = at("webdav_site")
    kb.settings["sources"] = [{"id": "cloud", "type": "fsspec", **place.settings()}]
    place.put("a.md", b"# A\n\nOne.\n")
    place.put("b.md", b"# B\n\nTwo.\n")
    place.site.refuse(place.root / "a.md")
    assert counts(kb.sync(), "cloud") == {"added": 1, "quarantined": 1, "embedded": 1}
    document = kb.documents()["a.md"]
    assert document.state is State.QUARANTINED
    assert "the server forbids it" in document.reason


def test_a_disk_that_is_not_mounted_at_the_server_removes_nothing(
    at: Callable[[str], Place], kb: Knowledge
) -> None:
    place = at("sftp_site")
    kb.settings["sources"] = [{"id": "cloud", "type": "fsspec", **place.settings()}]
    place.put("docs/a.md", b"# A\n\nOne.\n")
    assert counts(kb.sync(), "cloud") == {"added": 1, "embedded": 1}
    hidden = place.root.with_name(f"{place.root.name} unmounted")
    place.root.rename(hidden)
    (source,) = kb.sync().sources
    assert "does not exist; is it mounted there" in (source.error or "")
    assert set(kb.texts()) == {"docs/a.md"}
    hidden.rename(place.root)


def test_commands_show_no_password_and_take_it_from_the_environment(
    at: Callable[[str], Place], kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = at("webdav_site")
    place.put("a.md", b"# A\n\nOne.\n")
    source = {"id": "cloud", "type": "fsspec", **place.settings(), "password": "${CLOUD_PASSWORD}"}
    run = CommandLine(kb, monkeypatch)
    kb.settings["sources"] = [source]
    (kb.home / "freshkb.yaml").write_text(yaml.safe_dump(kb.settings))
    monkeypatch.setenv("CLOUD_PASSWORD", PASSWORD)
    for arguments in (["config", "show"], ["config", "check"], ["plan"], ["sync"], ["sync", "--json"]):
        assert PASSWORD not in run(*arguments).output
    wrong = "wrong-pass-9917"
    monkeypatch.setenv("CLOUD_PASSWORD", wrong)
    said = run("plan", code=1).output
    assert "check username and password" in " ".join(said.split())
    assert wrong not in said
    source["url"] = source["url"].replace("://", f"://anna:{PASSWORD}@")
    (kb.home / "freshkb.yaml").write_text(yaml.safe_dump(kb.settings))
    said = run("config", "check", code=2).output
    assert "write them as keys of their own" in " ".join(said.split())
    assert PASSWORD not in said
