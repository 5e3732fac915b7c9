"""One source as the configuration has it, and what it takes to prepare its documents."""

from __future__ import annotations

from dataclasses import dataclass

from index.compare import Extraction
from index.config import SourceConfig
from index.mirror import Mirror
from index.model import Chunk, Parsed, digest
from index.prepare import Source
from index.rules import Rules


@dataclass(frozen=True, slots=True)
class Origin:
    """A configured source with what its documents need; see `index.prepare.Source`."""

    settings: SourceConfig
    rules: Rules
    extraction: Extraction


def origin(mirror: Mirror, source: str) -> Origin:
    settings = mirror.config.source(source)
    limits = digest([settings.limits.max_size, settings.limits.parse_timeout.total_seconds()])[:8]
    return Origin(settings, Rules(settings), Extraction(mirror.extraction, limits))


def source_of(mirror: Mirror, source: str) -> Source:
    """All that preparing documents of this source needs."""
    here = origin(mirror, source)
    timeout = here.settings.limits.parse_timeout.total_seconds()

    def chunk(parsed: Parsed) -> list[Chunk]:
        from index.chunk import chunk

        return chunk(parsed, mirror.tokenizer, limit=mirror.identity.max_tokens)

    return Source(
        id=source,
        connector=mirror.connector(source),
        rules=here.rules,
        extraction=here.extraction,
        parse=lambda path, name: mirror.parser.parse(path, name, timeout_seconds=timeout),
        chunk=chunk,
        scratch=mirror.scratch,
        now=mirror.now,
    )


def known_sources(mirror: Mirror) -> list[str]:
    """The configured sources, and those that were taken out and still have documents."""
    configured = [source.id for source in mirror.config.sources]
    counts = mirror.ledger.counts()
    return configured + sorted(source for source in counts if source not in configured and counts[source])
