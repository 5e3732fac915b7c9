"""Links, anchors and claims, as the readers of formats find them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from index.freshness.extract import anchor_hash, extract_of
from index.model import ANY_ANCHOR, Parsed
from index.parse.answers import result_of
from index.parse.formats import format_of

MARKDOWN = """---
title: x
---
# Hello, *World* & co

Valid until 3 May 2024. See [a](b.md#x) and
then ![img](i%20j.png) or [ref], again [a](b.md#x).

> Valid until 4 May 2024.

`valid until 2023-01-01`, ~~valid until 2023-01-02~~

| until | 2023-01-03 |
|--|--|
| [cell](t.md) | valid until 2023-01-04 |

## Hello
## Hello
## 1. Über uns {#custom}
<a name="old"></a> [m](mailto:x@y.z) [e](https://example.org/a?b=c) [p](https://me:pw@example.org/)

[ref]: ../c/d.md "t"
"""


def read(tmp_path: Path, name: str, text: str) -> Parsed:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    format = format_of(name)
    assert format is not None
    parsed: Parsed = import_module(f"index.parse.readers.{format.module}").parse(path, format)
    return parsed


def targets(parsed: Parsed) -> list[tuple[str, int | None]]:
    return [(link.target, link.line) for link in parsed.links]


def has(parsed: Parsed, name: str) -> bool:
    return anchor_hash(name) in extract_of("d", parsed).anchors


def test_markdown(tmp_path: Path) -> None:
    parsed = read(tmp_path, "a.md", MARKDOWN)
    assert targets(parsed) == [
        ("b.md#x", 6),
        ("i%20j.png", 7),
        ("../c/d.md", 7),
        ("t.md", 15),
        ("https://example.org/a?b=c", 20),
    ]
    assert {"hello-world--co", "hello", "hello-1", "custom", "old"} <= set(parsed.anchors)
    # As other generators write them, too.
    for name in ("hello-world-co", "Hello_1", "1-über-uns", "uber-uns", "custom"):
        assert has(parsed, name), name
    assert not has(parsed, "nowhere")
    assert not has(parsed, ANY_ANCHOR)
    assert [tuple(claim) for claim in parsed.claims] == [("valid-through", "2024-05-03")]


def test_a_page_that_a_generator_completes_may_have_any_anchor(tmp_path: Path) -> None:
    assert has(read(tmp_path, "a.md", "# A\n\n::: module.name\n"), ANY_ANCHOR)
    assert has(read(tmp_path, "a.html", "<p id=x>A piece of a page"), ANY_ANCHOR)
    assert not has(read(tmp_path, "b.html", "<html><p id=x>A page</html>"), ANY_ANCHOR)


def test_html(tmp_path: Path) -> None:
    text = """<html><body>
<h1 id=first>A</h1>
<a href="b.html#c">x</a><img src=x.png>
<pre><a href=code.html>z</a></pre><script><a href=script.html>z</a></script>
<a name=n></a><blockquote>valid until 3 May 2024</blockquote>
"""
    parsed = read(tmp_path, "a.html", text)
    assert targets(parsed) == [("b.html#c", 3), ("x.png", 3)]
    assert set(parsed.anchors) == {"first", "n"}
    assert parsed.claims == ()
    assert read(tmp_path, "b.html", f"<html><base href='/x/'>{text}").links == ()


def test_restructuredtext(tmp_path: Path) -> None:
    text = """
.. _a label:

Title
=====

See `link <other.rst>`_ and :doc:`../guide/x`, :doc:`text </abs/y>`, :doc:`elsewhere:z` and :ref:`lab`.

.. image:: pic.png

Sub part
--------
"""
    parsed = read(tmp_path, "a.rst", text)
    assert [target for target, _ in targets(parsed)] == ["other.rst", "pic.png", "../guide/x", "/abs/y"]
    assert all(has(parsed, name) for name in ("a-label", "title", "sub-part"))
    assert not has(parsed, ANY_ANCHOR)
    assert has(read(tmp_path, "b.rst", f"{text}\n.. automodule:: x\n"), ANY_ANCHOR)


def test_org(tmp_path: Path) -> None:
    text = """* Head one
:PROPERTIES:
:CUSTOM_ID: mine
:END:
<<target>> see [[file:foo.org::*Bar][x]] [[#mine]] [[./img.png]] [[*Head one]] [[https://example.org/a][b]]
"""
    parsed = read(tmp_path, "a.org", text)
    assert [target for target, _ in targets(parsed)] == [
        "foo.org",
        "#mine",
        "./img.png",
        "https://example.org/a",
    ]
    assert all(has(parsed, name) for name in ("mine", "target", "head-one"))


def test_letters_claim_nothing(tmp_path: Path) -> None:
    text = "Subject: Offer\nContent-Type: text/plain\n\nIt is valid until 3 May 2023.\n"
    assert read(tmp_path, "a.eml", text).claims == ()
    assert (
        len(read(tmp_path, "a.txt", "It is valid until 3 May 2023.\n\n> Valid until 4 May 2023.").claims) == 1
    )


def test_answers_of_a_child_are_checked() -> None:
    def answer(**parts: Any) -> Any:
        return result_of({"parsed": {"elements": [], **parts}})

    assert answer(links=[["a.md", 3]], anchors=["x"], claims=[["until", "2024-05-03"]]).links[0].line == 3
    for parts in (
        {"links": [["a.md"]]},
        {"links": [[3, 3]]},
        {"anchors": [3]},
        {"claims": [["until", "now"]]},
    ):
        try:
            answer(**parts)
        except (ValueError, TypeError):
            continue
        raise AssertionError(parts)
