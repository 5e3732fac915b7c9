"""`freshkb notify` as a command and as a process: killed, twice at once, and on paper."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests import forks
from tests.commands import CommandLine, environment, process
from tests.knowledge import Knowledge
from tests.smtp import Mailbox, free_port, serving

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def mailbox(port: int) -> Iterator[Mailbox]:
    with serving(port) as found:
        yield found


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch, port: int) -> CommandLine:
    kb.settings["notify"] = {
        "from": "kb@example.org",
        "smtp": f"smtp://127.0.0.1:{port}",
        "owners": "owners.csv",
    }
    (kb.home / "owners.csv").write_text("owner;email\nuser:anna;anna@example.org\nuser:bo;bo@example.org\n")
    dated = (datetime.now(UTC) - timedelta(days=400)).date()
    for owner in ("anna", "bo"):
        kb.write(
            f"{owner}.md", f"---\nowner: user:{owner}\nlast_reviewed: {dated}\n---\n# Of {owner}\n\nText.\n"
        )
    made = CommandLine(kb, monkeypatch)
    made("sync")
    return made


def test_the_command(freshkb: CommandLine, mailbox: Mailbox) -> None:
    shown = freshkb("notify").stdout
    assert "user:anna: 1 finding: mail sent\nuser:bo: 1 finding: mail sent\n" in shown
    assert mailbox.to == ["anna@example.org", "bo@example.org"]
    assert freshkb("notify").stdout == "Nobody has anything new.\n"
    assert freshkb.json("notify") == {"digests": []}
    (run,) = [run for run in freshkb.json("runs") if run["kind"] == "notify"][-1:]
    assert run["outcome"] == "done" and "anna" not in json.dumps(run["counts"])


def test_a_refused_mail_ends_with_1(freshkb: CommandLine, mailbox: Mailbox) -> None:
    mailbox.refused = {"bo@example.org"}
    found = freshkb.json("notify", code=1)["digests"]
    assert [(d["owner"], d["sent"], d["channels"]) for d in found] == [
        ("user:anna", True, ["mail"]),
        ("user:bo", False, ["mail"]),
    ]


def test_a_dry_run(freshkb: CommandLine, kb: Knowledge) -> None:
    found = freshkb.json("notify", "--dry-run")["digests"]
    assert [(d["owner"], d["findings"], d["sent"]) for d in found] == [
        ("user:anna", 1, False),
        ("user:bo", 1, False),
    ]
    written = kb.home / ".freshkb" / "reports" / "digests"
    assert sorted(path.name for path in written.iterdir()) == ["user-anna.eml", "user-bo.eml"]
    shown = freshkb("notify", "--dry-run", "--out", "mails").stdout
    assert "Wrote mails/user-anna.eml" in shown
    said = freshkb("notify", "--dry-run", "--out", "docs/mails", code=2).output
    assert "nothing is ever written into a source" in said
    assert "Give --dry-run, too" in freshkb("notify", "--out", "mails", code=2).output
    kb.write("bo.md", "---\nowner: user:bo\n---\nNew text.\n")
    # A mail encodes its text: an erasure removes what a dry run has left.
    freshkb("erase", "anna.md", "--by", "dpo", "--reason", "Asked.", "--yes")
    assert list(written.iterdir()) == []


def test_a_directory_that_is_wrong(freshkb: CommandLine, kb: Knowledge) -> None:
    (kb.home / "owners.csv").write_text("owner;email\nuser:anna;anna\n")
    for command in (["config", "check"], ["audit"], ["notify"]):
        assert "owners.csv:2: email: 'anna' is no mail address" in freshkb(*command, code=2).output


def test_an_owner_without_a_person_is_a_finding(freshkb: CommandLine, kb: Knowledge) -> None:
    (kb.home / "owners.csv").write_text("owner;email\nuser:anna;anna@example.org\n")
    found = freshkb.json("audit", "--fail-on", "never")["findings"]
    (unresolved,) = (f for f in found if f["code"] == "owner-unresolved")
    assert (unresolved["source"], unresolved["document_id"], unresolved["owner"]) == ("docs", None, "")
    assert unresolved["evidence"] == "Nobody can be told of bo.md: user:bo is not in the directory of owners."
    del kb.settings["notify"]["owners"]
    kb.config()
    found = freshkb.json("audit", "--fail-on", "never")["findings"]
    assert [f for f in found if f["code"] == "owner-unresolved"] == []


KILLED = """
import os, signal
from index.notify import channels
def before(self, *given): os.kill(os.getpid(), signal.SIGKILL)
really = channels.Mail.send
def after(self, *given): really(self, *given); os.kill(os.getpid(), signal.SIGKILL)
channels.Mail.send = {when}
"""


@pytest.mark.parametrize(("when", "mails"), [("before", 0), ("after", 1)])
def test_killed_between_record_and_end_nothing_is_sent_again(
    freshkb: CommandLine, mailbox: Mailbox, kb: Knowledge, when: str, mails: int
) -> None:
    killed = forks.run(
        process("notify", more=KILLED.format(when=when)), cwd=kb.home, env=environment(), capture_output=True
    )
    assert killed.returncode == -9, killed.stderr.decode()
    assert len(mailbox.mails) == mails
    found = freshkb.json("notify", code=1)["digests"]
    assert [(d["owner"], d["states"]) for d in found] == [
        ("user:anna", {"mail": "unknown"}),
        ("user:bo", {"mail": "sent"}),
    ]
    assert "it may have been sent" in found[0]["trouble"][0]
    # It is said once, and the mail never sent again.
    assert freshkb.json("notify") == {"digests": []}
    assert mailbox.to == ["anna@example.org"] * mails + ["bo@example.org"]


def test_two_at_once_send_each_mail_once(freshkb: CommandLine, mailbox: Mailbox, kb: Knowledge) -> None:
    mailbox.linger_seconds = 0.5
    both = [
        forks.Popen(
            process("notify", "--json"), cwd=kb.home, env=environment(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    digests: list[dict[str, Any]] = []
    for one in both:
        printed, _ = one.communicate(timeout=120)
        assert one.returncode == 0
        digests += json.loads(printed)["digests"]
    assert sorted(mailbox.to) == ["anna@example.org", "bo@example.org"]
    assert sorted(d["owner"] for d in digests) == ["user:anna", "user:bo"]
    assert all(d["sent"] for d in digests)


def test_commands_that_tell_nobody_import_no_channel(kb: Knowledge) -> None:
    script = "import sys, index.audit.audit, index.notify.tell; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True
    )
    assert not {"apprise", "jinja2"} & set(done.stdout.split())
