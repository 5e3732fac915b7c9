"""Some documents of a source, prepared as a sync would, and shown instead of written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from connectors.base import Connector, ConnectorError, Entry
from index.config.rules import by_codeowners
from index.freshness.assess import Assessment, assess
from index.freshness.properties import attributed
from index.model import Action, Chunk, Item, State, rfc3339
from index.parse import formats
from index.records import Document
from index.redact import redact
from index.sources.trial import on_trial
from index.sync.prepare import prepare
from index.sync.reading import Reading
from index.sync.source import Source, assembled
from index.sync.work import NewVersion, Removal, RowOnly, Work
from index.workspace import Workspace

#: Characters of a document's first words.
_WORDS_MAX = 200


@dataclass(frozen=True, slots=True)
class Sampled:
    """One document as the index would have it."""

    uri: str
    state: State | None
    """None: it changed or vanished between the listing and the reading."""
    reason: str
    """Why it would not be in the index; "" when it would."""
    document: Document | None = None
    assessment: Assessment | None = None
    chunks: Sequence[Chunk] = ()

    @property
    def failed(self) -> bool:
        return self.state is not State.INDEXED and self.state is not State.EXPIRED

    @property
    def words(self) -> str:
        """The first words of its text, on one line."""
        text = " ".join("".join(chunk.text for chunk in self.chunks[:1]).split())
        return text if len(text) <= _WORDS_MAX else text[:_WORDS_MAX].rsplit(" ", 1)[0] + " …"

    @property
    def date_field(self) -> str:
        if self.assessment is None or self.document is None:
            return ""
        return attributed(self.assessment.date_field, self.document.properties)

    def json(self) -> dict[str, Any]:
        found, seen = self.document, self.assessment
        return {
            "uri": self.uri,
            "state": self.state and self.state.value,
            "reason": self.reason,
            "title": found and found.title,
            "content_type": found and found.content_type,
            "language": found and found.language,
            "url": found and found.url,
            "size": found and found.size,
            "modified_at": rfc3339(found.modified_at) if found else None,
            "owner": found and found.owner,
            "owner_source": found and found.owner_source,
            "verdict": seen and str(seen.verdict),
            "date_used": rfc3339(seen.date_used) if seen else None,
            "date_field": self.date_field or None,
            "verdict_reason": seen and seen.reason,
            "chunks": len(self.chunks),
            "text": self.words,
            "findings": [finding["code"] for finding in found.findings] if found else [],
        }


@dataclass(slots=True)
class Sample:
    """Documents that were drawn, and what they were drawn from."""

    source: str
    listed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Documents that cannot be parsed and are not drawn, by type."""
    errors: list[str] = field(default_factory=list)
    """Why the listing was incomplete, or the sample ended early."""
    documents: list[Sampled] = field(default_factory=list)
    """In order of uri."""

    def json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "complete": not self.errors,
            "documents": self.listed,
            "skipped": self.skipped.total(),
            "errors": self.errors,
            "sample": [one.json() for one in self.documents],
        }


def sample(workspace: Workspace, source: str, size: int) -> Sample:
    """As many documents of a configured source, drawn at random from its whole listing, the same ones as long
    as it lists the same. Neither ledger nor store is opened, and nothing is written.

    Raises ConfigError for a source that is not configured, ConnectorError when it cannot be asked,
    ParserError and ScratchError when the installation is at fault.
    """
    found = Sample(source)
    with on_trial(workspace.config, source) as (connector, folder):
        connector.probe()
        entries = _drawn(connector, size, found)
        contents = folder / "documents"
        contents.mkdir(mode=0o700)
        here = assembled(workspace, source, connector, lambda: contents)
        if here.rules.codeowners.trouble:
            found.errors.append(here.rules.codeowners.trouble)
        found.documents = _prepared(entries, here, found)
    return found


def _drawn(connector: Connector, size: int, found: Sample) -> list[Entry]:
    """A reservoir: every supported document has the same chance, and no more than `size` are held."""
    random, reservoir, seen = Random(0), list[Entry](), 0
    listing = connector.list()
    try:
        for entry in listing:
            found.listed += 1
            form = formats.of(entry)
            if form not in formats.BY_SUFFIX:
                found.skipped[form] += 1
                continue
            seen += 1
            if len(reservoir) < size:
                reservoir.append(entry)
            elif (place := random.randrange(seen)) < size:
                reservoir[place] = entry
    except ConnectorError as error:
        found.errors.append(redact(str(error)))
    found.errors += map(redact, listing.errors)
    return sorted(reservoir, key=lambda entry: entry.uri)


def _prepared(entries: Sequence[Entry], source: Source, found: Sample) -> list[Sampled]:
    """The documents of these entries. All are fetched before the first is waited for, so that parsers read
    beside each other."""
    made: list[tuple[str, Work | Reading]] = []
    try:
        for number, entry in enumerate(entries):
            item = Item(Action.ADD, entry.uri, f"sample-{number}")
            made.append((entry.uri, prepare(item, None, source)))
    except ConnectorError as error:
        found.errors.append(redact(str(error)))
    return [_sampled(uri, work.work() if isinstance(work, Reading) else work, source) for uri, work in made]


def _sampled(uri: str, work: Work, source: Source) -> Sampled:
    match work:
        case NewVersion(_, document, chunks):
            governance = source.rules.govern(uri, document.properties, by_codeowners(document))
            assessment = assess(
                governance.policy, document.properties, document.modified_at, None, source.now()
            )
            return Sampled(uri, document.state, "", document, assessment, chunks)
        case Removal(document) | RowOnly(document):
            return Sampled(uri, document.state, document.reason, document)
        case _:
            return Sampled(uri, None, "It changed or vanished since the source was listed.")
