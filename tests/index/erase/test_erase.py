"""Orders to erase, from the first word to the receipt, on a small knowledge base."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index.audit.audit import audit_of
from index.audit.report import write as write_report
from index.erase import TRACES, prove, remove
from index.erase import receipt as receipts
from index.erase import reveal as reveals
from index.erase import traces as tracing
from index.erase.carry_out import ErasureReport, carry_out, finish_open
from index.erase.place import lift, place
from index.erase.target import Target, preview
from index.errors import ConfigError, Refused, StoreDamaged
from index.ledger import LogAction, Order, OrderState, subject
from index.model import Point, State
from index.outcome import RunReport
from index.run import Run
from index.search.knowledge_base import KnowledgeBase
from index.store.base import Hit
from index.sync.requests import review
from index.sync.sync import sync
from index.upkeep import upkeep
from index.verify.compare import verify
from tests.copies import written
from tests.holds import order as hold
from tests.knowledge import Knowledge
from tests.laid_out import LaidOut, made_once
from tests.soak import LONG

SECRETS = ["Quetzalcoatl", "quetzalcoatl", "kookaburra", "tamarind/zeppelin.md", "Obsidian"]
TEXT = "# Quetzalcoatl of Obsidian\n\nThe kookaburra laughed at noon, beside the tamarind/zeppelin.md tree.\n"


def grow(kb: Knowledge) -> None:
    kb.write("tamarind/zeppelin.md", TEXT)
    for number in range(5):
        kb.write(f"stays/{number}.md", f"# Page {number}\n\nThe marimba number {number} stays.\n")
    kb.sync()
    kb.clock.forward(hours=1)


laid_out = made_once(grow)


@pytest.fixture
def grown(kb: Knowledge, laid_out: LaidOut) -> Knowledge:
    return laid_out.again(kb)


def files_with(kb: Knowledge, words: list[str]) -> set[str]:
    """The files of the state folder that hold one of these words, read byte by byte."""
    state = kb.home / ".freshkb"
    found = set()
    for path in state.rglob("*"):
        if path.is_file():
            content = b"\0".join((str(path).encode(), *written(path)))
            if any(word.encode() in content for word in words):
                found.add(str(path.relative_to(state)))
    return found


def ordered(kb: Knowledge, target: Target, **given: Any) -> Order:
    return kb.ask(lambda workspace: place(workspace, target, "An order.", by="dpo", **given))


def erased(kb: Knowledge, *names: str, **given: Any) -> ErasureReport:
    order = ordered(kb, Target(names), **given)
    return attempt(kb, order)


def attempt(kb: Knowledge, order: Order) -> ErasureReport:
    return kb.ask(lambda workspace: carry_out(Run(workspace, "erase"), order.order_id))


def hits(kb: Knowledge, query: str) -> list[str]:
    return kb.ask(lambda workspace: [hit.uri for hit in KnowledgeBase(workspace).search(query)])


def test_nothing_of_it_is_left(grown: Knowledge) -> None:
    kb = grown
    assert files_with(kb, ["kookaburra"]) and files_with(kb, ["tamarind/zeppelin.md"])
    report = erased(kb, "tamarind/zeppelin.md")
    assert (report.outcome, report.exit_code, report.error) == ("done", 0, "")
    assert (report.order.documents, report.order.chunks) == (1, 1)
    assert files_with(kb, SECRETS) == set()
    assert "tamarind/zeppelin.md" not in hits(kb, "kookaburra at noon")
    assert kb.documents().keys() == {f"stays/{n}.md" for n in range(5)}
    assert kb.ask(lambda workspace: workspace.ledger.documents.find(states=list(State))) is not None
    claims = {p.place: p.claim for p in report.places}
    assert claims.keys() >= {"store", "ledger", "reports", "scratch", "log"}
    assert set(claims.values()) == {"purged"}
    assert all(hits(kb, f"marimba number {n}") for n in range(5))


def test_the_evidence_names_the_control(grown: Knowledge) -> None:
    store, ledger, *_ = erased(grown, "tamarind/zeppelin.md").places
    assert "of 1 texts, 1 vectors, 2 ids: before, 1, 1, 2 of them were found" in store.evidence
    assert "of 2 paths and titles: before, 2 of them were found" in ledger.evidence


def test_the_receipt_is_on_record_and_in_a_file(grown: Knowledge, tmp_path: Path) -> None:
    reveal = tmp_path / "reveal.json"
    report = erased(grown, "tamarind/zeppelin.md", reveal=reveal)
    assert report.receipt == grown.home / ".freshkb" / "receipts" / f"{report.order.order_id}.json"
    opened = receipts.opened(report.receipt.read_text())
    assert (opened.order_id, opened.documents, opened.chunks) == (report.order.order_id, 1, 1)
    assert report.order.state is OrderState.DONE and report.order.receipt == report.receipt.read_text()
    shown = reveals.read(reveal)
    assert shown.reason == "An order."
    digests = [subject(shown.salt, "docs", "tamarind/zeppelin.md")]
    assert list(report.order.subjects) == digests
    log = grown.ask(lambda workspace: workspace.ledger.log.newest(50))
    assert [entry.action for entry in reversed(log) if entry.action.startswith("eras")] == [
        LogAction.ERASURE_ORDERED,
        LogAction.ERASED,
        LogAction.ERASURE_DONE,
    ]
    assert grown.ask(lambda workspace: workspace.ledger.log.check().ok)


def test_json_is_that_of_the_contract(grown: Knowledge) -> None:
    said = erased(grown, "tamarind/zeppelin.md").json()
    assert list(said)[:7] == [
        "order_id",
        "state",
        "documents",
        "chunks",
        "places",
        "not_covered",
        "receipt",
    ]
    assert said["state"] == "done" and set(said["places"][0]) == {"place", "claim", "evidence"}


def test_copies_of_the_same_bytes_go_with_it(grown: Knowledge) -> None:
    kb = grown
    kb.write("copy.md", TEXT)
    kb.sync()
    shown = kb.ask(lambda workspace: preview(workspace, Target(("copy.md",))))
    assert ([d.uri for d in shown.documents], [d.uri for d in shown.copies]) == (
        ["copy.md"],
        ["tamarind/zeppelin.md"],
    )
    assert (len(list(shown.items())), shown.chunks) == (2, 2)
    assert erased(kb, "copy.md").order.documents == 2
    assert files_with(kb, [*SECRETS, "copy.md"]) == set()


def test_a_text_that_another_document_has_too_stays_there(grown: Knowledge) -> None:
    """A passage of both, under the same title: its vector is one, and its point is another."""
    kb = grown
    kb.write("a.md", "# Same\n\nThe wombat is in both of them, word for word.\n\n# A\n\nAlpha only here.\n")
    kb.write("b.md", "# Same\n\nThe wombat is in both of them, word for word.\n\n# B\n\nBeta only here.\n")
    kb.sync()
    report = erased(kb, "a.md")
    assert report.done, report.error
    assert hits(kb, "the wombat in both")[0] == "b.md"
    assert not files_with(kb, ["Alpha only"]) and files_with(kb, ["Beta only"])


def test_the_row_of_a_deleted_document_goes_too(grown: Knowledge) -> None:
    kb = grown
    (kb.docs / "tamarind/zeppelin.md").unlink()
    kb.sync()
    assert files_with(kb, ["tamarind/zeppelin.md"])
    report = erased(kb, "tamarind/zeppelin.md")
    assert report.done and report.order.chunks == 0
    assert files_with(kb, SECRETS) == set()


def test_orders_on_the_former_and_the_present_document_of_a_path_do_not_meet(grown: Knowledge) -> None:
    """The rows that the second one needs to find its points are not the first one's to reduce."""
    kb = grown
    (kb.docs / "tamarind/zeppelin.md").unlink()
    kb.sync()
    kb.write("tamarind/zeppelin.md", "# Pangolins\n\nThe quagga sleeps here.\n")
    kb.sync()
    (former,) = kb.ask(lambda w: list(w.ledger.documents.find(states=[State.DELETED])))
    first = ordered(kb, Target([former.document_id]))
    second = ordered(kb, Target([kb.documents()["tamarind/zeppelin.md"].document_id]))
    assert attempt(kb, first).done and files_with(kb, ["quagga"])
    report = attempt(kb, second)
    assert report.done and "of 1 texts" in report.places[0].evidence
    assert files_with(kb, [*SECRETS, "Pangolins", "quagga"]) == set()


def test_points_go_although_the_rows_of_their_document_are_lost(grown: Knowledge) -> None:
    kb = grown
    order = ordered(kb, Target(("tamarind/zeppelin.md",)))
    with kb.workspace() as workspace, workspace.ledger.database.writing() as connection:
        (lost,) = workspace.ledger.erasures.documents(order.order_id)
        for table in ("documents", "chunks"):
            connection.exec_driver_sql(f"DELETE FROM {table} WHERE document_id = '{lost}'")
    assert any("kookaburra" in point.payload["page_content"] for point in kb.points().values())
    report = attempt(kb, order)
    assert report.done and "its traces were lost" in report.places[0].evidence
    assert len(kb.points()) == 5 and not files_with(kb, ["kookaburra"])


def test_what_connectors_keep_is_forgotten_whole(grown: Knowledge) -> None:
    kept = grown.home / ".freshkb" / "cache" / "docs"
    (kept / "bytes").mkdir(parents=True)
    (kept / "bytes" / "page").write_text("Zeppelin")
    (kept / "validators").write_text("tamarind/zeppelin.md")
    (grown.docs / "tamarind/zeppelin.md").unlink()
    report = erased(grown, "tamarind/zeppelin.md")
    assert report.done and not kept.exists()
    (place,) = [place for place in report.places if place.place == "source_caches"]
    assert (place.claim, "docs was removed" in place.evidence) == ("purged", True)


def test_reviews_runs_and_reports_forget_it(grown: Knowledge) -> None:
    kb = grown
    with kb.workspace() as workspace:
        review(Run(workspace, "review"), ["tamarind/zeppelin.md"], "anna", "Obsidian is right")
        write_report(audit_of(workspace), workspace.config.reports)
    assert "reports/report.html" in files_with(kb, SECRETS)
    (kb.docs / "tamarind/zeppelin.md").write_text("\0")
    report = erased(kb, "tamarind/zeppelin.md")
    assert report.done and files_with(kb, SECRETS) == set()
    assert "7 files of reports were removed" in report.places[2].evidence


def test_runs_forget_what_names_it_in_part(grown: Knowledge) -> None:
    """As the folder that it was alone in; else the proof would take the record for something that stays."""
    said = "'tamarind/zeppelin' could not be listed."
    with grown.workspace() as workspace:
        run = workspace.ledger.runs.start("sync", grown.clock())
        workspace.ledger.runs.finish(run.run_id, grown.clock(), "failed", {}, said)
    assert erased(grown, "tamarind/zeppelin.md").done
    assert files_with(grown, ["tamarind"]) == set()


@pytest.mark.parametrize("uri", ["R&D/d'Or.md", "0.md", "00000000000000017.md"])
def test_reports_forget_a_name_that_they_escape_or_others_have(grown: Knowledge, uri: str) -> None:
    """No piece of it can be looked for in files: it stands in other names, or tells nothing."""
    kb = grown
    kb.write(uri, "The kookaburra was here.\n")
    kb.sync()
    kb.clock.forward(days=400)
    with kb.workspace() as workspace:
        write_report(audit_of(workspace), workspace.config.reports)
    report = erased(kb, f"docs:{uri}")
    assert report.done and report.places[2].place == "reports", report.error
    assert not list((kb.home / ".freshkb" / "reports").rglob("*.*"))


@pytest.mark.parametrize(
    "target",
    [
        Target(pattern="tamarind/**"),
        Target(owner="user:Zoe"),
        Target(("docs:tamarind/zeppelin.md",)),
        Target(phrases=["KOOKABURRA  laughed"]),
        Target(phrases=["no such words", "obsidian"]),
    ],
)
def test_documents_are_named_in_every_way(kb: Knowledge, target: Target) -> None:
    kb.write("tamarind/zeppelin.md", f"---\nowner: user:zoe\n---\n{TEXT}")
    kb.write("stays.md", "# Stays\n\nThe marimba.\n")
    kb.sync()
    report = attempt(kb, ordered(kb, target))
    assert report.done and report.order.documents == 1, report.error
    assert files_with(kb, SECRETS) == set() and hits(kb, "marimba")


WRONG: list[tuple[Target, str]] = [
    (Target(), "one target"),
    (Target(("a",), pattern="b"), "one target"),
    (Target(("nothing.md",)), "nothing.md"),
    (Target(pattern="nothing/**"), "No document matches"),
    (Target(pattern="!tamarind/**"), "negated"),
    (Target(owner="user:nobody"), "user:nobody"),
    (Target(phrases=["..."]), "letter or digit"),
]


def test_a_wrong_target_erases_nothing(grown: Knowledge) -> None:
    for target, said in WRONG:
        with pytest.raises(ConfigError, match=said):
            ordered(grown, target)
        assert grown.ask(lambda workspace: workspace.ledger.erasures.all()) == []
    with pytest.raises(ConfigError, match="reason"):
        grown.ask(lambda workspace: place(workspace, Target(("stays/0.md",)), " "))


def test_a_hold_refuses_the_order_and_the_attempt_is_logged(grown: Knowledge, tmp_path: Path) -> None:
    kb, reveal = grown, tmp_path / "reveal.json"
    held = kb.documents()["tamarind/zeppelin.md"].document_id
    kb.ask(lambda workspace: workspace.ledger.holds.place(hold("H-1", kb.clock()), [held], []))
    with pytest.raises(Refused, match=r"H-1.*Nothing was erased") as error:
        ordered(kb, Target(pattern="**"), reveal=reveal)
    assert error.value.exit_code == 4 and not reveal.exists()
    last = kb.ask(lambda workspace: workspace.ledger.log.newest(1))[0]
    assert (last.action, last.subject, last.facts) == (LogAction.ERASURE_REFUSED, held, {"hold": "H-1"})
    assert len(kb.documents()) == 6 and hits(kb, "kookaburra")


def test_a_reveal_file_is_never_replaced(grown: Knowledge, tmp_path: Path) -> None:
    reveal = tmp_path / "reveal.json"
    reveal.write_text("mine")
    with pytest.raises(ConfigError):
        ordered(grown, Target(("tamarind/zeppelin.md",)), reveal=reveal)
    assert reveal.read_text() == "mine"
    assert grown.ask(lambda workspace: workspace.ledger.erasures.all()) == []
    assert len(grown.documents()) == 6


def test_it_is_out_of_search_once_it_is_ordered(grown: Knowledge) -> None:
    kb = grown
    ordered(kb, Target(("tamarind/zeppelin.md",)))
    assert "tamarind/zeppelin.md" not in hits(kb, "kookaburra at noon")
    assert kb.documents().keys() == {f"stays/{n}.md" for n in range(5)}


def test_what_another_process_writes_is_waited_for(grown: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is in force meanwhile, and the next run that writes carries it out."""
    monkeypatch.setattr(remove, "PATIENCE_SECONDS", 0.0)
    kb = grown
    with kb.workspace() as other, other.ledger.writer("docs", "freshkb sync"):
        report = erased(kb, "tamarind/zeppelin.md")
        assert (report.outcome, report.exit_code) == ("refused", 4)
        assert "freshkb sync" in report.error and "in force" in report.error
        assert report.json()["state"] == "pending" and report.receipt is None
        with kb.workspace() as workspace:
            said = RunReport("r")
            finish_open(Run(workspace, "sync"), said)
            assert said.error is None
    (kb.docs / "tamarind/zeppelin.md").unlink()
    with kb.workspace() as workspace:
        run = Run(workspace, "sync")
        done = sync(run)
        upkeep(run, done)
    assert done.error is None and files_with(kb, SECRETS) == set()
    (order,) = kb.ask(lambda workspace: workspace.ledger.erasures.all())
    assert order.state is OrderState.DONE


def test_a_writer_that_ends_in_time_is_no_obstacle(grown: Knowledge) -> None:
    kb = grown
    begun, ended = threading.Event(), threading.Event()

    def write() -> None:
        with kb.workspace() as other, other.ledger.writer("docs", "freshkb sync"):
            begun.set()
            ended.wait(60)

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait(60)
    order = ordered(kb, Target(("tamarind/zeppelin.md",)))
    threading.Timer(0.5, ended.set).start()
    assert attempt(kb, order).done
    writer.join(60)


def test_a_piece_that_is_left_in_a_file_keeps_the_order_open(grown: Knowledge) -> None:
    kb = grown
    left = kb.home / ".freshkb" / "notes.txt"
    left.write_text(f"Somebody's copy: {TEXT}")
    report = erased(kb, "tamarind/zeppelin.md")
    assert (report.outcome, report.exit_code, report.receipt) == ("failed", 1, None)
    assert "notes.txt" in report.error and "kookaburra" not in report.error
    assert [p.claim for p in report.places[:2]] == ["purged", "purged"]
    left.unlink()
    again = attempt(kb, report.order)
    assert again.done and files_with(kb, SECRETS) == set()
    # Its traces were kept meanwhile, and say the same.
    assert "before, 1, 1, 2 of them were found" in again.places[0].evidence
    assert not (kb.home / ".freshkb" / TRACES).exists()


def test_a_file_that_is_named_like_it_keeps_the_order_open(grown: Knowledge) -> None:
    left = grown.home / ".freshkb" / "Quetzalcoatl of Obsidian"
    left.touch()
    report = erased(grown, "tamarind/zeppelin.md")
    assert not report.done and "Obsidian. Remove what is no part of the index" in report.error
    left.unlink()
    assert attempt(grown, report.order).done


def test_a_text_in_a_file_of_ours_keeps_the_order_open(grown: Knowledge) -> None:
    """Names may be words of ours; thirty bytes of a text are not."""
    told = "The heron counts forty black stripes on its own left flank."
    grown.write("heron.md", f"# Heron\n\n{told}\n")
    grown.sync()
    left = grown.home / ".freshkb" / "receipts" / "left.json"
    left.parent.mkdir(exist_ok=True)
    left.write_text(told)
    report = erased(grown, "heron.md")
    assert not report.done and "left.json" in report.error
    left.unlink()
    assert attempt(grown, report.order).done


#: Words of the ledger's schema and of SQLite, of the names and the contents of our files, and one that stands
#: across the source and the path of a document that stays.
CONSTANT = [
    "Links",
    "Orders",
    "present",
    "alembic",
    "format",
    "sqlite_autoindex_documents_1",
    "signing.pem",
    "PRIVATE",
    "receipts",
    "ledger.db",
    "payload_storage/page_0.dat",
    "sand",
]


@pytest.mark.usefixtures("scanned_here")
def test_a_title_that_stands_in_our_own_files_is_no_trace(
    grown: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb = grown
    kb.write("and.md", "The marimba stays.\n")
    for number, title in enumerate(CONSTANT):
        kb.write(f"odd/{number}.md", f"# {title}\n\nThe kookaburra laughed at noon, {number} times.\n")
    kb.sync()
    erased(kb, "tamarind/zeppelin.md")
    order = ordered(kb, Target(pattern="odd/**"))
    with monkeypatch.context() as patched:
        patched.setattr(prove, "staying", lambda *_: set())
        report = attempt(kb, order)
    assert not report.done and "Remove" not in report.error
    report = attempt(kb, order)
    assert report.done and files_with(kb, SECRETS) == set(), report.error


def test_traces_are_kept_under_a_key(grown: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    kb = grown

    def fail(*_: object) -> None:
        raise StoreDamaged("It is full.")

    monkeypatch.setattr(prove, "purge_places", fail)
    report = erased(kb, "tamarind/zeppelin.md")
    assert report.outcome == "failed" and report.error == "It is full."
    order = report.order
    kept = kb.home / ".freshkb" / TRACES / f"{order.order_id}.traces"
    assert b"kookaburra" not in kept.read_bytes() and kept.stat().st_mode & 0o077 == 0
    found = kb.ask(lambda workspace: tracing.kept(workspace, order.order_id, order.trace_key))
    assert found is not None and found.control == {"texts": 1, "names": 2, "vectors": 1, "ids": 2}
    kept.write_text("another")
    assert kb.ask(lambda workspace: tracing.kept(workspace, order.order_id, order.trace_key)) is None
    monkeypatch.undo()
    again = attempt(kb, order)
    assert again.done and "its traces were lost" in again.places[0].evidence


def test_a_store_that_still_finds_it_is_no_proof(grown: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    kb = grown
    order = ordered(kb, Target(("tamarind/zeppelin.md",)))
    from index.store.edge.session import EdgeSession

    monkeypatch.setattr(EdgeSession, "count", lambda *_: 1)
    report = attempt(kb, order)
    assert report.outcome == "failed" and "still finds 1 points" in report.error
    monkeypatch.undo()
    assert attempt(kb, order).done


def test_a_vector_that_still_finds_it_is_no_proof(grown: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    kb = grown
    order = ordered(kb, Target(("tamarind/zeppelin.md",)))
    (point,) = (p for p in kb.points().values() if "kookaburra" in p.payload["page_content"])
    from index.store.edge.session import EdgeSession

    monkeypatch.setattr(EdgeSession, "search", lambda *_, **__: [Hit(Point(point.id, {}), 1.0, 1.0)])
    report = attempt(kb, order)
    assert report.outcome == "failed" and "by their vectors" in report.error
    monkeypatch.undo()
    assert attempt(kb, order).done


def test_an_order_is_done_once(grown: Knowledge) -> None:
    kb = grown
    report = erased(kb, "tamarind/zeppelin.md")
    before = report.receipt and report.receipt.read_text()
    assert kb.ask(lambda workspace: workspace.ledger.erasures.open()) == []
    other = erased(kb, "stays/0.md")
    assert other.order.order_id != report.order.order_id
    assert report.receipt is not None and report.receipt.read_text() == before


def test_it_comes_back_once_it_is_lifted(grown: Knowledge) -> None:
    kb = grown
    order = erased(kb, "tamarind/zeppelin.md").order
    kb.sync()
    assert "tamarind/zeppelin.md" not in kb.documents()
    with pytest.raises(ConfigError, match="reason"):
        kb.ask(lambda workspace: lift(workspace, order.order_id, ""))
    with pytest.raises(ConfigError, match="receipts list"):
        kb.ask(lambda workspace: lift(workspace, "E-NONE", "Consent."))
    lifted = kb.ask(lambda workspace: lift(workspace, order.order_id.lower(), "Consent.", by="bo"))
    assert (lifted.state, lifted.lifted_by) == (OrderState.LIFTED, "bo")
    with pytest.raises(ConfigError, match="was lifted at"):
        kb.ask(lambda workspace: lift(workspace, order.order_id, "Consent."))
    kb.sync()
    assert "tamarind/zeppelin.md" in kb.documents() and hits(kb, "kookaburra")
    assert kb.ask(verify).ok


def test_an_open_order_is_not_lifted(grown: Knowledge) -> None:
    order = ordered(grown, Target(("tamarind/zeppelin.md",)))
    with pytest.raises(ConfigError, match="not carried out yet"):
        grown.ask(lambda workspace: lift(workspace, order.order_id, "Consent."))


STEPS: list[tuple[Any, str]] = [
    (remove, "recover"),
    (tracing, "gather"),
    (tracing, "keep"),
    (remove, "apply"),
    (remove, "_read_back"),
    (prove, "purge_places"),
    (prove, "clear_scratch"),
    (prove, "remove_reports"),
    (receipts, "issued"),
    (receipts, "keep"),
]

#: In the short form, an end before a step of each module, and one after the last: an end after a step is one
#: before the next.
SHORT = [
    (tracing, "gather", False),
    (remove, "apply", False),
    (prove, "purge_places", False),
    (receipts, "issued", False),
    (receipts, "keep", True),
]


def ends() -> list[Any]:
    every = [(place_of, step, after) for place_of, step in STEPS for after in (False, True)]
    return [
        pytest.param(*end, id=f"{end[0].__name__}.{end[1]}-{end[2]}", marks=() if end in SHORT else LONG)
        for end in every
    ]


@pytest.mark.parametrize(("place_of", "step", "after"), ends())
def test_it_is_finished_after_an_end_at_any_step(
    grown: Knowledge, monkeypatch: pytest.MonkeyPatch, place_of: Any, step: str, after: bool
) -> None:
    """There is no receipt before the proof, and one in the end."""
    kb = grown
    real: Callable[..., Any] = getattr(place_of, step)

    def ends(*given: Any, **named: Any) -> Any:
        if after:
            real(*given, **named)
        raise KeyboardInterrupt

    order = ordered(kb, Target(("tamarind/zeppelin.md",)))
    monkeypatch.setattr(place_of, step, ends)
    with pytest.raises(KeyboardInterrupt):
        attempt(kb, order)
    monkeypatch.undo()
    (now,) = kb.ask(lambda workspace: workspace.ledger.erasures.all())
    if now.receipt:
        assert files_with(kb, SECRETS) == set()
    report = RunReport("r")
    with kb.workspace() as workspace:
        finish_open(Run(workspace, "sync"), report)
    assert report.error is None
    (done,) = kb.ask(lambda workspace: workspace.ledger.erasures.all())
    assert done.state is OrderState.DONE and files_with(kb, SECRETS) == set()
    assert receipts.opened(done.receipt).order_id == done.order_id
    entries = kb.ask(lambda w: w.ledger.log.of(done.order_id, [LogAction.ERASURE_DONE]))
    assert len(entries) == 1
    assert json.loads(done.receipt)["payload"]
