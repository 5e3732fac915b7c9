"""The commands against a Prefect server that runs beside them, as users have it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index.run import Run
from index.sync.sync import sync
from tests import forks
from tests.commands import environment, process
from tests.flows.canaries import core, names, places, quoted
from tests.flows.conftest import Base, Server, ask, program, registered, started, until
from tests.soak import LONG

#: The first test waits for a server to start.
pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("converted")]

MakeBase = Callable[..., Base]

CANARY = "Kanarienvogel"


def freshkb(base: Base, *arguments: str, api_url: str, home: Path) -> subprocess.CompletedProcess[str]:
    return forks.run(
        process(*arguments),
        cwd=base.folder,
        env=environment() | {"PREFECT_API_URL": api_url, "PREFECT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_sync_with_an_api_is_a_flow_run_there(make_base: MakeBase, server: Server, tmp_path: Path) -> None:
    base = make_base(documents=3)
    with base.open() as workspace:
        sync(Run(workspace, "sync"))
    base.remove("page-002.md")
    ended = freshkb(base, "sync", "--json", api_url=server.api_url, home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert report["sources"][0]["deleted"] == 1
    assert "for flow 'freshkb-sync'" in ended.stderr
    runs = ask(server, "/flow_runs/filter", {"sort": "START_TIME_DESC"})
    messages = [run["state"]["message"] for run in runs if run["state"]["type"] == "COMPLETED"]
    assert messages.count(f"Run {report['run_id']}: 1 deleted; chunks: 1 deleted") == 2


def test_an_api_that_does_not_answer_is_an_error(make_base: MakeBase, tmp_path: Path) -> None:
    base = make_base(documents=1)
    begun = time.monotonic()
    ended = freshkb(base, "sync", "--json", api_url="http://127.0.0.1:9/api", home=tmp_path)
    took = time.monotonic() - begun
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "The Prefect API at http://127.0.0.1:9/api does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert took < 120
    assert not (base.folder / ".freshkb" / "index").exists()


@LONG
def test_serve_runs_the_flows_of_its_configuration_until_it_is_stopped(
    make_base: MakeBase, server: Server, tmp_path: Path
) -> None:
    """And the server learns nothing of the documents from the processes that the runner starts."""
    base = make_base(CANARY)
    for number in range(20):
        text = f"---\nowner: user:{CANARY}\n---\n# {CANARY} {number}\n\nOf {CANARY}.\n"
        base.put(f"{CANARY}/{number:02}.md", text)
    base.put(f"{CANARY}.docx", CANARY)
    with base.open() as workspace:
        sync(Run(workspace, "sync"))
    # Where Prefect would put its own files is another user's.
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "runner_storage").touch()
    environ = {
        "TMPDIR": str(tmp_path / "shared"),
        "PREFECT_API_URL": server.api_url,
        "PREFECT_HOME": str(tmp_path / "client"),
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    }
    with started([program("freshkb"), "serve"], base.folder, environ) as serving:
        output = base.folder / "output.txt"
        until(lambda: b"Ready: watching handbook" in output.read_bytes(), serving)
        until(lambda: b"prefect: Runs" in output.read_bytes(), serving)
        deployments = registered(server)
        crons = {
            name: [(s["schedule"]["cron"], s["schedule"]["timezone"], s["active"]) for s in d["schedules"]]
            for name, d in deployments.items()
        }
        assert crons == {
            "freshkb-sync": [("0 5 1 1 *", "UTC", True)],
            "freshkb-audit": [("0 7 1 1 *", "UTC", True)],
            "freshkb-notify": [],
            "freshkb-verify": [],
            "freshkb-retention": [],
            "freshkb-purge": [],
            "freshkb-erase": [],
        }

        def ran(name: str) -> Any:
            asked = ask(server, f"/deployments/{deployments[name]['id']}/create_flow_run", {})

            def state() -> Any:
                found = ask(server, f"/flow_runs/{asked['id']}")["state"]
                return found if found["type"] in ("COMPLETED", "FAILED", "CRASHED") else None

            return until(state, serving)

        ended = ran("freshkb-sync")
        assert (ended["type"], "nothing" in ended["message"]) == ("COMPLETED", True)
        for number in range(20):
            base.remove(f"{CANARY}/{number:02}.md")
        assert ran("freshkb-sync")["name"] == "Refused"

        healthy = freshkb(base, "status", "--check", "--json", api_url=server.api_url, home=tmp_path)
        assert healthy.returncode == 0, healthy.stderr
        services = {s["service"]: (s["command"], s["pid"]) for s in json.loads(healthy.stdout)["services"]}
        assert services == dict.fromkeys(("watcher", "runner"), ("freshkb serve", serving.pid))
        again = freshkb(base, "serve", api_url=server.api_url, home=tmp_path)
        assert again.returncode == 4 and "a watcher already" in again.stderr

        # A flow is asked to end while it waits for this writer.
        with base.open() as workspace, workspace.ledger.writer("handbook", "the test"):
            flow = deployments["freshkb-sync"]["id"]
            waiting = ask(server, f"/deployments/{flow}/create_flow_run", {})["id"]
            until(lambda: ask(server, f"/flow_runs/{waiting}")["state"]["type"] == "RUNNING", serving)
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(timeout=60) == 0, output.read_text()
        assert ask(server, f"/flow_runs/{waiting}")["state"]["type"] != "RUNNING"
    said = output.read_text()
    assert "Traceback" not in said
    assert " INFO freshkb.flows: Partial: Run " in said
    assert " INFO freshkb.flows: Refused: Run " in said
    for line in said.splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*Z [A-Z]+ [a-z_.]+", line), line
    crons_after = ask(server, f"/deployments/{deployments['freshkb-sync']['id']}")["schedules"]
    assert [s["active"] for s in crons_after] == [True]
    assert places("freshkb-sync", server.home) >= {"flow", "deployment"}
    assert places(CANARY, server.home, tmp_path / "client") == set()


def test_serve_without_a_server_says_what_it_needs(make_base: MakeBase, tmp_path: Path) -> None:
    ended = freshkb(make_base(), "serve", api_url="", home=tmp_path)
    assert ended.returncode == 2
    assert "prefect server start" in ended.stderr


def test_prefect_keeps_no_secret_of_a_flow_run(make_base: MakeBase, server: Server, tmp_path: Path) -> None:
    """Its client takes user and password in the address of the API, and logs that address to the server."""
    secrets = names("url", "key")
    base = make_base(documents=1)
    (base.folder / "docs" / "page-000.md").unlink()
    environ = {
        "PREFECT_API_URL": server.api_url.replace("://", f"://admin:{quoted(secrets['url'])}@"),
        "PREFECT_API_KEY": secrets["key"],
        "PREFECT_HOME": str(tmp_path / "client"),
        "PREFECT_LOGGING_LEVEL": "DEBUG",
    }
    done = forks.run(
        process("sync", "-v"),
        cwd=base.folder,
        env={**environment(), **environ},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "for flow 'freshkb-sync'" in done.stderr
    for canary in map(core, secrets.values()):
        assert canary not in done.stdout + done.stderr
        assert places(canary, server.home, tmp_path / "client", base.folder / ".freshkb") == set()
