"""Read the configuration: find the file, replace variables, apply overrides, report every error at once."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from connectors.base import ConnectorError, ConnectorSettings, connector_class
from index.config.block import check_path, keys_of
from index.config.blocks import Settings, Source
from index.config.messages import block_of, explain, nearest, report
from index.config.patterns import check_pattern
from index.config.resolve import resolve
from index.config.resolved import Config
from index.config.show import secrets_of
from index.config.text import Excessive, Location, Problem, Text, UnreadableFile, read
from index.errors import ConfigError
from index.printable import is_unicode
from index.redact import remember

FILE_NAME = "freshkb.yaml"
PREFIX = "FRESHKB_"

#: Names the configuration where no option does.
CONFIG = "FRESHKB_CONFIG"

#: Holds the passphrase of an encrypted backup.
PASSPHRASE = "FRESHKB_BACKUP_PASSPHRASE"

#: Variables with the prefix that are no settings: the ones above, the verbosity that `flows.logs` hands to
#: flow runs, and the addresses of the tests' real servers.
NOT_SETTINGS = (CONFIG, "FRESHKB_VERBOSE", "FRESHKB_TEST_", PASSPHRASE)

#: Variables from which a library of ours reads a secret.
_GIVEN_TO_OTHERS = ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PGPASSWORD", "HF_TOKEN")

_SIZE_MAX = 1_000_000


def load(path: Path | None, environ: Mapping[str, str], cwd: Path, *, instead: bytes | None = None) -> Config:
    """The effective configuration of a file; without one, of that which FRESHKB_CONFIG names, else of the
    ``freshkb.yaml`` in `cwd` or the nearest parent. With `instead`, as it would be if the file held this.

    Raises ConfigError, which lists every problem with its line and key.
    """
    file = file_of(path, environ, cwd)
    name = os.path.relpath(file, cwd) if file.is_relative_to(cwd) else str(file)
    remember({v: value for v, value in environ.items() if v in _GIVEN_TO_OTHERS or "://" in value})
    text = _read(file, name, environ, instead)
    origins: dict[Location, str] = {}
    if isinstance(text.value, dict):
        text.problems += _override(text.value, environ, origins)
    remember(text.value, {variable: environ[variable] for variable in text.variables})
    config, problems = _validate(text.value, file)
    problems = _once([*text.problems, *problems])
    if config is None or problems:
        raise ConfigError(report(name, text, origins, problems))
    remember(*secrets_of([config.index, config.notify.owners, *(s.connector for s in config.sources)]))
    return config


def file_of(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The absolute path of the configuration that `load` reads. Raises ConfigError when there is none."""
    if path is None and environ.get(CONFIG):
        path = Path(environ[CONFIG])
    if path is None:
        return find(cwd)
    try:
        return _absolute(cwd / Path(check_path(str(path))).expanduser())
    except ValueError as error:
        raise ConfigError(f"The configuration {str(path)!r} {error}.") from error


def find(cwd: Path) -> Path:
    """The configuration file of a working directory. Raises ConfigError when there is none."""
    cwd = _absolute(cwd)
    for folder in (cwd, *cwd.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise ConfigError(
        f"There is no {FILE_NAME} in {cwd} or above it. `freshkb init` writes one; --config names another."
    )


def _absolute(path: Path) -> Path:
    """Without ``..``; links stay, for a configuration is where its user sees it."""
    return Path(os.path.normpath(Path.cwd() / path))


def _read(file: Path, name: str, environ: Mapping[str, str], instead: bytes | None) -> Text:
    try:
        raw = instead
        if raw is None:
            with file.open("rb") as opened:
                raw = opened.read(_SIZE_MAX + 1)
        if len(raw) > _SIZE_MAX:
            raise ConfigError(f"{name} is larger than {_SIZE_MAX:,} bytes; is it a freshkb configuration?")
        return read(raw.decode("utf-8-sig"), environ)
    except OSError as error:
        raise ConfigError(
            f"{name} cannot be read: {error.strerror}. `freshkb init` writes a new one."
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}:{line}: is not UTF-8 text. Save it as UTF-8.") from error
    except UnreadableFile as error:
        raise ConfigError(
            f"{name}:{error.line}: {error}. Nothing was read; mend the line and try again."
        ) from error


# ── Overrides ─────────────────────────────────────────────────────────────────────────────────────────


@functools.cache
def variables() -> dict[str, tuple[str, ...]]:
    """Every environment variable that overrides a setting, and the setting it overrides.

    Sources have none, because a position in a list is no stable name. Their values may name variables in the
    file. The rules of retention are overridden as a list, the owners of notify as a path or a mapping.
    """
    return {PREFIX + "__".join(path).upper(): path for path in _leaves(Settings, ())}


def _leaves(model: type[BaseModel], at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, about in keys_of(model).items():
        if (*at, name) in (("version",), ("sources",)):
            continue
        block = block_of(about.annotation)
        whole = (*at, name) in (("retention",), ("notify", "owners"))
        if block is None or whole or name == "freshness":
            yield (*at, name)
        if block is not None and not whole:
            yield from _leaves(block, (*at, name))


def _override(
    value: dict[str, Any], environ: Mapping[str, str], origins: dict[Location, str]
) -> list[Problem]:
    """Write the environment's values into `value`, noting in `origins` where each one came from."""
    known = variables()
    problems: list[Problem] = []
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        if variable.startswith(NOT_SETTINGS):
            continue
        at = known.get(variable)
        if at is None:
            near = nearest(variable, (*known, CONFIG))
            origins[(variable,)] = f"environment variable {variable}"
            problems.append(((variable,), f"overrides no setting{near}"))
            continue
        origins[at] = f"environment variable {variable}"
        block = value
        for key in at[:-1]:
            if not isinstance(block.get(key), dict):
                block[key] = {}
            block = block[key]
        if not is_unicode(environ[variable]):
            problems.append((at, "is not UTF-8 text"))
            continue
        try:
            block[at[-1]] = _parsed(environ[variable])
        except Excessive as error:
            problems.append((at, str(error)))
    return problems


def _parsed(text: str) -> Any:
    """Lists and mappings are YAML. Everything else is the text itself, so that no password is misread."""
    if text.startswith(("[", "{")):
        try:
            return read(text, None).value
        except Excessive:
            raise
        except UnreadableFile:
            return text
    return text


# ── Validation ────────────────────────────────────────────────────────────────────────────────────────


def _validate(value: Any, file: Path) -> tuple[Config | None, list[Problem]]:
    if value is None:
        value = {}
    if not isinstance(value, dict):
        return None, [((), "should be a mapping that begins with `version: 1`")]
    problems: list[Problem] = []
    connectors: list[ConnectorSettings | None] = []
    written = value.get("sources")
    if isinstance(written, list):
        blocks = []
        for position, block in enumerate(written):
            common, connector, found = _split(block, ("sources", position))
            blocks.append(common)
            connectors.append(connector)
            problems += found
        value = {**value, "sources": blocks}
    try:
        settings = Settings.model_validate(value)
    except ValidationError as error:
        return None, problems + explain(error, (), Settings)
    settled = [connector for connector in connectors if connector is not None]
    if len(settled) < len(connectors):
        return None, problems
    config, late = resolve(settings, settled, file)
    return config, problems + late


def problems_of(block: Mapping[str, Any], environ: Mapping[str, str]) -> list[Problem]:
    """What is wrong with a source block by itself, with its locations inside it; what is missing included.
    Variables are replaced."""
    text = read(json.dumps(block), environ)
    common, _, problems = _split(text.value, ())
    try:
        Source.model_validate(common)
    except ValidationError as error:
        problems += explain(error, (), Source)
    return _once([*text.problems, *problems])


def _split(block: Any, at: Location) -> tuple[Any, ConnectorSettings | None, list[Problem]]:
    """A source's common keys, and its connector's settings made of the others. A key that the connector has,
    too, is the connector's: the url of a bucket is where it is, and no template of links."""
    if not isinstance(block, dict):
        return block, None, []
    common = {key: value for key, value in block.items() if key in Source.model_fields}
    type_name = common.get("type")
    if not isinstance(type_name, str):
        return common, None, []
    try:
        model = connector_class(type_name).settings_model
    except ConnectorError as error:
        return common, None, [((*at, "type"), str(error).rstrip("."))]
    common = {key: value for key, value in common.items() if key not in model.model_fields}
    rest = {key: value for key, value in block.items() if key not in common}
    problems = list(_pattern_problems(rest, at))
    if common.get("link") is not None and "url" not in model.model_fields:
        problems.append(((*at, "link"), f"is for sources whose url says where they are; {type_name} has url"))
    if problems:
        return common, None, problems
    try:
        settings = model.model_validate(
            {key: value for key, value in rest.items() if value is not None or key not in model.model_fields}
        )
    except ValidationError as error:
        return common, None, explain(error, at, model)
    return common, settings, []


def _pattern_problems(block: Mapping[str, Any], at: Location) -> Iterator[Problem]:
    for name in ("include", "exclude"):
        patterns = block.get(name)
        for position, pattern in enumerate(patterns if isinstance(patterns, list) else ()):
            if not isinstance(pattern, str):
                continue
            try:
                check_pattern(pattern)
            except ValueError as error:
                yield (*at, name, position), f"{pattern!r} {error}"


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """The problems without those that only follow from another at the same place."""
    found: dict[Location, str] = {}
    for where, what in problems:
        found.setdefault(where, what)
    if any(where[:1] == ("sources",) and len(where) > 1 for where in found):
        # A wrong source is not counted, so that the list seems too short.
        found.pop(("sources",), None)
    return list(found.items())
