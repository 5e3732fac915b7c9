"""The `erase` flow: open orders to erase carried out, and the counts of it as an artifact."""

from typing import Any

from prefect import State, flow
from prefect.artifacts import create_markdown_artifact

from flows.prefect_runs import FlowInput, ended, run_reduced, table
from flows.stop import graceful
from index.erase.carry_out import carry_out_all
from index.outcome import in_words


@flow(name="freshkb-erase", persist_result=False, log_prints=False)
def erase() -> State[Any]:
    """Carry out the orders that are open, and return counts. Failed when one stays open."""

    def body(job: FlowInput) -> State[Any]:
        with job.run("erase", required=True) as run, graceful(job.stop):
            orders = [order.order_id for order in run.workspace.ledger.erasures.open()]
            reports = carry_out_all(run, orders)
        counts = {"orders": len(reports), "done": sum(report.done for report in reports)}
        rows: list[list[str | int]] = [[report.order.order_id, report.outcome] for report in reports]
        create_markdown_artifact(
            table(["order", ""], rows), key="freshkb-erase", description="Orders to erase"
        )
        return ended(run.outcome, f"Run {job.run_id}: {in_words(counts)}", counts)

    return run_reduced(body)
