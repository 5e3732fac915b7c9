"""The bound on how long the bytes of what was removed stay: kept after each run that writes."""

from __future__ import annotations

from index.errors import FreshkbError, Locked
from index.outcome import RunReport
from index.purge.lag import gap_before, is_due, lag_of
from index.redact import redact
from index.run import Run


def keep_bound(run: Run, report: RunReport) -> None:
    """Purge when it is due, after a run that writes; a failure is an error of its report. Costs some queries
    when it is not due. What another process holds is left to the next run."""
    if run.stop.is_set() or report.interrupted:
        return
    workspace = run.workspace
    try:
        if not is_due(lag_of(workspace), gap_before(workspace)):
            return
        # Not imported by the many runs after which nothing is due.
        from index.purge.purge import purge

        done = purge(Run(workspace, "purge", stop=run.stop))
    except Locked:
        return
    except FreshkbError as error:
        failure = redact(str(error))
    else:
        failure = " ".join(done.errors) if done.outcome == "failed" else ""
    if failure:
        said = f"What was removed could not be purged: {failure}"
        report.error = f"{report.error} {said}" if report.error else said
