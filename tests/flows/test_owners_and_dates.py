"""Dates, owners and reviews from a document's own words to what an owner reads, through the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from index.config import rules
from index.freshness import owners
from index.freshness.finding import VERDICT_CODES
from index.records import Document
from index.run import Run
from index.search.knowledge_base import KnowledgeBase
from index.store.edge import session as edge_session
from index.sync import govern, prepare
from index.sync.requests import review
from index.verify.compare import verify
from index.workspace import require_collection
from tests.commands import CommandLine
from tests.knowledge import Knowledge, counts

NOW = datetime.now(UTC)
RECENT = str((NOW - timedelta(days=20)).date())


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    kb.settings["defaults"] = {"owner": "group:all"}
    return CommandLine(kb, monkeypatch)


def page(kb: Knowledge, uri: str, front: str = "", text: str = "Four hours of leave.") -> Path:
    return kb.write(uri, (f"---\n{front}\n---\n" if front else "") + f"# {Path(uri).stem}\n\n{text}\n")


def results(freshkb: CommandLine, *options: str) -> dict[str, dict[str, Any]]:
    found = freshkb.json("audit", "--fail-on", "never", *options)
    return {row["uri"]: row for row in found["results"]}


# ── Front matter ──────────────────────────────────────────────────────────────────────────────────────


def test_broken_front_matter_makes_nothing_fresh_and_is_no_text(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "colon.md", f"title: Travel: the rules\nowner: user:anna\nlast_reviewed: {RECENT}")
    page(kb, "tab.md", f"title:\tTravel\nOwner: user:anna\nLast-Reviewed: {RECENT}")
    page(kb, "list.md", f"tags:\n  - %\nowner: user:anna\nlast_reviewed {RECENT}")
    page(kb, "empty.md", "owner: 7\nlast_reviewed:")
    freshkb("sync")
    found = results(freshkb)
    assert {uri: (row["verdict"], row["owner"], row["date_field"]) for uri, row in found.items()} == {
        "colon.md": ("fresh", "user:anna", "last_reviewed"),
        "tab.md": ("fresh", "user:anna", "last_reviewed"),
        "list.md": ("unknown", "user:anna", "last_reviewed"),
        "empty.md": ("unknown", "group:all", "last_reviewed"),
    }
    findings = freshkb.json("audit", "--fail-on", "never")["findings"]
    findings = [f for f in findings if f["code"] not in VERDICT_CODES]
    assert [(f["uri"], f["code"], f["line"]) for f in findings] == [
        ("empty.md", "date-invalid", None),
        ("list.md", "date-invalid", None),
        ("colon.md", "front-matter-invalid", 2),
        ("list.md", "front-matter-invalid", 3),
        ("tab.md", "front-matter-invalid", 2),
        ("empty.md", "owner-invalid", None),
    ]
    for text in kb.texts().values():
        assert text.endswith("\n\nFour hours of leave.\n\n") and "user:anna" not in text
    said = freshkb("show", "colon.md").stdout
    assert re.search(r"front-matter-invalid +line 2: The front matter is not valid YAML", said)
    report = (kb.home / ".freshkb/reports/report.md").read_text()
    assert "Line 2: The front matter is not valid YAML" in report
    page(kb, "colon.md", f'title: "Travel: the rules"\nowner: user:anna\nlast_reviewed: {RECENT}')
    freshkb("sync")
    assert freshkb.json("show", "colon.md")["findings"] == []


def test_reasons_with_words_of_a_document_stay_in_its_row(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md", "title: a: canary\nowner: @canary\nx: [")
    freshkb("sync")
    assert kb.documents()["a.md"].findings
    told = kb.ask(
        lambda m: [str(e) for e in m.ledger.log.newest()] + [str(r) for r in m.ledger.runs.newest()]
    )
    assert not [line for line in told if "front" in line or "canary" in line]


# ── Checkouts ─────────────────────────────────────────────────────────────────────────────────────────


def git(*arguments: str, at: Path) -> None:
    settings = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    subprocess.run(["git", *settings, *arguments], cwd=at, check=True, capture_output=True, env=clean)


def test_file_dates_of_a_git_clone_are_told(freshkb: CommandLine, kb: Knowledge, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    (origin / "docs").mkdir(parents=True)
    git("init", "-q", at=origin)
    for number in range(3):
        file = origin / "docs" / f"{number}.txt"
        file.write_text(f"Leave, part {number}.")
        written = (NOW - timedelta(days=400 + number)).timestamp()
        os.utime(file, (written, written))
    git("add", ".", at=origin)
    git("commit", "-qm", "All.", at=origin)

    def told(root: Path) -> tuple[list[str], list[str]]:
        kb.source["id"], kb.source["root"] = root.parent.name, str(root)
        kb.config()
        freshkb("sync", "--source", root.parent.name)
        found = freshkb.json("audit", "--fail-on", "never")["findings"]
        findings = [f["code"] for f in found if f["code"] not in VERDICT_CODES]
        checks = freshkb.json("doctor", code=None)["checks"]
        return findings, [c["detail"] for c in checks if c["name"] == f"dates {root.parent.name}"]

    # Where they were written their dates are their own, in a work tree of git, too.
    assert told(origin / "docs") == ([], [])
    git("clone", "-q", str(origin), "clone", at=tmp_path)
    git("worktree", "add", "-q", str(tmp_path / "linked"), at=origin)
    for name in ("clone", "linked"):
        findings, said = told(tmp_path / name / "docs")
        assert findings == ["checkout-dates"]
        assert "3 of 3 documents" in said[0] and "git-restore-mtime" in said[0]
        shown = freshkb("audit", "--fail-on", "never").stdout
        assert f"{name}: It is a git work tree" in shown
    for number, file in enumerate(sorted((tmp_path / "clone/docs").iterdir())):
        written = (NOW - timedelta(days=400 + number)).timestamp()
        os.utime(file, (written, written))
    assert told(tmp_path / "clone/docs") == ([], [])


# ── Owners ────────────────────────────────────────────────────────────────────────────────────────────


def test_each_owner_finds_what_is_theirs_without_case(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "shared.md", f"owner: [User:Anna, user:bo]\nlast_reviewed: {RECENT}")
    page(kb, "bo.md", f"owners:\n  - user:Bo\nlast_reviewed: {RECENT}")
    page(kb, "rule.md", f"last_reviewed: {RECENT}")
    kb.source["rules"] = [{"match": "rule.md", "owner": ["user:carla", "USER:ANNA"]}]
    kb.config()
    freshkb("sync")
    expected = {
        "user:anna": ["rule.md", "shared.md"],
        "USER:BO": ["bo.md", "shared.md"],
        "user:carla": ["rule.md"],
    }
    for owner, uris in expected.items():
        assert sorted(results(freshkb, "--owner", owner)) == uris
        for mode in ("hybrid", "dense", "sparse"):
            hits = freshkb.json("search", "leave", "--owner", owner, "--mode", mode)
            assert sorted(hit["uri"] for hit in hits) == uris
    assert results(freshkb)["shared.md"]["owners"] == ["User:Anna", "user:bo"]
    assert freshkb.json("show", "shared.md")["owner"] == "User:Anna"
    for command in (["audit"], ["search", "leave"], ["review", "--by", "anna"]):
        said = freshkb(*command, "--owner", "user:carlo", code=2).stderr
        assert "No document is owned by 'user:carlo'; did you mean user:carla?" in said
        assert "Owners are: " in said
    said = freshkb("review", "--owner", "user:bo", "--by", "bo").stdout
    assert "2 documents reviewed by bo." in said
    freshkb("review", "rule.md", "--owner", "user:bo", "--by", "bo", code=2)
    assert [row["reviewed_by"] for _, row in sorted(results(freshkb).items())] == ["bo", None, "bo"]


def test_an_index_of_an_older_freshkb_is_brought_up_to_date_and_embeds_nothing(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    page(kb, "a.md", "owner: [User:Anna, user:bo]\nlast_reviewed: 2026-05-20")
    page(kb, "none.md", "last_reviewed: 2026-05-20")
    kb.write("b.txt", "Text of nobody.")

    governed = govern.governed

    def older(document: Document, *arguments: Any) -> Document:
        found = governed(document, *arguments)
        return replace(found, owners=[], date_used=found.date_used and found.date_used + timedelta(hours=14))

    with monkeypatch.context() as patch:
        patch.setattr(prepare, "governed", older)
        patch.setattr(govern, "governed", older)
        patch.setattr(rules, "RULES_REVISION", 1)
        patch.setattr(
            edge_session, "KEYWORD_FIELDS", ("metadata.source", "metadata.owner", "metadata.document_id")
        )
        kb.sync()
        assert not [p for p in kb.points().values() if "owners" in p.payload["metadata"]]
    found = kb.ask(lambda m: verify(m))
    assert (found.missing, found.extra, found.altered) == ([], [], [])
    assert counts(kb.sync()) == {"touched": 3, "embedded": 0}
    assert kb.ask(lambda m: verify(m, deep=True)).ok
    named = {p.payload["metadata"]["uri"]: p.payload["metadata"].get("owners") for p in kb.points().values()}
    assert named == {"a.md": ["user:anna", "user:bo"], "none.md": None, "b.txt": None}
    with kb.workspace() as workspace:
        assert [hit.uri for hit in KnowledgeBase(workspace).search("leave", owner="USER:bo")] == ["a.md"]
        with workspace.store.session(require_collection(workspace).name) as session:
            assert "metadata.owners" in session._shard.info().payload_schema  # type: ignore[attr-defined]


def test_a_name_that_no_database_holds_is_one_name_in_row_and_payload(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    page(kb, "a.md")
    kb.write("CODEOWNERS", "* an\0na@example.org\n")
    with monkeypatch.context() as patch:
        patch.setattr(owners, "storable", str)
        patch.setattr(rules, "RULES_REVISION", 2)
        kb.sync()
    assert not kb.ask(verify).ok
    assert counts(kb.sync()) == {"touched": 1, "skipped": 1, "embedded": 0}
    assert kb.ask(verify).ok
    said = {p.payload["metadata"]["uri"]: p.payload["metadata"]["owner"] for p in kb.points().values()}
    assert said == {uri: document.owner for uri, document in kb.documents().items() if document.chunk_count}
    assert said == {"a.md": "an\ufffdna@example.org"}


# ── Dates ─────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_reviewed_today_in_auckland_is_fresh_for_every_reader(kb: Knowledge) -> None:
    """It is noon in Greenwich, and midnight has passed in Auckland."""
    page(kb, "today.md", "last_reviewed: 2026-06-02")
    page(kb, "tomorrow.md", "last_reviewed: 2026-06-03")
    kb.sync()
    with kb.workspace() as workspace:
        base = KnowledgeBase(workspace)
        assert {hit.uri: hit.verdict for hit in base.search("leave")} == {
            "today.md": "fresh",
            "tomorrow.md": "unknown",
        }
        assert [hit.uri for hit in base.search("leave", fresh_only=True)] == ["today.md"]
        document = base.document("today.md")
        assert document is not None and document["date_used"] == "2026-06-02"
    now = "2026-06-01T12:00:00Z"
    said = {p.payload["metadata"]["uri"]: p.payload["metadata"] for p in kb.points().values()}
    assert said["today.md"]["date_used"] <= now < said["today.md"]["warn_at"]
    assert now < said["tomorrow.md"]["date_used"]


def test_terminal_and_report_round_a_score_alike(freshkb: CommandLine, kb: Knowledge) -> None:
    for number in range(15):
        page(kb, f"{number}.md", f"last_reviewed: {RECENT if not number else '2020-01-01'}")
    freshkb("sync")
    said = freshkb("audit", "--fail-on", "never").stdout
    assert "Trust score 6 %." in said, "1 of 15 is 6.67 %"
    report = (kb.home / ".freshkb/reports/report.html").read_text()
    assert "<b>6 %</b>" in report
    assert f"<h1>Freshness of {kb.home.name}</h1>" in report


# ── Reviews ───────────────────────────────────────────────────────────────────────────────────────────

STRANGE = ("a\nb.md", "a\\x.md", "docs:c.md", "policies/ü \u200b.md", "tab\there.md", "[x]*.md", "c.md")


def test_review_show_and_retry_take_what_ls_and_search_print(freshkb: CommandLine, kb: Knowledge) -> None:
    for uri in STRANGE:
        page(kb, uri, text=f"Leave in {STRANGE.index(uri)}.")
    kb.write("broken\n.pdf", "not a PDF")
    freshkb("sync", code=3)
    printed = re.findall(r"^indexed .*?(docs:.*\.md)  group:all", freshkb("ls").stdout, re.MULTILINE)
    cited = re.findall(
        r"^   (docs:.*\.md), owner", freshkb("search", "leave", "-k", "50").stdout, re.MULTILINE
    )
    assert sorted(printed) == sorted(cited) and len(printed) == len(STRANGE)
    assert sorted(freshkb.json("show", name)["uri"] for name in printed) == sorted(STRANGE)
    for uri in STRANGE:
        shown = freshkb.json("show", uri)
        # The name that is printed for c.md is the bare name of the other.
        assert shown["uri"] == uri or (uri, shown["uri"]) == ("docs:c.md", "c.md")
        assert freshkb.json("show", shown["document_id"])["uri"] == shown["uri"]
    for name in printed:
        freshkb("review", name, "--by", "anna")
    assert {row["reviewed_by"] for uri, row in results(freshkb).items() if uri in STRANGE} == {"anna"}
    assert freshkb.json("retry", "docs:broken\\n.pdf", code=3)["sources"][0]["quarantined"] == 1


def test_names_that_are_printed_alike_are_told_apart_by_their_ids(
    freshkb: CommandLine, kb: Knowledge
) -> None:
    page(kb, "a\nb.md")
    page(kb, "a\\nb.md")
    freshkb("sync")
    said = freshkb("review", "docs:a\\nb.md", "--by", "anna", code=2).stderr
    assert "Several documents are printed as docs:a\\nb.md" in said
    first = freshkb.json("ls")[0]
    assert first["document_id"] in said
    freshkb("review", first["document_id"], "--by", "anna")
    assert [row["reviewed_by"] for _, row in sorted(results(freshkb).items())] == ["anna", None]


def test_reviews_take_patterns(freshkb: CommandLine, kb: Knowledge) -> None:
    for uri in ("hr/a.md", "hr/b.txt", "c.md", "d[1].md", "d1.md"):
        page(kb, uri)
    freshkb("sync")

    def attested(*names: str) -> list[str]:
        # The name in a newer review says by which call it was made.
        by = str(names)
        freshkb("review", *names, "--by", by)
        return sorted(uri for uri, row in results(freshkb).items() if row["reviewed_by"] == by)

    assert attested("hr/") == ["hr/a.md", "hr/b.txt"]
    assert attested("docs:hr/*.md", "c.md") == ["c.md", "hr/a.md"]
    assert attested("*.md") == ["c.md", "d1.md", "d[1].md", "hr/a.md"]
    assert attested("d[1].md") == ["d[1].md"], "a name before a pattern"
    assert attested("/*.md", "**/b.*") == ["c.md", "d1.md", "d[1].md", "hr/b.txt"]


def test_one_wrong_name_of_several_attests_nothing(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "leave.md")
    page(kb, "travel.md")
    freshkb("sync")
    for wrong in (["leaf.md"], ["leaf.md", "*.pdf"]):
        said = freshkb("review", "travel.md", *wrong, "--by", "anna", code=2).stderr
        assert "No document is at leaf.md; did you mean leave.md?" in said
        assert ("No document is at *.pdf" in said) == (len(wrong) > 1)
        assert "Nothing was attested." in said
    said = freshkb("review", "--by", "anna", code=2).stderr
    assert "name them, or their owner with --owner" in said
    assert not kb.ask(lambda m: m.ledger.reviews.of())


def test_who_reviewed_and_whether_it_changed_since_is_told(freshkb: CommandLine, kb: Knowledge) -> None:
    page(kb, "a.md")
    freshkb("sync")
    freshkb("review", "a.md", "--by", "anna", "--note", "still right")
    shown = freshkb.json("show", "a.md")
    assert (shown["reviewed_by"], shown["review_note"], shown["changed_since_review"]) == (
        "anna", "still right", False,
    )  # fmt: skip
    page(kb, "a.md", text="Five hours of leave.")
    freshkb("sync")
    found = freshkb.json("audit", "--fail-on", "never")
    assert found["results"][0]["changed_since_review"] is True
    assert [f["code"] for f in found["findings"]] == ["changed-since-review"]
    assert re.search(
        r"reviewed_by +anna\n.*still right\nchanged_since_review +True", freshkb("show", "a.md").stdout
    )
    reports = kb.home / ".freshkb/reports"
    # The Markdown report lists what is to be looked at only.
    for name in ("report.html", "report.csv", "freshness.json"):
        assert "still right" in (reports / name).read_text(), name
    freshkb("review", "a.md", "--by", "bo")
    assert freshkb.json("show", "a.md")["changed_since_review"] is False
    assert json.loads((reports / "freshness.json").read_text())["results"][0]["reviewed_by"] == "anna"


def test_a_review_of_a_clock_that_was_ahead_is_not_used_and_can_be_corrected(kb: Knowledge) -> None:
    page(kb, "a.md", "owner: user:anna\nlast_reviewed: 2024-01-01")
    kb.sync()

    def attest(by: str) -> None:
        with kb.workspace() as workspace:
            review(Run(workspace, "review"), ["a.md"], by)

    def judged() -> tuple[str, str, str]:
        with kb.workspace() as workspace:
            shown = KnowledgeBase(workspace).document("a.md")
            assert shown is not None
            return shown["verdict"], shown["date_field"], ",".join(f["code"] for f in shown["findings"])

    kb.clock.forward(days=300)
    attest("ahead")
    kb.clock.forward(days=-300)
    assert judged() == ("stale", "last_reviewed", "review-in-future")
    attest("anna")
    assert judged() == ("fresh", "reviewed_at", "")
    assert kb.documents()["a.md"].reviewed_at == kb.clock()
    assert {p.payload["metadata"]["reviewed_at"] for p in kb.points().values()} == {"2026-06-01T12:00:00Z"}
    assert counts(kb.sync()) == {"unchanged": 1, "embedded": 0}
    assert kb.ask(lambda m: verify(m, deep=True)).ok
