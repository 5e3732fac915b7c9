"""`freshkb serve`: the flows as Prefect deployments on their schedules, beside the watcher.

The watcher runs in the main thread, where signals arrive, with its model and parser warm. Prefect's runner
runs in another thread and starts every flow run in a process of its own, which finds the configuration by the
environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.settings import PREFECT_API_URL
from prefect.types.entrypoint import EntrypointType

from flows import orchestration
from flows.audit import audit
from flows.erase import erase
from flows.notify import notify
from flows.purge import purge
from flows.retention import retention
from flows.sync import sync
from flows.verify import verify
from flows.watch import Watcher
from index.config.load import CONFIG
from index.errors import ConfigError, FreshkbError
from index.health.services import SERVE, living
from index.workspace import Workspace

#: Seconds between two looks at what the server has scheduled.
LOOK_SECONDS = 60.0

#: Seconds until the runner sees that it shall stop: a signal handler cannot wake its event loop.
STOP_SECONDS = 0.2


def serve(workspace: Workspace, stop: threading.Event, *, tell: Callable[[dict[str, Any]], None]) -> None:
    """Serve and watch until `stop` is set; the batch in hand and flow runs that are under way come to their
    end. `tell` gets the watcher's events, and an event when the deployments are registered.

    Raises ConfigError without a Prefect server, FreshkbError when it does not answer.
    """
    url = PREFECT_API_URL.value()
    if not url:
        raise ConfigError(
            "PREFECT_API_URL is not set, and freshkb serve needs a Prefect server to keep its schedules. "
            f"{orchestration.START}, then: export PREFECT_API_URL=http://127.0.0.1:4200/api"
        )
    orchestration.require(url)
    with configured(str(workspace.config.path)):
        served = Served(url, workspace, stop, tell)
        served.start()
        try:
            Watcher(workspace, stop, tell=tell, command=SERVE).run()
        finally:
            served.end()
    if served.error is not None:
        raise FreshkbError(f"Prefect's runner ended: {served.error}") from served.error


@contextlib.contextmanager
def configured(path: str) -> Iterator[None]:
    """Processes that are started in the block find this configuration."""
    before = os.environ.get(CONFIG)
    os.environ[CONFIG] = path
    try:
        yield
    finally:
        if before is None:
            del os.environ[CONFIG]
        else:
            os.environ[CONFIG] = before


class Served(threading.Thread):
    """Prefect's runner with our deployments. Outside the main thread it leaves signals alone."""

    def __init__(
        self,
        url: str,
        workspace: Workspace,
        stop: threading.Event,
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        super().__init__(name="prefect-runner")
        self.error: Exception | None = None
        self._url = url
        self._schedules = workspace.config.schedules
        self._state_dir = workspace.config.state_dir
        self._scratch = workspace.scratch / "prefect"
        self._stop_all = stop
        self._tell = tell

    def run(self) -> None:
        try:
            with living(self._state_dir, "runner", SERVE):
                asyncio.run(self._serve())
        except Exception as error:
            self.error = error
        finally:
            # The watcher without the runner, or the reverse, would look alive and not be.
            self._stop_all.set()

    def end(self) -> None:
        """Take no new flow runs, let those under way finish their batch, and come back."""
        self._stop_all.set()
        self.join()

    async def _serve(self) -> None:
        runner = Runner(name="freshkb", pause_on_shutdown=False)
        # Prefect's own choice is one folder for all users of a machine, owned by the first of them.
        # Another folder can be set through private API only: tests/test_private_api.py.
        runner._tmp_dir = self._scratch
        schedules = self._schedules
        for flow, cron in (
            (sync, schedules.sync),
            (audit, schedules.audit),
            (notify, schedules.notify),
            (verify, schedules.verify),
            (retention, schedules.retention),
            (purge, schedules.purge),
            # Syncs carry out open orders, too.
            (erase, None),
        ):
            await runner.aadd_flow(
                flow,
                name=flow.name,
                schedules=[Cron(cron, timezone="UTC")] if cron else [],
                concurrency_limit=ConcurrencyLimitConfig(
                    limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
                ),
                tags=["freshkb"],
                entrypoint_type=EntrypointType.MODULE_PATH,
            )
        crons = "; ".join(f"{name} at {cron}" for name, cron in schedules if cron)
        message = f"Runs of this knowledge base start from here (UTC): {crons or 'none by themselves'}."
        self._tell({"event": "served", "source": "prefect", "message": message})
        serving = asyncio.create_task(runner.start())
        looking = asyncio.create_task(self._look_after())
        while not (serving.done() or self._stop_all.is_set()):
            await asyncio.sleep(STOP_SECONDS)
        looking.cancel()
        if not serving.done():
            await runner.astop()
        await serving

    async def _look_after(self) -> None:
        """Tell when the server does not keep the schedules, once, and when it does again."""
        reported = ""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                found = await asyncio.to_thread(orchestration.standings, self._url, self._schedules)
            except OSError:
                # The runner asks the same server, more often, and says itself that it gets no answer.
                continue
            wrong = orchestration.complaint(found)
            if wrong != reported:
                event = "unscheduled" if wrong else "scheduled"
                message = wrong or "Prefect's server keeps the schedules again."
                self._tell({"event": event, "source": "prefect", "message": message})
                reported = wrong
