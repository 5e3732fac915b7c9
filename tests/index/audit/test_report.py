from __future__ import annotations

import base64
import csv
import hashlib
import io
import itertools
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import hypothesis
import hypothesis.strategies as st
import pytest

from connectors.base import ConnectorSettings
from index.audit.audit import audit
from index.audit.report import FILES, counts_markdown, page_of, write
from index.audit.report.page import html_page
from index.audit.report.plain import csv_table
from index.audit.report.rows import safe_url
from index.audit.result import Audit
from index.config import Rule, SourceConfig
from index.model import State
from index.printable import unprintable
from index.records import Document, Review

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SOURCE = SourceConfig(
    "handbook",
    "files",
    ConnectorSettings(),
    owner="group:docs",
    rules=(Rule("archive/**", freshness="exempt"),),
)
EVIL = '<script>alert("1")</script>&amp;'


def document(uri: str, age: float | None = 0, **values: Any) -> Document:
    modified = None if age is None else NOW - timedelta(days=age)
    given = {"state": State.INDEXED, "version": 1, "chunk_count": 1, "modified_at": modified, **values}
    return Document(f"id-{uri}", "handbook", uri, **given)


def run(*documents: Document, reviews: Mapping[str, Review] | None = None) -> Audit:
    made = {document: [review] for document, review in (reviews or {}).items()}
    return audit(documents, {"handbook": SOURCE}, NOW, reviews=made, name="Fish & Chips")


def reports(
    folder: Path, *documents: Document, reviews: Mapping[str, Review] | None = None
) -> dict[str, str]:
    written = write(run(*documents, reviews=reviews), folder)
    assert [path.name for path in written] == list(FILES)
    return {path.name: path.read_bytes().decode() for path in written}


def table_of(found: Audit) -> str:
    return "".join(csv_table(found, [result.values() for result in found.results]))


class Page(HTMLParser):
    """The report as a browser reads it; complains about elements that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "input"):
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.stack):
            self.words.append(data)

    @property
    def links(self) -> list[str | None]:
        return [attributes.get("href") for tag, attributes in self.tags if tag == "a"]


def test_the_page_says_what_an_owner_needs(tmp_path: Path) -> None:
    text = reports(
        tmp_path,
        document("a.md", 200, title="Travel policy", url="https://wiki.example/a?x=1&y=2"),
        document("b.md", 100, properties={"owner": "user:anna"}),
        document("c.md", None),
        document("d.md", 1, reviewed_at=NOW),
        document("archive/e.md", 9000),
        document("f.pdf", state=State.QUARANTINED, reason="The file has a password."),
    )["report.html"]
    page = Page(text)
    words = " ".join(" ".join(page.words).split())
    for sentence in (
        "Freshness of Fish & Chips",
        "As of 1 May 2026, 12:00 UTC",
        "2 of the 5 documents that have to be reviewed are fresh.",
        "Travel policy",
        "Review overdue by 110 days",
        "Stale since 11 Apr 2026",
        "last_reviewed: 2026-05-01",
        "freshkb review handbook:a.md",
        "Review due for 10 days",
        "Stale on 20 Jul 2026",
        "freshkb review handbook:b.md --by user:anna",
        "Give it a date, or attest a review.",
        "Attested review 1 May 2026",
        "The file has a password.",
        "freshkb retry handbook:f.pdf",
        "Review by",
        "This is the first audit on record.",
    ):
        assert sentence in words, sentence
    assert "https://wiki.example/a?x=1&y=2" in page.links
    assert {page_of("group:docs"), page_of("user:anna")} <= set(page.links)
    assert words.count("freshkb review handbook:a.md ") == 1, "it is no group that reviews"
    assert " New " not in words, "nothing is new in the first audit"


def test_a_review_is_told_with_its_note_in_every_report(tmp_path: Path) -> None:
    review = Review("id-a.md", EVIL, "=still right", NOW - timedelta(days=3), "then")
    changed = document("a.md", 200, reviewed_at=review.at, content_hash="now")
    files = reports(tmp_path, changed, reviews={"id-a.md": review})
    said = f"Reviewed 28 Apr 2026 by {EVIL}; changed since: “=still right”"
    assert said in "".join(Page(files["report.html"]).words)
    assert "Changed since its review" in files["report.html"]
    assert "changed since: “=still right”" in files["report.md"] or "Changed since" in files["report.md"]
    (row,) = csv.DictReader(io.StringIO(files["report.csv"].removeprefix("\ufeff"), newline=""))
    assert (row["reviewed_at"], row["reviewed_by"]) == ("2026-04-28T12:00:00Z", EVIL)
    assert (row["review_note"].lstrip("'"), row["changed_since_review"]) == ("=still right", "True")
    assert json.loads(files["freshness.json"])["results"][0]["review_note"] == "=still right"


def test_each_owner_has_a_page_with_what_is_shared(tmp_path: Path) -> None:
    shared = document("shared.md", 200, properties={"owner": ["anna", "bo"]})
    files = reports(tmp_path, shared, document("b.md", properties={"owner": "Anna"}))
    assert "| anna, bo |" in files["report.md"]
    rows = list(csv.DictReader(io.StringIO(files["report.csv"].removeprefix("\ufeff"), newline="")))
    assert [(row["owner"], row["owners"]) for row in rows] == [("anna", "anna; bo"), ("Anna", "Anna")]
    assert len(list((tmp_path / "owners").iterdir())) == 2, "spellings of a name share a page"
    pages = {name: Page((tmp_path / page_of(name)).read_text()) for name in ("anna", "bo")}
    for name, page in pages.items():
        assert "../report.html" in page.links
        assert "handbook / shared.md" in page.words
        assert ("handbook / b.md" in page.words) == (name == "anna")
    assert page_of("bo").removeprefix("owners/") in pages["anna"].links


@pytest.mark.parametrize(
    ("age", "said"), [(90, "Review due now"), (91, "Review due for 1 day"), (180, "by 90 days")]
)
def test_what_is_due_since_today_is_due_now(tmp_path: Path, age: int, said: str) -> None:
    files = reports(tmp_path, document("a.md", age))
    assert said in "".join(Page(files["report.html"]).words)
    assert " 0 days" not in files["report.md"]


def test_a_date_is_shown_as_the_document_has_it(tmp_path: Path) -> None:
    files = reports(tmp_path, document("a.md", properties={"last_reviewed": "2025-05-01"}))
    assert "“last_reviewed” 1 May 2025" in files["report.html"]
    assert json.loads(files["freshness.json"])["results"][0]["date_used"] == "2025-05-01"


def test_the_page_loads_nothing_and_runs_its_own_script_alone(tmp_path: Path) -> None:
    text = reports(tmp_path, document("a.md", 200, title=EVIL, url="javascript:alert(1)"))["report.html"]
    page = Page(text)
    assert not {"img", "link", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    assert [a for tag, a in page.tags if tag == "script"] == [{"type": "application/json", "id": "data"}, {}]
    assert not re.search(r"url\(|@import|\son\w+=|\sstyle=", text)
    assert not [link for link in page.links if link and not link.startswith(("#", "owners/"))]
    (policy,) = (a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(own.encode()).digest()).decode() for own in (*script, *style)]
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_whatever_stands_in_a_document_stays_text(tmp_path: Path) -> None:
    hostile = document(
        f"{EVIL}.md",
        200,
        title=EVIL,
        properties={"owner": EVIL, "last_reviewed": EVIL},
        state=State.QUARANTINED,
        reason=EVIL,
        url='https://x/"onmouseover="alert(1)',
    )
    files = reports(tmp_path, hostile, document("b.md"))
    page = Page(files["report.html"])
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert not [attributes for _, attributes in page.tags if "onmouseover" in attributes]
    assert "".join(page.words).count(EVIL) >= 5
    assert "<script" not in files["report.md"].replace("\\<", "")
    assert json.loads(files["freshness.json"])["results"][0]["owner"] == EVIL


def test_the_template_marks_nothing_as_safe() -> None:
    template = (Path(html_page.__code__.co_filename).parent / "report.html.jinja").read_text(encoding="utf-8")
    body = template.partition("-#}")[2]
    for word in ("safe", "autoescape", "Markup", "xmlattr", "urlize"):
        assert not re.search(rf"(?<![\w_]){word}(?![\w_])", body), word
    assert set(re.findall(r"\{% include (.+?) %\}", body)) == {'"style.css"', '"report.js"'}


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://example.org/a?b=c#d", True),
        ("http://localhost:8080/", True),
        ("file:///srv/handbook/a%20b.md", True),
        ("HTTPS://EXAMPLE.org", True),
        *((url, False) for url in ("", "a.md", "/a.md", "//host/a", "https:", "https:///a", "ftp://host/a")),
        *((url, False) for url in ("javascript:alert(1)", "data:text/html,x", "vbscript:x", " javascript:x")),
        *(
            (url, False)
            for url in ("file://host/share", "file:////host/share", "java\nscript:x", "https://a b")
        ),
        *((url, False) for url in ("https://[::1", "https://x\\@y", "https://x\u202e/")),
    ],
)
def test_only_safe_addresses_are_linked(url: str, safe: bool) -> None:
    assert safe_url(url) == safe


def test_the_table_has_every_document_with_the_columns_of_the_contract(tmp_path: Path) -> None:
    documents = [document(f"{n}.md", n, title="Zürich, “quoted”\nline") for n in range(700)]
    raw = reports(tmp_path, *documents)["report.csv"]
    assert raw.startswith("\ufeff"), "Excel reads accented letters only with it"
    rows = list(csv.DictReader(io.StringIO(raw.removeprefix("\ufeff"), newline="")))
    contract = list(run(documents[0]).json()["results"][0])
    assert list(rows[0]) == [*contract, "title", "url"]
    assert {row["uri"] for row in rows} == {document.uri for document in documents}
    assert rows[0]["age_days"] == "699"
    assert rows[0]["title"] == "Zürich, “quoted”\\nline", "a line break would begin a row where ; separates"


#: Separators of cells in various languages and programs; ours is the comma.
SEPARATORS = ",;\t|؛،；"
FORMULAS = tuple("=+-@＝＋－＠﹦﹢﹣﹫")


def formulas(raw: str) -> list[str]:
    """Cells that a spreadsheet of some language would take for a formula; a number is none."""
    text = raw.removeprefix("\ufeff")
    cells = [
        cell.strip()
        for separator in SEPARATORS
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        for cell in row
    ]
    return [cell for cell in cells if cell.startswith(FORMULAS) and not re.fullmatch(r"-?[\d.]+", cell)]


#: Characters that may stand before a sign and let a cell begin there.
LEADS = (
    *("", " ", "\u00a0", "\t", "\r", "\n", "\u2028", '"', "\u200b"),
    *("a;", "a|", "a\t", "a\n", "a\r\n", "a; ", 'a;"', 'a;""', 'a";', 'a"\n', "a;\u00a0", "a;\u202e"),
    *("a؛", "a،", "a；", "a,", 'a",', 'a","', "a;'", "a;b;", '";"', 'a;"b";'),
)


def test_no_cell_is_a_formula_whatever_separates() -> None:
    for number, (lead, sign) in enumerate(itertools.product(LEADS, FORMULAS)):
        formula = f"{lead}{sign}cmd|' /C calc'!A1"
        hostile = document(f"{formula}{number}", title=formula, url=formula, properties={"owner": formula})
        assert formulas(table_of(run(hostile, document("b.md")))) == [], (lead, sign)


@hypothesis.given(st.lists(st.text(alphabet="=+-@;,|\t\n\r\"' a؛＝", max_size=12), min_size=3, max_size=3))
@hypothesis.settings(deadline=None)
def test_no_text_makes_a_formula(texts: list[str]) -> None:
    uri, title, owner = texts
    found = run(document(f"d{uri}", title=title, properties={"owner": owner}), document("b.md", title=owner))
    assert formulas(table_of(found)) == []


def test_ordinary_words_stay_as_they_are_in_the_table(tmp_path: Path) -> None:
    title = "Travel; 5-10 km | a = b, -3 °C - user@host; (x)"
    raw = reports(tmp_path, document("a-b.md", title=title))["report.csv"]
    (row,) = csv.DictReader(io.StringIO(raw.removeprefix("\ufeff"), newline=""))
    assert (row["title"], row["uri"]) == (title, "a-b.md")


#: Commands of a terminal, C1, direction, width zero, tags, a row of selectors, fillers, half a character.
HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07\x9b2J\u202eevil\u2066x\u200by\u200dz\ufeff\u00ad\U000e0041\U000e0042"
    "\ufe0f\ufe0f\u3164\u2028p\x85\u180e\udcff"
)


def test_what_cannot_be_seen_or_commands_is_in_no_report(tmp_path: Path) -> None:
    hostile = document(
        f"{HOSTILE}.md",
        200,
        title=HOSTILE,
        properties={"owner": HOSTILE, "last_reviewed": HOSTILE},
        state=State.QUARANTINED,
        reason=HOSTILE,
        url=f"https://x/{HOSTILE}",
    )
    shared = document("shared.md", 200, properties={"owner": ["anna", HOSTILE]})
    files = reports(tmp_path, hostile, shared, document("b.md"))
    assert "anna, \\\\x1b\\[31mred" in files["report.md"]
    escapes = {
        "report.html": "\\x1b[31mred",
        "report.md": r"\\x1b\[31mred",
        "report.csv": "\\x1b[31mred",
        "findings.csv": "\\x1b[31mred",
        "report.xml": "\\x1b[31mred",
        "freshness.json": "\\u001b[31mred",
    }
    for name, text in files.items():
        lines = text.removeprefix("\ufeff").replace("\r\n", "\n")
        assert unprintable().findall(lines) == [], name
        assert escapes[name] in lines, name
    shown = {result["uri"] for result in json.loads(files["freshness.json"])["results"]}
    assert f"{HOSTILE}.md" in shown, "JSON has escapes of its own, and loses nothing"


def test_markdown_formats_links_and_notifies_nothing_by_accident(tmp_path: Path) -> None:
    title = "*a* _b_ `c` [d](http://e) <f> | g\n# h @team www.i.org"
    text = reports(tmp_path, document("a.md", 200, title=title))["report.md"]
    (line,) = (line for line in text.splitlines() if line.startswith("| Stale"))
    assert line.replace("\\|", "").count("|") == 8
    for piece in ("*a*", "_b_", "`c`", "[d]", "<f>", "http://", "www.", "@team"):
        assert not re.search(rf"(?<!\\){re.escape(piece)}", line.replace("**", "")), piece


def test_the_counts_for_other_systems_name_nobody(tmp_path: Path) -> None:
    text = counts_markdown(run(document("secret.md", 200, title="Secret", properties={"owner": "user:anna"})))
    assert text.splitlines()[-1] == "| 0 % | 1 | 0 | 0 | 0 | 0 |"
    assert not re.search("secret|anna|handbook", text, re.IGNORECASE)


def test_long_reports_say_what_they_leave_out(tmp_path: Path) -> None:
    files = reports(tmp_path, *(document(f"{n}.md", 200, chunk_count=0) for n in range(1234)))
    assert "… and 234 more in report.csv." in files["report.html"]
    assert "… and 734 more in report.csv." in files["report.md"]
    assert "… and 734 more in findings.csv." in files["report.md"]
    assert len(json.loads(files["freshness.json"])["results"]) == 1234


def test_the_json_file_holds_the_audit_json_with_a_line_for_each_entry(tmp_path: Path) -> None:
    documents = [document(f"ü{n}.md", n * 50, chunk_count=0) for n in range(5)]
    text = reports(tmp_path, *documents)["freshness.json"]
    assert json.loads(text) == run(*documents).json()
    assert "ü3.md" in text
    assert len(text.splitlines()) == 5 + 5 + 3 + 1 + 2 * 3 + 3 + 2 + 3


def test_an_empty_knowledge_base_has_a_report_too(tmp_path: Path) -> None:
    files = reports(tmp_path)
    assert "There are no documents yet." in "".join(Page(files["report.html"]).words)
    assert "Nothing: every document" in files["report.md"]
    assert json.loads(files["freshness.json"])["trust_score"] is None


def test_text_that_is_not_unicode_does_not_stop_the_report(tmp_path: Path) -> None:
    assert "a\\udcffb" in reports(tmp_path, document("a.md", 200, title="a\udcffb"))["report.html"]


def test_reports_replace_the_old_ones_whole_and_leave_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "reports"
    reports(out, document("a.md"))
    (out / "mine.txt").write_text("kept")
    reader = (out / "report.html").open()
    reports(out, document("a.md", 200))
    assert "Review overdue" not in reader.read(), "an open report is not rewritten under its reader"
    reader.close()
    assert sorted(path.name for path in out.iterdir()) == sorted([*FILES, "mine.txt", "owners"])


def test_reports_are_as_readable_as_their_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    (first, *_) = write(run(), tmp_path)
    (second, *_) = write(run(), tmp_path / "new")
    modes = [path.stat().st_mode & 0o777 for path in (first, second.parent, second)]
    assert modes == [0o640, 0o700, 0o600]


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    reports(tmp_path, document("a.md", 200))
    before = (tmp_path / "freshness.json").read_bytes()
    broken = Audit(NOW, cast(Any, (object(),)))
    with pytest.raises(AttributeError):
        write(broken, tmp_path)
    assert (tmp_path / "freshness.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, "owners"])
