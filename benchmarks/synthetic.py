"""A source of any size that takes no disk: its documents are numbered, and none ever changes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from connectors.base import (
    BUILT_IN,
    Capabilities,
    Connector,
    ConnectorSettings,
    DocumentVanished,
    Entry,
    Fetched,
    Listing,
)
from index.batched import batched
from index.model import State
from index.records import Document, SourceRecord
from index.sync.source import source_of
from index.sync.survey import rules_fingerprint
from index.workspace import Workspace

TYPE = "numbered"
BUILT_IN[TYPE] = f"{__name__}:NumberedConnector"

#: Rows of one transaction of the ledger.
SLICE_ROWS = 10_000
SIZE = 4_000
CHANGED = datetime(2026, 1, 1, tzinfo=UTC)


class NumberedSettings(ConnectorSettings):
    documents: int


class NumberedConnector(Connector):
    """Lists documents as a folder of Markdown files would; there is nothing to fetch."""

    settings_model = NumberedSettings
    capabilities: ClassVar[Capabilities] = Capabilities(token="version")

    def probe(self) -> str:
        return TYPE

    def list(self, folders: Collection[str] | None = None) -> Listing:
        assert isinstance(self.settings, NumberedSettings)
        return Listing(map(_entry, range(self.settings.documents)))

    def stat(self, uri: str) -> Entry | None:
        return next((entry for entry in self.list() if entry.uri == uri), None)

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        raise DocumentVanished(f"{uri!r} has no content.")

    def url(self, uri: str) -> str:
        return f"numbered:///{uri}"

    def home(self) -> str:
        return "numbered:///"


def _entry(number: int) -> Entry:
    modified_at = 1_767_225_600_000_000_000 + number
    inode = str(10_000_000 + number)
    uri = f"department-{number // 10_000:03}/team-{number // 100:05}/page-{number:07}.md"
    return Entry(uri, f"{SIZE}-{modified_at}-{inode}", SIZE, modified_at, inode)


def rows(knowledge_base: Workspace, source: str) -> Iterator[Document]:
    """The ledger's rows once every document of a source was indexed as it is listed now."""
    extraction, connector = source_of(knowledge_base, source).extraction, knowledge_base.connector(source)
    for entry in connector.list():
        content = sha256(entry.uri.encode()).hexdigest()
        fingerprint = extraction.of(entry)
        yield Document(
            knowledge_base.new_id(),
            source,
            entry.uri,
            State.INDEXED,
            token=entry.token,
            native_id=entry.native_id,
            size=entry.size,
            seen_hash=content,
            seen_extraction=fingerprint,
            version=1,
            content_hash=content,
            extraction_fingerprint=fingerprint,
            modified_at=CHANGED,
            url=connector.url(entry.uri),
            content_type="text/markdown",
            indexed_at=CHANGED,
            first_seen_at=CHANGED,
        )


def record_all(knowledge_base: Workspace, source: str) -> None:
    """Fill the ledger with those rows."""
    record_rules(knowledge_base, source)
    for some in batched(rows(knowledge_base, source), SLICE_ROWS):
        knowledge_base.ledger.documents.put(some, [])


def record_rules(knowledge_base: Workspace, source: str) -> None:
    """As after a whole sync: every document of the source has the rules in force."""
    rules = rules_fingerprint(source_of(knowledge_base, source))
    knowledge_base.ledger.sources.put(SourceRecord(source, rules_fingerprint=rules))
