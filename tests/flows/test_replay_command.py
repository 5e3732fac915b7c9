"""Commands on a ledger that is older than its anchors know: refused, replayed, restored, told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import CommandLine
from tests.knowledge import Knowledge
from tests.older import anchor, erased, keep, put_back


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch, examined_here: None) -> CommandLine:
    anchor(kb, "file")
    command = CommandLine(kb, monkeypatch)
    kb.write("a.md", "# Pay\n\nThe raise.\n")
    kb.write("b.md", "Another page.\n")
    command("sync")
    return command


def receipt(kb: Knowledge, uri: str) -> tuple[str, str]:
    """(id, file of the receipt outside of the state folder) of an order that was carried out."""
    order = erased(kb, uri)
    path = kb.home / f"{order.order_id}.json"
    path.write_text(order.receipt)
    return order.order_id, str(path)


def test_commands_that_show_or_write_documents_are_refused_and_others_are_not(
    freshkb: CommandLine, kb: Knowledge, tmp_path: Path
) -> None:
    keep(kb, tmp_path / "aside")
    name, file = receipt(kb, "a.md")
    put_back(kb, tmp_path / "aside")
    for command in (
        *(["search", "raise"], ["find", "--exact", "raise"], ["show", "a.md"], ["ls"], ["plan"], ["sync"]),
        *(["audit"], ["retry"], ["review", "b.md"], ["reindex"], ["purge"], ["verify", "--repair"]),
    ):
        refused = freshkb(*command, code=4)
        assert name in refused.stderr and "freshkb erase --replay" in refused.stderr, command
        assert "a.md" not in refused.output
    error = json.loads(freshkb("search", "raise", "--json", code=4).stderr.splitlines()[-1])
    assert error["error"]["code"] == "refused"
    for command in (
        ["status"],
        ["log", "show"],
        ["runs"],
        ["hold", "list"],
        ["receipts", "list"],
        ["verify"],
    ):
        freshkb(*command)
    assert name in freshkb("log", "verify", code=1).stdout
    assert not next(c for c in freshkb.json("doctor", code=1)["checks"] if c["name"] == "missing orders")[
        "ok"
    ]
    assert name in freshkb("erase", "b.md", "--reason", "x", "--yes", code=4).stderr
    assert freshkb.json("receipts", "list") == []
    # From its receipt it is carried out again.
    assert "needs files of receipts" in freshkb("erase", "--replay", code=2).stderr
    (done,) = freshkb.json("erase", "--replay", file)
    assert (done["order_id"], done["state"], done["documents"]) == (name, "done", 1)
    assert [hit["uri"] for hit in freshkb.json("search", "raise", "--mode", "sparse")] == []
    assert "carried out all of these" in freshkb("erase", "--replay", file).stdout
    problems = freshkb.json("log", "verify", code=1)["problems"]
    (entry,) = [e for e in freshkb.json("log", "show") if "generation" in e["facts"]]
    assert [problem["seq"] for problem in problems] == [entry["seq"]]
    found = freshkb.json("log", "verify", "--restored", entry["facts"]["generation"])
    assert found["ok"] and [loss["seq"] for loss in found["lost"]] == [entry["seq"]]
    assert "known: " in freshkb("log", "verify", "--restored", entry["facts"]["generation"]).stdout
    # The second receipt, of a later generation of the log, verifies as the first does.
    for path in (file, done["receipt"]):
        assert freshkb.json("receipts", "verify", path)["ok"]


def test_a_restore_says_what_is_lost_and_what_is_in_force(
    freshkb: CommandLine, kb: Knowledge, tmp_path: Path
) -> None:
    freshkb("backup", "create", str(tmp_path / "backup"))
    name, file = receipt(kb, "a.md")
    (kb.home / ".freshkb" / "signing.pem").rename(kb.home / "key.pem")
    kb.settings["log"]["key_file"] = "key.pem"
    kb.settings["state_dir"] = ".elsewhere"
    kb.config()
    refused = freshkb("backup", "restore", str(tmp_path / "backup"), code=4)
    assert name in refused.stderr and "--replay" in refused.stderr
    restored = freshkb("backup", "restore", str(tmp_path / "backup"), "--replay", file)
    assert f"In force again: {name}." in restored.stdout and "of the log" in restored.stderr
    assert [hit["uri"] for hit in freshkb.json("search", "raise", "--mode", "sparse")] == []
    freshkb("sync")
    (order,) = freshkb.json("receipts", "list")
    assert order["order_id"] == name and order["state"] == "done"
