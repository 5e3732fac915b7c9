"""An index with every kind of file, and the damages that a failing disk may do to one of them."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

import index.store.edge.session
from index.errors import FreshkbError, ModelChanged, Refused
from index.parse import Parser
from index.reindex import reindex
from index.run import Run
from index.sync.requests import review
from index.verify.compare import verify
from index.verify.differences import Verification
from index.verify.mend import mend_ledger
from index.verify.repair import repair
from tests.copies import copy
from tests.holds import order
from tests.knowledge import Knowledge
from tests.promises.altered import TEXTS, THEN
from tests.promises.image import Image, image

#: Documents with decisions of people, which no source has: a review, a hold.
REVIEWED, KEPT = "reviewed.md", "kept.md"
GONE = {"broken.json", "held.md"}


class Wrecked:
    """The index, put back to what it was before each wreck."""

    def __init__(self, home: Path, parser: Parser) -> None:
        self.kb = Knowledge(home, parser)
        self.kb.settings["sources"] = [
            {
                "id": "docs",
                "type": "files",
                "root": "./docs",
                "rules": [{"match": "team/**", "owner": "group:team", "freshness": {"warn_after": "30d"}}],
            },
            {"id": "notes", "type": "files", "root": "./notes", "owner": "user:anna"},
        ]
        with pytest.MonkeyPatch.context() as patch:
            # Some points are sealed, and some are not: their files are others.
            patch.setattr(index.store.edge.session, "SEAL_POINTS", 40)
            self._grow()
        self.image: Image = self.kb.ask(image)
        self.edit()
        self.kb.sync()
        self.edited: Image = self.kb.ask(image)
        self.put_back()

    @property
    def state(self) -> Path:
        return self.kb.home / ".freshkb"

    @property
    def kept(self) -> Path:
        return self.kb.home.with_name("kept")

    def _grow(self) -> None:
        kb = self.kb
        for uri, text in TEXTS.items():
            if uri not in GONE:
                self.put("docs", uri, text)
        for number in range(6):
            self.put("notes", f"{number}.md", f"# Note {number}\n\nOn {number}.\n\n## More\n\nOf {number}.\n")
        kb.sync()
        kept = [d.document_id for d in kb.documents().values() if d.uri == KEPT]
        kb.ask(lambda workspace: workspace.ledger.holds.place(order("LH", kb.clock()), kept, []))
        with kb.workspace() as workspace:
            review(Run(workspace, "review"), [REVIEWED], "anna")
        # An open reader keeps SQLite from emptying its log.
        with closing(sqlite3.connect(self.state / "ledger.db")) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM documents").fetchone()
            self.put("docs", "last.md", "# Last\n\nWhat came last.\n\n## Of all\n\nAnd least.\n")
            self.put("docs", "updated.md", "# Final\n\nLast words.\n", at=9)
            kb.sync()
            assert (self.state / "ledger.db-wal").stat().st_size > 0
            copy(self.state, self.kept)

    def put(self, source: str, uri: str, text: str, *, at: int = 0) -> None:
        path = self.kb.home / source / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (THEN + at, THEN + at))

    def edit(self, *, undo: bool = False) -> None:
        """Of every document something is written anew: another text, or another owner."""
        for uri, text in TEXTS.items():
            if uri.endswith((".md", ".txt")) and uri not in GONE and text:
                now = "# Final\n\nLast words.\n" if uri == "updated.md" else text
                self.put("docs", uri, now if undo else now + "\n\nAdded.\n", at=9 if undo else 20)
        self.kb.settings["sources"][1]["owner"] = "user:anna" if undo else "user:bob"

    def put_back(self) -> None:
        self.edit(undo=True)
        for uri in TEXTS:
            if uri not in GONE and uri != "updated.md":
                self.put("docs", uri, TEXTS[uri])
        shutil.rmtree(self.state, ignore_errors=True)
        copy(self.kept, self.state)

    # ── Finding and mending, as the commands do ───────────────────────────────────────────────────────

    def found(self) -> str:
        """The output of `freshkb verify --deep`; empty when source, ledger and store agree."""
        try:
            with self.kb.workspace() as workspace:
                seen = verify(workspace, deep=True)
                return "" if seen.ok else str(seen.json())
        except FreshkbError as error:
            return str(error)

    def mend(self) -> bool:
        """As `freshkb verify --repair`, then `freshkb sync`; whether a ledger had to be given up first."""
        given_up = False
        try:
            self._repair()
        except Refused as error:
            told = re.search(r"without what cannot be read: mv (\S+) (\S+) && freshkb", str(error))
            assert told is not None, str(error)
            Path(told[1]).rename(told[2])
            given_up = True
            self._repair()
        try:
            self.kb.sync()
        except ModelChanged as error:
            # Only the ledger says which encoder made the vectors.
            assert "freshkb reindex" in str(error), str(error)
            with self.kb.workspace() as workspace:
                reindex(workspace, Run(workspace, "reindex"))
            self.kb.sync()
        return given_up

    def _repair(self) -> Verification:
        with self.kb.workspace() as workspace:
            mend_ledger(workspace)
            seen = verify(workspace, deep=True)
            if not seen.ok:
                repair(workspace, seen, Run(workspace, "verify"))
            return seen


def files(state: Path) -> dict[str, list[Path]]:
    """The files of an index by what they are: those of each segment and each field are of one kind."""
    found: dict[str, list[Path]] = {}
    for path in sorted(path for path in state.rglob("*") if path.is_file() and path.suffix != ".lock"):
        name = path.relative_to(state).as_posix()
        name = re.sub(r"segments/[0-9a-f-]{36}", "segment", re.sub(r"kb-[0-9a-f]+-[0-9a-f]+", "kb", name))
        found.setdefault(re.sub(r"/[0-9a-z]{24}-metadata", "/field", name), []).append(path)
    return found


def wreck(path: Path, random: Random) -> str:
    """Flip a bit of a file, or cut it off, or lose a page of it; returns the damage in words."""
    size = path.stat().st_size
    how = random.choice(("bit", "bit", "bit", "cut", "page"))
    if how == "cut" or not size:
        left = random.choice((0, random.randrange(size + 1)))
        os.truncate(path, left)
        return f"cut to {left} of {size}"
    content = path.read_bytes()
    # Most of a file is room that nothing has been written to yet.
    told = [at for at in range(0, size, 64) if content[at : at + 64].strip(b"\0")]
    at = min(size - 1, random.choice(told) + random.randrange(64)) if told else random.randrange(size)
    with path.open("r+b") as file:
        if how == "page":
            at -= at % 4096
            file.seek(at)
            file.write(bytes(min(4096, size - at)))
            return f"zeros from {at}"
        bit = random.randrange(8)
        file.seek(at)
        file.write(bytes([content[at] ^ (1 << bit)]))
    return f"bit {bit} of byte {at} of {size}"
