"""The Nth call of a part fails, for every N and in every way that the part has of failing."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from connectors.base import ConnectorError, SourceUnavailable
from index.errors import (
    EmbedderError,
    FreshkbError,
    LedgerError,
    ParserError,
    ScratchError,
    StoreError,
)
from index.ledger import database, sqlite
from index.model import State
from index.outcome import RunReport
from index.parse import Parser
from index.sizes import Sizes
from index.verify import compare as verify
from index.workspace import Workspace
from tests.knowledge import Knowledge
from tests.promises.faulty import MODES, Fault
from tests.promises.image import differences, image, mistold, newest, unfinished
from tests.promises.parts import Call
from tests.promises.picks import Calls, Pick, representatives
from tests.promises.scenarios import SCENARIOS, Scenario, Syncing, random_worlds, retried
from tests.soak import LONG
from tests.traces.oracle import Reader

pytest_plugins = ["tests.postgres"]

pytestmark = pytest.mark.usefixtures("examined_here")

#: A run goes on without: how far it is.
DISPENSABLE = {"ledger.runs.note_progress"}

REPORTED = {
    "ledger": LedgerError,
    "store": StoreError,
    "connector": SourceUnavailable,
    "parser": ParserError,
    "embedder": EmbedderError,
}


#: So that a few documents go through everything that many would.
SIZES = Sizes(batch_documents=3, batch_points=4, read_points=3, page_points=5)


class Bench:
    """Knowledge bases that are used from case to case, because each begins where the last one ended."""

    def __init__(self, folder: Path, parser: Parser) -> None:
        self._folder, self._parser = folder, parser
        self._reader = Reader(parser, folder)
        self._made = 0
        self._scenarios: dict[str, Scenario] = {}
        self._calls: dict[str, Calls] = {}

    @contextmanager
    def scenario(self, name: str) -> Iterator[Scenario]:
        """Of this name; after a case that failed a new one."""
        if name not in self._scenarios:
            self._made += 1
            kb = Knowledge(self._folder / str(self._made), self._parser)
            kb.sizes = SIZES
            kb.parser = self._reader
            self._scenarios[name] = SCENARIOS[name](kb)
        scenario = self._scenarios.pop(name)
        yield scenario
        self._scenarios[name] = scenario

    def calls(self, name: str) -> Calls:
        """The calls that this scenario makes without a fault, there and back again."""
        if name not in self._calls:
            with self.scenario(name) as scenario:
                self._calls[name] = recorded(scenario)
        return self._calls[name]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, parser: Parser) -> Bench:
    # Its child is there before descriptors are counted.
    parser.walls()
    return Bench(tmp_path_factory.mktemp("fault"), parser)


@pytest.fixture(autouse=True)
def small_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger streams few rows at once, and does not wait."""
    monkeypatch.setattr(database, "STREAM_ROWS", 2)
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.01)


@pytest.mark.parametrize("part, mode", [(part, mode) for part in MODES for mode in MODES[part]])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_run_whose_nth_call_fails_harms_nothing_and_the_next_one_converges(
    name: str, part: str, mode: str, bench: Bench, soak: bool
) -> None:
    fault = Fault(part, mode)
    if soak:
        with bench.scenario(name) as scenario:
            fired = tried(scenario, fault, 1)
    else:
        picks = representatives(fault, bench.calls(name), {} if name == "sync" else bench.calls("sync"))
        with bench.scenario(name) as scenario:
            fired = each(scenario, fault, picks)
        # A call that finds enough room on a full disk all the same succeeds.
        assert fired or not picks or mode == "full"
    print(f"{name}, {part} {mode}: {fired.total()} faults {dict(fired)}")


def recorded(scenario: Scenario) -> Calls:
    calls: dict[int, Sequence[Call]] = {}
    fault = Fault("", "before")
    with opened(scenario, fault) as workspace:
        for _ in range(1 if scenario.cases == 1 else 2):
            faulted(scenario, workspace, fault, lambda turn: 1)
            calls[scenario.turn] = fault.met
    return calls


def each(scenario: Scenario, fault: Fault, picks: Sequence[Pick]) -> Counter[str]:
    """How often each call failed."""
    fired = Counter[str]()
    left = list(picks)
    while left:
        with opened(scenario, fault) as workspace:
            for pick in left[: scenario.cases]:
                faulted(scenario, workspace, fault, pick)
                fired[fault.fired] += bool(fault.fired)
        del left[: scenario.cases]
    return +fired


@LONG
@pytest.mark.parametrize("seed", range(3))
def test_nor_does_it_harm_an_index_of_many_documents(seed: int, tmp_path: Path, parser: Parser) -> None:
    kb = Knowledge(tmp_path / "kb", parser)
    kb.sizes = SIZES
    scenario = Syncing(kb, random_worlds(seed))
    fired = Counter[str]()
    for part in MODES:
        for mode in MODES[part]:
            fired += tried(scenario, Fault(part, mode), 1 + seed)
    print(f"seed {seed}: {fired.total()} faults")


@LONG
@pytest.mark.parametrize("mode", ["before", "after", "half", "gone"])
@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "first"])
def test_a_ledger_on_a_server_may_fail_as_well(
    name: str, mode: str, tmp_path: Path, parser: Parser, postgresql_url: str
) -> None:
    kb = Knowledge(tmp_path / "kb", parser)
    kb.sizes = SIZES
    kb.settings["ledger"] = postgresql_url
    fired = tried(SCENARIOS[name](kb), Fault("ledger", mode), 1)
    print(f"postgresql, {name}, {mode}: {fired.total()} faults")


def tried(scenario: Scenario, fault: Fault, step: int) -> Counter[str]:
    """How often each call failed: for every N that is a multiple of `step`, until nothing fails any more."""
    fired = Counter[str]()
    # There and back again, the numbers of calls may differ.
    at, missed = step, 0
    while missed < 2:
        with opened(scenario, fault) as workspace:
            for _ in range(scenario.cases):
                faulted(scenario, workspace, fault, partial(_always, at))
                fired[fault.fired] += bool(fault.fired)
                missed = 0 if fault.reached else missed + 1
                at += step
                if missed == 2:
                    break
    return +fired


def _always(at: int, turn: int) -> int:
    return at


@contextmanager
def opened(scenario: Scenario, fault: Fault) -> Iterator[Workspace]:
    """The parts, in which this can go wrong, and which leave nothing behind."""
    before = descriptors()
    scenario.open()
    with scenario.kb.workspace() as workspace:
        fault.fit(workspace)
        yield workspace
        scratch = workspace._scratch
    assert scratch is None or not scratch.folder.exists()
    gc.collect()
    assert descriptors() <= before, fault


def faulted(scenario: Scenario, workspace: Workspace, fault: Fault, pick: Pick) -> None:
    """One run with this fault, and the one after it."""
    kb = scenario.kb
    # Runs are told apart by when they began.
    kb.clock.forward(seconds=1)
    scenario.prepare(workspace)
    workspace.config = kb.config()
    old, known = texts(workspace), len(kb.embedders)
    done = [len(embedder.embedded) for embedder in kb.embedders]
    reasons, since = {d.reason for d in workspace.ledger.documents.find()}, newest(workspace)
    fault.arm(pick(scenario.turn))
    reported = ran(scenario, workspace, fault, reasons)
    scratch = workspace._scratch
    assert scratch is None or list(scratch.folder.iterdir()) == []
    between = texts(workspace)
    if fault.fired and not reported and fault.mode != "vanished" and fault.fired not in DISPENSABLE:
        assert scenario.undone(workspace) == [], f"{fault}: nobody was told"
    redone = unfinished(workspace)
    converged(scenario, workspace, fault)
    # The log also says of a document that it could not be read or parsed.
    if scenario.told is not None and fault.part not in ("connector", "parser"):
        assert mistold(workspace, since, scenario.told, redone) == [], fault
    new = texts(workspace)
    for document, text in old.items():
        if document in new and document not in scenario.damaged:
            assert between.get(document) in (text, new[document]), fault
    for document, text in between.items():
        if document not in old:
            assert text == new[document], fault
    embedded = Counter(text for embedder in kb.embedders[known:] for text in embedder.embedded)
    for embedder, number in zip(kb.embedders, done, strict=False):
        embedded.update(embedder.embedded[number:])
    assert max(embedded.values(), default=0) <= 1 + bool(fault.fired), fault


def ran(scenario: Scenario, workspace: Workspace, fault: Fault, reasons: set[str]) -> bool:
    """Run; whether it said that something went wrong."""
    try:
        report = scenario.run(workspace)
        fault.armed = False
    except (FreshkbError, ConnectorError) as error:
        fault.armed = False
        expected = (
            FreshkbError
            if fault.mode in ("full", "half") and fault.part == "connector"
            else REPORTED[fault.part]
        )
        if fault.mode == "full" and fault.reached and isinstance(error, ScratchError):
            # No file of the process may grow: nor may one that another thread fetches beside it.
            fault.fired, expected = fault.fired or "fetch", FreshkbError
        assert fault.fired and isinstance(error, expected), (fault, error)
        if fault.part != "ledger":
            (run,) = workspace.ledger.runs.newest(1)
            # Where nothing of it is on record, the last run there is of another case, which may have no end.
            if scenario.recorded or run.started_at == scenario.kb.clock():
                assert run.finished_at and (run.outcome == "failed" or not scenario.recorded), fault
        return True
    if isinstance(report, RunReport):
        told = [s.error for s in report.sources if s.error]
        assert not told or fault.fired
        documents = list(workspace.ledger.documents.find())
        # A document that cannot be parsed, in this version of the source or the last, says so in any case.
        usual = reasons | {scenario.reason(d) for d in documents}
        told += [d.reason for d in documents if d.reason and d.reason not in usual]
        return bool(told)
    return bool(report.errors) or report.repaired < report.findings


def converged(scenario: Scenario, workspace: Workspace, fault: Fault) -> None:
    """The next run, and the state after it."""
    if fault.part == "parser" and fault.mode == "late" and fault.fired:
        retried(workspace)
    scenario.again(workspace)
    scenario.check(workspace)
    assert differences(image(workspace), scenario.expected) == [], fault
    found = verify.verify(workspace, deep=True)
    assert found.ok, (fault, found.json())
    collection = workspace.ledger.collections.current()
    assert collection is not None
    assert workspace.ledger.points.intents() == []
    assert workspace.ledger.points.removals(collection.name) == []
    assert workspace.ledger.log.pending(collection.name) == []
    assert workspace.ledger.writers() == []
    assert workspace.store.collections() == [collection.name], fault


def texts(workspace: Workspace) -> dict[str, str]:
    """By document, its text as a search would find it; a piece that it would not find shows as such."""
    collection = workspace.ledger.collections.current()
    if collection is None:
        return {}
    live = {d.document_id: d for d in workspace.ledger.documents.find() if d.state is not State.SKIPPED}
    records = workspace.ledger.chunks.of(collection.name, list(live))
    ids = [record.point_id for own in records.values() for record in own]
    current = workspace.ledger.chunks.searchable(collection.name, ids)
    with workspace.store.session(collection.name) as session:
        points = session.retrieve(ids, vectors=True)

    def shown(identifier: str) -> str:
        point = points.get(identifier)
        if point is None or point.dense is None or point.sparse is None or identifier not in current:
            return "<lost>"
        return str(point.payload["page_content"])

    return {d: "".join(shown(record.point_id) for record in own) for d, own in records.items() if own}


def descriptors() -> int:
    """Open files. Pipes are left out: the parser that all tests share starts another child now and then."""
    opened = (os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
    return sum("pipe:" not in target for target in opened)
