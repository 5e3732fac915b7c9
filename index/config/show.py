"""Settings as JSON values, for people to look at: no secret is among them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, SecretStr

from index.config.units import written

REDACTED = "***"


def redacted_url(url: str) -> str:
    """The url with its password, or a query that may hold one, covered.

    >>> redacted_url("postgresql+psycopg://kb:secret@db/kb")
    'postgresql+psycopg://kb:***@db/kb'
    """
    url = re.sub(r"(://[^:/@]*):.*@", rf"\1:{REDACTED}@", url)
    return re.sub(r"([?&](?:password|api_key|token|key|sslpassword)=)[^&#]*", rf"\1{REDACTED}", url)


def redacted(settings: BaseModel) -> dict[str, Any]:
    shown = settings.model_dump(mode="json")
    for name, value in settings:
        if isinstance(value, SecretStr):
            shown[name] = REDACTED
        elif isinstance(value, str) and "://" in value:
            shown[name] = redacted_url(value)
    return shown


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
