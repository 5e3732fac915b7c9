"""A folder that lies too deep to be listed costs what is in it, and nothing else of its source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import connectors.walk
from connectors.walk import MAX_DEPTH
from tests.commands import CommandLine
from tests.knowledge import Knowledge
from tests.traces.permissions import binding

#: So long that the whole path has 20 KB.
NAME = "n" * 99


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(kb, monkeypatch)


def dig(top: Path, depth: int) -> None:
    """Folders in folders, with a document in the innermost one; no path may be that long at once."""
    folder = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(NAME, dir_fd=folder)
        deeper = os.open(NAME, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    file = os.open("deep.md", os.O_CREAT | os.O_WRONLY, dir_fd=folder)
    os.write(file, b"# Deep\n\nToo deep.\n")
    os.close(file)
    os.close(folder)


def test_the_rest_of_the_source_is_kept_equal_and_the_folder_is_a_finding(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    kb.write("a.md", "# A\n\nLeave.\n")
    kb.write("b.md", "# B\n\nLeave.\n")
    dig(kb.docs, MAX_DEPTH)
    said = freshkb("sync").stderr
    assert f"lies more than {MAX_DEPTH} folders deep" in said
    assert len(said) < 1000
    (kb.docs / "b.md").unlink()
    (source,) = freshkb.json("sync")["sources"]
    assert (source["deleted"], source["complete"], source["error"]) == (1, True, None)
    found = freshkb.json("audit", "--out", "reports")
    assert [result["uri"] for result in found["results"]] == ["a.md"]
    (finding,) = [one for one in found["findings"] if one["document_id"] is None]
    assert finding["source"] == "docs"
    assert finding["uri"].startswith("nnn")
    assert len(finding["uri"]) <= 200
    for name in ("report.html", "report.md"):
        assert f"{MAX_DEPTH} folders deep" in (kb.home / "reports" / name).read_text()
    assert freshkb.json("verify")["ok"]
    # Once it is gone, so is the finding.
    with pytest.MonkeyPatch.context() as deep:
        deep.setattr(connectors.walk, "MAX_DEPTH", 2 * MAX_DEPTH)
        freshkb("sync")
        assert len(freshkb.json("audit")["results"]) == 2
        assert [f for f in freshkb.json("audit")["findings"] if f["document_id"] is None] == []
    # The documents that were indexed from there stay, because they are not known to be gone.
    freshkb("sync")
    assert len(freshkb.json("ls")) == 2
    kb.write("c.md", "# C\n\nLeave.\n")
    (kb.docs / "a.md").unlink()
    freshkb("sync")
    first, left = freshkb.json("ls")
    assert first["uri"] == "c.md"
    assert left["uri"].endswith("/deep.md")


def test_an_audit_judges_what_an_incomplete_listing_let_in(freshkb: CommandLine, kb: Knowledge) -> None:
    said = freshkb("audit", code=1).stderr
    assert "Nothing was ever synced" in said
    kb.write("a.md", "# A\n\nLeave.\n")
    kb.write("shut/b.md", "# B\n\nLeave.\n")
    (kb.docs / "shut").chmod(0)
    try:
        with binding():
            freshkb("sync", code=1)
    finally:
        (kb.docs / "shut").chmod(0o755)
    assert [result["uri"] for result in freshkb.json("audit")["results"]] == ["a.md"]
