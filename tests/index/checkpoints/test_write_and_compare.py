"""Runs write the log's checkpoints to its anchors, and the anchors find what was rewritten."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from index import checkpoints
from index.errors import AnchorError
from index.health.doctor import Check, examine
from index.ledger import LogAction, LogCheck, LogEntry
from index.run import Run
from index.signed.key import read_public
from index.signed.note import Checkpoint, parse
from index.workspace import Workspace
from tests.knowledge import Knowledge


@pytest.fixture
def anchored(kb: Knowledge) -> Knowledge:
    """With an anchor in a file and one in a repository."""
    (kb.home / "anchors").mkdir()
    subprocess.run(["git", "init", "--quiet", "--bare", str(kb.home / "repo")], check=True)
    kb.settings["log"] = {"anchors": ["file:anchors/kb", "git:repo"]}
    kb.write("a.md", "# A\n\nText.\n")
    return kb


def known(kb: Knowledge) -> list[list[int]]:
    """The sizes that each anchor knows."""

    def sizes(workspace: Workspace) -> list[list[int]]:
        origin = checkpoints.origin_of(workspace.ledger)
        found = [anchor.all(origin) for anchor in checkpoints.anchors_of(workspace)]
        return [[Checkpoint.of(parse(note)).size for note in notes] for notes in found]

    return kb.ask(sizes)


def size(kb: Knowledge) -> int:
    return kb.ask(lambda workspace: workspace.ledger.log.head().size)


def verified(kb: Knowledge) -> LogCheck:
    return kb.ask(checkpoints.verify)


def doctor(kb: Knowledge) -> list[Check]:
    return [check for check in kb.ask(examine) if check.name == "log"]


def ledger(kb: Knowledge) -> Path:
    return kb.home / ".freshkb" / "ledger.db"


def execute(kb: Knowledge, *statements: str) -> None:
    with closing(sqlite3.connect(ledger(kb))) as database, database:
        for statement in statements:
            database.execute(statement)


def test_a_run_that_appended_entries_writes_a_checkpoint_everywhere(anchored: Knowledge) -> None:
    assert anchored.sync().outcome == "done"
    first = size(anchored)
    assert known(anchored) == [[first], [first]]
    anchored.sync()
    assert known(anchored) == [[first], [first]], "nothing was appended"
    anchored.write("b.md", "# B\n\nText.\n")
    anchored.sync()
    assert known(anchored) == [[first, size(anchored)]] * 2
    assert verified(anchored).ok
    assert (anchored.home / ".freshkb" / "signing.pem").stat().st_mode & 0o777 == 0o600
    assert [check.ok for check in doctor(anchored)] == [True, True]
    assert all("knows all of them" in check.detail for check in doctor(anchored))


def test_without_anchors_no_key_is_made_and_the_doctor_says_what_cannot_be_checked(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nText.\n")
    kb.sync()
    assert not (kb.home / ".freshkb" / "signing.pem").exists()
    (check,) = doctor(kb)
    assert check.ok and "without log.anchors, its end cannot be checked" in check.detail
    assert verified(kb).ok


def test_an_anchor_that_cannot_be_written_is_named_after_the_work_and_caught_up(anchored: Knowledge) -> None:
    (anchored.home / "anchors").rename(anchored.home / "away")
    report = anchored.sync()
    assert report.outcome == "failed" and report.exit_code == 1
    assert f"The anchor file:{anchored.home}/anchors/kb cannot be used" in str(report.error)
    assert "a.md" in anchored.texts()
    (run,) = anchored.ask(lambda workspace: workspace.ledger.runs.newest())
    assert run.outcome == "failed" and "anchors/kb" in run.error
    assert known(anchored) == [[], [size(anchored)]], "the others got theirs"
    (anchored.home / "away").rename(anchored.home / "anchors")
    assert anchored.sync().outcome == "done"
    assert known(anchored) == [[size(anchored)]] * 2
    assert verified(anchored).ok


def test_a_run_without_a_report_ends_with_the_error_and_is_on_record(anchored: Knowledge) -> None:
    shutil.rmtree(anchored.home / "repo")
    with anchored.workspace() as workspace:
        with (
            pytest.raises(AnchorError, match=r"git:.*repo cannot be used.*What was done is whole"),
            Run(workspace, "hold") as run,
        ):
            workspace.ledger.log.append([LogEntry(anchored.clock(), LogAction.HELD)])
            run.ends("done", {"documents": 1})
        (record,) = workspace.ledger.runs.newest()
        assert (record.outcome, record.counts) == ("failed", {"documents": 1}) and "repo" in record.error
        # An exception that leaves a run is not masked.
        with pytest.raises(KeyError), Run(workspace, "hold"):
            workspace.ledger.log.append([LogEntry(anchored.clock(), LogAction.HELD)])
            raise KeyError
        # A run that only reads, and appends nothing, asks nothing of an anchor that is away.
        with Run(workspace, "audit", required=False) as run:
            pass
        assert run.outcome == "done" and not run.appended


def test_a_log_that_is_sent_to_a_syslog_is_sent_when_it_has_grown(kb: Knowledge) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(kb.home / "log"))
        receiver.settimeout(30)
        kb.settings["log"] = {"anchors": ["syslog:log"]}
        kb.write("a.md", "# A\n\nText.\n")
        kb.sync()
        said = receiver.recv(4000).decode()
        assert f" {size(kb)} " in said and "freshkb: checkpoint freshkb/" in said
        kb.sync()
        receiver.settimeout(0)
        with pytest.raises(BlockingIOError):
            receiver.recv(4000)
        assert verified(kb).ok
        assert "cannot be read back" in doctor(kb)[0].detail


@pytest.mark.parametrize("meanwhile", [0, 1])
def test_a_ledger_from_an_older_backup_is_found_and_no_checkpoint_hides_it(
    anchored: Knowledge, meanwhile: int, tmp_path: Path
) -> None:
    anchored.sync()
    shutil.copytree(anchored.home / ".freshkb", tmp_path / "backup")
    older = size(anchored)
    for name in "bcdefg":
        anchored.write(f"{name}.md", f"# {name}\n\nText.\n")
    anchored.sync()
    newer = size(anchored)
    shutil.rmtree(anchored.home / ".freshkb")
    shutil.copytree(tmp_path / "backup", anchored.home / ".freshkb")
    if meanwhile:
        # A run that appends: nothing is written over what the anchors know.
        for name in "cdefg":
            (anchored.docs / f"{name}.md").unlink()
        report = anchored.sync()
        assert report.outcome == "failed" and "the ledger has" in str(report.error)
    assert known(anchored) == [[older, newer]] * 2
    found = verified(anchored)
    assert [problem.seq for problem in found.problems] == [found.entries + 1] * 2
    assert all("an older copy of the ledger was restored" in problem.problem for problem in found.problems)
    assert [check.ok for check in doctor(anchored)] == [False, False]


def test_an_entry_that_was_rewritten_is_found_by_chain_and_anchors(anchored: Knowledge) -> None:
    anchored.sync()
    execute(anchored, "UPDATE log SET actor = 'mallory@host' WHERE sequence = 1")
    assert [problem.seq for problem in verified(anchored).problems] == [1, 1, 1]


def test_an_anchor_without_the_checkpoints_that_it_had_is_named(anchored: Knowledge) -> None:
    anchored.sync()
    (anchored.home / "anchors" / "kb").unlink()
    shutil.rmtree(anchored.home / "repo")
    problems = [problem.problem for problem in verified(anchored).problems]
    assert len(problems) == 2 and "kb has no checkpoint of this log" in problems[0]
    assert "repo cannot be used" in problems[1]
    assert [check.ok for check in doctor(anchored)] == [True, False]


def test_a_forged_checkpoint_is_named_and_a_changed_key_can_be_trusted(anchored: Knowledge) -> None:
    anchored.sync()
    key = anchored.home / ".freshkb" / "signing.pem"
    key.rename(anchored.home / "former.pem")
    anchored.write("b.md", "# B\n\nText.\n")
    anchored.sync()
    found = verified(anchored)
    assert [problem.seq for problem in found.problems] == [None, None]
    assert "is not signed by this log's key" in found.problems[0].problem
    former = read_public(anchored.home / "former.pem")
    assert anchored.ask(lambda workspace: checkpoints.verify(workspace, [former])).ok
    # A key that is given is not made.
    anchored.settings["log"]["key_file"] = "given.pem"
    anchored.write("c.md", "# C\n\nText.\n")
    assert "given.pem cannot be read" in str(anchored.sync().error)
    (anchored.home / "former.pem").rename(anchored.home / "given.pem")
    assert anchored.sync().outcome == "done"
    assert anchored.ask(lambda workspace: checkpoints.verify(workspace, [read_public(key)])).ok


def test_a_run_that_signs_nothing_imports_nothing_that_could(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nText.\n")
    kb.config()
    script = (
        "import os, sys; os.chdir(sys.argv[1]); from flows.cli import main; sys.argv = ['freshkb', 'plan']\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "print('cryptography' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(kb.home)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "False"
