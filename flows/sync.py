"""The `sync` flow: the engine's run, with a flow run for each source and a task run for each batch.

A task takes a run id and a batch number, and returns counts; what is to be done stands in the ledger.
Batches are written one after another, in the order of the plan, because a document may take over the name of
one in an earlier batch; meanwhile the next one is fetched, parsed and chunked. There is never a task for a
document.
"""

import atexit
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
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
from flows.boundary import (
    ENDINGS,
    Job,
    called,
    configuration,
    ended,
    failed,
    perform,
    uninterrupted,
)
from index.apply import apply
from index.errors import FreshkbError, LedgerError, StoreError, StoreMismatch
from index.mirror import Mirror
from index.model import Item
from index.outcome import Report, Seconds, SourceReport, Tally
from index.prepare import Work
from index.recover import recover
from index.run import Run
from index.sync import Sync

#: Before a batch is tried again, each time: a store or a source that was restarted is back by then.
RETRY_SECONDS = (1, 10)

#: How long a run that no command called waits for another writer: beside a watcher, one is often just
#: finishing.
PATIENCE_SECONDS = 60.0


class Orchestrated(Sync):
    """A run whose sources are flow runs and whose batches are task runs."""

    def __init__(self, mirror: Mirror, *, stop: threading.Event | None = None, run_id: str | None = None):
        super().__init__(mirror, stop=stop, run=Run(mirror, "sync", run_id=run_id))
        self.raised: BaseException | None = None
        """In the body of a flow run or task run, which shows Prefect no more than its class."""
        self.turn: Callable[[], SourceReport]
        """Syncs the source whose turn it is."""
        self.done: SourceReport
        self._ahead: ThreadPoolExecutor | None = None
        self._prepared: dict[int, tuple[Future[list[Work]], Seconds]] = {}
        self._last = 0

    @contextmanager
    def here(self) -> Iterator[None]:
        """Flow runs and task runs in this process find the run by its id."""
        _here[self.run_id] = self
        try:
            yield
        finally:
            del _here[self.run_id]

    def _run_source(
        self, source: str, approve: str | None, checksum: bool, folders: Sequence[str] | None
    ) -> SourceReport:
        self.turn = partial(super()._run_source, source, approve, checksum, folders)
        parent = FlowRunContext.get()
        assert parent is not None and parent.flow is not None
        each = sync_source.with_options(task_runner=parent.flow.task_runner.duplicate())
        each(self.run_id, source, return_state=True)
        if self.raised is not None:
            raise self.raised
        return self.done

    def _pipeline(self, source: str, batches: Sequence[Sequence[Item]]) -> Iterator[Tally]:
        numbers = [
            number for number, owner in self.mirror.ledger.runs.batches(self.run_id) if owner == source
        ]
        self._last = max(numbers, default=0)
        with ThreadPoolExecutor(1, thread_name_prefix="prepare") as self._ahead:
            for number in numbers:
                batch = apply_batch.submit(self.run_id, number)
                batch.wait()
                if not batch.state.is_completed():
                    # Where the task ran in another process, its state is all that is known here.
                    raise self.raised or FreshkbError(f"Batch {number} failed: {batch.state.message}")
                counts: Any = batch.result()
                yield Tally(
                    Counter(counts["documents"]), Counter(counts["chunks"]), Seconds(counts["seconds"])
                )

    def carry_out(self, number: int, *, again: bool) -> Tally:
        """Prepare a batch, unless that was done ahead, and write it while the next one is prepared."""
        source, batch = self.mirror.ledger.runs.batch(self.run_id, number)
        ahead = self._prepared.pop(number, None)
        done: Mapping[str, str] = {}
        if again:
            recover(self.target(), source, self.run_id)
            # What the attempt before had committed is done, and told by now.
            done = self.mirror.ledger.log.actions_of(self.run_id, [item.document_id for item in batch])
            batch = [item for item in batch if item.document_id not in done]
        if ahead is None or again:
            seconds = Seconds()
            work = self.prepare(source, batch, self.known(batch), seconds)
        else:
            work, seconds = ahead[0].result(), ahead[1]
        if self._ahead is not None and number < self._last and number + 1 not in self._prepared:
            _, following = self.mirror.ledger.runs.batch(self.run_id, number + 1)
            self._prepared[number + 1] = self.ahead(self._ahead, source, following)
        tally = apply(self.target(), self.run_id, work)
        tally.seconds.add(seconds)
        tally.documents.update(done.values())
        return tally


_here: dict[str, Orchestrated] = {}


def _run(run_id: str) -> Orchestrated:
    """The run of this id, in the process of its flow and in those that a task runner starts. Flows and tasks
    travel to the latter by value, with the globals that they name: they name this function, not the runs."""
    return _here.get(run_id) or Orchestrated(_elsewhere(), run_id=run_id)


@cache
def _elsewhere() -> Mirror:
    mirror = Mirror(configuration())
    atexit.register(mirror.close)
    return mirror


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
    run = _run(run_id)
    try:
        tally = run.carry_out(number, again=task_run.run_count > 1)
    except ENDINGS:
        raise
    except BaseException as error:
        run.raised = error
        passing = isinstance(error, (StoreError, LedgerError, ConnectorError))
        lasting = isinstance(error, StoreMismatch)
        return failed(error, run_id, name="Unavailable" if passing and not lasting else "Failed")
    run.raised = None
    counts = {
        "documents": dict(tally.documents),
        "chunks": dict(tally.chunks),
        "seconds": dict(tally.seconds),
    }
    return Completed(message=tally.words, data=counts)


@flow(name="freshkb-sync-source", flow_run_name="{source}", persist_result=False, log_prints=False)
def sync_source(run_id: str, source: str) -> State[Any]:
    """One source of a run; `sync` calls it."""
    run = _run(run_id)
    with uninterrupted(run.stop):
        try:
            run.done = run.turn()
        except ENDINGS:
            raise
        except BaseException as error:
            run.raised = error
            return failed(error, run_id)
    return _state(Report(run_id, [run.done], interrupted=run.stop.is_set()))


@flow(name="freshkb-sync", persist_result=False, log_prints=False)
def sync(source: str | None = None, approve: str | None = None, checksum: bool = False) -> State[Any]:
    """Bring the index to what the sources hold now, or what one of them holds, and return counts.

    Completed, also with documents in quarantine; Failed, "Refused" included; Cancelled after an interrupt.
    """

    def body(job: Job) -> State[Any]:
        if not job.awaited:
            _wait_for_writers(job)
            if job.stop.is_set():
                return ended("interrupted", "Stopped before a run began.", {})
        run = Orchestrated(job.mirror, stop=job.stop)
        job.run_id = run.run_id
        with run.here():
            job.report = run.run([source] if source else None, approve=approve, checksum=checksum)
        return _state(job.report)

    return perform(body)


def _wait_for_writers(job: Job) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while job.mirror.ledger.writers() and time.monotonic() < until and not job.stop.wait(0.5):
        pass


def _state(report: Report) -> State[Any]:
    """A report without what it says of documents: reasons and errors stay in the ledger."""
    total = Tally()
    for source in report.sources:
        total.add(source.tally)
    total.documents["quarantined"] = sum(s.standing.get("quarantined", 0) for s in report.sources)
    total.documents["refused"] = sum(s.refused for s in report.sources)
    counts = report.json()
    for source in counts["sources"]:
        del source["error"], source["plan_hash"]
    return ended(report.outcome, f"Run {report.run_id}: {total.words}", counts)


def run_as_flow(
    mirror: Mirror,
    *,
    source: str | None = None,
    approve: str | None = None,
    checksum: bool = False,
    stop: threading.Event | None = None,
) -> Report:
    """A sync that Prefect sees, on what a command has opened. The report is that of `index.sync.Sync.run`.

    Raises what that raises, and FreshkbError when Prefect does not answer or does not run the flow.
    """
    if url := PREFECT_API_URL.value():
        orchestration.require(url)
    job = Job(mirror, stop or threading.Event(), awaited=True)
    try:
        with called(job):
            state = sync(source, approve, checksum, return_state=True)
    except TerminationSignal:
        # It came between two batches, where Prefect's own handler is in place.
        raise KeyboardInterrupt from None
    except (Exception, Abort) as error:
        # Whatever the engine raises is a state by now, so this is Prefect's.
        done = f"What run {job.run_id} did is whole: see freshkb runs." if job.run_id else "Nothing was done."
        raise FreshkbError(f"Prefect failed: {error or type(error).__name__}. {done}") from error
    if job.error is not None:
        raise job.error
    if job.report is None:
        raise FreshkbError(f"Prefect did not run the flow: {state.message}. Nothing was done.")
    return job.report
