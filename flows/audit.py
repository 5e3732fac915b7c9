"""The `audit` flow: the freshness audit with its reports, and its counts as an artifact."""

from __future__ import annotations

from collections import Counter
from typing import Any

from prefect import State, flow
from prefect.artifacts import create_markdown_artifact

from flows.boundary import Job, ended, in_words, perform, recorded, table
from index.audit import Audit, FailOn
from index.audit import audit as judge
from index.freshness import Verdict
from index.report import write


@flow(name="freshkb-audit", persist_result=False, log_prints=False)
def audit(fail_on: FailOn = "never") -> State[Any]:
    """Judge every document's freshness, write the reports, and return the counts.

    Completed, unless there is what `fail_on` names: that owners have something to do is no failure of a run.
    """

    def body(job: Job) -> State[Any]:
        mirror = job.mirror
        with recorded(job, "audit") as run:
            sources = {source.id: source for source in mirror.config.sources}
            records = mirror.ledger.sources()
            found = judge(mirror.ledger.documents(), sources, mirror.now(), records=records)
            write(found, mirror.config.reports)
            run.counts = found.json()["counts"]
            run.outcome = "failed" if found.fails(fail_on) else "done"
        create_markdown_artifact(
            _markdown(found), key="freshkb-audit", description="Freshness of the documents"
        )
        return ended(run.outcome, f"Run {job.run_id}: {in_words(run.counts)}", run.counts)

    return perform(body)


def _markdown(found: Audit) -> str:
    by_source: dict[str, Counter[str]] = {}
    for result in found.results:
        by_source.setdefault(result.source, Counter())[str(result.verdict)] += 1
    rows: list[list[str | int]] = [
        [source, *(counts[v] for v in Verdict)] for source, counts in sorted(by_source.items())
    ]
    rows.append(["**all**", *(found.counts.get(verdict, 0) for verdict in Verdict)])
    score = "-" if found.trust_score is None else f"{found.trust_score:.0%}"
    findings = in_words(Counter(finding.kind for finding in found.findings))
    header = ["source", *(str(verdict) for verdict in Verdict)]
    return f"{table(header, rows)}\nTrust score {score}. Besides: {findings}.\n"
