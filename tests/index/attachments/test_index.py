"""What is attached to a mail, in the index: documents like any other, whose mail is their parent."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from index.verify.compare import verify
from index.workspace import Workspace
from tests import documents
from tests.knowledge import Knowledge, counts

PLAN = "# Plan\n\nThe bridge opens in May.\n"
TERMS = "# Terms\n\nThe fee is forty euros a month.\n"
OTHER = "# Plan\n\nThe bridge opens in autumn.\n"


def mailbox(kb: Knowledge) -> None:
    documents.letter(kb.docs / "in" / "a.eml", [("plan.md", PLAN), ("terms.md", TERMS)], text="See below.")
    kb.write("in/a.eml-notes.md", "# Notes\n\nWritten beside the mail.\n")
    kb.write("z.md", "# Last\n\nNothing else.\n")


def verified(kb: Knowledge) -> None:
    def ask(workspace: Workspace) -> Any:
        found = verify(workspace)
        return found.ok, found.outdated

    assert kb.ask(ask) == (True, [])


def test_attachments_are_documents_after_their_mail(kb: Knowledge) -> None:
    mailbox(kb)
    report = kb.sync()
    assert counts(report) == {"added": 5, "embedded": 5}
    found = kb.documents()
    assert list(found) == ["in/a.eml", "in/a.eml-notes.md", "in/a.eml/plan.md", "in/a.eml/terms.md", "z.md"]
    plan, mail = found["in/a.eml/plan.md"], found["in/a.eml"]
    assert (plan.title, plan.url, plan.modified_at) == ("Plan", mail.url, mail.modified_at)
    assert plan.date_used == mail.date_used
    assert "opens in May" in kb.texts()["in/a.eml/plan.md"]
    assert "Attachments: plan.md, terms.md" in kb.texts()["in/a.eml"]
    assert "opens in May" not in kb.texts()["in/a.eml"]
    verified(kb)


def test_an_unchanged_mail_is_not_opened_again(kb: Knowledge) -> None:
    mailbox(kb)
    kb.sync()
    asked = kb.parser.asked
    assert counts(kb.sync()) == {"unchanged": 5, "embedded": 0}
    assert kb.parser.asked in (asked, asked + 1)  # Its token is not believed when it had only just come.
    os.utime(kb.docs / "in" / "a.eml", (1_600_000_000, 1_600_000_000))
    kb.sync()
    asked = kb.parser.asked
    assert counts(kb.sync()) == {"unchanged": 5, "embedded": 0}
    assert kb.parser.asked == asked
    shutil.rmtree(kb.home / ".freshkb" / "cache")
    assert counts(kb.sync()) == {"unchanged": 5, "embedded": 0}
    assert kb.parser.asked == asked + 1
    verified(kb)


def test_of_a_changed_mail_only_the_changed_attachment_is_embedded(kb: Knowledge) -> None:
    mailbox(kb)
    kb.sync()
    documents.letter(kb.docs / "in" / "a.eml", [("plan.md", OTHER), ("terms.md", TERMS)], text="See below.")
    parsed = len(kb.parser.parsed)
    assert counts(kb.sync()) == {"updated": 2, "unchanged": 3, "embedded": 1}
    assert kb.parser.parsed[parsed:] == [".eml", ".md"]
    documents.letter(kb.docs / "in" / "a.eml", [("terms.md", TERMS), ("new.txt", "New.")], text="See below.")
    assert counts(kb.sync()) == {"added": 1, "updated": 1, "deleted": 1, "unchanged": 3, "embedded": 2}
    verified(kb)


def test_a_renamed_mail_takes_its_attachments_along(kb: Knowledge) -> None:
    mailbox(kb)
    kb.sync()
    (kb.docs / "in" / "a.eml").rename(kb.docs / "b.eml")
    before = {d.document_id for d in kb.documents().values()}
    assert counts(kb.sync()) == {"moved": 3, "unchanged": 2, "embedded": 0}
    found = kb.documents()
    assert {"b.eml/plan.md", "b.eml/terms.md"} <= found.keys()
    assert found["b.eml/plan.md"].url == found["b.eml"].url
    assert {d.document_id for d in found.values()} == before
    verified(kb)


def test_a_mail_that_is_gone_takes_its_attachments_along(kb: Knowledge) -> None:
    mailbox(kb)
    kb.sync()
    (kb.docs / "in" / "a.eml").unlink()
    assert counts(kb.sync()) == {"deleted": 3, "unchanged": 2, "embedded": 0}
    verified(kb)


def test_a_hint_on_a_folder_looks_at_the_attachments_of_its_mails(kb: Knowledge) -> None:
    mailbox(kb)
    kb.sync()
    letter = kb.docs / "in" / "a.eml"
    documents.letter(letter, [("plan.md", OTHER), ("terms.md", TERMS), ("more.md", "More.")])
    assert counts(kb.sync(sources=["docs"], folders=["in"])) == {
        "added": 1,
        "updated": 2,
        "unchanged": 2,
        "embedded": 3,
    }
    documents.letter(letter, [("terms.md", TERMS)])
    report = kb.sync(sources=["docs"], folders=["in"])
    assert counts(report) == {"updated": 1, "deleted": 2, "unchanged": 3, "embedded": 1}
    assert counts(kb.sync(sources=["docs"], folders=["in"])) == {"unchanged": 3, "embedded": 0}
    assert counts(kb.sync(sources=["docs"], folders=[""])) == {"unchanged": 1, "embedded": 0}
    verified(kb)


def test_a_checksum_looks_into_mails_whatever_their_tokens_say(kb: Knowledge) -> None:
    mailbox(kb)
    letter = kb.docs / "in" / "a.eml"
    os.utime(letter, (1_600_000_000, 1_600_000_000))
    kb.sync()
    same = documents.letter(kb.home / "b.eml", [("plan.md", PLAN.replace("May", "Mai")), ("terms.md", TERMS)])
    size = letter.stat().st_size
    with letter.open("r+b") as file:
        changed = letter.read_bytes().replace(b"in May", b"in Mai")
        assert len(changed) == size and same.exists()
        file.write(changed)
    os.utime(letter, (1_600_000_000, 1_600_000_000))
    assert counts(kb.sync()) == {"unchanged": 5, "embedded": 0}
    assert counts(kb.sync(checksum=True))["updated"] == 2
    assert "in Mai" in kb.texts()["in/a.eml/plan.md"]


def test_what_cannot_be_parsed_is_skipped_and_the_mail_is_its_link(kb: Knowledge) -> None:
    documents.letter(kb.docs / "a.eml", [("a.zip", b"PK")])
    assert counts(kb.sync()) == {"added": 1, "skipped": 1, "embedded": 1}
    found = kb.documents()
    assert found["a.eml/a.zip"].reason == "Files of type .zip cannot be parsed."
    assert found["a.eml/a.zip"].url == found["a.eml"].url
    verified(kb)


def test_attachments_of_a_mail_that_can_no_longer_be_read_stay(kb: Knowledge) -> None:
    mailbox(kb)
    kb.sync()
    letter = kb.docs / "in" / "a.eml"
    letter.write_bytes(b"\x00\x01")
    report = kb.sync()
    assert {name: n for name, n in counts(report).items() if name != "embedded"} == {
        "quarantined": 1,
        "unchanged": 4,
    }
    (said,) = report.sources[0].findings
    assert "its attachments are left as they were" in said
    letter.unlink()
    assert counts(kb.sync())["deleted"] == 3


def test_a_damaged_mail_without_known_attachments_says_nothing_else(kb: Knowledge) -> None:
    (kb.docs / "a.eml").write_bytes(b"\x00\x01")
    report = kb.sync()
    assert not report.sources[0].findings
    assert list(kb.documents()) == ["a.eml"]


def test_excluded_attachments_are_none_and_included_mails_bring_theirs(kb: Knowledge) -> None:
    kb.settings["sources"][0] |= {"include": ["*.eml"], "exclude": ["**/secret*"]}
    documents.letter(kb.docs / "a.eml", [("secret.md", PLAN), ("terms.md", TERMS)])
    kb.sync()
    assert list(kb.documents()) == ["a.eml", "a.eml/terms.md"]


def test_a_mail_in_a_mail_is_opened_and_one_deeper_is_not(kb: Knowledge, tmp_path: Path) -> None:
    def wrapped(name: str, files: list[tuple[str, bytes | str]]) -> bytes:
        return documents.letter(tmp_path / name, files, subject=name).read_bytes()

    deepest = wrapped("c.eml", [("deepest.md", PLAN)])
    inner = wrapped("b.eml", [("terms.md", TERMS), ("c.eml", deepest)])
    documents.letter(kb.docs / "a.eml", [("b.eml", inner)])
    kb.sync()
    found = kb.documents()
    assert list(found) == ["a.eml", "a.eml/b.eml", "a.eml/b.eml/c.eml", "a.eml/b.eml/terms.md"]
    assert {d.url for d in found.values()} == {found["a.eml"].url}
    assert [f["code"] for f in found["a.eml/b.eml/c.eml"].findings] == ["parts-left-out"]
    assert "forty euros" in kb.texts()["a.eml/b.eml/terms.md"]
    verified(kb)
    (kb.docs / "a.eml").rename(kb.docs / "z.eml")
    assert counts(kb.sync()) == {"moved": 4, "embedded": 0}


def test_a_mail_in_a_mail_that_is_excluded_takes_its_attachments_along(kb: Knowledge, tmp_path: Path) -> None:
    kb.settings["sources"][0] |= {"exclude": ["**/b.eml"]}
    inner = documents.letter(tmp_path / "b.eml", [("terms.md", TERMS)]).read_bytes()
    documents.letter(kb.docs / "a.eml", [("b.eml", inner), ("plan.md", PLAN)])
    kb.sync()
    assert list(kb.documents()) == ["a.eml", "a.eml/plan.md"]
    verified(kb)
