"""The needs of a source: packages, programs and credentials, each with the place where it was found."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from connectors.base import Connector, Need, platform_needs
from index.config import Config
from index.config.origin import secrets_in_block, secrets_of_source
from index.redact import redact


def needs_of(
    config: Config,
    source: str,
    connector: Connector | None = None,
    block: Mapping[str, Any] | None = None,
) -> list[Need]:
    """The needs of a configured source: packages and programs of its type, the secrets among its settings,
    and what its connector names, where it could be made; where no secret is given, also the credentials that
    libraries find by themselves. Nothing is asked. `block` is the source as the file is to hold it, when that
    does not yet."""
    settings = config.source(source)
    given = list(credentials(config, source, block))
    own = list(connector.needs()) if connector is not None else []
    told = any(need.origin is not None for need in given)
    platform = [
        need
        for need in platform_needs(settings.type, settings.connector)
        if need.kind != "credential" or not told
    ]
    return list({(need.kind, need.name): _covered(need) for need in [*platform, *given, *own]}.values())


def _covered(need: Need) -> Need:
    return need if need.origin is None else need._replace(origin=redact(need.origin))


def credentials(config: Config, source: str, block: Mapping[str, Any] | None = None) -> Iterator[Need]:
    """The secrets among the settings of a source. One that is not given need not be missing: its server may
    want none, or the platform has it."""
    model = type(config.source(source).connector)
    written = (
        secrets_of_source(config, source) if block is None else secrets_in_block(block, model, os.environ)
    )
    for secret in written:
        yield Need("credential", secret.key, secret.origin)


def written_out(config: Config, source: str) -> list[str]:
    """The keys of those secrets that the configuration itself holds."""
    return [secret.key for secret in secrets_of_source(config, source) if secret.written]


def missing(needs: Iterable[Need]) -> str:
    """What is missing and how it is got, in sentences; "" when nothing is."""
    lines: dict[tuple[str, str], list[str]] = {}
    for need in needs:
        if need.missing:
            lines.setdefault((need.kind, need.remedy), []).append(need.name)
    return " ".join(
        f"The {kind}{'s' if len(names) > 1 else ''} {' and '.join(names)} "
        f"{'are' if len(names) > 1 else 'is'} missing: {remedy}."
        for (kind, remedy), names in lines.items()
    )


def not_given(needs: Iterable[Need]) -> str:
    """The credentials that a source could have, as a sentence, when none of them was found; else ""."""
    credentials = [need for need in needs if need.kind == "credential"]
    if any(need.origin is not None for need in credentials):
        return ""
    names = ", ".join(need.name for need in credentials)
    return f"Not given: {names}." if names else ""
