"""The `audit` flow: the freshness audit with its reports, and its counts as an artifact."""

from collections import Counter
from typing import Any

from prefect import State, flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.prefect_runs import FlowInput, ended, run_reduced, table
from index.audit import history
from index.audit.audit import audit_of
from index.audit.report import write
from index.audit.report.wording import percent
from index.audit.result import Audit, fail_on_codes
from index.freshness.assess import Verdict
from index.outcome import in_words

#: Findings that the table has; the reports have all.
_ROWS_MAX = 500


@flow(name="freshkb-audit", persist_result=False, log_prints=False)
def audit(fail_on: str | list[str] = "never") -> State[Any]:
    """Judge every document's freshness, write the reports, and return the counts.

    Completed, unless there is what `fail_on` names: that owners have something to do is no failure of a run.
    """

    def body(job: FlowInput) -> State[Any]:
        workspace = job.workspace
        named = fail_on_codes([fail_on] if isinstance(fail_on, str) else fail_on)
        with job.run("audit", required=False) as run:
            found = audit_of(workspace)
            write(found, workspace.config.reports)
            if run.recorded:
                history.record(workspace.ledger, found, run.run_id)
            run.ends("failed" if found.fails(named) else "done", found.by_verdict)
        create_markdown_artifact(
            _markdown(found), key="freshkb-audit", description="Freshness of the documents"
        )
        create_table_artifact(
            _table(found),
            key="freshkb-findings",
            description="Findings of the audit, the worst first: ids only",
        )
        counts = found.by_verdict
        return ended(run.outcome, f"Run {job.run_id}: {in_words(counts)}", counts)

    return run_reduced(body)


def _table(found: Audit) -> list[dict[str, Any]]:
    """Findings by code, source and document id; no path, title, owner or sentence."""
    return [
        {
            "code": finding.code,
            "severity": finding.severity,
            "status": finding.status,
            "source": finding.source,
            "document": finding.document_id or "",
        }
        for finding in found.findings[:_ROWS_MAX]
    ]


def _markdown(found: Audit) -> str:
    by_source: dict[str, Counter[str]] = {}
    for result in found.results:
        by_source.setdefault(result.source, Counter())[str(result.verdict)] += 1
    rows: list[list[str | int]] = [
        [source, *(counts[v] for v in Verdict)] for source, counts in sorted(by_source.items())
    ]
    rows.append(["**all**", *(found.counts.get(verdict, 0) for verdict in Verdict)])
    findings = in_words(Counter(finding.code for finding in found.findings))
    header = ["source", *(str(verdict) for verdict in Verdict)]
    return f"{table(header, rows)}\nTrust score {percent(found.trust_score)}. Besides: {findings}.\n"
