"""A configured source with the parts that its documents need; and the list of sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from connectors.base import Connector, DocumentError, Fetched, SourceUnavailable
from index.attachments import WithAttachments
from index.config import SourceConfig
from index.config.codeowners import codeowners_of
from index.config.rules import Rules
from index.errors import ConfigError, scratch_errors
from index.freshness.assess import FreshnessPolicy
from index.model import Chunk, Failure, Parsed, digest
from index.outcome import Seconds
from index.parse import formats
from index.precedence import Fate, fate
from index.records import Document
from index.redact import redact
from index.retention import RetentionRules
from index.sync.diff import Extraction
from index.sync.expiry import reason
from index.sync.withhold import Tombstones
from index.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Source:
    """A configured source: connector, parser, chunker, rules."""

    settings: SourceConfig
    connector: Connector
    """To be used by one thread at a time."""
    rules: Rules
    extraction: Extraction
    parser: Callable[[Path, str], Future[Parsed | Failure]]
    """(file with a document's bytes, format as from `index.parse.formats.of`) to its elements, once they are
    there."""
    chunker: Callable[[Parsed], list[Chunk]]
    scratch: Callable[[], Path]
    """A private folder for the bytes that a parser reads."""
    now: Callable[[], datetime]
    tombstones: Tombstones
    retention: RetentionRules = field(default_factory=RetentionRules)
    held: Callable[[Document], bool] = lambda _: False
    """Whether a hold stands on a document, or will once its row is written."""
    seconds: Seconds = field(default_factory=Seconds)
    """Seconds of the steps."""

    @property
    def id(self) -> str:
        return self.settings.id

    def identity(self) -> str:
        """The identity of its place. Raises SourceUnavailable when the source, or its CODEOWNERS file, cannot
        be read."""
        found = redact(self.connector.probe())
        if self.rules.codeowners.trouble:
            raise SourceUnavailable(self.rules.codeowners.trouble)
        return found

    def ended(self, document: Document) -> str:
        """Why the document is not kept, as a sentence; "" while its retention has not ended, or a hold
        suspends it."""
        expiry = self.retention.expiry(document.uri, document.properties, document.modified_at)
        over = expiry is not None and expiry.at <= self.now()
        its = fate(held=over and self.held(document), expired=over)
        return reason(expiry) if expiry is not None and its is Fate.EXPIRED else ""

    def fetch(self, uri: str, into: Path) -> Fetched:
        """Fetch a whole version of a document, its bytes into the file `into`."""
        with scratch_errors(into.parent), self.seconds.of("fetch"):
            return self.connector.fetch(uri, into)

    def parsed(self, elements: Future[Parsed | Failure]) -> Parsed | Failure:
        """What the parser found, waited for."""
        with self.seconds.of("parse"):
            return elements.result()

    def chunk(self, parsed: Parsed) -> list[Chunk]:
        with self.seconds.of("parse"):
            return self.chunker(parsed)

    def read(self, uri: str) -> list[Chunk]:
        """The chunks of a document as it is now; none when it cannot be read or parsed."""
        target = self.scratch() / "likeness"
        try:
            fetched = self.fetch(uri, target)
            parsed = self.parsed(self.parser(target, formats.of(fetched.entry)))
        except DocumentError:
            return []
        finally:
            target.unlink(missing_ok=True)
        return [] if isinstance(parsed, Failure) else self.chunk(parsed)


def source_of(workspace: Workspace, name: str) -> Source:
    """The source of this name. Raises ConfigError when it is not configured."""
    connector, tombstones = workspace.connector(name), Tombstones(workspace.ledger)
    if isinstance(connector, WithAttachments):
        connector.withheld = partial(tombstones.any, name)
    return replace(
        assembled(workspace, name, connector, lambda: workspace.scratch),
        tombstones=tombstones,
        held=lambda document: _held(workspace, document),
    )


def _fingerprint(extraction: str, rules: Rules) -> str:
    """The extraction fingerprint of a source with these rules. A row has no value of a field that no rule
    named when the document was read, but for dates: for other fields of freshness, documents are read again.
    """
    fields = rules.freshness_fields - FreshnessPolicy().fields
    return digest([extraction, *sorted(fields)]) if fields else extraction


def assembled(workspace: Workspace, name: str, connector: Connector, scratch: Callable[[], Path]) -> Source:
    """The source of this name with this connector and folder, without the ledger: no order keeps anything out
    of it, and nothing is held. Raises ConfigError when it is not configured."""
    settings = workspace.config.source(name)
    timeout = settings.limits.parse_timeout.total_seconds()

    def chunker(parsed: Parsed) -> list[Chunk]:
        from index.chunk.chunker import chunk

        return chunk(parsed, workspace.tokenizer, limit=workspace.identity.max_tokens)

    rules = Rules(settings, codeowners_of(connector))
    extraction = {suffix: _fingerprint(found, rules) for suffix, found in workspace.extraction.items()}
    return Source(
        settings=settings,
        connector=connector,
        rules=rules,
        extraction=Extraction(extraction, digest([settings.limits.max_size, timeout])[:8]),
        parser=lambda content, format: workspace.parser.submit(content, format, timeout_seconds=timeout),
        chunker=chunker,
        scratch=scratch,
        now=workspace.now,
        tombstones=Tombstones(),
        retention=RetentionRules(workspace.config.retention, name),
    )


def _held(workspace: Workspace, document: Document) -> bool:
    holds = workspace.ledger.holds
    return document.document_id in holds.of([document.document_id]) or any(
        hold.covers(document.source, document.uri, document.owners or [document.owner])
        for hold in holds.standing()
    )


def known_sources(workspace: Workspace) -> list[str]:
    """Ids of the configured sources, and of those that were taken out and still have documents."""
    configured = [source.id for source in workspace.config.sources]
    counts = workspace.ledger.documents.counts()
    return configured + sorted(source for source in counts if source not in configured and counts[source])


def chosen_sources(workspace: Workspace, names: Sequence[str] | None) -> list[str]:
    """The sources of these names, or all that `known_sources` gives.

    A source that was taken out of the configuration is known as long as the ledger remembers it. Raises
    ConfigError, listing the sources, for any other name. All names of sources from users are checked here.
    """
    if names is None:
        return known_sources(workspace)
    configured = {source.id for source in workspace.config.sources}
    for name in names:
        if name not in configured:
            ledger = workspace.ledger
            remembered = {record.source for record in ledger.sources.all()} | ledger.documents.counts().keys()
            if name not in remembered:
                raise ConfigError(_unknown(workspace, name, sorted(remembered - configured)))
    return list(names)


def _unknown(workspace: Workspace, name: str, removed: Sequence[str]) -> str:
    there = [source.id for source in workspace.config.sources]
    near = get_close_matches(name, [*there, *removed], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    known = ", ".join([*there, *(f"{source} (no longer configured)" for source in removed)])
    return f"{workspace.config.path.name} has no source {name!r}{hint} There are: {known}."
