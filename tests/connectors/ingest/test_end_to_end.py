"""From a configuration to answers, and back to nothing: a wiki, its knowledge base, and no secret on the
way."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.ingest.names import named
from index.errors import ConfigError
from index.model import State
from index.redact import redact
from tests.commands import CommandLine
from tests.connectors.ingest.confluence_site import TOKEN, ConfluenceSite, Page
from tests.connectors.ingest.conftest import CONFLUENCE
from tests.knowledge import Knowledge, counts

LEAVE = "<h2>Duration</h2><p>Parents take sixteen weeks of leave.</p><h2>Pay</h2><p>All of it is paid.</p>"


@dataclass(slots=True)
class Wiki:
    kb: Knowledge
    site: ConfluenceSite
    leave: Page

    def sync(self, **options: Any) -> dict[str, int]:
        return counts(self.kb.sync(**options), "wiki")


@pytest.fixture
def wiki(kb: Knowledge, confluence: ConfluenceSite) -> Iterator[Wiki]:
    settings = {**CONFLUENCE, "spaces": ["KB"]}
    kb.settings["sources"] = [
        {"id": "wiki", "type": "ingest", "connector": "confluence", "settings": settings}
    ]
    found = Wiki(kb, confluence, confluence.put("Parental leave", LEAVE))
    for number in range(5):
        confluence.put(f"Page {number}", f"<p>Text {number} of many words.</p>")
    yield found


def uri(page: Page) -> str:
    return f"KB/{named(page.title, page.id)}"


def test_a_wiki_is_followed_from_its_first_page_to_its_last(wiki: Wiki) -> None:
    assert wiki.sync() == {"added": 6, "embedded": len(wiki.kb.points())}
    document = wiki.kb.documents()[uri(wiki.leave)]
    assert document.state is State.INDEXED
    assert document.title == "Parental leave"
    assert "sixteen weeks" in wiki.kb.texts()[uri(wiki.leave)]
    (metadata,) = [
        point.payload["metadata"]
        for point in wiki.kb.points().values()
        if point.payload["metadata"]["uri"] == uri(wiki.leave)
    ][:1]
    assert metadata["url"] == f"{CONFLUENCE['url']}/spaces/KB/pages/{wiki.leave.id}"

    wiki.site.asked.clear()
    assert wiki.sync() == {"unchanged": 6, "embedded": 0}
    assert not [asked for asked in wiki.site.asked if "body-format" in asked]

    wiki.site.edit(wiki.leave, LEAVE.replace("sixteen", "eighteen"))
    assert wiki.sync() == {"updated": 1, "unchanged": 5, "embedded": 1}
    assert "eighteen weeks" in wiki.kb.texts()[uri(wiki.leave)]

    before = uri(wiki.leave)
    wiki.site.edit(wiki.leave, title="Leave of parents")
    done = wiki.sync()
    assert done["moved"] == 1
    assert "deleted" not in done
    assert before not in wiki.kb.documents()

    wiki.leave.status = "trashed"
    assert wiki.sync()["deleted"] == 1
    assert uri(wiki.leave) not in wiki.kb.texts()


def test_an_incomplete_listing_deletes_nothing(wiki: Wiki) -> None:
    wiki.sync()
    wiki.leave.status = "trashed"
    wiki.site.fail("403", "pages?space-id", skip=1)
    report = wiki.kb.sync().json()["sources"][0]
    assert not report["complete"]
    assert report["deleted"] == 0
    assert uri(wiki.leave) in wiki.kb.texts()
    wiki.site.heal()
    wiki.site.token = ""
    report = wiki.kb.sync().json()["sources"][0]
    assert "credentials" in report["error"]
    assert report["deleted"] == 0


def test_a_page_that_is_back_before_its_removal_stays(wiki: Wiki) -> None:
    wiki.sync()
    wiki.leave.status = "trashed"
    really = wiki.site.answer

    def answer(request: Any) -> Any:
        if request.path.endswith(f"pages/{wiki.leave.id}"):
            wiki.leave.status = "current"
        return really(request)

    wiki.site.answer = answer  # type: ignore[method-assign]
    assert "deleted" not in wiki.sync()
    assert uri(wiki.leave) in wiki.kb.texts()


def test_no_secret_is_shown_or_kept(
    wiki: Wiki, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wiki.sync()
    wiki.site.fail("401", skip=3)
    wiki.site.edit(wiki.leave, "<p>x</p>")
    report = json.dumps(wiki.kb.sync().json())
    config = wiki.kb.config()
    source = config.sources[0]
    shown = [report, repr(source), str(source), json.dumps(source.show()), repr(source.connector)]
    assert source.show()["settings"]["api_token"] in ("***", "**********")
    assert source.show()["settings"]["url"] == CONFLUENCE["url"]
    out = capfd.readouterr()
    ledger = b"".join(path.read_bytes() for path in (wiki.kb.home / ".freshkb").rglob("*") if path.is_file())
    assert TOKEN.encode() not in ledger
    for text in (*shown, out.out, out.err, caplog.text):
        assert TOKEN not in text
    assert "sixteen weeks" not in caplog.text
    assert redact(f"somebody says {TOKEN}") == "somebody says ***"


def test_commands_say_what_is_wrong_without_the_values(wiki: Wiki, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = wiki.kb.settings["sources"][0]["settings"]
    line = CommandLine(wiki.kb, monkeypatch)
    shown = line("config", "show")
    assert CONFLUENCE["url"] in shown.stdout
    assert TOKEN not in shown.output
    planned = line("plan")
    assert "6 to add" in planned.output
    assert TOKEN not in planned.output
    settings["api_tokn"] = TOKEN
    wiki.kb.settings["sources"][0]["settings"] = settings
    with pytest.raises(ConfigError, match="did you mean api_token") as raised:
        wiki.kb.config()
    assert TOKEN not in str(raised.value)
