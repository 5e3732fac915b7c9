"""What keeps a text from being found, and what runs have not done."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.base import shortened
from index.freshness.checks.base import Base, SourceState, Subject
from index.freshness.finding import Finding
from index.model import State


def find(base: Base) -> Iterator[Finding]:
    for subject in base.subjects:
        yield from _of_document(subject)
    for state in base.sources:
        yield from _of_source(base, state)
    if base.verified and any(base.verified.values()) and base.sources:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in base.verified.items() if count)
        yield Finding(
            "drift",
            "",
            None,
            None,
            base.sources[0].owner,
            f"The last verify found differences between sources, ledger and store: {counts}.",
            remedy="Run: freshkb verify --repair",
        )


def _of_document(subject: Subject) -> Iterator[Finding]:
    document = subject.document
    # A repair that could not save the whole text writes no extraction fingerprint.
    whole = document.version > 0 and bool(document.extraction_fingerprint)
    if document.state == State.QUARANTINED:
        old = " The index still has its last good version." if whole else ""
        yield subject.finding("quarantined", f"{document.reason or 'It could not be indexed.'}{old}")
    elif document.version and not whole and document.reason:
        yield subject.finding("incomplete", document.reason)
    elif document.state == State.INDEXED and document.chunk_count == 0:
        yield subject.finding("empty", "It holds no text, so no search can find it.")
    for found in document.findings:
        yield subject.finding(found["code"], found["reason"], key=found["reason"], line=found["line"])


def _of_source(base: Base, state: SourceState) -> Iterator[Finding]:
    record = state.record
    if record is None:
        return
    for found in record.findings:
        yield state.finding(found["code"], found["reason"], uri=shortened(found["uri"]))
    if base.max_lag is None or record.listed_at is None:
        return
    if base.now - record.listed_at > base.max_lag:
        yield state.finding(
            "listing-incomplete",
            f"Its last complete listing was on {record.listed_at:%Y-%m-%d %H:%M} UTC: what was deleted there "
            "since is still found.",
            remedy="Run: freshkb sync",
        )
    elif record.synced_at is None or base.now - record.synced_at > base.max_lag:
        since = f"on {record.synced_at:%Y-%m-%d %H:%M} UTC" if record.synced_at else "never"
        evidence = f"The index was last brought up to a complete listing of it {since}."
        yield state.finding("sync-lag", evidence, remedy="Run: freshkb sync")
