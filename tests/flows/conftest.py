"""A knowledge base small enough to sync in a moment, and Prefect servers that belong to the tests alone.

Prefect is imported by the fixtures, not by this file: its settings are read while it is imported, and the
tests must not touch the `~/.prefect` of the user that runs them.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from index.config import load
from index.embed.identity import ModelIdentity
from index.parse import Parser
from index.sizes import Sizes
from index.store.base import VectorStore
from index.workspace import Workspace
from tests import forks
from tests.embedders import HashEmbedder
from tests.knowledge import Shared

#: Time for a fresh server to start, on a slow machine that has other things to do.
START_SECONDS = 180.0

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Base:
    """A folder with a configuration and documents."""

    folder: Path
    parser: Parser

    @property
    def config(self) -> Path:
        return self.folder / "freshkb.yaml"

    def put(self, uri: str, text: str) -> None:
        path = self.folder / "docs" / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (NOW.timestamp() - 86400, NOW.timestamp() - 86400))

    def remove(self, uri: str) -> None:
        (self.folder / "docs" / uri).unlink()

    def open(
        self,
        *,
        embedder: Callable[[ModelIdentity, str], HashEmbedder] = HashEmbedder,
        store: VectorStore | None = None,
        sizes: Sizes | None = None,
    ) -> Workspace:
        """Ids and times are those of every other base, so that two of them can be compared."""
        numbers = count(1)
        return Workspace(
            load(self.config, {}, self.folder),
            now=lambda: NOW,
            new_id=lambda: f"00000000-0000-4000-8000-{next(numbers):012d}",
            parser=Shared(self.parser),
            embedder=embedder,
            store=store,
            sizes=sizes,
        )


@pytest.fixture
def make_base(tmp_path: Path, parser: Parser) -> Callable[..., Base]:
    def make(name: str = "kb", documents: int = 0, source: str = "handbook") -> Base:
        base = Base(tmp_path / name, parser)
        (base.folder / "docs").mkdir(parents=True)
        base.config.write_text(
            "version: 1\n"
            # The precision is named because finding the best one would load the model.
            "embedding: {dtype: float32}\n"
            "defaults: {owner: group:hr}\n"
            f"sources: [{{id: {source}, type: files, root: ./docs}}]\n"
            # Far from any test: a run of their own would take the place of those that tests ask for.
            'schedules: {sync: "0 5 1 1 *", audit: "0 7 1 1 *"}\n',
            encoding="utf-8",
        )
        for number in range(documents):
            base.put(f"page-{number:03}.md", f"# Page {number}\n\nParagraph {number} of the handbook.\n")
        return base

    return make


# ── Prefect ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Server:
    """A Prefect server, and the folder that holds all its data."""

    api_url: str
    home: Path


@pytest.fixture(scope="package")
def server() -> Iterator[Server]:
    """A `prefect server start` as a user would run it. A server that nothing asks computes all the same: it
    ends with the tests of flows."""
    home = Path(tempfile.mkdtemp(prefix="freshkb-prefect-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    # Prefect's client, in this process, writes there until its end.
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    with served(home) as server:
        _keep(home / "prefect.db")
        yield server


@pytest.fixture(scope="package")
def harness(server: Server) -> Iterator[Server]:
    """The server, for flows in this process, whose own files lie beside its data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(server.home))
        patch.setenv("PREFECT_API_URL", server.api_url)
        import_module("flows.sync")
        from prefect import settings

        patch.undo()
        given = {settings.PREFECT_API_URL: server.api_url, settings.PREFECT_HOME: server.home}
        # The thread that sends them would have the end of each run wait for half a second.
        heartbeat: dict[Any, Any] = {settings.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
        with settings.temporary_settings({**given, **heartbeat}):
            yield server
            # Else its threads go on to ask a server that has ended, beside the tests that come next.
            import_module("prefect.events.worker").EventsWorker.drain_all()
            import_module("prefect.logging.handlers").APILogWorker.drain_all()


@contextmanager
def served(home: Path, port: int | None = None, **settings: str) -> Iterator[Server]:
    """A server whose data lies in `home`. Its database, unless there is one, is a copy of that of another new
    one, because making it takes as long as to start."""
    if not (home / "prefect.db").exists() and _kept().exists():
        shutil.copyfile(_kept(), home / "prefect.db")
    port = port or free_port()
    url = f"http://127.0.0.1:{port}/api"
    environ = {"PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", **settings}
    command = [program("prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    with started(command, home, environ) as process:
        until(lambda: answers(f"{url}/health"), process)
        yield Server(url, home)


def _kept() -> Path:
    """The database of a new server, for all workers."""
    return Path(os.environ["XDG_CACHE_HOME"]) / "prefect.db"


def _keep(database: Path) -> None:
    if not _kept().exists():
        made = _kept().with_name(f"prefect-{os.getpid()}.db")
        with closing(sqlite3.connect(database)) as source:
            source.execute("VACUUM INTO ?", (str(made),))
        made.replace(_kept())


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def ask(
    server: Server, path: str, body: Mapping[str, Any] | None = None, *, method: str | None = None
) -> Any:
    """The API's answer; the API is busy (503) whenever something else writes its SQLite."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.api_url}{path}", data, headers, method=method)

    def answered() -> list[Any]:
        try:
            with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
                return [json.loads(answer.read() or "null")]
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            return []

    return until(answered)[0]


def registered(server: Server) -> dict[str, dict[str, Any]]:
    """The deployments of `freshkb serve` by their names: one of each flow, of which one run goes on at a
    time."""
    deployments = {d["name"]: d for d in ask(server, "/deployments/filter", {})}
    flows = ("sync", "audit", "notify", "verify", "retention", "purge", "erase")
    assert set(deployments) == {f"freshkb-{name}" for name in flows}
    limits = {d["concurrency_options"]["collision_strategy"] for d in deployments.values()}
    assert limits == {"CANCEL_NEW"}
    assert {d["global_concurrency_limit"]["limit"] for d in deployments.values()} == {1}
    return deployments


def program(name: str) -> str:
    """The path of a command beside the interpreter that runs the tests."""
    return str(Path(sys.executable).with_name(name))


def command_environ(**more: str) -> dict[str, str]:
    """The tests' environment without settings of ours or of Prefect's, and these."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "FRESHKB_"))} | more


@contextmanager
def started(
    command: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its output in `folder`; it and all that it started are gone afterwards."""
    with (folder / "output.txt").open("wb") as output:
        start: Any = forks.Popen if command[0] == sys.executable else subprocess.Popen
        process: subprocess.Popen[bytes] = start(
            command,
            cwd=folder,
            env=command_environ(**environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until(
    condition: Callable[[], Any], process: subprocess.Popen[bytes] | None = None, every: float = 0.25
) -> Any:
    """The condition's first true value. Other processes can only be asked, so this polls; not too often,
    because the process that is asked has to work for the answer."""
    deadline = time.monotonic() + START_SECONDS
    while not (found := condition()):
        assert process is None or process.poll() is None, "the process has ended"
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(every)
    return found


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False
