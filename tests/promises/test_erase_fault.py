"""Each call of ledger and store during an erasure fails once: the order is finished, no receipt is false."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from index.erase.carry_out import carry_out
from index.erase.place import place
from index.erase.target import Target
from index.errors import FreshkbError
from index.ledger import OrderState, database, sqlite
from index.parse import Parser
from index.run import Run
from index.verify.compare import verify
from tests.knowledge import Knowledge
from tests.promises import bytes_left
from tests.promises.faulty import Fault

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
    """A knowledge base in which a document is put and erased, again and again. The files stay."""

    def __init__(self, kb: Knowledge) -> None:
        self.kb, self.random = kb, Random(7)
        self.erased: list[bytes_left.Needles] = []
        kb.source["delete"] = {"max_fraction": 1.0}
        for name in "abc":
            kb.write(
                f"{name}.md", f"# {name.upper()}\n\nWhat there is to say of {name}.\n\n## Two\n\nMore.\n"
            )

    @property
    def state(self) -> Path:
        return self.kb.home / ".freshkb"

    def put(self) -> bytes_left.Needles:
        """A document of words that no other has, and a copy of it."""
        words = [bytes_left.word(self.random) for _ in range(3)]
        content = f"# {words[0]}\n\n{words[1]} it is.\n\n## Two\n\n{words[2]}.\n"
        self.kb.write(f"{words[2]}.md", content)
        self.kb.write(f"copy-{len(self.erased)}.md", content)
        self.kb.sync()
        points = [point for point in self.kb.points().values() if words[0] in str(point.payload)]
        needles = bytes_left.of_words(words)
        for number, point in enumerate(points):
            needles |= bytes_left.of_vector(f"vector {number}", point.dense or ())
        assert bytes_left.held([self.state], needles).keys() == needles.keys()
        return needles

    def erase(self, fault: Fault, at: int) -> None:
        """One order, the `at`-th call of which fails; and the attempt after it."""
        needles, known = self.put(), len(self.erased)
        target = Target([f"{list(needles)[2]}.md"])
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
            if len(bytes_left.receipted(workspace)) > known:
                assert bytes_left.held([self.state], needles) == {}, f"a false receipt: {fault}"
            if len(workspace.ledger.erasures.all()) == known:
                place(workspace, target, "Asked.")
            for left in workspace.ledger.erasures.open():
                assert carry_out(Run(workspace, "erase"), left.order_id).done, fault
            orders = workspace.ledger.erasures.all()
            assert len(orders) == known + 1, fault
            assert {order.state for order in orders} == {OrderState.DONE}, fault
            assert bytes_left.receipted(workspace) == {order.order_id for order in orders}, fault
            assert sorted(bytes_left.said_done(workspace)) == sorted(o.order_id for o in orders), fault
            assert max(orders, key=lambda order: order.placed_at).documents == 2, fault
        held = bytes_left.held([self.state], needles)
        assert held == {}, (fault, held)
        self.erased.append(needles)
        self.kb.clock.forward(seconds=1)

    def check(self) -> None:
        """Nothing comes back, though all files are there."""
        self.kb.sync()
        with self.kb.workspace() as workspace:
            assert {document.uri for document in workspace.ledger.documents.find()} == {
                "a.md",
                "b.md",
                "c.md",
            }
            assert verify(workspace, deep=True).ok
        gone = {name: needle for needles in self.erased for name, needle in needles.items()}
        assert bytes_left.held([self.state], gone) == {}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", PARTS)
def test_an_order_whose_nth_call_fails_is_finished_by_the_next_attempt(
    part: str, tmp_path: Path, parser: Parser, soak: bool
) -> None:
    _every_call(Bench(Knowledge(tmp_path / "kb", parser)), part, soak)


@pytest.mark.timeout(3600)
def test_nor_does_a_ledger_on_a_server_break_one(
    tmp_path: Path, parser: Parser, soak: bool, request: pytest.FixtureRequest
) -> None:
    if not soak:
        pytest.skip("Only with --soak.")
    kb = Knowledge(tmp_path / "kb", parser)
    kb.settings["ledger"] = request.getfixturevalue("postgresql_url")
    _every_call(Bench(kb), "ledger", soak, ("before", "after"))


def _every_call(bench: Bench, part: str, soak: bool, modes: Sequence[str] = MODES) -> None:
    fired = Counter[str]()
    for mode in modes:
        for at in _picked(bench, Fault(part, mode), soak):
            fault = Fault(part, mode)
            bench.erase(fault, at)
            fired[fault.fired] += bool(fault.fired)
    bench.check()
    print(f"{part}: {fired.total()} faults {dict(fired)}")
    assert fired.total() >= (30 if soak else 8)


def _picked(bench: Bench, fault: Fault, soak: bool) -> list[int]:
    """The numbers of the calls that are to fail in this way. In the short form, each by its name once, of the
    ledger's many every fourth: those that write after they took effect, those that read before."""
    if not soak and fault.mode not in ("before", "after"):
        return []
    bench.erase(fault, 10**9)
    able = [call for call in fault.met if fault.applies(call)]
    if soak:
        return list(range(1, len(able) + 1))
    first: dict[str, int] = {}
    for number, call in enumerate(able, 1):
        if fault.mode == "after" or not Fault(fault.part, "after").applies(call):
            first.setdefault(str(call), number)
    return list(first.values())[:: 4 if fault.part == "ledger" else 1]
