"""A week of five owners: what each is told, what they do, and what the next audit says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from index.audit import history
from index.audit.audit import audit_of
from index.audit.result import Audit
from index.notify.tell import KIND, tell
from index.run import Run
from tests.flows.test_ui import Site
from tests.knowledge import Knowledge
from tests.smtp import Mailbox, free_port, serving

PEOPLE = ("anna", "bo", "carl", "dora", "eve")


class Week:
    """A knowledge base of five owners, their mails and their page."""

    def __init__(self, kb: Knowledge, mailbox: Mailbox, port: int) -> None:
        self.kb, self.mailbox = kb, mailbox
        kb.settings["notify"] = {
            "from": "kb@example.org",
            "smtp": f"smtp://127.0.0.1:{port}",
            "owners": {f"user:{name}": {"email": f"{name}@example.org"} for name in PEOPLE},
        }
        kb.settings["ui"] = {"address": "http://127.0.0.1"}
        kb.settings["audit"] = {"checks": {"checkout-dates": False}}
        kb.source["owner"] = "user:dora"

    def page(self, uri: str, owner: str | None, days: int, text: str = "It holds.") -> None:
        dated = (self.kb.clock() - timedelta(days=days)).date()
        named = f"owner: user:{owner}\n" if owner else ""
        head = f"---\n{named}last_reviewed: {dated}\n---\n"
        self.kb.write(uri, f"{head}# About {uri}\n\n{text} Said in {uri}.\n")

    def day(self) -> tuple[Audit, list[str]]:
        """Sync, audit and digests, as they run each morning: the audit, and the people who had mail."""
        self.kb.sync()
        before = len(self.mailbox.to)
        with self.kb.workspace() as workspace:
            found = audit_of(workspace)
            history.record(workspace.ledger, found, f"run-{self.kb.clock():%Y%m%d}")
            tell(Run(workspace, KIND))
        return found, [address.partition("@")[0] for address in self.mailbox.to[before:]]

    def mail(self, name: str) -> EmailMessage:
        """The last mail of a person."""
        return [mail for mail in self.mailbox.mails if mail["To"] == f"{name}@example.org"][-1]


def text_of(mail: EmailMessage) -> str:
    part: Any = mail.get_body(("plain",))
    text: str = part.get_content()
    return text


def link_in(mail: EmailMessage) -> str:
    found = re.search(r"http://127\.0\.0\.1(/a/\S+)", text_of(mail))
    assert found
    return found[1]


def open_codes(audit: Audit) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in audit.findings:
        found.setdefault(finding.owner.removeprefix("user:"), []).append(f"{finding.code} {finding.uri}")
    return {name: sorted(codes) for name, codes in found.items()}


@pytest.fixture
def week(kb: Knowledge) -> Iterator[Week]:
    port = free_port()
    with serving(port) as mailbox:
        yield Week(kb, mailbox, port)


def test_a_week_of_five_owners(week: Week) -> None:
    kb = week.kb
    week.page("leave.md", "anna", 400)
    week.page("travel.md", "anna", 86)
    week.page("pay.md", "bo", 300)
    week.page("bonus.md", "bo", 400)
    week.page("start.md", "carl", 5, "See [the rules](rules-of-old.md).")
    week.page("orphan.md", None, 500)
    week.page("news.md", "eve", 2)

    monday, told = week.day()
    assert sorted(told) == ["anna", "bo", "carl", "dora"], "eve has nothing to do"
    assert open_codes(monday) == {
        "anna": ["stale leave.md"],
        "bo": ["stale bonus.md", "stale pay.md"],
        "carl": ["dead-link start.md"],
        "dora": ["stale orphan.md"],
    }
    assert "leave.md" in text_of(week.mail("anna")) and "pay.md" not in text_of(week.mail("anna"))

    site = Site(kb)
    try:
        ids = {uri: document.document_id for uri, document in kb.documents().items()}
        mine = {name: f"{link_in(week.mail(name))}?document=" for name in ("anna", "bo", "dora")}
        site.answer(mine["anna"] + ids["leave.md"], "review", note="still four hours")
        site.answer(mine["bo"] + ids["bonus.md"], "snooze", until="2026-07-15")
        site.answer(mine["dora"] + ids["orphan.md"], "reassign", owner="user:eve")
        assert "somebody else answers" in site.text(mine["anna"] + ids["pay.md"], 403)
    finally:
        site.close()
    week.page("pay.md", "bo", 0, "New rates.")
    week.page("start.md", "carl", 5, "See [the rules](leave.md).")

    kb.clock.forward(days=1)
    tuesday, told = week.day()
    assert told == ["eve"], "the others were told, and did what was to be done"
    assert open_codes(tuesday) == {"bo": ["stale bonus.md"], "eve": ["stale orphan.md"]}
    assert sorted(f"{one.code} {one.uri}" for one in tuesday.resolved) == [
        "dead-link start.md",
        "stale leave.md",
        "stale pay.md",
    ]
    assert {finding.status for finding in tuesday.findings} == {"open"}

    days = []
    for _ in range(5):
        kb.clock.forward(days=1)
        days.append(week.day())
    assert [told for _, told in days] == [[]] * 5, "one digest for each person and week"
    assert open_codes(days[-1][0])["anna"] == ["warn travel.md"], "its review came due meanwhile"

    kb.clock.forward(days=1)
    next_monday, told = week.day()
    assert "anna" in told and "bo" not in told, "bo said when it will be done"
    assert "travel.md" in text_of(week.mail("anna"))
    trend = [past.counts["stale"] for past in next_monday.past]
    assert trend == [4, 2, 2, 2, 2, 2, 2] and next_monday.trust_score is not None
    assert next_monday.trust_score > (monday.trust_score or 0)
    assert Counter(week.mailbox.to).most_common(1)[0][1] == 2, "two mails in eight days at most"
