"""Status asks the store and shows what goes on; health names what fails."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.watch import Watcher
from index.config.blocks import Schedules
from index.config.schedule import past_times
from index.errors import Locked
from index.health.check import problems
from index.health.doctor import examine
from index.health.services import SERVE, dead, living
from index.health.status import status
from index.run import Run
from index.verify.compare import verify
from index.verify.repair import repair
from index.workspace import Workspace, require_collection
from tests import forks
from tests.commands import CommandLine, environment, process
from tests.embedders import HashEmbedder
from tests.knowledge import Knowledge

#: Time for another process, on a slow machine that has other things to do.
PATIENCE_SECONDS = 120.0


@pytest.fixture(autouse=True)
def fast(kb: Knowledge) -> None:
    # Its precision is named, because finding the best one would load the model.
    kb.settings["embedding"] = {"dtype": "float32"}
    kb.write("a.md", "# A\n\nText.\n")


def until(condition: Callable[[], Any], running: subprocess.Popen[str]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert running.poll() is None and time.monotonic() < deadline, running.communicate()
        time.sleep(0.1)
    return found


def start(kb: Knowledge, command: Sequence[str]) -> subprocess.Popen[str]:
    return forks.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=kb.home, env=environment()
    )


# ── The store ─────────────────────────────────────────────────────────────────────────────────────────


def test_points_are_counted_in_the_store(kb: Knowledge) -> None:
    kb.sync()
    assert (kb.ask(status).index.points, kb.ask(status).store_error) == (1, None)
    lost = next(iter(kb.points()))
    with kb.workspace() as workspace, workspace.store.session(require_collection(workspace).name) as session:
        session.delete([lost])
    found = kb.ask(status)
    assert found.index.points == 0
    assert found.store_error == "The store holds 0 points, and the ledger knows 1. See: freshkb verify"


def test_a_store_that_is_gone_or_does_not_answer_is_said(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    freshkb = CommandLine(kb, monkeypatch)
    kb.sync()
    assert freshkb("status", "--check").stderr == ""
    shutil.rmtree(kb.home / ".freshkb" / "index")
    found = freshkb.json("status", "--check", code=1)
    assert found["index"]["points"] is None
    (problem,) = found["problems"]
    assert problem.startswith("store: ") and "freshkb verify --repair" in problem
    kb.settings["index"] = {"store": "qdrant", "url": "http://127.0.0.1:9"}
    kb.config()
    ran = freshkb("status", "--check", code=1)
    assert "store: " in ran.stderr and "127.0.0.1:9" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert "unknown points in qdrant" in ran.stdout


def test_a_ledger_that_cannot_be_read_is_said(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    freshkb = CommandLine(kb, monkeypatch)
    kb.sync()
    for left in (kb.home / ".freshkb").glob("ledger.db*"):
        left.unlink()
    (kb.home / ".freshkb" / "ledger.db").write_bytes(b"no database, but long enough for a header " * 200)
    found = freshkb.json("status", "--check", code=1)
    assert [problem.partition(":")[0] for problem in found["problems"]] == ["ledger"]
    assert freshkb("status", code=1).stderr.startswith("Error: The ledger")


def test_the_configured_prefect_server_is_asked(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    freshkb = CommandLine(kb, monkeypatch)
    kb.sync()
    assert freshkb.json("status")["prefect"] is None
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    assert "does not answer" in freshkb.json("status")["prefect"]
    assert "prefect: its server does not answer" in freshkb("status", "--check", code=1).stderr


# ── Orphan collections ────────────────────────────────────────────────────────────────────────────────


def test_an_orphaned_collection_is_seen_and_removed_and_others_are_left_alone(kb: Knowledge) -> None:
    kb.sync()
    with kb.workspace() as workspace:
        own = workspace.ledger.instance_id
        workspace.store.create("kb-orphan", dimension=384, instance=own)
        workspace.store.create("kb-foreign", dimension=384, instance="00000000-0000-4000-8000-000000000000")
        bad = {check.name: check.detail for check in examine(workspace) if not check.ok}
        assert set(bad) == {"orphaned collections"}
        assert "kb-orphan" in bad["orphaned collections"] and "kb-foreign" not in str(bad)
        found = verify(workspace)
        (extra,) = found.json()["extra"]
        assert extra == {"what": "the ledger does not know this collection", "collection": "kb-orphan"}
        repair(workspace, found, Run(workspace, "verify"))
        assert (found.repaired, found.outcome) == (1, "done")
        assert set(workspace.store.collections()) == {"kb-foreign", require_collection(workspace).name}
        assert verify(workspace).ok


# ── Runs ──────────────────────────────────────────────────────────────────────────────────────────────

#: A model that never comes to an end with the second batch.
STUCK = """
import time
class Stuck(HashEmbedder):
    batches = 0
    def embed_documents(self, texts, on_progress=None):
        Stuck.batches += 1
        if Stuck.batches == 2:
            time.sleep(600)
        return super().embed_documents(texts, on_progress)
index.embed.embedder.Embedder = Stuck
"""


def test_a_run_that_goes_on_is_shown_apart_and_one_that_was_killed_as_such(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    freshkb = CommandLine(kb, monkeypatch)
    freshkb("sync")
    done = freshkb.json("status")["last_run"]
    for number in range(70):
        kb.write(f"{number:02}.md", f"# Page {number}\n\nText {number}.\n")
    running = start(kb, process("sync", more=STUCK))
    try:

        def far() -> Any:
            (run,) = freshkb.json("status")["running"] or [{"progress": {}}]
            return run if run["progress"].get("done") else None

        run = until(far, running)
        assert (run["kind"], run["outcome"], run["pid"]) == ("sync", "running", running.pid)
        assert (run["progress"]["source"], run["progress"]["done"], run["progress"]["of"]) == ("docs", 64, 70)
        assert run["actor"].endswith(f"@{os.uname().nodename}") and run["started_at"]
        shown = freshkb("status").stdout
        assert f"Running: sync by {run['actor']} (pid {running.pid}" in shown
        assert "docs: 64 of 70 documents" in shown
        assert freshkb.json("status")["last_run"] == done
        # Nor is one that it kept from its turn.
        freshkb("sync", code=4)
        assert freshkb.json("status")["last_run"] == done
    finally:
        running.kill()
        running.communicate()
    found = freshkb.json("status")
    assert (found["running"], found["last_run"]) == ([], done)
    assert [(run["outcome"], run["pid"]) for run in found["killed"]] == [("killed", running.pid)]
    assert "Killed: sync by " in freshkb("status").stdout
    assert [run["outcome"] for run in freshkb.json("runs")] == ["refused", "killed", "done"]
    freshkb("sync")
    assert freshkb.json("status")["killed"] == []


# ── Services ──────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def watching(kb: Knowledge) -> Iterator[subprocess.Popen[str]]:
    """`freshkb watch`, once it is ready; gone afterwards."""
    running = start(kb, process("watch", "--json"))
    try:
        assert running.stdout is not None
        assert any(json.loads(line)["event"] == "ready" for line in running.stdout)
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("ending", "code"), [(signal.SIGKILL, 1), (signal.SIGTERM, 0)])
def test_a_watcher_that_died_is_a_problem_until_there_is_one_again(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch, ending: signal.Signals, code: int
) -> None:
    freshkb = CommandLine(kb, monkeypatch)
    with watching(kb) as running:
        (service,) = freshkb.json("status", "--check")["services"]
        assert (service["service"], service["pid"]) == ("watcher", running.pid)
        assert service["command"] == "freshkb watch"
        # There is one already.
        assert "a watcher already: `freshkb watch`" in freshkb("watch", code=4).stderr
        running.send_signal(ending)
        running.wait(PATIENCE_SECONDS)
    ran = freshkb("status", "--check", code=code)
    assert ("service: The watcher died" in ran.stderr) == bool(code)
    assert freshkb.json("status")["services"] == []
    with watching(kb):
        freshkb("status", "--check")


def test_half_a_serve_is_a_problem(kb: Knowledge) -> None:
    state = kb.config().state_dir
    with living(state, "watcher", SERVE):
        assert "The runner of `freshkb serve`" in " ".join(dead(state))
        with living(state, "runner", SERVE):
            assert dead(state) == []
            with pytest.raises(Locked, match="has a runner already"), living(state, "runner", SERVE):
                pass
    assert dead(state) == []


# ── Schedules ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_last_times_of_a_schedule() -> None:
    now = datetime(2026, 6, 1, 12, 0, 30, tzinfo=UTC)
    assert past_times("*/15 * * * *", now, 2) == [
        datetime(2026, 6, 1, 12, 0, tzinfo=UTC),
        datetime(2026, 6, 1, 11, 45, tzinfo=UTC),
    ]
    assert past_times("0 7 * * mon", now, 1) == [datetime(2026, 6, 1, 7, 0, tzinfo=UTC)]
    assert past_times("0 0 30 2 *", now, 2) == []


def found(kb: Knowledge) -> list[str]:
    return [str(problem) for problem in kb.ask(problems)]


def recorded(kb: Knowledge, kind: str, outcome: str) -> None:
    with kb.workspace() as workspace, Run(workspace, kind) as run:
        run.ends(outcome, {"documents": 1})


def test_a_schedule_without_a_successful_run_in_two_periods_is_a_problem(kb: Knowledge) -> None:
    kb.settings["schedules"] = {"sync": "*/15 * * * *", "audit": "0 7 * * 1"}
    assert found(kb) == []
    kb.sync()
    # A schedule that was just made has not had its turn.
    assert found(kb) == []
    kb.clock.forward(minutes=29)
    assert found(kb) == []
    recorded(kb, "sync", "failed")
    kb.clock.forward(minutes=2)
    (problem,) = found(kb)
    assert problem.startswith("schedule: sync (*/15 * * * *) succeeded last at 2026-06-01T12:00:00Z;")
    assert "2026-06-01T12:15:00Z and 2026-06-01T12:30:00Z" in problem
    kb.sync()
    assert found(kb) == []
    # Two Mondays have passed without an audit.
    kb.clock.forward(days=14)
    kb.sync()
    (problem,) = found(kb)
    assert problem.startswith("schedule: audit (0 7 * * 1) has never succeeded;")
    recorded(kb, "audit", "done")
    assert found(kb) == []


def test_a_run_that_goes_on_is_no_missing_one(kb: Knowledge) -> None:
    kb.settings["schedules"] = {"sync": "*/15 * * * *"}
    kb.sync()
    kb.clock.forward(hours=2)
    with kb.workspace() as workspace, Run(workspace, "watch") as run:
        assert problems(workspace) == []
        kb.clock.forward(hours=1)
        assert len(problems(workspace)) == 1
        run.begins("docs", 100)
        assert problems(workspace) == []


@pytest.mark.parametrize("schedule", sorted(Schedules.model_fields))
def test_every_schedule_waits_for_its_own_run_and_is_missed_beside_another(
    kb: Knowledge, schedule: str
) -> None:
    kb.settings["schedules"] = {schedule: "0 8 * * *"}
    recorded(kb, "reindex", "done")
    kb.clock.forward(days=3)
    with kb.workspace() as workspace:
        with Run(workspace, "reindex"):
            (problem,) = problems(workspace)
            assert problem.reason.startswith(f"{schedule} (0 8 * * *) has never succeeded;")
        with Run(workspace, schedule):
            assert problems(workspace) == []


def test_the_watcher_holds_its_lock_while_it_runs(kb: Knowledge) -> None:
    """Also in a thread of another program."""
    import threading

    stop, told = threading.Event(), []
    with kb.workspace() as workspace:

        def tell(event: dict[str, Any]) -> None:
            told.append((event["event"], [service.name for service in status(workspace).services]))
            stop.set()

        Watcher(workspace, stop, tell=tell).run()
        assert told[0][1] == ["watcher"]
        assert status(workspace).services == ()


def test_grace_ends_two_periods_after_a_service_began(kb: Knowledge) -> None:
    kb.settings["schedules"] = {"verify": "0 3 * * *"}
    config = kb.config()
    with living(config.state_dir, "runner", "the test"):
        now = datetime.now(UTC)
        with Workspace(config, now=lambda: now, embedder=HashEmbedder) as workspace:
            assert problems(workspace) == []
        later = now + timedelta(days=3)
        with Workspace(config, now=lambda: later, embedder=HashEmbedder) as workspace:
            (problem,) = problems(workspace)
    assert "verify (0 3 * * *) has never succeeded" in str(problem)


def test_importing_status_is_light() -> None:
    script = "import sys, index.health.check; print(*sys.modules)"
    ran = subprocess.run(
        [process()[0], "-c", script], capture_output=True, text=True, env=environment(), check=True,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    imported = {name.partition(".")[0] for name in ran.stdout.split()}
    assert imported & {"torch", "prefect", "unstructured", "cronsim", "numpy"} == set()
