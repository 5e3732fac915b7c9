"""Retention as the commands show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import CommandLine
from tests.knowledge import Knowledge

RULES = [{"match": "contracts/**", "after": "1y", "field": "contract_end"}]
WHY = "Its retention ended at 2021-01-01T12:00:00Z: 1y from 2020-01-01 (contract_end)."


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(kb, monkeypatch)


@pytest.fixture
def due(freshkb: CommandLine, kb: Knowledge) -> Knowledge:
    """A base with two documents whose retention has ended by a rule that is new."""
    for name in ("a", "b"):
        kb.write(
            f"contracts/{name}.md", f"---\ncontract_end: 2020-01-01\n---\n# {name}\n\nKookaburra {name}.\n"
        )
    kb.write("stays.md", "# Stays\n\nAs it is.\n")
    freshkb("sync")
    kb.settings["retention"] = RULES
    kb.config()
    return kb


def test_the_plan_names_them_with_the_reason(freshkb: CommandLine, due: Knowledge) -> None:
    (plan,) = freshkb.json("plan")["sources"]
    assert (plan["expired"], plan["delete"], plan["unchanged"]) == (2, 0, 1)
    assert {(item["action"], item["uri"], item["reason"]) for item in plan["items"]} == {
        ("expire", "contracts/a.md", WHY),
        ("expire", "contracts/b.md", WHY),
    }
    said = freshkb("plan").stdout
    assert f"  × contracts/a.md  {WHY}\n" in said
    assert "0 to touch, 2 to expire; 1 unchanged, 0 held, 0 refused." in said


def test_a_sync_counts_them_and_status_ls_and_show_know_them(freshkb: CommandLine, due: Knowledge) -> None:
    report = freshkb.json("sync")
    assert (report["sources"][0]["expired"], report["documents"]) == (2, 1)
    status = freshkb.json("status")
    assert (status["documents"]["expired"], status["documents"]["indexed"]) == (2, 1)
    assert "docs: 1 indexed, 2 expired; synced" in freshkb("status").stdout
    rows = freshkb.json("ls", "--state", "expired")
    assert [(row["uri"], row["state"], row["reason"], row["chunks"]) for row in rows] == [
        ("contracts/a.md", "expired", WHY, 0),
        ("contracts/b.md", "expired", WHY, 0),
    ]
    shown = freshkb.json("show", "contracts/a.md")
    assert (shown["state"], shown["reason"], shown["expires_at"]) == ("expired", WHY, "2021-01-01T12:00:00Z")
    assert WHY in freshkb("show", "contracts/a.md").stdout
    assert freshkb.json("audit")["counts"]["fresh"] == 1 and len(freshkb.json("audit")["results"]) == 1
    hits = freshkb.json("search", "kookaburra", "--mode", "sparse", "--held")
    assert hits == []
    found = freshkb("find", "--exact", "contracts/a.md")
    assert "(expired): path" in found.stdout
    assert "Of 2 documents the index has no text" in found.stderr
    assert freshkb.json("verify")["ok"] and freshkb.json("config", "show")["retention"][0]["after"] == "1y"
    assert freshkb("sync").stdout.startswith("docs: 3 unchanged")


def test_a_sync_says_how_many_expired(freshkb: CommandLine, due: Knowledge) -> None:
    assert freshkb("sync").stdout.startswith("docs: 2 expired, 1 unchanged\n")


def test_too_many_are_refused_and_approved(freshkb: CommandLine, due: Knowledge) -> None:
    due.source["delete"] = {"max_fraction": 0.0, "max_count": 1}
    due.config()
    refused = freshkb("sync", code=4)
    assert "The retention of 2 of them has ended." in refused.stderr
    (plan,) = freshkb.json("plan", code=4)["sources"]
    assert (plan["expired"], plan["refused"]) == (0, 2)
    done = freshkb.json("sync", "--approve", plan["plan_hash"], "--by", "Anna")
    assert done["sources"][0]["expired"] == 2
    assert freshkb.json("runs")[0]["approved_by"] == "Anna"


def test_the_bytes_go_with_the_next_purge(freshkb: CommandLine, due: Knowledge) -> None:
    from index.purge import apart
    from index.purge.scan import text

    freshkb("sync")
    freshkb("purge")
    assert not apart.found([Path(due.home / ".freshkb")], [text("t", "Kookaburra")])
