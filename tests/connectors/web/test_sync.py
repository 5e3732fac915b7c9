"""A web site from its server to the index, and out of it again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from index.audit.audit import audit_of
from index.model import State
from index.search.knowledge_base import KnowledgeBase
from tests.commands import CommandLine
from tests.connectors.web.website import Answer, Website
from tests.copies import written
from tests.documents import letter
from tests.knowledge import Knowledge, counts

LONG = " ".join(f"Rule {number} says what to do on the way, and who pays for it." for number in range(40))


@pytest.fixture
def web(kb: Knowledge, site: Website) -> Knowledge:
    kb.settings["sources"] = [
        {"id": "site", "type": "web", "start": [f"{site.url}/"], "allow": ["127.0.0.1"], "rate": 1000}
    ]
    site.page("/", links=("/travel", "/leave", "/notes.md"))
    site.page("/travel", head='<meta property="article:modified_time" content="2026-05-01">')
    site.page("/leave", LONG)
    site.file("/notes.md", b"# Notes\n\nZebras are striped.\n", "text/markdown")
    return kb


def sync(kb: Knowledge, **options: Any) -> dict[str, int]:
    return counts(kb.sync(**options), "site")


def test_a_page_is_found_changed_and_gone(web: Knowledge, site: Website) -> None:
    assert sync(web) == {"added": 4, "embedded": 7}
    site.asked.clear()
    assert sync(web) == {"unchanged": 4, "embedded": 0}
    assert site.bodies() == []
    site.menu = "<a href='/'>A new menu of many words</a>"
    assert sync(web) == {"unchanged": 4, "embedded": 0}
    travel = web.documents()[f"{site.host}/travel"]
    assert (travel.title, travel.url) == ("About /travel", f"{site.url}/travel")
    assert str(travel.modified_at) == "2026-05-01 00:00:00+00:00"
    with web.workspace() as workspace:
        hit = KnowledgeBase(workspace).search("zebras", mode="sparse")[0]
        assert (hit.uri, hit.url) == (f"{site.host}/notes.md", f"{site.url}/notes.md")
    site.page("/travel", "Cars come first now, and trains are for those who like to read on their way.")
    assert sync(web) == {"updated": 1, "unchanged": 3, "embedded": 1}
    assert "Cars come first" in web.texts()[f"{site.host}/travel"]
    site.status("/notes.md", 410)
    assert sync(web)["deleted"] >= 1
    assert f"{site.host}/notes.md" not in web.texts()


def test_a_page_that_is_not_found_is_removed_by_the_second_sync(web: Knowledge, site: Website) -> None:
    sync(web)
    site.status("/leave", 404)
    assert sync(web) == {"unchanged": 4, "embedded": 0}
    assert web.documents()[f"{site.host}/leave"].state is State.INDEXED
    sync(web)
    assert f"{site.host}/leave" not in web.documents()


def test_without_its_cache_a_sync_keeps_what_it_cannot_prove_to_be_gone(
    web: Knowledge, site: Website
) -> None:
    sync(web)
    site.status("/leave", 404)
    site.page("/", links=("/notes.md",))
    shutil.rmtree(web.home / ".freshkb" / "cache")
    sync(web)
    leave, travel = (web.documents()[f"{site.host}/{name}"] for name in ("leave", "travel"))
    assert (leave.state, travel.state) == (State.INDEXED, State.INDEXED)
    assert "stays until another listing finds it so, too." in leave.reason
    sync(web)
    assert f"{site.host}/leave" not in web.documents()
    assert web.documents()[f"{site.host}/travel"].state is State.INDEXED
    assert sync(web)["unchanged"] == 3


def test_a_page_that_lost_half_of_its_text_is_told_by_sync_show_and_the_audit(
    web: Knowledge, site: Website
) -> None:
    sync(web)
    site.page("/leave", LONG[: len(LONG) // 4])
    report = web.sync()
    assert report.sources[0].counts.documents["shrunk"] == 1
    found = web.ask(audit_of).findings
    (finding,) = [finding for finding in found if finding.code == "shrunk"]
    assert finding.uri == f"{site.host}/leave" and "has shrunk from" in finding.evidence
    with web.workspace() as workspace:
        shown = KnowledgeBase(workspace).document(f"{site.host}/leave") or {}
    assert "shrunk" in [finding["code"] for finding in shown["findings"]]
    assert web.sync().sources[0].counts.documents["shrunk"] == 0
    site.page("/leave", LONG)
    web.sync()
    assert web.documents()[f"{site.host}/leave"].findings == []


def test_the_command_says_it_and_no_secret_is_shown(
    web: Knowledge, site: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_TOKEN", "hunter2-of-the-site")
    command = CommandLine(web, monkeypatch)
    web.settings["sources"][0]["headers"] = {"Authorization": "Bearer ${SITE_TOKEN}"}
    (web.home / "freshkb.yaml").write_text(yaml.safe_dump(web.settings))
    command("sync")
    site.page("/leave", LONG[:600])
    site.answers["/notes.md"] = Answer(b"", 401)
    said = command("sync", "-v", code=1).output
    assert "site: 1 document lost half of its text; see: freshkb audit" in said
    assert f"{site.host}/notes.md' answers 401; give `headers`" in said
    for words in (["config", "show"], ["show", f"{site.host}/travel"], ["status", "--json"], ["runs"]):
        said += command(*words).output
    assert "hunter2" not in said
    assert site.seen_headers[-1]["Authorization"] == "Bearer hunter2-of-the-site"
    for path in web.home.rglob("*"):
        assert not path.is_file() or all(b"hunter2" not in part for part in written(path)), path


@pytest.mark.parametrize(
    "otherwise",
    [
        Answer(b"<h1>Not found</h1>", 404, {"Content-Type": "text/html"}),
        Answer(b"", 302, {"Location": "/"}),
        Answer(
            f"<html><body><main><p>{LONG}</p></main></body></html>".encode(),
            200,
            {"Content-Type": "text/html"},
        ),
    ],
    ids=["not found", "redirect", "some page"],
)
def test_attachments_come_with_their_mail_whatever_a_site_answers_at_their_addresses(
    web: Knowledge, site: Website, otherwise: Answer, tmp_path: Path
) -> None:
    site.otherwise = otherwise
    site.answers["/robots.txt"] = Answer(b"", 200, {"Content-Type": "text/plain"})
    site.page("/", links=("/mail.eml",))
    minutes = ("minutes.md", "# Minutes\n\nZebras were counted.\n")
    site.file("/mail.eml", letter(tmp_path / "mail.eml", [minutes]).read_bytes(), "message/rfc822")
    assert sync(web)["added"] == 3
    assert "Zebras were counted." in web.texts()[f"{site.host}/mail.eml/minutes.md"]
    assert sync(web) == {"unchanged": 3, "embedded": 0}
    assert "/mail.eml/minutes.md" not in {path for path, _ in site.asked}
