"""A run is on record from its start, and finished once, however it is left."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from flows import logs
from index.errors import ConfigError, LedgerError, Locked
from index.records import RunRecord
from index.run import Run
from index.search.knowledge_base import KnowledgeBase
from index.sync.source import chosen_sources
from index.sync.sync import plan_of, sync
from index.verify.compare import verify
from index.verify.repair import repair
from index.workspace import Workspace
from tests.embedders import HashEmbedder
from tests.knowledge import Knowledge

#: Counts in the database, below every caller, how often a run is finished.
COUNTING = (
    "CREATE TABLE finishes (run_id TEXT)",
    "CREATE TRIGGER finishing AFTER UPDATE OF finished_at ON runs BEGIN"
    " INSERT INTO finishes VALUES (new.run_id); END",
)

#: The error of a full disk, for the runs alone.
FULL = "CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"


def execute(kb: Knowledge, *statements: str) -> None:
    with kb.workspace() as workspace, workspace.ledger.database.writing() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def finishes(kb: Knowledge) -> list[str]:
    """The id of a run, each time one was finished since it is counted."""
    with kb.workspace() as workspace, workspace.ledger.database.reading() as connection:
        return [run_id for (run_id,) in connection.exec_driver_sql("SELECT run_id FROM finishes")]


def runs(kb: Knowledge) -> list[RunRecord]:
    return kb.ask(lambda workspace: workspace.ledger.runs.newest())


class Crash(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "done"),
        (ConfigError("No."), "failed"),
        (Locked("Somebody writes."), "refused"),
        (KeyboardInterrupt(), "interrupted"),
        (Crash("Broken."), "failed"),
    ],
)
def test_it_is_finished_once_however_it_is_left(
    kb: Knowledge, error: BaseException | None, outcome: str
) -> None:
    execute(kb, *COUNTING)
    with kb.workspace() as workspace:
        run = Run(workspace, "audit")
        assert workspace.ledger.runs.newest() == []
        try:
            with run, run:
                assert [r.finished_at for r in workspace.ledger.runs.newest()] == [None]
                if error is not None:
                    raise error
        except BaseException as raised:
            assert raised is error
    (record,) = runs(kb)
    assert (record.run_id, record.kind, record.outcome) == (run.run_id, "audit", outcome)
    assert record.finished_at is not None
    assert (type(error).__name__ in record.error) == (error is not None)
    assert record.actor.endswith(f"@{socket.gethostname()}") and not record.actor.startswith("@")
    assert finishes(kb) == [run.run_id]


def test_what_a_run_came_to_is_what_was_said_last(kb: Knowledge) -> None:
    with kb.workspace() as workspace, Run(workspace, "verify") as run:
        with run:
            run.ends("done", {"points": 1})
        run.ends("failed", {"points": 2}, "Two are lost.")
    (record,) = runs(kb)
    assert (record.outcome, record.counts, record.error) == ("failed", {"points": 2}, "Two are lost.")


def test_a_repair_with_its_sync_is_one_run(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nText.\n")
    kb.sync()
    execute(kb, *COUNTING)
    kb.write("b.md", "# B\n\nText.\n")
    kb.clock.forward(minutes=1)
    with kb.workspace() as workspace, Run(workspace, "verify") as run:
        found = verify(workspace)
        repair(workspace, found, run)
        run.ends(found.outcome, found.counts())
    assert [(r.kind, r.outcome) for r in runs(kb)] == [("verify", "done"), ("sync", "done")]
    assert runs(kb)[0].counts["repaired"] == 1
    assert finishes(kb) == [run.run_id]


def test_verbs_that_read_go_on_without_a_record_and_say_so(
    kb: Knowledge, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up()
    execute(kb, FULL)
    with kb.workspace() as workspace:
        with pytest.raises(LedgerError, match="disk is full"), Run(workspace, "sync"):
            raise AssertionError("It was entered.")
        with Run(workspace, "audit", required=False) as run:
            run.ends("done", {})
    assert capsys.readouterr().err.count(" WARNING freshkb.run: This audit is not on record: ") == 1
    assert runs(kb) == []


def test_a_ledger_that_fails_at_the_end_hides_no_other_trouble(kb: Knowledge) -> None:
    execute(
        kb,
        "CREATE TRIGGER broken BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END",
    )
    with kb.workspace() as workspace:
        with pytest.raises(Crash), Run(workspace, "sync"):
            raise Crash
        with pytest.raises(LedgerError, match="disk I/O error"), Run(workspace, "sync"):
            pass


def test_progress_is_on_record_while_the_run_goes_on(kb: Knowledge) -> None:
    for number in range(70):
        kb.write(f"{number:02}.md", f"# Page {number}\n\nText {number}.\n")
    seen: list[Any] = []
    with kb.workspace() as workspace:
        embed = HashEmbedder.embed_documents

        def embed_and_look(self: HashEmbedder, *arguments: Any) -> Any:
            (run,) = kb.ask(lambda other: other.ledger.runs.unfinished())
            seen.append({n: run.progress.get(n) for n in ("source", "done", "of")})
            return embed(self, *arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(HashEmbedder, "embed_documents", embed_and_look)
            sync(Run(workspace, "sync"))
    assert seen == [{"source": "docs", "done": done, "of": 70} for done in (0, 64)]
    assert kb.ask(lambda other: other.ledger.runs.unfinished()) == []
    assert runs(kb)[0].pid == os.getpid()


# ── Which run is the last ─────────────────────────────────────────────────────────────────────────────


def test_a_run_that_was_refused_before_it_began_is_not_the_last_one(kb: Knowledge) -> None:
    for number in range(20):
        kb.write(f"{number}.md", f"# Page {number}\n\nText {number}.\n")
    done = kb.sync().run_id
    kb.clock.forward(minutes=1)
    with kb.workspace() as workspace, workspace.ledger.writer("docs", "the test"):
        with pytest.raises(Locked):
            sync(Run(workspace, "sync"))
        last = workspace.ledger.runs.last()
        assert last is not None and last.run_id == done
    assert runs(kb)[0].outcome == "refused"
    # A sync whose removals were refused did the rest.
    for number in range(15):
        (kb.docs / f"{number}.md").unlink()
    kb.clock.forward(minutes=1)
    refused = kb.sync()
    assert refused.outcome == "refused"
    last = kb.ask(lambda m: m.ledger.runs.last())
    assert last is not None and last.run_id == refused.run_id
    last = kb.ask(lambda m: m.ledger.runs.last("sync", ["done"]))
    assert last is not None and last.run_id == done


# ── Sources ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_source_that_there_is_not_is_an_error_wherever_it_is_named(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nText.\n")
    kb.sync()
    kb.clock.forward(minutes=1)

    def reader(workspace: Workspace) -> KnowledgeBase:
        return KnowledgeBase(workspace)

    for asked in (
        lambda m: sync(Run(m, "sync"), ["typo"]),
        lambda m: sync(Run(m, "sync"), ["docs", "typo"]),
        lambda m: plan_of(m, "typo"),
        lambda m: reader(m).search("text", source="typo", mode="sparse"),
        lambda m: reader(m).search(" ", source="typo"),
        lambda m: reader(m).list(source="typo"),
        lambda m: reader(m).document("a.md", source="typo"),
    ):
        with pytest.raises(ConfigError, match=r"no source 'typo'\. There are: docs\."):
            kb.ask(asked)
    # Nothing was done, and the two syncs say why.
    assert [run.outcome for run in runs(kb)] == ["failed", "failed", "done"]
    assert "ConfigError: freshkb.yaml has no source 'typo'" in runs(kb)[0].error


def test_a_source_that_the_ledger_remembers_is_known(kb: Knowledge) -> None:
    kb.settings["sources"].append({"id": "old", "type": "files", "root": "./old"})
    (kb.home / "old").mkdir()
    (kb.home / "old" / "b.md").write_text("# B\n\nText.\n")
    kb.write("a.md", "# A\n\nText.\n")
    kb.sync()
    kb.settings["sources"].pop()
    assert kb.ask(lambda m: chosen_sources(m, ["old"])) == ["old"]
    assert kb.sync(sources=["old"]).sources[0].refused == 1
    with pytest.raises(ConfigError, match=r"did you mean 'old'\? There are: docs, old \(no longer"):
        kb.ask(lambda m: chosen_sources(m, ["odl"]))
