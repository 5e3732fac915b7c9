"""Batches whose documents are parsed beside each other, and beside the loading of the model."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from index.outcome import RunReport
from index.parse import Parser
from index.parse.line import LINE_BYTES
from index.run import Run
from index.sync.sync import sync
from tests.embedders import HashEmbedder
from tests.knowledge import Knowledge, Shared, counts
from tests.programs import program_parser

#: Says that it is being read, and goes on when it is let.
WAITS = "import os, time\nopen('here', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
LONG = "#" * LINE_BYTES


class Pooled(Shared):
    """Hands documents to the parser as a command does."""

    def __init__(self, parser: Parser) -> None:
        super().__init__(parser)
        self.results: list[Future[Any]] = []

    def submit(self, path: Path, format: str, timeout_seconds: float | None = None) -> Future[Any]:
        self.results.append(self._parser.submit(path, format, timeout_seconds))
        return self.results[-1]


class Office:
    """A knowledge base whose documents are programs."""

    def __init__(self, kb: Knowledge, parser: Parser, temporary: Path) -> None:
        self.kb, self._temporary = kb, temporary
        self.kb.parser = self.parser = Pooled(parser)

    def sync(self, stop: threading.Event | None = None) -> RunReport:
        with self.kb.workspace() as workspace:
            return sync(Run(workspace, "sync", stop=stop))

    @contextmanager
    def when_waiting(self, count: int, then: Callable[[], object]) -> Iterator[None]:
        """Once so many documents wait in their children: calls this, and lets them go on."""
        failed: list[BaseException] = []

        def watch() -> None:
            try:
                until(lambda: len(list(self._temporary.glob("*/home/here"))) == count)
                then()
            except BaseException as error:
                failed.append(error)
            self.let_go()

        thread = threading.Thread(target=watch)
        thread.start()
        yield
        thread.join()
        assert failed == []

    def let_go(self) -> None:
        for home in self._temporary.glob("*/home"):
            (home / "go").touch()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Office]]:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    parsers: list[Parser] = []

    def opened(children: int) -> Office:
        parsers.append(program_parser(children_max=children))
        return Office(Knowledge(tmp_path / "kb", parsers[-1]), parsers[-1], tmp_path / "temporary")

    yield opened
    for parser in parsers:
        parser.close()


def test_documents_of_a_batch_are_parsed_at_once(office: Callable[[int], Office]) -> None:
    here = office(2)
    for name in ("a", "b"):
        here.kb.write(f"{name}.md", f"{WAITS}text = 'Text of {name}.'\n{LONG}")
    here.kb.write("c.md", "text = 'Text of c.'")
    with here.when_waiting(2, lambda: None):
        report = here.sync()
    assert counts(report) == {"added": 3, "embedded": 3}
    assert {uri: text.strip() for uri, text in here.kb.texts().items()} == {
        f"{name}.md": f"Text of {name}." for name in "abc"
    }


def test_a_stop_leaves_what_no_child_reads_to_the_next_sync(office: Callable[[int], Office]) -> None:
    here, stop = office(1), threading.Event()
    for name in ("a", "b", "c", "d"):
        here.kb.write(f"{name}.md", f"{WAITS}text = 'Text of {name}.'")

    def end_the_first() -> None:
        # Once all were submitted: what is not fetched yet is left out as well.
        until(lambda: len(here.parser.results) == 4)
        stop.set()
        here.let_go()
        # The second may have been begun when the stop was seen, and the others not.
        until(lambda: all(result.cancelled() for result in here.parser.results[2:]))

    with here.when_waiting(1, end_the_first):
        report = here.sync(stop)
    assert report.outcome == "interrupted"
    assert set(here.kb.texts()) in ({"a.md"}, {"a.md", "b.md"})
    assert here.kb.ask(lambda workspace: list(workspace.scratches.glob("*/*"))) == []


def test_the_model_is_loaded_while_the_first_document_is_parsed(
    office: Callable[[int], Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, loaded = office(1), threading.Event()
    monkeypatch.setattr(HashEmbedder, "warm", lambda self: loaded.set())
    here.kb.write("a.md", f"{WAITS}text = 'Text of a.'")

    def wait() -> None:
        assert loaded.wait(60)

    with here.when_waiting(1, wait):
        assert counts(here.sync()) == {"added": 1, "embedded": 1}
    assert len(here.kb.embedders) == 1
    # Where no document is parsed, it is not.
    assert counts(here.sync()) == {"unchanged": 1, "embedded": 0}
    assert len(here.kb.embedders) == 1
