"""`freshkb erase` as people and programs call it, and the flow `erase`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from index.actor import login
from index.erase import remove
from index.model import State
from tests.commands import CommandLine
from tests.holds import order as hold
from tests.knowledge import Knowledge

TEXT = "---\nowner: user:zoe\n---\n# Zoe O'Neil\n\nThe kookaburra of Zoe O'Neil laughed at noon.\n"


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(kb, monkeypatch)


@pytest.fixture
def grown(freshkb: CommandLine, kb: Knowledge) -> CommandLine:
    kb.write("staff/zoe.md", TEXT)
    kb.write("copy.md", TEXT)
    kb.write("stays.md", "# Stays\n\nA marimba.\n")
    freshkb("sync")
    return freshkb


def test_a_dry_run_shows_what_goes_and_what_is_not_touched(grown: CommandLine, kb: Knowledge) -> None:
    dry = grown.json("erase", "staff/zoe.md", "--dry-run")
    assert (dry["documents"], dry["chunks"], dry["copies"], dry["holds"]) == (2, 2, 1, [])
    assert {item["uri"] for item in dry["items"]} == {"staff/zoe.md", "copy.md"}
    assert any("sources" in sentence for sentence in dry["not_covered"])
    said = grown("erase", "staff/zoe.md", "--dry-run").stdout
    assert "To be erased: 2 documents, 1 of them copies of the same bytes, 2 chunks." in said
    assert "docs:staff/zoe.md" in said and "Not touched:" in said and "Nothing was done." in said
    assert kb.ask(lambda workspace: workspace.ledger.erasures.all()) == []
    assert len(kb.documents()) == 3


def test_it_erases_and_prints_what_the_contract_names(
    grown: CommandLine, kb: Knowledge, tmp_path: Path
) -> None:
    reveal = tmp_path / "reveal.json"
    words = ("--reason", "Art. 17", "--by", "Anna S.", "--yes", "--reveal", str(reveal))
    done = grown.json("erase", "staff/zoe.md", *words)
    assert re.fullmatch(r"E-[0-9A-Z]{7}", done["order_id"])
    assert (done["state"], done["documents"], done["chunks"]) == ("done", 2, 2)
    assert {"place", "claim", "evidence"} == set(done["places"][0]) and done["not_covered"]
    assert Path(done["receipt"]).exists() and json.loads(reveal.read_text())["reason"] == "Art. 17"
    assert grown.json("search", "kookaburra") == [] or all(
        hit["uri"] == "stays.md" for hit in grown.json("search", "kookaburra")
    )
    assert grown.json("find", "--exact", "kookaburra") == []
    (listed,) = grown.json("receipts", "list")
    assert listed["order_id"] == done["order_id"]
    assert grown.json("receipts", "verify", done["receipt"], "--reveal", str(reveal))["ok"] is True
    assert grown.json("runs")[0]["kind"] == "erase"
    assert grown.json("log", "verify")["ok"] is True
    # The next sync leaves it out.
    grown("sync")
    assert kb.documents().keys() == {"stays.md"}


def test_it_asks_first(grown: CommandLine, kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    said = grown("erase", "staff/zoe.md", "--reason", "x", code=2).stderr
    assert "--yes" in said and "docs:staff/zoe.md" in said
    assert len(kb.documents()) == 3
    monkeypatch.setattr("flows.cli.erase._can_be_asked", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    grown("erase", "staff/zoe.md", "--reason", "x", code=1)
    assert len(kb.documents()) == 3
    monkeypatch.setattr("typer.confirm", lambda *_, **__: True)
    assert "is carried out: 2 documents" in grown("erase", "staff/zoe.md", "--reason", "x").stdout
    assert len(kb.documents()) == 1


#: Words of a wrong call, and what is said of it.
WRONG: list[tuple[tuple[str, ...], str]] = [
    (("staff/zoe.md", "--yes"), "--reason"),
    (("nothing.md", "--reason", "x", "--yes"), "nothing.md"),
    (("--match", "nothing/**", "--reason", "x", "--yes"), "No document matches"),
    (("staff/zoe.md", "--owner", "user:zoe", "--reason", "x", "--yes"), "one target"),
    (("--containing", "Zoe O'Neil", "--reason", "x", "--yes"), "--containing -"),
    (("staff/zoe.md", "--lift", "E-1"), "no other target"),
    (("--lift", "E-1", "--reason", "x"), "There is no order"),
    (("--replay", "--owner", "x"), "no other target"),
    (("staff/zoe.md", "--reason", "x", "--yes", "--reveal", "docs/reveal.json"), "docs/reveal.json"),
]


def test_a_wrong_call_erases_nothing(grown: CommandLine, kb: Knowledge) -> None:
    for words, said in WRONG:
        assert said in " ".join(grown("erase", *words, code=2).stderr.split()), words
        assert len(kb.documents()) == 3
        assert kb.ask(lambda workspace: workspace.ledger.erasures.all()) == []


def test_a_held_document_is_not_erased(grown: CommandLine, kb: Knowledge) -> None:
    (placed,) = grown.json("hold", "place", "copy.md", "--reason", "lawsuit")
    assert placed["hold_id"] in grown("erase", "staff/zoe.md", "--dry-run").stdout
    said = grown("erase", "staff/zoe.md", "--reason", "x", "--yes", code=4).stderr
    assert placed["hold_id"] in said and "Nothing was erased" in said
    refused = grown.json("log", "show")[0]
    assert refused["action"] == "erasure-refused" and refused["facts"] == {"hold": placed["hold_id"]}


def test_a_phrase_comes_from_standard_input_alone(grown: CommandLine, kb: Knowledge) -> None:
    words = ("erase", "--containing", "-", "--reason", "x", "--yes")
    assert "no phrase" in grown(*words, code=2, given="\n").stderr
    done = grown.json(*words, given="zoe o’neil\n\nnobody at all\n")
    assert (done["state"], done["documents"]) == ("done", 2)
    assert kb.documents().keys() == {"stays.md"}
    again = grown.json(*words, given="zoe o’neil\n")
    assert (again["state"], again["documents"]) == ("done", 0)


def test_an_order_that_waits_is_told_and_carried_out_by_the_next_command(
    grown: CommandLine, kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remove, "PATIENCE_SECONDS", 0.0)
    with kb.workspace() as other, other.ledger.writer("docs", "freshkb sync"):
        pending = grown.json("erase", "staff/zoe.md", "--reason", "x", "--yes", code=4)
        assert (pending["state"], pending["receipt"]) == ("pending", None)
        assert "not carried out yet" in grown("status").stdout
        assert grown.json("status")["withheld"]["open"] == 1
        (check,) = [c for c in grown.json("doctor", code=None)["checks"] if "orders" in c["name"]]
        assert not check["ok"] and pending["order_id"] in check["detail"]
        grown("erase", code=4)
    (done,) = grown.json("erase")
    assert (done["order_id"], done["state"]) == (pending["order_id"], "done")
    assert grown.json("erase") == []
    assert "No order is open" in grown("erase").stdout
    assert grown.json("status")["withheld"]["open"] == 0


def test_several_open_orders_are_carried_out_by_one_run(
    grown: CommandLine, kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remove, "PATIENCE_SECONDS", 0.0)
    with kb.workspace() as other, other.ledger.writer("docs", "freshkb sync"):
        for uri in ("staff/zoe.md", "stays.md"):
            grown("erase", uri, "--reason", "x", "--yes", code=4)
    assert [done["state"] for done in grown.json("erase")] == ["done", "done"]
    newest = grown.json("runs")[0]
    assert (newest["kind"], newest["outcome"]) == ("erase", "done")


def test_sync_carries_out_what_is_open(
    grown: CommandLine, kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remove, "PATIENCE_SECONDS", 0.0)
    with kb.workspace() as other, other.ledger.writer("docs", "freshkb sync"):
        grown("erase", "staff/zoe.md", "--reason", "x", "--yes", code=4)
    grown("sync")
    assert grown.json("status")["withheld"]["open"] == 0
    assert grown.json("receipts", "list")[0]["state"] == "done"


def test_an_order_is_lifted_by_a_person_with_a_reason(grown: CommandLine, kb: Knowledge) -> None:
    done = grown.json("erase", "staff/zoe.md", "--reason", "x", "--yes")
    lifted = grown.json("erase", "--lift", done["order_id"], "--reason", "Consent.")
    assert lifted == {"order_id": done["order_id"], "state": "lifted", "by": login()}
    grown("sync")
    assert kb.documents().keys() == {"stays.md", "staff/zoe.md", "copy.md"}
    assert [e["action"] for e in grown.json("log", "show") if "lifted" in e["action"]] == ["erasure-lifted"]


def test_a_document_is_named_by_its_id(grown: CommandLine, kb: Knowledge) -> None:
    document = kb.documents()["stays.md"]
    done = grown.json("erase", "--document", document.document_id, "--reason", "x", "--yes")
    assert (done["documents"], done["state"]) == (1, "done")


def test_another_hold_is_no_obstacle(grown: CommandLine, kb: Knowledge) -> None:
    held = kb.documents()["stays.md"]
    kb.ask(lambda w: w.ledger.holds.place(hold("H-1", kb.clock()), [held.document_id], []))
    assert grown.json("erase", "copy.md", "--reason", "x", "--yes")["state"] == "done"
    assert held.state is State.INDEXED
