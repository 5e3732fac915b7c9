"""From settings as written to settings as they hold: defaults filled in, paths made absolute."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from connectors.base import ConnectorSettings
from index.anchors.spec import parse as parse_anchor
from index.config.audit_blocks import Audit, Notify
from index.config.blocks import (
    Delete,
    Freshness,
    Limits,
    Log,
    Retention,
    Settings,
    Source,
)
from index.config.messages import nearest
from index.config.resolved import (
    AuditConfig,
    Config,
    Defaults,
    DeletionGuard,
    DocumentLimits,
    LogConfig,
    NotifyConfig,
    Owner,
    Rule,
    SourceConfig,
    UiConfig,
)
from index.config.text import Location, Problem
from index.config.units import written
from index.freshness.assess import FreshnessPolicy, Policy
from index.freshness.finding import CODES
from index.retention import RetentionRule

_Dataclass = TypeVar("_Dataclass", FreshnessPolicy, DeletionGuard, DocumentLimits)


def resolve(
    settings: Settings, connectors: Sequence[ConnectorSettings], path: Path
) -> tuple[Config, list[Problem]]:
    """Fill in the defaults; `connectors` are the sources' own settings. The problems are those that only show
    then."""
    problems: list[Problem] = []
    written_defaults = settings.defaults
    defaults = Defaults(
        owner=_owner(written_defaults.owner) or "",
        freshness=_policy(FreshnessPolicy(), written_defaults.freshness, ("defaults", "freshness"), problems),
        delete=_over(DeletionGuard(), written_defaults.delete),
        limits=_over(DocumentLimits(), written_defaults.limits),
    )
    state_dir = path.parent / Path(settings.state_dir).expanduser()
    retention, unknown = _retention(settings.retention, [source.id for source in settings.sources])
    problems += unknown
    sources: list[SourceConfig] = []
    for position, (source, connector) in enumerate(zip(settings.sources, connectors, strict=True)):
        if source.id in {other.id for other in sources}:
            problems.append(
                (("sources", position, "id"), f"{source.id!r} is the id of an earlier source too")
            )
        problems += _own_folder(state_dir, source.id, connector.folder(path.parent))
        resolved = _source(source, connector, defaults, ("sources", position), problems)
        sources.append(replace(resolved, retention=retention))
    log, misplaced = _log(settings.log, path.parent, state_dir, settings.sources, connectors)
    problems += misplaced
    host = None if settings.ledger == "sqlite" else urlsplit(settings.ledger).hostname
    if settings.index.store == "edge" and host not in (None, "localhost", "127.0.0.1", "::1"):
        problem = f"is on {host}, and store: edge is for one host; use store: qdrant, or a ledger on this one"
        problems.append((("ledger",), problem))
    config = Config(
        path=path,
        version=settings.version,
        state_dir=state_dir,
        ledger=settings.ledger,
        index=settings.index,
        embedding=settings.embedding.model_copy(
            update={"model": _model(settings.embedding.model, path.parent)}
        ),
        defaults=defaults,
        sources=tuple(sources),
        schedules=settings.schedules,
        log=log,
        audit=_audit(settings.audit),
        ui=UiConfig(settings.ui.user_header, settings.ui.proxies, (settings.ui.address or "").rstrip("/")),
        notify=_notify(settings.notify, path.parent),
        retention=retention,
    )
    return config, problems


def _audit(written: Audit) -> AuditConfig:
    chosen = {code: known.on for code, known in CODES.items()} | written.checks
    codes = frozenset(code for code, on in chosen.items() if on)
    return AuditConfig(codes, written.max_lag, written.count_hits, written.fresh_hits)


def _notify(written: Notify, base: Path) -> NotifyConfig:
    owners = written.owners
    return NotifyConfig(
        written.sender or "",
        written.smtp or "",
        written.period,
        written.escalate_after,
        written.page or "",
        base / Path(owners).expanduser() if isinstance(owners, str) else owners,
    )


def _retention(
    written: Sequence[Retention], sources: Sequence[str]
) -> tuple[tuple[RetentionRule, ...], list[Problem]]:
    rules = tuple(RetentionRule(rule.after, rule.match, rule.source, rule.field) for rule in written)
    problems: list[Problem] = [
        (
            ("retention", number, "source"),
            f"{rule.source!r} is not the id of a source{nearest(rule.source, sources)}",
        )
        for number, rule in enumerate(rules)
        if rule.source is not None and rule.source not in sources
    ]
    return rules, problems


def _log(
    written: Log,
    base: Path,
    state_dir: Path,
    sources: Sequence[Source],
    connectors: Sequence[ConnectorSettings],
) -> tuple[LogConfig, list[Problem]]:
    """An anchor in the state folder would be lost, or rewritten, with what it is to prove; and no file of
    ours is ever written into a source, but for the notes of a drop folder."""
    problems: list[Problem] = []
    closed = {"state_dir": state_dir}
    for source, connector in zip(sources, connectors, strict=True):
        if (root := connector.folder(base)) is not None:
            closed.setdefault(f"the root of source {source.id!r}", root)
    anchors = tuple(parse_anchor(text).below(base) for text in written.anchors)
    for number, anchor in enumerate(anchors):
        real = os.path.realpath(anchor.path) if anchor.path and anchor.kind != "syslog" else None
        for what, folder in closed.items():
            if real is not None and Path(real).is_relative_to(os.path.realpath(folder)):
                where = ("log", "anchors", number)
                problems.append((where, f"lies in {what} ({folder}); name a place outside of it"))
                break
    key_file = base / Path(written.key_file).expanduser() if written.key_file else None
    return LogConfig(anchors, key_file), problems


def _own_folder(state_dir: Path, source: str, root: Path | None) -> Iterator[Problem]:
    """Refuse a state folder that is, or lies around, a source: it is not written into a source, and no
    file of the state folder is a document. Inside a root the state folder is left out of the source."""
    if root is None:
        return
    state, top = Path(os.path.realpath(state_dir)), Path(os.path.realpath(root))
    if top.is_relative_to(state):
        how = "is" if top == state else "contains"
        problem = f"{how} the root of source {source!r} ({root}); give freshkb a folder of its own"
        yield ("state_dir",), problem


def _model(name: str, base: Path) -> str:
    """Names like ``./models/small`` are folders, and relative to the configuration; others are ids."""
    if not name.startswith(("./", "../", "~")):
        return name
    return str(base / Path(name).expanduser())


def _source(
    source: Source,
    connector: ConnectorSettings,
    defaults: Defaults,
    where: Location,
    problems: list[Problem],
) -> SourceConfig:
    policy = _policy(defaults.freshness, source.freshness, (*where, "freshness"), problems)
    rules = tuple(
        Rule(
            rule.match,
            _owner(rule.owner),
            None
            if rule.freshness is None
            else _policy(policy, rule.freshness, (*where, "rules", number, "freshness"), problems),
        )
        for number, rule in enumerate(source.rules)
    )
    return SourceConfig(
        id=source.id,
        type=source.type,
        connector=connector,
        owner=_owner(source.owner) or defaults.owner,
        owner_source="source" if source.owner else "default",
        freshness=policy,
        delete=_over(defaults.delete, source.delete),
        limits=_over(defaults.limits, source.limits),
        watch=source.watch,
        rules=rules,
        url=source.url or source.link or "",
    )


def _owner(owners: tuple[str, ...] | None) -> Owner | None:
    return owners[0] if owners is not None and len(owners) == 1 else owners


def _policy(
    above: Policy, override: Freshness | Literal["exempt"], where: Location, problems: list[Problem]
) -> Policy:
    """The policy that holds below `above`. A policy below an exemption starts from the built-in one."""
    if override == "exempt" or (above == "exempt" and override == Freshness()):
        return "exempt"
    policy = _over(FreshnessPolicy() if above == "exempt" else above, override)
    if policy.warn_after > policy.stale_after and override != Freshness():
        problems.append(
            (
                where,
                f"warn_after ({written(policy.warn_after)}) is longer than stale_after "
                f"({written(policy.stale_after)}); what is not written here comes from above",
            )
        )
    return policy


def _over(base: _Dataclass, override: Freshness | Delete | Limits) -> _Dataclass:
    return replace(base, **{name: value for name, value in override if value is not None})
