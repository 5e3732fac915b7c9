"""What a child may say of a document, when the document has taken it over."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index.model import ELEMENTS_MAX, HEADING_MAX, Enclosed, Failure, Parsed
from index.parse import Parser
from index.parse.sandbox import FILE_BYTES_MAX

NONSENSE = Failure("The document made the parser answer nonsense.")

#: A worker that speaks the protocol. The lines of a document are what it says of it.
ECHO = """
import json, sys

def send(data):
    sys.stdout.buffer.write(len(data).to_bytes(4, "big") + data)
    sys.stdout.buffer.flush()

send(b'{"ready": true, "walls": []}')
while header := sys.stdin.buffer.read(4):
    request = json.loads(sys.stdin.buffer.read(int.from_bytes(header, "big")))
    send(b'{"loaded": true}')
    with open(request["path"], "rb") as document:
        for line in document:
            send(line)
"""

#: Numbers that are none, too large for a database, or too large for a computer.
NUMBERS = ("Infinity", "-Infinity", "NaN", "1e999", "1.5", "true", '"1"', "[]", str(2**70), "9" * 5000)


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser(command=(sys.executable, "-S", "-c", ECHO), children_max=1) as echo:
        yield echo


def said(parser: Parser, folder: Path, *answers: str) -> Parsed | Failure:
    document = folder / "a.md"
    document.write_text("\n".join(answers))
    return parser.parse(document, ".md")


def parsed(element: str = "", **fields: str) -> str:
    """An answer that is sound but for these fields, which are JSON."""
    sound = f'"text": "x", "kind": "x", "heading_path": [], "page": null{element and ", " + element}'
    every = {"elements": f"[{{{sound}}}]"} | fields
    said = ", ".join(f'"{name}": {value}' for name, value in every.items())
    return f'{{"parsed": {{{said}}}}}'


LONG = json.dumps("x" * (HEADING_MAX + 1))

HOSTILE = {
    # Of an element the later field counts.
    **{f"page {n}": parsed(f'"page": {n}') for n in (*NUMBERS, "0", "-1", str(2**31))},
    **{f"text {t}": parsed(f'"text": {t}') for t in ("1", "null", "[]", r'"\ud800"')},
    **{f"kind {t}": parsed(f'"kind": {t}') for t in ("null", r'"\u0000"', r'"\udfff"', LONG)},
    **{f"heading {t}": parsed(f'"heading_path": [{t}]') for t in ("1", '["a"]', r'"\u0000"', LONG)},
    **{f"elements {t}": parsed(elements=t) for t in ("null", "1", "{}1", '{"a": 1}', "[1]", "[{}]")},
    "elements without end": parsed(elements="[%s{}]" % ("{}," * ELEMENTS_MAX)),
    **{f"title {t}": parsed(title=t) for t in ("null", "1", "[]", r'"a\u0000b"', r'"\ud800"', LONG)},
    **{f"language {t}": parsed(language=t) for t in ("1", "[]", "{}", "true", r'"de\u0000"', LONG)},
    **{f"content type {t}": parsed(content_type=t) for t in ("null", "[]", r'"\u0000"', LONG)},
    **{f"properties {t}": parsed(properties=t) for t in ("null", "[]", '"x"', r'{"\ud800": 1}')},
    **{
        f"property {t}": parsed(properties=f'{{"owner": {t}}}')
        for t in (
            '{"a": 1}',
            '[{"a": 1}]',
            "[[]]",
            r'"a\u0000"',
            r'["\u0000"]',
            r'["\ud800"]',
            LONG,
            f"[{LONG}]",
        )
    },
    **{
        f"number {n}": parsed(properties=f'{{"weight": [{n}]}}')
        for n in ("Infinity", "NaN", "1e999", NUMBERS[8])
    },
    **{f"link line {n}": parsed(links=f'[["a.md", {n}]]') for n in (*NUMBERS, "0", str(2**31))},
    **{f"link {t}": parsed(links=f"[[{t}, 1]]") for t in ("1", "null", '["a"]', r'"\ud800"')},
    **{f"links {t}": parsed(links=t) for t in ("null", '[["a"]]', '[["a", 1, 1]]', '{"a": 1}')},
    **{f"anchors {t}": parsed(anchors=t) for t in ("null", "1", "[1]", r'["\ud800"]')},
    **{f"claim {d}": parsed(claims=f'[["x", {d}]]') for d in ("1", '"x"', '"9999-12-31"', '"0001-01-01"')},
    **{
        f"finding line {n}": parsed(findings=f'[{{"code": "x", "line": {n}, "reason": "x"}}]')
        for n in (*NUMBERS, "0", str(2**31))
    },
    "finding without code": parsed(findings='[{"line": null, "reason": "x"}]'),
    "finding of a list": parsed(findings='[{"code": ["x"], "line": null, "reason": "x"}]'),
    "another field": parsed(other="1"),
    "no elements": '{"parsed": {}}',
    "nothing parsed": '{"parsed": null}',
    **{f"failure {t}": f'{{"failure": {t}}}' for t in ("1", "null", '["x"]', "{}")},
    **{f"memory {n}": f'{{"failure": "x", "resident_bytes": {n}}}' for n in (*NUMBERS, "-1")},
    "no object": "[]",
    "no JSON": "nonsense",
    "deep": "[" * 100_000,
}


def test_an_answer_that_is_none_is_a_failure_of_its_document(parser: Parser, tmp_path: Path) -> None:
    passed = {name: said(parser, tmp_path, answer) for name, answer in HOSTILE.items()}
    assert {name: result for name, result in passed.items() if result != NONSENSE} == {}


def test_an_answer_may_say_all_that_a_document_may_hold(parser: Parser, tmp_path: Path) -> None:
    word = "x" * HEADING_MAX
    properties: dict[str, Any] = {
        "owner": ["a", None, 1.5, True],
        "number": [-(2**63), 2**63 - 1],
        "mapping": {},
        "empty": None,
        "long": word,
    }
    answer = {
        "elements": [
            {"text": "a\0b" + "y" * 9999, "kind": "Title", "heading_path": [word], "page": 2**31 - 1}
        ],
        "title": word,
        "language": "de",
        "content_type": "text/markdown",
        "properties": properties,
        "findings": [{"code": "x", "line": 1, "reason": "r"}],
        "links": [["b.md", 1], ["c.md", None]],
        "anchors": ["a\0b"],
        "claims": [["as-of", "2099-12-31"]],
    }
    found = said(parser, tmp_path, json.dumps({"parsed": answer, "resident_bytes": 2**40}))
    assert isinstance(found, Parsed)
    assert (found.elements[0].page, found.title, found.language) == (2**31 - 1, word, "de")
    assert found.properties == properties
    assert (found.links[0].line, found.findings[0]["line"], found.claims[0].day) == (1, 1, "2099-12-31")


@pytest.mark.parametrize("counted", ["null", '"x"', "Infinity", "NaN", "[]"])
def test_a_child_that_says_nonsense_before_the_next_document_is_replaced(
    parser: Parser, tmp_path: Path, counted: str
) -> None:
    loaded = f'{{"loaded": true, "uncompiled": {counted}}}'
    assert isinstance(said(parser, tmp_path, parsed(), loaded), Parsed)
    assert isinstance(said(parser, tmp_path, parsed()), Parsed)


def enclosed(parser: Parser, folder: Path, size: object, **fields: str) -> Enclosed | Failure:
    one = {
        "name": '"a.txt"',
        "type": '"text/plain"',
        "size": str(size),
        "hash": f'"{"0" * 64}"',
        "sent": '""',
    }
    *attachment, sent = (one | fields).values()
    mail = folder / "a.eml"
    mail.write_text(f'{{"enclosed": {{"attachments": [[{", ".join(attachment)}]], "sent": {sent}}}}}')
    return parser.enclosed(mail, ".eml").result()


def test_an_attachment_that_is_none_is_a_failure_of_its_mail(parser: Parser, tmp_path: Path) -> None:
    for size in (*NUMBERS, "-1", FILE_BYTES_MAX + 1):
        assert enclosed(parser, tmp_path, size) == NONSENSE, size
    for field, values in {
        "name": ("1", "null", '["a"]', r'"\ud800"'),
        "type": ("1", "null", '["a"]', r'"\ud800"'),
        "hash": ("1", "null", '"x"'),
        "sent": ("1", '"x"', "Infinity"),
    }.items():
        for value in values:
            assert enclosed(parser, tmp_path, 1, **{field: value}) == NONSENSE, (field, value)
    assert isinstance(enclosed(parser, tmp_path, FILE_BYTES_MAX), Enclosed)
