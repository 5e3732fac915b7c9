"""Orders to erase, holds and drop folders take a mail with what is attached to it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from index import hold as holds
from index.erase.carry_out import ErasureReport, carry_out
from index.erase.place import lift, place
from index.erase.target import Target, preview
from index.errors import Refused
from index.model import State
from index.phrase import Phrases
from index.run import Run
from index.search.describe import summaries
from index.search.find import find
from index.search.reader import Reader
from index.verify.compare import verify
from tests import documents
from tests.connectors.drop.folders import Folders
from tests.connectors.drop.test_index import folders as folders
from tests.index.erase.test_erase import files_with
from tests.knowledge import Knowledge, counts

SALARY = "# Kookaburra salaries\n\nZeppelin earns forty marimbas.\n"


@pytest.fixture
def box(kb: Knowledge) -> Knowledge:
    documents.letter(kb.docs / "hr" / "zeppelin.eml", [("kookaburra.md", SALARY), ("tamarind.zip", b"PK")])
    kb.write("hr/zeppelin.eml.md", "# Beside\n\nNot attached.\n")
    for number in range(5):
        kb.write(f"stays/{number}.md", f"# Page {number}\n\nThe page number {number} stays.\n")
    kb.sync()
    kb.clock.forward(hours=1)
    return kb


MAIL = "hr/zeppelin.eml"
ALL = {MAIL, f"{MAIL}/kookaburra.md", f"{MAIL}/tamarind.zip"}


def erased(kb: Knowledge, target: Target) -> ErasureReport:
    order = kb.ask(lambda workspace: place(workspace, target, "An order.", by="dpo"))
    return kb.ask(lambda workspace: carry_out(Run(workspace, "erase"), order.order_id))


def is_sound(kb: Knowledge) -> bool:
    return kb.ask(lambda workspace: verify(workspace, deep=True).ok)


def test_an_order_to_erase_a_mail_takes_its_attachments_and_keeps_them_out(box: Knowledge) -> None:
    """However it names the mail."""
    for target in (Target((MAIL,)), Target(pattern=MAIL), Target(pattern="*.eml")):
        assert {d.uri for d in box.ask(partial(preview, target=target)).documents} == ALL
    report = erased(box, Target(pattern="*.eml"))
    assert (report.outcome, report.order.documents) == ("done", 3)
    assert files_with(box, ["zeppelin.eml/", "Kookaburra", "tamarind", "marimbas"]) == set()
    assert box.documents().keys().isdisjoint(ALL)
    assert counts(box.sync())["withheld"] == 3
    assert files_with(box, ["kookaburra.md", "marimbas"]) == set()
    # Nor does what a later version of the mail holds.
    documents.letter(
        box.docs / MAIL, [("new.md", "# New\n\nSomething new.\n"), ("b.zip", b"PK2")], text="New."
    )
    assert counts(box.sync()) == {"unchanged": 6, "withheld": 3, "embedded": 0}
    assert not any(uri.startswith(f"{MAIL}/") for uri in box.documents())
    assert is_sound(box)
    box.ask(lambda workspace: lift(workspace, report.order.order_id, "It was a mistake."))
    assert counts(box.sync()) == {"added": 2, "skipped": 1, "unchanged": 6, "embedded": 2}


def test_an_erased_mail_does_not_come_back_under_another_name(box: Knowledge) -> None:
    erased(box, Target((MAIL,)))
    (box.docs / MAIL).rename(box.docs / "again.eml")
    box.sync()
    box.sync()
    assert not any(uri.startswith("again.eml") for uri in box.documents())
    assert is_sound(box)


def test_an_attachment_alone_can_be_erased(box: Knowledge) -> None:
    report = erased(box, Target((f"{MAIL}/kookaburra.md",)))
    assert (report.outcome, report.order.documents) == ("done", 1)
    assert files_with(box, ["marimbas"]) == set()
    assert counts(box.sync())["withheld"] == 1
    # The mail's own text names it, and nothing else does.
    assert not [name for name in files_with(box, ["kookaburra.md"]) if "attachments" in str(name)]
    assert box.documents().keys() >= ALL - {f"{MAIL}/kookaburra.md"}
    # A copy of it in another mail is kept out, too.
    documents.letter(box.docs / "other.eml", [("copy.md", SALARY)])
    box.sync()
    assert "other.eml/copy.md" not in box.documents() and "other.eml" in box.documents()
    assert is_sound(box)


def test_a_phrase_is_found_in_an_attachment_and_erases_it_alone(box: Knowledge) -> None:
    def found(workspace: Any) -> list[str]:
        return [one.document.uri for one in find(Reader(workspace), Phrases(["forty marimbas"]))]

    assert box.ask(found) == [f"{MAIL}/kookaburra.md"]
    assert erased(box, Target(phrases=("forty marimbas",))).outcome == "done"
    assert MAIL in box.documents()
    box.sync()
    assert box.documents()[f"{MAIL}/kookaburra.md"].state is State.QUARANTINED


def test_a_hold_on_a_mail_keeps_its_attachments_and_those_that_come(box: Knowledge) -> None:
    placed = box.ask(lambda m: holds.place(m, holds.Target((MAIL,)), "lawsuit", by="anna"))
    assert placed.documents == 3
    documents.letter(box.docs / MAIL, [("kookaburra.md", SALARY), ("later.md", "# Later\n\nCame later.\n")])
    box.sync()
    (box.docs / MAIL).unlink()
    assert counts(box.sync())["held"] == 4  # The file that its last version lacks is one of them.
    states = {d.uri: d.state for d in box.documents().values() if d.uri.startswith(MAIL)}
    assert states[f"{MAIL}/later.md"] is states[f"{MAIL}/kookaburra.md"] is states[MAIL] is State.HELD
    with pytest.raises(Refused):
        box.ask(lambda workspace: place(workspace, Target((MAIL,)), "An order.", by="dpo"))
    box.ask(lambda m: holds.release(m, placed.hold.hold_id, "over", by="anna"))
    assert counts(box.sync())["deleted"] >= 3
    assert is_sound(box)


def test_an_attachment_names_its_parent(box: Knowledge) -> None:
    said = {row["uri"]: row["parent"] for row in box.ask(lambda m: [s.json() for s in summaries(Reader(m))])}
    assert said[f"{MAIL}/kookaburra.md"] == said[f"{MAIL}/tamarind.zip"] == MAIL
    assert said[MAIL] is said["hr/zeppelin.eml.md"] is None


def test_rules_and_links_of_an_attachment_are_those_of_its_mail(kb: Knowledge) -> None:
    kb.settings["sources"][0] |= {
        "url": "https://wiki.example.org/{path}",
        "rules": [{"match": "**/*.eml", "owner": "user:anna"}],
    }
    documents.letter(kb.docs / "a.eml", [("a.md", "# A\n\nText.\n")])
    kb.sync()
    mail, attached = kb.documents().values()
    assert mail.url == attached.url == "https://wiki.example.org/a.eml"
    assert mail.owner == attached.owner == "user:anna"


def test_a_drop_folder_archives_a_mail_and_keeps_what_is_attached(kb: Knowledge, folders: Folders) -> None:
    made = documents.letter(kb.home / "a.eml", [("a.md", SALARY), ("broken.docx", b"none of Word's")])
    folders.put("inbox", "in/a.eml", made.read_bytes())
    assert counts(kb.sync(), "drop") == {"added": 2, "quarantined": 1, "embedded": 2}
    assert list(folders.trees()["archive"]) == ["in/a.eml"]
    found = kb.documents()
    assert found["in/a.eml/a.md"].url == (folders.home / "archive/in/a.eml").as_uri()
    for _ in range(2):
        assert counts(kb.sync(), "drop") == {"unchanged": 3, "quarantined": 1, "embedded": 0}
    assert is_sound(kb)
    (folders.home / "archive/in/a.eml").unlink()
    folders.put("inbox", "other.md", b"# Other\n")
    assert counts(kb.sync(), "drop")["deleted"] == 3


def test_a_retention_by_the_date_of_a_mail_ends_for_what_is_attached(kb: Knowledge, tmp_path: Path) -> None:
    kb.settings["retention"] = [{"match": "**/*.eml", "after": "1y", "field": "sent"}]
    documents.letter(kb.docs / "a.eml", [("a.md", SALARY)])
    kb.write("b.md", "# B\n\nStays.\n")
    kb.sync()
    assert {d.uri for d in kb.documents().values() if d.state is State.EXPIRED} == {"a.eml", "a.eml/a.md"}
