"""The directory of owners, from the configuration or from a CSV file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from index.config import Config
from index.config.audit_blocks import Person
from index.config.messages import explain, key_path, nearest
from index.errors import ConfigError
from index.freshness.owners import fold
from index.people.directory import Directory
from index.redact import remember

COLUMNS = ("owner", "name", "email", "manager", "members", "rota", "apprise")

_SIZE_MAX = 10_000_000
#: Errors of one message.
_SHOWN_MAX = 100


def directory_of(config: Config) -> Directory:
    """The directory that a configuration names. Raises ConfigError, which lists every error of a CSV file
    with its line and column."""
    owners = config.notify.owners
    if owners is None:
        return Directory()
    entries = _read(owners) if isinstance(owners, Path) else owners
    where = owners.name if isinstance(owners, Path) else f"{config.path.name}: notify.owners"
    _once(entries, where)
    for entry in entries.values():
        _remember(entry)
    try:
        return Directory(entries)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}. Take one of them out of another; nothing was done.") from error


def _once(owners: Mapping[str, Person], where: str) -> None:
    seen: dict[str, str] = {}
    for owner in owners:
        before = seen.setdefault(fold(owner), owner)
        if before != owner:
            raise ConfigError(f"{where}: {owner!r} and {before!r} are one name. Keep one of them.")


def _remember(entry: Person) -> None:
    """Cover what may be a secret in an Apprise url: the url, and its parts with a digit."""
    for url in entry.apprise:
        text = url.get_secret_value()
        parts = (part for part in re.split(r"[/?&=@:]+", text) if re.search(r"\d", part))
        remember(text, *parts)


def _read(path: Path) -> dict[str, Person]:
    name = path.name
    try:
        with path.open("rb") as file:
            raw = file.read(_SIZE_MAX + 1)
    except OSError as error:
        raise ConfigError(
            f"The directory of owners {path} cannot be read: {error.strerror}. Mend it, or name another in "
            "notify.owners."
        ) from error
    if len(raw) > _SIZE_MAX:
        raise ConfigError(f"The directory of owners {path} is larger than {_SIZE_MAX:,} bytes.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}:{line}: is not UTF-8 text. Save it as UTF-8.") from error
    entries: dict[str, Person] = {}
    lines: dict[str, int] = {}
    problems: list[str] = []
    for line, cells, wrong in _rows(text):
        owner = cells.pop("owner", "")
        found, more = _entry(cells)
        first = lines.setdefault(fold(owner), line) if owner else line
        if first != line:
            wrong = [*wrong, f"owner: {owner!r} stands in line {first}, too"]
        if not owner:
            wrong = [*wrong, "owner: is missing"]
        problems += [f"{name}:{line}: {problem}" for problem in (*wrong, *more)]
        if found is not None:
            entries[owner] = found
    if problems:
        count = "1 error" if len(problems) == 1 else f"{len(problems):,} errors"
        raise ConfigError("\n".join([*problems[:_SHOWN_MAX], f"{count}; nothing was done."]))
    return entries


def _rows(text: str) -> Iterator[tuple[int, dict[str, str], list[str]]]:
    """(line, cells that are not empty by column, what is wrong) of each row that is not empty."""
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in header else ",", strict=True)
    columns: list[str] | None = None
    line = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if columns is None:
                columns = [cell.lower() for cell in cells]
                if wrong := list(_wrong_header(columns)):
                    yield line, {"owner": "owner"}, wrong
                    return
            elif any(cells):
                more = any(cells[len(columns) :])
                wrong = [f"has {len(cells)} cells, and there are {len(columns)} columns"] if more else []
                yield line, {c: cell for c, cell in zip(columns, cells, strict=False) if cell}, wrong
            line = reader.line_num + 1
    except csv.Error as error:
        yield reader.line_num, {"owner": "owner"}, [f"is no CSV: {error}"]


def _wrong_header(columns: list[str]) -> Iterator[str]:
    for number, column in enumerate(columns):
        if column not in COLUMNS:
            yield f"unknown column {column!r}{nearest(column, COLUMNS)}"
        elif column in columns[:number]:
            yield f"column {column!r} is there twice"
    if "owner" not in columns:
        yield "has no column owner: its first line should name the columns, such as owner,name,email"


def _entry(cells: Mapping[str, str]) -> tuple[Person | None, list[str]]:
    """The entry of a row, and what is wrong with it."""
    given: dict[str, Any] = dict(cells)
    if "members" in given:
        # Names have blanks in them; urls have none.
        given["members"] = [name.strip() for name in re.split(r"[,;\n]", given["members"]) if name.strip()]
    if "apprise" in given:
        given["apprise"] = [SecretStr(url) for url in given["apprise"].split()]
    if "rota" in given:
        given["rota"] = given["rota"].lower()
    try:
        return Person.model_validate(given), []
    except ValidationError as error:
        found = [(key_path(at[:1]), what) for at, what in explain(error, (), Person)]
        return None, [f"{where}: {what}" if where else what for where, what in found]
