"""The `verify` flow: source, ledger and store compared, and the counts of what differs as an artifact."""

from __future__ import annotations

from typing import Any

from prefect import State, flow
from prefect.artifacts import create_markdown_artifact

from flows.boundary import Job, ended, in_words, perform, recorded, table, uninterrupted
from index.mend import mend_ledger
from index.repair import repair as mend
from index.sync import Sync
from index.verify import verify as compare


@flow(name="freshkb-verify", persist_result=False, log_prints=False)
def verify(repair: bool = False, deep: bool = False) -> State[Any]:
    """Compare source, ledger and store, and return counts. Failed when they differ and it was not mended."""

    def body(job: Job) -> State[Any]:
        if repair:
            # Before a run is on record: a damaged ledger takes none.
            mend_ledger(job.mirror)
        with recorded(job, "verify") as run, uninterrupted(job.stop):
            found = compare(job.mirror, deep=deep, stop=job.stop)
            if repair and not found.ok and not found.interrupted:
                mend(job.mirror, found, Sync(job.mirror, kind="verify", stop=job.stop, run_id=job.run_id))
            run.counts = {
                "documents": found.documents,
                "points": found.points,
                "missing": len(found.missing),
                "extra": len(found.extra),
                "altered": len(found.altered),
                "outdated": len(found.outdated),
                "errors": len(found.errors),
                "repaired": found.repaired,
            }
            mended = repair and found.repaired == found.findings and not found.errors
            run.outcome = "interrupted" if found.interrupted else "done" if found.ok or mended else "failed"
        markdown = table(["", "count"], [[name, count] for name, count in run.counts.items()])
        create_markdown_artifact(markdown, key="freshkb-verify", description="Source, ledger and store")
        return ended(run.outcome, f"Run {job.run_id}: {in_words(run.counts)}", run.counts)

    return perform(body)
