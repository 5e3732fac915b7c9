"""Where the engine meets Prefect: what a flow works on, and what Prefect learns of it.

Prefect's database, its logs and its artifacts get counts, ids of sources and runs, and batch numbers. No
text, title, path or owner goes there. Therefore

- flows take no path: a flow works on what the command that called it has opened, else on the configuration
  that FRESHKB_CONFIG names, else on the ``freshkb.yaml`` of the working directory or of a parent;
- flows and tasks end by returning a state. An exception that left one would be logged with its message, and a
  flow's would be pickled into Prefect's result storage besides, whatever `persist_result` says. The state
  names its class and the run; the whole of it goes to stderr, its message to the run's record in the ledger.
  So it is with what is no Exception, too: libraries that are written in Rust panic that way;
- modules with flows or tasks do not postpone their annotations: a flow travels by value to the process that
  runs it, where an annotation that is still text could not be evaluated.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect import State
from prefect.artifacts import create_markdown_artifact
from prefect.exceptions import ExternalSignal, PrefectSignal
from prefect.states import Cancelled, Completed, Failed

from connectors.base import ConnectorError
from flows import logs
from flows.stop import graceful
from index.config import Config, load
from index.errors import FreshkbError
from index.outcome import RunReport
from index.run import Run
from index.workspace import Workspace

log = logging.getLogger("freshkb.flows")

#: They end a run from outside, say nothing of documents, and are Prefect's to handle.
ENDINGS = (
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    asyncio.CancelledError,
    ExternalSignal,
    PrefectSignal,
)


@dataclass(slots=True)
class FlowInput:
    """The input of a flow, and its result for a caller in this process."""

    workspace: Workspace
    stop: threading.Event = field(default_factory=threading.Event)
    awaited: bool = False
    """By a command, which says itself what went wrong."""
    by: str = ""
    """Name of the person who approves a plan; no parameter of the flow, because Prefect records these."""
    run_id: str = ""
    report: RunReport | None = None
    error: BaseException | None = None
    begun: Run | None = None
    """The run that the flow is, once it has begun."""

    def run(self, kind: str, *, required: bool, behind: bool = False) -> Run:
        """The run that the flow is."""
        run = Run(self.workspace, kind, required=required, behind=behind, stop=self.stop)
        self.run_id, self.begun = run.run_id, run
        return run


_called: ContextVar[FlowInput | None] = ContextVar("freshkb_job", default=None)


def configuration() -> Config:
    """The configuration of a process that no command opened. Raises ConfigError."""
    return load(None, os.environ, Path.cwd())


@contextmanager
def called(job: FlowInput) -> Iterator[None]:
    """A flow that is called in the block does this job."""
    token = _called.set(job)
    try:
        yield
    finally:
        _called.reset(token)


def run_reduced(body: Callable[[FlowInput], State[Any]]) -> State[Any]:
    """The state that a flow's body returns; Failed, with its class and nothing more, when it raises."""
    logs.set_up_flow()
    job = _called.get()
    with ExitStack() as stack:
        try:
            if job is None:
                job = FlowInput(stack.enter_context(Workspace(configuration())))
            stack.enter_context(graceful(job.stop))
            state = body(job)
            if job.begun is not None and job.begun.appended:
                _keep_checkpoint(job.workspace)
            return state
        except ENDINGS:
            raise
        except BaseException as error:
            if job is not None:
                job.error = error
            if job is None or not job.awaited:
                # Our own errors name the trouble and the way out; only the others need their trace.
                ours = isinstance(error, (FreshkbError, ConnectorError))
                log.error("%s: %s", type(error).__name__, error, exc_info=None if ours else error)
            return failed(error, job.run_id if job is not None else "")


def _keep_checkpoint(workspace: Workspace) -> None:
    """Prefect's database is an anchor of the log, too: its signed checkpoint is an artifact."""
    from index.checkpoints import checkpoint_of, signing_key

    head = workspace.ledger.log.head()
    note = checkpoint_of(workspace.ledger, head).signed(signing_key(workspace))
    create_markdown_artifact(
        f"```\n{note}```\n", key="freshkb-log", description=f"Checkpoint of the log's {head.size} entries"
    )


def failed(error: BaseException, run_id: str, *, name: str = "Failed") -> State[Any]:
    """All that Prefect may know of an exception."""
    where = f"in run {run_id}" if run_id else "before a run began"
    return Failed(name=name, message=f"{type(error).__name__} {where}")


def ended(outcome: str, message: str, counts: Mapping[str, Any]) -> State[Any]:
    """The final state of a run that was not broken off by an exception; its result are the counts."""
    log.info("%s: %s", outcome.capitalize(), message)
    match outcome:
        case "interrupted":
            return Cancelled(name="Interrupted", message=message)
        case "refused" | "failed":
            return Failed(name=outcome.capitalize(), message=message)
        case _:
            return Completed(message=message, data=dict(counts))


def table(header: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    """Markdown; every column but the first is a number."""
    lines = [header, ["---", *("--:" for _ in header[1:])], *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
