"""A small knowledge base that is made once for a module of tests, and laid out for each of them as it was: a
copy of its files takes a tenth of what it takes to sync them."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from connectors.walk import entry_of
from index.parse import Parser
from tests.copies import copy
from tests.knowledge import Knowledge


class LaidOut:
    """Its ledger is SQLite. It lies at the same place each time: its points have the paths of its files."""

    def __init__(self, home: Path, parser: Parser, make: Callable[[Knowledge], object]) -> None:
        made = Knowledge(home, parser)
        make(made)
        self._made, self._kept = made, home.with_name(f"{home.name}-kept")
        copy(home, self._kept)

    def again(self, kb: Knowledge) -> Knowledge:
        """`kb`, which is now this one: its files, its settings and its time."""
        made = self._made
        shutil.rmtree(made.home, ignore_errors=True)
        copy(self._kept, made.home)
        kb.home, kb.docs = made.home, made.docs
        kb.settings, kb.sizes, kb.clock.time = deepcopy(made.settings), made.sizes, made.clock.time
        self._told()
        return kb

    def _told(self) -> None:
        """The ledger knows the files, and their folder, by their inodes: copies have others."""
        docs = self._made.docs
        with closing(sqlite3.connect(self._made.home / ".freshkb" / "ledger.db")) as ledger, ledger:
            # As the ledger does: nothing of a row that changes stays in its page.
            ledger.execute("PRAGMA secure_delete = ON")
            for (uri,) in ledger.execute("SELECT uri FROM documents WHERE token IS NOT NULL").fetchall():
                if (docs / uri).exists():
                    entry = entry_of(uri, (docs / uri).stat())
                    known = (entry.token, entry.native_id, uri)
                    ledger.execute("UPDATE documents SET token = ?, native_id = ? WHERE uri = ?", known)
            for source, identity in ledger.execute("SELECT source, identity FROM sources").fetchall():
                here = re.sub(r"inode \d+", f"inode {docs.stat().st_ino}", identity)
                ledger.execute("UPDATE sources SET identity = ? WHERE source = ?", (here, source))


def made_once(make: Callable[[Knowledge], object]) -> Any:
    """A fixture of a module: what `make` makes of an empty knowledge base."""

    @pytest.fixture(scope="module")
    def made(tmp_path_factory: pytest.TempPathFactory, parser: Parser) -> LaidOut:
        return LaidOut(tmp_path_factory.mktemp("made") / "kb", parser, make)

    return made
