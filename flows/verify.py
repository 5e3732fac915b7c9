"""The `verify` flow: source, ledger and store compared, and the counts of what differs as an artifact."""

from typing import Any

from prefect import State, flow
from prefect.artifacts import create_markdown_artifact

from flows.prefect_runs import FlowInput, ended, run_reduced, table
from flows.stop import graceful
from index.outcome import in_words
from index.verify.compare import verify as compare
from index.verify.mend import mend_ledger
from index.verify.repair import repair as mend


@flow(name="freshkb-verify", persist_result=False, log_prints=False)
def verify(repair: bool = False, deep: bool = False) -> State[Any]:
    """Compare source, ledger and store, and return counts. Failed when they differ and it was not mended."""

    def body(job: FlowInput) -> State[Any]:
        if repair:
            # Before a run is on record: a damaged ledger takes none.
            mend_ledger(job.workspace)
        with job.run("verify", required=repair, behind=not repair) as run, graceful(job.stop):
            found = compare(job.workspace, deep=deep, stop=job.stop)
            if repair and not found.ok and not found.interrupted:
                mend(job.workspace, found, run)
            counts = found.counts()
            run.ends(found.outcome, counts)
        markdown = table(["", "count"], [[name, count] for name, count in counts.items()])
        create_markdown_artifact(markdown, key="freshkb-verify", description="Source, ledger and store")
        return ended(run.outcome, f"Run {job.run_id}: {in_words(counts)}", counts)

    return run_reduced(body)
