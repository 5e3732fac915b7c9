"""`freshkb hold`, and where other commands tell of holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from index.actor import login
from tests.commands import CommandLine
from tests.knowledge import Knowledge


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(kb, monkeypatch)


def page(kb: Knowledge, uri: str, owner: str = "user:anna") -> Path:
    return kb.write(uri, f"---\nowner: {owner}\n---\n# Page\n\nFour hours of leave, says {uri}.\n")


@pytest.fixture
def grown(freshkb: CommandLine, kb: Knowledge) -> CommandLine:
    for uri in ("case/a.md", "case/b.md", "free.md"):
        page(kb, uri)
    freshkb("sync")
    return freshkb


def test_a_hold_is_placed_listed_and_released(grown: CommandLine, kb: Knowledge) -> None:
    words = ("--reason", "Smith v. Jones", "--matter", "12/26", "--until", "2100-12-31", "--by", "Anna S.")
    (placed,) = grown.json("hold", "place", "case/a.md", "free.md", *words)
    assert re.fullmatch(r"H-[0-9A-Z]{7}", placed["hold_id"])
    assert placed == {
        "hold_id": placed["hold_id"], "kind": "document", "target": "docs:case/a.md, docs:free.md",
        "source": None, "reason": "Smith v. Jones", "matter": "12/26", "by": "Anna S.",
        "placed_at": placed["placed_at"], "until": "2101-01-01T12:00:00Z", "released_at": None,
        "released_by": None, "release_reason": None, "stands": True, "documents": 2,
    }  # fmt: skip
    assert grown.json("hold", "list") == [placed]
    said = grown("hold", "list").stdout
    assert placed["hold_id"] in said and "matter 12/26" in said and "Smith v. Jones" in said
    (released,) = grown.json("hold", "release", placed["hold_id"].lower(), "--reason", "Settled.")
    assert (released["stands"], released["released_by"]) == (False, login())
    assert released["release_reason"] == "Settled."
    assert grown.json("hold", "list") == []
    assert grown.json("hold", "list", "--all") == [released]
    assert f"released by {login()}" in grown("hold", "list", "--all").stdout
    assert "0 holds" in grown("hold", "list").stdout
    said = grown("hold", "release", placed["hold_id"], "--reason", "Again.", code=2).stderr
    assert "does not stand: it was released at" in said


def test_what_is_held_and_what_will_be_is_told(grown: CommandLine, kb: Knowledge) -> None:
    first = grown("hold", "place", "--match", "later/**", "--reason", "x").stdout
    assert "stands on 0 documents" in first and "those that come to match it will be held" in first
    (name,) = re.findall(r"H-\w+", first)
    second = grown("hold", "place", "--match", "later/**", "--reason", "y").stdout
    assert f"The same is held already by {name}: each has to be released." in second
    assert "on 3 documents" in grown("hold", "place", "--source", "docs", "--reason", "x").stdout
    assert "on 3 documents" in grown("hold", "place", "--owner", "USER:anna", "--reason", "x").stdout
    said = grown("hold", "place", "--match", "case/", "--source", "docs", "--reason", "x").stdout
    assert "on 2 documents" in said and "already" not in said
    assert "pattern case/ of docs" in grown("hold", "list").stdout


#: Arguments of a hold that cannot be placed, and what is said of them.
REFUSED: list[tuple[list[str], str]] = [
    (["nope.md"], "No document is at nope.md"),
    ([], "A hold needs a target"),
    (["free.md", "--match", "*"], "A hold has one target"),
    (["--match", "*", "--owner", "user:anna"], "A hold has one target"),
    (["--match", "!*.md"], "cannot be negated: !*.md"),
    (["--match", "#"], "is blank or a comment"),
    (["--match", "a[z-a]"], "is not a pattern"),
    (["--owner", "user:ana"], "did you mean user:anna?"),
    (["--source", "dogs"], "did you mean 'docs'?"),
    (["free.md", "--until", "tomorrow"], "--until is no date: 'tomorrow'"),
    (["free.md", "--until", "9999-12-31"], "--until is too far away"),
    (["free.md", "--until", "2020-01-01"], "--until is over"),
    (["free.md", "--reason", " "], "A hold needs a reason"),
]


def test_a_hold_that_cannot_be_placed_is_refused_and_nothing_is_held(grown: CommandLine) -> None:
    for arguments, said in REFUSED:
        found = grown("hold", "place", "--reason", "x", *arguments, code=2)
        assert said in found.stderr, arguments
        assert grown.json("hold", "list", "--all") == []
        failed = grown("hold", "place", "--reason", "x", *arguments, "--json", code=2)
        assert failed.stdout == "" and json.loads(failed.stderr)["error"]["code"] == "config_error"


def test_a_release_that_names_no_hold_is_refused(grown: CommandLine) -> None:
    assert "There is no hold 'H-0'" in grown("hold", "release", "H-0", "--reason", "x", code=2).stderr
    name = grown.json("hold", "place", "free.md", "--reason", "x")[0]["hold_id"]
    assert "needs a reason" in grown("hold", "release", name, "--reason", "", code=2).stderr
    assert grown.json("hold", "list")[0]["stands"]
    assert "Missing option '--reason'" in grown("hold", "release", name, code=2).stderr


def test_a_held_document_that_vanished_is_shown_as_such_and_goes_with_its_release(
    grown: CommandLine, kb: Knowledge
) -> None:
    assert "Holds:" not in grown("status").stdout
    assert grown.json("status")["holds"] == {"standing": 0, "documents": 0}
    hold = ("hold", "place", "--match", "case/**", "--reason", "Smith v. Jones", "--matter", "12/26")
    name = grown.json(*hold)[0]["hold_id"]
    (kb.docs / "case" / "a.md").unlink()
    grown("sync")
    assert "Holds: 1 standing, on 2 documents; see: freshkb hold list" in grown("status").stdout
    assert grown.json("status")["holds"] == {"standing": 1, "documents": 2}
    rows = {row["uri"]: row for row in grown.json("ls")}
    assert [hold["hold_id"] for hold in rows["case/a.md"]["holds"]] == [name]
    assert rows["free.md"]["holds"] == [] and rows["case/a.md"]["state"] == "held"
    assert [line for line in grown("ls").stdout.splitlines() if name in line and "held" in line]
    shown = grown.json("show", "case/b.md")["holds"]
    assert [(hold["hold_id"], hold["matter"], hold["by"]) for hold in shown] == [(name, "12/26", login())]
    assert f"{name}, matter 12/26: Smith v. Jones" in grown("show", "case/b.md").stdout
    uris = [hit["uri"] for hit in grown.json("search", "leave")]
    assert sorted(uris) == ["case/b.md", "free.md"]
    hits = {hit["uri"]: hit["held"] for hit in grown.json("search", "leave", "--held")}
    assert hits == {"case/a.md": True, "case/b.md": False, "free.md": False}
    said = grown("search", "leave", "--held").stdout
    assert said.count("[held, gone at its source, ") == 1
    released = grown("hold", "release", name, "--reason", "Settled.").stdout
    assert "1 document of it is gone at its source: the next sync removes what is still missing." in released
    assert grown.json("sync")["sources"][0]["deleted"] == 1
    assert sorted(row["uri"] for row in grown.json("ls")) == ["case/b.md", "free.md"]
    assert grown.json("verify")["ok"]


def test_reasons_and_matters_are_in_no_log(grown: CommandLine, kb: Knowledge) -> None:
    name = grown.json("hold", "place", "free.md", "--reason", "Marimba", "--matter", "Quetzal", "--by", "Obs")
    (kb.docs / "free.md").unlink()
    grown("sync")
    grown("hold", "release", name[0]["hold_id"], "--reason", "Tamarind", "--by", "Obs")
    log = kb.ask(lambda m: m.ledger.log.newest(100))
    placed, released = (next(e for e in log if e.action == f"hold-{what}") for what in ("placed", "released"))
    assert placed.subject == released.subject == name[0]["hold_id"]
    assert placed.facts == {"kind": "document"}
    assert not re.search("marimba|quetzal|tamarind|obs", " ".join(map(str, log)), re.IGNORECASE)


def test_the_person_who_approves_removals_is_on_record(grown: CommandLine, kb: Knowledge) -> None:
    for uri in ("case/a.md", "case/b.md", "free.md"):
        (kb.docs / uri).unlink()
    name = grown.json("sync", code=1)["sources"][0]["plan_hash"]
    assert "give --approve HASH, too" in grown("sync", "--by", "anna", code=2).stderr
    grown("sync", "--approve", name, "--by", "Anna S.")
    assert [run["approved_by"] for run in grown.json("runs")] == ["Anna S.", None, None]
    assert "approved by Anna S." in grown("runs").stdout
    assert grown.json("status")["last_run"]["approved_by"] == "Anna S."
    page(kb, "new.md")
    grown("sync")
    (kb.docs / "new.md").unlink()
    name = grown.json("sync", code=1)["sources"][0]["plan_hash"]
    grown("sync", "--approve", name)
    assert grown.json("runs")[0]["approved_by"] == login()


def test_a_review_is_the_login_names_unless_it_says_whose(grown: CommandLine) -> None:
    assert f"1 document reviewed by {login()}." in grown("review", "free.md").stdout
    assert "1 document reviewed by Bo." in grown("review", "free.md", "--by", "Bo").stdout
    assert grown.json("show", "free.md")["reviewed_by"] == "Bo"
