"""The command line for tests: in this process with a fast embedder, or as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner, Result

from flows.cli.app import application
from tests import forks
from tests.embedders import HashEmbedder
from tests.knowledge import Knowledge

#: `freshkb` as a process whose model is a stand-in; lines before `main()` may be added. Its parser imports
#: the readers of the formats that it meets, and not those of all: that takes seconds in each process.
WITHOUT_MODEL = """
import sys
import index.embed.embedder
import index.parse
from tests.embedders import HashEmbedder
index.embed.embedder.Embedder = HashEmbedder
index.parse.Parser.warm = index.parse.Parser.walls
from flows.cli import main
sys.argv[0] = "freshkb"
{more}
main()
"""


class CommandLine:
    """Runs commands in the knowledge base's folder, as a person does."""

    def __init__(self, kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kb = kb
        # Its precision is named, because finding the best one would load the model.
        kb.settings["embedding"] = {"dtype": "float32"}
        kb.config()
        monkeypatch.chdir(kb.home)
        monkeypatch.setattr("index.embed.embedder.Embedder", HashEmbedder)
        monkeypatch.setattr("index.parse.Parser", lambda **_: kb.parser)
        monkeypatch.delenv("PREFECT_API_URL", raising=False)

    def __call__(self, *arguments: str, code: int | None = 0, given: str | None = None) -> Result:
        """The result of a command, `given` this standard input, which has to end with this exit code."""
        app = application(*arguments[:1])
        runner = CliRunner()
        found = runner.invoke(app, arguments, input=given, catch_exceptions=False, prog_name="freshkb")
        assert code is None or found.exit_code == code, (found.exit_code, found.output)
        return found

    def json(self, *arguments: str, code: int | None = 0, given: str | None = None) -> Any:
        """The command's JSON; stdout holds nothing else."""
        return json.loads(self(*arguments, "--json", code=code, given=given).stdout)


def process(*arguments: str, more: str = "") -> list[str]:
    """The command of a process that runs `freshkb` with a stand-in for the model."""
    return [sys.executable, "-c", WITHOUT_MODEL.format(more=more), *arguments]


def environment() -> dict[str, str]:
    """Without the settings of the user that runs the tests; modules of the tests can be imported."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "FRESHKB_"))}
    return clean | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}


class Ended(NamedTuple):
    """A command that has ended; negative codes are signals. It printed to stdout and stderr together."""

    command: list[str]
    code: int
    printed: str


def forked(
    home: Path,
    commands: Sequence[Sequence[str]],
    environ: Mapping[str, str],
    libraries: Sequence[str] = (),
) -> list[Ended]:
    """Many commands as processes, one after another. Their model is a stand-in. `libraries` are imported
    before the first, so that not each of them does it again."""
    ended = []
    for command in map(list, commands):
        done = forks.run(
            process(*command),
            libraries=libraries,
            cwd=home,
            env={**environment(), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # What would go on until it is interrupted is interrupted.
            timeout=300,
        )
        ended.append(Ended(command, done.returncode, done.stdout.decode(errors="backslashreplace")))
    return ended
