"""A source that is added to the configuration: made of answers, validated with the whole file, written."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.base import connector_class
from index.config import Config, load
from index.config.insert import with_source, written
from index.config.keys import KeyPath, many, value_of
from index.config.load import file_of, problems_of
from index.config.messages import key_path
from index.config.origin import secrets_in_block
from index.config.text import UnreadableFile, named_variables, read
from index.disk.atomic import replacing, sync_folder
from index.errors import ConfigError

_BOM = b"\xef\xbb\xbf"

#: A name that the environment can have.
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Addition:
    """A configuration with one more source, not written yet."""

    path: Path
    before: bytes
    after: bytes
    config: Config
    """As it would hold. Variables that are not set have a stand-in for their value."""
    source: str
    block: str
    """The text of the new source, as a list item."""
    unset: Sequence[str]
    """Variables that the new source needs, and that are not set."""


def assign(block: dict[str, Any], name: str, text: str) -> None:
    """Set a key of a source block to what a person wrote for it; a key that takes lists alone is added to.
    `name` is the key, below another one with a dot: ``columns.id``. The block has its id and its type.

    Raises ConfigError when the text is not valid for any key, or holds a secret itself.
    """
    path = tuple(name.split("."))
    if not all(path):
        raise ConfigError(
            f"{name!r} is no key; write NAME=VALUE, or NAME.NAME=VALUE for a key below another."
        )
    try:
        value = value_of(block["type"], path, text)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}.") from error
    inside = block
    for part in path[:-1]:
        inside = inside.setdefault(part, {})
        if not isinstance(inside, dict):
            raise ConfigError(f"{name}: {part} has a value of its own already.")
    last = path[-1]
    if last in inside:
        if not (many(block["type"], path) and isinstance(value, list)):
            raise ConfigError(f"{name} is given twice.")
        value = [*inside[last], *value]
    inside[last] = value
    refuse_secrets(block, path)


def unassign(block: dict[str, Any], name: str) -> None:
    """Take a key out of a source block again, where it is there."""
    *above, last = name.split(".")
    inside: Any = block
    for part in above:
        inside = inside.get(part) if isinstance(inside, dict) else None
    if isinstance(inside, dict):
        inside.pop(last, None)


def refuse_secrets(block: Mapping[str, Any], path: KeyPath) -> None:
    """Raise ConfigError when the block holds a secret itself at or below this key, rather than the name of a
    variable: files are copied, backed up and put under version control. The value is not repeated."""
    model = connector_class(block["type"]).settings_model
    name = ".".join(path)
    for secret in secrets_in_block(block, model, {}):
        if secret.written and (secret.key == name or secret.key.startswith(f"{name}.")):
            proposed = variable_for(block["id"], secret.key if secret.whole else "password")
            raise ConfigError(
                f"{secret.key} has a secret in it, and secrets are not written into the file. Put it into an "
                f"environment variable, such as {proposed}, and write ${{{proposed}}} in its place."
            )


def variable_for(source: str, key: str) -> str:
    """The name of a variable for a secret of a source.

    >>> variable_for("team-wiki", "settings.token")
    'TEAM_WIKI_TOKEN'
    """
    return re.sub(r"\W", "_", f"{source}_{key.rpartition('.')[2]}").upper().lstrip("_0123456789")


def unset_in(block: Any, environ: Mapping[str, str]) -> list[str]:
    """The variables that the values of a block need, and that have no value, in order."""
    if isinstance(block, str):
        return [
            name for name, default in named_variables(block).items() if not default and name not in environ
        ]
    items = block.values() if isinstance(block, Mapping) else block if isinstance(block, list) else ()
    return list(dict.fromkeys(name for item in items for name in unset_in(item, environ)))


def wrong_with(block: Mapping[str, Any], path: KeyPath, environ: Mapping[str, str]) -> list[str]:
    """What is wrong with the values at or below this key, as sentences; what is missing elsewhere is not."""
    found = problems_of(block, _complete(block, environ))
    return [
        f"{key_path(where)} {problem}".strip()
        for where, problem in found
        if tuple(str(part) for part in where[: len(path)]) == path and problem != "is missing"
    ]


def sources_in(path: Path | None, environ: Mapping[str, str], cwd: Path) -> list[str]:
    """The ids of the sources that the configuration has, as it is written; it need not be valid. Raises
    ConfigError when there is none."""
    file = file_of(path, environ, cwd)
    with suppress(ConfigError, UnreadableFile, LookupError, TypeError):
        value = read(_text(_bytes(file), file), None).value
        return [str(source["id"]) for source in value["sources"]]
    return []


def addition(path: Path | None, environ: Mapping[str, str], cwd: Path, block: Mapping[str, Any]) -> Addition:
    """The configuration with this source, validated as a whole. Raises ConfigError, which says what is wrong,
    and that nothing was written."""
    file = file_of(path, environ, cwd)
    before = _bytes(file)
    try:
        after = with_source(_text(before, file), block)
    except ConfigError as error:
        raise ConfigError(
            f"{file.name} is as it was: {error} Write this into its list of sources yourself:\n"
            f"{written(block)}"
        ) from error
    raw = (_BOM if before.startswith(_BOM) else b"") + after.encode()
    try:
        config = load(file, _complete(block, environ), cwd, instead=raw)
    except ConfigError as error:
        raise ConfigError(
            f"{file.name} is as it was. With the new source it would not be valid:\n{error}"
        ) from error
    shown = written(block)
    return Addition(file, before, raw, config, str(block["id"]), shown, unset_in(dict(block), environ))


def write(added: Addition) -> None:
    """Replace the configuration by the one with the new source: as a whole, with the mode and the owner that
    it had. Raises ConfigError when it was changed meanwhile, or cannot be written."""
    # A link stays one.
    path = Path(os.path.realpath(added.path))
    if _bytes(path) != added.before:
        raise ConfigError(f"{path} was changed meanwhile; nothing was written. Add the source again.")
    try:
        info = path.stat()
        with replacing(path) as file:
            if (info.st_uid, info.st_gid) != (os.geteuid(), os.getegid()):
                with suppress(PermissionError):
                    os.fchown(file.fileno(), info.st_uid, info.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(info.st_mode))
            file.buffer.write(added.after)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}. It is as it was.") from error


def _complete(block: Mapping[str, Any], environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, with a stand-in for each variable of the block that is not set."""
    return {**environ, **{name: secrets.token_hex(16) for name in unset_in(dict(block), environ)}}


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read: {error.strerror}. `freshkb init` writes a new one."
        ) from error


def _text(raw: bytes, file: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text. Save it as UTF-8.") from error
