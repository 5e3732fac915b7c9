"""The `sync` flow: the engine's run, with a flow run for each source and a task run for each batch.

A task takes a run id and a batch number, and returns counts; the items of the batch stand in the ledger.
Batches are written one after another, in the order of the plan, because a document may take over the name of
a document in an earlier batch; meanwhile the next batch is fetched, parsed and chunked. There is never a task
for a document.
"""

import atexit
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from prefect import State, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import TaskRun
from prefect.context import FlowRunContext
from prefect.exceptions import Abort, TerminationSignal
from prefect.runtime import task_run
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed
from prefect.tasks import Task

from connectors.base import ConnectorError
from flows import orchestration
from flows.prefect_runs import (
    ENDINGS,
    FlowInput,
    called,
    configuration,
    ended,
    failed,
    run_reduced,
)
from flows.stop import graceful
from index.errors import FreshkbError, LedgerError, StoreError, StoreMismatch
from index.outcome import Counts, RunReport, Seconds, SourceReport
from index.run import Run
from index.sync.batches import Batches
from index.sync.sync import sync as engine
from index.upkeep import upkeep
from index.workspace import Workspace

#: Before a batch is tried again, each time: a store or a source that was restarted is back by then.
RETRY_SECONDS = (1, 10)

#: Wait of a run that no command called for another writer: a watcher is often just finishing its own run.
PATIENCE_SECONDS = 60.0


class PrefectBatches:
    """Carries out the sources of a run as flow runs, and their batches as task runs."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.raised: BaseException | None = None
        """In the body of a flow run or task run, which shows Prefect no more than its class."""
        self.turn: Callable[[], SourceReport]
        """Syncs the source whose turn it is."""
        self.done: SourceReport
        self._batches: Batches | None = None

    @contextmanager
    def here(self) -> Iterator[None]:
        """Flow runs and task runs in this process find the run by its id."""
        _here[self.run.run_id] = self
        try:
            yield
        finally:
            del _here[self.run.run_id]

    def source(self, name: str, turn: Callable[[], SourceReport]) -> SourceReport:
        self.turn = turn
        parent = FlowRunContext.get()
        assert parent is not None and parent.flow is not None
        each = sync_source.with_options(task_runner=parent.flow.task_runner.duplicate())
        each(self.run.run_id, name, return_state=True)
        if self.raised is not None:
            raise self.raised
        return self.done

    def batches(self, source: str, numbers: Sequence[int]) -> Iterator[Counts]:
        with Batches(self.run, source, numbers) as self._batches:
            for number in numbers:
                batch = apply_batch.submit(self.run.run_id, number)
                batch.wait()
                if not batch.state.is_completed():
                    # Where the task ran in another process, its state is all that is known here.
                    raise self.raised or FreshkbError(f"Batch {number} failed: {batch.state.message}")
                counts: Any = batch.result()
                yield Counts(
                    Counter(counts["documents"]), Counter(counts["chunks"]), Seconds(counts["seconds"])
                )

    def carry_out(self, number: int, *, again: bool) -> Counts:
        """A batch in the process of its task, which prepares none ahead where the plan was not made."""
        if self._batches is not None:
            return self._batches.carry_out(number, again=again)
        source, _ = self.run.workspace.ledger.runs.batch(self.run.run_id, number)
        with Batches(self.run, source) as alone:
            return alone.carry_out(number, again=again)


_here: dict[str, PrefectBatches] = {}


def _batches_of(run_id: str) -> PrefectBatches:
    """The run of this id, in the process of its flow and in those that a task runner starts. Flows and tasks
    travel to the latter by value, with the globals that they name: they name this function, not the runs."""
    return _here.get(run_id) or PrefectBatches(Run(_elsewhere(), "sync", run_id=run_id))


@cache
def _elsewhere() -> Workspace:
    workspace = Workspace(configuration())
    atexit.register(workspace.close)
    return workspace


def _worth_repeating(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    return state.name == "Unavailable"


@task(
    name="freshkb-batch",
    task_run_name="batch {number}",
    persist_result=False,
    cache_policy=NO_CACHE,
    log_prints=False,
    retries=len(RETRY_SECONDS),
    retry_delay_seconds=list(RETRY_SECONDS),
    retry_condition_fn=_worth_repeating,
)
def apply_batch(run_id: str, number: int) -> State[dict[str, dict[str, int]]]:
    """Carry out one batch that the ledger has on record, and return its counts. It may be repeated."""
    batches = _batches_of(run_id)
    try:
        done = batches.carry_out(number, again=task_run.run_count > 1)
    except ENDINGS:
        raise
    except BaseException as error:
        batches.raised = error
        passing = isinstance(error, (StoreError, LedgerError, ConnectorError))
        lasting = isinstance(error, StoreMismatch)
        return failed(error, run_id, name="Unavailable" if passing and not lasting else "Failed")
    batches.raised = None
    counts = {
        "documents": dict(done.documents),
        "chunks": dict(done.chunks),
        "seconds": dict(done.seconds),
    }
    return Completed(message=done.words, data=counts)


@flow(name="freshkb-sync-source", flow_run_name="{source}", persist_result=False, log_prints=False)
def sync_source(run_id: str, source: str) -> State[Any]:
    """The flow of one source of a run; `sync` calls it."""
    batches = _batches_of(run_id)
    stop = batches.run.stop
    with graceful(stop):
        try:
            batches.done = batches.turn()
        except ENDINGS:
            raise
        except BaseException as error:
            batches.raised = error
            return failed(error, run_id)
    return _state(RunReport(run_id, [batches.done], interrupted=stop.is_set()))


@flow(name="freshkb-sync", persist_result=False, log_prints=False)
def sync(source: str | None = None, approve: str | None = None, checksum: bool = False) -> State[Any]:
    """Bring the index to what the sources hold now, or what one of them holds, and return counts.

    Completed, also with documents in quarantine; Failed, "Refused" included; Cancelled after an interrupt.
    """

    def body(job: FlowInput) -> State[Any]:
        if not job.awaited:
            wait_for_writers(job)
            if job.stop.is_set():
                return ended("interrupted", "Stopped before a run began.", {})
        batches = PrefectBatches(job.run("sync", required=True))
        with batches.here():
            job.report = engine(
                batches.run,
                [source] if source else None,
                approve=approve,
                by=job.by,
                checksum=checksum,
                batches=batches,
            )
            upkeep(batches.run, job.report)
        return _state(job.report)

    return run_reduced(body)


def wait_for_writers(job: FlowInput) -> None:
    """Wait until no source has a writer, for as long as a run without a command has patience."""
    until = time.monotonic() + PATIENCE_SECONDS
    while job.workspace.ledger.writers() and time.monotonic() < until and not job.stop.wait(0.5):
        pass


def _state(report: RunReport) -> State[Any]:
    """A report without what it says of documents: reasons and errors stay in the ledger."""
    total = Counts()
    for source in report.sources:
        total.add(source.counts)
    total.documents["quarantined"] = sum(s.by_state.get("quarantined", 0) for s in report.sources)
    total.documents["refused"] = sum(s.refused for s in report.sources)
    total.documents["withheld"] += sum(s.withheld for s in report.sources)
    counts = report.json()
    for source in counts["sources"]:
        del source["error"], source["plan_hash"]
    return ended(report.outcome, f"Run {report.run_id}: {total.words}", counts)


def run_as_flow(
    workspace: Workspace,
    *,
    source: str | None = None,
    approve: str | None = None,
    by: str = "",
    checksum: bool = False,
    stop: threading.Event | None = None,
) -> RunReport:
    """A sync that Prefect sees, on what a command has opened. The report is that of `index.sync.sync.sync`.

    Raises what that raises, and FreshkbError when Prefect does not answer or does not run the flow.
    """
    if url := PREFECT_API_URL.value():
        orchestration.require(url)
    job = FlowInput(workspace, stop or threading.Event(), awaited=True, by=by)
    try:
        with called(job):
            state = sync(source, approve, checksum, return_state=True)
    except TerminationSignal:
        # It came between two batches, where Prefect's own handler is in place.
        raise KeyboardInterrupt from None
    except (Exception, Abort) as error:
        # An exception of the engine is a state by now, so this one is Prefect's.
        done = f"What run {job.run_id} did is whole: see freshkb runs." if job.run_id else "Nothing was done."
        raise FreshkbError(f"Prefect failed: {error or type(error).__name__}. {done}") from error
    if job.error is not None:
        raise job.error
    if job.report is None:
        raise FreshkbError(f"Prefect did not run the flow: {state.message}. Nothing was done.")
    return job.report
