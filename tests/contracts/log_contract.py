"""The contract of every ledger's log: chained, gapless, and nothing of it altered unnoticed.

Subclasses give the fixture `url`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from index.checkpoints import Mark, checkpoint_of, compare, verify_export
from index.errors import LedgerDamaged
from index.ledger import Ledger, LogAction, LogEntry, LogProblem
from index.ledger.chain import KEYED, Head, exported
from index.ledger.log import hide_subjects
from index.signed.tree import is_included, leaf_hash
from tests.contracts.ledger_contract import T0, OpenLedger, chunk, document, entry, other_process, put

SIZE = 50
#: Where the anchors had their checkpoints.
ANCHORED = (20, 35, SIZE)
#: Both ends, and both sides of an anchor: where each alteration is made in the short form.
SOME = (0, 1, 18, 19, 20, 21, SIZE - 2, SIZE - 1)

COLUMNS = ("sequence", "at", "actor", "run_id", "action", "source", "subject", "facts", "collection", "hash")
_LOG = sa.table("log", *(sa.column(name) for name in ("id", *COLUMNS)))
_HEAD = sa.table("log_head", *(sa.column(name) for name in ("id", "size", "hash", "frontier")))

Rows = list[dict[str, Any]]


def made(number: int) -> LogEntry:
    """An entry of every kind: with facts and without, of documents and of none."""
    facts: dict[str, int | str] = {"hold": "LH-1", "chunks": number} if number % 3 == 0 else {}
    action = list(LogAction)[number % len(LogAction)]
    return LogEntry(T0, action, "handbook" if number % 5 else "", f"d{number}", f"r{number}", facts, "a@host")


def state(ledger: Ledger) -> tuple[Rows, Rows]:
    with ledger.database.reading() as connection:
        rows = connection.execute(sa.select(_LOG).order_by(_LOG.c.id)).mappings()
        heads = connection.execute(sa.select(_HEAD)).mappings()
        return [dict(row) for row in rows], [dict(row) for row in heads]


def become(ledger: Ledger, rows: Rows, heads: Rows) -> None:
    """Write into the database whatever somebody with a password may write."""
    with ledger.database.writing() as connection:
        connection.execute(sa.delete(_LOG))
        connection.execute(sa.delete(_HEAD))
        for table, given in ((_LOG, rows), (_HEAD, heads)):
            if given:
                connection.execute(sa.insert(table), given)


def key(ledger: Ledger) -> bytes:
    with ledger.database.reading() as connection:
        query = sa.text("SELECT value FROM meta WHERE name = 'log key'")
        return bytes.fromhex(connection.execute(query).scalar_one())


def renumbered(rows: Rows) -> Rows:
    return [{**row, "id": n, "sequence": n} for n, row in enumerate(rows, start=1)]


def rechained(ledger: Ledger, rows: Rows) -> tuple[Rows, Rows]:
    """The rows numbered and chained anew, as by somebody that knows all that the ledger knows."""
    head, secret = Head(), key(ledger)
    new = [{**row, "hash": head.add(exported(row, row["sequence"], secret))} for row in renumbered(rows)]
    return new, [{"id": 1, **head.packed()}]


class LogContract(OpenLedger):
    @pytest.fixture
    def places(self, soak: bool) -> Sequence[int]:
        """The entries that are altered, one after the other."""
        return range(SIZE) if soak else SOME

    @pytest.fixture
    def grown(self, ledger: Ledger) -> tuple[Ledger, list[Mark]]:
        """A log of entries of every kind, and the checkpoints that anchors have of it."""
        marks = []
        for number in range(1, SIZE + 1):
            ledger.log.append([made(number)])
            if number in ANCHORED:
                marks.append(Mark("file:/a", checkpoint_of(ledger, ledger.log.head()), True))
        return ledger, marks

    def problems(self, ledger: Ledger, marks: Sequence[Mark]) -> list[LogProblem]:
        found = ledger.log.check({mark.checkpoint.size for mark in marks})
        return [*found.problems, *compare(found.entries, found.roots, marks)]

    # ── What is found ─────────────────────────────────────────────────────────────────────────────────

    def test_a_log_that_nobody_touched_has_no_problem(self, grown: tuple[Ledger, list[Mark]]) -> None:
        ledger, marks = grown
        assert ledger.log.check().json() == {"ok": True, "entries": SIZE, "problems": []}
        assert self.problems(ledger, marks) == []
        ledger.log.append([made(1)])
        assert self.problems(ledger, marks) == []

    @pytest.mark.parametrize(
        "column", ["at", "actor", "run_id", "action", "source", "subject", "facts", "hash", "no hash"]
    )
    def test_an_entry_that_was_flipped_is_named(
        self, grown: tuple[Ledger, list[Mark]], column: str, places: Sequence[int]
    ) -> None:
        ledger, marks = grown
        rows, heads = state(ledger)
        for at in places:
            row = rows[at]
            flips: dict[str, Any] = {
                "at": row["at"] + 1,
                "actor": row["actor"] + "x",
                "run_id": "other" if at % 2 else None,
                "action": "deleted" if row["action"] != "deleted" else "added",
                "source": row["source"] + "x",
                "subject": "other" if at % 2 else "",
                "facts": '{"chunks":999}' if at % 2 else "{",
                "hash": row["hash"][::-1],
                "no hash": None,
            }
            name = column.removeprefix("no ")
            altered = [*rows[:at], {**row, name: flips[column]}, *rows[at + 1 :]]
            become(ledger, altered, heads)
            found = self.problems(ledger, marks)
            assert found and found[0].seq == at + 1, (at, found)
            assert not ledger.log.check().ok, "without an anchor, too"

    def test_an_entry_that_was_dropped_is_named(
        self, grown: tuple[Ledger, list[Mark]], places: Sequence[int]
    ) -> None:
        ledger, marks = grown
        rows, heads = state(ledger)
        for at in places:
            become(ledger, rows[:at] + rows[at + 1 :], heads)
            found = self.problems(ledger, marks)
            assert found[0] == LogProblem(at + 1, "this entry is missing")
            assert not ledger.log.check().ok
            # Taken out of the order, as if it were pending.
            become(ledger, [*rows[:at], {**rows[at], "sequence": None}, *rows[at + 1 :]], heads)
            assert self.problems(ledger, marks)[0].seq == at + 1
            # The gap closed: the numbers are part of the entries.
            head = {**heads[0], "size": SIZE - 1}
            for closed in (heads, [head]):
                become(ledger, renumbered(rows[:at] + rows[at + 1 :]), closed)
                assert self.problems(ledger, marks)

    def test_entries_that_were_swapped_are_named(
        self, grown: tuple[Ledger, list[Mark]], places: Sequence[int]
    ) -> None:
        ledger, marks = grown
        rows, heads = state(ledger)
        for at in places[:-1]:
            for with_hash in (True, False):
                swapped = [*rows[:at], rows[at + 1], rows[at], *rows[at + 2 :]]
                kept = [{**new, "hash": new["hash"] if with_hash else old["hash"]}
                        for old, new in zip(rows, swapped, strict=True)]  # fmt: skip
                become(ledger, renumbered(kept), heads)
                assert self.problems(ledger, marks)[0].seq == at + 1
                assert not ledger.log.check().ok

    def test_an_entry_that_was_doubled_is_named(
        self, grown: tuple[Ledger, list[Mark]], places: Sequence[int]
    ) -> None:
        ledger, marks = grown
        rows, heads = state(ledger)
        for at in places:
            doubled = renumbered([*rows[: at + 1], rows[at], *rows[at + 1 :]])
            for head in (heads, [{**heads[0], "size": SIZE + 1}]):
                become(ledger, doubled, head)
                assert at + 2 in [problem.seq for problem in self.problems(ledger, marks)]
                assert not ledger.log.check().ok
        with ledger.database.writing() as connection:
            connection.execute(sa.text("DROP INDEX log_sequence"))
        for at in places:
            become(ledger, [*rows, {**rows[at], "id": 1000}], heads)
            (found,) = self.problems(ledger, marks)
            assert found.seq == at + 1 and "there twice" in found.problem

    def test_a_log_that_was_chained_anew_from_the_middle_is_found_by_its_anchors(
        self, grown: tuple[Ledger, list[Mark]], places: Sequence[int]
    ) -> None:
        ledger, marks = grown
        rows, _ = state(ledger)
        for at in places:
            for altered in (
                [*rows[:at], {**rows[at], "actor": "mallory@host"}, *rows[at + 1 :]],
                [*rows[:at], *rows[at + 1 :]],
                [*rows[:at], rows[at], *rows[at:]],
                [*rows[:at], *rows[at : at + 2][::-1], *rows[at + 2 :]],
            ):
                same = next((n for n, row in enumerate(altered) if n >= SIZE or row != rows[n]), SIZE)
                if same == SIZE and len(altered) >= SIZE:
                    # Nothing was altered that an anchor knows.
                    continue
                become(ledger, *rechained(ledger, altered))
                assert ledger.log.check().ok, "the chain alone holds"
                found = self.problems(ledger, marks)
                before = max(size for size in (0, *ANCHORED) if size <= same)
                assert {before + 1, len(altered) + 1} & {problem.seq for problem in found}, (at, found)
                assert all("file:/a" in problem.problem for problem in found)

    def test_a_log_whose_end_was_cut_off_is_found_by_its_anchors(
        self, grown: tuple[Ledger, list[Mark]], places: Sequence[int]
    ) -> None:
        ledger, marks = grown
        rows, heads = state(ledger)
        for size in places:
            become(ledger, *rechained(ledger, rows[:size]))
            assert ledger.log.check().ok, "the chain alone holds"
            (found,) = self.problems(ledger, marks)
            assert found.seq == size + 1 and "file:/a knows 50 entries" in found.problem
            assert "the end of the log was cut off, or an older copy of the ledger was restored" in str(found)
            # Another head: the chain alone sees it.
            become(ledger, rows[:size], heads)
            assert ledger.log.check().problems[0].seq == size + 1
        # A log that was cut off and has grown again.
        become(ledger, *rechained(ledger, rows[:30]))
        ledger.log.append([made(number) for number in range(100, 140)])
        assert [problem.seq for problem in self.problems(ledger, marks)] == [21]

    def test_a_head_that_was_altered_is_found(self, grown: tuple[Ledger, list[Mark]]) -> None:
        ledger, _ = grown
        rows, heads = state(ledger)
        (head,) = heads
        frontier = Head.of(head["size"], head["hash"], head["frontier"]).frontier
        other = b"".join([leaf_hash(b""), *frontier.nodes[1:]]).hex()
        for altered in (
            {**head, "hash": head["hash"][::-1]},
            {**head, "frontier": other},
            {**head, "frontier": "zz"},
            {**head, "frontier": ""},
            {**head, "size": SIZE + 1},
            {**head, "size": SIZE - 2},
            {**head, "size": 0, "frontier": ""},
        ):
            become(ledger, rows, [altered])
            assert not ledger.log.check().ok, altered
        become(ledger, rows, [])
        assert not ledger.log.check().ok
        with pytest.raises(LedgerDamaged, match="log cannot be used"):
            ledger.log.append([made(1)])

    def test_a_checkpoint_without_a_good_signature_proves_nothing_and_is_named(
        self, grown: tuple[Ledger, list[Mark]]
    ) -> None:
        ledger, (first, *rest) = grown
        forged = Mark("file:/a", first.checkpoint, False)
        (found,) = self.problems(ledger, [forged, *rest])
        assert found.seq is None and "the checkpoint of 20 entries is not signed" in found.problem

    # ── Exports ───────────────────────────────────────────────────────────────────────────────────────

    def test_an_export_is_checked_without_the_ledger(self, grown: tuple[Ledger, list[Mark]]) -> None:
        ledger, marks = grown
        lines = list(ledger.log.export())
        assert len(lines) == SIZE and verify_export(lines).ok
        assert verify_export(lines).roots[SIZE] == marks[-1].checkpoint.root
        first = json.loads(lines[0])
        assert (first["seq"], first["at"], first["run"]) == (1, "2026-03-01T12:30:15.123457Z", "r1")
        assert first["subject"].startswith(KEYED) and '"d1"' not in lines[0]
        # However a program has written it.
        assert verify_export([json.dumps(json.loads(line), indent=None) for line in lines]).ok
        for at in range(SIZE):
            flipped = lines[at].replace('"actor":"a@host"', '"actor":"b@host"')
            for altered in (
                [*lines[:at], flipped, *lines[at + 1 :]],
                [*lines[:at], *lines[at + 1 :]] if at < SIZE - 1 else ["{}"],
                [*lines[: at + 1], *lines[at:]],
                [*lines[:at], "no JSON", *lines[at + 1 :]],
                [*lines[:at], '{"actor":"b@host",' + lines[at][1:], *lines[at + 1 :]],
            ):
                assert not verify_export(altered).ok, at

    def test_a_subject_that_was_erased_breaks_nothing(self, grown: tuple[Ledger, list[Mark]]) -> None:
        ledger, marks = grown
        before = list(ledger.log.export())
        with ledger.database.writing() as connection:
            hide_subjects(connection, ["d7", "d9", "unknown"])
        rows, _ = state(ledger)
        hidden = [row["subject"] for row in rows if row["subject"].startswith(KEYED)]
        assert len(hidden) == 2 and not {"d7", "d9"} & {row["subject"] for row in rows}
        assert list(ledger.log.export()) == before
        assert self.problems(ledger, marks) == []
        assert ledger.log.newest(SIZE)[SIZE - 7].subject == hidden[0]

    def test_every_entry_is_proved_to_be_in_the_log(self, grown: tuple[Ledger, list[Mark]]) -> None:
        ledger, marks = grown
        for number, text in enumerate(ledger.log.export(), start=1):
            fields = json.loads(text)
            del fields["hash"]
            line = json.dumps(fields, sort_keys=True, separators=(",", ":"))
            head, entry, proof = ledger.log.proof(number)
            assert entry == line
            assert head.size == SIZE and head.frontier.root() == marks[-1].checkpoint.root
            root = head.frontier.root()
            assert is_included(leaf_hash(line.encode()), number - 1, SIZE, proof, root)

    # ── Appending ─────────────────────────────────────────────────────────────────────────────────────

    def test_pending_entries_are_chained_when_they_are_published(self, ledger: Ledger) -> None:
        ledger.log.append([made(1)])
        gone = put(ledger, document("a", "d1"), chunk("d1", 0), entries=[entry("d1")])
        put(ledger, document("b", "d2"), chunk("d2", 0), entries=[entry("d2"), entry("d2")])
        ledger.log.append([made(2)])
        assert ledger.log.check().json() == {"ok": True, "entries": 2, "problems": []}
        ledger.writes.settle("kb", gone, T0)
        assert ledger.log.check().json() == {"ok": True, "entries": 5, "problems": []}
        ledger.writes.settle("kb", [], T0)
        assert ledger.log.head().size == 5

    def test_what_a_database_stores_otherwise_is_hashed_as_it_is_stored(self, ledger: Ledger) -> None:
        for actor in ("größe@host", "nul\0@host", "half\ud800@host", '"\\\n@host', "\U0001d518@h"):
            ledger.log.append([LogEntry(T0, LogAction.ADDED, "s", "d", actor=actor)])
        ledger.log.append([LogEntry(T0, LogAction.ADDED, "s", "d", facts={"z": 1, "a": "x", "n": -(2**60)})])
        assert ledger.log.check().ok and verify_export(ledger.log.export()).ok

    WRITER = """
import pathlib, sys
from datetime import UTC, datetime
from index.ledger import Ledger, LogAction, LogEntry
with Ledger.open(sys.argv[1], pathlib.Path(sys.argv[2])) as ledger:
    print("ready", flush=True)
    for i in range(25):
        at = datetime.now(UTC)
        ledger.log.append([LogEntry(at, LogAction.ADDED, "p", f"{i}-{n}") for n in range(3)])
"""

    def test_those_that_append_at_once_give_one_chain_without_gaps(
        self, ledger: Ledger, url: str, tmp_path: Path
    ) -> None:
        failed: list[BaseException] = []

        def write(name: str) -> None:
            try:
                for number in range(25):
                    if number % 2:
                        ledger.log.append([entry(f"{name}{number}")])
                        continue
                    one = document(f"{name}{number}")
                    put(ledger, one, entries=[entry(one.document_id)])
                    ledger.writes.settle("kb", [], T0)
            except BaseException as error:
                failed.append(error)

        with (
            other_process(self.WRITER, url, str(tmp_path)) as first,
            other_process(self.WRITER, url, str(tmp_path)) as second,
        ):
            for process in (first, second):
                assert process.stdout is not None and process.stdout.readline() == "ready\n"
            threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b", "c")]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert (first.wait(timeout=120), second.wait(timeout=120), failed) == (0, 0, [])
        assert ledger.log.check().json() == {"ok": True, "entries": 3 * 25 + 2 * 75, "problems": []}
        lines = [json.loads(line) for line in ledger.log.export()]
        assert [line["seq"] for line in lines] == list(range(1, 226))

    # ── After damage ──────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("head_is_lost", [False, True])
    @pytest.mark.parametrize("lost", [range(0), range(10, 13), range(40, 50), range(50)])
    def test_a_log_goes_on_after_damage_and_what_is_lost_stays_visible(
        self, grown: tuple[Ledger, list[Mark]], lost: range, head_is_lost: bool
    ) -> None:
        ledger, marks = grown
        rows, heads = state(ledger)
        become(ledger, [row for at, row in enumerate(rows) if at not in lost], [] if head_is_lost else heads)
        ledger.rebuild_log()
        ledger.log.append([made(number) for number in range(60, 65)])
        found = self.problems(ledger, marks)
        assert bool(found) == bool(lost)
        if lost and not (head_is_lost and lost.stop == SIZE):
            assert [problem.seq for problem in found] == [lost.start + 1]
            assert "missing" in found[0].problem
        # Without its head, a log does not know how far it went: only an anchor does.
        kept = {row["sequence"]: row["hash"] for row in rows if row["sequence"] - 1 not in lost}
        now = {row["sequence"]: row["hash"] for row in state(ledger)[0]}
        if not (head_is_lost and lost.stop == SIZE):
            assert kept.items() <= now.items() and max(now) == SIZE + 5
        else:
            assert kept.items() <= now.items() and max(now) == lost.start + 5
