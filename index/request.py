"""What a person asks for by naming documents: try them again, attest that they were reviewed."""

from __future__ import annotations

from collections.abc import Sequence

from index.apply import apply
from index.errors import ConfigError
from index.model import LIVE, Action, Document, Item, State
from index.outcome import Report, SourceReport
from index.plan import BATCH_DOCUMENTS
from index.sync import Sync


def retry(run: Sync, uris: Sequence[str] | None = None) -> Report:
    """Prepare and write these quarantined documents again (None: all of them).

    Raises ConfigError for a uri that no document in quarantine has.
    """
    found = [d for d in run.mirror.ledger.documents(states=[State.QUARANTINED]) if not uris or d.uri in uris]
    _all_found(uris or (), found, "No document in quarantine is at", "freshkb ls --state quarantined")
    return _carry_out(run, found, Action.UPDATE, "retry")


def review(run: Sync, uris: Sequence[str], by: str, note: str = "", *, source: str | None = None) -> Report:
    """Attest that these documents were reviewed now, and tell every reader of the index.

    Raises ConfigError for a uri that is not in the index, or that several sources have and none is named.
    """
    if not by.strip():
        raise ConfigError("A review needs the name of who made it: --by WHO")
    found = [d for d in run.mirror.ledger.documents(source=source, uris=list(uris)) if d.state in LIVE]
    _all_found(uris, found, "No document is at", "freshkb ls")
    for uri in uris:
        sources = [d.source for d in found if d.uri == uri]
        if len(sources) > 1:
            raise ConfigError(f"{uri} is in several sources ({', '.join(sources)}). Name one with --source.")
    now = run.mirror.now()
    for document in found:
        run.mirror.ledger.add_review(document.document_id, by.strip(), note, now)
    return _carry_out(run, found, Action.TOUCH, "rules")


def _all_found(uris: Sequence[str], found: Sequence[Document], what: str, see: str) -> None:
    unknown = sorted(set(uris) - {document.uri for document in found})
    if unknown:
        raise ConfigError(f"{what} {', '.join(unknown)}. See: {see}")


def _carry_out(run: Sync, documents: Sequence[Document], action: Action, reason: str) -> Report:
    """One action on known documents, without surveying their sources."""
    configured = [source.id for source in run.mirror.config.sources]
    report = Report(run.run_id)
    with run.recorded(report):
        for source in sorted({d.source for d in documents if d.source in configured}):
            own = [Item(action, d.uri, d.document_id, reason=reason) for d in documents if d.source == source]
            done = SourceReport(source)
            with run.mirror.ledger.writer(source, f"freshkb {run.kind}"):
                target = run.target()
                run.progress.source(source, len(own))
                for start in range(0, len(own), BATCH_DOCUMENTS):
                    batch = own[start : start + BATCH_DOCUMENTS]
                    done.tally.add(apply(target, run.run_id, run.prepare(source, batch, run.known(batch))))
                    run.progress.documents(len(batch))
                    if run.stop.is_set():
                        report.interrupted = True
                        break
                report.sources.append(run.finish(done))
    return report
