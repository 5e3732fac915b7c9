"""Markdown: front matter, then CommonMark with tables, by way of HTML.

unstructured's reader takes front matter for a heading, needs four spaces below a list item where CommonMark
needs two, and takes the fences out of code inside lists; markdown-it-py does what authors see on their
forge.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.reference import reference

from index.model import Parsed
from index.parse import html
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable, squeeze
from index.parse.text import decode

_FRONT_MATTER = re.compile(
    r"\A(?P<fence>---|\+\+\+)[ \t]*\n(?P<block>.*?)(?:(?<=\n)|\A)(?P=fence)[ \t]*(?:\n|\Z)", re.DOTALL
)
_KEY = re.compile(r"[ \t]*[\w.\"'-]+[ \t]*[:=]")
#: Keys taken from front matter: a file of aliases to aliases may claim billions.
_PROPERTIES_MAX = 1000


class _Loader(yaml.SafeLoader):
    """Safe YAML in which an impossible date is the text that it is, not an error."""


def _timestamp(loader: _Loader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:
        return node.value


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Link definitions, but not footnotes: CommonMark would take one for a definition, and hide it."""
    if state.src.startswith("[^", state.bMarks[start] + state.tShift[start]):
        return False
    return reference(state, start, end, silent)


#: Blocks in blocks, of which a list takes two. What lies deeper the library would leave out in silence.
_DEPTH_MAX = 100
_MARKDOWN = MarkdownIt("commonmark", {"maxNesting": _DEPTH_MAX}).enable(["table", "strikethrough"])
_MARKDOWN.block.ruler.at("reference", _reference)


def parse(path: Path, format: Format) -> Parsed:
    front, body = front_matter(decode(path.read_bytes()))
    outline = Outline()
    if isinstance(front, str):
        # The author's typing error is the author's to find: the document is searchable as it stands.
        outline.add(front, "CodeSnippet")
        front = {}
    properties = dict(_flat(front))
    environment: dict[str, Any] = {}
    tokens = _MARKDOWN.parse(body, environment)
    if any(token.level >= _DEPTH_MAX - 1 for token in tokens):
        raise Unreadable("The document nests its parts too deeply.")
    root = html.tree(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, environment))
    if root is not None:
        html.walk(root, outline)
    language = str(properties.get("lang") or properties.get("language") or "")
    return outline.parsed(
        title=str(properties.get("title", "")),
        language=language.replace("_", "-").partition("-")[0].lower() or None,
        properties=properties,
    )


def front_matter(text: str) -> tuple[dict[Any, Any] | str, str]:
    """(front matter, body). The front matter is text, fences included, where it cannot be read."""
    text = text.lstrip("\ufeff")
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    body = text[match.end() :]
    try:
        if match["fence"] == "+++":
            return tomllib.loads(match["block"]), body
        front = yaml.load(match["block"], _Loader)
    except (yaml.YAMLError, tomllib.TOMLDecodeError, ValueError, RecursionError):
        front = None
        if _KEY.match(match["block"]):
            return match[0].strip(), body
    if isinstance(front, dict):
        return front, body
    # Two rules with text between them, or nothing at all.
    return ({}, text) if match["block"].strip() else ({}, body)


def _flat(front: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Scalars by dotted name; lists of scalars joined by commas; dates in ISO form."""
    left = _PROPERTIES_MAX
    stack: list[tuple[str, Any]] = [("", front)]
    while stack and left:
        name, value = stack.pop()
        left -= 1
        if isinstance(value, dict):
            prefix = f"{name}." if name else ""
            stack += [(f"{prefix}{key}", inner) for key, inner in reversed(value.items())]
        elif isinstance(value, list):
            if texts := [str(_scalar(item)) for item in value if _is_scalar(item)]:
                yield name, ", ".join(texts)
        elif _is_scalar(value):
            yield name, _scalar(value)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | bool | int | float | datetime.date | datetime.time)


def _scalar(value: Any) -> str | bool | int | float:
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, float) and value not in (float("inf"), float("-inf")) and value == value:
        return value
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        # Nobody's number, and too long to be written in decimal digits.
        return hex(value)
    return value if isinstance(value, bool | int) else squeeze(str(value))
