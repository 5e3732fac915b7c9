"""The contract of orders to erase, whatever database is below. Subclasses give the fixture `url`."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.base import shortened
from index.errors import LedgerDamaged
from index.ledger import (
    HeldBack,
    Ledger,
    LogAction,
    LogEntry,
    OrderState,
    Tombstone,
    TombstoneKind,
    subject,
)
from index.ledger.schema import meta
from index.model import Action, Item, State
from index.records import Document, Review
from tests.contracts.ledger_contract import (
    T0,
    OpenLedger,
    chunk,
    document,
    entry,
    intent,
    published,
    put,
)
from tests.erasures import SALT, digest, placed
from tests.holds import order as hold

LATER = T0 + timedelta(hours=1)


def version(uri: str, document_id: str, content: str, **fields: Any) -> Document:
    return document(uri, document_id, content_hash=content, seen_hash=content, size=7, **fields)


class ErasuresContract(OpenLedger):
    def test_an_order_is_on_record_with_hashes_only(self, ledger: Ledger) -> None:
        put(ledger, version("staff/anna.md", "d1", "aa", title="Anna"), chunk("d1", 0), chunk("d1", 1))
        put(ledger, version("b.md", "d2", "bb"), chunk("d2", 0))
        found = placed(ledger, "E-1", ["d1"], T0)
        assert [(d.document_id, d.uri) for d in found] == [("d1", "staff/anna.md")]
        (order,) = ledger.erasures.open()
        assert (order.documents, order.chunks, order.state) == (1, 2, OrderState.OPEN)
        assert order.subjects == [subject(SALT, "handbook", "staff/anna.md")]
        assert ledger.erasures.documents("E-1") == ["d1"]
        keys = ledger.tombstones.keys()
        stones = {Tombstone(keys.uri("handbook", "staff/anna.md"), TombstoneKind.URI)}
        stones |= {Tombstone(keys.content("aa"), TombstoneKind.CONTENT)}
        assert set(ledger.tombstones.of("E-1")) == stones
        assert ledger.tombstones.kinds() == {TombstoneKind.URI, TombstoneKind.CONTENT}
        standing = ledger.tombstones.standing([keys.uri("handbook", "staff/anna.md"), keys.content("bb")])
        assert standing == {keys.uri("handbook", "staff/anna.md"): "E-1"}
        assert [e.subject for e in published(ledger) if e.action is LogAction.ERASURE_ORDERED] == ["E-1"]

    def test_its_documents_are_out_of_search_and_of_plans_at_once(self, ledger: Ledger) -> None:
        put(ledger, version("a.md", "d1", "aa"), chunk("d1", 0))
        placed(ledger, "E-1", ["d1"], T0)
        assert not ledger.chunks.searchable("kb", [chunk("d1", 0).point_id], held=True)
        assert list(ledger.documents.rows("handbook")) == []
        row = ledger.documents.get("d1")
        assert row is not None and row.state is State.ERASED

    def test_copies_go_with_it_but_not_other_empty_files(self, ledger: Ledger) -> None:
        for name, content in (("a.md", "aa"), ("b.md", "aa"), ("c.md", "cc")):
            put(ledger, version(name, name, content), chunk(name, 0))
        put(ledger, replace(version("d.md", "d.md", "00"), size=0))
        put(ledger, replace(version("e.md", "e.md", "00"), size=0))
        # Its text is old; the bytes that were seen last, and failed, are the ones.
        failed = version("f.md", "f.md", "ff", state=State.QUARANTINED)
        put(ledger, replace(failed, seen_hash="aa"), chunk("f.md", 0))
        found = placed(ledger, "E-1", ["a.md", "d.md"], T0)
        assert [d.document_id for d in found] == ["a.md", "b.md", "d.md", "f.md"]
        keys = ledger.tombstones.keys()
        assert set(ledger.tombstones.standing([keys.content("aa"), keys.content("00")])) == {
            keys.content("aa")
        }

    def test_what_is_in_the_place_of_a_deleted_document_is_no_copy(self, ledger: Ledger) -> None:
        old = version("p.md", "d0", "aa", state=State.DELETED, title="Secret")
        ledger.documents.put([old, replace(old, document_id="d1", content_hash="bb", seen_hash="bb")], [])
        put(ledger, version("p.md", "d2", "cc"), chunk("d2", 0))
        put(ledger, version("q.md", "d3", "aa"), chunk("d3", 0))
        assert [d.document_id for d in ledger.erasures.covered(["d3"])] == ["d3"]
        assert [d.document_id for d in placed(ledger, "E-1", ["d3"], T0)] == ["d3"]
        (order,) = ledger.erasures.open()
        assert (order.documents, order.subjects) == (1, [subject(SALT, "handbook", "q.md")])
        keys = ledger.tombstones.keys()
        assert {s.key_hash for s in ledger.tombstones.of("E-1")} == {
            keys.uri("handbook", "q.md"),
            keys.content("aa"),
        }
        # What is left of the copy goes all the same.
        assert ledger.erasures.documents("E-1") == ["d0", "d3"]
        item = Item(Action.UPDATE, "p.md", "d2")
        ledger.runs.start("sync", T0, run_id="r1")
        ledger.runs.save_plan("r1", "handbook", "", {}, [[item]])
        ledger.erasures.reduce("E-1")
        assert [row.document_id for row in ledger.documents.find(states=list(State))] == ["d1", "d2"]
        assert [i.uri for i in ledger.runs.batch("r1", 1)[1]] == ["p.md"]

    def test_a_deleted_document_that_is_named_leaves_the_one_in_its_place(self, ledger: Ledger) -> None:
        ledger.documents.put([version("p.md", "d0", "aa", state=State.DELETED)], [])
        put(ledger, version("p.md", "d1", "cc"), chunk("d1", 0))
        assert [d.document_id for d in placed(ledger, "E-1", ["d0"], T0)] == ["d0"]
        keys = ledger.tombstones.keys()
        assert ledger.tombstones.of("E-1") == [Tombstone(keys.content("aa"), TombstoneKind.CONTENT)]
        assert ledger.tombstones.barred([version("p.md", "d1", "dd")]) == set()

    def test_a_hold_on_one_of_them_keeps_all(self, ledger: Ledger) -> None:
        for name in ("a", "b", "c"):
            put(ledger, version(name, name, "same"), chunk(name, 0))
        ledger.holds.place(hold("H-1", T0), ["b"], [])
        with pytest.raises(HeldBack) as refused:
            placed(ledger, "E-1", ["a"], T0)
        assert refused.value.document_ids == ["b"]
        assert ledger.erasures.all() == [] and ledger.tombstones.kinds() == set()
        assert {row.document_id for row in ledger.documents.rows("handbook")} == {"a", "b", "c"}

    def test_an_exception_while_it_is_placed_undoes_it(self, ledger: Ledger) -> None:
        put(ledger, version("a", "d1", "aa"), chunk("d1", 0))
        from index.ledger import Order, OrderKind

        order = Order("E-1", OrderKind.DOCUMENT, "anna", T0)
        with (
            pytest.raises(OSError, match="full"),
            ledger.erasures.placing(order, ["d1"], lambda _: [], digest),
        ):
            raise OSError("full")
        assert ledger.erasures.all() == [] and len(list(ledger.documents.rows("handbook"))) == 1

    def test_what_a_run_had_read_is_not_written(self, ledger: Ledger) -> None:
        put(ledger, version("a", "d1", "aa"), chunk("d1", 0))
        placed(ledger, "E-1", ["d1"], T0)
        again = intent(version("a", "d1", "new"), (chunk("d1", 1),))
        copied = intent(version("elsewhere", "d2", "aa"), (chunk("d2", 0),), Action.ADD)
        same_path = intent(version("a", "d3", "other"), (chunk("d3", 0),), Action.ADD)
        fine = intent(version("b", "d4", "bb"), (chunk("d4", 0),), Action.ADD)
        refused = ledger.writes.intend("r2", "kb", [again, copied, same_path, fine])
        assert refused == {"d1", "d2", "d3"}
        assert [i.document.document_id for _, _, i in ledger.points.intents("kb")] == ["d4"]
        # Nor is a row.
        ledger.documents.put([version("a", "d1", "aa")], [])
        ledger.documents.refresh([version("a", "d1", "aa")])
        row = ledger.documents.get("d1")
        assert row is not None and row.state is State.ERASED

    def test_a_commit_of_what_was_intended_before_leaves_the_row_erased(self, ledger: Ledger) -> None:
        put(ledger, version("a", "d1", "aa"), chunk("d1", 0))
        flying = [intent(version("a", "d1", "bb"), (chunk("d1", 1),))]
        ledger.writes.intend("r2", "kb", flying)
        placed(ledger, "E-1", ["d1"], T0)
        # Its bytes are known to the order, too.
        keys = ledger.tombstones.keys()
        assert set(ledger.tombstones.standing([keys.content("bb")])) == {keys.content("bb")}
        ledger.writes.commit("kb", flying, [])
        row = ledger.documents.get("d1")
        assert row is not None and row.state is State.ERASED
        assert not ledger.chunks.searchable("kb", [chunk("d1", 1).point_id])

    def test_more_documents_join_an_open_order(self, ledger: Ledger) -> None:
        put(ledger, version("a", "d1", "aa"), chunk("d1", 0))
        placed(ledger, "E-1", ["d1"], T0)
        put(ledger, version("b", "d2", "bb"), chunk("d2", 0))
        put(ledger, version("c", "d3", "bb"), chunk("d3", 0))
        ledger.holds.place(hold("H-1", T0), ["d3"], [])
        joined, stay = ledger.erasures.join("E-1", ["d1", "d2"], digest)
        assert ([d.document_id for d in joined], stay) == (["d2"], ["d3"])
        (order,) = ledger.erasures.open()
        assert (order.documents, len(order.subjects)) == (2, 2)
        assert ledger.erasures.documents("E-1") == ["d1", "d2"]
        assert ledger.erasures.join("E-1", ["d1", "d2"], digest) == ([], ["d3"])

    def test_the_path_of_a_copy_is_withheld_from_then_on(self, ledger: Ledger) -> None:
        item = Item(Action.ADD, "copy.md", "d2")
        ledger.runs.start("sync", T0, run_id="r1")
        ledger.runs.save_plan("r1", "handbook", "", {}, [[item, replace(item, uri="b.md", document_id="d3")]])
        ledger.tombstones.withhold({"copy.md": "E-1"}, "handbook")
        key = ledger.tombstones.keys().uri("handbook", "copy.md")
        assert ledger.tombstones.standing([key]) == {key: "E-1"}
        assert [i.uri for i in ledger.runs.batch("r1", 1)[1]] == ["b.md"]

    def test_rows_are_reduced_to_nothing(self, ledger: Ledger) -> None:
        secret = "staff/zoe-o-neil.md"
        ledger.documents.put([document(secret, "d0", state=State.DELETED, title="Earlier")], [entry("d0")])
        put(ledger, version(secret, "d1", "aa", title="Zoe O'Neil"), chunk("d1", 0), entries=[entry("d1")])
        put(ledger, version("b", "d2", "bb", title="Kept"), chunk("d2", 0))
        ledger.writes.settle("kb", [], T0)
        ledger.reviews.add([Review("d1", "anna", "Zoe was here", T0)], [])
        ledger.reviews.add([Review("d2", "anna", "fine", T0)], [])
        ledger.runs.start("sync", T0, run_id="r1")
        error = f"{secret} cannot be read"
        ledger.runs.finish("r1", T0, "failed", {"sources": [{"error": error, "added": 3}]}, error)
        ledger.runs.start("sync", T0, run_id="r2")
        items = [Item(Action.MOVE, "b", "d2", secret), Item(Action.UPDATE, "b", "d2")]
        ledger.runs.save_plan("r2", "handbook", "", {}, [items])
        placed(ledger, "E-1", ["d1"], T0)
        gone = replace(version(secret, "d1", "aa"), state=State.ERASED, chunk_count=0)
        wanted = [intent(gone, (), Action.DELETE)]
        assert ledger.writes.intend("r3", "kb", wanted) == set()
        ids = ledger.writes.commit("kb", wanted, [entry("d1", LogAction.ERASED)])
        ledger.writes.settle("kb", ids, T0)
        assert ledger.erasures.reduce("E-1") > 0
        everything = json.dumps(_everything(ledger), default=str)
        for word in ("zoe", "Zoe", "Earlier", '"d1"', '"d0"', "'d1'"):
            assert word not in everything.replace(json.dumps(ids), ""), word
        assert ledger.erasures.documents("E-1") == ["d1"]
        assert ledger.erasures.unpurged(["d1"]) == ids
        run = ledger.runs.last("sync")
        assert run is not None and run.counts == {"sources": [{"error": "", "added": 3}]}
        assert ledger.reviews.of().keys() == {"d2"}
        assert ledger.log.check().ok
        assert ledger.erasures.reduce("E-1") == 0

    def test_records_of_runs_forget_names_as_messages_write_them(self, ledger: Ledger) -> None:
        title = "Zoe\tTitle"
        uris = ["hr/Zoe\xa0O'Neil.md", f"hr/{'deep/' * 60}Zoe\xa0.md", f"hr/{'deep/' * 60}plain.md"]
        for uri in uris:
            put(ledger, version(uri, uri, uri, title=title), chunk(uri, 0))
        other = "'hr/bo.md' could not be listed."
        said = [f"{shortened(uri)!r} could not be listed." for uri in uris] + [f"{title!r} is old."]
        for number, error in enumerate([*said, other]):
            ledger.runs.start("sync", T0, run_id=f"r{number}")
            ledger.runs.finish(f"r{number}", T0, "failed", {"sources": [{"error": error}]}, error)
        placed(ledger, "E-1", uris, T0)
        ledger.erasures.reduce("E-1")
        kept = [(run.error, run.counts["sources"][0]["error"]) for run in ledger.runs.newest(9)]
        assert kept == [*[("", "")] * 4, (other, other)]
        ledger.erasures.reduce("E-1", lambda text: "bo.md" in text)
        assert {run.error for run in ledger.runs.newest(9)} == {""}

    def test_it_ends_with_its_receipt_and_its_tombstones_stay(self, ledger: Ledger) -> None:
        put(ledger, version("a", "d1", "aa"), chunk("d1", 0))
        placed(ledger, "E-1", ["d1"], T0)
        ledger.erasures.seal("E-1", "00ff")
        ledger.erasures.finish("E-1", '{"payload": ""}', LATER)
        order = ledger.erasures.get("E-1")
        assert order is not None and order.state is OrderState.DONE and order.done_at == LATER
        assert (order.receipt, order.trace_key) == ('{"payload": ""}', "")
        assert ledger.erasures.open() == [] and ledger.erasures.documents("E-1") == []
        assert len(ledger.tombstones.of("E-1")) == 2

    def test_it_is_lifted_once_it_is_done(self, ledger: Ledger) -> None:
        put(ledger, version("a", "d1", "aa"), chunk("d1", 0))
        placed(ledger, "E-1", ["d1"], T0)
        said = [LogEntry(LATER, LogAction.ERASURE_LIFTED, "", "E-1")]
        assert not ledger.erasures.lift("E-1", "bo", "Consent.", LATER, said)
        ledger.erasures.finish("E-1", "{}", LATER)
        assert ledger.erasures.lift("E-1", "bo", "Consent.", LATER, said)
        assert not ledger.erasures.lift("E-1", "bo", "Consent.", LATER, said)
        order = ledger.erasures.get("E-1")
        assert order is not None and (order.state, order.lifted_by) == (OrderState.LIFTED, "bo")
        assert ledger.tombstones.kinds() == set()
        assert published(ledger)[-1].action is LogAction.ERASURE_LIFTED

    def test_phrases_are_kept_by_their_numbers_of_words(self, ledger: Ledger) -> None:
        keys = ledger.tombstones.keys()
        stones = [Tombstone(keys.phrase(" zoe o neil "), TombstoneKind.PHRASE, 3)]
        stones += [Tombstone(keys.phrase("bo"), TombstoneKind.PHRASE, 1)]
        assert placed(ledger, "E-1", [], T0, standing=stones) == []
        found = ledger.tombstones.phrases()
        assert found == {stone.words: {stone.key_hash: "E-1"} for stone in stones} and list(found) == [1, 3]
        assert ledger.tombstones.standing([keys.phrase("zoe o neil")]) == {keys.phrase("zoe o neil"): "E-1"}

    def test_a_lift_has_the_documents_that_it_kept_out_looked_at_again(self, ledger: Ledger) -> None:
        reasons = {
            "a": "withheld by order E-1",
            "b": "withheld by order E-1; a hold keeps the text that it had before",
            "c": "withheld by order E-1 2 of 3 chunks of its text are lost.",
            "d": "withheld by order E-12",
            "e": "It is broken.",
        }
        for name, reason in reasons.items():
            row = version(name, name, name, state=State.QUARANTINED, reason=reason, seen_extraction="x+l")
            put(ledger, row)
        placed(ledger, "E-1", [], T0)
        placed(ledger, "E-12", [], T0)
        assert ledger.erasures.tally() == (2, 2, 4)
        ledger.erasures.finish("E-1", "{}", LATER)
        assert ledger.erasures.tally() == (2, 1, 4)
        assert ledger.erasures.lift("E-1", "bo", "", LATER, [])
        rows = ledger.documents.find()
        assert {row.uri for row in rows if row.seen_extraction == ""} == {"a", "b", "c"}
        assert ledger.erasures.tally()[:2] == (1, 1)

    def test_no_path_joins_an_order_that_was_lifted(self, ledger: Ledger) -> None:
        placed(ledger, "E-1", [], T0)
        ledger.erasures.finish("E-1", "{}", LATER)
        ledger.erasures.lift("E-1", "bo", "", LATER, [])
        ledger.tombstones.withhold({"copy.md": "E-1"}, "handbook")
        assert ledger.tombstones.kinds() == set()

    def test_what_may_not_be_written_is_known_without_writing(self, ledger: Ledger) -> None:
        put(ledger, version("a", "d1", "aa"), chunk("d1", 0))
        found = [version("a", "d1", "x"), version("b", "d2", "aa"), version("c", "d3", "cc")]
        assert ledger.tombstones.barred(found) == set()
        placed(ledger, "E-1", ["d1"], T0)
        assert ledger.tombstones.barred(found) == {"d1", "d2"}
        # The row is lost, as in a damaged ledger; the order still knows the document.
        with ledger.database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM documents")
        assert ledger.tombstones.barred([version("z", "d1", "zz")]) == {"d1"}

    def test_keys_differ_by_kind_and_by_ledger(self, ledger: Ledger) -> None:
        keys = ledger.tombstones.keys()
        assert len({keys.uri("a", "b"), keys.content("a\nb"), keys.phrase("a\nb"), keys.uri("b", "a")}) == 4

    def test_without_its_key_nothing_comes_back_in_silence(self, ledger: Ledger) -> None:
        put(ledger, version("a", "d1", "aa"), chunk("d1", 0))
        placed(ledger, "E-1", ["d1"], T0)
        with ledger.database.writing() as connection:
            connection.execute(sa.delete(meta).where(meta.c.name == "tombstone key"))
        with pytest.raises(LedgerDamaged, match="key of its tombstones"):
            ledger.writes.intend("r2", "kb", [intent(version("a", "d9", "aa"), (chunk("d9", 0),))])


def _everything(ledger: Ledger) -> dict[str, list[list[Any]]]:
    with ledger.snapshot() as snapshot:
        return {
            table.name: [list(row) for row in table.rows]
            for table in snapshot.tables()
            if table.name not in ("order_documents", "removals")
        }
