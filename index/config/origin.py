"""Where the secrets of a source come from: the variables that the file names for them, or the file itself.

Keys are looked at as the file writes them, before variables are replaced: no value of a secret is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from index.config.block import keys_of
from index.config.messages import block_of, is_secret, is_secret_type
from index.config.resolved import Config
from index.config.text import UnreadableFile, named_variables, read
from index.redact import secret_name, secrets_in


class Secret(NamedTuple):
    """A secret among the settings of a source."""

    key: str
    """Its key in the source's block, such as ``settings.token``."""
    variables: tuple[str, ...] = ()
    """The variables of the environment that the file names for it."""
    written: bool = False
    """Whether the file itself holds it, or a default of it."""
    origin: str | None = None
    """Where its value comes from; None: it has none."""
    whole: bool = True
    """Whether the whole value is secret, and not a part of it, as in a url."""


#: Origin of a value that the file itself holds.
WRITTEN = "the configuration"

#: A url with a user alone; in a web address that would be a token.
_USER_ALONE = re.compile(r"(?i)(?!https?:)[a-z][a-z0-9+.-]*://[^\s/?#@:]*@")


def secrets_of_source(config: Config, source: str) -> Iterator[Secret]:
    """The secrets that a configured source has, or could have; none when the file cannot be read any more, or
    does not hold the source yet."""
    position = [one.id for one in config.sources].index(source)
    try:
        value = read(config.path.read_text(encoding="utf-8-sig"), None).value
        block = value["sources"][position]
    except (OSError, UnicodeDecodeError, UnreadableFile, LookupError, TypeError):
        return
    yield from secrets_in_block(block, type(config.sources[position].connector), os.environ)


def secrets_in_block(
    block: Mapping[str, Any], model: type[BaseModel], environ: Mapping[str, str]
) -> Iterator[Secret]:
    """The secrets of a source block as it is written; `model` are its connector's settings."""
    seen: set[str] = set()
    for path, value in _leaves(block, ()):
        held = _held(path, value, model)
        if held is None:
            continue
        names = named_variables(held)
        key = ".".join(path)
        seen.add(key)
        written = bool(held) and (not names or any(names.values()))
        if names and all(map(environ.get, names)):
            origin: str | None = f"environment variable{'s' if len(names) > 1 else ''} {', '.join(names)}"
        else:
            given = bool(held) and all(environ.get(name) or default for name, default in names.items())
            origin = WRITTEN if given else None
        yield Secret(key, tuple(names), written, origin, whole=held == value)
    for key in _declared(model, ()):
        if key not in seen:
            yield Secret(key)


def _held(path: tuple[str, ...], value: str, model: type[BaseModel]) -> str | None:
    """The part of a value that is the secret, as it is written; None where none of it is."""
    for part in path[:-1]:
        field = keys_of(model).get(part)
        model = (block_of(field.annotation) if field else None) or BaseModel
    if is_secret(model, path):
        return value
    if _USER_ALONE.match(value):
        return None
    found = next(iter(secrets_in(value, path[-1])), None)
    if found is None and any(secret_name(name) for name in named_variables(value)):
        return value
    return found


def _leaves(value: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*above, str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, above)
    elif value is not None and above and not isinstance(value, bool):
        yield above, str(value)


def _declared(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[str]:
    """The keys that settings declare secret."""
    for key, field in keys_of(model).items():
        below = block_of(field.annotation)
        if below is not None:
            yield from _declared(below, (*above, key))
        elif is_secret_type(field.annotation):
            yield ".".join((*above, key))
