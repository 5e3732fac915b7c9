"""Commands that change the index: plan, sync, retry, reindex, verify."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import (
    ConfigOption,
    Console,
    JsonOption,
    QuietOption,
    SourceOption,
    VerboseOption,
    opened,
    plural,
    stoppable,
    warn,
)
from index.printable import printable_line

if TYPE_CHECKING:
    from index.finding import Verification
    from index.outcome import Report
    from index.plan import Plan

SIGILS = {"add": "+", "update": "~", "move": "»", "delete": "-", "touch": "·", "held": "!", "refused": "!"}


def plan(
    source: SourceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say what a sync would do. Nothing is changed."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    with opened(config, source) as mirror:
        from index.origin import chosen_sources
        from index.sync import plan as plan_source

        # A sync would refuse another model, and another model would make every document look changed.
        mirror.collection()
        plans = [plan_source(mirror, s) for s in chosen_sources(mirror, [source] if source else None)]
        console.data({"sources": [p.json() for p in plans]})
        nameless = [item.document_id for p in plans for item in p.items if not item.uri]
        names = {d.document_id: d.uri for d in mirror.ledger.documents.find(document_ids=nameless)}
        for planned in plans:
            _print_plan(console, planned, names)
    failed = any(p.error for p in plans)
    refused = any(p.counts()["refused"] for p in plans)
    raise typer.Exit(1 if failed else 4 if refused else 0)


def _print_plan(console: Console, plan: Plan, names: dict[str, str]) -> None:
    console.say(f"{plan.source}:")
    for item in plan.items:
        name = item.uri or names.get(item.document_id, item.document_id)
        moved = f"{item.old_uri} → " if item.old_uri else ""
        console.say(printable_line(f"  {SIGILS[item.action.value]} {moved}{name}"))
    counts = plan.counts()
    summary = ", ".join(
        f"{counts[name]:,} to {name}" for name in ("add", "update", "move", "delete", "touch")
    )
    rest = ", ".join(f"{counts[name]:,} {name}" for name in ("unchanged", "held", "refused"))
    console.say(f"  Plan: {summary}; {rest}.")
    # An error has the reason of what it refuses in it.
    reasons = {plan.error} if plan.error else {i.reason for i in plan.items if i.action.value == "refused"}
    for reason in sorted(reasons):
        warn(f"{plan.source}: {reason}")


def sync(
    source: SourceOption = None,
    approve: Annotated[
        str | None,
        typer.Option("--approve", metavar="HASH", help="Carry out exactly the removals of this plan."),
    ] = None,
    checksum: Annotated[
        bool, typer.Option("--checksum", help="Hash every document; trust no change token.")
    ] = False,
    flow: Annotated[bool, typer.Option("--flow", help="Run as a Prefect flow.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring the index to what the sources hold now."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    if flow or os.environ.get("PREFECT_API_URL"):
        from flows.sync import run_as_flow

        with stoppable() as stop, opened(config, source) as mirror:
            report = run_as_flow(mirror, source=source, approve=approve, checksum=checksum, stop=stop)
    else:
        with stoppable() as stop, opened(config, source) as mirror:
            from flows.cli.progress import progress
            from index.sync import Sync

            with progress(mirror, quiet=quiet or verbose) as shown:
                run = Sync(mirror, progress=shown, stop=stop)
                report = run.run([source] if source else None, approve=approve, checksum=checksum)
    console.data(report.json())
    print_report(console, report)
    raise typer.Exit(report.exit_code)


def print_report(console: Console, report: Report) -> None:
    """A run in words: a line a source, then chunks, then what needs a person."""
    for source in report.sources:
        counts = source.json()
        done = [
            f"{counts[n]:,} {n}" for n in ("added", "updated", "moved", "deleted", "touched") if counts[n]
        ]
        if source.unchanged or not (done or source.error):
            done.append(f"{source.unchanged:,} unchanged")
        standing = [f"{counts[n]:,} {n}" for n in ("quarantined", "skipped", "held", "refused") if counts[n]]
        said = ", ".join(done) or "nothing was done"
        console.say(f"{source.source}: {said}" + (f" ({', '.join(standing)})" if standing else ""))
    chunks = report.json()["chunks"]
    made = ", ".join(f"{chunks[name]:,} {name}" for name in ("embedded", "reused", "deleted"))
    total = f"{plural(chunks['total'], 'chunk')} of {plural(report.documents, 'document')} in the index"
    console.say(f"Chunks: {made}; {total}. {report.seconds:.1f} s")
    for source in report.sources:
        if source.standing.get("quarantined"):
            count = plural(source.standing["quarantined"], "document")
            warn(f"{source.source}: {count} in quarantine; see: freshkb ls --state quarantined")
        for reason in [*([source.error] if source.error else source.reasons), *source.findings]:
            warn(f"{source.source}: {reason}")
    if report.error:
        warn(report.error)
    if report.interrupted:
        warn("Interrupted: what was done is whole; the next sync does the rest.")


def retry(
    uris: Annotated[
        list[str] | None, typer.Argument(metavar="[URI]...", help="Only these; default: all.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Try quarantined documents again now."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    with stoppable() as stop, opened(config) as mirror:
        from flows.cli.progress import progress
        from index.request import retry as again
        from index.sync import Sync

        with progress(mirror, quiet=quiet or verbose) as shown:
            report = again(Sync(mirror, kind="retry", progress=shown, stop=stop), uris)
    console.data(report.json())
    print_report(console, report)
    raise typer.Exit(report.exit_code)


def reindex(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Build the index for a changed model beside the old one, switch, and drop the old one."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    with stoppable() as stop, opened(config) as mirror:
        from flows.cli.progress import progress
        from index.reindex import reindex as rebuild
        from index.sync import Sync

        with progress(mirror, quiet=quiet or verbose) as shown:
            report = rebuild(mirror, Sync(mirror, kind="reindex", progress=shown, stop=stop))
            if report.interrupted:
                raise KeyboardInterrupt(
                    "Interrupted: the former index stays in use. Start anew with: freshkb reindex"
                )
            made = f"{plural(report.chunks_total, 'chunk')} of {plural(report.documents, 'document')}"
            console.say(f"Built anew for {mirror.config.embedding.model}: {made}. {report.seconds:.1f} s")
            # Chunks are cut for a model's tokens, so documents are extracted once more.
            report = Sync(mirror, progress=shown, stop=stop).run()
    console.data(report.json())
    print_report(console, report)
    raise typer.Exit(report.exit_code)


def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what is found.")] = False,
    sample: Annotated[
        str, typer.Option("--sample", metavar="I/N", help="Compare the I-th of N parts; N runs cover all.")
    ] = "1/1",
    deep: Annotated[
        bool, typer.Option("--deep", help="Compare vectors' values and documents' content hashes too.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare source, ledger and store."""
    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    with stoppable() as stop, opened(config) as mirror:
        from flows.cli.progress import waiting
        from index.mend import mend_ledger
        from index.repair import repair as mend
        from index.run import Run
        from index.sync import Sync
        from index.verify import verify as compare

        mirror.waiting = waiting(quiet=quiet)
        part = _sample(sample)
        # Before a run is on record: a damaged ledger takes none.
        for sentence in mend_ledger(mirror) if repair else ():
            warn(sentence)
        with Run(mirror, "verify", required=repair) as run:
            found = compare(mirror, sample=part, deep=deep, stop=stop)
            if repair and not found.ok and not found.interrupted:
                mend(mirror, found, Sync(mirror, stop=stop, run=run))
            run.ends(found.outcome, found.counts())
    console.data(found.json())
    _print_verification(console, found)
    if found.interrupted:
        warn("Interrupted: not all was compared or mended. Go on with the same command.")
        raise typer.Exit(130)
    raise typer.Exit(0 if found.outcome == "done" else 1)


def _sample(text: str) -> tuple[int, int]:
    number, _, parts = text.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise typer.BadParameter(
            f"{text!r} is not I/N with I from 1 to N, such as 2/7.", param_hint="--sample"
        )
    return int(number), int(parts)


def _print_verification(console: Console, found: Verification) -> None:
    signs = {"missing": "-", "extra": "+", "altered": "*", "outdated": "~"}
    for name, sign in signs.items():
        for finding in getattr(found, name):
            place = ":".join(part for part in (finding.source, finding.uri) if part)
            place = place or finding.point_id or finding.collection or ""
            console.say(printable_line(f"  {sign} {place}: {finding.what}"))
    for error in found.errors:
        warn(error)
    compared = f"{plural(found.points, 'point')} of {plural(found.documents, 'document')} compared"
    if found.ok:
        console.say(f"{compared}: source, ledger and store agree.")
    elif found.interrupted and not found.findings:
        console.say(f"{compared} before it was stopped: no difference.")
    else:
        console.say(f"{compared}: {plural(found.findings, 'difference')}, {found.repaired:,} repaired.")
