"""The settings of a source of the long tail, checked without the library."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, ClassVar

from pydantic import SecretStr, ValidationInfo, field_validator

from connectors.base import ConnectorSettings, check_url
from connectors.ingest.keys import BLOCKS, KEYS, REFUSED, Keys, ServiceName

_URLS = frozenset({"url", "site", "authority_url"})

#: Parts of a service account's key that are secret, and words that no other text has.
_PRIVATE = ("private_key", "private_key_id")


class IngestSettings(ConnectorSettings):
    place: ClassVar[frozenset[str]] = frozenset({"connector"})

    connector: ServiceName
    """The service: confluence, sharepoint, onedrive, google_drive, notion, jira, slack or zendesk."""
    settings: Mapping[str, Any]
    """The keys of the library's connection_config, access_config and indexer_config for this service, in
    these blocks or side by side; credentials from the environment."""

    @field_validator("settings")
    @classmethod
    def _settings_are_known(cls, given: Mapping[str, Any], info: ValidationInfo) -> Mapping[str, Any]:
        service: ServiceName | None = info.data.get("connector")
        if service is None:
            return {}
        keys, found = KEYS[service], dict[str, Any]()
        for name, value in _flat(given, keys, service):
            if name in found:
                raise ValueError(f"has {name} twice")
            if value is not None and value != "":
                found[name] = _covered(name, value) if name in keys.access else value
        for name in _URLS & found.keys():
            try:
                check_url(str(found[name]), ("http", "https"))
            except ValueError as error:
                raise ValueError(f"has a {name} that {error}") from None
        if missing := sorted(keys.required - found.keys()):
            raise ValueError(f"lacks {', '.join(missing)}, which {service} needs")
        return found

    @property
    def secrets(self) -> list[str]:
        """The values of credentials, longest first."""
        found = [text for value in self.settings.values() for text in _secrets(value)]
        return sorted(found, key=len, reverse=True)

    def blocks(self) -> dict[str, dict[str, Any]]:
        """{block: {key: value}} as the library takes them, credentials in the clear."""
        keys = KEYS[self.connector]
        return {
            block: {name: _clear(value) for name, value in self.settings.items() if name in keys.of(block)}
            for block in BLOCKS
        }


def _flat(given: Mapping[str, Any], keys: Keys, service: str) -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        if name in BLOCKS and isinstance(value, Mapping):
            for inside, item in value.items():
                if inside in BLOCKS and isinstance(item, Mapping):
                    yield from _flat({inside: item}, keys, service)
                else:
                    _check(inside, keys.of(name), service, f"{name}.")
                    yield inside, item
        else:
            _check(name, keys.known, service, "")
            yield name, value


def _check(name: str, known: frozenset[str], service: str, where: str) -> None:
    if name in known:
        return
    if name in REFUSED:
        raise ValueError(f"has {where}{name}, which {REFUSED[name]}")
    near = get_close_matches(str(name), sorted(known), n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"{service} knows {', '.join(sorted(known)) or 'none'}"
    raise ValueError(f"has the unknown key {where}{name}; {hint}")


def _covered(name: str, value: object) -> object:
    """The value of a credential, that nothing shows by accident."""
    if name == "service_account_key":
        try:
            parts = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            parts = None
        if not isinstance(parts, Mapping):
            raise ValueError("has a service_account_key that is no JSON object")
        return {key: SecretStr(str(part)) if key in _PRIVATE else part for key, part in parts.items()}
    if not isinstance(value, str):
        raise ValueError(f"has a {name} that is no text; put it in quotes")
    return SecretStr(value)


def _clear(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {key: _clear(part) for key, part in value.items()}
    return value


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _secrets(part)
