"""Schedules that run: `freshkb serve` registers flows, the server schedules them, the runner starts them.

Where the server schedules nothing, `serve` and `doctor` say so.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flows import orchestration
from index.audit.report import FILES
from index.config import load
from index.run import Run
from index.sync.sync import sync
from tests import forks
from tests.commands import environment
from tests.commands import process as without_model
from tests.flows.conftest import Base, Server, ask, free_port, registered, served, started, until

#: Schedules fire on the minute, and servers take their time to start.
pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("converted")]

MakeBase = Callable[..., Base]

EVERY_MINUTE = "* * * * *"


def daily(hours: int) -> str:
    """A schedule that does not fire while a test runs, so many hours from now."""
    return f"0 {(datetime.now(UTC) + timedelta(hours=hours)).hour} * * *"


def schedule(base: Base, **crons: str) -> None:
    """Give the base these schedules and no others, and a watcher that leaves changes to them."""
    settings = base.config.read_text(encoding="utf-8").partition("schedules:")[0]
    patient = "root: ./docs, watch: {debounce: 1h, max_wait: 1h, sweep: 1d}}"
    settings = settings.replace("root: ./docs}", patient)
    base.config.write_text(f"{settings}schedules: {json.dumps(crons)}\n", encoding="utf-8")


def test_runs_that_come_from_the_schedule_do_their_work(
    make_base: MakeBase, server: Server, tmp_path: Path, soak: bool
) -> None:
    """Runs have the real model. In the short form there is one of the flow that writes: the others come from
    the same scheduler by the same way."""
    base = make_base(documents=2)
    with base.open() as workspace:
        sync(Run(workspace, "sync"))
        reports = workspace.config.reports
    # The others in the minute after the sync: runs that nobody looks at would take as long as these.
    first = (datetime.now(UTC) + timedelta(seconds=80)).minute % 2
    now, then = (f"{first}-59/2 * * * *" if soak else EVERY_MINUTE), f"{1 - first}-59/2 * * * *"
    others = ("audit", "verify", "notify", "purge", "retention") if soak else ()
    schedule(base, **{"sync": now, "audit": daily(6), **dict.fromkeys(others, then)})
    environ = environment() | {
        "PREFECT_API_URL": server.api_url,
        "PREFECT_HOME": str(tmp_path / "client"),
        "PREFECT_RUNNER_POLL_FREQUENCY": "5",
    }
    began = datetime.now(UTC)
    with started(without_model("serve"), base.folder, environ) as process:
        output = base.folder / "output.txt"
        until(lambda: b"Ready: watching handbook" in output.read_bytes(), process)
        until(lambda: b"prefect: Runs" in output.read_bytes(), process)
        deployments = {name: deployment["id"] for name, deployment in registered(server).items()}
        base.put("leave.md", "# Parental leave\n\nParents take sixteen weeks of paid leave.\n")

        def ended(name: str, *, after: datetime = began, saying: str = "") -> Any:
            """A run of this flow that the server's scheduler made, and that began after this time."""
            asked = {
                "deployment_id": {"any_": [deployments[name]]},
                "start_time": {"after_": after.isoformat()},
                "state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}},
            }
            for run in ask(server, "/flow_runs/filter", {"flow_runs": asked}):
                if saying in run["state"]["message"]:
                    assert run["auto_scheduled"] and run["created_by"]["type"] == "SCHEDULE"
                    return run
            return None

        try:
            synced = until(lambda: ended("freshkb-sync", saying="1 added"), process, every=2)
            since = datetime.fromisoformat(synced["end_time"]) if soak else began
            awaited = {other: partial(ended, f"freshkb-{other}", after=since) for other in others}
            runs = {other: until(run, process, every=2) for other, run in awaited.items()}
        finally:
            for deployment in deployments.values():
                ask(server, f"/deployments/{deployment}", method="DELETE")
        for run in (synced, *runs.values()):
            assert run["state_type"] == "COMPLETED", run["state"]
    if soak:
        assert {path.name for path in reports.iterdir()} == {*FILES, "owners"}
        judged = {result["uri"] for result in json.loads((reports / "freshness.json").read_text())["results"]}
        assert judged >= {"page-000.md", "page-001.md", "leave.md"}
        assert runs["verify"]["state"]["message"].endswith(": 3 documents, 3 points")
    assert found(base, "how long is parental leave?") == "leave.md"


def test_a_server_that_schedules_nothing_is_noticed(
    make_base: MakeBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soak: bool
) -> None:
    """A real server without its scheduler. Then in the long form one with it, on the same data and port; in
    the short one, runs are scheduled there by the test."""
    monkeypatch.setattr(orchestration, "GRACE", timedelta(0))
    base = make_base(documents=1)
    distant = f"{datetime.now(UTC) + timedelta(days=200):0 5 %-d %-m *}"
    crons = {"sync": daily(6), "audit": distant, "verify": daily(7)}
    schedule(base, **crons)
    home = tmp_path / "server"
    home.mkdir()
    foreman = {
        "PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS": "1",
        "PREFECT_SERVER_SERVICES_FOREMAN_DEPLOYMENT_LAST_POLLED_TIMEOUT_SECONDS": "15",
    }
    silent = {"PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false", **foreman}
    url = f"http://127.0.0.1:{(port := free_port())}/api"
    environ = environment() | {
        "PREFECT_API_URL": url,
        "PREFECT_HOME": str(tmp_path / "client"),
        # Patient enough to survive the server's restart.
        "PREFECT_RUNNER_POLL_FREQUENCY": "5",
    }
    output = base.folder / "output.txt"
    wrong = "The schedule of sync and verify is active, and Prefect's server has scheduled no run of it"
    with ExitStack() as serving, ExitStack() as servers:
        with ExitStack() as first:
            server = first.enter_context(served(home, port, **silent))
            unregistered = "None is registered at the server: freshkb serve registers them."
            assert kept(base, url) == (True, unregistered)
            serve = started(without_model("serve", more=IMPATIENT), base.folder, environ)
            process = serving.enter_context(serve)
            until(lambda: wrong in output.read_text(), process)
            ok, detail = told(base, environ)
            assert (ok, wrong in detail) == (False, True)
            assert "the server's log" in detail and "prefect server start" in detail
            assert kept(base, url) == (ok, detail)
            if not soak:
                for deployment in ask(server, "/deployments/filter", {}):
                    ask(server, f"/deployments/{deployment['id']}/schedule", {})
                servers.enter_context(first.pop_all())
        if soak:
            servers.enter_context(served(home, port, **foreman))
        until(lambda: "Prefect's server keeps the schedules again." in output.read_text(), process)
        assert output.read_text().count(wrong) == 1
        all_kept = (True, "sync: scheduled, audit: scheduled, verify: scheduled")
        until(lambda: kept(base, url) == all_kept, process, every=1)

        schedule(base, sync="*/5 * * * *", verify=crons["verify"])
        assert "The schedule of sync and audit is registered otherwise" in kept(base, url)[1]
        schedule(base, **crons)

        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0, output.read_text()
        until(lambda: "that nothing asks for: freshkb serve" in kept(base, url)[1], every=1)


#: A serve that looks at once at what the server has scheduled, and does not wait for it.
IMPATIENT = """
from datetime import timedelta
import flows.orchestration
flows.orchestration.GRACE = timedelta(0)
if sys.argv[1:] == ["serve"]:
    import flows.serve
    flows.serve.LOOK_SECONDS = 2.0
"""


def kept(base: Base, url: str) -> tuple[bool, str]:
    """The check of the schedules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", url)
        checks = orchestration.checks(load(base.config, {}, base.folder).schedules)
    (check,) = [check for check in checks if check.name == "schedules"]
    return check.ok, check.detail


def told(base: Base, environ: dict[str, str]) -> tuple[bool, str]:
    """The same check, as `freshkb doctor` prints it."""
    ended = forks.run(
        without_model("doctor", "--json", more=IMPATIENT),
        cwd=base.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=180,
    )
    checks = {check["name"]: check for check in json.loads(ended.stdout)["checks"]}
    assert ended.returncode == (0 if all(check["ok"] for check in checks.values()) else 1)
    return checks["schedules"]["ok"], checks["schedules"]["detail"]


def found(base: Base, query: str) -> str:
    """The uri of the best hit."""
    ended = forks.run(
        [forks.PYTHON, "-c", "from flows.cli import main; main()", "search", query, "-k", "1", "--json"],
        cwd=base.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=180,
    )
    (hit,) = json.loads(ended.stdout)
    return str(hit["uri"])
