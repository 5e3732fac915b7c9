"""Requests of a person on named documents: retry, review."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from index.batched import batched
from index.errors import ConfigError
from index.ledger import LogAction, LogEntry
from index.lookup import Lookup
from index.model import KEPT, Action, Cause, Item, State
from index.outcome import RunReport, SourceReport
from index.records import Document, Review
from index.run import Run
from index.sync.batches import carry_out_items
from index.sync.recover import recover
from index.sync.survey import forget_rules
from index.sync.sync import recorded, with_states
from index.sync.target import target_of


def retry(run: Run, uris: Sequence[str] | None = None) -> RunReport:
    """Prepare and write these quarantined documents again (None: all of them).

    Raises ConfigError for a name (`index.lookup`) that no document in quarantine has.
    """
    ledger, states = run.workspace.ledger, [State.QUARANTINED]
    report = RunReport(run.run_id)
    with recorded(run, report):
        if uris:
            if not any(states.get(State.QUARANTINED) for states in ledger.documents.counts().values()):
                raise ConfigError("No document is in quarantine, so there is none to try again.")
            look = Lookup(
                ledger,
                states=states,
                what="document in quarantine",
                see="freshkb ls --state quarantined",
                nothing="Nothing was tried." if len(uris) > 1 else "",
            )
            found = configured(run, look.named(uris))
        else:
            sources = {source.id for source in run.workspace.config.sources}
            found = [d for d in ledger.documents.find(states=states) if d.source in sources]
        carry_out(run, report, found, Action.UPDATE, Cause.RETRY)
    return report


def review(
    run: Run,
    names: Sequence[str],
    by: str,
    note: str = "",
    *,
    source: str | None = None,
    owner: str | None = None,
) -> RunReport:
    """Attest that these documents were reviewed now, in rows and payloads: those of the names and patterns
    (`index.lookup`), or of one owner, or both.

    Raises ConfigError, and attests nothing, for a name or pattern that leads to no document in the index, or
    to documents of several sources without a `source`, and for an owner of nothing.
    """
    now, ledger = run.workspace.now(), run.workspace.ledger

    def attest(documents: Sequence[Document]) -> None:
        made = [Review(d.document_id, by.strip(), note, now, d.content_hash) for d in documents]
        entries = [LogEntry.of(d, LogAction.REVIEWED, now, run.run_id) for d in documents]
        ledger.reviews.add(made, entries)

    report = RunReport(run.run_id)
    with recorded(run, report):
        if not by.strip():
            raise ConfigError("A review needs the name of who made it: --by WHO")
        if not names and owner is None:
            raise ConfigError("A review needs documents: name them, or their owner with --owner.")
        look = Lookup(ledger, source, KEPT, nothing="Nothing was attested." if len(names) > 1 else "")
        found = configured(run, look.matching(names, owner))
        carry_out(run, report, found, Action.TOUCH, Cause.RULES, attest)
    return report


def configured(run: Run, documents: Sequence[Document]) -> Sequence[Document]:
    """The same. Raises ConfigError for one whose source is in the configuration no more."""
    for document in documents:
        run.workspace.config.source(document.source)
    return documents


def carry_out(
    run: Run,
    report: RunReport,
    documents: Sequence[Document],
    action: Action,
    cause: Cause,
    first: Callable[[Sequence[Document]], None] = lambda documents: None,
) -> None:
    """One action on known documents, without surveying their sources; `first` is called once the writer locks
    are held."""
    for source in sorted({document.source for document in documents}):
        own = [document for document in documents if document.source == source]
        items = [Item(action, document.uri, document.document_id, cause=cause) for document in own]
        done = SourceReport(source)
        with run.workspace.ledger.writer(source, f"freshkb {run.kind}"):
            target = target_of(run)
            recover(target, source, run.run_id)
            forget_rules(run.workspace, source)
            first(own)
            run.begins(source, len(items))
            for batch in batched(items, run.workspace.sizes.batch_documents):
                counts = carry_out_items(run, target, source, batch)
                done.counts.add(counts)
                run.advances(len(batch), counts)
                if run.stop.is_set():
                    break
            report.sources.append(with_states(run.workspace, done))
        if run.stop.is_set():
            report.interrupted = True
            return
