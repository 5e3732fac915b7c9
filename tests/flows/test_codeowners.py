"""CODEOWNERS files name owners, and a changed one reaches rows and payloads without embedding."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.base import SourceUnavailable
from connectors.codeowners import owners_file
from index.verify.compare import verify
from tests.commands import CommandLine
from tests.knowledge import Knowledge, counts


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    kb.settings["defaults"] = {"owner": "group:all"}
    return CommandLine(kb, monkeypatch)


def owners(kb: Knowledge) -> dict[str, tuple[str, str]]:
    return {uri: (d.owner, d.owner_source) for uri, d in kb.documents().items()}


def payloads(kb: Knowledge) -> dict[str, str]:
    return {p.payload["metadata"]["uri"]: p.payload["metadata"]["owner"] for p in kb.points().values()}


def test_precedence_and_a_change_without_embedding(kb: Knowledge, freshkb: CommandLine) -> None:
    kb.write("front.md", "---\nowner: user:anna\n---\nText of front.\n")
    kb.write("rule.md", "Text of rule.\n")
    kb.write("hr/file.md", "Text of file.\n")
    kb.write("hr/open.md", "Text of open.\n")
    kb.write("else.md", "Text of else.\n")
    file = kb.write(".github/CODEOWNERS", "/hr/ @org/hr bo@example.org\n*.md\n/hr/file.md @org/hr\n")
    kb.source["rules"] = [{"match": "rule.md", "owner": "user:carla"}]
    kb.config()
    freshkb("sync")
    expected = {
        "front.md": ("user:anna", "front matter"),
        "rule.md": ("user:carla", "rule"),
        "hr/file.md": ("@org/hr", "CODEOWNERS"),
        # A pattern without owners takes it out: the file names nobody for it.
        "hr/open.md": ("group:all", "default"),
        "else.md": ("group:all", "default"),
    }
    assert owners(kb) == expected
    results = freshkb.json("audit", "--fail-on", "never")["results"]
    assert {row["uri"]: (row["owner"], row["owner_source"]) for row in results} == expected
    file.write_text("* @org/docs\n/hr/ @org/hr bo@example.org # comment\n")
    assert counts(kb.sync()) == {"touched": 3, "unchanged": 2, "embedded": 0}
    assert owners(kb)["else.md"] == ("@org/docs", "CODEOWNERS")
    assert kb.documents()["hr/open.md"].owners == ["@org/hr", "bo@example.org"]
    assert payloads(kb)["hr/open.md"] == "@org/hr" and payloads(kb)["else.md"] == "@org/docs"
    assert counts(kb.sync()) == {"unchanged": 5, "embedded": 0}
    assert kb.ask(verify).ok
    file.unlink()
    assert counts(kb.sync()) == {"touched": 3, "unchanged": 2, "embedded": 0}
    assert owners(kb)["hr/file.md"] == ("group:all", "default")


def test_while_the_file_cannot_be_read_its_owners_stay(kb: Knowledge, freshkb: CommandLine) -> None:
    kb.write("a.md", "Text of a.\n")
    kb.write("CODEOWNERS", "* @anna\n")
    freshkb("sync")
    away = kb.docs.rename(kb.home / "away")
    results = freshkb.json("audit", "--fail-on", "never")["results"]
    assert [row["owner"] for row in results if row["uri"] == "a.md"] == ["@anna"]
    freshkb("sync", code=1)
    away.rename(kb.docs)
    (kb.docs / "CODEOWNERS").write_text("* @anna\n" + "#" * 3_000_000)
    assert "is larger than 3,000,000 bytes. Mend or remove it." in freshkb("sync", code=1).output
    assert owners(kb)["a.md"] == ("@anna", "CODEOWNERS")
    (kb.docs / "CODEOWNERS").write_text("* @anna\n")
    assert counts(kb.sync())["embedded"] == 0


def test_the_file_of_the_work_tree_comes_first(tmp_path: Path) -> None:
    root = tmp_path / "repo" / "docs" / "hand%62ook"
    root.mkdir(parents=True)
    assert owners_file(root) is None
    (root / "CODEOWNERS").write_text("* @own")
    assert owners_file(root) == ("* @own", "")
    (tmp_path / "repo" / ".git").mkdir()
    (tmp_path / "repo" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert owners_file(root) == ("* @own", "")
    for number, place in enumerate(("docs/CODEOWNERS", "CODEOWNERS", ".github/CODEOWNERS")):
        path = tmp_path / "repo" / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"* @team-{number}")
        assert owners_file(root) == (f"* @team-{number}", "docs/hand%2562ook")
    (tmp_path / "repo" / ".github" / "CODEOWNERS").unlink()
    (tmp_path / "repo" / ".github" / "CODEOWNERS").symlink_to("/etc/passwd")
    assert owners_file(root) == ("* @team-1", "docs/hand%2562ook")


def test_a_source_that_is_not_there_has_no_owners_to_tell(kb: Knowledge) -> None:
    with kb.workspace() as workspace:
        connector = workspace.connector("docs")
        kb.docs.rmdir()
        with pytest.raises(SourceUnavailable, match="is it mounted"):
            connector.codeowners()
