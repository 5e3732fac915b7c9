"""Silence is not deletion: whatever becomes of a source, no document is removed because of it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Entry, Fetched
from connectors.files import FilesConnector
from index.errors import FreshkbError
from index.model import State
from index.parse import Parser
from index.run import Run
from index.sync.sync import sync
from tests.copies import copy
from tests.knowledge import Knowledge, counts
from tests.promises.image import Image, differences, rebuilt
from tests.promises.outages import (
    ELSEWHERE,
    GONE,
    INCOMPLETE,
    NOTHING_REMOVED,
    NUMBER,
    OUTAGES,
    Outage,
    Place,
    away,
    listing_as,
    word_of,
)
from tests.promises.parts import Call, interpose
from tests.soak import LONG
from tests.traces.oracle import Reader

pytestmark = pytest.mark.usefixtures("examined_here")


WORDS = {word_of(number) for number in range(NUMBER)}
OUTCOMES = {0: "done", 1: "failed", 3: "partial", 4: "refused"}


@pytest.fixture(scope="module")
def reader(parser: Parser, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A parser that remembers: the documents are those of every other test."""
    return Reader(parser, tmp_path_factory.mktemp("reader"))


@pytest.fixture
def at(kb: Knowledge, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> Place:
    kb.parser = reader
    return Place(kb, monkeypatch)


# ── Outages ───────────────────────────────────────────────────────────────────────────────────────────


def _told(outage: Outage) -> str:
    said = "".join(outage.says[:1])
    # Why a source cannot be listed, or not wholly, makes no kind of its own; that its order is wrong does.
    if "is listed after" not in said and {NOTHING_REMOVED, INCOMPLETE} & {*outage.says}:
        return outage.says[1]
    # Nor does it matter how many documents are gone.
    return re.sub(r"^Refusing to delete .*", "the guard", said)


def first_of_a_kind(outages: Sequence[Outage]) -> Collection[str]:
    """Names of the outages for the short form: the first of each kind, by what a sync says and does."""
    kinds = {(o.code, _told(o), o.planned > 0, o.touched > 0): o.name for o in reversed(outages)}
    return kinds.values()


def _some(outages: Sequence[Outage], short: Collection[str]) -> list[Any]:
    """All, of which the short form takes those of these names; the others cost it nothing."""
    return [pytest.param(o, id=o.name, marks=() if o.name in short else LONG) for o in outages]


FIRST = first_of_a_kind(OUTAGES)
#: The report of the engine itself is what the command shows as JSON; status and audit go by how a sync ended.
FIRST_OF_A_CODE = {(o.code, o.touched > 0): o.name for o in reversed(OUTAGES) if o.name in FIRST}.values()


@pytest.mark.parametrize("outage", _some(OUTAGES, FIRST))
def test_nothing_is_deleted_when(outage: Outage, at: Place, soak: bool) -> None:
    with ExitStack() as around:
        if outage.before:
            around.enter_context(outage.before(at))
        at.settle()
        before = at.image()
        with outage.strike(at):
            at.add("new.md")
            the_plan_tells_it(at, outage)
            if whole := soak or outage.name in FIRST_OF_A_CODE:
                the_engine_ends_as_it_has_to(at, outage)
            the_sync_tells_it(at, outage)
            nothing_is_lost(at, before)
            if whole:
                status_and_audit_tell_it(at, outage)
        assert at.freshkb.json("sync")["chunks"]["embedded"] == outage.embedded
        assert differences(at.image(), rebuilt(at.kb)) == []


def the_plan_tells_it(at: Place, outage: Outage) -> None:
    code = outage.code if outage.plan is None else outage.plan
    planned = at.freshkb("plan", "--json", code=code)
    if code in (1, 2, 4):
        assert all(planned.stderr.count(words) == 1 for words in outage.says), planned.stderr
    if code != 2:
        docs, more = sources(json.loads(planned.stdout))
        shown = {
            "complete": outage.complete or code == 0,
            "refused": outage.refused,
            "delete": outage.planned,
        }
        assert docs == docs | shown
        assert (docs["plan_hash"] is None) == (outage.refused + outage.planned == 0)
        assert (docs["error"] is None) == (code != 1)
        assert (more["add"], more["error"]) == (1, None)


def the_engine_ends_as_it_has_to(at: Place, outage: Outage) -> None:
    if outage.code == 2:
        # The configuration is refused before there is an engine.
        return
    try:
        report = at.kb.sync(checksum="--checksum" in outage.options)
    except FreshkbError as error:
        assert (error.exit_code, outage.others) == (outage.code, False)
    else:
        assert report.exit_code == outage.code
        docs, _ = sources(report.json())
        assert docs == docs | {"deleted": 0, "moved": 0, "touched": outage.touched}


def the_sync_tells_it(at: Place, outage: Outage) -> None:
    said = at.freshkb("sync", *outage.options, code=outage.code)
    assert outage.others == (said.stdout != "")
    assert all(said.stderr.count(words) == 1 for words in outage.says), said.stderr
    ran = at.freshkb("sync", *outage.options, "--json", code=outage.code)
    if not outage.others:
        assert ran.stdout == ""
        return
    docs, more = sources(json.loads(ran.stdout))
    assert docs == docs | {
        "complete": outage.complete,
        "deleted": 0,
        "moved": 0,
        "quarantined": outage.quarantined,
        "refused": outage.refused,
    }
    assert (docs["plan_hash"] is None) == (outage.refused + outage.planned == 0)
    assert (docs["error"] is None) == (outage.code != 1)
    assert (more["unchanged"], more["error"]) == (2, None)


def nothing_is_lost(at: Place, before: Image) -> None:
    """Every document has its whole text still, and is found by it; nothing was ever called deleted."""
    assert at.found(WORDS) == WORDS
    now = at.image()
    assert now.wrong == []
    for place, points in before.points.items():
        assert texts(now.points[place]) == texts(points), place
    gone = [State.DELETED, State.ERASED]
    assert at.kb.ask(lambda workspace: list(workspace.ledger.documents.find(states=gone))) == []
    assert "deleted" not in {entry.action for entry in at.kb.ask(lambda m: m.ledger.log.newest(10_000))}


def status_and_audit_tell_it(at: Place, outage: Outage) -> None:
    if outage.code == 2:
        return
    status = at.freshkb.json("status")
    held = next(s["documents"] for s in status["sources"] if s["source"] == "docs")
    assert (held["indexed"], held["quarantined"]) == (NUMBER - outage.quarantined, outage.quarantined)
    if outage.name != "the clock jumps a year back":
        # The last by its time is then one that began before the jump.
        assert status["last_run"]["outcome"] == OUTCOMES[outage.code]
        assert outage.code != 1 or outage.says[0] in status["last_run"]["error"]
    audit = at.freshkb.json("audit", "--fail-on", "never")
    assert sum(result["source"] == "docs" for result in audit["results"]) == NUMBER
    assert sum(f["code"] == "quarantined" for f in audit["findings"]) == outage.quarantined


def sources(report: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    by_name = {source["source"]: source for source in report["sources"]}
    return by_name["docs"], by_name["more"]


def texts(points: Any) -> list[str]:
    return [point.payload["page_content"] for point in points]


@pytest.mark.parametrize("gone", ["the folder", "the root"])
def test_a_hint_about_what_vanished_deletes_no_more_than_a_sync_would(at: Place, gone: str) -> None:
    """Hints come from a watcher, which may see a folder go before it can know that the root went."""
    at.settle()
    before = at.image()
    if gone == "the root":
        with away(at):
            report = at.kb.sync(sources=["docs"], folders=["sub"])
            assert report.exit_code == 1
            assert GONE in str(report.sources[0].error)
            nothing_is_lost(at, before)
    else:
        (at.docs / "sub").rename(at.aside)

        def back(listing: Iterator[Entry]) -> Iterator[Entry]:
            entries = list(listing)
            if at.aside.exists():
                at.aside.rename(at.docs / "sub")
            return iter(entries)

        with listing_as(back):
            report = at.kb.sync(sources=["docs"], folders=["sub"])
        assert (report.exit_code, counts(report)) == (0, {"unchanged": NUMBER, "embedded": 0})
        nothing_is_lost(at, before)
    assert counts(at.kb.sync()) == {"unchanged": NUMBER, "embedded": 0}


# ── Approvals ─────────────────────────────────────────────────────────────────────────────────────────

#: Where documents are merely not listed, they are still there, and no approval removes them.
REALLY_GONE = [outage for outage in OUTAGES if outage.refused and "called complete" not in outage.name]

#: Removals that a guard of 20 % and 10 documents refuses of NUMBER.
MANY = 12


def refused(at: Place, number: int = MANY) -> tuple[str, list[Path]]:
    """So many files are gone. The name of the plan that removes them, and the files."""
    at.aside.mkdir(exist_ok=True)
    gone = at.files()[-number:]
    for path in gone:
        path.rename(at.aside / path.name)
    docs, _ = sources(at.freshkb.json("plan", code=4))
    assert docs["refused"] == number
    return docs["plan_hash"], gone


def bring_back(at: Place, *paths: Path) -> None:
    for path in paths:
        (at.aside / path.name).rename(path)


def uris(at: Place, paths: list[Path]) -> set[str]:
    return {path.relative_to(at.docs).as_posix() for path in paths}


def only_these_are_gone(at: Place, before: Image, gone: set[str]) -> None:
    now = at.image()
    assert now.wrong == []
    left = {place for place in before.documents if place[0] != "docs" or place[1] not in gone}
    assert left == {place for place in now.documents if place in before.documents}
    assert left <= now.points.keys()
    log = at.kb.ask(lambda workspace: workspace.ledger.log.newest(10_000))
    assert sum(entry.action == "deleted" for entry in log) == len(gone)


def still_refused(at: Place, approval: str, *words: str, code: int = 4) -> None:
    """The approval is turned down with these words, before anything is done."""
    before = at.image()
    at.add("later.md")
    said = at.freshkb("sync", "--approve", approval, "--json", code=code)
    assert said.stdout == ""
    assert all(word in said.stderr for word in words), said.stderr
    assert differences(at.image(), before) == []
    (at.kb.home / "more" / "later.md").unlink()


def test_an_approval_removes_exactly_what_it_names_while_the_rest_goes_on(at: Place) -> None:
    at.settle()
    before = at.image()
    approval, gone = refused(at)
    at.kb.write("new.md", "# New\n\nAdded meanwhile.")
    at.kb.write(at.files()[0].name, "# New\n\nAnother one.")
    assert sources(at.freshkb.json("plan", code=4))[0]["plan_hash"] == approval
    at.freshkb("sync", code=4)
    ran = at.freshkb.json("sync", "--approve", approval)
    assert sources(ran)[0]["deleted"] == MANY
    only_these_are_gone(at, before, uris(at, gone))
    assert differences(at.image(), rebuilt(at.kb)) == []


FIRST_GONE = first_of_a_kind(REALLY_GONE)


@pytest.mark.parametrize("outage", _some(REALLY_GONE, FIRST_GONE))
def test_what_is_refused_can_be_approved_when(outage: Outage, at: Place) -> None:
    with ExitStack() as around:
        if outage.before:
            around.enter_context(outage.before(at))
        at.settle()
        before = at.image()
        with outage.strike(at):
            docs, _ = sources(at.freshkb.json("plan", code=outage.code))
            approval = docs["plan_hash"]
            named = {item["uri"] for item in docs["items"] if item["action"] == "refused"}
            at.freshkb("sync", "--source", "more", "--approve", approval, code=4)
            ran = at.freshkb.json("sync", "--source", "docs", "--approve", approval)
            assert ran["sources"][0]["deleted"] == len(named) == outage.refused
            only_these_are_gone(at, before, named)
            at.freshkb("sync")


@pytest.mark.parametrize(
    "moved", [pytest.param("one more is gone", marks=LONG), "one has come back", "all have come back"]
)
def test_an_approval_is_refused_when_the_source_has_moved_on_and(at: Place, moved: str) -> None:
    at.settle()
    approval, gone = refused(at)
    if moved == "one more is gone":
        at.files()[-1].unlink()
    else:
        bring_back(at, *(gone[:1] if moved == "one has come back" else gone))
    now = "No removal is planned now." if moved == "all have come back" else "Removals planned now: docs: "
    still_refused(at, approval, "what would be removed is no longer the same", "Nothing was done", now)
    assert at.found(WORDS) == WORDS


def test_an_approval_is_refused_when_one_more_goes_in_the_last_moment(at: Place) -> None:
    """Between the look that checks the approval and the one that makes the plan."""
    at.settle()
    approval, gone = refused(at)
    looks = 0

    def last_moment(listing: Iterator[Entry]) -> Iterator[Entry]:
        nonlocal looks
        looks += 1
        return iter(list(listing)[: 1 if looks > 1 else None])

    with listing_as(last_moment):
        ran = at.freshkb.json("sync", "--approve", approval, code=4)
    assert sources(ran)[0]["refused"] > len(gone)
    assert at.found(WORDS) == WORDS


def test_the_name_of_another_sources_plan_approves_nothing(at: Place) -> None:
    at.settle()
    approval, _ = refused(at)
    still_refused(at, "0123456789abcdef", "No plan has the hash '0123456789abcdef'")
    said = at.freshkb("sync", "--source", "more", "--approve", approval, code=4)
    assert "No removal is planned now." in said.stderr
    assert at.found(WORDS) == WORDS


def test_an_approval_is_good_once_although_the_same_files_come_and_go(at: Place) -> None:
    at.settle()
    before = at.image()
    approval, gone = refused(at)
    at.freshkb("sync", "--approve", approval)
    still_refused(at, approval, "It was carried out before.", "No removal is planned now.")
    bring_back(at, *gone)
    assert sources(at.freshkb.json("sync"))[0]["added"] == MANY
    again, _ = refused(at)
    assert again != approval
    still_refused(at, approval, "It was carried out before.", f"Removals planned now: docs: {again}")
    assert at.found(WORDS) == WORDS
    assert sources(at.freshkb.json("sync", "--approve", again))[0]["deleted"] == MANY
    assert len(at.image().documents) == len(before.documents) - MANY


def test_an_approval_outlives_a_crash_that_kept_it_from_being_carried_out(at: Place) -> None:
    at.settle()
    before = at.image()
    approval, gone = refused(at)

    class Crash(BaseException):
        pass

    def crash(call: Call) -> Any:
        if str(call) == "ledger.writes.intend":
            raise Crash
        return call.whole()

    with at.kb.workspace() as workspace:
        interpose(workspace, crash)
        with pytest.raises(Crash):
            sync(Run(workspace, "sync"), approve=approval)
    assert at.found(WORDS) == WORDS
    at.freshkb("sync", "--approve", approval)
    only_these_are_gone(at, before, uris(at, gone))


def test_an_approval_waits_for_a_source_that_cannot_be_listed(at: Place) -> None:
    at.settle()
    approval, gone = refused(at)
    with away(at):
        still_refused(at, approval, GONE, "cannot be told", code=1)
        assert at.found(WORDS) == WORDS
    with listing_as(lambda listing: listing, "Page 2 did not come: 503."):
        still_refused(at, approval, "Page 2 did not come: 503.", "cannot be told", code=1)
    assert sources(at.freshkb.json("sync", "--approve", approval))[0]["deleted"] == len(gone)


# ── The root, after it was listed ─────────────────────────────────────────────────────────────────────


def test_a_root_that_is_replaced_while_documents_are_read_is_no_success(
    at: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documents to be read are not there then, as if each had vanished by itself."""
    at.settle()
    before = at.image()
    really = FilesConnector.fetch
    with ExitStack() as outage:

        def fetch(self: FilesConnector, uri: str, into: Path | None) -> Fetched:
            if into is not None and not at.elsewhere.exists():
                outage.enter_context(away(at))
                at.docs.mkdir()
            return really(self, uri, into)

        monkeypatch.setattr(FilesConnector, "fetch", fetch)
        for path in at.files():
            path.write_text(path.read_text().replace("also", "still"))
        said = at.freshkb("sync", code=1)
        assert "Source 'docs' was replaced while it was read." in said.stderr
        nothing_is_lost(at, before)
        assert ELSEWHERE in at.freshkb("sync", code=1).stderr
        monkeypatch.setattr(FilesConnector, "fetch", really)
    assert sources(at.freshkb.json("sync"))[0]["updated"] == NUMBER
    assert differences(at.image(), rebuilt(at.kb)) == []


# ── Ledger and store of two times ─────────────────────────────────────────────────────────────────────


def changed_since(at: Place) -> None:
    """The work of a day, after a backup was taken: an edit, a rename, a new document."""
    at.settle()
    copy(at.state, at.aside)
    edited, renamed, *_ = at.files()
    edited.write_text(edited.read_text().replace("also here", "here, too"))
    renamed.rename(renamed.with_name("renamed.md"))
    at.kb.write("new.md", "# New\n\nAdded meanwhile.")
    assert at.freshkb.json("sync")["chunks"]["embedded"] == 2


def restore(at: Place, *names: str) -> None:
    for name in names:
        for path in at.state.glob(name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in at.aside.glob(name):
            path.rename(at.state / path.name)


def test_an_older_ledger_beside_a_newer_store_deletes_nothing_and_catches_up(at: Place) -> None:
    """Points that the ledger has forgotten lie in the store, where no search finds them until a repair."""
    changed_since(at)
    restore(at, "ledger.db*")
    ran = at.freshkb.json("sync")
    assert sources(ran)[0] == sources(ran)[0] | {"added": 1, "updated": 1, "moved": 1, "deleted": 0}
    assert ran["chunks"]["embedded"] == 2
    assert at.found(WORDS) == WORDS
    assert at.freshkb.json("verify", code=1)["missing"] == []
    at.freshkb("verify", "--repair")
    assert differences(at.image(), rebuilt(at.kb)) == []


def test_an_older_store_beside_a_newer_ledger_is_told_by_the_next_sync_that_writes(at: Place) -> None:
    changed_since(at)
    restore(at, "index")
    at.add("another.md")
    said = at.freshkb("sync", code=1)
    assert "is it an older copy? Mend it with: freshkb verify --repair" in said.stderr
    assert at.freshkb("status").stdout.count("is it an older copy?") == 1
    assert len(at.freshkb.json("verify", code=1)["missing"]) == 2
    at.freshkb("verify", "--repair")
    assert at.found(WORDS) == WORDS
    at.freshkb("sync")
    assert differences(at.image(), rebuilt(at.kb)) == []


def test_a_lost_state_folder_is_made_anew_from_the_sources(at: Place) -> None:
    at.settle()
    shutil.rmtree(at.state)
    ran = at.freshkb.json("sync")
    assert sources(ran)[0]["added"] == NUMBER
    assert at.found(WORDS) == WORDS
    assert differences(at.image(), rebuilt(at.kb)) == []
