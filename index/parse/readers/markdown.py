"""Markdown: front matter, then CommonMark with tables, by way of HTML.

unstructured's reader takes front matter for a heading, needs four spaces below a list item where CommonMark
needs two, and takes the fences out of code inside lists; markdown-it-py renders as the authors' forges do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.reference import reference
from markdown_it.token import Token

from index.freshness.properties import by_name
from index.model import Link, Parsed
from index.parse.formats import Format
from index.parse.frontmatter import front_matter
from index.parse.outline import Outline, Unreadable
from index.parse.readers import html
from index.parse.readers.text import decode
from index.parse.references import LINE, references, written_in


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Link definitions, but not footnotes: CommonMark would take one for a definition, and hide it."""
    if state.src.startswith("[^", state.bMarks[start] + state.tShift[start]):
        return False
    return reference(state, start, end, silent)


#: Levels of blocks, of which a list takes two. The library silently leaves out deeper ones.
_DEPTH_MAX = 100
_MARKDOWN = MarkdownIt("commonmark", {"maxNesting": _DEPTH_MAX}).enable(["table", "strikethrough"])
_MARKDOWN.block.ruler.at("reference", _reference)

#: Elements whose content is plain text to a parser of HTML, up to their end.
_PLAIN = "iframe noembed noframes plaintext pre script style textarea title xmp"
#: Tags of what hides the words in it, or keeps their marks from being read; not of what is closed at once.
_TAG = re.compile(
    rf"<(/?)({'|'.join(sorted({*html.INVISIBLE, *_PLAIN.split()}))})(?=[\s/>])(?![^<>]*/>)", re.IGNORECASE
)


def parse(path: Path, format: Format) -> Parsed:
    text = decode(path.read_bytes())
    front = front_matter(text)
    outline = Outline()
    environment: dict[str, Any] = {}
    tokens = _MARKDOWN.parse(front.body, environment)
    if any(token.level >= _DEPTH_MAX - 1 for token in tokens):
        raise Unreadable("The document nests its parts too deeply.")
    _number(tokens, text.count("\n") - front.body.count("\n"))
    _show_unended(tokens)
    root = html.tree(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, environment))
    links: Sequence[Link] = ()
    anchors: Sequence[str] = ()
    if root is not None:
        html.walk(root, outline)
        links, anchors = references(root, named=True)
    named = by_name(front.properties)
    language = _text(named.get("lang")) or _text(named.get("language"))
    return outline.parsed(
        title=_text(named.get("title")),
        language=language.replace("_", "-").partition("-")[0].lower() or None,
        properties=front.properties,
        findings=front.findings,
        links=links,
        anchors=(*anchors, *written_in(front.body)),
    )


def _number(tokens: Sequence[Token], above: int) -> None:
    """Say of each link and image on which line it stands, `above` lines being before the first token."""
    for token in tokens:
        if token.map is None or not token.children:
            continue
        line = above + token.map[0] + 1
        for child in token.children:
            if child.type in ("softbreak", "hardbreak"):
                line += 1
            elif child.type in ("link_open", "image"):
                child.attrSet(LINE, str(line))


def _show_unended(tokens: Sequence[Token]) -> None:
    """Make text of tags that open what never ends: their author speaks of them, and they would hide the rest
    of the document. What is opened within a paragraph ends within it."""
    ends: dict[str, int] = {}
    """By element: where its nearest end is, of those that come later."""
    for place, token in reversed(list(enumerate(tokens))):
        raw = [token] if token.type == "html_block" else token.children or []
        for one in reversed(raw):
            if one.type not in ("html_block", "html_inline"):
                continue
            unended = []
            for tag in reversed(list(_TAG.finditer(one.content))):
                name = tag[2].lower()
                if tag[1]:
                    ends[name] = place
                elif name not in ends or (one is not token and ends[name] != place):
                    unended.append(tag.start())
            cuts = pairwise([-1, *reversed(unended), len(one.content)])
            one.content = "&lt;".join(one.content[start + 1 : end] for start, end in cuts)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return "" if value is None or isinstance(value, dict) else str(value)
