"""One source as the configuration has it, and what it takes to prepare its documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from index.compare import Extraction
from index.config import SourceConfig
from index.errors import ConfigError
from index.mirror import Mirror
from index.model import Chunk, Failure, Parsed, digest
from index.outcome import Seconds
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


def source_of(mirror: Mirror, source: str, seconds: Seconds | None = None) -> Source:
    """All that preparing documents of this source needs; what its steps take is added to `seconds`."""
    here = origin(mirror, source)
    spent = Seconds() if seconds is None else seconds
    timeout = here.settings.limits.parse_timeout.total_seconds()

    def chunk(parsed: Parsed) -> list[Chunk]:
        from index.chunk import chunk

        with spent.of("parse"):
            return chunk(parsed, mirror.tokenizer, limit=mirror.identity.max_tokens)

    def parse(path: Path, name: str) -> Parsed | Failure:
        with spent.of("parse"):
            return mirror.parser.parse(path, name, timeout_seconds=timeout)

    return Source(
        id=source,
        connector=mirror.connector(source),
        rules=here.rules,
        extraction=here.extraction,
        parse=parse,
        chunk=chunk,
        scratch=mirror.scratch,
        now=mirror.now,
        seconds=spent,
    )


def known_sources(mirror: Mirror) -> list[str]:
    """The configured sources, and those that were taken out and still have documents."""
    configured = [source.id for source in mirror.config.sources]
    counts = mirror.ledger.documents.counts()
    return configured + sorted(source for source in counts if source not in configured and counts[source])


def chosen_sources(mirror: Mirror, names: Sequence[str] | None) -> list[str]:
    """The sources that are meant: these, or all that `known_sources` gives.

    A source that was taken out of the configuration is known as long as the ledger remembers it. Raises
    ConfigError for any other, with the sources that there are. Every name of a source that somebody gives
    comes through here.
    """
    if names is None:
        return known_sources(mirror)
    configured = {source.id for source in mirror.config.sources}
    for name in names:
        if name not in configured:
            ledger = mirror.ledger
            remembered = {record.source for record in ledger.sources.all()} | ledger.documents.counts().keys()
            if name not in remembered:
                raise ConfigError(_unknown(mirror, name, sorted(remembered - configured)))
    return list(names)


def _unknown(mirror: Mirror, name: str, removed: Sequence[str]) -> str:
    there = [source.id for source in mirror.config.sources]
    near = get_close_matches(name, [*there, *removed], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    known = ", ".join([*there, *(f"{source} (no longer configured)" for source in removed)])
    return f"{mirror.config.path.name} has no source {name!r}{hint} There are: {known}."
