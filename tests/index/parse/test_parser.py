"""Several children, and documents that are handed to them ahead of their turn."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from index.model import Failure, Parsed
from index.parse import Parser
from index.parse.child import Child
from index.parse.line import LINE_BYTES
from index.parse.walls.walls import DOCUMENTS
from tests.programs import PROGRAMS, program_parser

ROOT = Path(__file__).parents[3]

#: Says that it is being read, and goes on when it is let.
WAITS = "import os, time\nopen('here', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.01)\n"
SLEEPS = "import time; time.sleep(60)"


class Hall:
    """Documents that wait inside their children until the test lets them go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0

    def write(self, source: str, *, long: bool = False) -> Path:
        """A document that is a program; a `long` one has its child for itself."""
        self.number += 1
        path = self.folder / f"{self.number}.md"
        path.write_text(source + ("\n" + "#" * LINE_BYTES if long else ""))
        return path

    def submit(self, parser: Parser, source: str, *, long: bool = False) -> Future[Parsed | Failure]:
        # A short limit for this document alone: on a busy machine the others wait longer than they need.
        limit = 3 if source == SLEEPS else None
        return parser.submit(self.write(source, long=long), ".md", limit)

    def line(self, parser: Parser, *sources: str) -> list[Future[Parsed | Failure]]:
        """Small documents that one child has all been handed; the first of them waits."""
        before = self.submit(parser, WAITS)
        self.await_waiting(1)
        results = [self.submit(parser, source) for source in (WAITS + "text = 'first'", *sources)]
        self.let_go()
        text(before)
        _until(lambda: self.handed() == len(results))
        self.await_waiting(1)
        return results

    def homes(self) -> list[Path]:
        """Of the children in which a document waits."""
        return [here.parent for here in (self.folder / "temporary").glob("*/home/here")]

    def await_waiting(self, count: int) -> list[Path]:
        _until(lambda: len(self.homes()) == count)
        return self.homes()

    def handed(self) -> int:
        return len(list((self.folder / "temporary").glob("*/documents/*")))

    def let_go(self) -> None:
        for home in self.homes():
            (home / "go").touch()


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    hall = Hall(tmp_path)
    yield hall
    assert list((tmp_path / "temporary").iterdir()) == []


def text(result: Future[Parsed | Failure]) -> str:
    found = result.result(60)
    return found.reason if isinstance(found, Failure) else found.elements[0].text


def test_two_children_read_long_documents_at_the_same_time(hall: Hall) -> None:
    with program_parser(children_max=2) as parser:
        results = [hall.submit(parser, WAITS + f"text = '{n}'", long=True) for n in range(3)]
        assert len(hall.await_waiting(2)) == 2
        # The third has no child yet, and is no file of either.
        assert hall.handed() == 2
        hall.let_go()
        assert [text(result) for result in results[:2]] == ["0", "1"]
        hall.await_waiting(1)
        hall.let_go()
        assert text(results[2]) == "2"


def test_a_child_is_handed_small_documents_ahead_and_answers_in_their_order(hall: Hall) -> None:
    with program_parser(children_max=2) as parser:
        count = "import sys; sys.count = getattr(sys, 'count', 0) + 1; text = str(sys.count)"
        results = hall.line(parser, *[count] * 15)
        # There is room for all of them in one line, and for no other.
        assert parser._lines == 1
        results.append(hall.submit(parser, "text = 'elsewhere'"))
        assert parser._lines == 2
        assert text(results[-1]) == "elsewhere"
        hall.let_go()
        assert [text(result) for result in results[1:-1]] == [str(n) for n in range(1, 16)]
        assert hall.handed() == 0


ENDS = {
    "import os; os._exit(3)": "made the parser crash",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "made the parser crash",
    SLEEPS: "took longer than the limit of 3 s",
    "import os\nfor n in range(3, 30):\n    try: os.write(n, b'nonsense')\n    except OSError: pass": "",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_document_that_ends_its_child_costs_those_behind_it_nothing(hall: Hall, end: str) -> None:
    with program_parser(timeout_seconds=60, children_max=1) as parser:
        results = hall.line(parser, "text = 'b'", end, "text = 'd'", "text = 'e'")
        hall.let_go()
        found = [text(result) for result in results]
        assert ENDS[end] in found.pop(2)
        assert found == ["first", "b", "d", "e"]


def test_a_document_that_ends_its_child_at_once_costs_the_one_before_it_nothing(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard of a child that ended empties its folder, before the parent has removed the copy of a
    document whose answer it has."""
    receive = Child.receive

    def late(child: Child, seconds: float, size_max: int) -> dict[str, Any]:
        answer = receive(child, seconds, size_max)
        if "b" in str(answer.get("parsed")):
            _until(lambda: not (child.folder / DOCUMENTS).exists())
        return answer

    monkeypatch.setattr(Child, "receive", late)
    with program_parser(children_max=1) as parser:
        results = hall.line(parser, "text = 'b'", "import os; os._exit(3)", "text = 'd'")
        hall.let_go()
        first, before, end, behind = map(text, results)
        assert (first, before, behind) == ("first", "b", "d") and "crash" in end


def test_a_child_that_ended_between_two_documents_is_replaced(hall: Hall) -> None:
    with program_parser(children_max=1) as parser:
        assert text(hall.submit(parser, "text = 'a'")) == "a"
        (documents,) = (hall.folder / "temporary").glob("*/documents")
        # As its guard does before it ends.
        documents.rmdir()
        assert text(hall.submit(parser, "text = 'b'")) == "b"


def test_a_document_that_nobody_waits_for_puts_nothing_out_of_step(hall: Hall) -> None:
    with program_parser(children_max=1) as parser:
        results = hall.line(parser, "text = 'b'", "text = 'c'")
        # The child has the second already; the fourth it is never handed.
        results.append(hall.submit(parser, "text = 'd'"))
        assert results[1].cancel() and results[3].cancel() and not results[0].cancel()
        hall.let_go()
        assert text(results[2]) == "c"
        assert text(hall.submit(parser, "text = 'e'")) == "e"


def test_a_document_that_is_gone_when_its_turn_comes_is_a_failure_of_the_moment(hall: Hall) -> None:
    with program_parser(children_max=1) as parser:
        gone = hall.write("text = 'gone'", long=True)
        results = [hall.submit(parser, WAITS), parser.submit(gone, ".md"), hall.submit(parser, "text = 'c'")]
        hall.await_waiting(1)
        gone.unlink()
        hall.let_go()
        found = results[1].result(60)
        assert isinstance(found, Failure) and found.transient
        assert text(results[2]) == "c"


def test_closing_lets_a_document_end_and_gives_the_others_up(hall: Hall) -> None:
    parser = program_parser(children_max=1)
    results = hall.line(parser, "text = 'b'")
    results.append(hall.submit(parser, "text = 'c'", long=True))
    (home,) = hall.homes()
    # A further process, so that this one is in `close` when the document goes on.
    wait = "import sys, time; time.sleep(0.2); open(sys.argv[1], 'w').close()"
    with subprocess.Popen([sys.executable, "-c", wait, str(home / "go")]):
        parser.close()
    assert text(results[0]) == "first"
    assert results[1].cancelled() and results[2].cancelled()
    assert text(hall.submit(parser, "text = 'again'")) == "again"
    parser.close()


def test_a_parser_ends_although_no_thread_could_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    (tmp_path / "a.md").write_text("Text.")
    parser = Parser(timeout_seconds=60)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", without)
        with pytest.raises(RuntimeError, match="can't start"):
            parser.submit(tmp_path / "a.md", ".md")
    closing = threading.Thread(target=parser.close, daemon=True)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()


def test_a_forked_process_leaves_the_children_to_its_parent(tmp_path: Path) -> None:
    script = f"""
import os, sys
from pathlib import Path
from index.parse import Parser
parser = Parser(command=(sys.executable, "-P", "-s", "-c", {PROGRAMS!r}))
path = Path({str(tmp_path / "a.md")!r})
path.write_text("import os, sys; sys.count = getattr(sys, 'count', 0) + 1; text = str(sys.count)")
say = lambda: print(parser.parse(path, ".md").elements[0].text, flush=True)
say()
if pid := os.fork():
    assert os.waitpid(pid, 0)[1] == 0
    say()
    parser.close()
else:
    say()
    parser.close()
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.returncode) == (["1", "1", "2"], 0), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]


def test_a_parser_has_as_many_children_as_cores_and_not_more_than_four(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def children(cores: int) -> int:
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
        return Parser().children_max

    assert [children(cores) for cores in (1, 2, 64)] == [1, 2, 4]


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_children_without_a_document_are_let_go_after_a_time(hall: Hall) -> None:
    with program_parser(release_after=0.01) as parser:
        for number in (1, 2):
            assert text(hall.submit(parser, f"text = '{number}'")) == str(number)
            _until(lambda: not parser._resting and not list((hall.folder / "temporary").iterdir()))


def test_a_child_that_reads_is_not_let_go(hall: Hall) -> None:
    with program_parser(children_max=2) as parser:
        result = hall.submit(parser, WAITS + "text = 'read'", long=True)
        hall.await_waiting(1)
        parser.release()
        hall.let_go()
        assert text(result) == "read"
        assert len(parser._resting) == 1
