"""Records of the index as text for people, a line each unless said otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flows.cli.console import plural
from index.printable import printable_line

if TYPE_CHECKING:
    from index.audit.result import Audit
    from index.health.run_summary import RunSummary
    from index.health.services import LivingService
    from index.health.status import Status
    from index.search.describe import DocumentDetail, DocumentSummary
    from index.search.hits import SearchHit

#: Characters of a hit's text.
_TEXT_LENGTH = 300


def status_lines(status: Status, prefect: str | None) -> Iterator[str]:
    """`prefect`: what its server said; None when none is configured."""
    for source in status.sources:
        counts = ", ".join(f"{n:,} {state}" for state, n in source.documents.items() if n) or "nothing yet"
        found = source.json()
        synced = f"synced {found['synced_at']}" if found["synced_at"] else "never synced"
        yield f"{source.source}: {counts}; {synced}" + ("" if source.configured else "; not configured")
    index = status.index
    points = "unknown points" if index.points is None else plural(index.points, "point")
    yield f"Index: {points} in {index.store}, {index.model} ({index.dtype or 'not built yet'})"
    if index.purge.oldest is not None:
        hours = index.purge.oldest.total_seconds() / 3600
        late = ", longer than delete.purge_within: freshkb purge" if index.purge.late else ""
        yield f"Removed, and still to be purged: for {hours:,.1f} h{late}"
    if status.holds:
        under = plural(status.held, "document")
        yield f"Holds: {status.holds:,} standing, on {under}; see: freshkb hold list"
    if status.withheld.orders:
        pending = f", {status.withheld.open:,} not carried out yet" if status.withheld.open else ""
        out = plural(status.withheld.documents, "document")
        yield f"Orders to erase: {status.withheld.orders:,} standing{pending}, {out} in quarantine by them"
    if status.store_error:
        yield f"Store: {status.store_error}"
    if prefect:
        yield f"Prefect: {prefect}"
    yield from map(_service_line, status.services)
    yield from (f"Running: {_progress(run)}" for run in status.running)
    yield from (f"Killed: {_progress(run)}" for run in status.killed)
    if status.last_run:
        last = status.last_run.json()
        error = printable_line(f": {last['error']}") if last["error"] else ""
        yield f"Last run: {last['kind']}, {last['outcome']}, {last['started_at']}{error}"


def _service_line(service: LivingService) -> str:
    found = service.json()
    where = f"pid {found['pid']} on {found['host']}, since {found['since'][:19]}Z"
    return f"{service.name.capitalize()}: {found['command']} ({where})"


def _progress(run: RunSummary) -> str:
    """A run that has not finished: its kind, actor, process, start, and how far it is."""
    found, far = run.json(), run.progress
    done = f", {far['source']}: {far['done']:,} of {far['of']:,} documents" if "of" in far else ""
    where = f"pid {found['pid']} on {found['host']}"
    since = found["started_at"][:19]
    return f"{found['kind']} by {found['actor'] or 'unknown'} ({where}), since {since}Z{done}"


def run_line(run: RunSummary) -> str:
    found = run.json()
    took = f"{found['counts']['seconds']:.1f} s" if "seconds" in found["counts"] else ""
    error = printable_line(f"  {found['error']}") if found["error"] else ""
    when = f"{found['started_at'][:19]}Z"
    said = f"{found['kind']:<8} {run.outcome:<11} {took:>8}  {found['run_id']}  {found['actor']}"
    approved = printable_line(f"  approved by {run.approved_by}") if run.approved_by else ""
    return f"{when}  {said}{approved}{error}"


def document_line(summary: DocumentSummary) -> str:
    row = summary.json()
    reason = f"  {row['reason']}" if row["reason"] else ""
    held = "".join(f"  {hold.hold_id}" for hold in summary.holds)
    about = printable_line(f"{row['source']}:{row['uri']}  {row['owner']}{reason}{held}")
    return f"{row['state']:<11} {row['verdict'] or '-':<7} {row['chunks']:>5}  {about}"


def document_lines(detail: DocumentDetail) -> Iterator[str]:
    """Every property that has a value, then findings, then chunks with their texts."""
    rest = detail.json()
    del rest["chunks"], rest["findings"], rest["holds"]
    width = max(map(len, rest))
    for name, value in rest.items():
        if value not in (None, "", []):
            said = ", ".join(value) if isinstance(value, list) else str(value)
            yield f"{name:<{width}}  {printable_line(said)}"
    for hold in detail.holds:
        matter = f", matter {hold.matter}" if hold.matter else ""
        yield printable_line(f"{'hold':<{width}}  {hold.hold_id}{matter}: {hold.reason}")
    for finding in detail.findings:
        line = f"line {finding.line}: " if finding.line else ""
        yield printable_line(f"{finding.code:<{width}}  {line}{finding.evidence}")
    for chunk in detail.chunks:
        record, passage = chunk.record, chunk.passage
        place = printable_line(" > ".join(passage.heading_path if passage else ()))
        page = f", page {record.page}" if record.page else ""
        yield f"\n[{record.chunk_index}] {place}{page} ({record.tokens} tokens)"
        yield (passage.text if passage else "").strip()


def hit_text(number: int, hit: SearchHit) -> str:
    """A hit with its citation: several lines."""
    headings = [heading for heading in hit.heading_path if heading != hit.title]
    heading = printable_line(" > ".join([hit.title or hit.uri, *headings]))
    page = f", page {hit.page}" if hit.page else ""
    age = f", {hit.age_days} days old" if hit.age_days is not None else ""
    owner = printable_line(f", owner {hit.owner}") if hit.owner else ""
    # A file's link says no more than its path.
    link = "" if hit.url.startswith("file:") else f"   {printable_line(hit.url)}\n"
    places = ", ".join(printable_line(f"{other.source}:{other.uri}") for other in hit.duplicates)
    copies = f"   also in {places}\n" if places else ""
    if hit.findings:
        copies += f"   found in its document: {', '.join(hit.findings)}\n"
    text = " ".join(hit.text.split())
    shown = text if len(text) <= _TEXT_LENGTH else text[:_TEXT_LENGTH].rsplit(" ", 1)[0] + " …"
    return (
        f"{number}. {heading}\n   {hit.source}:{printable_line(hit.uri)}{page}{owner} "
        f"[{'held, gone at its source, ' if hit.held else ''}{hit.verdict}{age}, "
        f"relevance {hit.relevance:.2f}]\n{link}{copies}   {shown}\n"
    )


def audit_lines(audit: Audit) -> Iterator[str]:
    """Counts and trust score, then owners, then findings that are of no document."""
    from index.audit.report.wording import percent

    counts = ", ".join(f"{n:,} {name}" for name, n in audit.by_verdict.items())
    score = percent(audit.trust_score)
    yield f"{plural(len(audit.results), 'document')}: {counts}. Trust score {score}."
    for owner in audit.owners:
        counted = ", ".join(f"{n:,} {name}" for name, n in owner.by_verdict.items() if n)
        yield printable_line(f"  {owner.owner or 'nobody'}: {counted}")
    for finding in audit.findings:
        if finding.document_id is None:
            yield printable_line(f"{finding.place}: {finding.evidence}")
