"""A source tree that Python has not compiled yet works at once, whatever user runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import environment
from tests.knowledge import Knowledge

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(os.geteuid() != 0, reason="Only of root is the parser's child another user.")
def test_the_first_command_of_root_leaves_no_bytecode_that_the_parser_cannot_read(
    kb: Knowledge, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    for package in ("connectors", "index", "flows", "freshkb"):
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    tree.chmod(0o755)
    for folder in tree.parents:
        if folder.is_relative_to(tmp_path.parents[1]):
            folder.chmod(folder.stat().st_mode | 0o011)
    kb.write("a.md", "# A\n\nText.\n")
    kb.config()
    ran = subprocess.run(
        [sys.executable, "-m", "freshkb", "sync", "--json"],
        cwd=kb.home,
        env={**environment(), "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["sources"][0]["added"] == 1
    closed = [path for path in tree.rglob("__pycache__") if not path.stat().st_mode & 0o001]
    assert closed == []
