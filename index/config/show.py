"""Settings as JSON values, for people to look at: no secret is among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, SecretStr

from index.config.units import written
from index.redact import REDACTED, redacted


def shown(settings: BaseModel) -> dict[str, Any]:
    """A block as it is written, secrets covered at any depth."""
    found: dict[str, Any] = {}
    for name, value in settings.model_dump(mode="json").items():
        secret = isinstance(getattr(settings, name, None), SecretStr)
        found[name] = REDACTED if secret else redacted(value, name)
    return found


def secrets_of(value: object) -> Iterator[str]:
    """The values of fields that the settings declare secret, at any depth."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for _, item in value:
            yield from secrets_of(item)
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from secrets_of(item)


def plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return written(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return value
