"""The `notify` flow: owners told what the audit finds, and the counts of it as an artifact."""

from typing import Any

from prefect import State, flow
from prefect.artifacts import create_markdown_artifact

from flows.prefect_runs import FlowInput, ended, run_reduced, table
from index.notify.tell import KIND, tell
from index.outcome import in_words


@flow(name="freshkb-notify", persist_result=False, log_prints=False)
def notify() -> State[Any]:
    """Send each owner one digest, and return counts. Failed when one was refused, or may have been lost."""

    def body(job: FlowInput) -> State[Any]:
        report = tell(job.run(KIND, required=True))
        create_markdown_artifact(
            table(["", ""], [[name, count] for name, count in report.counts.items()]),
            key="freshkb-notify",
            description="Digests of owners",
        )
        return ended(report.outcome, f"Run {job.run_id}: {in_words(report.counts)}", report.counts)

    return run_reduced(body)
