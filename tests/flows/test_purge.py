"""`freshkb purge`, and the purges of `freshkb sync` and `freshkb watch`."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flows.watch import Watcher
from index.errors import ConfigError
from index.ledger import vacuum
from index.purge import apart
from index.purge.scan import text
from tests.commands import CommandLine
from tests.knowledge import Knowledge


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(kb, monkeypatch)


@pytest.fixture
def removed(freshkb: CommandLine, kb: Knowledge) -> Path:
    """The state folder of a base in which a document was deleted moments ago."""
    gone = kb.write("gone.md", "# Gone\n\nOf the kookaburra.\n")
    kb.write("stays.md", "# Stays\n\nAs it is.\n")
    kb.write("other.md", "# Other\n\nAs it is, too.\n")
    # The second sync comes soon after the first: no purge is due.
    freshkb("sync")
    gone.unlink()
    freshkb("sync")
    return kb.home / ".freshkb"


def holding(state: Path) -> bool:
    return bool(apart.found([state], [text("t", "kookaburra")]))


def test_a_purge_says_what_waited_what_is_gone_and_what_it_does_not_reach(
    freshkb: CommandLine, removed: Path
) -> None:
    assert holding(removed)
    dry = freshkb.json("purge", "--dry-run")
    assert (dry["removals"], dry["purged"], dry["pending"]) == (1, 0, 1)
    assert 0 <= dry["oldest_seconds"] < 3600
    assert holding(removed)
    done = freshkb.json("purge")
    assert {name: done[name] for name in ("removals", "purged", "pending", "oldest_seconds")} == {
        "removals": 1,
        "purged": 1,
        "pending": 0,
        "oldest_seconds": None,
    }
    assert [(p["place"], p["claim"]) for p in done["places"]] == [("store", "purged"), ("ledger", "purged")]
    assert all(p["evidence"].endswith(".") for p in done["places"])
    assert any("backups" in sentence for sentence in done["not_covered"])
    assert not holding(removed)


def test_in_words_it_says_the_same(freshkb: CommandLine, removed: Path) -> None:
    assert (
        "1 removed point to purge, the oldest for 0.0 h. Nothing was done."
        in freshkb("purge", "--dry-run").stdout
    )
    said = freshkb("purge").stdout
    assert "1 removed point purged, 0 pending." in said
    assert "  store: purged. " in said and "Not covered:\n" in said
    assert freshkb("purge", "-q").stdout == ""
    assert freshkb.json("runs")[0]["kind"] == "purge"


def test_what_could_not_be_removed_ends_with_1(
    freshkb: CommandLine, removed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vacuum, "WAIT_SECONDS", 0.01)
    with closing(sqlite3.connect(removed / "ledger.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM documents").fetchone()
        ended = freshkb("purge", code=1)
        assert "reads an older state" in ended.stderr
        assert freshkb.json("purge", code=1)["pending"] == 1
    freshkb("purge")


def test_a_source_that_leaves_removals_to_its_writer_ends_with_4(
    freshkb: CommandLine, kb: Knowledge, removed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kb.docs / "stays.md").unlink()
    with monkeypatch.context() as patch:
        patch.setattr("index.sync.apply.remove", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            kb.sync()
    with kb.workspace() as other, other.ledger.writer("docs", "freshkb sync"):
        done = freshkb.json("purge", code=4)
    assert (done["purged"], done["pending"]) == (1, 1)
    assert "is being written by `freshkb sync`" in done["waiting"][0]


def test_status_and_doctor_tell_how_long_the_removed_waits(
    freshkb: CommandLine, kb: Knowledge, removed: Path
) -> None:
    index = freshkb.json("status")["index"]
    assert index["purge"]["pending"] == 1 and index["purge"]["purge_within_seconds"] == 86_400
    assert "Removed, and still to be purged: for 0.0 h" in freshkb("status").stdout
    check = {c["name"]: c for c in freshkb.json("doctor")["checks"]}["purge"]
    assert check["ok"] and "1 removed points" in check["detail"]
    waited_for_days(removed)
    assert "longer than delete.purge_within: freshkb purge" in freshkb("status").stdout
    checks = {c["name"]: c for c in freshkb.json("doctor", code=1)["checks"]}
    assert not checks["purge"]["ok"]
    assert "the oldest for 72.0 h; delete.purge_within is 1d." in checks["purge"]["detail"]
    assert "freshkb purge" in checks["purge"]["detail"]
    freshkb("purge")
    check = {c["name"]: c for c in freshkb.json("doctor")["checks"]}["purge"]
    assert check["ok"] and "Nothing whose removal was finished waits" in check["detail"]


def waited_for_days(state: Path) -> None:
    with closing(sqlite3.connect(state / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE removals SET absent_at = absent_at - 3 * 86400 * 1000000")


def test_a_sync_purges_when_it_is_due_and_not_before(freshkb: CommandLine, removed: Path) -> None:
    freshkb("sync")
    assert holding(removed)
    waited_for_days(removed)
    freshkb("sync")
    assert not holding(removed)
    kinds = [run["kind"] for run in freshkb.json("runs")]
    assert kinds.count("purge") == 1
    freshkb("sync")
    assert [run["kind"] for run in freshkb.json("runs")].count("purge") == 1


def test_a_watcher_purges_when_it_is_due(freshkb: CommandLine, kb: Knowledge, removed: Path) -> None:
    waited_for_days(removed)
    stop = threading.Event()

    def tell(event: dict[str, Any]) -> None:
        if event["event"] == "ready":
            stop.set()

    from datetime import UTC, datetime

    with kb.workspace() as workspace:
        workspace.now = lambda: datetime.now(UTC)
        Watcher(workspace, stop, tell=tell).run()
    assert not holding(removed)


def test_a_time_that_is_none_is_named(kb: Knowledge) -> None:
    kb.source["delete"] = {"purge_within": "soon"}
    with pytest.raises(ConfigError, match=r"sources\.0\.delete\.purge_within|purge_within: 'soon'"):
        kb.config()
