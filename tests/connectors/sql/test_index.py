"""Rows from the database to the index and out of it again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from index.model import State
from index.search.knowledge_base import KnowledgeBase
from index.sync.sync import plan_of
from index.verify.compare import verify
from tests import documents
from tests.commands import CommandLine
from tests.connectors.sql.tables import COLUMNS, Table, table
from tests.knowledge import Knowledge, counts

pytest_plugins = ["tests.postgres"]

Use = Callable[..., None]


@pytest.fixture
def use(kb: Knowledge) -> Use:
    """Make a table the only source of the knowledge base."""

    def configure(pages: Table, content: str = "text", **settings: Any) -> None:
        kb.settings["sources"] = [
            {
                "id": "pages",
                "type": "sql",
                "url": pages.url,
                "query": "SELECT * FROM pages",
                "columns": {**COLUMNS, content: {"text": "body", "file": "file"}[content]},
                **settings,
            }
        ]

    return configure


@pytest.fixture
def sqlite(kb: Knowledge) -> Any:
    with table("sqlite:///pages.db", kb.home) as made:
        yield made


def test_rows_are_found_edited_and_gone_again(kb: Knowledge, pages: Table, use: Use) -> None:
    use(pages, metadata=["last_reviewed"], link="https://intranet.example.org/{path}")
    pages.put("hr/leave", "# Leave\n\nParents take sixteen weeks.\n")
    pages.put("hr/travel", "# Travel\n\nTrains come first.\n")
    pages.run(
        "UPDATE pages SET title = 'Parental leave', owner = 'user:anna', last_reviewed = '2026-05-01' "
        "WHERE id = 'hr/leave'"
    )
    assert counts(kb.sync(), "pages") == {"added": 2, "embedded": 2}
    with kb.workspace() as workspace:
        (hit,) = KnowledgeBase(workspace).search("sixteen", k=1, mode="sparse")
        assert (hit.uri, hit.owner, hit.url) == (
            "hr/leave",
            "user:anna",
            "https://intranet.example.org/hr/leave",
        )
        assert verify(workspace, deep=True).ok
    assert kb.documents()["hr/leave"].modified_at == datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)
    assert counts(kb.sync(), "pages") == {"unchanged": 2, "embedded": 0}
    pages.put("hr/travel", "# Travel\n\nBuses come first.\n")
    assert counts(kb.sync(), "pages") == {"updated": 1, "unchanged": 1, "embedded": 1}
    assert "Buses" in kb.texts()["hr/travel"]
    pages.run("UPDATE pages SET owner = 'user:bo' WHERE id = 'hr/leave'")
    assert counts(kb.sync(), "pages") == {"touched": 1, "unchanged": 1, "embedded": 0}
    pages.run("DELETE FROM pages WHERE id = 'hr/leave'")
    assert counts(kb.sync(), "pages") == {"deleted": 1, "unchanged": 1, "embedded": 0}
    assert set(kb.texts()) == {"hr/travel"}


def test_two_changes_within_one_second_are_both_seen(kb: Knowledge, sqlite: Table, use: Use) -> None:
    """The time stays the same, and so does the length."""
    use(sqlite)
    now = datetime.now(UTC).replace(microsecond=0)
    sqlite.put("a", "# One\n", now)
    kb.sync()
    sqlite.put("a", "# Two\n", now)
    assert counts(kb.sync(), "pages") == {"updated": 1, "embedded": 1}
    assert "Two" in kb.texts()["a"]


def test_a_file_in_a_column_is_read_as_what_its_row_says(
    kb: Knowledge, sqlite: Table, use: Use, tmp_path: Path
) -> None:
    use(sqlite, "file", columns={"id": "id", "file": "file", "format": "format", "title": "title"})
    page = documents.eml(tmp_path / "mail", subject="Pumps", text="Pumps are cleaned on Fridays.")
    sqlite.put("7", page.read_bytes())
    sqlite.run("UPDATE pages SET format = 'Question.eml', title = 'Pumps'")
    assert counts(kb.sync(), "pages") == {"added": 1, "embedded": 1}
    assert "Fridays" in kb.texts()["7"]
    assert kb.documents()["7"].title == "Pumps"


def test_what_is_wrong_removes_nothing_and_names_the_cause(kb: Knowledge, pages: Table, use: Use) -> None:
    use(pages)
    for name in "abc":
        pages.put(name, f"# {name}\n")
    kb.sync()
    pages.run("DELETE FROM pages WHERE id = 'a'")
    pages.run("INSERT INTO pages (body) VALUES ('nobody')")
    report = kb.sync()
    assert report.exit_code == 1 and "1 rows have no id" in (report.sources[0].error or "")
    pages.run("ALTER TABLE pages RENAME TO other")
    report = kb.sync()
    assert report.exit_code == 1 and "pages" in (report.sources[0].error or "")
    assert {d.state for d in kb.documents().values()} == {State.INDEXED}
    pages.run("ALTER TABLE other RENAME TO pages")
    pages.run("DELETE FROM pages WHERE id IS NULL")
    assert counts(kb.sync(), "pages") == {"deleted": 1, "unchanged": 2, "embedded": 0}


def test_an_empty_table_and_another_query_are_refused_removals(
    kb: Knowledge, sqlite: Table, use: Use
) -> None:
    use(sqlite)
    for name in "abc":
        sqlite.put(name, f"# {name}\n")
    kb.sync()
    use(sqlite, query="SELECT * FROM pages WHERE id <> 'a'")
    plan = kb.ask(lambda workspace: plan_of(workspace, "pages"))
    assert "filters of 'pages' were changed" in next(item.reason for item in plan.items)
    use(sqlite)
    sqlite.run("DELETE FROM pages")
    assert "lists no document" in (kb.sync().sources[0].error or "")
    assert len(kb.documents()) == 3


def test_a_password_is_in_nothing_that_is_printed_or_kept(
    kb: Knowledge, postgres: Table, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "canary-3f9a1c7e"
    use(postgres)
    kb.source["url"] = f"postgresql://freshkb:{secret}@/{postgres.url.partition('@/')[2]}"
    kb.config()
    run = CommandLine(kb, monkeypatch)
    commands = (["config", "show"], ["config", "check"], ["plan"], ["sync", "-v"], ["status"])
    said = "".join(run(*command, code=None).output for command in commands)
    assert "authentication failed" in said and secret not in said
    for path in Path(kb.home / ".freshkb").rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()
