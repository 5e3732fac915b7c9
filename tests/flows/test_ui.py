"""The owners' page: a real server on loopback, its forms sent as a browser does."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
import pytest
import uvicorn

from flows.ui.access import Visitor
from flows.ui.serve import owners_page
from index.freshness.owners import fold
from index.records import AnswerKind
from index.signed.link import Grant, sign
from tests.commands import CommandLine
from tests.knowledge import Knowledge

OLD = "---\nlast_reviewed: 2025-01-01\nowner: {owner}\n---\n# {title}\n\nRules of {title}.\n"


@pytest.fixture
def owned(kb: Knowledge) -> Knowledge:
    kb.source["owner"] = "user:anna"
    kb.write("leave.md", "---\nlast_reviewed: 2025-01-01\n---\n# Leave &lt;b&gt;\n\nFour hours.\n")
    kb.write("pay.md", OLD.format(owner="user:ben", title="Pay"))
    kb.write("fresh.md", "---\nlast_reviewed: 2026-05-30\n---\n# Fresh\n\nNew rules.\n")
    kb.sync()
    return kb


class Site:
    """The page of a knowledge base, and a browser without scripts."""

    def __init__(self, kb: Knowledge, host: str = "127.0.0.1") -> None:
        self.kb = kb
        self._open = kb.workspace()
        self.workspace = self._open.__enter__()
        settings = uvicorn.Config(
            owners_page(self.workspace, host).application(), port=0, log_config=None, proxy_headers=False
        )
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.005)
            assert self._thread.is_alive()
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)

    def close(self) -> None:
        self.http.close()
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._open.__exit__(None, None, None)

    def id(self, uri: str) -> str:
        return next(d.document_id for d in self.workspace.ledger.documents.find() if d.uri == uri)

    def text(self, path: str, status: int = 200, headers: dict[str, str] | None = None) -> str:
        found = self.http.get(path, headers=headers)
        assert found.status_code == status, found.text
        return unescape(found.text)

    def answer(self, path: str, kind: str, status: int = 200, **fields: str) -> str:
        """Open a page, fill the form of this kind in and send it, as a browser does."""
        opened = self.http.get(path).text
        token = re.search(r'name="form" value="(\w+)"', opened)
        action = re.search(r'<form method="post" action="([^"]+)">', opened)
        assert token and action and f'value="{kind}"' in opened
        said = {"kind": kind, "form": token[1], **fields}
        headers = {"Origin": str(self.http.base_url).rstrip("/")}
        found = self.http.post(unescape(action[1]), data=said, headers=headers, follow_redirects=True)
        assert found.status_code == status, found.text
        return unescape(found.text)

    def link(self, person: str, document_id: str = "", **until: float) -> str:
        keys = self.workspace.ledger.tombstones.keys()
        end = self.workspace.now() + timedelta(**(until or {"days": 7}))
        return f"/a/{sign(keys.links(), Grant(keys.person(fold(person)), document_id, end))}"


@pytest.fixture
def freshkb(owned: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(owned, monkeypatch)


@pytest.fixture
def site(owned: Knowledge) -> Iterator[Site]:
    found = Site(owned)
    yield found
    found.close()


@pytest.fixture
def proxied(owned: Knowledge) -> Iterator[Site]:
    owned.settings["ui"] = {"user_header": "X-Forwarded-User", "address": "https://kb.example.org"}
    found = Site(owned, "0.0.0.0")
    yield found
    found.close()


def test_the_list_has_what_asks_for_an_answer_first(site: Site) -> None:
    page = site.text("/")
    assert "2 of 3 documents ask for an answer" in page
    assert page.index("leave.md") < page.index("needs nothing now") < page.index("fresh.md")
    raw = site.http.get("/")
    assert "Leave &lt;b&gt;" in raw.text and "<b>\n" not in raw.text
    assert "script" not in raw.text and "default-src 'none'" in raw.headers["content-security-policy"]
    assert "leave.md" not in site.text("/?owner=user:ben") and "pay.md" in site.text("/?owner=USER:Ben")


def test_still_right_is_a_review_in_rows_and_payloads(site: Site) -> None:
    page = site.answer(f"/documents/{site.id('leave.md')}", "review", note="read it all")
    assert "Recorded as reviewed today." in page and "“read it all”" in page
    assert "1 of 3 documents ask for an answer" in site.text("/")
    dates = {p.payload["metadata"]["reviewed_at"] for p in site.kb.points().values()} - {None}
    assert dates == {"2026-06-01T12:00:00Z"}


def test_later_another_owner_and_removal_are_recorded_and_can_be_taken_back(site: Site) -> None:
    path = f"/documents/{site.id('leave.md')}"
    page = site.answer(path, "snooze", until="2026-07-01", note="new contract in June")
    assert "Not asked before 1 Jul 2026" in page and "1 of 3 documents ask" in site.text("/")
    assert "Not asked" not in site.answer(path, "withdraw-snooze")
    page = site.answer(path, "reassign", owner="user:carl")
    assert "user:carl (assignment)" in re.sub(r"<[^>]+>", "", page)
    assert site.kb.documents()["leave.md"].owner == "user:carl"
    site.answer(path, "withdraw-reassign")
    assert site.kb.documents()["leave.md"].owner == "user:anna"
    assert "Keep it after all" in site.answer(path, "retire", note="obsolete")
    standing = site.workspace.ledger.answers.standing(site.workspace.now())
    assert set(standing[site.id("leave.md")]) == {AnswerKind.RETIRE}
    site.answer(path, "withdraw-retire")
    assert site.workspace.ledger.answers.standing(site.workspace.now()) == {}


@pytest.mark.parametrize("uri", ["docs:leave.md", "leave\\u202e.md"])
def test_an_answer_is_about_its_document_whatever_its_uri_reads_as(owned: Knowledge, uri: str) -> None:
    for each in (uri, "leave\u202e.md"):
        owned.write(each, "# Leave\n\nOther rules.\n")
    owned.sync()
    with closing(Site(owned)) as site:
        site.answer(f"/documents/{site.id(uri)}", "review")
        owned.clock.forward(minutes=1)
        site.answer(f"/documents/{site.id(uri)}", "retire")
        ledger = site.workspace.ledger
        assert set(ledger.reviews.of()) == set(ledger.answers.standing(owned.clock())) == {site.id(uri)}


def test_an_answer_that_makes_no_sense_says_why_on_the_same_page(site: Site) -> None:
    path = f"/documents/{site.id('leave.md')}"
    assert "is no date" in site.answer(path, "snooze", 409, until="soon")
    assert "in the future" in site.answer(path, "snooze", 409, until="2026-05-01")
    assert "needs a name" in site.answer(path, "reassign", 409, owner=" ")
    assert "too long" in site.answer(path, "retire", 409, note="x" * 2001)
    page = site.text(f"/documents/{site.id('pay.md')}")
    assert "names its owner itself" in page and 'value="reassign"' not in page


def test_while_a_sync_writes_nothing_is_recorded_and_it_says_so(site: Site) -> None:
    with site.workspace.ledger.writer("docs", "freshkb sync"):
        page = site.answer(f"/documents/{site.id('leave.md')}", "review", 409)
    assert "try again shortly" in page and site.workspace.ledger.reviews.of() == {}


def test_another_sites_form_and_name_are_refused(site: Site) -> None:
    path = f"/documents/{site.id('leave.md')}"
    token = re.search(r'name="form" value="(\w+)"', site.http.get(path).text)
    assert token
    said = {"kind": "review", "form": token[1]}

    def post(form: dict[str, str], **headers: str) -> int:
        return site.http.post(path, data=form, headers=headers).status_code

    assert post(said, Origin="https://evil.example") == 403
    assert post(said, Origin="null") == 403
    assert post(said, Origin="http://[") == 403
    assert post({**said, "form": "0" * 64}) == 403
    assert post({**said, "form": "é" * 64}) == 403
    assert post({"kind": "review"}) == 403
    assert post(said, Host="evil.example") == 403
    assert site.http.get("/", headers={"Host": "evil.example:80"}).status_code == 403
    assert post({**said, "note": "x" * 70_000}) == 403
    assert site.http.get(f"{path}?kind=review&form={token[1]}").status_code == 200
    assert site.workspace.ledger.reviews.of() == {}
    assert post(said) == 303
    assert len(site.workspace.ledger.reviews.of()) == 1


def test_behind_a_proxy_each_person_sees_their_own(proxied: Site) -> None:
    host = {"Host": "kb.example.org"}
    page = proxied.text("/", 200, host | {"X-Forwarded-User": "anna"})
    assert "leave.md" in page and "pay.md" not in page and "you are anna" in page
    assert "You answer for no document here." in proxied.text("/", 200, host | {"X-Forwarded-User": "eve"})
    assert "did not name you" in proxied.text("/", 403, host)
    foreign = f"/documents/{proxied.id('pay.md')}"
    assert "somebody else answers" in proxied.text(foreign, 403, host | {"X-Forwarded-User": "anna"})
    token = Visitor("anna").form_token(proxied.workspace.ledger.tombstones.keys().links())
    said = {"kind": "review", "form": token}
    for path, status in ((foreign, 403), (f"/documents/{proxied.id('leave.md')}", 303)):
        headers = {**host, "X-Forwarded-User": "anna"}
        assert proxied.http.post(path, data=said, headers=headers).status_code == status
    assert [r.reviewed_by for (r,) in proxied.workspace.ledger.reviews.of().values()] == ["anna"]


@pytest.mark.parametrize("taken_away", [False, True])
def test_a_page_below_a_path_is_whole_whether_its_proxy_takes_the_path_away(
    owned: Knowledge, taken_away: bool
) -> None:
    owned.settings["ui"] = {"address": "https://example.org/the%20kb/"}

    def passed_on(request: httpx.Request) -> None:
        asked = request.url.path
        assert asked.startswith("/the kb")
        if taken_away:
            request.url = request.url.copy_with(path=asked.removeprefix("/the kb") or "/")

    with closing(Site(owned)) as site:
        site.http.event_hooks = {"request": [passed_on]}
        root = "/the%20kb"
        link = f"{root}{site.link('user:anna')}"
        for page in (site.text(link), site.text(root), site.text(f"{root}/?owner=user:anna")):
            found = re.findall(r'(?:href|action)="([^"]+)"', page)
            assert f"{root}/style.css" in found and all(site.http.get(path).is_success for path in found)
        assert "Recorded" in site.answer(f"{link}?document={site.id('leave.md')}", "retire")
        assert "Recorded" in site.answer(f"{root}/documents/{site.id('leave.md')}", "review")


def test_only_a_proxy_may_name_users(owned: Knowledge) -> None:
    owned.settings["ui"] = {"user_header": "X-Forwarded-User", "proxies": ["10.0.0.1"]}
    site = Site(owned)
    try:
        assert "none of ui.proxies" in site.text("/", 403, {"X-Forwarded-User": "anna"})
    finally:
        site.close()


def test_a_link_of_a_digest_lets_its_person_answer_for_its_document(site: Site) -> None:
    link = site.link("user:ben", site.id("pay.md"))
    page = site.text(link)
    assert "Pay" in page and "you are user:ben" in page and "My documents" not in page
    assert site.workspace.ledger.reviews.of() == {}, "a mail program that looks at it changes nothing"
    assert "Recorded as reviewed today." in site.answer(link, "review")
    (made,) = site.workspace.ledger.reviews.of()[site.id("pay.md")]
    assert made.reviewed_by == "user:ben"
    assert "somebody else answers" in site.text(site.link("user:ben", site.id("leave.md")), 403)
    mine = site.link("user:ben")
    assert "pay.md" in site.text(mine) and "leave.md" not in site.text(mine)
    assert "Recorded" in site.answer(f"{mine}?document={site.id('pay.md')}", "retire")
    assert "user:ben" not in link and "pay" not in link


def test_a_link_opens_for_everybody_whom_a_digest_may_go_to(owned: Knowledge) -> None:
    """Known by a mail address alone, and with no document in the ledger."""
    owned.settings["notify"] = {
        "owners": {
            "user:ben": {"email": "ben@example.org", "manager": "boss@example.org"},
            "group:docs": {"members": ["cy@example.org", "user:ben"]},
        }
    }
    owned.source["owner"] = "lead@example.org"
    owned.source["rules"] = [
        {"match": "leave.md", "owner": "group:docs"},
        {"match": "fresh.md", "owner": "rita@example.org"},
    ]
    with closing(Site(owned)) as site:
        none = "You answer for no document here."
        for person, seen in (
            ("boss@example.org", none),
            ("lead@example.org", none),
            ("Cy@example.org", "leave.md"),
            ("rita@example.org", "fresh.md"),
        ):
            page = site.text(site.link(person))
            assert seen in page and f"you are {person.lower()}" in page


def test_who_is_taken_out_of_the_directory_answers_for_nothing_more(owned: Knowledge) -> None:
    table = owned.home / "owners.csv"

    def members(names: str) -> None:
        rows = "".join(f"{name},{name}@example.org,\n" for name in names.split())
        table.write_text(f"owner,email,members\n{rows}group:docs,,{names.replace(' ', ';')}\n")

    members("carl zoe")
    owned.source["owner"] = "group:docs"
    owned.settings["notify"] = {"owners": "owners.csv"}
    with closing(Site(owned)) as site:
        carl, dora = site.link("carl"), site.link("dora")
        assert "leave.md" in site.text(carl) and "not known here" in site.text(dora, 410)
        members("dora zoe")
        assert "not known here" in site.text(carl, 410) and "leave.md" in site.text(dora)
        table.unlink()
        assert "leave.md" not in site.text(dora, 503)
        members("carl")
        assert "leave.md" in site.text(carl)


def test_who_gives_a_document_away_is_thanked_and_not_refused(site: Site) -> None:
    path = f"/documents/{site.id('leave.md')}"
    link = site.link("user:anna", site.id("leave.md"))
    assert "Recorded: somebody else is asked" in site.answer(link, "reassign", owner="user:carl")
    assert "somebody else answers" in site.text(link, 403)
    site.answer(path, "withdraw-reassign")
    mine = site.link("user:anna")
    page = site.answer(f"{mine}?document={site.id('leave.md')}", "reassign", owner="user:carl")
    assert "My documents" in page and "Recorded: somebody else is asked" in page


@pytest.mark.parametrize("altered", ["cut", "flipped", "ended", "stranger"])
def test_a_link_that_is_not_whole_opens_nothing(site: Site, altered: str) -> None:
    link = site.link("user:ben", site.id("pay.md"))
    if altered == "cut":
        link = link[:-3]
    elif altered == "flipped":
        link = link[:8] + ("A" if link[8] != "A" else "B") + link[9:]
    elif altered == "ended":
        link = site.link("user:ben", site.id("pay.md"), days=-1)
    else:
        link = site.link("user:nobody", site.id("pay.md"))
    assert "This link does not open" in site.text(link, 410)


def test_the_page_is_for_this_machine_unless_a_proxy_names_users(
    freshkb: CommandLine, owned: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "ui.user_header" in freshkb("ui", "--host", "0.0.0.0", code=2).stderr
    ran: list[Any] = []
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: ran.append(sockets))
    said = freshkb("ui", "--port", "0")
    assert re.search(r"http://127\.0\.0\.1:\d+/", said.stdout + said.stderr) and ran
