"""The `retention` flow: documents removed whose retention has ended, and the counts of it as an artifact."""

from typing import Any

from prefect import State, flow
from prefect.artifacts import create_markdown_artifact

from flows.prefect_runs import FlowInput, ended, run_reduced, table
from flows.sync import wait_for_writers
from index.outcome import in_words
from index.sync.sync import sync as engine
from index.upkeep import upkeep


@flow(name="freshkb-retention", persist_result=False, log_prints=False)
def retention() -> State[Any]:
    """Remove documents whose retention has ended, by the ledger's rows: no source is asked. Returns counts.
    Failed, "Refused", when a guard wants them approved, or another process writes."""

    def body(job: FlowInput) -> State[Any]:
        wait_for_writers(job)
        if job.stop.is_set():
            return ended("interrupted", "Stopped before a run began.", {})
        run = job.run("retention", required=True)
        job.report = engine(run, asked=False)
        upkeep(run, job.report)
        rows: list[list[str | int]] = [
            [source.source, source.counts.documents["expired"], source.refused]
            for source in job.report.sources
        ]
        counts = {
            "expired": sum(source.counts.documents["expired"] for source in job.report.sources),
            "refused": sum(source.refused for source in job.report.sources),
        }
        create_markdown_artifact(
            table(["source", "expired", "refused"], rows),
            key="freshkb-retention",
            description="Documents whose retention has ended",
        )
        return ended(job.report.outcome, f"Run {job.run_id}: {in_words(counts)}", counts)

    return run_reduced(body)
