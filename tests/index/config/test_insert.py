"""A source added to the text of a configuration: everything else stays as it is, to the character."""

from __future__ import annotations

import difflib
from typing import Any

import pytest
import yaml

from index.config import template
from index.config.insert import with_source, written
from index.config.text import read
from index.errors import ConfigError

NEW = {"id": "new", "type": "files", "root": "./new"}
ITEM = "- id: new\n  type: files\n  root: ./new\n"


def item(column: int) -> str:
    return "".join(f"{' ' * column}{line}\n" for line in ITEM.splitlines())


TEXTS = {
    "no sources": ("version: 1\n", f"version: 1\n\nsources:\n{item(2)}"),
    "no line end": ("version: 1", f"version: 1\n\nsources:\n{item(2)}"),
    "an empty file": ("", f"sources:\n{item(2)}"),
    "comments alone": ("# Ours.\n", f"# Ours.\nsources:\n{item(2)}"),
    "an empty key": ("version: 1\nsources:\nlog: {}\n", f"version: 1\nsources:\n{item(2)}log: {{}}\n"),
    "a key with a comment": (
        "version: 1\nsources:  # none yet\n  # really\nlog: {}\n",
        f"version: 1\nsources:  # none yet\n{item(2)}  # really\nlog: {{}}\n",
    ),
    "an empty list": (
        "version: 1\nsources: []  # none yet\nlog: {}\n",
        f"version: 1\nsources:  # none yet\n{item(2)}log: {{}}\n",
    ),
    "an empty list at the end": ("sources: [ ]", f"sources:\n{item(2)}"),
    "null": ("sources: ~\n", f"sources:\n{item(2)}"),
    "dashes at the margin": (
        "sources:\n- id: a\n  type: files\nlog: {}\n",
        f"sources:\n- id: a\n  type: files\n{item(0)}log: {{}}\n",
    ),
    "dashes far in": (
        "sources:\n      -   id: a\n          type: files\n",
        f"sources:\n      -   id: a\n          type: files\n{item(6)}",
    ),
    "tabs where they may be": (
        "sources:\n  - id:\ta\t# one\n\nlog: {}\n",
        f"sources:\n  - id:\ta\t# one\n{item(2)}\nlog: {{}}\n",
    ),
    "items below their dash": (
        "sources:\n  -\n    id: a\n    rules:\n    - match: b\n",
        f"sources:\n  -\n    id: a\n    rules:\n    - match: b\n{item(2)}",
    ),
    "a flow item": ("sources:\n  - {id: a}  # one\n", f"sources:\n  - {{id: a}}  # one\n{item(2)}"),
    "items with lines between": (
        "sources:\n  - id: a\n\n  - id: b\n\nlog: {}\n",
        f"sources:\n  - id: a\n\n  - id: b\n\n{item(2)}\nlog: {{}}\n",
    ),
    "comments of the last item, and of the next key": (
        "sources:\n  - id: a\n    rules: []\n    # - {match: b}\n\n    # or so\n\n# The log.\nlog: {}\n",
        "sources:\n  - id: a\n    rules: []\n    # - {match: b}\n\n    # or so\n"
        f"{item(2)}\n# The log.\nlog: {{}}\n",
    ),
    "a long text as the last value": (
        "sources:\n  - id: a\n    query: |\n      select\n\n      # no comment\n\nlog: {}\n",
        f"sources:\n  - id: a\n    query: |\n      select\n\n      # no comment\n{item(2)}\nlog: {{}}\n",
    ),
    "an alias as the last value": (
        "log: &b {x: 1}\nsources:\n  - id: a\n    delete:\n      *b\nui: {}\n",
        f"log: &b {{x: 1}}\nsources:\n  - id: a\n    delete:\n      *b\n{item(2)}ui: {{}}\n",
    ),
    "anchors": (
        "sources: &all\n  - &first\n    id: a\n  - <<: *first\n    id: b\n",
        f"sources: &all\n  - &first\n    id: a\n  - <<: *first\n    id: b\n{item(2)}",
    ),
    "a list on one line": (
        "sources: [{id: a}]  # one\n",
        "sources: [{id: a}, {id: new, type: files, root: ./new}]  # one\n",
    ),
    "a list on several lines": (
        "sources: [\n  {id: a},  # one\n]\n",
        "sources: [\n  {id: a}, {id: new, type: files, root: ./new}  # one\n]\n",
    ),
    "a named empty list": ("sources: &s []\n", "sources: &s [{id: new, type: files, root: ./new}]\n"),
    "all on one line": (
        "{version: 1, sources: []}\n",
        "{version: 1, sources: [{id: new, type: files, root: ./new}]}\n",
    ),
    "no sources on one line": (
        "{version: 1}\n",
        "{version: 1, sources: [{id: new, type: files, root: ./new}]}\n",
    ),
    "a document with its marks": (
        "---\nversion: 1\n...\n",
        f"---\nversion: 1\n\nsources:\n{item(2)}...\n",
    ),
    "all indented": ("  version: 1\n", f"  version: 1\n\n  sources:\n{item(4)}"),
    "lines of Windows": (
        "version: 1\r\nsources:\r\n  - id: a\r\n\r\nlog: {}\r\n",
        "version: 1\r\nsources:\r\n  - id: a\r\n" + item(2).replace("\n", "\r\n") + "\r\nlog: {}\r\n",
    ),
    "other letters": (
        "# Grüße 🦀\nsources:\n  - id: ä\n# é\n",
        f"# Grüße 🦀\nsources:\n  - id: ä\n{item(2)}# é\n",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_source_stands_last_in_the_list_and_nothing_else_changes(name: str) -> None:
    before, after = TEXTS[name]
    assert with_source(before, NEW) == after
    value = read(before, None).value or {}
    assert read(after, None).value == {**value, "sources": [*(value.get("sources") or ()), NEW]}


def test_a_second_one_stands_below_the_first() -> None:
    text = with_source(with_source(template(), NEW), {**NEW, "id": "newer"})
    assert [source["id"] for source in read(text, None).value["sources"]] == ["documents", "new", "newer"]
    changes = [line for line in difflib.ndiff(template().splitlines(), text.splitlines()) if line[0] != " "]
    assert changes == [
        f"+ {line}" for line in (item(2) + item(2).replace("id: new", "id: newer")).splitlines()
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("log: &l []\nsources: *l\n", "is an alias of another list"),
        ("sources: 7\n", "its sources are no list"),
        ("sources: {id: a}\n", "its sources are no list"),
        ("- a\n", "it is no mapping of keys"),
        ("sources:\n\t- id: a\n", "line 2: not valid YAML"),
        ("base: &b\n  sources: [{id: a}]\n<<: *b\n", "cannot be added to"),
        ("{version: 1, sources: ~}\n", "cannot be added to"),
        ("version: 1\n---\nversion: 2\n", "line 2: not valid YAML: expected a single document"),
    ],
)
def test_a_list_that_cannot_be_added_to_is_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        with_source(text, NEW)


@pytest.mark.parametrize(
    "value",
    [
        "plain", "true", "1", "1e3", "null", "", " x ", "# no comment", "a: b", "- a", "[x]", "{x}", "*a",
        "&a", "'", '"', "${VAR}", "${VAR:-a b}", "grüße 🦀", "a\nb\n", "a\n\nb", "a\n", "\na\nb", "a\n b\n",
        "a\r\nb",
        "a \nb", "\x1b[31m\nx", "x" * 300, True, 7, 1.5, ["a", "b"], ["a\nb"], [], {}, {"x": {"y": "${Z}"}},
        {"text": "a, b", "": "c"},
    ],
)  # fmt: skip
def test_a_value_is_read_as_it_was_given(value: Any) -> None:
    block = {**NEW, "value": value, "last": "x"}
    assert yaml.safe_load(written(block)) == [block]
    text = with_source("sources:\n    - id: a\n", block)
    assert read(text, None).value["sources"][1] == block


def test_a_long_text_is_written_line_by_line() -> None:
    query = "select id\nfrom pages\nwhere live"
    assert written({**NEW, "query": query}).endswith(
        "  query: |-\n    select id\n    from pages\n    where live\n"
    )
