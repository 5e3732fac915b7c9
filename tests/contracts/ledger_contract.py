"""The contract of every ledger, whatever database is below. Subclasses give the fixture `url`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
import tracemalloc
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from index.errors import LedgerError, Locked
from index.ledger import HoldKind, Ledger, LogAction, LogEntry, PointRemoval
from index.ledger.database import STREAM_ROWS, Database
from index.model import LIVE, Action, Cause, Item, State, point_id
from index.records import (
    ChunkRecord,
    Collection,
    Document,
    Intent,
    PlanRow,
    RetainedRow,
    Review,
    SourceRecord,
)
from tests import forks
from tests.erasures import placed
from tests.holds import order

T0 = datetime(2026, 3, 1, 12, 30, 15, 123457, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


def document(uri: str, document_id: str | None = None, **fields: Any) -> Document:
    given = {"source": "handbook", "state": State.INDEXED, **fields}
    return Document(document_id=document_id or f"id-of-{uri}", uri=uri, **given)


FULL = Document(
    document_id="d1",
    source="handbook",
    uri="policies/größe/𝔘 ~1.md",
    state=State.QUARANTINED,
    reason="It has a password.",
    token="12:34:56",
    native_id="9007199254740993",
    size=2**40,
    seen_hash="aa",
    seen_extraction="x2",
    version=3,
    content_hash="bb",
    extraction_fingerprint="x1",
    modified_at=T0,
    title="Größen 𝔘",
    url="file:///a%20b",
    content_type="text/markdown",
    language="de",
    properties={"owner": "user:anna", "n": 1.5, "flag": True, "none": None, "nul": "a\0b", "half": "\ud800"},
    owner="user:anna",
    owner_source="front matter",
    owners=["user:anna", "Größe"],
    findings=[{"code": "front-matter-invalid", "line": 3, "reason": "größe"}],
    reviewed_at=T0 + timedelta(microseconds=1),
    date_used=datetime(1, 1, 1, tzinfo=UTC),
    warn_at=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    stale_at=datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    chunk_count=2,
    first_seen_at=T0,
    indexed_at=T0,
    deleted_at=T0,
)


def chunk(document_id: str, index: int, text: str = "", **fields: Any) -> ChunkRecord:
    embedded = text or f"{document_id} {index}"
    return ChunkRecord(
        point_id=point_id(document_id, embedded, 0, "f"),
        document_id=document_id,
        chunk_index=index,
        embedded_hash=embedded,
        payload_digest=f"payload {index}",
        **fields,
    )


def intent(of: Document, chunks: tuple[ChunkRecord, ...] = (), action: Action = Action.UPDATE) -> Intent:
    return Intent(action, of, chunks)


def put(
    ledger: Ledger,
    of: Document,
    *chunks: ChunkRecord,
    collection: str = "kb",
    entries: Sequence[LogEntry] = (),
) -> list[str]:
    """Intend and commit, as a run without a store would."""
    wanted = [intent(of, chunks)]
    ledger.writes.intend("r1", collection, wanted)
    return ledger.writes.commit(collection, wanted, entries)


def entry(
    document_id: str, action: LogAction = LogAction.UPDATED, run_id: str = "r1", source: str = "handbook"
) -> LogEntry:
    return LogEntry(T0, action, source, document_id, run_id, actor="anna@host")


def published(ledger: Ledger) -> list[LogEntry]:
    """All published entries in order, but for their numbers, which have no gaps."""
    found = ledger.log.newest(1000)[::-1]
    assert [entry.sequence for entry in found] == list(range(1, len(found) + 1))
    return [replace(entry, sequence=None) for entry in found]


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Another process that prints a line when it has come to where the test wants it."""
    return forks.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def other_process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with run_python(code, *arguments) as process:
        try:
            yield process
        finally:
            process.kill()


class OpenLedger:
    """What contracts of the ledger have alike."""

    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def ledger(self, url: str, tmp_path: Path) -> Iterator[Ledger]:
        with Ledger.open(url, tmp_path) as ledger:
            yield ledger


class LedgerContract(OpenLedger):
    @pytest.fixture
    def again(self, ledger: Ledger, url: str, tmp_path: Path) -> Iterator[Ledger]:
        """The same ledger, opened a second time."""
        with Ledger.open(url, tmp_path) as again:
            yield again

    # ── Opening ───────────────────────────────────────────────────────────────────────────────────────

    def test_the_instance_id_is_made_once(self, ledger: Ledger, again: Ledger) -> None:
        assert uuid.UUID(ledger.instance_id)
        assert again.instance_id == ledger.instance_id

    def test_processes_that_create_a_ledger_at_once_agree(self, url: str, tmp_path: Path) -> None:
        code = """
import sys, pathlib
from index.ledger import Ledger
print("ready", flush=True); sys.stdin.readline()
with Ledger.open(sys.argv[1], pathlib.Path(sys.argv[2])) as ledger:
    print(ledger.instance_id)
"""
        processes = [run_python(code, url, str(tmp_path / "new")) for _ in range(3)]
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        answers = {process.communicate("go\n", timeout=60)[0] for process in processes}
        assert len(answers) == 1 and uuid.UUID(answers.pop().strip())

    def test_an_up_to_date_ledger_opens_without_alembic(
        self, ledger: Ledger, url: str, tmp_path: Path
    ) -> None:
        code = """
import sys, pathlib
from index.ledger import Ledger
with Ledger.open(sys.argv[1], pathlib.Path(sys.argv[2])) as ledger:
    print(list(ledger.documents.rows("handbook")), ledger.runs.newest(), ledger.collections.current())
heavy = {"alembic", "numpy", "sqlalchemy.orm"}
if sys.argv[1] == "sqlite":
    heavy |= {"psycopg", "sqlalchemy.dialects.postgresql", "filelock"}
print(heavy & set(sys.modules))
"""
        done = subprocess.run(
            [sys.executable, "-c", code, url, str(tmp_path)],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert done.stdout == "[] [] None\nset()\n"

    def test_a_newer_ledger_is_refused_and_left_alone(self, ledger: Ledger, url: str, tmp_path: Path) -> None:
        with ledger.database.writing() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'm999'")
        with pytest.raises(LedgerError, match=r"newer freshkb: its schema is m999.*Upgrade freshkb"):
            Ledger.open(url, tmp_path)
        with ledger.database.reading() as connection:
            assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "m999"

    def test_the_log_of_an_earlier_schema_is_chained(self, url: str, tmp_path: Path) -> None:
        from index.ledger.migrations import upgrade

        database, number = Database(url, tmp_path), 2500
        row = (
            "INSERT INTO log (sequence, at, actor, run_id, action, source, subject, facts, collection)"
            " VALUES ({}, {}, 'größe@host', 'r1', 'added', 'handbook', 'd{}', '{{\"b\":1,\"a\":\"x\"}}', {})"
        )
        with database.writing() as connection:
            upgrade(connection, "m005")
            for n in range(1, number + 1):
                connection.exec_driver_sql(row.format(n, n, n, "NULL"))
            connection.exec_driver_sql(row.format("NULL", 1, "pending", "'kb'"))
        database.close()
        with Ledger.open(url, tmp_path) as ledger:
            assert ledger.log.check().json() == {"ok": True, "entries": number, "problems": []}
            assert ledger.faults() == []
            ledger.writes.settle("kb", [], T0)
            assert ledger.log.newest(1)[0].subject == "dpending"
            ledger.log.append([entry("d9")])
            assert ledger.log.check().json() == {"ok": True, "entries": number + 2, "problems": []}
            with ledger.database.writing() as connection:
                connection.exec_driver_sql("UPDATE log SET subject = 'other' WHERE sequence = 1234")
            assert [problem.seq for problem in ledger.log.check().problems] == [1234]

    @pytest.mark.parametrize("version", ["m001", "m002", "m003", "m004"])
    def test_a_ledger_of_an_earlier_schema_says_the_same(
        self, url: str, tmp_path: Path, version: str
    ) -> None:
        from index.ledger.migrations import upgrade

        event = "INSERT INTO {} VALUES ({}, 1000000, 'r1', {}, 'handbook', '{}', 'Its words.'{})"
        run = "INSERT INTO runs (run_id, kind, started_at, outcome, host, pid, counts, error{}) VALUES "
        database = Database(url, tmp_path)
        with database.writing() as connection:
            upgrade(connection, version)
            run = run.format("" if version < "m003" else ", actor")
            actor = "" if version < "m003" else ", 'anna@host'"
            connection.exec_driver_sql(run + "('r1', 'sync', 0, 'done', '', 1, '{}', ''" + actor + ")")
            connection.exec_driver_sql(event.format("events", 3, "'d1'", "added", ""))
            connection.exec_driver_sql(event.format("events", 7, "'d2'", "quarantined", ""))
            removal = "INSERT INTO removals (collection, point_id, document_id) VALUES ('kb', 'p3', 'd3')"
            connection.exec_driver_sql(removal)
            if version > "m001":
                connection.exec_driver_sql(event.format("untold", 1, "'d3'", "updated", ", 'kb'"))
                connection.exec_driver_sql(event.format("untold", 2, "'d4'", "added", ", 'kb'"))
        database.close()

        def said(document_id: str, action: LogAction, sequence: int | None) -> LogEntry:
            at = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
            who = "" if version < "m003" else "anna@host"
            return LogEntry(at, action, "handbook", document_id, "r1", actor=who, sequence=sequence)

        first = [said("d2", LogAction.QUARANTINED, 2), said("d1", LogAction.ADDED, 1)]
        with Ledger.open(url, tmp_path) as ledger:
            assert ledger.log.newest() == first
            assert ledger.points.removals("kb") == ["p3"]
            if version > "m001":
                last = [said("d3", LogAction.UPDATED, None), said("d4", LogAction.ADDED, None)]
                assert ledger.log.pending("kb") == last
                ledger.writes.settle("kb", [], T0)
                assert ledger.log.newest() == [replace(last[1], sequence=3), *first]
                ledger.writes.settle("kb", ["p3"], T0)
                assert ledger.log.newest(1) == [replace(last[0], sequence=4)]
            put(ledger, document("a", "d5"), chunk("d5", 0), entries=[entry("d5")])
            ledger.writes.settle("kb", [], T0)
            assert ledger.log.newest(1)[0].subject == "d5"
            with ledger.database.reading() as connection:
                assert not connection.dialect.has_table(connection, "events")
                assert not connection.dialect.has_table(connection, "untold")

    def test_the_migrations_make_the_schema_that_the_program_reads(self, ledger: Ledger) -> None:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext
        from alembic.script import ScriptDirectory

        from index.ledger import migrations, schema

        assert migrations.__file__ is not None
        script = ScriptDirectory(str(Path(migrations.__file__).parent))
        assert script.get_heads() == [schema.VERSION]
        with ledger.database.reading() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = compare_metadata(context, schema.metadata)
        # Indices are in the migrations alone.
        assert [difference for difference in differences if difference[0] != "remove_index"] == []

    def test_holds_of_an_earlier_schema_become_orders(self, url: str, tmp_path: Path) -> None:
        from index.ledger.migrations import upgrade

        database = Database(url, tmp_path)
        rows = (
            "('LH', 'd1', 'A lawsuit.', 2000000, NULL)",
            "('LH', 'd2', 'A lawsuit.', 1000000, NULL)",
            "('LH', 'd3', 'A lawsuit.', 3000000, 4000000)",
            "('old', 'd1', 'Another.', 1000000, 5000000)",
            "('old', 'd4', 'Another.', 1000000, 6000000)",
        )
        with database.writing() as connection:
            upgrade(connection, "m005")
            for row in rows:
                connection.exec_driver_sql(f"INSERT INTO holds VALUES {row}")
            connection.exec_driver_sql("INSERT INTO approvals VALUES ('p1', 'handbook', 'r1', 0)")
        database.close()

        def second(number: int) -> datetime:
            return datetime(1970, 1, 1, 0, 0, number, tzinfo=UTC)

        with Ledger.open(url, tmp_path) as ledger:
            holds = {hold.hold_id: hold for hold in ledger.holds.all()}
            assert set(holds) == {"LH", "LH-released", "old"}
            assert [hold.hold_id for hold in ledger.holds.standing()] == ["LH"]
            assert holds["LH"] == replace(order("LH", second(1), "A lawsuit."), placed_by="")
            assert (holds["LH-released"].released_at, holds["old"].released_at) == (second(4), second(6))
            members = {name: ledger.holds.members(name) for name in holds}
            assert members == {"LH": ["d1", "d2"], "LH-released": ["d3"], "old": ["d1", "d4"]}
            assert ledger.holds.held() == {"d1", "d2"}
            assert ledger.holds.once_held(["d3", "d4", "d5"]) == {"d3", "d4"}
            assert ledger.runs.approved("p1") and ledger.runs.approvers(["r1"]) == {"r1": ""}

    # ── Errors ────────────────────────────────────────────────────────────────────────────────────────

    def test_every_error_of_the_database_is_a_ledger_error_that_says_what_is_wrong(
        self, ledger: Ledger
    ) -> None:
        ledger.documents.put([document("a.md", "d1")], [])
        with pytest.raises(LedgerError, match=r"cannot be used: .*(unique|UNIQUE)"):
            ledger.documents.put([document("a.md", "d2")], [])
        with pytest.raises(LedgerError, match="no time zone"):
            ledger.documents.put([document("b.md", modified_at=datetime(2026, 1, 1))], [])
        with ledger.database.writing() as connection:
            connection.exec_driver_sql("DROP TABLE documents")
        with pytest.raises(LedgerError, match="documents"):
            list(ledger.documents.rows("handbook"))
        with pytest.raises(LedgerError, match="documents"):
            ledger.documents.counts()

    def test_an_error_does_not_quote_the_values_of_a_document(self, ledger: Ledger) -> None:
        ledger.documents.put([document("a.md", "d1")], [])
        title = "-".join(["secret", "title"])
        with pytest.raises(LedgerError) as caught:
            ledger.documents.put([document("a.md", "d2", title=title)], [])
        assert title not in "".join(traceback.format_exception(caught.value))

    def test_a_failed_write_changes_nothing(self, ledger: Ledger) -> None:
        ledger.documents.put([document("a.md", "d1"), document("b.md", "d2")], [])
        with pytest.raises(LedgerError):
            ledger.documents.put([document("c.md", "d1"), document("b.md", "d3")], [])
        assert [(row.document_id, row.uri) for row in ledger.documents.rows("handbook")] == [
            ("d1", "a.md"),
            ("d2", "b.md"),
        ]

    # ── Sources and documents ─────────────────────────────────────────────────────────────────────────

    def test_a_source_is_remembered(self, ledger: Ledger, again: Ledger) -> None:
        record = SourceRecord("wiki", "files", "dev:1", "ff", "rf", None, T0, None)
        assert ledger.sources.get("wiki") is None
        ledger.sources.put(SourceRecord("handbook"))
        ledger.sources.put(record)
        assert again.sources.get("wiki") == record
        left_out = {"code": "too-deep", "uri": "a/b", "reason": "It lies too deep."}
        changed = replace(record, cursor="c1", synced_at=T0, findings=[left_out])
        ledger.sources.put(changed)
        assert again.sources.all() == [SourceRecord("handbook"), changed]

    def test_a_document_comes_back_as_it_was_recorded(self, ledger: Ledger, again: Ledger) -> None:
        assert ledger.documents.get("d1") is None
        ledger.documents.put([FULL], [])
        assert again.documents.get("d1") == FULL
        plain = document("x.md")
        ledger.documents.put([plain], [])
        assert again.documents.get("id-of-x.md") == plain

    def test_moments_of_other_zones_come_back_as_the_same_instant_in_utc(self, ledger: Ledger) -> None:
        berlin = T0.astimezone(timezone(timedelta(hours=2)))
        ledger.documents.put([document("a.md", "d1", modified_at=berlin)], [])
        found = ledger.documents.get("d1")
        assert found is not None and found.modified_at == T0
        assert found.modified_at is not None and found.modified_at.tzinfo == UTC

    def test_a_title_that_no_database_can_hold_does_not_stop_the_document(self, ledger: Ledger) -> None:
        ledger.documents.put([document("a.md", "d1", title="a\0b\ud800c", reason="\0")], [])
        found = ledger.documents.get("d1")
        assert found is not None and found.title == "a\ufffdb\ufffdc" and found.reason == "\ufffd"

    def test_rows_are_live_ones_in_order_of_code_points(self, ledger: Ledger) -> None:
        uris = [
            "Z.md",
            "a-b.md",
            "a/b.md",
            "a b.md",
            "a.md",
            "ä.md",
            "z.md",
            "\U0001d518.md",
            "\uffee.md",
            "_.md",
        ]
        ledger.documents.put([document(uri) for uri in uris], [])
        ledger.documents.put(
            [document("gone.md", state=State.DELETED), document("erased.md", state=State.ERASED)], []
        )
        ledger.documents.put(
            [document("other.md", source="wiki"), document("%FF.md", state=State.SKIPPED)], []
        )
        assert [row.uri for row in ledger.documents.rows("handbook")] == sorted([*uris, "%FF.md"])
        assert [row.uri for row in ledger.documents.rows("nothing")] == []

    def test_a_row_holds_what_a_plan_needs(self, ledger: Ledger) -> None:
        ledger.documents.put([FULL, document("z.md", "d2", state=State.PENDING)], [])
        ledger.holds.place(order("h1", T0), ["d2"], [])
        first, second = ledger.documents.rows("handbook")
        assert first == PlanRow(
            "d1", FULL.uri, "12:34:56", "9007199254740993", 2**40, "aa", "x2", "quarantined", False
        )
        assert type(first) is PlanRow and first.held is False
        assert (
            second == PlanRow("d2", "z.md", None, None, None, None, "", "pending", True)
            and second.held is True
        )

    def test_rows_can_be_limited_to_folders_without_what_lies_below(self, ledger: Ledger) -> None:
        ledger.documents.put(
            [document(uri) for uri in ("top.md", "a/1.md", "a/b/2.md", "a/b/c/3.md", "d/4.md", "ab/5.md")], []
        )

        def limited(*folders: str) -> list[str]:
            return [row.uri for row in ledger.documents.rows("handbook", folders)]

        assert limited("") == ["top.md"]
        assert limited("a") == ["a/1.md"]
        assert limited("d", "a/b", "") == ["a/b/2.md", "d/4.md", "top.md"]
        assert limited("gone") == [] and limited() == []

    def test_folders_bring_the_mails_in_them_that_have_documents_below(self, ledger: Ledger) -> None:
        uris = ["in/a.eml", "in/a.eml/b.eml", "in/a.eml/b.eml/c.md", "in/d.eml", "in/deep/e.md", "f.eml"]
        ledger.documents.put([document(uri) for uri in uris], [])
        ledger.documents.put([document("f.eml/g.md"), document("in/d.eml/h.md", source="wiki")], [])
        assert ledger.documents.with_mails("handbook", ["in"]) == ["in", "in/a.eml", "in/a.eml/b.eml"]
        assert set(ledger.documents.with_mails("handbook", ["", "in"])) == {
            *("", "f.eml"),
            *("in", "in/a.eml", "in/a.eml/b.eml"),
        }
        assert ledger.documents.with_mails("handbook", ["in/deep", "none"]) == ["in/deep", "none"]
        assert ledger.documents.with_mails("handbook", []) == []
        # What lies below a mail in a mail is found without it.
        ledger.documents.put([document("a.eml"), document("a.eml/b.eml/c/d.md")], [])
        assert set(ledger.documents.with_mails("handbook", [""])) == {"", "f.eml", "a.eml/b.eml/c"}

    def test_documents_below_a_uri_are_found_in_order_of_code_points(self, ledger: Ledger) -> None:
        below = ["a.eml/B.md", "a.eml/\uffee.md", "a.eml/b/c.md", "a.eml/\U0001d518.md"]
        ledger.documents.put([document(uri) for uri in (*below, "a.eml", "a.eml-", "a.eml0", "b.md")], [])
        ledger.documents.put([document("a.eml/x.md", source="wiki")], [])
        ledger.documents.put([document("a.eml/gone.md", state=State.DELETED)], [])
        assert [d.uri for d in ledger.documents.below("handbook", ["a.eml", "b.md"])] == sorted(below)
        assert [d.uri for d in ledger.documents.below("handbook", ["a.eml"], [State.DELETED])] == [
            "a.eml/gone.md"
        ]
        # Below two of them, it is one.
        ledger.documents.put([document("a.eml/b")], [])
        both = ledger.documents.below("handbook", ["a.eml", "a.eml/b"])
        assert [d.uri for d in both] == sorted([*below, "a.eml/b"])
        assert ledger.documents.below("handbook", []) == []

    def test_rows_are_a_snapshot_in_bounded_memory(self, ledger: Ledger, soak: bool) -> None:
        """All rows at once take 400 bytes each, and more."""
        number = 20_000 if soak else 6_000
        ledger.documents.put([document(f"{i:06}.md", str(i), seen_hash="h" * 64) for i in range(number)], [])
        next(ledger.documents.rows("handbook"))
        tracemalloc.start()
        try:
            rows = ledger.documents.rows("handbook")
            count = 1 + len(next(rows)[:0])
            ledger.documents.put([document("zzz.md", "late")], [])
            count += sum(1 for _ in rows)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert count == number
        assert peak < 200 * number

    def test_many_streams_leave_room_for_other_questions(self, ledger: Ledger) -> None:
        """Each of so many threads reads a stream, and asks for more meanwhile."""
        number = STREAM_ROWS + 1
        ledger.documents.put([document(f"{i:06}.md", str(i)) for i in range(number)], [])
        streams = [ledger.documents.find() for _ in range(20)]
        begun = [next(stream).document_id for stream in streams]
        assert begun == ["0"] * 20
        assert ledger.holds.of(begun) == {}
        ledger.documents.put([document("zzz.md", "late")], [])
        assert [sum(1 for _ in stream) for stream in streams] == [number - 1] * 20

    def test_documents_may_swap_and_take_over_uris_in_one_write(self, ledger: Ledger) -> None:
        ledger.documents.put([document("a", "d1"), document("b", "d2"), document("c", "d3")], [])
        ledger.documents.put(
            [document("b", "d1"), document("a", "d2"), document("d", "d3"), document("c", "d4")], []
        )
        assert {row.document_id: row.uri for row in ledger.documents.rows("handbook")} == {
            "d1": "b",
            "d2": "a",
            "d3": "d",
            "d4": "c",
        }
        one, two = document("a", "d1"), document("b", "d2")
        ledger.writes.intend("r1", "kb", [intent(one), intent(two)])
        ledger.writes.commit("kb", [intent(one), intent(two)], [])
        assert [row.document_id for row in ledger.documents.rows("handbook", [""])] == [
            "d1",
            "d2",
            "d4",
            "d3",
        ]

    def test_a_uri_is_free_again_when_its_document_is_gone(self, ledger: Ledger) -> None:
        ledger.documents.put(
            [document("a", "d1", state=State.DELETED), document("a", "d2"), document("a", "d3", source="w")],
            [],
        )
        ledger.documents.put([document("a", "d2", state=State.ERASED), document("a", "d4")], [])
        assert [row.document_id for row in ledger.documents.rows("handbook")] == ["d4"]

    def test_documents_are_found_by_any_of_their_marks(self, ledger: Ledger) -> None:
        a = document("a", "d1", owner="anna")
        b = document("b", "d2", state=State.QUARANTINED)
        w = document("a", "d3", source="wiki", owner="anna")
        gone = document("z", "d4", state=State.DELETED)
        ledger.documents.put([w, gone, b, a], [])
        assert list(ledger.documents.find()) == [a, b, w]
        assert list(ledger.documents.find(source="handbook")) == [a, b]
        assert list(ledger.documents.find(states={State.DELETED, State.QUARANTINED})) == [b, gone]
        assert list(ledger.documents.find(uris=["a", "z"])) == [a, w]
        assert list(ledger.documents.find(document_ids=["d2", "d1", "d4"])) == [a, b]
        assert list(ledger.documents.find(document_ids=[])) == []

    def test_lists_of_ids_may_be_longer_than_databases_allow_parameters(self, ledger: Ledger) -> None:
        ledger.documents.put([document("a", "d1")], [])
        many = ["d1", *(f"no-{i}" for i in range(70_000))]
        assert [found.document_id for found in ledger.documents.find(document_ids=many)] == ["d1"]
        assert ledger.points.known("kb", many) == set()

    def test_a_folder_that_does_not_follow_from_the_uri_is_seen(self, ledger: Ledger) -> None:
        ledger.documents.put([document("top", "d1"), document("a/b/deep", "d2"), document("a/c", "d3")], [])
        assert list(ledger.documents.misfiled()) == []
        with ledger.database.writing() as connection:
            connection.execute(sa.text("UPDATE documents SET folder = 'a'"))
        assert list(ledger.documents.misfiled()) == ["d1", "d2"]

    @pytest.mark.parametrize(
        ("column", "value"), [("state", "lost"), ("properties", "{"), ("indexed_at", 10**18)]
    )
    def test_a_value_that_no_ledger_writes_is_an_error_of_ours(
        self, ledger: Ledger, column: str, value: Any
    ) -> None:
        ledger.documents.put([document("a", "d1")], [])
        with ledger.database.writing() as connection:
            connection.execute(sa.text(f"UPDATE documents SET {column} = :value").bindparams(value=value))
        with pytest.raises(LedgerError, match="cannot have written"):
            list(ledger.documents.find())

    def test_counts_are_of_live_documents_by_source_and_state(self, ledger: Ledger) -> None:
        assert ledger.documents.counts() == {}
        ledger.documents.put([document("a"), document("b"), document("c", state=State.HELD)], [])
        ledger.documents.put([document("d", state=State.DELETED), document("e", source="wiki")], [])
        assert ledger.documents.counts() == {"handbook": {"indexed": 2, "held": 1}, "wiki": {"indexed": 1}}

    def test_recording_a_document_leaves_its_chunks_alone(self, ledger: Ledger) -> None:
        first = chunk("d1", 0)
        put(ledger, document("a", "d1"), first)
        done = entry("d1", LogAction.QUARANTINED)
        ledger.documents.put([document("a", "d1", state=State.QUARANTINED)], [done])
        assert ledger.chunks.of("kb", ["d1"]) == {"d1": [first]}
        assert ledger.log.newest() == [replace(done, sequence=1)]
        ledger.documents.refresh([document("a", "d1", state=State.QUARANTINED, token="new")])
        assert ledger.chunks.of("kb", ["d1"]) == {"d1": [first]} and len(ledger.log.newest()) == 1

    # ── Chunks ────────────────────────────────────────────────────────────────────────────────────────

    def test_chunks_come_back_in_order_and_by_collection(self, ledger: Ledger) -> None:
        chunks = [chunk("d1", i, page=i, tokens=7, vector_digest="v") for i in range(12)]
        put(ledger, document("a", "d1"), *reversed(chunks))
        assert ledger.chunks.of("kb", ["d1", "d2"]) == {"d1": chunks, "d2": []}
        assert ledger.chunks.of("other", ["d1"]) == {"d1": []}
        assert ledger.chunks.count("kb") == 12 and ledger.chunks.count("other") == 0

    def test_points_stream_in_order_and_by_range_of_ids(self, ledger: Ledger) -> None:
        chunks = [chunk("d1", i) for i in range(300)]
        put(ledger, document("a", "d1"), *chunks)
        ordered = sorted(chunks, key=lambda record: record.point_id)
        assert list(ledger.chunks.stream("kb")) == ordered
        middle = ordered[100].point_id
        assert list(ledger.chunks.stream("kb", end=middle)) == ordered[:100]
        assert list(ledger.chunks.stream("kb", first=middle)) == ordered[100:]
        assert list(ledger.chunks.stream("kb", first=middle, end=ordered[200].point_id)) == ordered[100:200]

    def test_documents_that_miss_chunks_or_have_too_many_are_named(self, ledger: Ledger) -> None:
        put(ledger, document("whole", "d1", chunk_count=2), chunk("d1", 0), chunk("d1", 1))
        put(ledger, document("short", "d2", chunk_count=2), chunk("d2", 0))
        put(ledger, document("long", "d3", chunk_count=0), chunk("d3", 0))
        ledger.documents.put(
            [document("empty", "d4"), document("gone", "d5", chunk_count=1, state=State.DELETED)], []
        )
        assert ledger.chunks.miscounted("kb") == ["d2", "d3"]
        assert ledger.chunks.miscounted("other") == ["d1", "d2"]

    def test_a_chunk_that_is_forgotten_is_unknown(self, ledger: Ledger) -> None:
        mine, other = chunk("d1", 0), chunk("d1", 1)
        put(ledger, document("a", "d1"), mine, other)
        ledger.chunks.delete_rows("elsewhere", [mine.point_id], [])
        ledger.chunks.delete_rows("kb", [other.point_id, "unknown"], [])
        assert ledger.chunks.of("kb", ["d1"]) == {"d1": [mine]}
        assert ledger.points.known("kb", [mine.point_id, other.point_id]) == {mine.point_id}

    def test_a_vector_is_known_when_any_committed_chunk_has_its_text(self, ledger: Ledger) -> None:
        one, two = chunk("d1", 0, "same"), chunk("d2", 0, "same")
        put(ledger, document("a", "d1"), one, chunk("d1", 1, "mine"))
        put(ledger, document("b", "d2"), two)
        ledger.writes.intend("r1", "kb", [intent(document("c", "d3"), (chunk("d3", 0, "intended"),))])
        known = ledger.chunks.known_vectors("kb", ["same", "mine", "intended", "new"])
        assert known == {
            "same": min(one, two, key=lambda record: record.point_id),
            "mine": chunk("d1", 1, "mine"),
        }
        assert ledger.chunks.known_vectors("other", ["same"]) == {}

    def test_only_committed_points_of_documents_that_may_be_shown_are_current(self, ledger: Ledger) -> None:
        points = {}
        for state in State:
            shown = document(state, state, state=state)
            points[state] = chunk(state, 0)
            put(ledger, shown, points[state])
        intended = chunk("indexed", 1)
        ledger.writes.intend(
            "r1", "kb", [intent(document("indexed", "indexed"), (points[State.INDEXED], intended))]
        )
        ids = [*(record.point_id for record in points.values()), intended.point_id, "unknown"]
        current = ledger.chunks.searchable("kb", ids)
        assert {found.state for found in current.values()} == {State.INDEXED, State.QUARANTINED}
        assert current[points[State.INDEXED].point_id] == document("indexed", "indexed")
        held = ledger.chunks.searchable("kb", ids, held=True)
        assert {found.state for found in held.values()} == {State.INDEXED, State.QUARANTINED, State.HELD}
        assert ledger.chunks.searchable("other", ids) == {}

    # ── The write order ───────────────────────────────────────────────────────────────────────────────

    def test_an_intent_comes_back_exactly(self, ledger: Ledger, again: Ledger) -> None:
        whole = intent(
            FULL, (chunk("d1", 0, page=3, tokens=9), chunk("d1", 1, vector_digest="v")), Action.MOVE
        )
        other = intent(document("b", "d0"), action=Action.DELETE)
        ledger.writes.intend("r1", "kb", [whole])
        ledger.writes.intend("r2", "next", [other])
        assert again.points.intents("kb") == [("r1", "kb", whole)]
        assert again.points.intents() == [("r2", "next", other), ("r1", "kb", whole)]
        ((_, _, found),) = again.points.intents("kb")
        assert isinstance(found.document.state, State) and isinstance(found.action, Action)

    def test_a_change_goes_from_intent_to_commit_to_settled(self, ledger: Ledger, again: Ledger) -> None:
        kept, old, new = chunk("d1", 0), chunk("d1", 1, "old"), chunk("d1", 1, "new")
        assert put(ledger, document("a", "d1", version=1), kept, old) == []
        wanted = [intent(document("a", "d1", version=2), (kept, new))]
        ledger.writes.intend("r2", "kb", wanted)
        assert again.documents.get("d1") == document("a", "d1", version=1)
        assert again.chunks.of("kb", ["d1"]) == {"d1": [kept, old]}

        written = [intent(wanted[0].document, (kept, replace(new, vector_digest="read back")))]
        updated = entry("d1", run_id="r2")
        assert ledger.writes.commit("kb", written, [updated]) == [old.point_id]
        assert again.documents.get("d1") == document("a", "d1", version=2)
        assert again.chunks.of("kb", ["d1"]) == {"d1": list(written[0].chunks)}
        assert again.points.intents() == []
        assert again.points.removals("kb") == [old.point_id] and again.points.removals("other") == []
        assert again.log.pending("kb") == [updated] and again.log.newest() == []

        for _ in range(2):
            ledger.writes.settle("kb", [old.point_id], T0)
            assert again.points.removals("kb") == [] and again.log.pending("kb") == []
            assert again.log.newest() == [replace(updated, sequence=1)]

    def test_an_entry_is_published_by_whoever_removes_the_last_point_of_its_document(
        self, ledger: Ledger, again: Ledger
    ) -> None:
        """Runs may end between any two steps, and others of the same or of another source come in between."""
        old, spare, new = chunk("d1", 0, "old"), chunk("d1", 1), chunk("d1", 0, "new")
        put(ledger, document("a", "d1"), old, spare)
        first = entry("d1", run_id="r2")
        put(ledger, document("a", "d1"), new, entries=[first])
        born = entry("d2", LogAction.ADDED, "r3", "wiki")
        put(ledger, document("b", "d2", source="wiki"), chunk("d2", 0), entries=[born])
        elsewhere = entry("d3", run_id="r4")
        put(ledger, document("c", "d3"), chunk("d3", 0), entries=[elsewhere], collection="next")
        assert ledger.log.newest() == []
        again.writes.settle("kb", [spare.point_id], T0)
        assert published(ledger) == [born]
        second = entry("d1", LogAction.MOVED, "r5")
        put(ledger, document("z", "d1"), new, entries=[second])
        again.writes.settle("kb", [], T0)
        assert published(ledger) == [born]
        for _ in range(2):
            again.writes.settle("kb", [old.point_id], T0)
            assert published(ledger) == [born, first, second]
        assert again.log.pending("next") == [elsewhere]

    def test_a_commit_that_fails_leaves_no_entry(self, ledger: Ledger) -> None:
        wanted = [intent(document("a", "d1"), (chunk("d1", 0),))]
        with pytest.raises(LedgerError, match="no open intent"):
            ledger.writes.commit("kb", wanted, [entry("d1")])
        ledger.writes.settle("kb", [], T0)
        assert ledger.log.pending("kb") == [] and ledger.log.newest() == []

    def test_what_was_committed_is_published_once_by_many_at_once(
        self, ledger: Ledger, again: Ledger, soak: bool
    ) -> None:
        happened = [entry(f"d{i}") for i in range(300 if soak else 100)]
        barrier = threading.Barrier(2)

        def settle(mine: Ledger) -> None:
            barrier.wait()
            for _ in range(40 if soak else 15):
                mine.writes.settle("kb", [], T0)

        threads = [threading.Thread(target=settle, args=(mine,)) for mine in (ledger, again)]
        for thread in threads:
            thread.start()
        for one in happened:
            put(ledger, document(one.subject, one.subject), entries=[one])
        for thread in threads:
            thread.join()
        ledger.writes.settle("kb", [], T0)
        assert published(ledger) == happened

    def test_numbers_have_no_gaps_with_two_that_write(
        self, ledger: Ledger, again: Ledger, soak: bool
    ) -> None:
        """Each goes through whole changes, notes and failures, and sees its own entries in their order."""
        barrier, errors = threading.Barrier(2), list[BaseException]()
        rounds = 60 if soak else 20

        def write(mine: Ledger, source: str) -> None:
            try:
                barrier.wait()
                for i in range(rounds):
                    name = f"{source}-{i}"
                    one = entry(name, source=source)
                    put(mine, document(name, name, source=source), chunk(name, i), entries=[one])
                    mine.documents.put([document(f"{name}.txt", source=source)], [entry(name, source=source)])
                    with pytest.raises(LedgerError):
                        mine.documents.put([document(name, "double", source=source)], [one])
                    mine.writes.settle("kb", [], T0)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=write, args=them) for them in ((ledger, "a"), (again, "b"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        found = published(ledger)
        assert len(found) == 4 * rounds
        for source in "ab":
            mine = [int(one.subject.rpartition("-")[2]) for one in found if one.source == source]
            assert mine == sorted(mine)

    def test_an_entry_names_the_actor_of_its_run(self, ledger: Ledger) -> None:
        ledger.runs.start("sync", T0, run_id="r7", actor="bert@host")
        ledger.log.append([LogEntry(T0, LogAction.PURGED, run_id="r7"), LogEntry(T0, LogAction.PURGED)])
        own, first = ledger.log.newest()
        assert first.actor == "bert@host"
        assert own.actor.endswith(f"@{socket.gethostname()}") and own.actor != f"@{socket.gethostname()}"

    def test_facts_are_codes_and_counts(self, ledger: Ledger) -> None:
        facts: dict[str, int | str] = {"removals": 3, "plan": "ab12"}
        ledger.log.append([LogEntry(T0, LogAction.APPROVED, facts=facts)])
        assert ledger.log.newest()[0].facts == facts
        for words in ("a sentence of a document", "a/path.md", "größe", "", "x" * 81):
            with pytest.raises(ValueError, match="no code or count"):
                LogEntry(T0, LogAction.APPROVED, facts={"reason": words})

    def test_every_change_and_its_entry_are_one(self, ledger: Ledger) -> None:
        """A write whose entry the ledger cannot take writes nothing, whatever it is."""
        old = Collection("kb-1", "f1", "model", "main", "bf16", 384, "current", T0)
        first = chunk("d1", 0)
        put(ledger, document("a", "d1"), first, chunk("d1", 1))
        ledger.writes.settle("kb", put(ledger, document("a", "d1"), first), T0)
        ledger.collections.put(old, [])
        ledger.collections.put(replace(old, name="kb-2", state="building"), [])
        ledger.holds.place(order("h1", T0), ["d1"], [])
        gone = replace(old, name="kb-3", state="building")
        ledger.documents.put([document("erased", "d8"), document("to erase", "d9")], [])
        placed(ledger, "E-0", ["d8"], T0)
        ledger.erasures.finish("E-0", "{}", T0)
        calls: dict[str, Callable[[Sequence[LogEntry]], object]] = {
            "documents.put": lambda done: ledger.documents.put([document("b", "d2")], done),
            "chunks.delete_rows": lambda done: ledger.chunks.delete_rows(
                "kb", [chunk("d1", 0).point_id], done
            ),
            "collections.put": lambda done: ledger.collections.put(gone, done),
            "reviews.add": lambda done: ledger.reviews.add([Review("d1", "anna", "", T0)], done),
            "holds.place": lambda done: ledger.holds.place(order("h2", T0), ["d1"], done),
            "holds.release": lambda done: ledger.holds.release("h1", "anna", "Settled.", T0, done),
            "erasures.placing": lambda done: placed(ledger, "E-1", ["d9"], T0, entries=done),
            "erasures.lift": lambda done: ledger.erasures.lift("E-0", "anna", "Consent.", T0, done),
            "runs.approve": lambda done: ledger.runs.approve("p1", "handbook", "r1", T0, done),
            "writes.switch_collection": lambda done: ledger.writes.switch_collection("kb-2", done),
            "writes.replace_collection": lambda done: ledger.writes.replace_collection("kb-2", "kb-3", done),
            "writes.drop_collection": lambda done: ledger.writes.drop_collection("kb-3", done),
            "writes.purged": lambda done: ledger.writes.purged("kb", ledger.points.absent("kb"), done),
        }
        for name, call in calls.items():
            before = self.everything(ledger)
            impossible = LogEntry(datetime(2026, 1, 1), LogAction.PURGED)
            with pytest.raises(LedgerError, match="no time zone"):
                call([impossible])
            assert self.everything(ledger) == before, name
            newest = len(published(ledger))
            call([entry("d1", LogAction.PURGED)])
            assert len(published(ledger)) == newest + 1, name
            after = self.everything(ledger)
            assert {table for table in after if after[table] != before[table]} > {"log"}, name

    def everything(self, ledger: Ledger) -> dict[str, list[Any]]:
        from index.ledger.schema import metadata

        with ledger.database.reading() as connection:
            return {
                table.name: sorted(map(repr, connection.execute(sa.select(table))))
                for table in metadata.sorted_tables
            }

    def test_the_ledger_knows_every_point_that_the_store_may_hold(self, ledger: Ledger) -> None:
        """I1: whatever step a run is killed at, no point is unknown."""
        old, new, never = chunk("d1", 0, "old"), chunk("d1", 0, "new"), chunk("d1", 1, "never")
        ids = [old.point_id, new.point_id, never.point_id, "unknown"]
        put(ledger, document("a", "d1"), old)
        assert ledger.points.known("kb", ids) == {old.point_id}
        ledger.writes.intend("r2", "kb", [intent(document("a", "d1"), (new, never))])
        assert ledger.points.known("kb", ids) == {old.point_id, new.point_id, never.point_id}
        assert ledger.points.known("other", ids) == set()
        gone = ledger.writes.commit("kb", [intent(document("a", "d1"), (new,))], [])
        assert gone == sorted([old.point_id, never.point_id]) == ledger.points.removals("kb")
        assert ledger.points.known("kb", ids) == {old.point_id, new.point_id, never.point_id}
        ledger.writes.settle("kb", gone, T0)
        assert ledger.points.known("kb", ids) == {new.point_id}, "what is absent must not be there"

    def test_a_removal_is_present_then_absent_then_purged(self, ledger: Ledger, again: Ledger) -> None:
        later = T0 + timedelta(hours=1)
        chunks = {name: chunk(name, 0) for name in ("d1", "d2", "d3")}
        for name, own in chunks.items():
            put(ledger, document(name, name), own)
            put(ledger, document(name, name, state=State.DELETED))
        one, two, three = (own.point_id for own in chunks.values())
        assert again.points.removals("kb") == sorted([one, two, three]) and again.points.absent("kb") == []
        ledger.writes.settle("kb", [one, "unknown"], T0)
        ledger.writes.settle("kb", [one, two], later)
        assert again.points.removals("kb") == [three] and again.points.absent("other") == []
        found = {removal.document_id: removal for removal in again.points.absent("kb")}
        assert found == {"d1": PointRemoval(one, "d1", T0), "d2": PointRemoval(two, "d2", later)}

        assert ledger.writes.purged("other", found.values(), []) == 0
        assert ledger.writes.purged("kb", [], []) == 0
        done = LogEntry(later, LogAction.PURGED, subject="kb", actor="anna@host", facts={"points": 1})
        assert ledger.writes.purged("kb", [found["d1"]], [done]) == 1
        assert published(again) == [done]
        assert ledger.writes.purged("kb", [found["d2"], PointRemoval(three, "d3", None)], []) == 1
        assert again.points.absent("kb") == [] and again.points.removals("kb") == [three]

    def test_a_removal_that_became_absent_anew_is_not_purged(self, ledger: Ledger) -> None:
        """Its bytes were written again after the purge had begun."""
        back, stays = chunk("d1", 0), chunk("d2", 0)
        for name, own in (("d1", back), ("d2", stays)):
            put(ledger, document(name, name), own)
            ledger.writes.settle("kb", put(ledger, document(name, name)), T0)
        seen = ledger.points.absent("kb")
        put(ledger, document("d1", "d1"), back)
        # Its clock is behind.
        before = T0 - timedelta(days=30)
        ledger.writes.settle("kb", put(ledger, document("d1", "d1")), before)
        assert ledger.writes.purged("kb", seen, []) == 1
        assert ledger.points.absent("kb") == [PointRemoval(back.point_id, "d1", before)]

    def test_an_absent_removal_is_present_when_its_point_may_be_there_again(self, ledger: Ledger) -> None:
        own, back, never = chunk("d1", 0), chunk("d1", 1), chunk("d1", 2)
        put(ledger, document("a", "d1"), own, back)
        ledger.writes.settle("kb", put(ledger, document("a", "d1")), T0)
        ledger.writes.intend("r2", "kb", [intent(document("a", "d1"), (back,))])
        ledger.writes.record_present("other", [own.point_id])
        assert ledger.points.removals("kb") == []
        ledger.writes.record_present("kb", [own.point_id, back.point_id, never.point_id])
        assert ledger.points.removals("kb") == [own.point_id] and ledger.points.absent("kb") == []

    def test_an_intent_is_of_the_run_that_wrote_it_last(self, ledger: Ledger, again: Ledger) -> None:
        wanted = [intent(document(uri, uri), (chunk(uri, 0),)) for uri in "abc"]
        ledger.writes.intend("r1", "kb", wanted[:2])
        ledger.writes.intend("r2", "kb", wanted[1:])
        assert again.points.intended("r1", "kb", ["a", "b", "c"]) == {"a"}
        assert again.points.intended("r2", "kb", ["a", "b"]) == {"b"}
        assert again.points.intended("r1", "other", ["a"]) == set()

    def test_a_point_that_is_intended_again_is_no_removal_any_more(self, ledger: Ledger) -> None:
        own = chunk("d1", 0)
        put(ledger, document("a", "d1"), own)
        ledger.writes.settle("kb", put(ledger, document("a", "d1")), T0)
        assert [removal.point_id for removal in ledger.points.absent("kb")] == [own.point_id]
        ledger.writes.intend("r2", "kb", [intent(document("a", "d1"), (own,))])
        assert ledger.points.absent("kb") == [] and ledger.points.known("kb", [own.point_id])
        # Given up and gone: it is to be removed anew.
        assert ledger.writes.commit("kb", [intent(document("a", "d1"))], []) == [own.point_id]
        assert ledger.points.removals("kb") == [own.point_id]

    def test_pending_entries_wait_for_present_removals_alone(self, ledger: Ledger) -> None:
        own, more = chunk("d1", 0), chunk("d1", 1)
        put(ledger, document("a", "d1"), own, more)
        ledger.writes.settle("kb", put(ledger, document("a", "d1"), more), T0)
        gone = put(ledger, document("a", "d1"), entries=[entry("d1")])
        ledger.writes.settle("kb", [], T0)
        assert published(ledger) == []
        ledger.writes.settle("kb", gone, T0)
        assert published(ledger) == [entry("d1")] and len(ledger.points.absent("kb")) == 2

    def test_the_removals_of_a_collection_go_with_it(self, ledger: Ledger) -> None:
        old = Collection("kb", "f1", "model", "main", "bf16", 384, "current", T0)
        ledger.collections.put(old, [])
        ledger.collections.put(replace(old, name="new", state="building"), [])
        put(ledger, document("a", "d1"), chunk("d1", 0))
        put(ledger, document("b", "d2"), chunk("d2", 0))
        ledger.writes.settle("kb", put(ledger, document("a", "d1")), T0)
        gone = put(ledger, document("b", "d2"))
        ledger.writes.replace_collection("kb", "new", [])
        assert ledger.points.removals("new") == gone and ledger.points.absent("new") == []
        assert len(ledger.points.absent("kb")) == 1
        ledger.writes.drop_collection("kb", [])
        assert ledger.points.absent("kb") == []

    # ── Holds and removals ────────────────────────────────────────────────────────────────────────────

    def test_a_removal_is_not_announced_of_a_document_that_is_held(
        self, ledger: Ledger, again: Ledger
    ) -> None:
        for name in ("d1", "d2"):
            put(ledger, document(name, name), chunk(name, 0))
        removed = [
            intent(document(name, name, state=State.DELETED), (), Action.DELETE) for name in ("d1", "d2")
        ]
        again.holds.place(order("h1", T0), ["d1"], [])
        assert ledger.writes.intend("r2", "kb", removed) == {"d1"}
        assert [found.document.document_id for _, _, found in ledger.points.intents()] == ["d2"]
        with pytest.raises(LedgerError, match="no open intent"):
            ledger.writes.commit("kb", removed[:1], [])
        assert again.holds.release("h1", "anna", "Settled.", T0, [])
        assert ledger.writes.intend("r2", "kb", removed[:1]) == set()
        again.holds.place(order("h2", T0, "What is said of it may change."), ["d1"], [])
        ledger.writes.drop_intents(["d1"])
        assert ledger.writes.intend("r3", "kb", [intent(document("d1", "d1"))]) == set()

    def test_nor_is_the_expiration_of_such_a_document(self, ledger: Ledger, again: Ledger) -> None:
        for name in ("d1", "d2"):
            put(ledger, document(name, name), chunk(name, 0))
        gone = [document(name, name, state=State.EXPIRED, version=0, chunk_count=0) for name in ("d1", "d2")]
        wanted = [intent(row, (), Action.EXPIRE) for row in gone]
        again.holds.place(order("h1", T0), ["d1"], [])
        assert ledger.writes.intend("r2", "kb", wanted) == {"d1"}
        entries = [entry("d2", LogAction.EXPIRED)]
        (obsolete,) = ledger.writes.commit("kb", wanted[1:], entries)
        assert ledger.documents.get("d2") == gone[1] and ledger.chunks.searchable("kb", [obsolete]) == {}
        assert published(ledger) == []
        ledger.writes.settle("kb", [obsolete], T0)
        assert published(ledger) == entries

    def test_retention_is_judged_of_live_documents_that_have_or_had_text(self, ledger: Ledger) -> None:
        said = {"contract_end": "2026-01-01", "SOURCE": {"größe": [1]}}
        texts = [
            document(f"{state}.md", state.value, state=state, version=1, properties=said, modified_at=T0)
            for state in State
        ]
        others = [
            document(f"no/{s}.md", f"no-{s}", state=s, version=0) for s in State if s is not State.EXPIRED
        ]
        expired = document("no-text.md", "no-text", state=State.EXPIRED, version=0)
        other_source = document("wiki.md", "wiki", source="wiki", version=1)
        ledger.documents.put([*texts, *others, expired, other_source], [])
        ledger.holds.place(order("h1", T0), ["held"], [])
        found = {row.document_id: row for row in ledger.documents.retained("handbook")}
        assert set(found) == {state.value for state in LIVE} | {"no-text"}
        assert found["held"] == RetainedRow("held", "held.md", State.HELD, T0, said, True)
        assert found["indexed"] == RetainedRow("indexed", "indexed.md", State.INDEXED, T0, said, False)

    def test_a_hold_and_a_removal_that_meet_take_turns(self, ledger: Ledger, again: Ledger) -> None:
        """The one that comes second waits, and sees what the first has done."""
        put(ledger, document("a", "d1"), chunk("d1", 0))
        removed = [intent(document("a", "d1", state=State.DELETED), (), Action.DELETE)]
        answers: list[set[str]] = []
        announcing = threading.Thread(
            target=lambda: answers.append(ledger.writes.intend("r2", "kb", removed))
        )
        from index.ledger.holds import lock
        from index.ledger.schema import held_documents, holds, values

        with again.database.writing() as connection:
            lock(again.database, connection, ["d1"])
            announcing.start()
            announcing.join(0.5)
            assert answers == []
            connection.execute(sa.insert(holds), values(order("h1", T0)))
            under = {"hold_id": "h1", "document_id": "d1", "since": T0}
            connection.execute(sa.insert(held_documents), under)
        announcing.join(60)
        assert answers == [{"d1"}] and ledger.points.intents() == []

    def test_a_deletion_hands_out_every_point_of_the_document(self, ledger: Ledger) -> None:
        chunks = [chunk("d1", i) for i in range(3)]
        put(ledger, document("a", "d1"), *chunks)
        put(ledger, document("b", "d2"), chunk("d2", 0))
        gone = put(ledger, document("a", "d1", state=State.DELETED))
        assert gone == sorted(record.point_id for record in chunks)
        assert ledger.chunks.count("kb") == 1 and [row.uri for row in ledger.documents.rows("handbook")] == [
            "b"
        ]

    def test_a_point_that_comes_back_is_no_longer_to_be_removed(self, ledger: Ledger) -> None:
        old, new = chunk("d1", 0, "old"), chunk("d1", 0, "new")
        put(ledger, document("a", "d1"), old)
        put(ledger, document("a", "d1"), new)
        assert put(ledger, document("a", "d1"), old) == [new.point_id]
        assert ledger.points.removals("kb") == [new.point_id]

    def test_what_was_never_intended_cannot_be_committed(self, ledger: Ledger) -> None:
        first = intent(document("a", "d1"), (chunk("d1", 0),))
        with pytest.raises(LedgerError, match="no open intent"):
            ledger.writes.commit("kb", [first], [])
        ledger.writes.intend("r1", "kb", [first])
        with pytest.raises(LedgerError, match="no open intent"):
            ledger.writes.commit("other", [first], [])
        with pytest.raises(LedgerError, match="1 of its points were never intended"):
            ledger.writes.commit("kb", [intent(document("a", "d1"), (chunk("d1", 0), chunk("d1", 1)))], [])
        assert ledger.documents.get("d1") is None and ledger.chunks.count("kb") == 0
        assert ledger.points.intents() == [("r1", "kb", first)]

    def test_an_intent_gives_way_only_to_one_that_names_all_its_points(self, ledger: Ledger) -> None:
        first = intent(document("a", "d1"), (chunk("d1", 0), chunk("d1", 1)))
        ledger.writes.intend("r1", "kb", [first])
        ledger.writes.intend("r1", "kb", [first])
        more = intent(document("b", "d1"), (*first.chunks, chunk("d1", 2)))
        ledger.writes.intend("r2", "kb", [more])
        for collection, less in (("kb", first), ("other", more)):
            with pytest.raises(LedgerError, match="unfinished change of run r2 in collection 'kb'"):
                ledger.writes.intend("r3", collection, [intent(document("z", "d9")), less])
        assert ledger.points.intents() == [("r2", "kb", more)]

    def test_intents_are_given_up_by_document(self, ledger: Ledger) -> None:
        ledger.writes.intend("r1", "kb", [intent(document("a", "d1")), intent(document("b", "d2"))])
        ledger.writes.drop_intents(["d1", "unknown"])
        assert [found.document.document_id for _, _, found in ledger.points.intents()] == ["d2"]

    def test_empty_batches_are_no_error(self, ledger: Ledger) -> None:
        ledger.documents.put([], [])
        ledger.writes.intend("r1", "kb", [])
        assert ledger.writes.commit("kb", [], []) == []
        ledger.log.append([])
        ledger.writes.settle("kb", [], T0)
        ledger.writes.drop_intents([])
        assert ledger.chunks.of("kb", []) == {} and ledger.chunks.searchable("kb", []) == {}

    def test_an_intent_survives_the_death_of_its_process(
        self, ledger: Ledger, url: str, tmp_path: Path
    ) -> None:
        code = """
import os, pathlib, signal, sys
from index.ledger import Ledger
from index.model import *
from index.records import *
ledger = Ledger.open(sys.argv[1], pathlib.Path(sys.argv[2]))
document = Document("d1", "handbook", "a", State.INDEXED)
ledger.writes.intend("r1", "kb", [Intent(Action.ADD, document, (ChunkRecord("p1", "d1", 0, "e", "p"),))])
with ledger.database.writing() as connection:
    connection.exec_driver_sql("DELETE FROM intents")
    os.kill(os.getpid(), signal.SIGKILL)
"""
        with other_process(code, url, str(tmp_path)) as process:
            assert process.wait(timeout=60) == -signal.SIGKILL
        ((_, _, found),) = ledger.points.intents()
        assert found.document.document_id == "d1"
        assert ledger.points.known("kb", ["p1"]) == {"p1"}

    # ── Collections ───────────────────────────────────────────────────────────────────────────────────

    def test_a_new_collection_takes_over_in_one_step(self, ledger: Ledger, again: Ledger) -> None:
        old = Collection("kb-1", "f1", "model", "main", "bf16", 384, "current", T0)
        new = replace(old, name="kb-2", embedding_fingerprint="f2", state="building")
        assert ledger.collections.current() is None
        ledger.collections.put(old, [])
        ledger.collections.put(new, [])
        put(ledger, document("a", "d1"), chunk("d1", 0), collection="kb-1")
        put(ledger, document("a", "d1"), chunk("d1", 0), collection="kb-2")
        assert again.collections.current() == old

        for _ in range(2):
            ledger.writes.switch_collection("kb-2", [])
            assert again.collections.current() == replace(new, state="current")
            assert again.collections.all() == [replace(old, state="dropping"), replace(new, state="current")]
            assert (again.chunks.count("kb-1"), again.chunks.count("kb-2")) == (0, 1)

        ledger.writes.drop_collection("kb-1", [])
        ledger.writes.drop_collection("unknown", [])
        assert [found.name for found in again.collections.all()] == ["kb-2"]

    def test_what_was_committed_to_a_collection_is_published_when_that_is_dropped(
        self, ledger: Ledger, again: Ledger
    ) -> None:
        old = Collection("kb-1", "f1", "model", "main", "bf16", 384, "current", T0)
        ledger.collections.put(old, [])
        ledger.collections.put(replace(old, name="kb-2", state="building"), [])
        put(ledger, document("a", "d1"), chunk("d1", 0), collection="kb-1")
        deleted = entry("d1", LogAction.DELETED)
        put(ledger, document("a", "d1", state=State.DELETED), collection="kb-1", entries=[deleted])
        ledger.writes.switch_collection("kb-2", [])
        # Its points are still there.
        assert again.log.newest() == []
        for _ in range(2):
            ledger.writes.drop_collection("kb-1", [])
            assert published(again) == [deleted]

    def test_only_a_collection_that_is_building_can_take_over(self, ledger: Ledger) -> None:
        old = Collection("kb-1", "f1", "model", "main", "bf16", 384, "current", T0)
        ledger.collections.put(old, [])
        ledger.collections.put(replace(old, name="kb-0", state="dropping"), [])
        with pytest.raises(LedgerError, match="'kb-0' is not being built: it is dropping"):
            ledger.writes.switch_collection("kb-0", [])
        with pytest.raises(LedgerError, match="unknown"):
            ledger.writes.switch_collection("kb-9", [])
        with pytest.raises(LedgerError):
            ledger.collections.put(replace(old, name="kb-3"), [])
        assert ledger.collections.current() == old

    def test_a_collection_is_replaced_only_while_it_is_in_use_and_by_one_that_is_building(
        self, ledger: Ledger
    ) -> None:
        old = Collection("kb-1", "f1", "model", "main", "bf16", 384, "current", T0)
        ledger.collections.put(old, [])
        ledger.collections.put(replace(old, name="kb-0", state="dropping"), [])
        ledger.collections.put(replace(old, name="kb-2", state="building"), [])
        put(ledger, document("a", "d1"), chunk("d1", 0), collection="kb-1")
        before = self.everything(ledger)
        for former, name, why in (
            ("kb-1", "kb-0", "'kb-0' is not being built: it is dropping"),
            ("kb-1", "kb-9", "'kb-9' is not being built: it is unknown"),
            ("kb-0", "kb-2", "'kb-0' is not in use: it is dropping"),
            ("kb-9", "kb-2", "'kb-9' is not in use: it is unknown"),
        ):
            with pytest.raises(LedgerError, match=why):
                ledger.writes.replace_collection(former, name, [entry("d1", LogAction.PURGED)])
            assert self.everything(ledger) == before

    def test_a_collection_that_is_given_up_is_not_taken_into_use(self, ledger: Ledger, again: Ledger) -> None:
        old = Collection("kb-1", "f1", "model", "main", "bf16", 384, "current", T0)
        ledger.collections.put(old, [])
        ledger.collections.put(replace(old, name="kb-2", state="building"), [])
        assert not again.writes.give_up_collection("kb-1") and ledger.collections.current() == old
        assert again.writes.give_up_collection("kb-2") and again.writes.give_up_collection("unknown")
        with pytest.raises(LedgerError, match="it is dropping"):
            ledger.writes.switch_collection("kb-2", [])
        with pytest.raises(LedgerError, match="it is dropping"):
            ledger.writes.replace_collection("kb-1", "kb-2", [])
        assert ledger.collections.current() == old

    # ── Runs, plans, approvals ────────────────────────────────────────────────────────────────────────

    def test_runs_are_listed_newest_first(self, ledger: Ledger, again: Ledger) -> None:
        runs = [ledger.runs.start("sync", T0 + timedelta(seconds=i)) for i in range(4)]
        assert again.runs.newest(2) == [runs[3], runs[2]]
        assert runs[0].host == socket.gethostname() and runs[0].pid == os.getpid()
        assert runs[0].finished_at is None and runs[0].outcome == ""
        ledger.runs.finish(runs[1].run_id, T0, "failed", {"added": 3}, "The store is full.")
        ended = replace(
            runs[1], finished_at=T0, outcome="failed", counts={"added": 3}, error="The store is full."
        )
        assert again.runs.newest() == [runs[3], runs[2], ended, runs[0]]
        with pytest.raises(LedgerError, match="no run nope"):
            ledger.runs.finish("nope", T0, "done", {})

    def test_a_plan_is_frozen_in_batches_until_its_run_ends(self, ledger: Ledger, again: Ledger) -> None:
        run = ledger.runs.start("sync", T0)
        items = [Item(Action.ADD, f"{i}.md", str(i)) for i in range(5)]
        moved = Item(Action.MOVE, "b.md", "x", "a.md", Cause.REPAIR, "The same content.")
        ledger.runs.save_plan(run.run_id, "handbook", "p1", {"add": 5}, [items[:3], items[3:]])
        ledger.runs.save_plan(run.run_id, "wiki", "p2", {"move": 1}, [[moved]])
        ledger.runs.save_plan(run.run_id, "empty", "p3", {}, [])
        assert again.runs.batches(run.run_id) == [(1, "handbook"), (2, "handbook"), (3, "wiki")]
        assert again.runs.batch(run.run_id, 1) == ("handbook", items[:3])
        assert again.runs.batch(run.run_id, 3) == ("wiki", [moved])
        with pytest.raises(LedgerError, match="no batch 4"):
            again.runs.batch(run.run_id, 4)
        ledger.runs.finish(run.run_id, T0, "done", {})
        assert again.runs.batches(run.run_id) == []

    def test_a_plan_of_the_same_run_takes_the_place_of_the_one_before(
        self, ledger: Ledger, again: Ledger
    ) -> None:
        run = ledger.runs.start("verify", T0)
        items = [Item(Action.ADD, f"{i}.md", str(i)) for i in range(3)]
        ledger.runs.save_plan(run.run_id, "handbook", "p1", {"add": 3}, [items[:1], items[1:]])
        ledger.runs.save_plan(run.run_id, "wiki", "p2", {"add": 1}, [items[:1]])
        ledger.runs.save_plan(run.run_id, "handbook", "p3", {"add": 1}, [items[2:]])
        # No number is met twice.
        assert again.runs.batches(run.run_id) == [(3, "wiki"), (4, "handbook")]
        assert again.runs.batch(run.run_id, 4) == ("handbook", items[2:])

    def test_an_approval_is_good_once(self, ledger: Ledger, again: Ledger) -> None:
        assert not ledger.runs.approved("p1")
        assert ledger.runs.approve("p1", "handbook", "r1", T0, [])
        assert again.runs.approved("p1")
        assert not again.runs.approve("p1", "handbook", "r2", T0, [])
        assert again.runs.approve("p2", "handbook", "r2", T0, [])

    # ── Log, reviews, holds, tombstones ───────────────────────────────────────────────────────────────

    def test_entries_are_listed_newest_first(self, ledger: Ledger, again: Ledger) -> None:
        happened = [entry(f"d{i}", run_id=f"r{i}") for i in range(3)]
        ledger.documents.put([], happened)
        assert again.log.newest(2) == [replace(happened[2], sequence=3), replace(happened[1], sequence=2)]

    def test_a_run_is_asked_what_it_did_to_documents(self, ledger: Ledger) -> None:
        happened = [
            entry(document_id, LogAction(action), run_id)
            for run_id, document_id, action in (
                ("r1", "d1", "added"), ("r2", "d1", "updated"), ("r2", "d2", "added"), ("r2", "d2", "moved"),
                ("r2", "d3", "added"),
            )
        ]  # fmt: skip
        ledger.documents.put([], happened)
        assert ledger.log.actions_of("r2", ["d1", "d2", "d4"]) == {"d1": "updated", "d2": "moved"}
        assert ledger.log.actions_of("r3", ["d1"]) == {} and ledger.log.actions_of("r2", []) == {}

    def test_reviews_come_in_the_order_of_their_recording(self, ledger: Ledger, again: Ledger) -> None:
        ahead = Review("d1", "anna", "Still right.", T0 + timedelta(days=1), "aa")
        later, other = Review("d1", "bert", "", T0), Review("d2", "anna", "", T0)
        ledger.reviews.add([ahead], [])
        ledger.reviews.add([later, other], [])
        ledger.reviews.add([], [])
        assert again.reviews.of(["d1", "d3"]) == {"d1": [ahead, later]}
        assert again.reviews.of() == {"d1": [ahead, later], "d2": [other]}

    def test_owners_are_those_of_live_documents(self, ledger: Ledger) -> None:
        ledger.documents.put(
            [
                document("a", owner="Anna", owners=["Anna", "bo"]),
                document("b", owner="carla"),
                document("c", state=State.DELETED, owner="gone", owners=["gone"]),
                document("d"),
            ],
            [],
        )
        assert ledger.documents.owners() == {"Anna", "bo", "carla"}

    def test_a_review_is_untold_until_the_documents_row_has_it(self, ledger: Ledger) -> None:
        known = replace(document("a", "d1"), version=1)
        ledger.documents.put([known, document("b", "d2")], [])
        ledger.reviews.add([Review("d1", "anna", "", T0)], [])
        assert ledger.reviews.pending("handbook") == ["d1"]
        assert ledger.reviews.pending("other") == []
        ledger.documents.put([replace(known, reviewed_at=T0)], [])
        assert ledger.reviews.pending("handbook") == []
        ledger.reviews.add([Review("d1", "anna", "", T0 - timedelta(days=1))], [])
        assert ledger.reviews.pending("handbook") == ["d1"], "the last one counts, whatever its clock said"

    def test_a_document_is_held_while_any_hold_stands(self, ledger: Ledger) -> None:
        ledger.documents.put([document("a", "d1"), document("b", "d2")], [])

        def held() -> list[bool]:
            return [row.held for row in ledger.documents.rows("handbook")]

        assert ledger.holds.place(order("h1", T0), ["d1", "d2", "d1"], []) == 2
        ledger.holds.place(order("h2", T0 + timedelta(days=1)), ["d1"], [])
        assert held() == [True, True] and ledger.holds.held() == {"d1", "d2"}
        assert ledger.holds.members("h1") == ["d1", "d2"] and ledger.holds.members("h1", 1) == ["d1"]
        assert ledger.holds.counts() == {"h1": 2, "h2": 1} and ledger.holds.tally() == (2, 2)
        of = ledger.holds.of(["d1", "d2", "d3"])
        assert {name: [hold.hold_id for hold in holds] for name, holds in of.items()} == {
            "d1": ["h1", "h2"],
            "d2": ["h1"],
        }
        assert ledger.holds.release("h1", "bo", "Settled.", T0, [])
        assert not ledger.holds.release("h1", "bo", "Settled.", T0, [])
        assert not ledger.holds.release("none", "bo", "Settled.", T0, [])
        assert held() == [True, False] and ledger.holds.tally() == (1, 1)
        assert [hold.hold_id for hold in ledger.holds.standing()] == ["h2"]
        assert [hold.hold_id for hold in ledger.holds.all()] == ["h1", "h2"]
        with pytest.raises(LedgerError):
            ledger.holds.place(order("h1", T0), ["d2"], [])
        assert held() == [True, False]

    def test_a_hold_comes_back_as_it_was_placed_and_released(self, ledger: Ledger, again: Ledger) -> None:
        full = order(
            "H-1", T0, "Größe v. 𝔘", matter="12/26", until=T0 + timedelta(days=365_000), source="handbook",
            kind=HoldKind.PATTERN, target="größe/**",
        )  # fmt: skip
        ledger.holds.place(full, [], [])
        assert again.holds.get("H-1") == full and again.holds.get("H-2") is None
        ledger.holds.release("H-1", "bo", "Vergleich", T0, [])
        ended = replace(full, released_at=T0, released_by="bo", release_reason="Vergleich")
        assert again.holds.get("H-1") == ended

    def test_a_hold_ends_at_its_instant(self, ledger: Ledger) -> None:
        ledger.documents.put([document("a", "d1"), document("b", "d2")], [])
        end = T0 + timedelta(days=10)
        ledger.holds.place(order("h1", T0, until=end), ["d1"], [])
        everything = order("h2", T0, until=end, kind=HoldKind.SOURCE, target="handbook", source="handbook")
        ledger.holds.place(everything, [], [])
        removed = [intent(document("a", "d1", state=State.DELETED), (), Action.DELETE)]
        for now, held in ((end - timedelta(microseconds=1), True), (end, False)):
            ledger.database.now = lambda now=now: now  # type: ignore[misc]
            assert {row.held for row in ledger.documents.rows("handbook")} == {held}
            assert len(ledger.holds.standing()) == 2 * held and bool(ledger.holds.of(["d1"])) == held
            assert ("d2" in ledger.holds.held()) == held
            assert ledger.writes.intend("r1", "kb", removed) == ({"d1"} if held else set())
            ledger.documents.put([document(f"new {held}")], [])
            assert (f"id-of-new {held}" in ledger.holds.members("h2")) == held
        assert not ledger.holds.release("h1", "bo", "Too late.", end, [])
        assert [hold.stands(end) for hold in ledger.holds.all()] == [False, False]

    @pytest.mark.parametrize(
        "kind, target, source, first",
        [
            (HoldKind.PATTERN, "team/**", "", {"d1", "d3"}),
            (HoldKind.PATTERN, "team/**", "handbook", {"d1"}),
            (HoldKind.OWNER, " USER:anna", "", {"d2", "d3"}),
            (HoldKind.SOURCE, "handbook", "handbook", {"d1", "d2"}),
        ],
    )
    def test_a_hold_covers_documents_that_come_to_match_and_lets_none_go(
        self, ledger: Ledger, kind: HoldKind, target: str, source: str, first: set[str]
    ) -> None:
        there = [
            document("team/a", "d1"),
            document("b", "d2", owner="user:Anna"),
            document("team/c", "d3", source="wiki", owners=["user:bo", "user:anna"], owner="user:bo"),
            document("team/gone", "d4", state=State.DELETED, owner="user:anna"),
        ]
        ledger.documents.put(there, [])
        assert ledger.holds.place(order("h1", T0, kind=kind, target=target, source=source), [], []) == len(
            first
        )
        assert ledger.holds.held() == first
        # Nothing matches any more, and all of it stays held.
        ledger.documents.refresh(
            [replace(d, uri=f"other/{d.uri[-1]}", owner="", owners=[]) for d in there[:3]]
        )
        assert ledger.holds.held() == first
        new = document("team/new", "d5", owner="User:Anna", owners=["User:Anna"])
        ledger.documents.put([replace(new, document_id="d6", uri="team/old", state=State.DELETED)], [])
        assert ledger.holds.held() == first
        put(ledger, new, chunk("d5", 0))
        assert ledger.holds.held() == first | {"d5"}
        ledger.holds.release("h1", "anna", "Settled.", T0, [])
        ledger.documents.put([document("team/last", "d7", owner="user:anna")], [])
        assert ledger.holds.held() == set() and "d7" not in ledger.holds.members("h1")

    def test_the_row_of_a_held_document_is_not_written_as_gone(self, ledger: Ledger) -> None:
        there = [document("a", "d1", state=State.SKIPPED), document("b", "d2", state=State.SKIPPED)]
        ledger.documents.put(there, [])
        ledger.holds.place(order("h1", T0), ["d1"], [])
        gone = [replace(d, state=State.DELETED, deleted_at=T0) for d in there]
        ledger.documents.put(gone, [entry("d1", LogAction.DELETED), entry("d2", LogAction.DELETED)])
        assert ledger.documents.get("d1") == there[0] and ledger.documents.get("d2") == gone[1]
        assert [said.subject for said in published(ledger)] == ["d2"]

    def test_the_documents_that_wait_for_a_release_are_counted(self, ledger: Ledger) -> None:
        names = ["d1", "d2", "d3"]
        there = [document(name, name, state=State.HELD) for name in names] + [document("e", "d4")]
        ledger.documents.put(there, [])
        ledger.holds.place(order("h1", T0), [*names, "d4"], [])
        ledger.holds.place(order("h2", T0), ["d2"], [])
        assert ledger.holds.waiting("h1") == 0
        ledger.holds.release("h1", "anna", "Settled.", T0, [])
        assert ledger.holds.waiting("h1") == 2

    def test_a_hold_is_remembered_after_its_release(self, ledger: Ledger) -> None:
        ledger.holds.place(order("LH-1", T0), ["d1", "d2"], [])
        ledger.holds.release("LH-1", "anna", "Settled.", T0, [])
        assert ledger.holds.once_held(["d1", "d3"]) == {"d1"}

    def test_no_document_is_missed_that_comes_while_a_hold_is_placed(
        self, ledger: Ledger, again: Ledger
    ) -> None:
        """The transaction that comes second waits, and sees what the first has done, in either order."""
        everything = order("h1", T0, kind=HoldKind.SOURCE, target="handbook", source="handbook")
        put(ledger, document("a", "d1"), chunk("d1", 0))

        def waits(first: Callable[[sa.Connection], object], second: Callable[[], object]) -> None:
            other = threading.Thread(target=second)
            with again.database.writing() as connection:
                first(connection)
                other.start()
                other.join(0.5)
                assert other.is_alive()
            other.join(60)
            assert not other.is_alive()

        from index.ledger.documents import replace as write

        new = document("b", "d2")
        waits(
            lambda connection: write(again.database, connection, [new]),
            lambda: ledger.holds.place(everything, [], []),
        )
        assert ledger.holds.held() == {"d1", "d2"}

    def test_holds_and_writes_at_once_miss_nothing(self, ledger: Ledger, again: Ledger) -> None:
        def write() -> None:
            for number in range(40):
                put(ledger, document(f"{number}", f"d{number}"), chunk(f"d{number}", 0))

        def place() -> None:
            for number in range(8):
                kind = {"kind": HoldKind.SOURCE, "target": "handbook", "source": "handbook"}
                again.holds.place(order(f"h{number}", T0, **kind), [], [])

        threads = [threading.Thread(target=work) for work in (write, place)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert ledger.holds.counts() == {f"h{number}": 40 for number in range(8)}

    def test_many_removals_and_holds_at_once_agree(self, ledger: Ledger, again: Ledger) -> None:
        """A hold that stood before the announcement keeps its document; no other order of the two is seen."""
        names = [f"d{number}" for number in range(30)]
        for name in names:
            put(ledger, document(name, name), chunk(name, 0))
        spared: set[str] = set()

        def remove() -> None:
            for name in names:
                gone = intent(document(name, name, state=State.DELETED), (), Action.DELETE)
                spared.update(ledger.writes.intend("r2", "kb", [gone]))

        removing = threading.Thread(target=remove)
        removing.start()
        for name in reversed(names):
            again.holds.place(order(f"h-{name}", T0), [name], [])
        removing.join(120)
        announced = {found.document.document_id for _, _, found in ledger.points.intents()}
        assert announced | spared == set(names) and not announced & spared
        assert ledger.writes.intend("r3", "kb", []) == set()

    # ── Several at once ───────────────────────────────────────────────────────────────────────────────

    def test_a_reader_does_not_wait_for_an_open_write(self, ledger: Ledger, again: Ledger) -> None:
        ledger.documents.put([document("a", "d1")], [])
        with ledger.database.writing() as connection:
            connection.exec_driver_sql("UPDATE documents SET uri = 'b'")
            assert [row.uri for row in again.documents.rows("handbook")] == ["a"]
            assert [row.uri for row in ledger.documents.rows("handbook")] == ["a"]
        assert [row.uri for row in again.documents.rows("handbook")] == ["b"]

    def test_threads_and_processes_write_side_by_side(self, ledger: Ledger, url: str, tmp_path: Path) -> None:
        code = """
import pathlib, sys
from index.ledger import Ledger
from index.model import State
from index.records import Document
with Ledger.open(sys.argv[1], pathlib.Path(sys.argv[2])) as ledger:
    print("ready", flush=True)
    for i in range(30):
        ledger.documents.put([Document(f"p{i}", "other", f"p{i}", State.INDEXED)], [])
"""
        with other_process(code, url, str(tmp_path)) as process:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"

            def write(name: str) -> None:
                for i in range(30):
                    ledger.documents.put([document(f"{name}{i}")], [])
                    list(ledger.documents.rows("handbook"))

            threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert process.wait(timeout=60) == 0
        assert ledger.documents.counts() == {"handbook": {"indexed": 60}, "other": {"indexed": 30}}

    # ── Writer locks ──────────────────────────────────────────────────────────────────────────────────

    HOLDER = """
import pathlib, sys
from index.ledger import Ledger
from tests.erasures import placed
from tests.holds import order
with Ledger.open(sys.argv[1], pathlib.Path(sys.argv[2])) as ledger:
    with ledger.writer("hand/book", "freshkb sync"):
        print("held", flush=True)
        sys.stdin.readline()
"""

    def test_a_source_has_one_writer(self, ledger: Ledger, again: Ledger) -> None:
        with ledger.writer("a", "freshkb sync"), ledger.writer("b", "freshkb watch"):
            with pytest.raises(
                Locked, match=rf"'a' is being written by `freshkb sync` on .*pid {os.getpid()}"
            ):
                again.writer("a", "freshkb sync").__enter__()
            with pytest.raises(Locked), ledger.writer("a", "freshkb sync"):
                pass
            assert [(writer.source, writer.command) for writer in again.writers()] == [
                ("a", "freshkb sync"),
                ("b", "freshkb watch"),
            ]
        assert again.writers() == []
        with again.writer("a", "freshkb sync"):
            pass

    def test_a_writer_that_fails_lets_go(self, ledger: Ledger, again: Ledger) -> None:
        with pytest.raises(KeyError), ledger.writer("a", "freshkb sync"):
            raise KeyError
        assert again.writers() == []
        with again.writer("a", "freshkb sync"):
            pass

    def test_a_builder_is_alone_with_the_sources_that_it_writes(self, ledger: Ledger, again: Ledger) -> None:
        ledger.require_no_builder()
        with ledger.writer("a", "freshkb reindex"), ledger.writer(":orders", "freshkb erase"):
            with again.writer("b", "freshkb sync"):
                with pytest.raises(Locked, match="'b' is being written by `freshkb sync`"):
                    ledger.builder("freshkb reindex", ["a"]).__enter__()
                again.require_no_builder()
            with ledger.builder("freshkb reindex", ["a"]):
                with pytest.raises(Locked, match="is being built anew by `freshkb reindex`"):
                    again.require_no_builder()
                with pytest.raises(Locked, match="is being built anew"):
                    again.builder("freshkb purge", []).__enter__()
            again.require_no_builder()

    def test_the_holder_in_another_process_is_named(self, ledger: Ledger, url: str, tmp_path: Path) -> None:
        with other_process(self.HOLDER, url, str(tmp_path)) as process:
            assert process.stdout is not None and process.stdout.readline() == "held\n"
            host = socket.gethostname()
            with pytest.raises(
                Locked, match=rf"`freshkb sync` on {host} \(pid {process.pid}, since 20.*Wait until"
            ):
                ledger.writer("hand/book", "freshkb sync").__enter__()
            (writer,) = ledger.writers()
            assert (writer.source, writer.pid) == ("hand/book", process.pid)
            assert abs(datetime.now(UTC) - writer.since) < timedelta(minutes=1)
            process.communicate("\n", timeout=60)
        assert process.returncode == 0
        assert ledger.writers() == []
        with ledger.writer("hand/book", "freshkb sync"):
            pass

    def test_a_holder_that_was_killed_holds_nothing(self, ledger: Ledger, url: str, tmp_path: Path) -> None:
        with other_process(self.HOLDER, url, str(tmp_path)) as process:
            assert process.stdout is not None and process.stdout.readline() == "held\n"
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=60)
        self.await_release(ledger, "hand/book")
        assert ledger.writers() == []
        with ledger.writer("hand/book", "freshkb sync"):
            (writer,) = ledger.writers()
            assert writer.pid == os.getpid()

    def await_release(self, ledger: Ledger, source: str) -> None:
        """Return when the system has noticed that the holder is dead."""
