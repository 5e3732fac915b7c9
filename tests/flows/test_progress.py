"""Progress bars in a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios

import pytest

from tests import forks
from tests.commands import environment, process
from tests.knowledge import Knowledge
from tests.soak import LONG

PATIENT = """
import time
import flows.cli.progress
flows.cli.progress.SLOW_SECONDS = 0.05
HashEmbedder.warm = lambda self: time.sleep(1)
"""


def in_terminal(kb: Knowledge, columns: int, *arguments: str) -> str:
    """The output of a command to a terminal of this width, which is its stderr."""
    kb.config()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    clean = {name: value for name, value in environment().items() if name not in ("COLUMNS", "LINES")}
    command, env = process(*arguments), clean | {"TERM": "xterm"}
    running = forks.Popen(command, cwd=kb.home, env=env, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            # The other end is closed.
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert running.wait(60) == 0, said
    return said.decode()


@pytest.mark.parametrize("columns", [40, *(pytest.param(wider, marks=LONG) for wider in (50, 80)), 120])
def test_the_count_is_seen_however_narrow_the_terminal(kb: Knowledge, columns: int) -> None:
    kb.source["id"] = "the-handbook-of-the-whole-company"
    for number in range(40):
        kb.write(f"{number}.md", f"# Page {number}\n\nText.\n")
    assert "40/40" in in_terminal(kb, columns, "sync")


def test_a_terminal_says_at_once_what_a_search_waits_for(kb: Knowledge) -> None:
    kb.write("a.md", "# Leave\n")
    kb.sync()
    assert "Loading the model" in in_terminal(kb, 80, "search", "leave")
    assert "Loading the model" not in in_terminal(kb, 80, "search", "leave", "--mode", "sparse")
    assert in_terminal(kb, 80, "search", "leave", "--quiet") == ""


def test_a_log_says_it_only_when_it_takes_long(kb: Knowledge) -> None:
    kb.write("a.md", "# Leave\n")
    kb.sync()

    def said(*arguments: str, more: str = "") -> str:
        command = process(*arguments, more=more)
        done = forks.run(command, cwd=kb.home, env=environment(), capture_output=True, check=True)
        return str(done.stderr.decode())

    assert said("search", "leave") == ""
    assert said("search", "leave", more=PATIENT).startswith("Loading the model ")
    assert said("search", "leave", "--quiet", more=PATIENT) == ""
