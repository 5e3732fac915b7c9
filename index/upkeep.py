"""The end of a run that writes: open orders to erase are carried out, and a purge when it is due."""

from __future__ import annotations

from index.erase import TRACES
from index.outcome import RunReport
from index.purge.bound import keep_bound
from index.run import Run


def upkeep(run: Run, report: RunReport) -> None:
    """Do what is due. A failure is an error of the run's report; what another process holds is left to the
    next run. Costs some queries when nothing is due."""
    workspace = run.workspace
    if workspace.ledger.erasures.open() or (workspace.config.state_dir / TRACES).exists():
        # Not imported by the many runs that have nothing to carry out.
        from index.erase.carry_out import finish_open

        finish_open(run, report)
    keep_bound(run, report)
