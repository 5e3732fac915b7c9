"""The limits of the child, and the end of it and of everything that it started."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from index.errors import ParserError
from index.model import Failure, Parsed
from index.parse import Parser, nlp_in_use
from index.parse.walls import walls
from tests import documents
from tests.programs import PROGRAMS, program_parser

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(tmp_path: Path) -> Program:
    return Program(tmp_path)


class Program:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0

    def __call__(self, parser: Parser, source: str) -> str:
        """The program's `text`, or the reason of its failure."""
        self.number += 1
        path = self.folder / f"{self.number}.md"
        path.write_text(source)
        result = parser.parse(path, path.suffix)
        return result.reason if isinstance(result, Failure) else result.elements[0].text


class Lifeline:
    """A named pipe that is at its end when the last process that holds it is dead. It lies in the home of a
    parser's child, the only place that the processes get to."""

    def __init__(self) -> None:
        self.descriptor = -1

    def lay(self, home: Path) -> None:
        os.mkfifo(home / "lifeline")
        # The child may be another user.
        (home / "lifeline").chmod(0o666)
        self.descriptor = os.open(home / "lifeline", os.O_RDONLY | os.O_NONBLOCK)

    def await_word(self) -> None:
        select.select([self.descriptor], [], [], 30)
        assert os.read(self.descriptor, 5) == b"alive"

    def await_death(self) -> None:
        readable, _, _ = select.select([self.descriptor], [], [], 30)
        assert readable, "something still lives"
        assert os.read(self.descriptor, 5) == b""


@pytest.fixture
def lifeline() -> Iterator[Lifeline]:
    line = Lifeline()
    yield line
    os.close(line.descriptor)


def home_of(parser: Parser) -> Path:
    """The private folder of its child."""
    parser.walls()
    (child,) = parser._resting
    return child.folder / walls.PRIVATE


def daemon(*, new_session: bool = True) -> str:
    """A program that leaves a process behind, away from its group, which holds the lifeline, and then hangs
    itself."""
    leave = "os.setsid()" if new_session else "os.setpgid(0, 0)"
    return (
        "import os, signal, time\n"
        "if not os.fork():\n"
        f"    {leave}\n"
        "    if os.fork():\n"
        "        signal.pause()\n"
        "    while not os.path.exists('lifeline'):\n"
        "        time.sleep(0.01)\n"
        "    pipe = os.open('lifeline', os.O_WRONLY)\n"
        "    os.write(pipe, b'alive')\n"
        "    signal.pause()\n"
        "signal.pause()\n"
    )


def test_a_document_that_hangs_is_killed_with_everything_it_started(run: Program, lifeline: Lifeline) -> None:
    with program_parser(timeout_seconds=2) as parser:
        lifeline.lay(home_of(parser))
        reason = run(parser, daemon())
        assert reason == "Parsing took longer than the limit of 2 s."
        lifeline.await_word()
        if not _namespaces():
            pytest.skip("this kernel gives no namespaces: a daemon may outlive its document")
        lifeline.await_death()
        assert run(parser, "text = 'next'") == "next"


def test_without_namespaces_the_whole_session_is_killed(run: Program, lifeline: Lifeline) -> None:
    with program_parser("no namespaces", timeout_seconds=2) as parser:
        lifeline.lay(home_of(parser))
        assert "took longer" in run(parser, daemon(new_session=False))
        lifeline.await_word()
        if sys.platform == "linux":
            lifeline.await_death()
        assert run(parser, "text = 'next'") == "next"
        assert parser.isolated is False


@pytest.mark.parametrize("mode", ["", "no namespaces"])
def test_the_child_dies_with_its_parent(tmp_path: Path, lifeline: Lifeline, mode: str) -> None:
    document = tmp_path / "a.md"
    document.write_text(daemon(new_session=False))
    command = (sys.executable, "-P", "-s", "-c", PROGRAMS, mode)
    source = (
        "from pathlib import Path; from index.parse import Parser\n"
        f"parser = Parser(timeout_seconds=60, command={command!r})\n"
        f"parser.parse(Path({str(document)!r}), '.md')"
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    parent = subprocess.Popen([sys.executable, "-c", source], env=environment)
    while not (homes := list(temporary.glob("*/home"))):
        time.sleep(0.01)
    lifeline.lay(homes[0])
    lifeline.await_word()
    guards = _guards(parent.pid)
    endings = [os.pidfd_open(guard) for guard in guards] if sys.platform == "linux" else []
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    lifeline.await_death()
    for ending in endings:
        assert select.select([ending], [], [], 30)[0]
        os.close(ending)
        assert list(temporary.iterdir()) == []


def test_leftovers_of_a_document_are_gone_before_the_next(run: Program, lifeline: Lifeline) -> None:
    if not _namespaces():
        pytest.skip("this kernel gives no namespaces")
    with program_parser() as parser:
        lifeline.lay(home_of(parser))
        # The program returns once what it leaves behind holds the pipe.
        waits = daemon().removesuffix("signal.pause()\n") + "import time; time.sleep(0.5)\n"
        run(parser, waits)
        lifeline.await_word()
        assert run(parser, "text = 'next'") == "next"
        lifeline.await_death()


def test_the_network_cannot_be_reached(run: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sink, program_parser() as parser:
        sink.setblocking(False)
        port = sink.getsockname()[1]
        reason = run(parser, f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)")
        if parser.isolated:
            assert "could not be read" in reason
            with pytest.raises(BlockingIOError):
                sink.accept()


def test_documents_that_name_remote_parts_fetch_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sink, Parser(timeout_seconds=60) as parser:
        sink.setblocking(False)
        parser.warm()
        base = f"http://127.0.0.1:{sink.getsockname()[1]}"
        page = f'<link rel="stylesheet" href="{base}/a.css"><img src="{base}/a.png"><iframe src="{base}">'
        sources = {
            "a.html": page,
            "a.md": f"![x]({base}/a.png)\n\n{page}",
            "a.xml": f'<!DOCTYPE r SYSTEM "{base}/a.dtd" [<!ENTITY e SYSTEM "{base}/e">]><r>&e; text</r>',
            "a.rst": f".. include:: {base}/a.rst\n\n.. image:: {base}/a.png\n\ntext",
            "a.org": f"#+INCLUDE: {base}/a.org\n[[{base}/a.png]]",
        }
        for name, source in sources.items():
            (tmp_path / name).write_text(source)
            assert isinstance(parser.parse(tmp_path / name, Path(name).suffix), Parsed)
        deck = documents.pptx(tmp_path / "a.pptx", [("A title", "This classifies a sentence.", "")])
        assert isinstance(parser.parse(deck, ".pptx"), Parsed)
        with pytest.raises(BlockingIOError):
            sink.accept()
        assert parser.isolated is not None
        assert nlp_in_use().startswith(("stand-in", "en_core_web_sm"))


def test_nothing_secret_is_handed_to_the_child(run: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRESHKB_INDEX__API_KEY", "s3cret")
    with program_parser() as parser:
        text = run(parser, "import json, os; text = json.dumps(dict(os.environ))")
    environment = json.loads(text)
    assert "s3cret" not in text
    assert environment["DO_NOT_TRACK"] and environment["SCARF_NO_ANALYTICS"] and environment["HF_HUB_OFFLINE"]


def test_the_private_folder_is_emptied_and_removed(run: Program) -> None:
    fill = (
        "import os, tempfile, pathlib\n"
        "home = pathlib.Path.home()\n"
        "before = list(home.iterdir())\n"
        "tempfile.mkdtemp(); tempfile.mkstemp(); (home / 'link').symlink_to('/'); open('here', 'w').close()\n"
        "text = f'{home} {len(before)} {len(list(home.iterdir()))}'"
    )
    with program_parser() as parser:
        first, second = run(parser, fill), run(parser, fill)
        assert first == second
        private, before, after = first.split()
        assert (before, after) == ("0", "4")
        assert private.startswith(tempfile.gettempdir())
        assert list(Path(private).iterdir()) == []
    assert not Path(private).exists()


def test_memory_is_limited_for_each_process(run: Program) -> None:
    with program_parser(memory_bytes=512 << 20) as parser:
        assert run(parser, "x = bytearray(1 << 30)") == "The document needed more than 512 MiB of memory."
        assert run(parser, "text = 'next'") == "next"


def test_a_real_document_too_large_for_the_memory_is_a_failure(tmp_path: Path) -> None:
    large = tmp_path / "a.txt"
    large.write_text("Many words make a paragraph.\n\n" * 1_500_000)
    small = tmp_path / "b.txt"
    small.write_text("Few words.")
    with Parser(timeout_seconds=60, memory_bytes=256 << 20) as parser:
        result = parser.parse(large, ".txt")
        assert isinstance(result, Failure)
        assert "memory" in result.reason
        assert isinstance(parser.parse(small, ".txt"), Parsed)


def test_a_real_document_too_slow_for_the_limit_is_a_failure(tmp_path: Path) -> None:
    slow = tmp_path / "a.md"
    slow.write_text("Some *words* with [links](x).\n\n" * 200_000)
    with Parser(timeout_seconds=0.5) as parser:
        assert parser.parse(slow, ".md") == Failure("Parsing took longer than the limit of 0.5 s.")


def test_output_is_limited(run: Program, tmp_path: Path) -> None:
    with Parser(timeout_seconds=60, output_bytes_max=1 << 20) as parser:
        path = tmp_path / "a.txt"
        path.write_text("x" * (1 << 21))
        assert parser.parse(path, ".txt") == Failure("The document holds more than 1 MiB of text.")
        path.write_text("x")
        assert isinstance(parser.parse(path, ".txt"), Parsed)


@pytest.mark.parametrize("end", ["os.abort()", "os.kill(os.getpid(), signal.SIGKILL)", "os._exit(7)"])
def test_a_crash_concerns_one_document(run: Program, end: str) -> None:
    with program_parser() as parser:
        assert run(parser, "text = 'before'") == "before"
        assert "made the parser crash" in run(parser, f"import os, signal; {end}")
        assert run(parser, "text = 'after'") == "after"


def test_a_child_killed_from_outside_while_it_works_is_replaced(run: Program, lifeline: Lifeline) -> None:
    with program_parser(timeout_seconds=60) as parser:
        assert run(parser, "text = 'before'") == "before"
        lifeline.lay(home_of(parser))
        guards = _guards()
        reasons: list[str] = []
        thread = threading.Thread(target=lambda: reasons.append(run(parser, daemon())))
        thread.start()
        lifeline.await_word()
        for guard in guards:
            os.kill(guard, signal.SIGKILL)
        thread.join(30)
        assert "made the parser crash" in reasons[0]
        assert run(parser, "text = 'after'") == "after"


def test_a_child_that_died_in_its_sleep_costs_nothing(run: Program) -> None:
    with program_parser() as parser:
        assert run(parser, "text = 'before'") == "before"
        for guard in _guards():
            os.kill(guard, signal.SIGKILL)
            os.waitid(os.P_PID, guard, os.WEXITED | os.WNOWAIT)
        assert run(parser, "text = 'after'") == "after"


def test_what_a_document_prints_does_not_disturb_the_answers(run: Program) -> None:
    noise = (
        "import os, sys\nprint('x' * 100_000)\nos.write(1, b'y' * 99)\n"
        "sys.stderr.write('z')\ntext = sys.stdin.read()"
    )
    with program_parser() as parser:
        assert run(parser, noise) == ""
        assert run(parser, "text = 'next'") == "next"


def test_one_child_serves_many_documents_and_threads(run: Program, tmp_path: Path) -> None:
    paths = []
    for number in range(20):
        paths.append(tmp_path / f"doc{number}.md")
        count = "import sys; sys.count = getattr(sys, 'count', 0) + 1"
        paths[-1].write_text(f"{count}; text = f'{number} {{sys.count}}'")
    texts: list[str] = []
    with program_parser() as parser:

        def work(mine: list[Path]) -> None:
            for path in mine:
                result = parser.parse(path, path.suffix)
                assert isinstance(result, Parsed)
                texts.append(result.elements[0].text)

        threads = [threading.Thread(target=work, args=(paths[start::4],)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(int(text.split()[0]) for text in texts) == list(range(20))
    assert sorted(int(text.split()[1]) for text in texts) == list(range(1, 21))


def test_a_broken_installation_is_not_the_documents_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("text")
    boot = "import sys; sys.modules['markdown_it'] = None; " + (
        f"sys.path[:] = {[str(ROOT), *sys.path]!r}; from index.parse.worker import main; main()"
    )
    with (
        Parser(timeout_seconds=60, command=(sys.executable, "-P", "-s", "-c", boot)) as parser,
        pytest.raises(ParserError, match=r"not installed correctly: ModuleNotFoundError.*markdown_it"),
    ):
        parser.parse(path, ".md")


@pytest.mark.parametrize("source", ["raise SystemExit('no such thing')", "import no_such_module"])
def test_a_child_that_does_not_start_says_what_it_said(tmp_path: Path, source: str) -> None:
    with (
        Parser(timeout_seconds=60, command=(sys.executable, "-c", source)) as parser,
        pytest.raises(ParserError, match=r"no such thing|no_such_module"),
    ):
        parser.warm()
    with pytest.raises(ParserError, match="could not be started"):
        Parser(timeout_seconds=60, command=("/no/such/program",)).warm()


def test_unknown_types_and_missing_files_start_or_cost_nothing(tmp_path: Path) -> None:
    with Parser(timeout_seconds=60) as parser:
        assert parser.parse(tmp_path / "a.zip", ".zip") == Failure("Files of type .zip cannot be parsed.")
        assert parser.isolated is None
        result = parser.parse(tmp_path / "gone.md", ".md")
        assert isinstance(result, Failure)
        assert result.transient


def _guards(parent_pid: int | None = None) -> list[int]:
    """The children of this process, or of another, that watch over a worker."""
    listed = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    ours = [(pid, arguments) for pid, parent, arguments in rows if int(parent) == (parent_pid or os.getpid())]
    guards = [int(pid) for pid, arguments in ours if "worker" in arguments]
    assert guards
    return guards


@cache
def _namespaces() -> bool:
    with tempfile.TemporaryDirectory() as folder, program_parser() as parser:
        Program(Path(folder))(parser, "")
        return bool(parser.isolated)
