"""The flows do what the engine does, and Prefect learns counts."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from index.checkpoints import checkpoint_of, origin_of, signing_key
from index.errors import ConfigError, EmbedderError, Locked, StoreError
from index.purge import apart
from index.purge.scan import text
from index.run import Run
from index.signed.note import Checkpoint, parse
from index.sizes import Sizes
from index.store import open_store
from index.store.base import Session
from index.sync.sync import sync
from index.workspace import Workspace
from tests.embedders import HashEmbedder
from tests.flows.canaries import places
from tests.flows.conftest import Base, Server, until
from tests.smtp import free_port, serving
from tests.soak import LONG

#: The first test waits for a server to start.
pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("harness")]

#: Few documents fill more than one batch.
SMALL = Sizes(batch_documents=8)

MakeBase = Callable[..., Base]


def as_flow(workspace: Workspace, **asked: Any) -> Any:
    from flows.sync import run_as_flow

    return run_as_flow(workspace, **asked)


def directly(workspace: Workspace, **asked: Any) -> Any:
    return sync(Run(workspace, "sync"), **asked)


def told(report: Any) -> dict[str, Any]:
    """The report without what differs between any two runs."""
    shown: dict[str, Any] = report.json()
    return {name: value for name, value in shown.items() if name not in ("run_id", "seconds")}


def contents(workspace: Workspace) -> tuple[list[Any], dict[str, Any]]:
    """Every document's row, and every point, without what names the folder they came from."""
    collection = workspace.ledger.collections.current()
    assert collection is not None
    points = {}
    with workspace.store.session(collection.name) as session:
        for point in session.scroll(vectors=True):
            metadata = {**point.payload["metadata"], "url": None}
            points[point.id] = ({**point.payload, "metadata": metadata}, point.dense, point.sparse)
    rows = [
        (d.document_id, d.uri, d.state, d.version, d.content_hash) for d in workspace.ledger.documents.find()
    ]
    return rows, points


def test_a_flow_makes_the_index_that_the_engine_makes(make_base: MakeBase) -> None:
    def story(base: Base, sync: Callable[[Workspace], Any]) -> tuple[list[Any], Any]:
        reports = []
        with base.open(sizes=SMALL) as workspace:
            reports.append(told(sync(workspace)))
            reports.append(told(sync(workspace)))
            base.put("page-003.md", "# Page 3\n\nAnother text.\n")
            (base.folder / "docs/page-005.md").rename(base.folder / "docs/renamed.md")
            base.remove("page-007.md")
            reports.append(told(sync(workspace)))
            return reports, contents(workspace)

    by_engine = story(make_base("engine", documents=12), directly)
    by_flow = story(make_base("flow", documents=12), as_flow)
    assert by_flow == by_engine
    assert by_flow[0][2]["sources"][0]["moved"] == 1


def test_a_source_is_a_flow_run_and_a_batch_is_a_task_run(make_base: MakeBase) -> None:
    with make_base(documents=12).open(sizes=SMALL) as workspace:
        run_id = as_flow(workspace).run_id
    runs = flow_runs(run_id)
    assert set(runs) == {"freshkb-sync", "freshkb-sync-source"}
    source = runs["freshkb-sync-source"]
    assert source.name == "handbook"
    assert source.parameters == {"run_id": run_id, "source": "handbook"}
    assert source.state.message == f"Run {run_id}: 12 added; chunks: 12 embedded"
    assert [task.name for task in task_runs(source, 2)] == ["batch 1", "batch 2"]


def test_a_batch_whose_store_was_away_is_done_again(make_base: MakeBase) -> None:
    base = make_base(documents=3)
    with base.open(store=Away(base, times=1)) as workspace:
        report = as_flow(workspace)
        expected = contents(workspace)
    assert report.outcome == "done"
    twin = make_base("twin", documents=3)
    with twin.open() as workspace:
        assert told(report) == told(directly(workspace))
        assert contents(workspace) == expected


def test_what_a_batch_had_committed_is_neither_done_nor_told_again(make_base: MakeBase) -> None:
    base = make_base(documents=3)
    with base.open() as workspace:
        directly(workspace)
    for done in ("updated", "deleted"):
        if done == "updated":
            base.put("page-000.md", "# Page 0\n\nAnother text.\n")
        else:
            base.remove("page-001.md")
        with base.open(store=Away(base, times=1, call="delete")) as workspace:
            report = as_flow(workspace)
            rows, points = contents(workspace)
            log = workspace.ledger.log.newest()
        assert report.outcome == "done" and report.json()["sources"][0][done] == 1
        assert len(rows) == len(points)
        assert [entry.action for entry in log if entry.run_id == report.run_id] == [done]


def test_a_failing_batch_fails_the_run_with_its_own_exception(make_base: MakeBase) -> None:
    with make_base(documents=40).open(embedder=Broken) as workspace:
        with pytest.raises(EmbedderError, match="out of order"):
            as_flow(workspace)
        (run,) = workspace.ledger.runs.newest()
        assert (run.outcome, run.error) == ("failed", "EmbedderError: The embedder is out of order.")
        runs = flow_runs(run.run_id)
        assert {flow_run.state.type.value for flow_run in runs.values()} == {"FAILED"}
        assert {r.state.message for r in runs.values()} == {f"EmbedderError in run {run.run_id}"}
        assert len(task_runs(runs["freshkb-sync-source"], 1)) == 1
        with workspace.ledger.writer("handbook", "the test"):
            pass


def test_documents_in_quarantine_do_not_fail_the_flow(make_base: MakeBase) -> None:
    base = make_base(documents=1)
    base.put("broken.docx", "This is no Word document.")
    with base.open() as workspace:
        report = as_flow(workspace)
    assert report.exit_code == 3
    run = flow_runs(report.run_id)["freshkb-sync"]
    assert run.state.type.value == "COMPLETED"
    assert "1 added, 1 quarantined" in run.state.message


def test_refused_removals_fail_the_flow_and_an_approval_lets_them_pass(make_base: MakeBase) -> None:
    base = make_base(documents=20)
    with base.open() as workspace:
        directly(workspace)
        for number in range(15):
            base.remove(f"page-{number:03}.md")
        refused = as_flow(workspace)
        assert refused.exit_code == 4
        run = flow_runs(refused.run_id)["freshkb-sync"]
        assert (run.state.type.value, run.state.name) == ("FAILED", "Refused")
        assert run.state.message == f"Run {refused.run_id}: 15 refused; chunks: nothing"
        approved = as_flow(workspace, approve=refused.sources[0].plan_hash, by="Anna S.")
        assert workspace.ledger.runs.approvers([approved.run_id]) == {approved.run_id: "Anna S."}
    assert told(approved)["sources"][0]["deleted"] == 15


def test_a_source_that_cannot_be_listed_fails_the_flow(make_base: MakeBase) -> None:
    base = make_base(documents=1)
    (base.folder / "docs").rename(base.folder / "gone")
    with base.open() as workspace:
        report = as_flow(workspace)
    assert report.exit_code == 1
    assert flow_runs(report.run_id)["freshkb-sync"].state.type.value == "FAILED"


def test_an_interrupt_ends_the_flow_after_the_batch_in_hand(make_base: MakeBase) -> None:
    base, stop = make_base(documents=20), threading.Event()

    class Interrupting(HashEmbedder):
        def embed_documents(self, *asked: Any) -> Any:
            stop.set()
            return super().embed_documents(*asked)

    with base.open(embedder=Interrupting, sizes=SMALL) as workspace:
        report = as_flow(workspace, stop=stop)
        assert report.exit_code == 130
        assert told(report)["sources"][0]["added"] == SMALL.batch_documents
        assert flow_runs(report.run_id)["freshkb-sync"].state.type.value == "CANCELLED"
        assert told(directly(workspace))["documents"] == 20


def test_sigterm_lets_the_batch_in_hand_finish(make_base: MakeBase) -> None:
    class Terminating(HashEmbedder):
        def embed_documents(self, *asked: Any) -> Any:
            os.kill(os.getpid(), signal.SIGTERM)
            return super().embed_documents(*asked)

    with make_base(documents=20).open(embedder=Terminating, sizes=SMALL) as workspace:
        report = as_flow(workspace)
    assert report.exit_code == 130
    assert told(report)["sources"][0]["added"] == SMALL.batch_documents


def test_a_flow_that_nobody_called_finds_its_configuration(
    make_base: MakeBase, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows.sync import sync

    base = make_base(documents=2)
    with base.open() as workspace:
        directly(workspace)
    base.remove("page-001.md")
    monkeypatch.setenv("FRESHKB_CONFIG", str(base.config))
    counts: Any = sync()
    assert counts["sources"][0]["deleted"] == 1
    assert not {"error", "plan_hash"} & set(counts["sources"][0])

    monkeypatch.setenv("FRESHKB_CONFIG", str(base.folder / "lost.yaml"))
    state = sync(return_state=True)
    assert (state.type.value, state.message) == ("FAILED", "ConfigError before a run began")
    assert "lost.yaml cannot be read" in capfd.readouterr().err


def test_a_flow_that_nobody_called_waits_for_another_writer(
    make_base: MakeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    import flows.sync

    base = make_base(documents=1)
    monkeypatch.setenv("FRESHKB_CONFIG", str(base.config))
    with base.open() as workspace, ExitStack() as writing:
        directly(workspace)
        writing.enter_context(workspace.ledger.writer("handbook", "the test"))
        monkeypatch.setattr(flows.sync, "PATIENCE_SECONDS", 0.0)
        refused = flows.sync.sync(return_state=True)
        assert refused.is_failed() and (refused.message or "").startswith("Locked in run")
        monkeypatch.setattr(flows.sync, "PATIENCE_SECONDS", 60.0)
        threading.Timer(0.5, writing.close).start()
        assert flows.sync.sync(return_state=True).is_completed()


@LONG
def test_batches_run_in_another_process_too(make_base: MakeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.task_runners import ProcessPoolTaskRunner

    from flows.sync import sync

    base = make_base(documents=3)
    with base.open() as workspace:
        directly(workspace)
        base.remove("page-001.md")
        monkeypatch.setenv("FRESHKB_CONFIG", str(base.config))
        elsewhere: Any = ProcessPoolTaskRunner(max_workers=1)
        counts: Any = sync.with_options(task_runner=elsewhere)()
        assert counts["sources"][0]["deleted"] == 1
        assert [d.uri for d in workspace.ledger.documents.find()] == ["page-000.md", "page-002.md"]


def test_the_audit_flow_writes_the_reports_and_publishes_counts(
    make_base: MakeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.audit import audit

    base = make_base(documents=2)
    base.put("old.md", "---\nlast_reviewed: 2020-01-01\n---\n# Old\n\nText.\n")
    with base.open() as workspace:
        directly(workspace)
        reports = workspace.config.reports
    monkeypatch.setenv("FRESHKB_CONFIG", str(base.config))
    counts: Any = audit()
    assert counts["stale"] >= 1 and sum(counts.values()) == 3
    assert {path.name for path in reports.iterdir()} >= {"report.html", "report.md", "freshness.json"}
    shown = artifact("freshkb-audit")
    assert "| handbook |" in shown and "Trust score" in shown
    listed = artifact("freshkb-findings")
    with base.open() as workspace:
        (old,) = (d for d in workspace.ledger.documents.find() if d.uri == "old.md")
    assert old.document_id in listed and "stale" in listed and "handbook" in listed
    for words in ("group:hr", "old.md", "Dated"):
        assert words not in shown and words not in listed
    assert audit(fail_on="stale", return_state=True).is_failed()


def test_the_verify_flow_fails_on_a_difference_and_publishes_counts(
    make_base: MakeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.verify import verify

    base = make_base(documents=2)
    with base.open() as workspace:
        directly(workspace)
    monkeypatch.setenv("FRESHKB_CONFIG", str(base.config))
    counts: Any = verify()
    assert counts["points"] == 2
    base.remove("page-001.md")
    state = verify(return_state=True)
    assert state.is_failed() and "1 outdated" in (state.message or "")
    assert "| outdated | 1 |" in artifact("freshkb-verify")
    counts = verify(repair=True)
    assert counts["repaired"] == 1


def test_the_purge_flow_takes_the_bytes_off_the_disk_and_publishes_counts(
    make_base: MakeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.purge import purge

    base = make_base(documents=2)
    base.put("gone.md", "# Gone\n\nOf the kookaburra.\n")
    with base.open() as workspace:
        directly(workspace)
        base.remove("gone.md")
        directly(workspace)
        state_dir = workspace.config.state_dir
    trace = [text("t", "kookaburra")]
    assert apart.found([state_dir], trace)
    monkeypatch.setenv("FRESHKB_CONFIG", str(base.config))
    counts: Any = purge()
    assert counts == {"removals": 1, "purged": 1, "pending": 0}
    assert apart.found([state_dir], trace) == {}
    shown = artifact("freshkb-purge")
    assert "| purged | 1 |" in shown and "| store | purged |" in shown


def test_the_notify_flow_tells_owners_and_publishes_counts(
    make_base: MakeBase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from flows.notify import notify

    base = make_base(documents=2)
    base.put("old.md", "---\nowner: zoe@example.org\nlast_reviewed: 2020-01-01\n---\n# Old\n\nText.\n")
    port = free_port()
    notice = f"notify: {{from: kb@example.org, smtp: 'smtp://127.0.0.1:{port}'}}\n"
    base.config.write_text(notice + base.config.read_text(encoding="utf-8"), encoding="utf-8")
    with base.open() as workspace:
        directly(workspace)
    monkeypatch.setenv("FRESHKB_CONFIG", str(base.config))
    assert notify(return_state=True).is_failed()
    with serving(port) as mailbox:
        counts: Any = notify()
        assert mailbox.to == ["zoe@example.org"]
    assert (counts["sent"], counts["failed"], counts["unknown"]) == (1, 0, 0)
    shown = artifact("freshkb-notify")
    assert "| sent | 1 |" in shown
    assert "zoe" not in shown + caplog.text and "old.md" not in shown + caplog.text


def test_the_retention_flow_removes_what_has_expired_and_publishes_counts(
    make_base: MakeBase, monkeypatch: pytest.MonkeyPatch, harness: Server
) -> None:
    """The source is not there, and the server learns no name, no date and no reason."""
    from flows.retention import retention

    base = make_base("retained", source="archive")
    for number in range(15):
        base.put(
            f"{CANARY}-{number:02}.md",
            f"---\nended: 2019-01-{number + 1:02}\n---\n# {CANARY}\n\nText {number}.\n",
        )
    base.put("stays.md", "# Stays\n\nAs it is.\n")
    with base.open() as workspace:
        directly(workspace)
        assert workspace.ledger.documents.counts() == {"archive": {"indexed": 16}}
    monkeypatch.setenv("FRESHKB_CONFIG", str(base.config))
    (base.folder / "docs").rename(base.folder / "elsewhere")

    def rules(field: str, limit: int) -> None:
        text = base.config.read_text(encoding="utf-8").partition("retention:")[0]
        guard = f"defaults: {{delete: {{max_count: {limit}, max_fraction: 0.0}}}}"
        text = text.replace("defaults: {owner: group:hr}", guard)
        base.config.write_text(f"{text}retention: [{{after: 7y, field: {field}}}]\n", encoding="utf-8")

    rules("nowhere", 14)
    counts: Any = retention()
    assert counts == {"expired": 0, "refused": 0}
    rules("ended", 14)
    state = retention(return_state=True)
    assert state.is_failed() and state.name == "Refused" and (state.message or "").endswith(": 15 refused")
    rules_of = base.config.read_text(encoding="utf-8").replace("max_count: 14", "max_count: 15")
    base.config.write_text(rules_of, encoding="utf-8")
    counts = retention()
    assert counts == {"expired": 15, "refused": 0}
    assert "| archive | 15 | 0 |" in artifact("freshkb-retention")
    with base.open() as workspace:
        assert workspace.ledger.documents.counts() == {"archive": {"expired": 15, "indexed": 1}}
        kinds = [run.kind for run in workspace.ledger.runs.newest(10)]
        assert kinds.count("retention") == 3
    assert places("2019-01-01", harness.home) == set() and places("ended: 2019", harness.home) == set()


def test_a_flow_that_appended_entries_keeps_a_checkpoint_of_the_log(make_base: MakeBase) -> None:
    base = make_base(documents=2)
    with base.open() as workspace:
        as_flow(workspace)
        shown, ledger = artifact("freshkb-log"), workspace.ledger
        note = parse(shown.removeprefix("```\n").removesuffix("```\n"))
        assert Checkpoint.of(note) == checkpoint_of(ledger, ledger.log.head())
        assert note.is_signed(origin_of(ledger), [signing_key(workspace).public])
        as_flow(workspace)
        assert artifact("freshkb-log") == shown, "nothing was appended"
        base.remove("page-000.md")
        as_flow(workspace)
        assert artifact("freshkb-log") != shown


def test_a_source_that_there_is_not_fails_the_flow(
    make_base: MakeBase, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows.sync import sync

    base = make_base(documents=1)
    monkeypatch.setenv("FRESHKB_CONFIG", str(base.config))
    state = sync(source="typo", return_state=True)
    with base.open() as workspace:
        (run,) = workspace.ledger.runs.newest()
        assert workspace.ledger.documents.counts() == {}
        with pytest.raises(ConfigError, match="has no source 'typo'"):
            as_flow(workspace, source="typo")
    said = "freshkb.yaml has no source 'typo'. There are: handbook."
    assert (state.type.value, state.message) == ("FAILED", f"ConfigError in run {run.run_id}")
    assert (run.outcome, run.error) == ("failed", f"ConfigError: {said}")
    told = capfd.readouterr().err
    assert f" ERROR freshkb.flows: ConfigError: {said}" in told and "Traceback" not in told


def test_a_flow_is_one_run_and_finished_once(make_base: MakeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.audit import audit
    from flows.sync import sync
    from flows.verify import verify

    base = make_base(documents=2)
    with base.open() as workspace:
        directly(workspace)
        with workspace.ledger.database.writing() as connection:
            connection.exec_driver_sql("CREATE TABLE finishes (run_id TEXT)")
            connection.exec_driver_sql(
                "CREATE TRIGGER finishing AFTER UPDATE OF finished_at ON runs BEGIN"
                " INSERT INTO finishes VALUES (new.run_id); END"
            )
        base.remove("page-001.md")
        monkeypatch.setenv("FRESHKB_CONFIG", str(base.config))
        counts: Any = verify(repair=True)
        assert counts["repaired"] == 1
        audit()
        sync()
        with workspace.ledger.database.reading() as connection:
            finished = [row[0] for row in connection.exec_driver_sql("SELECT run_id FROM finishes")]
        runs = {run.run_id: run for run in workspace.ledger.runs.newest()}
        # The sync before lies months back, by the clock of the base: the removed point is purged at once.
        assert [runs[run_id].kind for run_id in finished] == ["verify", "audit", "sync", "purge"]
        assert len(runs) == 5 and all(run.actor for run in runs.values())


def test_nothing_of_a_document_reaches_prefect(
    make_base: MakeBase, harness: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Documents are full of one word: in folder, name, title, owner, front matter and text, in reasons and in
    the messages of exceptions. However a run ends, nothing that Prefect has on disk holds the word."""
    from flows.audit import audit
    from flows.purge import purge
    from flows.retention import retention
    from flows.sync import sync
    from flows.verify import verify

    base = make_base(f"{CANARY}-folder", source="personnel")
    head = f"---\nowner: user:{CANARY}\ntitle: {CANARY}\nnote: {CANARY}\n---\n"
    for number in range(22):
        base.put(f"{CANARY}/{CANARY}-{number:02}.md", f"{head}# {CANARY}\n\nOf {CANARY} alone.\n")
    base.put(f"{CANARY}.docx", CANARY)
    stop = threading.Event()
    troubles = [EmbedderError(f"Cannot embed {CANARY}"), Panic(CANARY)]

    class Telling(HashEmbedder):
        def embed_documents(self, *asked: Any) -> Any:
            if troubles:
                raise troubles.pop(0) from ValueError(CANARY)
            stop.set()
            return super().embed_documents(*asked)

    away, sizes = Away(base, times=1, message=CANARY), Sizes(batch_documents=16)
    with base.open(embedder=Telling, store=away, sizes=sizes) as workspace:
        for trouble in (EmbedderError, Panic):
            with pytest.raises(trouble):
                as_flow(workspace)
        assert as_flow(workspace, stop=stop).outcome == "interrupted"
        assert as_flow(workspace).outcome == "partial"
        with workspace.ledger.writer("personnel", CANARY), pytest.raises(Locked, match=CANARY):
            as_flow(workspace)
        for number in range(20):
            base.remove(f"{CANARY}/{CANARY}-{number:02}.md")
        assert as_flow(workspace).outcome == "refused"
    monkeypatch.setenv("FRESHKB_CONFIG", str(base.config))
    assert audit(return_state=True).is_completed()
    assert verify(return_state=True).is_failed()
    assert retention(return_state=True).is_completed()
    assert purge(return_state=True).is_completed()
    monkeypatch.setenv("FRESHKB_CONFIG", str(tmp_path / f"{CANARY}.yaml"))
    for unconfigured in (sync, audit, verify, retention, purge):
        assert unconfigured(return_state=True).is_failed()
    monkeypatch.setenv("FRESHKB_CONFIG", str(base.config))
    (base.folder / "docs").rename(base.folder / f"docs-{CANARY}")
    last = sync(return_state=True)

    assert last.is_failed()
    assert last.message in until(lambda: logged(last.state_details.flow_run_id))
    assert places("personnel", harness.home) >= {"flow_run", "artifact"}
    assert places("StoreError in run", harness.home) and places("Panic in run", harness.home)
    assert places(CANARY, harness.home) == set()


def test_the_search_for_a_word_finds_what_prefect_was_told(harness: Server) -> None:
    from prefect import flow
    from prefect.artifacts import create_markdown_artifact

    @flow(name="indiscreet", flow_run_name="of {word}", persist_result=True, log_prints=True)
    def indiscreet(word: str) -> Any:
        print(f"A line about {word}.")
        create_markdown_artifact(f"An artifact of {word}.", key="indiscreet")
        raise ValueError(f"An exception with {word}.")

    state: Any = indiscreet(TATTLER, return_state=True)
    until(lambda: logged(state.state_details.flow_run_id))
    found = places(TATTLER, harness.home)
    assert found >= {"flow_run", "flow_run_state", "log", "artifact"}
    assert any(name.startswith("prefect.db") for name in found)
    # The exception itself, pickled into the storage of results.
    assert any(re.fullmatch("[0-9a-f]{32}", name) for name in found)


# ── What the tests ask for ────────────────────────────────────────────────────────────────────────────

CANARY = "Kanarienvogel"
TATTLER = "Plaudertasche"


class Panic(BaseException):
    """As libraries that are written in Rust raise it."""


class Broken(HashEmbedder):
    def embed_documents(self, *asked: Any) -> Any:
        raise EmbedderError("The embedder is out of order.")


class Away:
    """The base's own store, which fails the first times that something is written to it, or deleted."""

    def __init__(self, base: Base, *, times: int, message: str = "", call: str = "upsert") -> None:
        self._store = open_store("edge", path=base.folder / ".freshkb" / "index", url=None, api_key=None)
        self._times = times
        self._message = message
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def session(self, name: str) -> Iterator[Session]:
        with self._store.session(name) as session:
            write = getattr(session, self._call)

            def failing(points: Any) -> None:
                write(points)
                if self._times:
                    self._times -= 1
                    raise StoreError(f"The store is away. {self._message}")

            setattr(session, self._call, failing)
            yield session


@contextmanager
def api() -> Iterator[Any]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        yield client


def flow_runs(run_id: str) -> dict[str, Any]:
    """The flow runs of a run, by the name of their flow."""
    with api() as client:
        flows = {flow.id: flow.name for flow in client.read_flows()}
        runs = client.read_flow_runs(limit=200)
    return {flows[run.flow_id]: run for run in runs if run.state and run_id in (run.state.message or "")}


def task_runs(flow_run: Any, count: int) -> list[Any]:
    """Prefect hears of tasks by events, a moment later."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    mine = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id]))

    def ended() -> list[Any]:
        with api() as client:
            found = [task for task in client.read_task_runs(flow_run_filter=mine) if task.end_time]
        return found if len(found) >= count else []

    return sorted(until(ended), key=lambda task: str(task.name))


def logged(flow_run_id: Any) -> str:
    """A flow run's log, once its last line has arrived."""
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    with api() as client:
        found = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id])))
    lines = "\n".join(log.message for log in found)
    return lines if "Finished in state" in lines else ""


def artifact(key: str) -> str:
    with api() as client:
        return str(client.request("GET", "/artifacts/{key}/latest", path_params={"key": key}).json()["data"])
