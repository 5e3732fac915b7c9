"""While a tombstone stands, no run brings back what was erased, under whatever name."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.base import Entry, Fetched, Listing
from connectors.files import FilesConnector
from index.errors import LedgerDamaged, Refused
from index.health.doctor import examine
from index.health.status import status
from index.hold import Target, place, release
from index.ledger import LogAction, LogEntry, Tombstone, TombstoneKind
from index.lookup import Lookup, shown
from index.model import LIVE, State
from index.phrase import Phrases, folded
from index.reindex import reindex
from index.run import Run
from index.search.describe import summaries
from index.search.find import find
from index.search.reader import Reader
from index.sync.requests import retry, review
from index.sync.sync import plan_of
from index.verify.compare import verify
from index.verify.mend import mend_ledger
from index.verify.repair import repair
from index.workspace import Workspace, require_collection
from tests import documents as make
from tests.embedders import HashEmbedder
from tests.erasures import carried_out, placed
from tests.knowledge import Knowledge, counts
from tests.laid_out import LaidOut, made_once
from tests.soak import LONG

pytest_plugins = ["tests.postgres"]

SECRET = "# Quokka Zyzzyva\n\nSalary of the quokka: ninety zorkmids.\n"
WORDS = ("quokka", "zyzzyva", "zorkmid")
PHRASE = "Zoë O'Neil"


def page(kb: Knowledge, uri: str, words: str = "") -> None:
    kb.write(uri, f"# Page\n\nThe words of {words or uri}.\n")


def erase(kb: Knowledge, *uris: str, order_id: str = "E-1", phrases: Sequence[str] = ()) -> None:
    """An order on these documents and phrases, carried out."""
    with kb.workspace() as workspace:
        order(workspace, *uris, order_id=order_id, phrases=phrases)
        carried_out(workspace, order_id)


def order(workspace: Workspace, *uris: str, order_id: str = "E-1", phrases: Sequence[str] = ()) -> None:
    ledger = workspace.ledger
    ids = [d.document_id for d in ledger.documents.find(uris=uris)]
    keys, said = ledger.tombstones.keys(), [folded(phrase) for phrase in phrases]
    stones = [Tombstone(keys.phrase(words), TombstoneKind.PHRASE, len(words.split())) for words in said]
    placed(ledger, order_id, ids, workspace.now(), standing=stones)


def lift(kb: Knowledge, order_id: str = "E-1") -> None:
    with kb.workspace() as workspace:
        said = [LogEntry(kb.clock(), LogAction.ERASURE_LIFTED, "", order_id)]
        assert workspace.ledger.erasures.lift(order_id, "bo", "Consent.", kb.clock(), said)


def on_record(kb: Knowledge) -> str:
    """Everything that the ledger has on record, as text."""
    with kb.workspace() as workspace, workspace.ledger.snapshot() as snapshot:
        tables = {table.name: [list(row) for row in table.rows] for table in snapshot.tables()}
    return json.dumps(tables, default=str, ensure_ascii=False).lower()


def absent(kb: Knowledge, *names: str) -> None:
    """None of the words is in the index or on record, none of the paths in a row, and verify agrees."""
    said = json.dumps(list(kb.texts().items()), ensure_ascii=False).lower() + on_record(kb)
    for word in (*WORDS, *names):
        assert word.lower() not in said, word
    agrees(kb)


def agrees(kb: Knowledge) -> None:
    found = kb.ask(lambda m: verify(m, deep=True))
    assert found.ok, found.json()


#: In the short form this one alone has a ledger on a server, too, because the ledgers have one contract.
ON_SERVER = {"test_a_document_whose_file_holds_it_now_goes_and_so_does_its_path"}


def erase_one(kb: Knowledge) -> None:
    page(kb, "a.md")
    page(kb, "b.md")
    kb.write("staff.md", SECRET)
    kb.sync()
    erase(kb, "staff.md")


def suppress(kb: Knowledge) -> None:
    page(kb, "a.md")
    page(kb, "b.md")
    kb.sync()
    erase(kb, phrases=[PHRASE])


one_erased = made_once(erase_one)


one_suppressed = made_once(suppress)


@pytest.fixture(params=["sqlite", "postgresql"])
def erased(
    request: pytest.FixtureRequest, kb: Knowledge, one_erased: LaidOut, examined_here: None, soak: bool
) -> Knowledge:
    """Two documents are left; the third, ``staff.md``, was erased, and its file is still there."""
    if request.param == "postgresql":
        if not soak and request.node.originalname not in ON_SERVER:
            pytest.skip("Only with --soak.")
        kb.settings["ledger"] = request.getfixturevalue("postgresql_url")
        erase_one(kb)
        return kb
    return one_erased.again(kb)


def named(kb: Knowledge) -> set[str]:
    return set(kb.documents())


# ── The same path ─────────────────────────────────────────────────────────────────────────────────────


def test_neither_a_sync_nor_a_hint_nor_a_checksum_brings_it_back(erased: Knowledge) -> None:
    for options in ({}, {"folders": [""]}, {"checksum": True}, {}):
        report = erased.sync(**options)
        assert counts(report) == {"unchanged": 2, "withheld": 1, "embedded": 0}
        assert report.exit_code == 0
    absent(erased, "staff.md")


def test_nor_does_another_version_of_it(erased: Knowledge) -> None:
    erased.write("staff.md", SECRET + "\nMore of the quokka.\n")
    assert counts(erased.sync())["withheld"] == 1
    absent(erased, "staff.md")


def test_a_plan_counts_it_and_names_it_nowhere(erased: Knowledge) -> None:
    plan = erased.ask(lambda m: plan_of(m, "docs"))
    assert (plan.withheld, plan.items, plan.json()["withheld"]) == (1, (), 1)


@pytest.mark.parametrize(
    "act",
    [
        lambda m: repair(m, verify(m, deep=True), Run(m, "verify")),
        lambda m: retry(Run(m, "retry")),
        lambda m: review(Run(m, "review"), ["*.md"], "anna"),
    ],
)
def test_nor_does_any_other_run(erased: Knowledge, act: Callable[[Workspace], object]) -> None:
    erased.ask(act)
    assert named(erased) == {"a.md", "b.md"}
    erased.sync()
    absent(erased, "staff.md")


def test_nor_does_a_new_index(erased: Knowledge) -> None:
    erased.settings["embedding"] = {"dtype": "bfloat16"}
    assert erased.ask(lambda m: reindex(m, Run(m, "reindex"))).exit_code == 0
    erased.sync()
    absent(erased, "staff.md")


def test_it_comes_back_once_the_order_is_lifted(erased: Knowledge) -> None:
    lift(erased)
    assert counts(erased.sync()) == {"added": 1, "unchanged": 2, "embedded": 1}
    assert "zorkmids" in erased.texts()["staff.md"]
    agrees(erased)


# ── The same bytes ────────────────────────────────────────────────────────────────────────────────────


def test_under_another_name_it_is_not_indexed_nor_read_again(erased: Knowledge) -> None:
    (erased.docs / "staff.md").rename(erased.docs / "renamed.md")
    assert counts(erased.sync()) == {"unchanged": 2, "withheld": 1, "embedded": 0}
    absent(erased, "staff.md", "renamed.md")
    assert erased.ask(lambda m: plan_of(m, "docs")).withheld == 1
    erased.write("renamed.md", SECRET + "\nA later edit.\n")
    assert counts(erased.sync()) == {"unchanged": 2, "withheld": 1, "embedded": 0}
    (erased.docs / "renamed.md").rename(erased.docs / "quokka.exe")
    erased.sync()
    assert named(erased) == {"a.md", "b.md", "quokka.exe"}


def test_nor_is_a_copy_in_another_source_or_of_another_type(erased: Knowledge) -> None:
    (erased.home / "others").mkdir()
    erased.settings["sources"].append({"id": "others", "type": "files", "root": "./others"})
    shutil.copy(erased.docs / "staff.md", erased.home / "others" / "copy.md")
    shutil.copy(erased.docs / "staff.md", erased.docs / "copy.txt")
    page(erased, "new.md")
    report = erased.sync()
    assert counts(report) == {"added": 1, "unchanged": 2, "withheld": 2, "embedded": 1}
    assert counts(report, "others") == {"withheld": 1, "embedded": 1}
    absent(erased, "staff.md", "copy.md", "copy.txt")


def test_the_name_of_an_erased_program_stays_out_too(kb: Knowledge) -> None:
    kb.write("quokka.exe", "program")
    page(kb, "a.md")
    kb.sync()
    erase(kb, "quokka.exe")
    assert counts(kb.sync()) == {"unchanged": 1, "withheld": 1, "embedded": 0}
    absent(kb)


def test_a_document_whose_file_holds_it_now_goes_and_so_does_its_path(erased: Knowledge) -> None:
    before = erased.documents()["a.md"].document_id
    (erased.docs / "staff.md").rename(erased.docs / "a.md")
    assert counts(erased.sync()) == {"deleted": 1, "unchanged": 1, "withheld": 1, "embedded": 0}
    assert set(erased.texts()) == named(erased) == {"b.md"}
    absent(erased, "staff.md")
    log = erased.ask(lambda m: m.ledger.log.newest(1))
    assert (log[0].action, log[0].subject) == (LogAction.DELETED, before)
    erased.write("a.md", SECRET + "\nA later edit.\n")
    assert counts(erased.sync()) == {"unchanged": 1, "withheld": 1, "embedded": 0}
    absent(erased, "staff.md")
    lift(erased)
    erased.sync()
    assert named(erased) == {"a.md", "b.md"}


def test_names_that_are_swapped_bring_nothing_back(erased: Knowledge) -> None:
    for old, new in (("staff.md", "x"), ("a.md", "staff.md"), ("x", "a.md")):
        (erased.docs / old).rename(erased.docs / new)
    assert counts(erased.sync()) == {"deleted": 1, "unchanged": 1, "withheld": 2, "embedded": 0}
    erased.sync()
    assert set(erased.texts()) == {"b.md"}
    absent(erased, "staff.md")


def test_a_moved_document_that_is_overwritten_with_it_goes(erased: Knowledge) -> None:
    (erased.docs / "a.md").rename(erased.docs / "c.md")
    (erased.docs / "c.md").write_text(SECRET)
    report = erased.sync()
    assert counts(report) == {"deleted": 1, "unchanged": 1, "withheld": 2, "embedded": 0}
    absent(erased, "staff.md", "c.md")


def test_a_hold_keeps_the_text_that_a_document_had_before(erased: Knowledge) -> None:
    before = erased.texts()["a.md"]
    erased.ask(lambda m: place(m, Target(["a.md"]), "A lawsuit.", until="2026-06-10"))
    (erased.docs / "staff.md").rename(erased.docs / "a.md")
    for _ in range(2):
        erased.sync()
        row = erased.documents()["a.md"]
        assert (row.state, row.reason.partition(";")[0]) == (State.QUARANTINED, "withheld by order E-1")
        assert erased.texts()["a.md"] == before
        absent(erased, "staff.md")
    erased.settings["embedding"] = {"dtype": "bfloat16"}
    erased.ask(lambda m: reindex(m, Run(m, "reindex")))
    assert counts(erased.sync()) == {"unchanged": 2, "quarantined": 1, "embedded": 0}
    assert erased.texts()["a.md"] == before
    erased.clock.forward(days=30)
    assert counts(erased.sync()) == {"deleted": 1, "unchanged": 1, "withheld": 1, "embedded": 0}
    assert set(erased.texts()) == {"b.md"}
    absent(erased, "staff.md")


def test_a_held_document_whose_own_bytes_come_back_is_indexed(erased: Knowledge) -> None:
    text = (erased.docs / "a.md").read_text()
    placed_hold = erased.ask(lambda m: place(m, Target(["a.md"]), "A lawsuit.").hold.hold_id)
    erased.write("a.md", SECRET)
    erased.sync()
    erased.write("a.md", text)
    assert counts(erased.sync())["embedded"] == 0
    assert erased.documents()["a.md"].state is State.INDEXED
    erased.ask(lambda m: release(m, placed_hold, "Settled."))
    assert counts(erased.sync()) == {"unchanged": 2, "withheld": 1, "embedded": 0}


def test_empty_files_are_nobodys(kb: Knowledge) -> None:
    kb.write("empty.md", "")
    page(kb, "a.md")
    kb.sync()
    erase(kb, "empty.md")
    kb.write("other.md", "")
    assert counts(kb.sync()) == {"added": 1, "unchanged": 1, "withheld": 1, "embedded": 0}


# ── A run in flight ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Has something happen once while texts are embedded: after they were read, before they are written."""
    real = HashEmbedder.embed_documents

    def given(act: Callable[[], None]) -> None:
        acts = [act]

        def embed(self: HashEmbedder, texts: Sequence[str], *more: Any) -> np.ndarray:
            if acts:
                acts.pop()()
            return real(self, texts, *more)

        monkeypatch.setattr(HashEmbedder, "embed_documents", embed)

    yield given


def test_an_order_on_a_document_that_is_being_written_counts(
    erased: Knowledge, meanwhile: Callable[[Callable[[], None]], None]
) -> None:
    erased.write("a.md", "# Page\n\nAnother quokka.\n")
    page(erased, "new.md")
    meanwhile(lambda: erased.ask(lambda m: order(m, "a.md", order_id="E-2")))
    report = erased.sync()
    assert counts(report)["withheld"] == 2
    assert not any("quokka" in text for text in erased.texts().values())
    assert named(erased) == {"b.md", "new.md"}
    agrees(erased)
    erased.ask(lambda m: carried_out(m, "E-2"))
    erased.sync()
    assert set(erased.texts()) == {"b.md", "new.md"}
    absent(erased, "staff.md")


def test_so_does_one_on_bytes_of_which_a_copy_is_being_written(
    kb: Knowledge, meanwhile: Callable[[Callable[[], None]], None]
) -> None:
    kb.write("staff.md", SECRET)
    page(kb, "a.md")
    kb.sync()
    shutil.copy(kb.docs / "staff.md", kb.docs / "copy.md")
    page(kb, "new.md")
    meanwhile(lambda: kb.ask(lambda m: order(m, "staff.md")))
    assert counts(kb.sync())["withheld"] == 1
    kb.ask(lambda m: carried_out(m, "E-1"))
    for _ in range(2):
        assert counts(kb.sync()) == {"unchanged": 2, "withheld": 2, "embedded": 0}
        absent(kb, "staff.md", "copy.md")


def test_so_does_a_phrase_that_a_text_in_flight_has(
    kb: Knowledge, meanwhile: Callable[[Callable[[], None]], None], examined_here: None
) -> None:
    page(kb, "a.md")
    kb.sync()
    page(kb, "a.md", PHRASE)
    page(kb, "staff.md", "Zoe O’NEIL")
    page(kb, "zoe/o'neil.md", "other")
    meanwhile(lambda: erase(kb, phrases=[PHRASE]))
    assert counts(kb.sync()) == {"withheld": 3, "embedded": 3}
    assert kb.texts() == {"a.md": "Page\n\nThe words of a.md.\n\n"}
    kb.sync()
    rows = kb.documents()
    assert {uri: row.state for uri, row in rows.items()} == {
        "a.md": State.QUARANTINED,
        "staff.md": State.QUARANTINED,
    }
    assert kb.texts()["a.md"] == "Page\n\nThe words of a.md.\n\n"
    agrees(kb)


def test_so_does_a_phrase_in_a_path_that_was_planned(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch, examined_here: None
) -> None:
    page(kb, "a.md")
    kb.sync()
    page(kb, "Zoë/o'neil.md", "other")
    real, orders = FilesConnector.fetch, [PHRASE]

    def fetch(self: FilesConnector, uri: str, into: Path | None) -> Fetched:
        if orders:
            erase(kb, phrases=[orders.pop()])
        return real(self, uri, into)

    monkeypatch.setattr(FilesConnector, "fetch", fetch)
    kb.sync()
    assert named(kb) == set(kb.texts()) == {"a.md"}
    assert counts(kb.sync()) == {"unchanged": 1, "withheld": 1, "embedded": 0}
    agrees(kb)


# ── Phrases ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def suppressed(kb: Knowledge, one_suppressed: LaidOut, examined_here: None) -> Knowledge:
    """Two documents, and a phrase that none of them has."""
    return one_suppressed.again(kb)


def withheld(kb: Knowledge, uri: str) -> bool:
    """Whether the document is in quarantine by the order, with nothing of the text in its row."""
    row = kb.documents()[uri]
    said = json.dumps([row.title, row.owner, row.owners, dict(row.properties), row.findings], default=str)
    assert not Phrases([PHRASE]).found(said + on_record(kb) + json.dumps(kb.texts()))
    agrees(kb)
    return (row.state, row.reason) == (State.QUARANTINED, "withheld by order E-1")


def office(kb: Knowledge) -> None:
    make.docx(kb.docs / "new.docx", [("Normal", "A letter to Zoë"), ("Normal", "O’Neil in Cork.")])


def property_of_office(kb: Knowledge) -> None:
    make.docx(kb.docs / "new.docx", [("Normal", "A letter.")], title="For Zoë O’Neil")


def portable(kb: Knowledge) -> None:
    make.pdf(kb.docs / "new.pdf", [[(12, "We thank Zoe"), (12, "O'Neil for all.")], [(12, "The end.")]])


def sheet(kb: Knowledge) -> None:
    make.xlsx(kb.docs / "new.xlsx", {"Staff": [["Name", "Wage"], ["ZOE O'NEIL", 5]]})


def front_matter(kb: Knowledge) -> None:
    kb.write("new.md", "---\nowner: Zoë O'Neil\n---\n# Page\n\nText.\n")


def broken_word(kb: Knowledge) -> None:
    kb.write("new.md", "# Page\n\nWe heard that Zoë O'-\nNeil and Zoe O'Ne-\nil came.\n")


@pytest.mark.parametrize(
    "write",
    [
        office,
        property_of_office,
        portable,
        pytest.param(sheet, marks=LONG),
        front_matter,
        broken_word,
    ],
    ids=lambda w: w.__name__,
)
def test_a_new_document_with_it_is_in_quarantine_in_every_format(
    suppressed: Knowledge, write: Callable[[Knowledge], None], soak: bool
) -> None:
    """In the short form, runs that look again do so at one of Office and at one that is text."""
    write(suppressed)
    (uri,) = (path.name for path in suppressed.docs.glob("new.*"))
    report = suppressed.sync()
    assert counts(report) == {"unchanged": 2, "quarantined": 1, "embedded": 0} and report.exit_code == 3
    assert withheld(suppressed, uri)
    if not soak and write not in (office, broken_word):
        return
    before = list(suppressed.parser.parsed)
    os.utime(suppressed.docs / uri)
    for options in ({}, {"checksum": True}):
        assert counts(suppressed.sync(**options)) == {"unchanged": 3, "quarantined": 1, "embedded": 0}
    assert suppressed.parser.parsed == before
    suppressed.ask(lambda m: retry(Run(m, "retry")))
    assert withheld(suppressed, uri)
    suppressed.ask(lambda m: repair(m, verify(m, deep=True), Run(m, "verify")))
    assert withheld(suppressed, uri)


def test_it_comes_back_by_itself_when_the_phrase_is_gone(suppressed: Knowledge) -> None:
    page(suppressed, "new.md", PHRASE)
    suppressed.sync()
    page(suppressed, "new.md", "Somebody")
    assert counts(suppressed.sync()) == {"updated": 1, "unchanged": 2, "embedded": 1}
    assert suppressed.documents()["new.md"].state is State.INDEXED


def test_the_text_from_before_stays_and_is_followed_by_the_next_one(suppressed: Knowledge) -> None:
    page(suppressed, "a.md", PHRASE)
    assert counts(suppressed.sync()) == {"unchanged": 1, "quarantined": 1, "embedded": 0}
    assert withheld(suppressed, "a.md")
    assert suppressed.texts()["a.md"] == "Page\n\nThe words of a.md.\n\n"
    (suppressed.docs / "a.md").rename(suppressed.docs / "moved.md")
    suppressed.sync()
    assert withheld(suppressed, "moved.md")
    assert suppressed.texts()["moved.md"] == "Page\n\nThe words of a.md.\n\n"
    suppressed.settings["embedding"] = {"dtype": "bfloat16"}
    suppressed.ask(lambda m: reindex(m, Run(m, "reindex")))
    assert suppressed.texts()["moved.md"] == "Page\n\nThe words of a.md.\n\n"
    assert withheld(suppressed, "moved.md")
    page(suppressed, "moved.md", "a.md")
    suppressed.sync()
    assert suppressed.documents()["moved.md"].state is State.INDEXED
    agrees(suppressed)


def test_the_next_sync_after_a_lift_looks_again(suppressed: Knowledge) -> None:
    page(suppressed, "new.md", PHRASE)
    page(suppressed, "other.md", "Bo Berg")
    suppressed.sync()
    erase(suppressed, order_id="E-12", phrases=["Bo Berg", PHRASE])
    page(suppressed, "other.md", "another Bo Berg")
    suppressed.sync()
    assert suppressed.documents()["other.md"].reason == "withheld by order E-12"
    lift(suppressed)
    suppressed.sync()
    assert suppressed.documents()["new.md"].reason == "withheld by order E-12"
    lift(suppressed, "E-12")
    assert counts(suppressed.sync())["updated"] == 2
    assert {row.state for row in suppressed.documents().values()} == {State.INDEXED}
    agrees(suppressed)


def test_a_path_with_it_gets_no_row(suppressed: Knowledge) -> None:
    page(suppressed, "Zoë/o'neil.md", "other")
    suppressed.write("zoe-o-neil.exe", "program")
    (suppressed.docs / "a.md").rename(suppressed.docs / "Zoe_O'Neil.md")
    for _ in range(2):
        report = suppressed.sync()
        assert counts(report)["withheld"] == 3
    assert named(suppressed) == set(suppressed.texts()) == {"b.md"}
    said = on_record(suppressed)
    assert not Phrases([PHRASE]).found(said)
    agrees(suppressed)


def test_rules_that_say_it_withhold_and_other_rules_let_go(suppressed: Knowledge) -> None:
    suppressed.source["rules"] = [{"match": "*.md", "owner": PHRASE}]
    page(suppressed, "new.md")
    suppressed.sync()
    assert {row.state for row in suppressed.documents().values()} == {State.QUARANTINED}
    assert set(suppressed.texts()) == {"a.md", "b.md"}
    assert withheld(suppressed, "a.md") and withheld(suppressed, "new.md")
    suppressed.source["rules"] = [{"match": "*.md", "owner": "group:it"}]
    suppressed.sync()
    assert {(row.state, row.owner) for row in suppressed.documents().values()} == {
        (State.INDEXED, "group:it")
    }
    agrees(suppressed)


@pytest.mark.parametrize("touched", [False, True])
def test_properties_of_the_source_count_and_are_let_go(
    suppressed: Knowledge, monkeypatch: pytest.MonkeyPatch, touched: bool
) -> None:
    """Its connector gives each document an owner, which changes while the text does not."""
    owners = {"a.md": PHRASE}

    def said(entry: Entry) -> Entry:
        return entry._replace(properties={"owner": owners.get(entry.uri, "group:it")})

    class Telling(FilesConnector):
        def list(self, folders: Collection[str] | None = None) -> Listing:
            return Listing(map(said, super().list(folders)))

        def stat(self, uri: str) -> Entry | None:
            found = super().stat(uri)
            return None if found is None else said(found)

        def fetch(self, uri: str, into: Path | None) -> Fetched:
            found = super().fetch(uri, into)
            return replace(found, entry=said(found.entry))

    monkeypatch.setattr("index.workspace.connector_type", lambda _: Telling)
    for _ in range(2):
        suppressed.sync()
        assert suppressed.documents()["b.md"].owner == "group:it"
        assert withheld(suppressed, "a.md")
    os.utime(suppressed.docs / "a.md")
    suppressed.sync()
    assert withheld(suppressed, "a.md")
    owners.clear()
    if touched:
        os.utime(suppressed.docs / "a.md")
    suppressed.sync()
    rows = suppressed.documents().values()
    assert {(row.state, row.owner) for row in rows} == {(State.INDEXED, "group:it")}
    agrees(suppressed)


# ── What is said of it ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def ordered(kb: Knowledge, examined_here: None) -> Knowledge:
    """An order is placed on ``staff.md``, and not carried out."""
    page(kb, "a.md")
    kb.write("staff.md", SECRET)
    kb.sync()
    kb.ask(order_on_staff)
    return kb


def order_on_staff(workspace: Workspace) -> None:
    order(workspace, "staff.md")


def test_documents_of_an_open_order_are_shown_nowhere(ordered: Knowledge) -> None:
    with ordered.workspace() as workspace:
        ledger, reader = workspace.ledger, Reader(workspace)
        gone = next(d for d in ledger.documents.find(states=[State.ERASED]))
        assert not list(summaries(reader, state=State.ERASED))
        assert [row.document.uri for row in summaries(reader)] == ["a.md"]
        assert not list(find(reader, Phrases(["quokka"])))
        for name in ("staff.md", gone.document_id):
            for look in (
                lambda name: shown(ledger, name),
                lambda name: Lookup(ledger).named([name]),
                lambda name: place(workspace, Target([name]), "A lawsuit."),
                lambda name: review(Run(workspace, "review"), [name], "anna"),
            ):
                with pytest.raises(Exception, match="No document is at"):
                    look(name)
        assert "staff.md" not in json.dumps(verify(workspace, deep=True).json())


def test_an_open_order_is_no_drift_and_a_repair_leaves_it(ordered: Knowledge) -> None:
    agrees(ordered)
    before = ordered.points()
    ordered.ask(lambda m: repair(m, verify(m, deep=True), Run(m, "verify")))
    assert ordered.points() == before
    found = ordered.ask(status)
    assert found.json()["withheld"] == {"orders": 1, "open": 1, "documents": 0}
    (check,) = (c for c in ordered.ask(examine) if c.name == "orders to erase")
    assert not check.ok and "E-1" in check.detail
    ordered.ask(lambda m: carried_out(m, "E-1"))
    assert ordered.ask(status).json()["withheld"] == {"orders": 1, "open": 0, "documents": 0}
    assert "orders to erase" not in {check.name for check in ordered.ask(examine)}


def test_documents_in_quarantine_by_an_order_are_counted_and_listed(suppressed: Knowledge) -> None:
    page(suppressed, "new.md", PHRASE)
    suppressed.sync()
    assert suppressed.ask(status).json()["withheld"] == {"orders": 1, "open": 0, "documents": 1}
    with suppressed.workspace() as workspace:
        (row,) = summaries(Reader(workspace), state=State.QUARANTINED)
    assert (row.document.uri, row.document.reason) == ("new.md", "withheld by order E-1")


def test_no_debug_log_names_it(erased: Knowledge, caplog: pytest.LogCaptureFixture) -> None:
    (erased.docs / "staff.md").rename(erased.docs / "renamed.md")
    with caplog.at_level(logging.DEBUG, "freshkb"):
        erased.sync()
    assert caplog.text
    for word in (*WORDS, "staff", "renamed"):
        assert word not in caplog.text.lower()


# ── Damage ────────────────────────────────────────────────────────────────────────────────────────────


def test_without_the_key_of_tombstones_nothing_comes_back_in_silence(erased: Knowledge) -> None:
    lose(erased, "DELETE FROM meta WHERE name = 'tombstone key'")
    (erased.docs / "staff.md").rename(erased.docs / "renamed.md")
    with pytest.raises(LedgerDamaged, match="key of its tombstones"):
        erased.sync()
    assert any("key of its tombstones" in check.detail for check in erased.ask(examine))
    assert named(erased) == {"a.md", "b.md"}


def test_a_mended_ledger_keeps_what_was_erased_out(erased: Knowledge) -> None:
    if erased.settings.get("ledger"):
        pytest.skip("a server mends its own files")
    ledger = erased.home / ".freshkb" / "ledger.db"
    lose(erased, "UPDATE documents SET state = 'indexd' WHERE uri = 'a.md'")
    with erased.workspace() as workspace:
        assert "1 orders, 2 tombstones" in mend_ledger(workspace)[0]
        repair(workspace, verify(workspace), Run(workspace, "verify"))
    erased.sync()
    absent(erased, "staff.md")
    # Without the key a person has to say that the tombstones are given up.
    lose(erased, "DELETE FROM meta WHERE name = 'tombstone key'")
    with erased.workspace() as workspace, pytest.raises(Refused, match="not all of its tombstones"):
        mend_ledger(workspace)
    assert ledger.exists()


def lose(kb: Knowledge, statement: str) -> None:
    with kb.workspace() as workspace, workspace.ledger.database.writing() as connection:
        connection.exec_driver_sql(statement)


def test_a_row_that_damage_has_lost_does_not_bring_it_back(ordered: Knowledge) -> None:
    lose(ordered, "DELETE FROM documents WHERE uri = 'staff.md'")
    ordered.write("staff.md", SECRET + "\nA later edit.\n")
    found = ordered.ask(lambda m: verify(m, deep=True))
    assert not found.ok
    ordered.ask(lambda m: repair(m, found, Run(m, "verify")))
    absent_from_index(ordered)


def test_points_of_it_from_an_older_store_go_and_are_not_named(ordered: Knowledge) -> None:
    kept = [p for p in ordered.points().values() if p.payload["metadata"]["uri"] == "staff.md"]
    ordered.ask(lambda m: carried_out(m, "E-1"))
    with ordered.workspace() as workspace:
        with workspace.store.session(require_collection(workspace).name) as session:
            session.upsert(kept)
        found = verify(workspace)
        assert len(found.extra) == 1
        repair(workspace, found, Run(workspace, "verify"))
        assert found.errors == [] and found.repaired == 1
    absent_from_index(ordered)


def absent_from_index(kb: Knowledge) -> None:
    assert set(kb.texts()) == named(kb) == {"a.md"}
    assert {row.state for row in kb.documents().values()} <= LIVE
    agrees(kb)


def test_damage_beside_withheld_bytes_is_mended_without_them(erased: Knowledge) -> None:
    """The store has lost text of a document, and its file holds erased bytes now."""
    erased.write("a.md", SECRET)
    ids = [p.id for p in erased.points().values() if p.payload["metadata"]["uri"] == "a.md"]
    with erased.workspace() as workspace:
        with workspace.store.session(require_collection(workspace).name) as session:
            session.delete(ids)
        repair(workspace, verify(workspace, deep=True), Run(workspace, "verify"))
    assert set(erased.texts()) == named(erased) == {"b.md"}
    absent(erased, "staff.md")
