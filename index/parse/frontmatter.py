"""The block of properties that a Markdown file begins with: YAML between ``---``, TOML between ``+++``.

A block that its language does not accept is read line by line for plain pairs of a name and a value, so that
a date and an owner that a person can read still count. Of any other line the first word is taken for a name
whose value cannot be read: it may have been meant as a date, and no other date may stand in for that.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from index.freshness.properties import canonical
from index.model import HEADING_MAX, Diagnostic
from index.parse.outline import squeeze

_BLOCK = re.compile(
    r"\A(?P<fence>---|\+\+\+)[ \t]*\n(?P<block>.*?)(?:(?<=\n)|\A)(?P=fence)[ \t]*(?:\n|\Z)", re.DOTALL
)
_PAIR = {
    "---": re.compile(
        r"(?P<indent>[ \t]*)(?P<quote>[\"']?)(?P<name>\w[\w .-]{0,99}?)(?P=quote)[ \t]*:"
        r"(?:[ \t]+(?P<value>.*)|$)"
    ),
    "+++": re.compile(
        r"(?P<indent>[ \t]*)(?P<quote>[\"']?)(?P<name>\w[\w.-]{0,99})(?P=quote)[ \t]*=(?P<value>.*)"
    ),
}
_COMMENT = re.compile(r"[ \t]*(?:#|$)")
_ITEM = re.compile(r"[ \t]*-(?:[ \t]+(?P<value>.*)|$)")
_TABLE = re.compile(r"[ \t]*\[+(?P<name>[\w .\"'-]+)\]+[ \t]*(?:#.*)?")
_WORD = re.compile(r"[ \t]*[\"']?(?P<name>\w[\w.-]{0,99})")
#: Beginnings of values that go on in other lines: text, lists, mappings, quotes.
_UNCLOSED = ("[", "{", '"', "'")
_FOLDED = re.compile(r"[|>][+-]?\d?[+-]?[ \t]*(?:#.*)?")

#: Names taken from a block, and items of one list: a file of aliases to aliases may claim billions.
_PROPERTIES_MAX = 1000
_ITEMS_MAX = 100

#: Names whose values are words.
_WRITTEN = frozenset({"title", "lang", "language"})
_NULL = "tag:yaml.org,2002:null"

INVALID = "front-matter-invalid"


class FrontMatter(NamedTuple):
    properties: dict[str, Any]
    """See `index.freshness.properties`; nested names joined with dots, dates in ISO form."""
    body: str
    findings: tuple[Diagnostic, ...] = ()


class _Loader(yaml.SafeLoader):
    """Safe YAML in which an impossible date is the text that it is, not an error, and a title or a language
    is as it is written: to YAML, ``lang: no`` is false, and ``title: 12:30`` a number."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and canonical(key.value) in _WRITTEN:
                for one in value.value[:_ITEMS_MAX] if isinstance(value, yaml.SequenceNode) else (value,):
                    if isinstance(one, yaml.ScalarNode) and one.tag != _NULL:
                        one.tag = self.DEFAULT_SCALAR_TAG
        return super().construct_mapping(node, deep)


def _timestamp(loader: _Loader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:
        return node.value


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)

_ERRORS = (yaml.YAMLError, tomllib.TOMLDecodeError, ValueError, RecursionError)


def front_matter(text: str) -> FrontMatter:
    """The front matter of a document, and the rest. Two rules with text between them are none."""
    text = text.lstrip("\ufeff")
    match = _BLOCK.match(text)
    if match is None:
        return FrontMatter({}, text)
    fence, block, body = match["fence"], match["block"], text[match.end() :]
    try:
        front = tomllib.loads(block) if fence == "+++" else yaml.load(block, _Loader)
    except _ERRORS as error:
        if not _is_meant(fence, block):
            return FrontMatter({}, text)
        return FrontMatter(dict(_flat(_line_by_line(fence, block))), body, (_finding(fence, error),))
    if isinstance(front, dict):
        return FrontMatter(dict(_flat(front)), body)
    return FrontMatter({}, text if block.strip() else body)


def _is_meant(fence: str, block: str) -> bool:
    """Whether a block that cannot be read was meant to be front matter: it begins with a pair, or consists of
    pairs for the most part."""
    lines = [line for line in block.splitlines() if not _COMMENT.match(line)]
    pairs = [bool(_PAIR[fence].fullmatch(line)) for line in lines]
    return bool(pairs) and (pairs[0] or sum(pairs) * 2 >= len(pairs))


def _finding(fence: str, error: Exception) -> Diagnostic:
    line: int | None = None
    said = str(error)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        line, said = error.problem_mark.line + 2, error.problem or ""
    elif found := re.search(r"\(at line (\d+), column \d+\)", said):
        line, said = int(found[1]) + 1, said[: found.start()]
    language = "TOML" if fence == "+++" else "YAML"
    why = squeeze(said)[:200].rstrip(". ")
    reason = (
        f"The front matter is not valid {language}{f' ({why})' if why else ''}; it was read line by line."
    )
    return {"code": INVALID, "line": line, "reason": reason}


# ── Line by line ──────────────────────────────────────────────────────────────────────────────────────


def _line_by_line(fence: str, block: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    table = parent = ""
    for line in block.splitlines():
        if len(found) >= _PROPERTIES_MAX:
            break
        if _COMMENT.match(line):
            continue
        if fence == "+++" and (header := _TABLE.fullmatch(line)):
            table = f"{squeeze(header['name'])}."
        elif pair := _PAIR[fence].fullmatch(line):
            name, value = table + pair["name"], pair["value"] or ""
            written = canonical(name) in _WRITTEN
            # An indented line belongs to a name without a value; below any other it is a stray tab.
            below = bool(pair["indent"] and parent)
            if not below:
                parent = "" if _value(fence, value) is not None and not _FOLDED.fullmatch(value) else name
            found[f"{parent}.{name}" if below else name] = _value(fence, value, written)
        elif parent and fence == "---" and (item := _ITEM.fullmatch(line)):
            listed = found[parent] if isinstance(found[parent], list) else []
            found[parent] = [*listed, _value(fence, item["value"] or "")]
        elif not (parent and line[0] in " \t") and (word := _WORD.match(line)):
            found[table + word["name"]] = None
    return found


def _value(fence: str, text: str, written: bool = False) -> Any:
    """The value of a line, with `written` as it stands there; None when it is missing or cannot be read."""
    try:
        if fence == "+++":
            return tomllib.loads(f"value = {text}")["value"]
        value = yaml.load(text, _Loader)
        if written and value is not None:
            value = yaml.load(text, yaml.BaseLoader)
    except _ERRORS:
        return None if fence == "+++" or text.startswith(_UNCLOSED) else squeeze(text)
    # ``Travel: the rules`` is a mapping to YAML, and a title to its author.
    return squeeze(text) if isinstance(value, dict) and not text.startswith("{") else value


# ── Flat ──────────────────────────────────────────────────────────────────────────────────────────────


def _flat(front: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Values by dotted name, as `index.freshness.properties` has them."""
    left = _PROPERTIES_MAX
    stack: list[tuple[str, Any]] = [("", front)]
    while stack and left:
        name, value = stack.pop()
        left -= 1
        if isinstance(value, dict):
            prefix = f"{name}." if name else ""
            stack += [(f"{prefix}{key}", inner) for key, inner in reversed(value.items())]
            if name:
                yield name, {}
        elif isinstance(value, list | tuple | set):
            # Items that are no scalars stay, as unreadable.
            yield name, [_scalar(item) for item in list(value)[:_ITEMS_MAX]]
        else:
            yield name, _scalar(value)


def _scalar(value: Any) -> str | bool | int | float | None:
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, float):
        finite = value not in (float("inf"), float("-inf")) and value == value
        return value if finite else str(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        # A number too long to be written in decimal digits.
        return hex(value)[:HEADING_MAX]
    if isinstance(value, bool | int):
        return value
    return squeeze(value)[:HEADING_MAX] if isinstance(value, str) else None
