"""Each call of ledger and store during an erasure fails once: the order is finished, no receipt is false."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from index.erase.carry_out import carry_out
from index.erase.place import place
from index.erase.target import Target
from index.errors import FreshkbError
from index.ledger import OrderState, database, sqlite
from index.parse import Parser
from index.run import Run
from index.verify.compare import verify
from tests.copies import copy
from tests.knowledge import Knowledge
from tests.promises import bytes_left
from tests.promises.faulty import Fault
from tests.promises.parts import Call
from tests.soak import LONG

if TYPE_CHECKING:
    from tests.postgres import Server as PostgreSQL

pytest_plugins = ["tests.postgres"]

pytestmark = pytest.mark.usefixtures("examined_here", "scanned_here")

#: Parts that an erasure calls, and the ways in which a call of theirs fails.
PARTS = ("ledger", "store")
MODES = ("before", "after", "half", "late", "full", "gone")


@pytest.fixture(autouse=True)
def small_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "STREAM_ROWS", 2)
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.01)
    monkeypatch.setattr("index.erase.remove.PATIENCE_SECONDS", 0.0)


class Bench:
    """A knowledge base from which a document is erased, each time from the same state. The files stay."""

    def __init__(self, kb: Knowledge, server: PostgreSQL | None = None) -> None:
        self.kb, self._saved = kb, kb.home / "saved"
        self._server, self._ledger = server, server.create_database() if server else "sqlite"
        self._calls: Sequence[Call] = ()
        kb.settings["ledger"] = self._ledger
        kb.source["delete"] = {"max_fraction": 1.0}
        for name in "abc":
            kb.write(
                f"{name}.md", f"# {name.upper()}\n\nWhat there is to say of {name}.\n\n## Two\n\nMore.\n"
            )
        # A document of words that no other has, and a copy of it.
        random = Random(7)
        words = [bytes_left.word(random) for _ in range(3)]
        content = f"# {words[0]}\n\n{words[1]} it is.\n\n## Two\n\n{words[2]}.\n"
        self.uri = f"{words[2]}.md"
        for uri in (self.uri, "copy.md"):
            kb.write(uri, content)
        kb.sync()
        points = [point for point in kb.points().values() if words[0] in str(point.payload)]
        self.needles = bytes_left.of_words(words)
        for number, point in enumerate(points):
            self.needles |= bytes_left.of_vector(f"vector {number}", point.dense or ())
        assert bytes_left.held([self.state], self.needles).keys() == self.needles.keys()
        copy(self.state, self._saved)

    @property
    def state(self) -> Path:
        return self.kb.home / ".freshkb"

    def restore(self) -> None:
        shutil.rmtree(self.state)
        copy(self._saved, self.state)
        if self._server:
            self.kb.settings["ledger"] = self._server.copy_database(self._ledger)

    def calls(self) -> Sequence[Call]:
        """The calls that an erasure makes in which none fails."""
        if not self._calls:
            fault = Fault("", "before")
            self.erase(fault, 1)
            self._calls = fault.met
        return self._calls

    def erase(self, fault: Fault, at: int) -> None:
        """One order, the `at`-th call of which fails; and the attempt after it."""
        self.restore()
        needles, target = self.needles, Target([self.uri])
        with self.kb.workspace() as workspace:
            fault.fit(workspace)
            fault.arm(at)
            try:
                order = place(workspace, target, "Asked.").order_id
                report = carry_out(Run(workspace, "erase"), order)
                assert report.done or report.error, fault
            except FreshkbError:
                # Before the order was on record, or where the run's end could not be put there.
                assert fault.fired, fault
            finally:
                fault.armed = False
        with self.kb.workspace() as workspace:
            if bytes_left.receipted(workspace):
                assert bytes_left.held([self.state], needles) == {}, f"a false receipt: {fault}"
            if not workspace.ledger.erasures.all():
                place(workspace, target, "Asked.")
            for left in workspace.ledger.erasures.open():
                assert carry_out(Run(workspace, "erase"), left.order_id).done, fault
            (placed,) = workspace.ledger.erasures.all()
            assert (placed.state, placed.documents) == (OrderState.DONE, 2), fault
            assert bytes_left.receipted(workspace) == {placed.order_id}, fault
            assert bytes_left.said_done(workspace) == [placed.order_id], fault
        held = bytes_left.held([self.state], needles)
        assert held == {}, (fault, held)

    def check(self) -> None:
        """After the last erasure, nothing comes back, though all files are there."""
        self.kb.sync()
        with self.kb.workspace() as workspace:
            assert {document.uri for document in workspace.ledger.documents.find()} == {
                "a.md",
                "b.md",
                "c.md",
            }
            assert verify(workspace, deep=True).ok
        assert bytes_left.held([self.state], self.needles) == {}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, parser: Parser) -> Bench:
    return Bench(Knowledge(tmp_path_factory.mktemp("erased") / "kb", parser))


@pytest.mark.parametrize("part", PARTS)
def test_an_order_whose_nth_call_fails_is_finished_by_the_next_attempt(
    part: str, bench: Bench, soak: bool
) -> None:
    _every_call(bench, part, soak)


@LONG
def test_nor_does_a_ledger_on_a_server_break_one(
    tmp_path: Path, parser: Parser, soak: bool, postgresql: PostgreSQL
) -> None:
    _every_call(Bench(Knowledge(tmp_path / "kb", parser), postgresql), "ledger", soak, ("before", "after"))


def _every_call(bench: Bench, part: str, soak: bool, modes: Sequence[str] = MODES) -> None:
    fired = Counter[str]()
    for mode in modes:
        for at in _picked(bench, Fault(part, mode), soak):
            fault = Fault(part, mode)
            bench.erase(fault, at)
            fired[fault.fired] += bool(fault.fired)
    bench.check()
    print(f"{part}: {fired.total()} faults {dict(fired)}")
    assert fired.total() >= (30 if soak else 4)


def _picked(bench: Bench, fault: Fault, soak: bool) -> list[int]:
    """The numbers of the calls that are to fail in this way. In the short form, some by their names, once
    each: of the ledger's many every twelfth, of the store's every third. Those that write fail after they
    took effect, those that read before."""
    if not soak and fault.mode not in ("before", "after"):
        return []
    able = [call for call in bench.calls() if fault.applies(call)]
    if soak:
        return list(range(1, len(able) + 1))
    first: dict[str, int] = {}
    for number, call in enumerate(able, 1):
        if fault.mode == "after" or not Fault(fault.part, "after").applies(call):
            first.setdefault(str(call), number)
    return list(first.values())[:: 12 if fault.part == "ledger" else 3]
