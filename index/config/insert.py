"""A source added to the text of a configuration: every other character of it stays as it is.

The text is edited where the list of sources ends. The result is read again and has to hold what it held
before, and the new source as the last one; where it does not (an alias in the list's place), nothing is said
to have been added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from index.config.text import LOADER, UnreadableFile, read
from index.errors import ConfigError
from index.printable import printable


def with_source(text: str, block: Mapping[str, Any]) -> str:
    """The text of the configuration with one more source. Raises ConfigError when the text is not valid
    YAML, or its list of sources cannot be written to."""
    try:
        before = read(text, None).value
    except UnreadableFile as error:
        raise ConfigError(f"line {error.line}: {error}.") from error
    before = {} if before is None else before
    if not isinstance(before, dict):
        raise ConfigError("it is no mapping of keys.")
    sources = before.get("sources") or []
    if not isinstance(sources, list):
        raise ConfigError("its sources are no list.")
    after = _edited(text, block, "\r\n" if "\r\n" in text else "\n")
    try:
        found = read(after, None).value
    except UnreadableFile:
        found = None
    if found != {**before, "sources": [*sources, dict(block)]}:
        raise ConfigError("its list of sources is written in a way that cannot be added to.")
    return after


def written(block: Mapping[str, Any], column: int = 0, line_end: str = "\n") -> str:
    """A source block as an item of a list whose dashes stand in this column, with a line end after each
    line."""
    lines = [line for key, value in block.items() for line in _lines(key, value)]
    marked = [f"{'- ' if number == 0 else '  '}{line}" if line else "" for number, line in enumerate(lines)]
    return "".join(f"{' ' * column if line else ''}{line}{line_end}" for line in marked)


def _lines(key: str, value: Any) -> list[str]:
    """A key with its value: long texts line by line, all others on one."""
    if isinstance(value, str) and "\n" in value.rstrip("\n"):
        body = value.rstrip("\n")
        plain = body == body.strip() and printable(body) == body and "\r" not in body
        if plain and value in (body, f"{body}\n"):
            mark = "|" if value.endswith("\n") else "|-"
            return [f"{key}: {mark}", *(f"  {line}" if line else "" for line in body.split("\n"))]
        return [f"{key}: {json.dumps(value)}"]
    return [f"{key}: {_flow(value)}"]


def _flow(value: Any) -> str:
    """The value on one line."""
    shown = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1 << 30, sort_keys=False)
    shown = re.sub(r"\n\.\.\.\n\Z", "", shown).rstrip("\n")
    return json.dumps(value) if "\n" in shown else shown


def _edited(text: str, block: Mapping[str, Any], line_end: str) -> str:
    root = yaml.compose(text, Loader=LOADER)
    if not isinstance(root, yaml.MappingNode):
        # An empty file, or none of ours: what is missing is said by the validation.
        return f"{_ended(text, line_end)}sources:{line_end}{written(block, 2, line_end)}"
    at = root.start_mark.column
    sources = next(((key, value) for key, value in root.value if key.value == "sources"), None)
    if sources is None:
        if root.flow_style:
            item = f"sources: [{_flow(dict(block))}]"
            return _in_flow(text, root.start_mark.index, root.end_mark.index, item)
        head, rest = _ended(text[: root.end_mark.index], line_end), text[root.end_mark.index :]
        key = f"{' ' * at}sources:{line_end}"
        gap = "" if head.endswith(2 * line_end) else line_end
        return f"{head}{gap}{key}{written(block, at + 2, line_end)}{rest}"
    key, value = sources
    start, end = value.start_mark.index, value.end_mark.index
    if start < key.end_mark.index:
        raise ConfigError("its list of sources is an alias of another list.")
    if isinstance(value, yaml.SequenceNode) and not value.flow_style:
        return _in_block(text, start, end, block, line_end)
    empty = not value.value or (isinstance(value, yaml.ScalarNode) and value.value in ("~", "null"))
    if empty and not root.flow_style and re.fullmatch(r"\[\s*\]|~|null|", text[start:end]):
        head = text[:start].rstrip(" ") if start != end else text[:start]
        rest = text[end:]
        line, newline, below = rest.partition("\n")
        above = _ended(f"{head}{line}{newline}", line_end)
        return f"{above}{written(block, at + 2, line_end)}{below}"
    return _in_flow(text, start, end, _flow(dict(block)))


def _in_flow(text: str, start: int, end: int, item: str) -> str:
    """The text with an item more in the ``[ ]`` or ``{ }`` between these positions."""
    last = max((place for token, place in _ends(text, start, end - 1)), default=start + 1)
    comma = "" if text[last - 1] in ",[{" else ", "
    space = " " if text[last - 1] == "," else ""
    return f"{text[:last]}{comma}{space}{item}{text[last:]}"


def _in_block(text: str, start: int, end: int, block: Mapping[str, Any], line_end: str) -> str:
    """The text with an item more in the list of lines between these positions: below the last item and the
    comments that are indented deeper than its dash."""
    dashes = [token.start_mark for token, _ in _ends(text, start, end) if _is(token, yaml.BlockEntryToken)]
    column = dashes[0].column
    own = [mark.index for mark in dashes if mark.column == column]
    last = max(place for _, place in _ends(text, start, end))
    last = len(text[:last].rstrip())
    at = _line_end(text, last)
    lines = text[at:end].splitlines(keepends=True)
    passed = 0
    for line in lines:
        passed += len(line)
        bare = line.lstrip(" \t")
        if not bare.startswith("#"):
            if bare.strip():
                break
            continue
        if len(line) - len(bare) <= column:
            break
        at += passed
        passed = 0
    apart = line_end if len(own) > 1 and _blank_above(text, own[-1]) else ""
    return f"{_ended(text[:at], line_end)}{apart}{written(block, column, line_end)}{text[at:]}"


def _ends(text: str, start: int, end: int) -> list[tuple[Any, int]]:
    """(token, where it ends) of each token that has characters, and begins between these positions."""
    return [
        (token, token.end_mark.index)
        for token in yaml.scan(text, Loader=LOADER)
        if start <= token.start_mark.index < end and token.end_mark.index > token.start_mark.index
    ]


def _is(token: object, kind: type) -> bool:
    return isinstance(token, kind)


def _line_end(text: str, at: int) -> int:
    """The position after the line that `at` lies in."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _blank_above(text: str, at: int) -> bool:
    lines = text[:at].split("\n")
    return len(lines) > 1 and not lines[-2].strip()


def _ended(text: str, line_end: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}{line_end}"
