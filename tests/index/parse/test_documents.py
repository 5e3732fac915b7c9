"""Each format's way from a real file to elements: text, headings, pages, title, properties."""

from __future__ import annotations

import base64
import quopri
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from index.model import Failure, Parsed
from index.parse import Parser
from index.parse.formats import BY_SUFFIX
from index.parse.readers import mail
from tests import documents
from tests.soak import LONG


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser(timeout_seconds=60) as parser:
        yield parser


def parsed(parser: Parser, path: Path) -> Parsed:
    result = parser.parse(path, path.suffix)
    assert isinstance(result, Parsed), result
    return result


def failure(parser: Parser, path: Path) -> str:
    result = parser.parse(path, path.suffix)
    assert isinstance(result, Failure), result
    return result.reason


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def shape(document: Parsed) -> list[tuple[str, str, str]]:
    return [(e.kind, " > ".join(e.heading_path), e.text) for e in document.elements]


def marks(document: Parsed) -> Counter[str]:
    """How often each word of the form ``w123`` is in the elements."""
    return Counter(re.findall(r"w\d+", " ".join(e.text for e in document.elements)))


def once(source: str) -> Counter[str]:
    found = Counter(re.findall(r"w\d+", source))
    assert set(found.values()) == {1}
    return found


MARKDOWN = """\
# w1 *w2* `w3`

w4 **w5**[w6](http://x.org/y)<br>w7 ~~w8~~ ![w9](a.png) <span title="t">w10</span>
{% include "w11.html" %} {{ w12 }} <kbd>w13</kbd>

- w14
  - w15

    w16
  - [ ] w17
    ```sh
    w18  w19

        w20
    ```
- w21
  | w22 | w23 |
  |-----|-----|
  | w24 |     |

1. w25

   > w26
   > - w27

## w28 ##

<details><summary>w29</summary>

w30 *w31*

</details>
<div align="center">w32 <b>w33</b><p>w34</p>w35</div>
<!-- a comment -->

| w36 | w37 |
|:---:|----:|
| `w38` | w39 <br> w40 |
| w41 \\| w42 | |

    w43
      w44

Setext w45
----------

[^1]: w46

w47[^1] <w48@example.org> w49&amp;w50
"""


def test_every_word_of_a_markdown_page_is_there_once(parser: Parser, tmp_path: Path) -> None:
    page = parsed(parser, written(tmp_path / "a.md", MARKDOWN))
    assert marks(page) == once(MARKDOWN)


def test_markdown_code_keeps_its_characters_and_tables_their_rows(parser: Parser, tmp_path: Path) -> None:
    page = parsed(parser, written(tmp_path / "a.md", MARKDOWN))
    assert ("CodeSnippet", "w1 w2 w3", "w18  w19\n\n    w20") in shape(page)
    assert ("CodeSnippet", "w1 w2 w3 > w28", "w43\n  w44") in shape(page)
    assert ("Table", "w1 w2 w3", "w22 | w23\nw24") in shape(page)
    assert ("Table", "w1 w2 w3 > w28", "w36 | w37\nw38 | w39 w40\nw41 | w42") in shape(page)
    assert ("ListItem", "w1 w2 w3", "w15") in shape(page)


@pytest.mark.parametrize(
    "tag",
    ["script", "style", "iframe", "title", "textarea", "xmp", "plaintext", "object", "video", "Template"],
)
def test_a_tag_that_is_spoken_of_hides_nothing(parser: Parser, tmp_path: Path, tag: str) -> None:
    source = (
        f"Put the <{tag}> before w1.\n\n## w2\n\n- w3 *w4*\n\nw5 </{tag}> w6\n\n> <{tag} a='b'>\n> w7\n\n"
        f"## w8\n\n`</{tag}>` ends it.\n\n<{tag} a='b'/>w9\n\n<{tag}>\nw10\n"
    )
    page = parsed(parser, written(tmp_path / "a.md", source))
    assert marks(page) == once(source)
    assert shape(page)[:2] == [("NarrativeText", "", f"Put the <{tag}> before w1."), ("Title", "w2", "w2")]
    assert ("Title", "w8", "w8") in shape(page)


def test_what_a_markdown_page_hides_stays_hidden(parser: Parser, tmp_path: Path) -> None:
    source = (
        "<style>\n.no {}\n\n.no {}\n</style>\n\nYes <object>no</object> and <Script>no()</sCript > yes.\n\n"
        "<template>\n\nno\n</template>\n\n<video>\n\nno\n\n</video>\n\n"
        "<script>\nwrite('<title>no')\n\n</script>\n\nYes.\n"
    )
    page = parsed(parser, written(tmp_path / "a.md", source))
    assert [element.text for element in page.elements] == ["Yes and yes.", "Yes."]


def test_front_matter_gives_title_language_and_properties(parser: Parser, tmp_path: Path) -> None:
    front = (
        "---\ntitle: 'Leave: how'\nlang: de-AT\nms.date: 01/31/2024\nlast_reviewed: 2024-01-31\n"
        "ms:\n  author: anna\n  when: 2024-02-30\nat: 2024-01-31T10:00:00Z\ntags: [a, 2, true]\n"
        "draft: false\n"
        "weight: 1.5\nempty:\n---\n"
    )
    page = parsed(parser, written(tmp_path / "a.md", front + "# Other\n\nText.\n"))
    assert page.title == "Leave: how"
    assert page.language == "de"
    assert page.properties == {
        "title": "Leave: how",
        "lang": "de-AT",
        "ms.date": "01/31/2024",
        "last_reviewed": "2024-01-31",
        "ms": {},
        "ms.author": "anna",
        "ms.when": "2024-02-30",
        "at": "2024-01-31T10:00:00+00:00",
        "tags": ["a", 2, True],
        "draft": False,
        "weight": 1.5,
        "empty": None,
    }
    assert shape(page) == [("Title", "Other", "Other"), ("NarrativeText", "Other", "Text.")]
    assert page.content_type == "text/markdown"


def test_toml_front_matter_is_read_too(parser: Parser, tmp_path: Path) -> None:
    page = parsed(parser, written(tmp_path / "a.md", '+++\ntitle = "T"\ndate = 2024-01-31\n+++\nText.\n'))
    assert page.properties == {"title": "T", "date": "2024-01-31"}


BROKEN: dict[str, tuple[str, int, dict[str, Any]]] = {
    "a colon in a title": (
        "title: Travel: the rules\nowner: user:anna\nlast_reviewed: 2025-01-01 # Bo\n",
        2,
        {"title": "Travel: the rules", "owner": "user:anna", "last_reviewed": "2025-01-01"},
    ),
    "a tab after a name": (
        "title:\tTravel\nowner: [anna, bo]\nLast-Reviewed: 2025-01-01\n",
        2,
        {"title": "Travel", "owner": ["anna", "bo"], "Last-Reviewed": "2025-01-01"},
    ),
    "a tab before a name": (
        "title: Travel\n\towner: 'anna'\n",
        3,
        {"title": "Travel", "owner": "anna"},
    ),
    "a sign in a list": (
        "tags:\n  - %\n  - b\nowner: @anna\nlast_reviewed: 2025-01-01\n",
        3,
        {"tags": ["%", "b"], "owner": "@anna", "last_reviewed": "2025-01-01"},
    ),
    "dates that nobody can read": (
        'title: a: b\nlast_reviewed 2025-01-01\nms.date: "2025-01-01\nreviewed: [2025,\n  1]\n',
        2,
        {"title": "a: b", "last_reviewed": None, "ms.date": None, "reviewed": None},
    ),
    "what belongs to another name": (
        "title: a: b\nabstract: |\n  last_reviewed: never\nms:\n  date: 2025-01-01\n",
        2,
        {
            "title": "a: b",
            "abstract": "",
            "abstract.last_reviewed": "never",
            "ms": None,
            "ms.date": "2025-01-01",
        },
    ),
    "a line for a machine": ("{{ head }}\nowner: anna\n", 3, {"owner": "anna"}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_front_matter_is_read_line_by_line_and_is_no_text(
    parser: Parser, tmp_path: Path, name: str
) -> None:
    block, line, properties = BROKEN[name]
    page = parsed(parser, written(tmp_path / "a.md", f"---\n{block}---\n# Head\n"))
    assert page.properties == properties
    assert page.title == properties.get("title", "Head")
    assert shape(page) == [("Title", "Head", "Head")]
    (found,) = page.findings
    assert (found["code"], found["line"]) == ("front-matter-invalid", line)
    assert found["reason"].startswith("The front matter is not valid YAML (")


def test_broken_toml_is_read_line_by_line_too(parser: Parser, tmp_path: Path) -> None:
    block = 'title = A title\nowner = "anna" # us\nowners = ["bo"]\n[extra]\nlast_reviewed = 2025-01-01\nx\n'
    page = parsed(parser, written(tmp_path / "a.md", f"+++\n{block}+++\nText.\n"))
    assert page.properties == {
        "title": None, "owner": "anna", "owners": ["bo"],
        "extra.last_reviewed": "2025-01-01", "extra.x": None,
    }  # fmt: skip
    assert [(f["line"], "not valid TOML" in f["reason"]) for f in page.findings] == [(2, True)]
    assert "anna" not in page.text


def test_the_title_is_found_whatever_its_case(parser: Parser, tmp_path: Path) -> None:
    page = parsed(parser, written(tmp_path / "a.md", "---\nTitle: Travel\nLANG: de\n---\n# Head\n"))
    assert (page.title, page.language, page.findings) == ("Travel", "de", [])


@pytest.mark.parametrize("broken", ["", "\towner: anna\n"])
@pytest.mark.parametrize("title", ["12:30", "007", "yes", "2026-01-02", "1_000", "0x1F"])
def test_a_title_and_a_language_are_as_they_are_written(
    parser: Parser, tmp_path: Path, title: str, broken: str
) -> None:
    front = f"---\nTitle: {title} # at noon\nlang: no\nweight: 12:30\ndraft: no\n{broken}---\n# Head\n"
    page = parsed(parser, written(tmp_path / "a.md", front))
    assert (page.title, page.language) == (title, "no")
    found = {name: page.properties[name] for name in ("Title", "lang", "weight", "draft")}
    assert found == {"Title": title, "lang": "no", "weight": 750, "draft": False}


def test_a_title_without_a_value_is_none(parser: Parser, tmp_path: Path) -> None:
    page = parsed(parser, written(tmp_path / "a.md", "---\ntitle: ~\nlanguage: [null, no]\n---\n# Head\n"))
    assert page.title == "Head"
    assert page.properties == {"title": None, "language": [None, "no"]}


def test_rules_around_text_are_not_front_matter(parser: Parser, tmp_path: Path) -> None:
    page = parsed(parser, written(tmp_path / "a.md", "---\nJust some words.\n\n---\n\nMore.\n"))
    assert marks(page) == Counter()
    assert "Just some words." in page.text
    assert page.properties == {}


def test_prose_between_rules_that_is_no_yaml_stays_text(parser: Parser, tmp_path: Path) -> None:
    page = parsed(
        parser, written(tmp_path / "a.md", "---\n\nJust [some words\nand: more.\nAnd more.\n\n---\n")
    )
    assert "Just [some words" in page.text
    assert (page.properties, page.findings) == ({}, [])


def test_aliases_that_claim_billions_of_keys_are_cut_off(parser: Parser, tmp_path: Path) -> None:
    lines = ["a: &a {x: 1, y: 2}"]
    lines += [
        f"{n}: &{n} {{x: *{p}, y: *{p}}}"
        for p, n in zip("abcdefghijklmnopqrs", "bcdefghijklmnopqrst", strict=True)
    ]
    page = parsed(parser, written(tmp_path / "a.md", "---\n" + "\n".join(lines) + "\n---\nText.\n"))
    assert 0 < len(page.properties) <= 1000


HTML = """<!DOCTYPE html><html lang="en-GB"><head><title>Page title</title><meta name="author" content="Anna">
<style>.x{}</style></head><body><nav><a href="/">w1</a></nav><header>w2</header>
<h1>w3<a class="headerlink">¶</a></h1><p>w4 <b>w5</b><i>w6</i><br>w7</p>
<div>w8 <span>w9</span><p>w10</p>w11</div><dl><dt>w12</dt><dd>w13</dd></dl>
<ul><li>w14<ul><li>w15<p>w16</p></li></ul>w17</li><li><pre><code>w18  w19<br>
    w20</code></pre></li></ul>
<table><caption>w21</caption><thead><tr><th>w22</th><th>w23</th></tr></thead>
<tbody><tr><td>w24</td><td><ul><li>w25</li><li>w26</li></ul></td></tr>
<tr><td colspan=2>w27</td></tr></tbody></table>
<table role="presentation"><tr><td><h2>w28</h2>w29</td>
<td><table><tr><td>w30</td><td>w31</td></tr></table></td></tr>
</table><h3>w32</h3><form><label>w33</label><button>w34</button><select><option>w35</option></select></form>
<figure><img alt="w36"><figcaption>w37</figcaption></figure><blockquote>w38<p>w39</p></blockquote>
<details><summary>w40</summary>w41</details><!-- no --><script>no()</script><p hidden>no</p>
<p style="display: none">no</p><footer>w42 w43&shy;&nbsp;w44</footer></body></html>"""


def test_every_word_of_an_html_page_is_there_once(parser: Parser, tmp_path: Path) -> None:
    page = parsed(parser, written(tmp_path / "a.html", HTML))
    assert marks(page) == once(HTML)
    assert (page.title, page.language, page.properties) == ("w3", "en", {"author": "Anna"})
    assert ("Table", "w3", "w22 | w23\nw24 | w25 w26\nw27") in shape(page)
    assert ("Table", "w3 > w28", "w30 | w31") in shape(page)
    assert ("CodeSnippet", "w3", "w18  w19\n\n    w20") in shape(page)
    assert ("NarrativeText", "w3 > w28 > w32", "w42 w43 w44") in shape(page)
    assert "no" not in page.text.split()


def test_hidden_rows_and_words_in_tables_and_code_are_no_text(parser: Parser, tmp_path: Path) -> None:
    none = "style='color: red; display:none'"
    source = (
        f"<table><caption>Plan<i {none}>no</i></caption><tr><th>a<th {none}>no<th>b</tr>"
        f"<tr hidden><td>no<td>no</tr><tr {none}><td>no<td>no</tr><tbody hidden><tr><td>no<td>no</tbody>"
        f"<tbody><tr><td>c<span {none}>no</span>d<td hidden>no<td>e</table>"
        f"<pre>f<b {none}>no</b>\n  g<script>no</script></pre>"
    )
    page = parsed(parser, written(tmp_path / "a.html", source))
    assert [element.text for element in page.elements] == ["Plan", "a | b\ncd | e", "f\n  g"]


@pytest.mark.parametrize(
    "ruby",
    [
        "<ruby>田<rp>(</rp><rt>た</rt><rp>)</rp></ruby><ruby>中<rt>なか</rt></ruby>",
        "<ruby>田<rt>た</rt>中<rt>なか</rt></ruby>",
        "<ruby><rb>田中</rb><rp>(<rt>たなか<rp>)</ruby>",
        "<ruby><rb>田<rb>中<rt>た<rt>なか<rtc>Tanaka</ruby>",
    ],
)
@pytest.mark.parametrize("name", ["a.html", "a.md"])
def test_how_a_word_is_read_aloud_does_not_break_it(
    parser: Parser, tmp_path: Path, ruby: str, name: str
) -> None:
    around = "{}さん <rt>外</rt> <table><tr><td>{}<td>x</table>"
    document = parsed(parser, written(tmp_path / name, around.format(ruby, ruby)))
    assert "田中さん 外" in document.text and "田中 | x" in document.text


def test_an_html_page_without_headings_has_its_own_title(parser: Parser, tmp_path: Path) -> None:
    page = parsed(parser, written(tmp_path / "a.htm", "<title>T</title><p>text"))
    assert page.title == "T"
    assert shape(page) == [("NarrativeText", "", "text")]


def test_deeply_nested_html_is_walked_or_refused_but_never_cut_off(parser: Parser, tmp_path: Path) -> None:
    deep = parsed(parser, written(tmp_path / "a.html", "<div>" * 1500 + "deep" + "</div>" * 1500))
    assert deep.text.strip() == "deep"
    deeper = written(tmp_path / "b.html", "<div>" * 5000 + "deep" + "</div>" * 5000)
    assert "too deeply" in failure(parser, deeper)


GERMAN = "Die Prüfung der Änderungen erfolgt über das Büro. Größe und Maße gelten für alle Räume."


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", GERMAN),
        ("utf-8-sig", GERMAN),
        ("utf-16", GERMAN),
        ("utf-16-le", GERMAN),
        ("utf-32", GERMAN),
        ("cp1252", GERMAN),
        ("cp1250", "Zażółć gęślą jaźń. Proszę złożyć wniosek w dziale kadr."),
        ("cp1251", "Это короткий русский текст для проверки кодировки документа."),
        ("cp932", "これは短い日本語の文章です。文字コードの判定を確認します。"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.csv", "a.rst"])
def test_text_is_decoded(parser: Parser, tmp_path: Path, encoding: str, text: str, name: str) -> None:
    assert parsed(parser, written(tmp_path / name, text.encode(encoding))).text.strip() == text


def test_a_declared_encoding_counts_in_markup(parser: Parser, tmp_path: Path) -> None:
    page = "<html><head><meta charset='iso-8859-15'></head><p>nur 5 €</p>".encode("iso-8859-15")
    assert parsed(parser, written(tmp_path / "a.html", page)).text.strip() == "nur 5 €"
    xml = "<?xml version='1.0' encoding='iso-8859-15'?><a>nur 5 €</a>".encode("iso-8859-15")
    assert parsed(parser, written(tmp_path / "a.xml", xml)).text.strip() == "nur 5 €"


@pytest.mark.parametrize(
    ("charset", "page"),
    [("iso-8859-1", "cp1252"), ("Latin1", "cp1252"), ("us-ascii", "cp1252"), ("iso-8859-9", "cp1254")],
)
def test_a_declared_encoding_is_the_one_that_is_meant(
    parser: Parser, tmp_path: Path, charset: str, page: str
) -> None:
    said = "Price € 30, don’t pay „Müller“"
    source = f"<html><head><meta charset={charset}></head><p>{said}</p>".encode(page)
    assert parsed(parser, written(tmp_path / "a.html", source)).text.strip() == said
    mail = f"From: x@y.z\nContent-Type: text/plain; charset={charset}\n\n{said}\n".encode(page)
    assert parsed(parser, written(tmp_path / "a.eml", mail)).elements[-1].text == said


@pytest.mark.parametrize("charset", ["iso-8859-1", "nonsense", "undefined", "punycode", "utf-8\0"])
def test_a_mail_is_read_whatever_its_encoding_is_called(parser: Parser, tmp_path: Path, charset: str) -> None:
    mail = f'From: x@y.z\nContent-Type: text/plain; charset="{charset}"\n\n'.encode() + b"M\xfcller \x81.\n"
    assert "ller" in parsed(parser, written(tmp_path / "a.eml", mail)).elements[-1].text


@pytest.mark.parametrize("data", [b"\x7fELF\x02\x01\x01" + bytes(99) + b"abc" * 99, bytes(range(256)) * 40])
def test_what_is_no_text_says_so(parser: Parser, tmp_path: Path, data: bytes) -> None:
    assert "no recognisable text encoding" in failure(parser, written(tmp_path / "a.txt", data))


def test_plain_text_has_paragraphs_and_only_marked_headings(parser: Parser, tmp_path: Path) -> None:
    text = "Guide\n=====\n\nIt was long\nand wrapped.\r\n\r\n- one\n- two\n"
    text += "\nSAFETY RULES\n\nA short line\n\nLast."
    document = parsed(parser, written(tmp_path / "a.txt", text))
    assert document.title == "Guide"
    assert shape(document) == [
        ("Title", "Guide", "Guide"),
        ("NarrativeText", "Guide", "It was long\nand wrapped."),
        ("ListItem", "Guide", "- one\n- two"),
        ("Title", "Guide > SAFETY RULES", "SAFETY RULES"),
        ("NarrativeText", "Guide > SAFETY RULES", "A short line"),
        ("NarrativeText", "Guide > SAFETY RULES", "Last."),
    ]


def test_the_language_is_guessed_only_from_enough_prose(parser: Parser, tmp_path: Path) -> None:
    assert parsed(parser, written(tmp_path / "a.txt", GERMAN * 3)).language == "de"
    assert parsed(parser, written(tmp_path / "a.txt", "Short.")).language is None


@pytest.mark.parametrize(
    "name", ["a.md", "a.txt", "a.html", "a.csv", "a.json", "a.jsonl", "a.xml", "a.rst", "a.org"]
)
def test_an_empty_file_is_a_document_without_elements(parser: Parser, tmp_path: Path, name: str) -> None:
    document = parsed(parser, written(tmp_path / name, b" \n"))
    assert document.elements == ()
    assert document.title == ""


@pytest.mark.parametrize(
    "name", ["a.pdf", "a.docx", "a.pptx", "a.xlsx", "a.xls", "a.epub", "a.odt", "a.rtf", "a.eml"]
)
@pytest.mark.parametrize("data", [b"", b"nonsense", b"PK\x03\x04nonsense"])
def test_a_damaged_file_is_a_failure_without_a_traceback(
    parser: Parser, tmp_path: Path, name: str, data: bytes
) -> None:
    reason = failure(parser, written(tmp_path / name, data))
    assert "damaged" in reason
    assert "Traceback" not in reason


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.xlsx", "a.epub", "a.odt"])
def test_a_truncated_file_is_damaged(parser: Parser, tmp_path: Path, name: str) -> None:
    makers = {
        "a.docx": lambda p: documents.docx(p, [("Normal", "text")]),
        "a.pptx": lambda p: documents.pptx(p, [("t", "b", "")]),
        "a.xlsx": lambda p: documents.xlsx(p, {"s": [["a"]]}),
        "a.epub": lambda p: documents.epub(p, "t", ["<p>x</p>"]),
        "a.odt": lambda p: documents.odt(p, "<text:p>x</text:p>"),
    }
    path = makers[name](tmp_path / name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "damaged" in failure(parser, path)


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def test_word_text_headings_pages_and_properties(parser: Parser, tmp_path: Path) -> None:
    path = documents.docx(
        tmp_path / "a.docx",
        [
            ("Title", "w1 guide"),
            ("Heading 1", "w2"),
            ("Normal", "w3 is a paragraph."),
            ("List Bullet", "w4"),
            ("table", [["w5", "w6"], ["w7", "w8 x"]]),
            ("Heading 2", "w9"),
            ("Normal", "w10"),
            ("page", None),
            ("Normal", "w11"),
            ("xml", f"<w:sdt {W}><w:sdtContent><w:p><w:r><w:t>w12</w:t></w:r></w:p></w:sdtContent></w:sdt>"),
            (
                "xml",
                f"<w:p {W}><w:ins><w:r><w:t>w13 </w:t></w:r></w:ins>"
                "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:sdt><w:sdtContent><w:r><w:t>w14</w:t></w:r></w:sdtContent></w:sdt>"
                '<w:r><w:t>w15</w:t><w:br w:type="page"/><w:t>w16</w:t></w:r></w:p>',
            ),
            (
                "xml",
                f'<w:p {W} xmlns:v="urn:schemas-microsoft-com:vml"><w:r><w:t>w17</w:t></w:r><w:r><w:pict>'
                "<v:shape><v:textbox><w:txbxContent><w:p><w:r><w:t>w18</w:t></w:r></w:p></w:txbxContent></v:textbox>"
                "</v:shape></w:pict></w:r></w:p>",
            ),
        ],
        author="Anna",
    )
    document = parsed(parser, path)
    assert marks(document) == Counter({f"w{n}": 1 for n in range(1, 19)})
    assert "gone" not in document.text
    assert document.title == "w1 guide"
    assert document.properties["author"] == "Anna"
    assert ("Table", "w2", "w5 | w6\nw7 | w8 x") in shape(document)
    assert ("ListItem", "w2", "w4") in shape(document)
    pages = {e.text: (e.heading_path, e.page) for e in document.elements}
    assert pages["w10"] == (("w2", "w9"), 1)
    assert pages["w11"] == (("w2", "w9"), 2)
    assert pages["w16"] == (("w2", "w9"), 3)


def test_word_text_in_a_direction_behind_a_column_break_and_shown_again(
    parser: Parser, tmp_path: Path
) -> None:
    path = documents.docx(
        tmp_path / "a.docx",
        [
            (
                "xml",
                f'<w:p {W}><w:r><w:t>w1 </w:t></w:r><w:dir w:val="rtl"><w:r><w:t>w2 </w:t></w:r></w:dir>'
                '<w:bdo w:val="ltr"><w:r><w:t>w3</w:t></w:r></w:bdo></w:p>',
            ),
            ("xml", f'<w:p {W}><w:r><w:t>w4</w:t><w:br w:type="column"/><w:t>w5</w:t></w:r></w:p>'),
            (
                "xml",
                f'<w:p {W}><w:r><w:rPr><w:vanish w:val="off"/></w:rPr><w:t>w6</w:t></w:r>'
                '<w:r><w:rPr><w:vanish w:val="on"/></w:rPr><w:t>w7</w:t></w:r></w:p>',
            ),
        ],
    )
    assert [e.text for e in parsed(parser, path).elements] == ["w1 w2 w3", "w4\nw5", "w6"]


def test_word_without_a_heading_has_the_title_of_its_properties(parser: Parser, tmp_path: Path) -> None:
    path = documents.docx(tmp_path / "a.docx", [("Normal", "text")], title="From the properties")
    assert parsed(parser, path).title == "From the properties"


def test_slides_are_pages_with_their_titles_and_notes(parser: Parser, tmp_path: Path) -> None:
    slides = [
        ("First slide", "Point one\nPoint two", "Say hello"),
        ("", "Loose point", ""),
        ("Third", "End", ""),
    ]
    document = parsed(parser, documents.pptx(tmp_path / "a.pptx", slides))
    assert document.title == "First slide"
    assert [(" > ".join(e.heading_path), e.page, e.text) for e in document.elements] == [
        ("First slide", 1, "First slide"),
        ("First slide", 1, "Point one"),
        ("First slide", 1, "Point two"),
        ("First slide", 1, "Say hello"),
        ("", 2, "Loose point"),
        ("Third", 3, "Third"),
        ("Third", 3, "End"),
    ]


def test_sheets_are_headings_and_cells_keep_their_values(parser: Parser, tmp_path: Path) -> None:
    sheets: dict[str, list[list[object]]] = {
        "Prices": [["Name", "Price"], ["Widget", 3.14159265358], ["Gadget", None], [], ["A remark"]],
        "Empty": [],
        "More": [["Zip", "On"], ["00123", True], [7.0, "two\nlines"]],
    }
    document = parsed(parser, documents.xlsx(tmp_path / "a.xlsx", sheets, title="Price list"))
    assert document.title == "Price list"
    assert [(e.kind, e.heading_path, e.page, e.text) for e in document.elements] == [
        ("Title", ("Prices",), 1, "Prices"),
        ("Table", ("Prices",), 1, "Name | Price\nWidget | 3.14159265358\nGadget"),
        ("NarrativeText", ("Prices",), 1, "A remark"),
        ("Title", ("More",), 3, "More"),
        ("Table", ("More",), 3, "Zip | On\n00123 | TRUE\n7 | two lines"),
    ]
    assert parsed(parser, documents.xlsx(tmp_path / "a.xlsx", sheets)).title == ""


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t")])
def test_delimited_rows_are_a_table(parser: Parser, tmp_path: Path, name: str, delimiter: str) -> None:
    rows = [["id", "name", "zip"], ["1", '"Smith, J\nJr"', "00123"], ["2", "", "0.50"]]
    path = written(tmp_path / name, "\n".join(delimiter.join(row) for row in rows))
    assert shape(parsed(parser, path)) == [
        ("Table", "", "id | name | zip\n1 | Smith, J Jr | 00123\n2 |  | 0.50")
    ]


PROSE = "This line of the body is long enough to be broken by the margin and not by"


def test_pdf_paragraphs_headings_pages_and_properties(parser: Parser, tmp_path: Path) -> None:
    pages = [
        [
            (20, "The Big Title"),
            (11, ""),
            (11, PROSE),
            (11, "its author."),
            (11, ""),
            (11, "Another paragraph."),
        ],
        [(15, "A Smaller Heading"), (11, ""), (11, PROSE), (11, "hand (or so).")],
    ]
    info = {"Author": "Anna", "Title": "Not this", "ModDate": "D:20240131102030+01'00'"}
    document = parsed(parser, documents.pdf(tmp_path / "a.pdf", pages, info=info))
    assert document.title == "The Big Title"
    assert document.properties == {"author": "Anna", "modified": "2024-01-31T10:20:30"}
    assert [(e.kind, " > ".join(e.heading_path), e.page, e.text) for e in document.elements] == [
        ("Title", "The Big Title", 1, "The Big Title"),
        ("NarrativeText", "The Big Title", 1, f"{PROSE} its author."),
        ("NarrativeText", "The Big Title", 1, "Another paragraph."),
        ("Title", "The Big Title > A Smaller Heading", 2, "A Smaller Heading"),
        ("NarrativeText", "The Big Title > A Smaller Heading", 2, f"{PROSE} hand (or so)."),
    ]


def test_pdf_bookmarks_decide_what_is_a_heading(parser: Parser, tmp_path: Path) -> None:
    pages = [[(11, "1. Intro"), (11, f"{PROSE}."), (20, "SHOUTED")], [(11, "2. Next"), (11, f"{PROSE}.")]]
    bookmarks = [("Intro", 1), ("Next", 2)]
    document = parsed(parser, documents.pdf(tmp_path / "a.pdf", pages, bookmarks=bookmarks))
    headings = [(e.text, e.heading_path) for e in document.elements if e.kind == "Title"]
    assert headings == [("1. Intro", ("1. Intro",)), ("2. Next", ("2. Next",))]
    assert document.title == ""
    one = parsed(parser, documents.pdf(tmp_path / "b.pdf", pages, bookmarks=bookmarks[:1]))
    assert one.title == "1. Intro"


def test_a_pdf_of_one_size_has_no_headings(parser: Parser, tmp_path: Path) -> None:
    lines = [(11.0, text) for text in ("Summary", PROSE, "", "Results And Discussion", PROSE)]
    document = parsed(parser, documents.pdf(tmp_path / "a.pdf", [lines], info={"Title": "Known"}))
    assert not [e for e in document.elements if e.kind == "Title"]
    assert document.title == "Known"


def test_a_pdf_of_blank_pages_is_a_document_without_elements(parser: Parser, tmp_path: Path) -> None:
    assert parsed(parser, documents.pdf(tmp_path / "a.pdf", [[], []])).elements == ()


@pytest.mark.parametrize("drawn", [True, False])
def test_what_was_filled_into_a_pdf_form_is_part_of_its_text(
    parser: Parser, tmp_path: Path, drawn: bool
) -> None:
    values = ["Anna Berger", "Graz", "Legal affairs"]
    path = documents.form_pdf(tmp_path / "a.pdf", "Application for leave.", values, drawn=drawn)
    document = parsed(parser, path)
    text = " ".join(element.text for element in document.elements)
    for words in ("Application for leave.", *values):
        assert text.count(words) == 1, text
    assert all(element.page == 1 for element in document.elements)


def test_pictures_of_text_are_read_by_tesseract_or_say_what_they_need(parser: Parser, tmp_path: Path) -> None:
    made = [documents.scanned_pdf(tmp_path / "a.pdf", "Hello scanned world")]
    made.append(documents.image(tmp_path / "a.png", "Hello scanned world"))
    made.append(documents.image(tmp_path / "a.jpg", "Hello scanned world", "JPEG"))
    for path in made:
        if shutil.which("tesseract") is None:
            assert "needs OCR; install tesseract" in failure(parser, path)
        else:
            assert "Hello scanned world" in parsed(parser, path).text


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
@pytest.mark.parametrize(
    ("suffix", "format", "lies", "shot"),
    [
        ("jpg", "JPEG", 90, 6),
        ("webp", "WEBP", 180, 3),
        ("tif", "TIFF", 180, 3),
        pytest.param("png", "PNG", 90, 6, marks=LONG),
    ],
)
def test_a_photo_is_read_as_its_camera_was_held(
    parser: Parser, tmp_path: Path, suffix: str, format: str, lies: int, shot: int
) -> None:
    path = documents.image(tmp_path / f"a.{suffix}", "Hello turned world", format, lies=lies, shot=shot)
    assert "Hello turned world" in parsed(parser, path).text


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
@pytest.mark.parametrize("lies", [90, 180])
def test_a_scan_that_lies_on_its_side_or_its_head_is_read(parser: Parser, tmp_path: Path, lies: int) -> None:
    lines = "Keys are handed out at the front\nand returned there at night.\nNobody may enter rooms below\n"
    path = documents.image(tmp_path / "a.png", lines * 3, lies=lies)
    assert parsed(parser, path).text.count("and returned there at night.") == 3


@pytest.mark.parametrize(("old", "new"), [("doc", "docx"), ("ppt", "pptx"), ("xls", "xlsx")])
def test_old_office_files_are_read(parser: Parser, tmp_path: Path, old: str, new: str) -> None:
    if shutil.which("soffice") is None:
        if old != "xls":
            path = written(tmp_path / f"a.{old}", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
            assert "install soffice" in failure(parser, path)
        return
    modern = tmp_path / f"a.{new}"
    {
        "docx": lambda: documents.docx(modern, [("Heading 1", "Head"), ("Normal", "The old words.")]),
        "pptx": lambda: documents.pptx(modern, [("Head", "The old words.", "")]),
        "xlsx": lambda: documents.xlsx(modern, {"Head": [["The old words.", 1.5]]}),
    }[new]()
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = ["soffice", profile, "--headless", "--convert-to", old, "--outdir", str(tmp_path), str(modern)]
    subprocess.run(command, check=True, capture_output=True)
    document = parsed(parser, tmp_path / f"a.{old}")
    assert "The old words." in document.text
    assert document.elements[-1].heading_path == ("Head",)


def test_what_a_password_protects_says_so(parser: Parser, tmp_path: Path) -> None:
    plain = documents.docx(tmp_path / "plain.docx", [("Normal", "text")])
    made = [documents.encrypted_office(tmp_path / f"a.{new}", plain) for new in ("docx", "pptx", "xlsx")]
    made.append(documents.encrypted_pdf(tmp_path / "a.pdf"))
    made.append(documents.odt(tmp_path / "a.odt", "", encrypted=True))
    for path in made:
        assert "is protected by a password" in failure(parser, path), path


def test_a_mail_has_its_subject_and_its_richest_body(parser: Parser, tmp_path: Path) -> None:
    path = documents.eml(
        tmp_path / "a.eml",
        subject="Grüße aus Wien",
        text="plain words",
        html="<p>rich <b>words</b></p><table><tr><td>a</td><td>b</td></tr></table>",
        attachment="plan.bin",
    )
    document = parsed(parser, path)
    assert document.title == "Grüße aus Wien"
    head = (
        "From: Anna Sender <anna@example.com>\nTo: bert@example.com\nDate: 2024-03-05 10:30\n"
        "Attachments: plan.bin"
    )
    assert shape(document) == [
        ("Address", "", head),
        ("NarrativeText", "", "rich words"),
        ("Table", "", "a | b"),
    ]
    assert document.properties == {
        "from": "Anna Sender <anna@example.com>",
        "to": "bert@example.com",
        "sent": "2024-03-05T10:30:00+01:00",
        "attachments": "plan.bin",
    }
    plain = parsed(parser, documents.eml(tmp_path / "b.eml", subject="S", text="One.\n\nTwo.\n"))
    assert [e.text for e in plain.elements[1:]] == ["One.", "Two."]


def test_forwarded_and_encrypted_mails(parser: Parser, tmp_path: Path) -> None:
    inner = "From: a@b.c\nSubject: Inner\n\nInner text.\n"
    outer = f"From: x@y.z\nSubject: Fwd\nContent-Type: message/rfc822\n\n{inner}"
    document = parsed(parser, written(tmp_path / "a.eml", outer))
    assert document.title == "Fwd"
    assert shape(document) == [
        ("Address", "", "From: x@y.z"),
        ("Title", "Inner", "Inner"),
        ("Address", "Inner", "From: a@b.c"),
        ("NarrativeText", "Inner", "Inner text."),
    ]
    secret = "From: x@y.z\nContent-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n"
    assert "is encrypted" in failure(parser, written(tmp_path / "b.eml", secret))
    packed = "From: x@y.z\nContent-Type: application/pkcs7-mime; name=smime.p7m; smime-type={}\n\nMIIB\n"
    sealed = written(tmp_path / "c.eml", packed.format("AuthEnveloped-Data"))
    assert "is encrypted" in failure(parser, sealed)
    (found,) = parsed(parser, written(tmp_path / "d.eml", packed.format("signed-data"))).findings
    assert found["code"] == "parts-left-out" and "packed into smime.p7m" in found["reason"]


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("base64", base64.encodebytes), ("quoted-printable", quopri.encodestring), ("8bit", bytes)],
)
def test_a_forwarded_mail_has_its_own_people_date_and_files(
    parser: Parser, tmp_path: Path, encoding: str, encode: Callable[[bytes], bytes]
) -> None:
    inner = documents.eml(
        tmp_path / "inner.eml",
        subject="Größe",
        text="Plain = w1.",
        html="<p>Rich = é.</p>",
        attachment="a.bin",
    ).read_bytes()
    head = f"From: x@y.z\nContent-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}\n\n"
    path = written(tmp_path / "a.eml", head.encode() + encode(inner))
    assert shape(parsed(parser, path)) == [
        ("Address", "", "From: x@y.z\nAttachments: a.bin"),
        ("Title", "Größe", "Größe"),
        (
            "Address",
            "Größe",
            "From: Anna Sender <anna@example.com>\nTo: bert@example.com\nDate: 2024-03-05 10:30",
        ),
        ("NarrativeText", "Größe", "Rich = é."),
    ]
    enclosed = mail.enclosed(path, BY_SUFFIX[".eml"])
    assert enclosed == replace(mail.enclosed(tmp_path / "inner.eml", BY_SUFFIX[".eml"]), sent="")


def test_what_is_said_to_be_encoded_and_is_not_is_read(parser: Parser, tmp_path: Path) -> None:
    head = "From: x@y.z\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
    document = parsed(parser, written(tmp_path / "a.eml", f"{head}From: a@b.c\nSubject: Inner\n\nDéjà.\n"))
    assert [e.text for e in document.elements[1:]] == ["Inner", "From: a@b.c", "Déjà."]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_headers_whose_bytes_are_no_ascii_are_read_as_texts_are(
    parser: Parser, tmp_path: Path, encoding: str
) -> None:
    head = 'From: Jürgen Müller <j@x.de>\nSubject: Kündigung\nContent-Type: a/b; name="Größe.b"\n\n'
    document = parsed(parser, written(tmp_path / "a.eml", head.encode(encoding)))
    assert document.title == "Kündigung"
    assert document.elements[0].text == "From: Jürgen Müller <j@x.de>\nAttachments: Größe.b"


def test_all_recipients_are_text(parser: Parser, tmp_path: Path) -> None:
    names = [f"Person {number} <p{number}@example.org>" for number in range(300)]
    document = parsed(parser, written(tmp_path / "a.eml", f"From: x@y.z\nTo: {', '.join(names)}\n\nText.\n"))
    assert document.elements[0].text == f"From: x@y.z\nTo: {', '.join(names)}"


@pytest.mark.parametrize(
    "name",
    ["Word Document", "Untitled spreadsheet", "PowerPoint Presentation", "Presentation (2)", "1st", "[Title]",
     "6.4 Internal PXC", "Microsoft Word - Leave.doc", "report_final.indd", "- 3 -"],
)  # fmt: skip
def test_a_title_that_names_nothing_is_none(parser: Parser, tmp_path: Path, name: str) -> None:
    pages = [[(12, "Plain words in a line that is long enough to be a sentence of its own.")]]
    assert parsed(parser, documents.pdf(tmp_path / "a.pdf", pages, info={"Title": name})).title == ""
    assert parsed(parser, documents.pdf(tmp_path / "b.pdf", pages, info={"Title": f"On {name} 7"})).title


def test_an_authors_title_stands_whatever_it_is(parser: Parser, tmp_path: Path) -> None:
    assert parsed(parser, written(tmp_path / "a.md", "---\ntitle: Word\n---\nText.\n")).title == "Word"


def _alternatives(*parts: tuple[str, str]) -> str:
    said = "".join(f"--b\nContent-Type: {kind}\n\n{text}\n" for kind, text in parts)
    return f"From: x@y.z\nSubject: S\nContent-Type: multipart/alternative; boundary=b\n\n{said}--b--\n"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([("text/plain", "Words."), ("image/png", "x")], "Words."),
        ([("text/plain", "Words."), ("text/calendar", "BEGIN:VCALENDAR")], "Words."),
        ([("text/html", "<p>Rich.</p>"), ("text/plain", "Words.")], "Rich."),
        ([("text/plain", "Words."), ("text/html", "<p></p>")], "Words."),
    ],
)
def test_of_alternatives_the_richest_that_has_text_is_read(
    parser: Parser, tmp_path: Path, parts: list[tuple[str, str]], said: str
) -> None:
    document = parsed(parser, written(tmp_path / "a.eml", _alternatives(*parts)))
    assert [element.text for element in document.elements[1:]] == [said]
    assert document.findings == []


def test_a_mail_in_utf16_is_read(parser: Parser, tmp_path: Path) -> None:
    text = "From: x@y.z\nSubject: Grüße\nContent-Type: text/plain; charset=utf-16\n\nEin Gruß aus Köln.\n"
    path = tmp_path / "a.eml"
    path.write_bytes(text.encode("utf-16"))
    document = parsed(parser, path)
    assert (document.title, document.elements[-1].text) == ("Grüße", "Ein Gruß aus Köln.")


def test_what_a_broken_mail_holds_is_read_and_what_is_lost_is_said(parser: Parser, tmp_path: Path) -> None:
    wrong = _alternatives(("text/plain", "The words.")).replace("boundary=b", "boundary=other")
    document = parsed(parser, written(tmp_path / "a.eml", wrong))
    assert "The words." in document.text
    (found,) = document.findings
    assert (found["code"], found["line"]) == ("parts-left-out", None)
    assert "boundary" in found["reason"]

    def forwarded(times: int) -> str:
        deep = "From: a@b.c\nSubject: The innermost\n\nDeep words.\n"
        for _ in range(times):
            deep = f"From: x@y.z\nSubject: Fwd\nContent-Type: message/rfc822\n\n{deep}"
        return deep

    document = parsed(parser, written(tmp_path / "b.eml", forwarded(30)))
    assert "Deep words." in document.text and document.findings == []
    document = parsed(parser, written(tmp_path / "c.eml", forwarded(150)))
    assert "Deep words." not in document.text
    assert "nested more than 100 levels deep" in document.findings[0]["reason"]


def test_an_outlook_message(parser: Parser, tmp_path: Path) -> None:
    plain = parsed(
        parser, documents.msg(tmp_path / "a.msg", subject="Leave", text="Body one.\r\n\r\nBody two.")
    )
    assert plain.title == "Leave"
    assert [e.text for e in plain.elements] == ["From: Anna Sender", "Body one.", "Body two."]
    html = "<h1>Head</h1>" + "<p>Rich body.</p>" * 300
    rich = parsed(parser, documents.msg(tmp_path / "b.msg", subject="Leave", text="no", html=html))
    assert len(rich.elements) == 302
    assert rich.elements[2].heading_path == ("Head",)


def test_a_book_has_its_own_title_and_chapters(parser: Parser, tmp_path: Path) -> None:
    chapters = ["<h1>One</h1><p>Text one.</p>", "<h1>Two</h1><h2>Sub</h2><p>Text two.</p>"]
    document = parsed(parser, documents.epub(tmp_path / "a.epub", "The Book", chapters))
    assert document.title == "The Book"
    assert document.properties["author"] == "Anna"
    assert shape(document) == [
        ("Title", "One", "One"),
        ("NarrativeText", "One", "Text one."),
        ("Title", "Two", "Two"),
        ("Title", "Two > Sub", "Sub"),
        ("NarrativeText", "Two > Sub", "Text two."),
    ]


def test_open_document_text(parser: Parser, tmp_path: Path) -> None:
    body = (
        '<text:h text:outline-level="1">Head</text:h><text:p>A paragraph.</text:p>'
        '<text:list><text:list-item><text:p>An<text:s text:c="2"/>item<text:note><text:note-citation>1'
        "</text:note-citation><text:note-body><text:p>A note.</text:p></text:note-body></text:note></text:p>"
        "<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell>"
        "<text:p>b</text:p><text:p>c</text:p></table:table-cell></table:table-row></table:table>"
        "</text:list-item></text:list><text:p>Page<text:soft-page-break/> break<text:line-break/>s.</text:p>"
    )
    document = parsed(parser, documents.odt(tmp_path / "a.odt", body))
    assert document.elements[-1].page == 2
    assert shape(document) == [
        ("Title", "Head", "Head"),
        ("NarrativeText", "Head", "A paragraph."),
        ("ListItem", "Head", "An item"),
        ("Table", "Head", "a | b c"),
        ("NarrativeText", "Head", "Page break\ns."),
        ("NarrativeText", "", "A note."),
    ]


def test_rich_text(parser: Parser, tmp_path: Path) -> None:
    body = r"{\pard Some caf\'e9 text.\par}{\pard Second.\par}"
    document = parsed(parser, documents.rtf(tmp_path / "a.rtf", body, title="Known"))
    assert document.title == "Known"
    assert [e.text for e in document.elements] == ["Some café text.", "Second."]


def test_restructured_text_and_org(parser: Parser, tmp_path: Path) -> None:
    rst = "Guide\n=====\n\nText.\n\nPart\n----\n\n* one\n\n::\n\n   x  y\n     z\n"
    org = "#+TITLE: Guide\nText.\n* Part\n- one\n#+BEGIN_SRC sh\nx  y\n  z\n#+END_SRC\n"
    for name, source in (("a.rst", rst), ("a.org", org)):
        document = parsed(parser, written(tmp_path / name, source))
        assert document.title == "Guide"
        assert shape(document) == [
            ("Title", "Guide", "Guide"),
            ("NarrativeText", "Guide", "Text."),
            ("Title", "Guide > Part", "Part"),
            ("ListItem", "Guide > Part", "one"),
            ("CodeSnippet", "Guide > Part", "x  y\n  z"),
        ]


def test_json_has_each_key_and_value_once(parser: Parser, tmp_path: Path) -> None:
    source = '{"title": "w1", "w2": 1.50, "w3": [{"w4": "w5", "w6": [true, null]}, "w7"], "w8": {}}'
    document = parsed(parser, written(tmp_path / "a.json", source))
    assert document.title == "w1"
    assert marks(document) == once(source)
    assert [e.text for e in document.elements][:3] == [
        "title: w1",
        "w2: 1.50",
        "w3:\n  - w4: w5\n    w6:\n      - true\n      - null\n  - w7",
    ]
    lines = parsed(parser, written(tmp_path / "a.jsonl", '{"a": 1}\n\n{"a": 2}\n'))
    assert [e.text for e in lines.elements] == ["a: 1", "a: 2"]
    twice = '{"a": 1, "b": {"c": "d", "c": {}, "c": ["e"]}, "a": 2}'
    found = parsed(parser, written(tmp_path / "d.json", twice))
    assert [e.text for e in found.elements] == ["a: 1", "b:\n  c: d\n  c:\n  c:\n    - e", "a: 2"]
    assert "not valid JSON" in failure(parser, written(tmp_path / "b.json", "{"))
    assert "too deeply" in failure(parser, written(tmp_path / "c.json", "[" * 100_000))


def test_xml_keeps_mixed_text_and_expands_nothing(parser: Parser, tmp_path: Path) -> None:
    source = (
        '<!DOCTYPE r [<!ENTITY e "lol"><!ENTITY file SYSTEM "file:///etc/passwd">]>'
        "<r><title>Known</title><p>mixed <b>bold</b> tail</p><q><w>1</w><w>2</w></q><x>&e;&file;</x></r>"
    )
    document = parsed(parser, written(tmp_path / "a.xml", source))
    assert document.title == "Known"
    assert [e.text for e in document.elements] == ["Known", "mixed bold tail", "1", "2", "&e;&file;"]
    laughs = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = written(tmp_path / "b.xml", f'<!DOCTYPE r [<!ENTITY e0 "lol">{laughs}]><r>&e9;</r>')
    assert "entities that would make it enormous" in failure(parser, bomb)
    assert "not valid XML" in failure(parser, written(tmp_path / "c.xml", "<a><b></a>"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("<p>Anna<lb/>Meier<lb></lb>Wien</p>", "Anna Meier Wien"),
        (
            "<p>Staff:<list><item>Anna</item><item>Bo</item></list>and<n><f>Cy</f></n></p>",
            "Staff: Anna Bo and Cy",
        ),
        ("<p>Staff:<item>A<b>n</b>na</item>Bo &e;<lb/>&e;&e;</p>", "Staff: Anna Bo &e; &e;&e;"),
        ("<p><b>An</b>na <i>M</i><b>ei</b>er</p>", "Anna Meier"),
    ],
)
def test_xml_elements_part_words_or_mark_pieces_of_them(
    parser: Parser, tmp_path: Path, source: str, said: str
) -> None:
    source = f'<!DOCTYPE r [<!ENTITY e "lol">]><r>{source}</r>'
    document = parsed(parser, written(tmp_path / "a.xml", source))
    assert [e.text for e in document.elements] == [said]


def test_a_bomb_is_refused_before_it_is_opened(parser: Parser, tmp_path: Path) -> None:
    zeros = bytes(1 << 20) * 150
    bomb = documents.zipped(tmp_path / "a.docx", {"word/document.xml": zeros})
    assert "grows to more than 128 MiB" in failure(parser, bomb)
    many = documents.zipped(tmp_path / "a.odt", {f"{n}": b"" for n in range(20_001)})
    assert "more than 20000 files" in failure(parser, many)


def test_control_characters_and_surrogates_never_come_out(parser: Parser, tmp_path: Path) -> None:
    document = parsed(parser, written(tmp_path / "a.json", '{"a": "x\\u0000y\\ud800z"}'))
    assert document.text == "a: xyz\n\n"


def test_every_break_keeps_words_apart(parser: Parser, tmp_path: Path) -> None:
    page = parsed(parser, written(tmp_path / "a.txt", "Contact\vZoe Oneil\vHamburg\fNext page"))
    assert page.text == "Contact\nZoe Oneil\nHamburg\nNext page\n\n"
    data = parsed(parser, written(tmp_path / "a.json", '{"a": "x\\ry\\r\\nz"}'))
    assert data.text.split() == ["a:", "x", "y", "z"]
    page = parsed(parser, written(tmp_path / "a.md", "# Head\vline\n"))
    assert page.title == "Head line"


def test_control_characters_and_surrogates_are_in_no_property_and_no_language(
    parser: Parser, tmp_path: Path
) -> None:
    front = r"""
lang: "de\0"
"na\0me": "a\0b\uFEFF"
owner: ["user:a\0", "user:\ud800b", 1]
group: {"leader\0": "c\0"}
"""
    document = parsed(parser, written(tmp_path / "a.md", f"---{front}---\ntext"))
    assert document.language == "de"
    assert document.properties == {
        "lang": "de",
        "name": "ab",
        "owner": ["user:a", "user:b", 1],
        "group": {},
        "group.leader": "c",
    }
    assert parsed(parser, written(tmp_path / "b.md", '---\nlang: "\\0"\n---\ntext')).language is None
