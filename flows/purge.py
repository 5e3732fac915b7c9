"""The `purge` flow: bytes of what was removed taken off the disk, and the counts of it as an artifact."""

from typing import Any

from prefect import State, flow
from prefect.artifacts import create_markdown_artifact

from flows.prefect_runs import FlowInput, ended, run_reduced, table
from flows.stop import graceful
from index.erase.carry_out import finish_open
from index.outcome import RunReport, in_words
from index.purge.purge import purge as engine


@flow(name="freshkb-purge", persist_result=False, log_prints=False)
def purge() -> State[Any]:
    """Take the bytes of what was removed off the disk, and return counts. Failed when something was left."""

    def body(job: FlowInput) -> State[Any]:
        with job.run("purge", required=True) as run, graceful(job.stop):
            orders = RunReport(job.run_id)
            finish_open(run, orders)
            report = engine(run)
        counts = {"removals": report.removals, "purged": report.purged, "pending": report.pending}
        rows: list[list[str | int]] = [[name, count] for name, count in counts.items()]
        rows += [[place.place, place.claim] for place in report.places]
        create_markdown_artifact(
            table(["", ""], rows), key="freshkb-purge", description="Bytes of the removed"
        )
        outcome = "failed" if orders.error and report.outcome == "done" else report.outcome
        return ended(outcome, f"Run {job.run_id}: {in_words(counts)}", counts)

    return run_reduced(body)
