"""The report of a run, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.cli.console import Console, plural, warn

if TYPE_CHECKING:
    from index.outcome import RunReport


def print_report(console: Console, report: RunReport) -> None:
    """A run in words: a line a source, then chunks, then what needs a person."""
    from index.outcome import DONE

    for source in report.sources:
        counts = source.json()
        done = [f"{counts[n]:,} {n}" for n in DONE if counts[n]]
        if source.unchanged or not (done or source.error):
            done.append(f"{source.unchanged:,} unchanged")
        names = ("quarantined", "skipped", "held", "refused", "withheld")
        standing = [f"{counts[n]:,} {n}" for n in names if counts[n]]
        said = ", ".join(done) or "nothing was done"
        console.say(f"{source.source}: {said}" + (f" ({', '.join(standing)})" if standing else ""))
    chunks = report.json()["chunks"]
    made = ", ".join(f"{chunks[name]:,} {name}" for name in ("embedded", "reused", "deleted"))
    total = f"{plural(chunks['total'], 'chunk')} of {plural(report.documents, 'document')} in the index"
    console.say(f"Chunks: {made}; {total}. {report.seconds:.1f} s")
    for source in report.sources:
        if source.by_state.get("quarantined"):
            count = plural(source.by_state["quarantined"], "document")
            warn(f"{source.source}: {count} in quarantine; see: freshkb ls --state quarantined")
        if shrunk := source.counts.documents["shrunk"]:
            its = "its text" if shrunk == 1 else "their text"
            count = plural(shrunk, "document")
            warn(f"{source.source}: {count} lost half of {its}; see: freshkb audit")
        for reason in [*([source.error] if source.error else source.reasons), *source.findings]:
            warn(f"{source.source}: {reason}")
    if report.error:
        warn(report.error)
    if report.interrupted:
        warn("Interrupted: what was done is whole; the next sync does the rest.")
