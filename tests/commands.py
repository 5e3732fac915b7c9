"""The command line for tests: in this process with a fast embedder, or as a process of its own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flows.cli.app import application
from tests.embedders import HashEmbedder
from tests.knowledge import Knowledge

#: `freshkb` as a process whose model is a stand-in; lines before `main()` may be added.
WITHOUT_MODEL = """
import sys
import index.embed
from tests.embedders import HashEmbedder
index.embed.Embedder = HashEmbedder
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
        monkeypatch.setattr("index.embed.Embedder", HashEmbedder)
        monkeypatch.setattr("index.parse.Parser", lambda: kb.parser)
        monkeypatch.delenv("PREFECT_API_URL", raising=False)

    def __call__(self, *arguments: str, code: int | None = 0) -> Result:
        """What the command printed. It has to end with this exit code."""
        app = application(*arguments[:1])
        found = CliRunner().invoke(app, arguments, catch_exceptions=False, prog_name="freshkb")
        assert code is None or found.exit_code == code, (found.exit_code, found.output)
        return found

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        """What the command printed as JSON; stdout holds nothing else."""
        return json.loads(self(*arguments, "--json", code=code).stdout)


def process(*arguments: str, more: str = "") -> list[str]:
    """The command of a process that runs `freshkb` with a stand-in for the model."""
    return [sys.executable, "-c", WITHOUT_MODEL.format(more=more), *arguments]


def environment() -> dict[str, str]:
    """Without what belongs to whoever runs the tests; modules of the tests can be imported."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "FRESHKB_"))}
    return clean | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
