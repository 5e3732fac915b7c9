"""The command line: the output of each command, and its exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from flows.cli.app import COMMANDS
from flows.cli.options import Group
from index.config import load
from index.model import State
from index.workspace import require_collection
from tests import forks
from tests.commands import CommandLine, environment, process
from tests.erasures import carried_out, placed
from tests.knowledge import Knowledge

#: Commands of the contract's table with a JSON column.
WITH_JSON = set(COMMANDS) - {"init", "serve", "review", "ui"}

pytestmark = pytest.mark.usefixtures("examined_here")

TODAY = datetime.now(UTC).date()
PAGE = """---
title: {title}
owner: {owner}
last_reviewed: {reviewed}
---
# {title}

{text}
"""


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(kb, monkeypatch)


def page(
    kb: Knowledge, uri: str, text: str = "Four hours of leave.", *, days: int = 0, owner: str = "user:anna"
) -> Path:
    """A document that was reviewed so many days ago."""
    reviewed = TODAY - timedelta(days=days)
    return kb.write(uri, PAGE.format(title=Path(uri).stem, owner=owner, reviewed=reviewed, text=text))


# ── What all commands share ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_shared_options(command: str, freshkb: CommandLine) -> None:
    found = getattr(import_module(f"flows.cli.{command}"), command)
    for verb in [[name] for name in found.commands] if isinstance(found, Group) else [[]]:
        shown = freshkb(command, *verb, "--help").stdout
        assert "-v, --verbose" in shown
        assert "-q, --quiet" in shown
        assert ("--config" in shown) == (command != "init")
        assert ("--json" in shown) == (command in WITH_JSON)


def test_it_says_its_version(freshkb: CommandLine) -> None:
    assert freshkb("--version").stdout == f"freshkb {version('freshkb')}\n"


def test_without_a_command_it_helps_and_an_unknown_one_is_a_usage_error(freshkb: CommandLine) -> None:
    assert "Commands:" in freshkb(code=2).output
    assert "No such command 'snyc'" in freshkb("snyc", code=2).stderr
    assert "No such option" in freshkb("sync", "--bogus", code=2).stderr


def test_the_configuration_is_found_here_above_or_where_it_is_said(
    freshkb: CommandLine, kb: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kb.home / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(kb.home / "deep" / "er")
    assert str(kb.home / "freshkb.yaml") in freshkb("config", "check").stdout
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert "There is no freshkb.yaml" in freshkb("status", code=2).stderr
    assert "cannot be read" in freshkb("status", "--config", "no.yaml", code=2).stderr
    freshkb("status", "--config", "../kb/freshkb.yaml")
    assert list(elsewhere.iterdir()) == []


def test_an_unknown_source_is_named_with_the_nearest(freshkb: CommandLine) -> None:
    for command in (["sync"], ["plan"], ["ls"], ["search", "leave"]):
        said = freshkb(*command, "--source", "dogs", code=2)
        assert "no source 'dogs'; did you mean 'docs'?" in said.stderr
        assert said.stdout == ""


def test_json_stands_alone_on_stdout_and_quiet_says_nothing(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md")
    for command in (
        ["plan"], ["sync"], ["status"], ["ls"], ["show", "a.md"], ["search", "leave"], ["verify"], ["audit"],
        ["runs"], ["retry"], ["doctor"], ["config", "show"], ["config", "check"], ["sources", "check"],
        ["sources", "sample", "docs"],
    ):  # fmt: skip
        freshkb.json(*command)
        assert freshkb(*command).stdout
        quiet = freshkb(*command, "-q")
        assert quiet.stderr == ""
        assert quiet.stdout == "" or command == ["config", "show"]


def test_every_command_says_more_when_asked_and_json_stays_alone(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md")
    kb.write("broken.pdf", "no PDF")
    for command in (
        ["plan"], ["sync"], ["status"], ["ls"], ["show", "a.md"], ["search", "leave"], ["verify"], ["audit"],
        ["runs"], ["retry"], ["doctor"], ["config", "show"], ["config", "check"], ["reindex"],
        ["review", "a.md", "--by", "anna"], ["init", "elsewhere"], ["sources", "check"],
        ["sources", "sample", "docs"],
    ):  # fmt: skip
        said = freshkb(*command, "-v", code=None).stderr
        assert re.search(r"(?m)^\S+Z DEBUG freshkb\.cli: Python ", said), command
        assert re.search(r"(?m)^\S+Z DEBUG freshkb\.cli: Ended after ", said), command
        if command[0] not in ("review", "init", "reindex"):
            found = freshkb(*command, "-v", "--json", code=None)
            assert json.loads(found.stdout) is not None
            assert " DEBUG " in found.stderr
        assert " DEBUG " not in freshkb(*command, code=None).output


def test_a_folder_whose_name_is_no_text_breaks_no_output(
    freshkb: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    freshkb("init", str(folder))
    monkeypatch.chdir(folder)
    assert freshkb.json("config", "check")["config"] == str(folder / "freshkb.yaml")
    assert "caf" in freshkb("config", "check").stdout


# ── Setting up ────────────────────────────────────────────────────────────────────────────────────────


def test_init_writes_a_configuration_that_loads_and_never_replaces_one(
    freshkb: CommandLine, tmp_path: Path
) -> None:
    freshkb("init", str(tmp_path / "new" / "kb"))
    written = tmp_path / "new" / "kb" / "freshkb.yaml"
    load(written, {}, tmp_path)
    written.write_text("mine")
    assert "exists already" in freshkb("init", str(written.parent), code=2).stderr
    assert written.read_text() == "mine"
    assert "cannot be written" in freshkb("init", str(written), code=2).stderr


def test_config_shows_prints_the_schema_and_checks(
    freshkb: CommandLine, kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT", "s3cret")
    written = (kb.home / "freshkb.yaml").read_text()
    server = "index: {store: qdrant, url: 'http://127.0.0.1:1', api_key: '${QDRANT}'}"
    (kb.home / "freshkb.yaml").write_text(f"{written}{server}\n")
    for shown in (yaml.safe_load(freshkb("config", "show").stdout), freshkb.json("config", "show")):
        assert shown["sources"][0]["id"] == "docs"
        assert "s3cret" not in str(shown)
    assert "sources" in json.loads(freshkb("config", "schema").stdout)["properties"]
    assert freshkb.json("config", "check") == {"ok": True, "config": str(kb.home / "freshkb.yaml")}
    (kb.home / "freshkb.yaml").write_text("version: 1\nsorces: []\n")
    said = freshkb("config", "check", "--json", code=2)
    assert said.stdout == ""
    assert "freshkb.yaml:2" in said.stderr
    assert "did you mean sources?" in said.stderr
    freshkb("config", "shew", code=2)


def test_doctor_says_what_is_wrong_and_how_to_mend_it(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md")
    found = freshkb.json("doctor")
    assert found["ok"]
    assert {"ledger", "runs", "store", "model", "source docs", "sentences", "tesseract", "prefect"} <= {
        check["name"] for check in found["checks"]
    }
    assert all(set(check) == {"name", "ok", "detail"} for check in found["checks"])
    kb.docs.rename(kb.home / "gone")
    found = freshkb.json("doctor", code=1)
    assert not found["ok"]
    assert [check["name"] for check in found["checks"] if not check["ok"]] == ["source docs"]
    assert "BAD source docs" in freshkb("doctor", code=1).stdout


# ── Plan and sync ─────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_shows_a_line_for_each_change_and_does_nothing(freshkb: CommandLine, kb: Knowledge) -> None:
    for uri in ("changed.md", "old.md", "gone.md", "same.md"):
        page(kb, uri, f"The text of {uri}.")
    freshkb("sync")
    page(kb, "new.md", "Something new.")
    page(kb, "changed.md", "Something else.")
    (kb.docs / "old.md").rename(kb.docs / "renamed.md")
    (kb.docs / "gone.md").unlink()
    said = freshkb("plan").stdout.splitlines()
    assert set(said[1:-1]) == {"  + new.md", "  ~ changed.md", "  » old.md → renamed.md", "  - gone.md"}
    assert "1 to add, 1 to update, 1 to move, 1 to delete, 0 to touch; 1 unchanged" in said[-1]
    (planned,) = freshkb.json("plan")["sources"]
    assert set(planned) == {
        "source", "complete", "plan_hash", "add", "update", "move", "delete", "expired", "touch", "unchanged",
        "held", "refused", "withheld", "error", "items",
    }  # fmt: skip
    assert all({"action", "uri", "document_id"} <= set(item) for item in planned["items"])
    assert {item["action"]: item["uri"] for item in planned["items"]} == {
        "add": "new.md", "update": "changed.md", "move": "renamed.md", "delete": "gone.md",
    }  # fmt: skip
    assert freshkb.json("plan")["sources"][0]["plan_hash"] == planned["plan_hash"]
    assert sorted(kb.documents()) == ["changed.md", "gone.md", "old.md", "same.md"]


def test_a_sync_reports_every_count_of_the_contract(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md")
    report = freshkb.json("sync")
    assert set(report) == {"run_id", "seconds", "sources", "chunks", "documents"}
    assert set(report["chunks"]) == {"embedded", "reused", "deleted", "total"}
    assert set(report["sources"][0]) == {
        "source", "complete", "added", "updated", "moved", "deleted", "expired", "touched", "unchanged",
        "quarantined", "skipped", "held", "refused", "withheld", "plan_hash", "error",
    }  # fmt: skip
    assert (report["documents"], report["chunks"]["total"]) == (1, 1)
    assert "docs: 1 unchanged" in freshkb("sync").stdout


def test_what_an_order_to_erase_keeps_out_is_counted_and_not_named(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    for uri in ("a.md", "staff.md"):
        page(kb, uri)
    freshkb("sync")
    assert "withheld" not in freshkb("plan").stdout + freshkb("sync").stdout
    with kb.workspace() as workspace:
        (staff,) = workspace.ledger.documents.find(uris=["staff.md"])
        placed(workspace.ledger, "E-1", [staff.document_id], kb.clock())
        open_order = freshkb("status").stdout
        carried_out(workspace, "E-1")
    assert "Orders to erase: 1 standing, 1 not carried out yet, 0 documents in quarantine" in open_order
    planned = freshkb("plan").stdout
    assert planned.splitlines()[-1].endswith("1 unchanged, 0 held, 0 refused, 1 withheld.")
    said = freshkb("sync").stdout
    assert "docs: 1 unchanged (1 withheld)" in said
    assert freshkb.json("sync")["sources"][0]["withheld"] == 1
    assert "1 standing, 0 documents in quarantine" in freshkb("status").stdout
    assert freshkb.json("ls", "--state", "erased") == []
    assert "staff" not in planned + said + freshkb("ls").stdout + freshkb("log", "show").stdout
    assert "staff" not in json.dumps([freshkb.json("runs"), freshkb.json("plan"), freshkb.json("verify")])


def test_checksum_finds_a_change_that_no_token_shows(freshkb: CommandLine, kb: Knowledge) -> None:
    path = page(kb, "a.md", "Four hours of leave.")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    freshkb("sync")
    page(kb, "a.md", "Five hours of leave.")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert freshkb.json("sync")["sources"][0]["updated"] == 0
    assert freshkb.json("sync", "--checksum")["sources"][0]["updated"] == 1
    assert "Five hours" in kb.texts()["a.md"]


def test_what_a_guard_refuses_ends_with_4_until_exactly_it_is_approved(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    for number in range(14):
        page(kb, f"{number}.md", f"Text {number}.")
    freshkb("sync")
    for number in range(12):
        (kb.docs / f"{number}.md").unlink()
    (planned,) = freshkb.json("plan", code=4)["sources"]
    refused = freshkb("sync", code=4)
    assert f"--approve {planned['plan_hash']}" in refused.stderr
    assert freshkb.json("sync", code=4)["sources"][0]["refused"] == 12
    other = freshkb("sync", "--approve", "0123456789abcdef", "--json", code=4)
    assert "no longer the same" in other.stderr
    assert other.stdout == ""
    assert freshkb.json("sync", "--approve", planned["plan_hash"])["sources"][0]["deleted"] == 12
    assert "carried out before" in freshkb("sync", "--approve", planned["plan_hash"], code=4).stderr


def test_the_exit_code_is_the_first_that_applies(freshkb: CommandLine, kb: Knowledge) -> None:
    """1 before 4 before 3."""
    for number in range(14):
        page(kb, f"{number}.md", f"Text {number}.")
    kb.write("broken.pdf", "not a PDF")
    assert "1 document in quarantine" in freshkb("sync", code=3).stderr
    freshkb("sync", code=3)
    for number in range(12):
        (kb.docs / f"{number}.md").unlink()
    freshkb("sync", code=4)
    kb.settings["sources"].append({"id": "lost", "type": "files", "root": "./nowhere"})
    kb.config()
    report = freshkb.json("sync", code=1)
    assert [s["complete"] for s in report["sources"]] == [True, False]
    assert "does not exist; is it mounted?" in report["sources"][1]["error"]
    assert freshkb.json("plan", code=1)["sources"][1]["error"]
    (kb.home / "freshkb.yaml").write_text("version: 2\n")
    freshkb("sync", code=2)


def test_another_writer_is_named_and_ends_with_4(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md")
    with kb.workspace() as workspace, workspace.ledger.writer("docs", "freshkb watch"):
        said = freshkb("sync", "--json", code=4)
    assert f"`freshkb watch` on {os.uname().nodename} (pid {os.getpid()}" in said.stderr
    assert said.stdout == ""


def test_another_model_is_refused_by_plan_and_sync_and_the_old_index_answers_meanwhile(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    page(kb, "a.md")
    freshkb("sync")
    kb.settings["embedding"] = {"dtype": "bfloat16"}
    kb.config()
    for command in ("plan", "sync"):
        assert "freshkb reindex" in freshkb(command, code=4).stderr
    assert freshkb.json("search", "leave")[0]["uri"] == "a.md"
    freshkb("reindex")
    freshkb("sync")
    assert freshkb.json("search", "leave")[0]["uri"] == "a.md"
    assert "nothing to build anew" in freshkb("reindex", code=4).stderr


def test_a_source_taken_out_of_the_configuration_can_still_be_named(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    page(kb, "a.md")
    freshkb("sync")
    kb.source["id"] = "renamed"
    kb.config()
    (planned,) = freshkb.json("plan", "--source", "docs", code=4)["sources"]
    freshkb("sync", "--source", "docs", "--approve", planned["plan_hash"])
    assert [row["uri"] for row in freshkb.json("ls", "--source", "docs", "--state", "deleted")] == ["a.md"]


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────────


def test_status_counts_documents_by_source_and_state(freshkb: CommandLine, kb: Knowledge) -> None:
    before = freshkb.json("status")
    assert before["index"] == before["index"] | {"points": 0, "embedding_fingerprint": None, "store": "edge"}
    assert "never synced" in freshkb("status").stdout
    page(kb, "a.md")
    kb.write("tool.exe", "MZ")
    freshkb("sync")
    status = freshkb.json("status")
    counts = {"indexed": 1, "pending": 0, "quarantined": 0, "skipped": 1, "held": 0, "expired": 0}
    assert status["documents"] == counts
    assert status["sources"][0]["documents"] == counts
    assert status["index"]["points"] == 1
    assert len(status["index"]["embedding_fingerprint"]) == 64
    assert 0 <= status["sources"][0]["lag_seconds"] < 600
    assert status["last_run"]["outcome"] == "done"


def test_ls_lists_live_documents_and_gone_ones_only_when_asked(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md", days=100)
    page(kb, "b.md")
    kb.write("broken.pdf", "not a PDF")
    freshkb("sync", code=3)
    (kb.docs / "b.md").unlink()
    freshkb("sync", code=3)
    rows = freshkb.json("ls")
    assert [(row["uri"], row["state"], row["verdict"]) for row in rows] == [
        ("a.md", "indexed", "warn"), ("broken.pdf", "quarantined", None),
    ]  # fmt: skip
    assert set(rows[0]) == {
        "document_id", "source", "uri", "title", "owner", "state", "reason", "chunks", "modified_at",
        "indexed_at", "verdict", "holds", "parent",
    }  # fmt: skip
    assert rows[1]["reason"]
    assert [row["uri"] for row in freshkb.json("ls", "--state", "quarantined")] == ["broken.pdf"]
    assert [row["uri"] for row in freshkb.json("ls", "--state", "deleted")] == ["b.md"]
    assert freshkb.json("ls", "--source", "docs", "--state", "held") == []
    freshkb("ls", "--state", "lost", code=2)


def test_show_tells_everything_of_one_document(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "guide/leave.md", days=3)
    freshkb("sync")
    found = freshkb.json("show", "guide/leave.md")
    assert (found["state"], found["version"], found["owner"], found["owner_source"]) == (
        "indexed", 1, "user:anna", "front matter",
    )  # fmt: skip
    assert (found["date_field"], found["date_used"]) == (
        "last_reviewed",
        str(TODAY - timedelta(days=3)),
    )
    assert "".join(chunk["text"] for chunk in found["chunks"]) == "leave\n\nFour hours of leave.\n\n"
    assert "Four hours of leave." in freshkb("show", "guide/leave.md").stdout
    (kb.docs / "guide" / "leave.md").unlink()
    page(kb, "other.md", "Other.")
    freshkb("sync")
    gone = freshkb.json("show", "guide/leave.md")
    assert (gone["state"], gone["chunks"]) == ("deleted", [])
    assert gone["deleted_at"]


def test_an_unknown_uri_is_answered_with_the_nearest(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "leave.md")
    freshkb("sync")
    for command in (["show", "leaf.md"], ["review", "leaf.md", "--by", "anna"]):
        assert "No document is at leaf.md; did you mean leave.md?" in freshkb(*command, code=2).stderr
    assert "No document is in quarantine" in freshkb("retry", "leave.md", code=2).stderr
    kb.write("broken.pdf", "no pdf")
    freshkb("sync", code=3)
    assert "No document in quarantine is at leave.md" in freshkb("retry", "leave.md", code=2).stderr


def test_a_uri_of_two_sources_needs_the_source(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md", "The first.")
    (kb.home / "more").mkdir()
    (kb.home / "more" / "a.md").write_text("# a\n\nThe second.\n")
    kb.settings["sources"].append({"id": "more", "type": "files", "root": "./more"})
    kb.config()
    freshkb("sync")
    for command in (["show", "a.md"], ["review", "a.md", "--by", "anna"]):
        assert "in several sources (docs, more)" in freshkb(*command, code=2).stderr
    assert "The second." in freshkb.json("show", "a.md", "--source", "more")["chunks"][0]["text"]
    freshkb("review", "a.md", "--by", "anna", "--source", "more")


def test_search_cites_filters_and_keeps_only_fresh_ones_when_asked(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    page(kb, "new.md", "Leave is four hours.", owner="user:anna")
    page(kb, "old.md", "Leave was three hours.", days=365, owner="group:hr")
    freshkb("sync")
    hits = freshkb.json("search", "leave hours")
    # A date is over at noon of the next day, UTC.
    age = 365 if datetime.now(UTC).hour >= 12 else 364
    assert {hit["uri"]: (hit["verdict"], hit["age_days"], hit["owner"]) for hit in hits} == {
        "new.md": ("fresh", 0, "user:anna"), "old.md": ("stale", age, "group:hr"),
    }  # fmt: skip
    assert set(hits[0]) == {
        "score", "text", "title", "heading_path", "page", "uri", "url", "document_id", "source", "owner",
        "modified_at", "reviewed_at", "age_days", "verdict", "relevance", "chunk_index", "chunk_count",
        "point_id", "content_type", "language", "date_used", "duplicates", "findings", "held",
    }  # fmt: skip
    assert [hit["uri"] for hit in freshkb.json("search", "leave", "--fresh-only")] == ["new.md"]
    assert [hit["uri"] for hit in freshkb.json("search", "leave", "--owner", "group:hr")] == ["old.md"]
    for mode in ("hybrid", "dense", "sparse"):
        assert len(freshkb.json("search", "leave", "--mode", mode, "-k", "1")) == 1
    said = freshkb("search", "three hours", "-k", "1").stdout
    assert f"docs:old.md, owner group:hr [stale, {age} days old, relevance " in said
    assert freshkb.json("search", " ") == []
    assert [hit["uri"] for hit in freshkb.json("search", "leave", "--owner", "Group:HR")] == ["old.md"]
    said = freshkb("search", "leave", "--owner", "group:h", code=2).stderr
    assert "did you mean group:hr? Owners are: group:hr, user:anna." in said
    freshkb("search", "leave", "-k", "0", code=2)
    freshkb("search", "leave", "--mode", "magic", code=2)


def test_without_an_index_reading_it_fails_and_says_what_makes_one(freshkb: CommandLine) -> None:
    for command in (["search", "leave"], ["verify"], ["audit"]):
        said = freshkb(*command, "--json", code=1)
        assert "freshkb sync" in said.stderr
        assert said.stdout == ""
    assert freshkb.json("ls") == []
    assert [(run["kind"], run["outcome"]) for run in freshkb.json("runs")] == [("verify", "failed")]


# ── Verify, audit, review, retry ──────────────────────────────────────────────────────────────────────


def test_verify_ends_with_1_for_drift_and_with_0_once_it_is_repaired(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    page(kb, "a.md", "One.")
    page(kb, "b.md", "Two.")
    freshkb("sync")
    found = freshkb.json("verify", "--deep")
    assert set(found) >= {"ok", "documents", "points", "missing", "extra", "altered", "outdated", "repaired"}
    assert (found["ok"], found["documents"], found["points"]) == (True, 2, 2)
    lost = next(iter(kb.points()))
    with kb.workspace() as workspace, workspace.store.session(require_collection(workspace).name) as session:
        session.delete([lost])
    assert len(freshkb.json("verify", code=1)["missing"]) == 1
    assert sum(len(freshkb.json("verify", "--sample", f"{i}/4", code=None)["missing"]) for i in range(1, 5))
    assert freshkb.json("verify", "--repair")["repaired"] == 1
    assert "source, ledger and store agree" in freshkb("verify").stdout


@pytest.mark.parametrize("sample", ["3/2", "0/2", "1/0", "1", "a/b", "²/3", "1/2/3"])
def test_a_sample_that_is_none_is_a_usage_error(freshkb: CommandLine, sample: str) -> None:
    assert "is not I/N" in freshkb("verify", "--sample", sample, code=2).stderr


def test_an_audit_writes_four_files_and_fails_on_what_it_is_told_to(
    freshkb: CommandLine, kb: Knowledge, tmp_path: Path
) -> None:
    page(kb, "fresh.md", days=1)
    page(kb, "warn.md", "Other text.", days=100, owner="group:hr")
    freshkb("sync")
    found = freshkb.json("audit", "--out", str(tmp_path / "out"))
    assert found["counts"] == {"fresh": 1, "warn": 1, "stale": 0, "unknown": 0, "exempt": 0}
    assert found["trust_score"] == 0.5
    assert set(found["results"][0]) == {
        "document_id", "uri", "source", "owner", "owners", "owner_source", "verdict", "reason", "date_used",
        "date_field", "age_days", "warn_after_days", "stale_after_days", "overdue_days",
        "reviewed_at", "reviewed_by", "review_note", "changed_since_review", "snoozed_until", "hits",
    }  # fmt: skip
    names = [
        *("findings.csv", "freshness.json", "owners"),
        *("report.csv", "report.html", "report.md", "report.xml"),
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert json.loads((tmp_path / "out" / "freshness.json").read_text())["counts"] == found["counts"]
    freshkb("audit", "--fail-on", "warn", code=1)
    freshkb("audit", "--fail-on", "warn", "--owner", "user:anna")
    assert sorted(path.name for path in (kb.home / ".freshkb" / "reports").iterdir()) == names
    page(kb, "stale.md", "More text.", days=200)
    freshkb("sync")
    freshkb("audit", code=1)
    freshkb("audit", "--fail-on", "never")
    assert "no finding 'rain'" in freshkb("audit", "--fail-on", "rain", code=2).stderr
    freshkb("audit", "--fail-on", "unowned")
    kb.write("empty.md", "---\nowner: user:anna\n---\n")
    freshkb("sync")
    freshkb("audit", "--fail-on", "unowned", "--fail-on", "empty", code=1)
    assert len(freshkb.json("audit", "--fail-on", "never", "--since", "2020-01-01")["past"]) > 1


def test_a_date_of_an_option_is_the_moment_that_it_says(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md", days=200)
    freshkb("sync")
    freshkb("audit", "--fail-on", "never")
    begun = (datetime.now(UTC) - timedelta(hours=1)).astimezone(timezone(timedelta(hours=2)))
    for since, status in ((begun.isoformat(), "new"), ("20990401", "open")):
        found = freshkb.json("audit", "--fail-on", "never", "--since", since)["findings"]
        assert {finding["status"] for finding in found} == {status}
    for date, until in (
        ("20990401", "2099-04-01T00:00:00Z"),
        ("2099-04-01T18:00+02:00", "2099-04-01T16:00:00Z"),
    ):
        freshkb("review", "a.md", "--snooze", date)
        (result,) = freshkb.json("audit", "--fail-on", "never")["results"]
        assert result["snoozed_until"] == until
    for wrong in ("1900000000000", "soon"):
        for option in (("audit", "--since", wrong), ("review", "a.md", "--snooze", wrong)):
            assert f"'{wrong}' is no date." in " ".join(freshkb(*option, code=2).stderr.split())


def test_github_is_told_of_findings_unless_json_is_asked_for(
    freshkb: CommandLine, kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    page(kb, "stale.md", days=200)
    freshkb("sync")
    assert "::error" not in freshkb("audit", code=1).stdout
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(kb.home))
    assert "::error file=docs/stale.md,title=Stale::Dated " in freshkb("audit", code=1).stdout
    done = freshkb("audit", "--json", code=1)
    assert "::error" not in done.stdout + done.stderr


def test_reports_are_never_written_into_a_source(freshkb: CommandLine, kb: Knowledge, tmp_path: Path) -> None:
    page(kb, "a.md")
    freshkb("sync")
    (tmp_path / "link").symlink_to(kb.docs)
    for out in ("docs", "docs/reports/deep", str(tmp_path / "link" / "x"), "./docs/../docs"):
        assert "lies in source 'docs'" in freshkb("audit", "--out", out, code=2).stderr
    assert sorted(path.name for path in kb.docs.rglob("*")) == ["a.md"]
    (kb.home / "file").write_text("")
    assert "cannot be written to file" in freshkb("audit", "--out", "file", code=2).stderr
    kb.source["root"] = "."
    kb.config()
    freshkb("sync")
    freshkb("audit")
    assert [row["uri"] for row in freshkb.json("ls", "--state", "indexed")] == ["docs/a.md"]


def test_what_searches_show_is_counted_where_that_is_asked_for(freshkb: CommandLine, kb: Knowledge) -> None:
    kb.settings["audit"] = {"count_hits": True}
    kb.config()
    page(kb, "old.md", days=365)
    page(kb, "new.md", "Other words.", days=400)
    freshkb("sync")
    for _ in range(2):
        freshkb("search", "leave", "--mode", "sparse")
    found = freshkb.json("audit", "--fail-on", "never")
    assert [(row["uri"], row["hits"]) for row in found["results"]] == [("old.md", 2), ("new.md", 0)]
    assert (found["use"]["hits"], found["use"]["share"]) == (2, 0.0)


def test_a_review_makes_a_document_fresh_for_every_reader(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "old.md", days=365)
    freshkb("sync")
    assert freshkb.json("search", "leave", "--fresh-only") == []
    assert "1 document reviewed by anna" in freshkb("review", "old.md", "--by", "anna", "--note", "ok").stdout
    (hit,) = freshkb.json("search", "leave", "--fresh-only")
    assert (hit["verdict"], hit["age_days"], hit["reviewed_at"][:10]) == ("fresh", 0, str(TODAY))
    assert freshkb.json("show", "old.md")["date_field"] == "reviewed_at"
    freshkb("audit")
    freshkb("sync", "--checksum")
    assert freshkb.json("ls")[0]["verdict"] == "fresh"
    assert "who made it" in freshkb("review", "old.md", "--by", " ", code=2).stderr


def test_retry_reads_quarantined_documents_again(freshkb: CommandLine, kb: Knowledge) -> None:
    kb.write("broken.pdf", "not a PDF")
    kb.write("worse.pdf", "no PDF either")
    freshkb("sync", code=3)
    parsed = len(kb.parser.parsed)
    freshkb("sync", code=3)
    assert len(kb.parser.parsed) == parsed
    assert freshkb.json("retry", "broken.pdf", code=3)["sources"][0]["quarantined"] == 2
    assert kb.parser.parsed[parsed:] == [".pdf"]
    freshkb("retry", code=3)
    assert kb.parser.parsed[parsed + 1 :] == [".pdf", ".pdf"]


def test_what_compares_and_judges_is_on_record_too_once(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md")
    freshkb("sync")
    freshkb("verify")
    page(kb, "b.md")
    freshkb("verify", code=1)
    freshkb("verify", "--repair")
    freshkb("audit")
    page(kb, "old.md", days=400)
    freshkb("sync")
    freshkb("audit", code=1)
    found = freshkb.json("runs")
    assert [(run["kind"], run["outcome"]) for run in found] == [
        ("audit", "failed"), ("sync", "done"), ("audit", "done"), ("verify", "done"), ("verify", "failed"),
        ("verify", "done"), ("sync", "done"),
    ]  # fmt: skip
    assert found[3]["counts"]["repaired"] == 1
    assert found[0]["counts"]["stale"] == 1
    assert {run["actor"] for run in found} == {found[0]["actor"]} and "@" in found[0]["actor"]


def test_what_only_reads_needs_no_record(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md")
    freshkb("sync")
    full = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    with kb.workspace() as workspace, workspace.ledger.database.writing() as connection:
        connection.exec_driver_sql(f"CREATE TRIGGER full BEFORE INSERT ON runs {full}")
    for command in ("audit", "verify"):
        ran = freshkb(command, "--json")
        json.loads(ran.stdout)
        assert ran.stderr.count(f"This {command} is not on record: ") == 1
    assert "disk is full" in freshkb("sync", code=1).stderr
    page(kb, "b.md")
    assert "disk is full" in freshkb("verify", "--repair", code=1).stderr
    assert [run["kind"] for run in freshkb.json("runs")] == ["sync"]


def test_runs_lists_what_was_done_newest_first(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md")
    freshkb("sync")
    freshkb("review", "a.md", "--by", "anna")
    found = freshkb.json("runs")
    assert [(run["kind"], run["outcome"]) for run in found] == [("review", "done"), ("sync", "done")]
    assert found[1]["counts"]["sources"][0]["added"] == 1
    assert len(freshkb.json("runs", "-n", "1")) == 1
    assert "sync" in freshkb("runs").stdout


# ── As a process ──────────────────────────────────────────────────────────────────────────────────────


def test_a_sync_with_nothing_to_do_imports_nothing_heavy(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md")
    freshkb("sync")
    script = (
        "import sys\nfrom flows.cli import main\nsys.argv = ['freshkb', 'sync']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(), check=True
    )
    assert "docs: 1 unchanged" in ran.stdout
    imported = {name.partition(".")[0] for name in ran.stderr.split()}
    assert imported & {
        "torch", "transformers", "sentence_transformers", "unstructured", "prefect", "alembic", "numpy",
        "qdrant_client", "langchain_core", "spacy", "filelock", "rich", "httpx", "watchdog", "tokenizers",
    } == set()  # fmt: skip
    assert not any(
        name in ran.stderr.split()
        for name in ("flows.cli.search", "index.search.knowledge_base", "index.audit.audit")
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_finishes_the_batch_in_hand_and_the_next_sync_the_rest(
    freshkb: CommandLine, kb: Knowledge, name: str
) -> None:
    for number in range(140):
        page(kb, f"{number:03}.md", f"Text {number}.")
    # The signal comes while the second of three batches is embedded.
    more = f"""
import os, signal
class Interrupted(HashEmbedder):
    batches = 0
    def embed_documents(self, texts, on_progress=None):
        Interrupted.batches += 1
        if Interrupted.batches == 2:
            os.kill(os.getpid(), signal.{name})
        return super().embed_documents(texts, on_progress)
index.embed.embedder.Embedder = Interrupted
"""
    ran = forks.run(
        process("sync", "--json", more=more), capture_output=True, text=True, env=environment(), cwd=kb.home
    )
    assert ran.returncode == 130, ran.stderr
    assert "Stopping after the batch in hand" in ran.stderr
    assert json.loads(ran.stdout)["sources"][0]["added"] == 128
    assert sum(d.state is State.INDEXED for d in kb.documents().values()) == 128
    assert freshkb.json("runs")[0]["outcome"] == "interrupted"
    assert freshkb.json("sync")["sources"][0]["added"] == 12
    freshkb("verify", "--deep")


def test_a_reader_that_has_enough_is_no_error(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md")
    freshkb("sync")
    read, write = os.pipe()
    os.close(read)
    ran = forks.run(
        process("ls"), stdout=write, stderr=subprocess.PIPE, text=True, env=environment(), cwd=kb.home
    )
    os.close(write)
    assert (ran.returncode, ran.stderr) == (0, "")
