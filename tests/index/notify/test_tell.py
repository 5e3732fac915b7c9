"""Owners are told by a real mail server on loopback, each once."""

from __future__ import annotations

import csv
import io
import json
import re
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from flows.ui.owners import Owners
from index.audit import history
from index.audit.audit import audit_of
from index.errors import ConfigError
from index.notify.digest import desks_of
from index.notify.report import NotifyReport
from index.notify.tell import KIND, tell
from index.people import directory_of
from index.records import AnswerKind
from index.run import Run
from index.signed.link import read
from index.sync.answers import answer
from index.workspace import Workspace
from tests.knowledge import Knowledge
from tests.smtp import Mailbox, authenticator, certified, free_port, serving


class Post:
    """A knowledge base with three owners and a mail server."""

    def __init__(self, kb: Knowledge, port: int) -> None:
        self.kb, self.port = kb, port
        kb.settings["index"] = {"collection": "handbook"}
        kb.settings["notify"] = {
            "from": "Handbook <kb@example.org>",
            "smtp": f"smtp://127.0.0.1:{port}",
            "period": "7d",
            "page": "https://wiki.example.org/owners",
            "owners": {
                "user:anna": {"email": "anna@example.org", "name": "Anna Smith", "manager": "user:mia"},
                "user:bo": {"email": "bo@example.org"},
                "user:mia": {"email": "mia@example.org", "name": "Mia"},
                "group:docs": {"members": ["user:anna", "user:bo"]},
            },
        }
        kb.source["url"] = "https://wiki.example.org/{path}"
        # Checks that belong to others, and have nothing to do with telling.
        kb.settings["audit"] = {"checks": {"checkout-dates": False}, "max_lag": "3650d"}

    @property
    def settings(self) -> dict[str, Any]:
        found: dict[str, Any] = self.kb.settings["notify"]
        return found

    def page(self, uri: str, owner: str = "user:anna", days: int = 400, text: str = "") -> None:
        dated = (self.kb.clock() - timedelta(days=days)).date()
        body = text or f"# {Path(uri).stem.title()}\n\nText of {uri}.\n"
        self.kb.write(uri, f"---\nowner: {owner}\nlast_reviewed: {dated}\n---\n{body}")

    def notify(self, **options: Any) -> NotifyReport:
        with self.kb.workspace() as workspace:
            return tell(Run(workspace, KIND), **options)

    def told(self) -> list[tuple[str, int, dict[str, str]]]:
        return [(t.owner, t.findings, dict(t.states)) for t in self.notify().digests]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def mailbox(port: int) -> Iterator[Mailbox]:
    with serving(port) as found:
        yield found


@pytest.fixture
def post(kb: Knowledge, port: int) -> Post:
    made = Post(kb, port)
    made.page("a.md")
    made.page("b.md", "group:docs", days=100)
    made.page("c.md", "user:bo")
    kb.sync()
    return made


def test_each_person_gets_one_digest_and_nothing_twice_in_a_period(post: Post, mailbox: Mailbox) -> None:
    assert post.told() == [("user:anna", 2, {"mail": "sent"}), ("user:bo", 1, {"mail": "sent"})]
    assert mailbox.to == ["anna@example.org", "bo@example.org"]
    anna = mailbox.mails[0]
    assert anna["From"] == "Handbook <kb@example.org>" and anna["To"] == "Anna Smith <anna@example.org>"
    assert anna["Subject"] == "handbook: 2 findings for you, all new"
    assert anna["Auto-Submitted"] == "auto-generated"
    assert anna["Message-ID"].endswith("@example.org>") and anna["Date"]
    assert anna["List-Unsubscribe"] == (
        "<mailto:kb@example.org?subject=unsubscribe>, <https://wiki.example.org/owners>"
    )
    text = anna.get_body(("plain",))
    html = anna.get_body(("html",))
    assert text is not None and html is not None
    said = text.get_content()
    assert said.index("Stale: A") < said.index("Review is due: B")
    assert "https://wiki.example.org/a.md" in said and "Hello Anna Smith," in said
    page = html.get_content()
    assert 'href="https://wiki.example.org/a.md"' in page and "https://wiki.example.org/owners" in page
    assert "<script" not in page and "<img" not in page and "<link" not in page
    (table,) = anna.iter_attachments()
    assert table.get_filename() == "findings.csv"
    rows = list(csv.DictReader(io.StringIO(table.get_content().removeprefix("\ufeff"))))
    assert [(row["code"], row["uri"], row["owner"]) for row in rows] == [
        ("stale", "a.md", "user:anna"),
        ("warn", "b.md", "group:docs"),
    ]
    for _ in range(6):
        assert post.told() == []
        post.kb.clock.forward(days=1)
    # A whole period later, minutes early or late: the same again.
    post.kb.clock.forward(hours=23)
    post.kb.clock.forward(hours=2)
    assert post.told() == [("user:anna", 2, {"mail": "sent"}), ("user:bo", 1, {"mail": "sent"})]
    assert mailbox.mails[2]["Subject"] == "handbook: 2 findings for you"
    assert mailbox.mails[2]["Message-ID"] != anna["Message-ID"]


def test_what_changed_is_told_in_the_next_period_and_what_was_told_is_not(
    post: Post, mailbox: Mailbox
) -> None:
    post.kb.clock.forward(days=4)
    post.notify()
    # Four days later, in the next period: only what is new since.
    post.kb.clock.forward(days=4)
    post.page("d.md")
    post.kb.sync()
    assert post.told() == [("user:anna", 1, {"mail": "sent"})]
    assert mailbox.mails[-1]["Subject"] == "handbook: 1 finding for you"
    said = mailbox.mails[-1].get_body(("plain",))
    assert said is not None and "(new)" in said.get_content()
    # One digest a period: the others of Anna wait for the next, Bo's is due.
    post.kb.clock.forward(days=3)
    assert post.told() == [("user:bo", 1, {"mail": "sent"})]


def on_record(post: Post) -> None:
    with post.kb.workspace() as workspace, Run(workspace, "audit") as run:
        history.record(workspace.ledger, audit_of(workspace), run.run_id)


def test_a_finding_that_an_audit_sees_first_after_it_was_told_is_not_new(
    post: Post, mailbox: Mailbox
) -> None:
    post.page("c.md", "user:bo", days=1)
    post.kb.sync()
    on_record(post)
    post.kb.clock.forward(days=4)
    post.page("c.md", "user:bo")
    post.kb.sync()
    assert len(post.told()) == 2
    post.kb.clock.forward(hours=1)
    on_record(post)
    post.kb.clock.forward(days=4)
    assert post.told() == []


@pytest.mark.parametrize("seen_again", [True, False])
def test_a_finding_that_went_and_came_back_is_new(post: Post, mailbox: Mailbox, seen_again: bool) -> None:
    post.kb.clock.forward(days=4)
    on_record(post)
    post.notify()
    post.page("c.md", "user:bo", days=1)
    post.kb.sync()
    post.kb.clock.forward(days=1)
    on_record(post)
    post.page("c.md", "user:bo")
    post.kb.sync()
    post.kb.clock.forward(days=3)
    if seen_again:
        on_record(post)
    assert post.told() == [("user:bo", 1, {"mail": "sent"})]


def test_a_refused_recipient_keeps_nobody_else_from_mail_and_is_tried_again(
    post: Post, mailbox: Mailbox
) -> None:
    mailbox.refused = {"anna@example.org"}
    report = post.notify()
    assert [told.json()["states"] for told in report.digests] == [{"mail": "failed"}, {"mail": "sent"}]
    assert report.outcome == "failed" and not report.digests[0].sent
    assert "550" in report.digests[0].trouble[0]
    mailbox.refused = set()
    post.kb.clock.forward(hours=1)
    assert post.told() == [("user:anna", 2, {"mail": "sent"})]
    assert mailbox.to == ["bo@example.org", "anna@example.org"]


def test_a_mistyped_address_in_a_document_keeps_nobody_from_their_digest(
    post: Post, mailbox: Mailbox
) -> None:
    for number, owner in enumerate(("carl.@example.org", "zoe@example.org")):
        post.page(f"more/{number}.md", owner)
    post.kb.sync()
    report = post.notify()
    assert mailbox.to == ["anna@example.org", "bo@example.org", "zoe@example.org"]
    assert report.outcome == "done" and dict(report.nobody) == {"": 1, "carl.@example.org": 1}


def test_a_digest_that_cannot_be_written_is_not_sent_and_keeps_nobody_from_theirs(
    post: Post, mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.people.directory.is_mail_address", lambda text: "@" in text)
    for number, owner in enumerate(("carl.@example.org", "zoe@example.org")):
        post.page(f"more/{number}.md", owner)
    post.kb.sync()
    states = {
        "user:anna": "sent",
        "user:bo": "sent",
        "zoe@example.org": "sent",
        "carl.@example.org": "failed",
    }

    def ended(report: NotifyReport) -> dict[str, str]:
        return {told.owner: told.states["mail"] for told in report.digests}

    dry = post.notify(dry_run=True, out=tmp_path / "out")
    assert ended(dry) == {owner: state.replace("sent", "dry run") for owner, state in states.items()}
    assert [path.name for path in dry.files] == ["user-anna.eml", "user-bo.eml", "zoe@example.org.eml"]
    report = post.notify()
    assert ended(report) == states
    assert "The digest cannot be written: local-part is not dot-atom" in report.digests[0].trouble[0]
    assert mailbox.to == ["anna@example.org", "bo@example.org", "zoe@example.org"]
    # It is tried again, and nobody is told that it may have been sent.
    assert post.told() == [("carl.@example.org", 1, {"mail": "failed"})]


def test_a_server_that_is_down_is_asked_once_and_again_by_the_next_run(post: Post, port: int) -> None:
    report = post.notify()
    assert [dict(told.states) for told in report.digests] == [{"mail": "failed"}] * 2
    assert f"The mail server 127.0.0.1:{port} cannot be used" in report.digests[0].trouble[0]
    assert post.kb.ask(lambda w: w.ledger.runs.last("notify")).counts["failed"] == 2  # type: ignore[union-attr]
    with serving(port) as mailbox:
        assert [states for _, _, states in post.told()] == [{"mail": "sent"}] * 2
        assert len(mailbox.mails) == 2


def test_a_server_that_hangs_up_with_the_mail_in_hand_may_have_taken_it(post: Post, mailbox: Mailbox) -> None:
    mailbox.hang_up = lambda: None
    report = post.notify()
    assert [dict(told.states) for told in report.digests] == [{"mail": "unknown"}] * 2
    assert all("may have been sent" in told.trouble[0] for told in report.digests)
    mailbox.hang_up = None
    post.kb.clock.forward(days=1)
    assert post.told() == []
    assert len(mailbox.mails) == 2


def test_starttls_with_a_login(
    post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    options: dict[str, Any] = {
        "tls_context": certified(tmp_path),
        "require_starttls": True,
        "auth_required": True,
        "authenticator": authenticator("kb@example.org", "p/w:d @9secret"),
    }
    wrong = f"smtp+starttls://kb%40example.org:Wr0ngPassword@127.0.0.1:{port}"
    post.settings["smtp"] = f"smtp+starttls://kb%40example.org:p%2Fw%3Ad%20%409secret@127.0.0.1:{port}"
    with serving(port, **options) as mailbox:
        # Nobody vouches for the certificate.
        report = post.notify()
        assert report.outcome == "failed" and "CERTIFICATE_VERIFY_FAILED" in report.digests[0].trouble[0]
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        right, post.settings["smtp"] = post.settings["smtp"], wrong
        report = post.notify()
        assert "refuses the login (535)" in report.digests[0].trouble[0]
        assert "Wr0ngPassword" not in json.dumps(report.json())
        assert mailbox.mails == []
        post.settings["smtp"] = right
        assert [dict(told.states) for told in post.notify().digests] == [{"mail": "sent"}] * 2
        assert len(mailbox.mails) == 2


def test_smtps(post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    context: ssl.SSLContext = certified(tmp_path)
    post.settings["smtp"] = f"smtps://localhost:{port}"
    with serving(port, ssl_context=context) as mailbox:
        assert [dict(told.states) for told in post.notify().digests] == [{"mail": "sent"}] * 2
        assert len(mailbox.mails) == 2


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        ({"from": "kb@example.org", "smtp": "smtp://u:p@mail.example.org"}, "in the clear"),
        ({"smtp": "smtp://localhost"}, "smtp needs from"),
        ({"from": "kb", "smtp": "smtp://localhost"}, "'kb' is no mail address"),
        ({"from": "kb.@example.org"}, "'kb.@example.org' is no mail address"),
        ({"from": "Docs <.kb@example.org>"}, "is no mail address"),
        ({"from": "kb@example.org", "smtp": "http://localhost"}, "does not begin with smtp"),
        ({"from": "kb@example.org", "smtp": "smtps://localhost/x"}, "should end after the host"),
        ({"form": "kb@example.org"}, r"notify\.form: unknown key; did you mean from\?"),
        ({"period": "soon"}, "should be a duration"),
    ],
)
def test_settings_that_are_wrong(kb: Knowledge, notify: dict[str, str], said: str) -> None:
    kb.settings["notify"] = notify
    with pytest.raises(ConfigError, match=said):
        kb.config()


def test_without_a_way_to_send_nothing_is_sent(post: Post) -> None:
    del post.settings["smtp"]
    with pytest.raises(ConfigError, match=r"notify\.smtp is missing in freshkb\.yaml"):
        post.notify()


# ── Who is told ───────────────────────────────────────────────────────────────────────────────────────


def test_ten_items_the_worst_first_and_all_in_the_table(post: Post, mailbox: Mailbox) -> None:
    for number in range(14):
        post.page(f"more/{number:02}.md", "user:bo", days=200 + number)
    post.page("due.md", "user:bo", days=100)
    post.kb.sync()
    post.notify()
    bo = mailbox.mails[1]
    text = bo.get_body(("plain",))
    assert text is not None
    said = text.get_content()
    items = [line for line in said.splitlines() if line.startswith("* ")]
    assert items[0] == "* Stale: C (new)" and items[1] == "* Stale: 13 (new)" and len(items) == 10
    assert "And 6 more." in said and "16 open in all." in said
    (table,) = bo.iter_attachments()
    assert len(table.get_content().splitlines()) == 17
    # What it did not name was told, too: by the table.
    post.kb.clock.forward(days=1)
    assert post.told() == []


def test_snoozed_documents_are_left_out(post: Post, mailbox: Mailbox) -> None:
    with post.kb.workspace() as workspace:
        until = post.kb.clock() + timedelta(days=10)
        answer(Run(workspace, "review"), ["c.md"], AnswerKind.SNOOZE, "bo", until=until)
    assert post.told() == [("user:anna", 2, {"mail": "sent"})]
    post.kb.clock.forward(days=11)
    assert ("user:bo", 1, {"mail": "sent"}) in post.told()


def test_an_owner_that_is_nobody_is_told_to_the_owner_of_the_source(post: Post, mailbox: Mailbox) -> None:
    post.kb.source["owner"] = "user:bo"
    post.page("x.md", "group:gone")
    post.page("y.md", "Group:Gone")
    post.kb.sync()
    report = post.notify()
    assert dict(report.nobody) == {"group:gone": 2}
    assert report.json()["digests"][-1] == {
        "owner": "group:gone",
        "findings": 2,
        "channels": [],
        "sent": False,
        "states": {},
        "trouble": [],
    }
    said = mailbox.mails[1].get_body(("plain",))
    assert mailbox.to[1] == "bo@example.org" and said is not None
    assert "Owner is no person" in said.get_content()
    told = "Nobody can be told of x.md and 1 more: group:gone is not in the directory of owners."
    assert told in " ".join(said.get_content().split())


def test_an_owner_that_is_nobody_is_one_fault_whichever_documents_there_are(post: Post) -> None:
    post.kb.source["owner"] = "user:bo"
    post.page("x.md", "group:gone")
    post.kb.sync()
    on_record(post)
    post.kb.clock.forward(days=1)
    post.page("w.md", "group:gone", days=1)
    post.kb.sync()
    with post.kb.workspace() as workspace:
        until = post.kb.clock() + timedelta(days=30)
        answer(Run(workspace, "review"), ["w.md"], AnswerKind.SNOOZE, "bo", until=until)
    audit = post.kb.ask(audit_of)
    assert [f.status for f in audit.findings if f.code == "owner-unresolved"] == ["open"]
    assert audit.resolved == ()
    desks = desks_of(audit, post.kb.ask(lambda w: directory_of(w.config)))
    assert "owner-unresolved" in {item.finding.code for item in desks.people["bo@example.org"].items}


def test_managers_are_told_what_is_left_open(post: Post, mailbox: Mailbox) -> None:
    post.settings["escalate_after"] = "20d"
    post.notify()
    for _ in range(2):
        post.kb.clock.forward(days=7)
        assert "user:mia" not in {owner for owner, _, _ in post.told()}
    post.page("b.md", "group:docs", days=1)
    post.kb.sync()
    post.kb.clock.forward(days=7)
    told = post.told()
    assert ("user:mia", 1, {"mail": "sent"}) in told
    mail = mailbox.mails[mailbox.to.index("mia@example.org")]
    said = mail.get_body(("plain",))
    assert said is not None
    assert "Left open by people who report to you" in said.get_content()
    assert "Left open by Anna Smith" in said.get_content()
    assert post.told() == []


def test_another_name_of_a_person_keeps_nothing_from_their_manager(post: Post, mailbox: Mailbox) -> None:
    post.settings["owners"]["an"] = {"email": "anna@example.org"}
    post.settings["escalate_after"] = "7d"
    post.page("0.md", "an")
    post.kb.sync()
    assert ("an", 3, {"mail": "sent"}) in post.told()
    assert mailbox.mails[0]["To"] == "Anna Smith <anna@example.org>"
    post.kb.clock.forward(days=7)
    assert ("user:mia", 3, {"mail": "sent"}) in post.told()


def test_hostile_words_stay_words(post: Post, mailbox: Mailbox) -> None:
    title = '<img src=x onerror=alert(1)>"\x1b[31m\u202e ' + "=1+1"
    post.page("evil.md", "user:bo", text=f"# {title}\n\nText.\n")
    post.settings["owners"]["user:bo"]["name"] = "Bo\u202e <b>"
    post.kb.sync()
    post.notify()
    mail = mailbox.mails[1]
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    assert html is not None and text is not None
    assert "<img" not in html.get_content() and "Bo\\u202e &lt;b&gt;" in html.get_content()
    assert "\x1b" not in text.get_content() and "\u202e" not in text.get_content()
    assert mail["To"].addresses[0].display_name == "Bo\\u202e <b>"


def test_a_signed_link_leads_to_the_owners_page(post: Post, mailbox: Mailbox) -> None:
    del post.settings["page"]
    post.kb.settings["ui"] = {"address": "https://kb.example.org/"}
    post.notify()
    text = mailbox.mails[0].get_body(("plain",))
    assert text is not None
    found = re.search(r"https://kb\.example\.org/a/(\S+)", text.get_content())
    assert found is not None and "anna" not in found[1]
    assert mailbox.mails[0]["List-Unsubscribe"].endswith("<https://kb.example.org>")

    def bearer(workspace: Workspace) -> tuple[str | None, set[str]]:
        secret = workspace.ledger.tombstones.keys().links()
        grant = read(secret, found[1], post.kb.clock() + timedelta(days=27))
        name = Owners(workspace).person(grant.person, ())
        return name, Owners(workspace).of(name or "")

    name, owners = post.kb.ask(bearer)
    assert name == "user:anna"
    assert {"user:anna", "anna@example.org", "group:docs"} <= owners and "user:bo" not in owners


# ── Apprise ───────────────────────────────────────────────────────────────────────────────────────────


class Hook:
    """A web service that Apprise posts to."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.posted.append(json.loads(body))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/t0ken9secret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
def test_a_person_is_told_by_apprise_too(
    post: Post, mailbox: Mailbox, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    post.settings["owners"]["user:bo"]["apprise"] = [hook.url]
    hook.status = 500
    report = post.notify()
    assert dict(report.digests[1].states) == {"mail": "sent", "apprise": "failed"}
    assert "t0ken9secret" not in json.dumps(report.json()) + caplog.text
    hook.status = 200
    post.kb.clock.forward(minutes=1)
    # Only what failed is tried again.
    assert post.told() == [("user:bo", 1, {"apprise": "sent"})]
    assert len(mailbox.mails) == 2 and len(hook.posted) == 2
    assert hook.posted[-1]["title"] == "handbook: 1 finding for you"
    assert "* Stale: C (new)" in hook.posted[-1]["message"]


# ── Dry runs ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_dry_run_writes_the_mails_and_records_nothing(post: Post, tmp_path: Path, hook: Hook) -> None:
    del post.settings["smtp"]
    post.settings["owners"]["user:bo"]["apprise"] = hook.url
    runs = post.kb.ask(lambda w: len(w.ledger.runs.newest()))
    for _ in range(2):
        report = post.notify(dry_run=True, out=tmp_path / "out")
        assert [dict(told.states) for told in report.digests] == [
            {"mail": "dry run"},
            {"mail": "dry run", "apprise": "dry run"},
        ]
        assert [path.name for path in report.files] == ["user-anna.eml", "user-bo.eml", "user-bo.txt"]
    assert hook.posted == []
    assert (tmp_path / "out" / "user-bo.eml").stat().st_mode & 0o777 == 0o600
    assert b"Subject: handbook: 2 findings" in (tmp_path / "out" / "user-anna.eml").read_bytes()
    assert post.kb.ask(lambda w: len(w.ledger.runs.newest())) == runs
    (tmp_path / "out" / "user-bo.txt").write_text("mine")
    with pytest.raises(ConfigError, match="was not written by freshkb"):
        post.notify(dry_run=True, out=tmp_path / "out")


def test_nothing_of_a_person_is_on_record(
    post: Post, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    post.notify()
    record = post.kb.ask(lambda w: w.ledger.runs.last("notify"))
    assert record is not None
    assert record.counts == {"digests": 2, "sent": 2, "failed": 0, "unknown": 0, "unresolved": 0}
    notices = post.kb.ask(
        lambda w: str(w.ledger.notices.of([w.ledger.tombstones.keys().person("anna@example.org")]))
    )
    # The mail server of the test logs what it is told.
    logged = [one.getMessage() for one in caplog.records if not one.name.startswith("mail.")]
    said = f"{record} {notices} {logged}"
    assert "mail" in notices
    for word in ("anna", "example.org", "a.md", "group:docs"):
        assert word not in said.replace("kb@example.org", "").replace(str(post.kb.home), "")
