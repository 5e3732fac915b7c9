"""What the reports say of findings: what to do, what is new, and the forms for CI."""

from __future__ import annotations

import csv
import io
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
from lxml import etree

from connectors.base import ConnectorSettings
from index.audit.audit import audit
from index.audit.report import owner_pages, page_of, write
from index.audit.report.github import annotation_lines
from index.audit.report.junit import junit
from index.audit.report.remedy import of_finding
from index.audit.report.rows import Row, rows
from index.audit.result import Audit, PastAudit, Resolved
from index.audit.use import use_of
from index.config import FreshnessPolicy, SourceConfig
from index.freshness.finding import CODES, Finding
from index.ledger.usage import Shown
from index.model import State
from index.records import Document

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def document(uri: str, age: float | None = 0, **values: Any) -> Document:
    modified = None if age is None else NOW - timedelta(days=age)
    given = {"state": State.INDEXED, "version": 1, "chunk_count": 1, "modified_at": modified, **values}
    return Document(f"id-{uri}", "handbook", uri, **given)


def run(*documents: Document, fields: tuple[str, ...] = ("last_reviewed", "modified_at")) -> Audit:
    policy = FreshnessPolicy(timedelta(days=90), timedelta(days=180), fields)
    source = SourceConfig("handbook", "files", ConnectorSettings(), owner="user:anna", freshness=policy)
    return audit(documents, {"handbook": source}, NOW, name="Fish & Chips")


def found(code: str, uri: str | None = "a.md", evidence: str = "So it is.", **values: Any) -> Finding:
    return Finding(code, "handbook", uri, uri and f"id-{uri}", "user:anna", evidence, **values)


def later(before: Audit, *findings: Finding) -> Audit:
    """The audit, a week after another, with these findings besides its own."""
    past = PastAudit(NOW - timedelta(days=7), {"stale": 2, "fresh": 2}, {"user:anna": {"stale": 2}})
    return replace(before, findings=(*before.findings, *findings), past=(past,))


def lines(row: Row) -> list[tuple[str, str]]:
    return [(line.kind, row.filled(line)) for item in row.items for line in item.remedy.lines]


# ── What to do ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("uri", "properties", "fields", "written"),
    [
        ("a.md", {}, ("last_reviewed", "modified_at"), ("Front matter", "last_reviewed: 2026-05-01")),
        (
            "a.md",
            {"ms.date": "05/01/2024"},
            ("last_reviewed", "ms.date"),
            ("Front matter", "ms.date: 2026-05-01"),
        ),
        (
            "a.html",
            {},
            ("last_reviewed", "modified_at"),
            ("Meta element", '<meta name="last_reviewed" content="2026-05-01">'),
        ),
        ("a.pdf", {}, ("last_reviewed", "modified_at"), None),
        ("a.md", {}, ("modified_at", "last_reviewed"), None),
    ],
)
def test_a_stale_document_is_reviewed_in_writing_or_by_a_command(
    uri: str, properties: dict[str, str], fields: tuple[str, ...], written: tuple[str, str] | None
) -> None:
    (row,) = rows(run(document(uri, 700, properties=properties), fields=fields))
    command = ("Command", f"freshkb review handbook:{uri} --by user:anna")
    assert lines(row) == ([written, command] if written else [command])


@pytest.mark.parametrize("code", CODES)
def test_every_finding_has_something_to_do(code: str) -> None:
    audited = run(document("a.md", 700))
    remedy = of_finding(found(code), audited.results[0], NOW.date())
    assert remedy.sentence or remedy.lines
    assert remedy.sentence != "Read the evidence, and mend the document."


def test_what_a_check_names_goes_before_what_its_code_says() -> None:
    audited = run(document("a.md"))
    dead = found("dead-link", remedy="Link to ../b.md.")
    source = found("sync-lag", None, remedy="Run: freshkb sync")
    shown = rows(replace(audited, findings=(dead, source)))
    assert [row.place for row in shown] == ["handbook", "handbook / a.md"]
    assert lines(shown[0]) == [("Command", "freshkb sync")]
    assert shown[1].items[0].remedy.sentence == "Link to ../b.md."


def test_an_owner_is_named_in_the_document_or_by_a_rule_that_matches_it_alone() -> None:
    uri = 'a/b [1]/"q" *x!.md'
    (row,) = rows(replace(run(document(uri)), findings=(found("unowned", uri),)))
    assert lines(row) == [
        ("Front matter", "owner: user:NAME"),
        ("freshkb.yaml", '- {match: "/a/b \\\\[1]/\\"q\\" \\\\*x\\\\!.md", owner: user:NAME}'),
    ]


@pytest.mark.parametrize(
    "uri", ["-rf.md", "a b.md", "$(reboot).md", "`x`.md", "'; x.md", "a\nb.md", "{by}.md"]
)
def test_a_command_names_its_document_to_a_shell_as_one_word(uri: str) -> None:
    (row,) = rows(run(document(uri, 700, properties={"owner": "user:o'neil; x"})))
    (command,) = (text for kind, text in lines(row) if kind == "Command")
    said = [f"handbook:{uri}".replace("\n", "\\n"), "--by", "user:o'neil; x"]
    assert shlex.split(command) == ["freshkb", "review", *said]


# ── New, still open and resolved ──────────────────────────────────────────────────────────────────────


def test_the_reports_say_what_is_new_open_and_resolved(tmp_path: Path) -> None:
    base = run(document("a.md", 200, url="https://wiki.example/a_(b)"), document("b.md"))
    (stale,) = base.findings
    old = replace(stale, status="open", first_seen_at=NOW - timedelta(days=30))
    audited = later(replace(base, findings=(old,)), found("dead-link", "b.md", first_seen_at=NOW))
    gone = Resolved("repeat", "handbook", "b.md", "id-b.md", NOW - timedelta(days=60), NOW)
    write(replace(audited, resolved=(gone,)), tmp_path)
    page = etree.HTML((tmp_path / "report.html").read_text())
    words = " ".join(" ".join(page.xpath("//main//text()")).split())
    assert "Since 24 Apr 2026 1 new 1 still open 1 resolved" in words
    assert "Open since 1 Apr 2026" in words
    assert "Repeats another document handbook / b.md 2 Mar 2026 1 May 2026" in words
    assert [row.findtext("th/span") for row in page.xpath("//tr[.//em='New']")] == ["b.md"]
    text = (tmp_path / "report.md").read_text()
    assert "Since 24 Apr 2026: 1 new, 1 still open, 1 resolved." in text
    assert "| Link leads nowhere (new) | **b.md**<br>handbook/b.md |" in text
    assert "[**a.md**](https://wiki.example/a_%28b%29)" in text
    assert "<code>last\\_reviewed: 2026-05-01</code>" in text
    assert "## Resolved" in text


def test_the_trend_goes_from_the_first_audit_on_record_to_this_one(tmp_path: Path) -> None:
    write(later(run(document("a.md", 200), document("b.md"))), tmp_path)
    for name in ("report.html", page_of("user:anna")):
        page = etree.HTML((tmp_path / name).read_text())
        first = "50 %" if name == "report.html" else "0 %"
        assert page.xpath("//figure//svg/@aria-label") == [
            f"Trust score: {first} on 24 Apr 2026, 50 % on 1 May 2026",
            "Documents to be looked at: 2 on 24 Apr 2026, 1 on 1 May 2026",
        ]
        (line,) = page.xpath("//path[@class='line']/@d")
        assert line == ("M0.0 50.0L100.0 50.0" if name == "report.html" else "M0.0 100.0L100.0 50.0")
    write(run(document("a.md", 200)), tmp_path)
    assert "the first audit on record" in (tmp_path / "report.html").read_text()


def test_the_table_of_findings_has_them_all_with_what_to_do(tmp_path: Path) -> None:
    write(later(run(document("a.md", 200)), found("sync-lag", None, remedy="Run: freshkb sync")), tmp_path)
    text = (tmp_path / "findings.csv").read_text().removeprefix("\ufeff")
    found_rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [(row["code"], row["severity"], row["uri"]) for row in found_rows] == [
        ("sync-lag", "error", ""),
        ("stale", "error", "a.md"),
    ]
    assert found_rows[1]["what_to_do"] == (
        "Read it. If it is still right, say so: Front matter: last_reviewed: 2026-05-01 or "
        "Command: freshkb review handbook:a.md --by user:anna"
    )


# ── Owners' pages ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "owner",
    ["", "user:anna", "../../etc/passwd", "a/b\\c", ".", "con", "Zoë", "李", "x" * 999, "a\0b", "\udcff"],
)
def test_the_page_of_an_owner_has_a_plain_name(owner: str) -> None:
    name = page_of(owner)
    assert owner_pages._NAME.fullmatch(name.removeprefix("owners/"))
    assert len(name) < 90
    assert name == page_of(f" {owner.upper() if owner.isascii() else owner} ")


@hypothesis.given(st.text(max_size=6), st.text(max_size=6))
def test_owners_share_no_page(first: str, second: str) -> None:
    from index.freshness.owners import fold

    assert (page_of(first) == page_of(second)) == (fold(first) == fold(second))


def test_pages_of_owners_who_are_gone_are_removed_and_files_of_others_never(tmp_path: Path) -> None:
    anna, bo = (document(f"{name}.md", properties={"owner": name}) for name in ("anna", "bo"))
    write(run(anna, bo), tmp_path)
    folder = tmp_path / "owners"
    (folder / "mine.html").write_bytes((folder / page_of("anna").removeprefix("owners/")).read_bytes())
    (folder / "other-12345678.html").write_text("<p>mine</p>")
    (folder / "notes-12345678.html").symlink_to(tmp_path / page_of("anna"))
    one = run(bo)
    write(replace(one, owner="bo"), tmp_path)
    assert (tmp_path / page_of("anna")).exists(), "an audit of one owner tells nothing of others"
    write(one, tmp_path)
    left = sorted(path.name for path in folder.iterdir())
    kept = ["mine.html", "notes-12345678.html", "other-12345678.html"]
    assert left == sorted([*kept, page_of("bo").removeprefix("owners/")])


def test_a_source_is_on_the_page_of_its_owner_however_that_is_spelled(tmp_path: Path) -> None:
    base = run(document("a.md", properties={"owner": "group:hr docs"}))
    spelled = ["Group:HR docs", "group:hr  docs ", "group:hr\tdocs"]
    findings = [replace(found("sync-lag", None), owner=owner) for owner in (*spelled, "user:bo", "")]
    write(replace(base, findings=tuple(findings)), tmp_path)
    (page,) = (tmp_path / "owners").iterdir()
    for path, others in ((page, []), (tmp_path / "report.html", ["user:bo", "Nobody"])):
        cells = etree.HTML(path.read_text()).xpath("//table[@id='rows']//td[@class='owner']/*")
        linked = [cell.text for cell in cells if (cell.get("href") or "").endswith(page.name)]
        assert sorted(linked) == sorted([*spelled[:2], "group:hr\\tdocs", "group:hr docs"])
        assert [cell.text for cell in cells if cell.text not in linked] == others


# ── CI ────────────────────────────────────────────────────────────────────────────────────────────────


def test_junit_has_a_suite_for_each_source_and_a_case_for_each_document() -> None:
    base = run(document("a.md", 200), document("b.md", 100), document("c.md"))
    hostile = ']]> <b> & " \x1b[31m \ufffe \uffff \udcff\nline'
    audited = replace(
        base,
        findings=(
            *base.findings,
            found("dead-link", "a.md", hostile, line=3),
            found("sync-lag", None),
            found("owner-unresolved", None),
        ),
    )
    text = "".join(junit(audited))
    root = etree.fromstring(text.encode())
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "4", "2")
    (suite,) = root
    assert dict(suite.attrib) == {
        "name": "handbook", "tests": "4", "failures": "2", "errors": "0", "skipped": "0", "time": "0",
        "timestamp": "2026-05-01T12:00:00",
    }  # fmt: skip
    cases = {case.get("name"): case for case in suite}
    assert list(cases) == ["handbook", "a.md", "b.md", "c.md"]
    assert cases["handbook"][0].get("message").endswith("(and 1 more)")
    (failure,) = cases["a.md"]
    assert failure.get("type") == "stale"
    assert failure.get("message").endswith("(and 1 more)")
    assert 'Line 3: ]]> <b> & " \\x1b[31m \\ufffe \\uffff \\udcff\\nline' in failure.text
    (note,) = cases["b.md"]
    assert (note.tag, "Review is due [warn]" in note.text) == ("system-out", True), "a note fails nothing"
    assert len(cases["c.md"]) == 0


def test_what_is_exempt_is_skipped() -> None:
    source = SourceConfig("handbook", "files", ConnectorSettings(), freshness="exempt", owner="bo")
    root = etree.fromstring(
        "".join(junit(audit([document("a.md", 999)], {"handbook": source}, NOW))).encode()
    )
    assert [(case.get("name"), case[0].tag) for case in root[0]] == [("a.md", "skipped")]


def test_annotations_stand_at_the_lines_of_files_in_the_repository(tmp_path: Path) -> None:
    hostile = found("dead-link", "a,b: c.md", "100 %\n::error::owned", line=7)
    outside = Finding("empty", "other", "d.md", "id-d", "", "It holds no text.")
    audited = replace(run(), findings=(hostile, outside, found("sync-lag", None, remedy="Run: freshkb sync")))
    folders = {"handbook": tmp_path / "docs", "other": tmp_path.parent}
    assert list(annotation_lines(audited, folders, tmp_path)) == [
        "::warning file=docs/a%2Cb%3A c.md,line=7,title=Link leads nowhere::Line 7: 100 %25\\n::error::owned",
        "::warning title=Holds no text::other / d.md: It holds no text.",
        "::error title=Index is behind its source::handbook: So it is. Run: freshkb sync",
    ]


def test_no_more_annotations_are_written_than_github_shows(tmp_path: Path) -> None:
    audited = run(*(document(f"{n}.md", 200 if n < 30 else 100) for n in range(60)))
    told = list(annotation_lines(audited, {}, tmp_path))
    assert [line.partition(" ")[0] for line in told] == ["::error"] * 10 + ["::notice"] * 10


# ── What readers were shown ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fresh", "said", "left"),
    [(95, "95 % of 100 hits were fresh; 90 % should be. The target is reached.", "50 %"),
     (80, "80 % of 100 hits were fresh; 90 % should be. The target is missed.", "overspent")],
)  # fmt: skip
def test_a_report_tells_the_share_of_fresh_hits(tmp_path: Path, fresh: int, said: str, left: str) -> None:
    shown = [Shown("id-a.md", f"{NOW.date()}", 100, fresh)]
    use = use_of(shown, {"id-a.md": ("user:anna", "handbook")}, NOW, 0.9)
    folder = tmp_path / "out"
    write(replace(run(document("a.md", 700)), use=use), folder)
    tree = etree.HTML((folder / "report.html").read_text())
    (section,) = tree.xpath("//section[@aria-labelledby='shown']")
    text = " ".join("".join(section.itertext()).split())
    assert said in text and f"may be not fresh {left}" in text
    assert "user:anna100" in text and "source handbook100" in text
    assert section.xpath(".//svg/path[@class='line']/@d")[0].startswith("M0.0 0.0L")
    assert said.partition(" of")[0] in (folder / "report.md").read_text()
    for page in (folder / "owners").iterdir():
        assert "What readers were shown" not in page.read_text()
