"""The configuration as it holds: defaults filled in, paths absolute, one object for each source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from connectors.base import ConnectorSettings, Context
from index.anchors.spec import AnchorSpec
from index.config.audit_blocks import Person
from index.config.blocks import Embedding, Index, Schedules, Watch
from index.config.show import plain, shown
from index.config.units import written_span
from index.errors import ConfigError
from index.freshness.assess import FreshnessPolicy, Policy
from index.freshness.finding import CODES
from index.model import digest
from index.redact import REDACTED, redact
from index.retention import RetentionRule

#: One owner, or several of which the first is asked to act.
Owner = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeletionGuard:
    """Refuses removals of more than both of a source's documents."""

    max_fraction: float = 0.2
    max_count: int = 10
    purge_within: timedelta = timedelta(hours=24)
    """Time from a removal to the purge of its bytes."""

    def refuses(self, removals: int, known: int) -> bool:
        return removals > self.max_count and removals > self.max_fraction * known


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    max_size: int = 50_000_000
    """Bytes."""
    parse_timeout: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Rule:
    """Owner and policy for documents whose uri matches; None where the rule does not speak."""

    match: str
    owner: Owner | None = None
    freshness: Policy | None = None


_POLICY = FreshnessPolicy()
_WATCH = Watch()


@dataclass(frozen=True, slots=True)
class Defaults:
    owner: Owner = ""
    freshness: Policy = _POLICY
    delete: DeletionGuard = DeletionGuard()
    limits: DocumentLimits = DocumentLimits()


@dataclass(frozen=True)
class SourceConfig:
    """A source with every value that holds for it."""

    id: str
    type: str
    connector: ConnectorSettings
    """Instance of the connector's own settings model."""
    owner: Owner = ""
    owner_source: Literal["source", "default"] = "default"
    freshness: Policy = _POLICY
    delete: DeletionGuard = DeletionGuard()
    limits: DocumentLimits = DocumentLimits()
    watch: Watch = _WATCH
    rules: tuple[Rule, ...] = ()
    url: str = ""
    """Template of the link that a person opens; "" where the connector's link is the one."""
    retention: tuple[RetentionRule, ...] = ()
    """The rules of all sources."""

    @cached_property
    def filter_fingerprint(self) -> str:
        """Hash of everything that decides which documents of the place exist; where it is does not count.

        Settings at their defaults are left out, so that a new release's new setting changes nothing;
        include and exclude are always in.
        """
        settings = self.connector
        deciding = {
            name: value
            for name, value in settings.model_dump(mode="json").items()
            if name in ("include", "exclude")
            or (
                name not in settings.place
                and not isinstance(getattr(settings, name), SecretStr)
                and getattr(settings, name) != type(settings).model_fields[name].get_default()
            )
        }
        return digest(deciding)

    @cached_property
    def rules_fingerprint(self) -> str:
        """Hash of everything here that decides a document's owner, freshness and link; a source without
        a template has the hash that it had before there were any."""
        settings = self.show()
        deciding = [*(settings[name] for name in ("owner", "freshness", "rules")), self.owner_source]
        return digest([*deciding, self.url] if self.url else deciding)

    def show(self) -> dict[str, Any]:
        """Effective settings, as a source block would write them."""
        template = "link" if "url" in type(self.connector).model_fields else "url"
        return {
            "id": self.id,
            "type": self.type,
            **shown(self.connector),
            **({template: redact(self.url)} if self.url else {}),
            "owner": plain(self.owner),
            "freshness": plain(self.freshness),
            "delete": plain(self.delete),
            "limits": plain(self.limits),
            "watch": self.watch.model_dump(mode="json"),
            "rules": [
                {name: value for name, value in plain(rule).items() if value is not None}
                for rule in self.rules
            ],
        }


@dataclass(frozen=True, slots=True)
class LogConfig:
    anchors: tuple[AnchorSpec, ...] = ()
    """With absolute paths."""
    key_file: Path | None = None
    """File of the key that signs, absolute; None where it is made in the state folder."""


@dataclass(frozen=True, slots=True)
class AuditConfig:
    codes: frozenset[str] = frozenset()
    """The codes of findings that are looked for."""
    max_lag: timedelta | None = None
    count_hits: bool = False
    """Whether searches count what they show."""
    fresh_hits: float = 0.9
    """Share of the hits that should be fresh."""


@dataclass(frozen=True, slots=True)
class UiConfig:
    user_header: str | None = None
    proxies: tuple[str, ...] = ()
    address: str = ""
    """Without a slash at its end; "" when it is not told."""


@dataclass(frozen=True, slots=True)
class NotifyConfig:
    sender: str = ""
    smtp: str = ""
    """May hold a password."""
    period: timedelta = timedelta(days=7)
    escalate_after: timedelta | None = None
    page: str = ""
    owners: Path | Mapping[str, Person] | None = None
    """The directory of owners: an absolute path of a CSV file, or its entries; None where there is none."""

    def show(self) -> dict[str, Any]:
        people = self.owners if isinstance(self.owners, Mapping) else {}
        entries = {
            owner: shown(one) | {"apprise": [REDACTED] * len(one.apprise)} for owner, one in people.items()
        }
        return {
            "from": self.sender or None,
            "smtp": redact(self.smtp) or None,
            "period": plain(self.period),
            "escalate_after": plain(self.escalate_after),
            "page": redact(self.page) or None,
            "owners": str(self.owners) if isinstance(self.owners, Path) else entries or None,
        }


@dataclass(frozen=True)
class Config:
    """The effective configuration. `index.config.load` makes it."""

    path: Path
    """The file it was read from, absolute."""
    version: int
    state_dir: Path
    """Absolute."""
    ledger: str
    """"sqlite", or the SQLAlchemy url of a PostgreSQL database."""
    index: Index
    embedding: Embedding
    defaults: Defaults
    sources: tuple[SourceConfig, ...]
    schedules: Schedules
    log: LogConfig = LogConfig()
    audit: AuditConfig = AuditConfig()
    ui: UiConfig = UiConfig()
    notify: NotifyConfig = NotifyConfig()
    retention: tuple[RetentionRule, ...] = ()
    """The last that matches a document decides how long it is kept."""

    @property
    def base(self) -> Path:
        """Relative paths of the file are relative to this folder."""
        return self.path.parent

    @property
    def name(self) -> str:
        """The knowledge base's name in a report: its collection's when that was chosen, else its folder's."""
        chosen = self.index.collection
        default = Index.model_fields["collection"].default
        return chosen if chosen != default else self.base.name or chosen

    @property
    def purge_within(self) -> timedelta:
        """Time from a removal to the purge of its bytes: the shortest of all sources, which share an
        index."""
        return min(source.delete.purge_within for source in self.sources)

    @property
    def reports(self) -> Path:
        """The default folder of `freshkb audit`."""
        return self.state_dir / "reports"

    @property
    def caches(self) -> Path:
        """The folder of what connectors keep and can get again, a folder for each source."""
        return self.state_dir / "cache"

    @property
    def digests(self) -> Path:
        """The default folder of what `freshkb notify --dry-run` writes."""
        return self.reports / "digests"

    def source(self, source_id: str) -> SourceConfig:
        """The source of this id. Raises ConfigError, naming the nearest."""
        for source in self.sources:
            if source.id == source_id:
                return source
        ids = [source.id for source in self.sources]
        near = get_close_matches(source_id, ids, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(ids)}."
        raise ConfigError(f"{self.path.name} has no source {source_id!r}; {hint}")

    def context(self, source: SourceConfig) -> Context:
        """The context that the source's connector needs besides its settings."""
        directory = [self.notify.owners] if isinstance(self.notify.owners, Path) else []
        private = frozenset(path.resolve() for path in (self.state_dir, self.path, *directory))
        limit, cache = source.limits.max_size, self.caches / source.id
        return Context(source.id, base=self.base, max_size=limit, private=private, cache=cache)

    def show(self) -> dict[str, Any]:
        """Effective settings as JSON values, secrets redacted."""
        return {
            "config": str(self.path),
            "version": self.version,
            "state_dir": str(self.state_dir),
            "ledger": redact(self.ledger),
            "index": shown(self.index),
            "embedding": self.embedding.model_dump(mode="json"),
            "defaults": plain(self.defaults),
            "sources": [source.show() for source in self.sources],
            "retention": [
                {
                    name: value
                    for name, value in (plain(rule) | {"after": written_span(rule.after)}).items()
                    if value is not None
                }
                for rule in self.retention
            ],
            "log": {
                "anchors": [str(anchor) for anchor in self.log.anchors],
                "key_file": str(self.log.key_file) if self.log.key_file else None,
            },
            "audit": {
                "checks": {code: code in self.audit.codes for code in CODES},
                "max_lag": plain(self.audit.max_lag),
                "count_hits": self.audit.count_hits,
                "fresh_hits": self.audit.fresh_hits,
            },
            "ui": plain(self.ui) | {"address": self.ui.address or None},
            "notify": self.notify.show(),
            "schedules": self.schedules.model_dump(mode="json"),
        }
