"""XML and JSON: every text with its place, one element for each entry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from index.model import Parsed
from index.parse.formats import Format
from index.parse.outline import Outline, Unreadable, squeeze
from index.parse.readers import html
from index.parse.readers.text import decode


def parse(path: Path, format: Format) -> Parsed:
    if format.name == "xml":
        return _xml(path, format)
    text = decode(path.read_bytes())
    outline = Outline()
    title = ""
    try:
        if format.name == "jsonl":
            entries = [_loaded(line) for line in text.split("\n") if line.strip()]
        else:
            value = _loaded(text) if text.strip() else []
            entries = value if isinstance(value, list) else [value]
            if isinstance(value, tuple):
                entries = [(pair,) for pair in value]
                named = dict(value).get("title")
                title = named if isinstance(named, str) else ""
        for entry in entries:
            outline.add("\n".join(_lines(entry, "")), "UncategorizedText")
    except json.JSONDecodeError as error:
        raise Unreadable(f"The document is damaged: it is not valid JSON ({error}).") from None
    except RecursionError:
        raise Unreadable("The document nests its values too deeply.") from None
    return outline.parsed(title=title)


def _loaded(text: str) -> Any:
    """An object is a tuple of its pairs, of which some may have the same key. Numbers stay as they are
    written: 1.50 is not 1.5 to a reader."""
    return json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=tuple)


def _lines(value: Any, indent: str) -> Iterator[str]:
    """An indented outline: each key and each value once, as it would look in YAML."""
    if isinstance(value, tuple):
        for key, inner in value:
            if isinstance(inner, tuple | list) and inner:
                yield f"{indent}{key}:"
                yield from _lines(inner, indent + "  ")
            else:
                yield f"{indent}{key}: {_shown(inner)}".rstrip()
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, tuple | list) and inner:
                first, *others = _lines(inner, indent + "  ")
                yield f"{indent}- {first.strip()}"
                yield from others
            else:
                yield f"{indent}- {_shown(inner)}"
    else:
        yield indent + _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value in ([], ()) else json.dumps(value)


def _xml(path: Path, format: Format) -> Parsed:
    text = decode(path.read_bytes(), markup=True)
    if not text.strip():
        return Outline().parsed()
    # Entities stay unexpanded and nothing is fetched; the declaration goes, since the text is decoded
    # already.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
        encoding="utf-8",
    )
    try:
        root = etree.fromstring(text.lstrip().encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"The document is damaged: it is not valid XML ({error.msg}).") from None
    if etree.QName(root).localname == "html":
        return html.parse(path, format)
    outline = Outline()
    title = next(map(_text, root.iter("{*}title")), "")
    for node in _blocks(root):
        outline.add(_text(node), "UncategorizedText")
    return outline.parsed(fallback_title=title)


def _blocks(root: Any) -> Iterator[Any]:
    """The outermost elements that hold text of their own, in order."""
    stack = [root]
    while stack:
        node = stack.pop()
        if len(node) and not _has_words(node):
            stack += reversed(node)
        else:
            yield node


def _has_words(node: Any) -> bool:
    """Whether a node has text of its own, around its elements."""
    own = (node.text, *(child.tail for child in node))
    return any(text and text.strip() for text in own) or any(not isinstance(child.tag, str) for child in node)


def _text(node: Any) -> str:
    """All text below a node. Where elements without text, or with others in them, stand between words, they
    part them: breaks, lists; others may mark a piece of a word."""
    parts: list[str] = []
    waiting: list[Any] = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            parts.append(one)
            continue
        inside = [one.text or ""]
        mixed = _has_words(one)
        for child in one:
            around = "" if mixed and child.text and not len(child) else " "
            inside += [around, child, around, child.tail or ""]
        waiting += reversed(inside)
    return squeeze("".join(parts))
