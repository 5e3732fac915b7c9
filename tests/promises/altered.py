"""A small but varied index, for alterations behind freshkb's back.

Every alteration is made directly: SQL on the ledger's file, the store's session, the source's files. It names
its subject, so that a test can ask whether exactly that was found.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from index.model import Point
from index.parse import Parser
from index.records import Collection, Document
from index.run import Run
from index.sync.requests import review
from index.workspace import Workspace
from tests.copies import copy
from tests.holds import order
from tests.knowledge import Knowledge
from tests.promises.image import Image, image
from tests.traces.operations import BROKEN

#: Long ago, so that every change token is to be trusted.
THEN = 1_700_000_000

PROSE = "The {n}th paragraph of {name} says what only it says, namely {n} times {name}. " * 12
TABLE = "| part | price |\n|---|---|\n" + "".join(f"| part {n} of the list | {n * 7} |\n" for n in range(150))
TEXTS = {
    "plain.md": "---\nowner: user:anna\nlast_reviewed: 2026-03-01\n---\n# Plain\n\nOne.\n\n## Two\n\n2.\n",
    "team/ruled.md": "# Ruled\n\nWhat the team does.\n\n## When\n\nOn Mondays.\n",
    "team/deep/low.md": "# Low\n\nFar below.\n",
    "long.txt": "\n\n".join(PROSE.format(n=n, name="long") for n in range(6)),
    "repeated.md": "# Again\n\nSame.\n\n# Again\n\nSame.\n\n# Again\n\nSame.\n\n# Other\n\nNot.\n",
    "table.md": f"# Prices\n\n{TABLE}",
    "twin-1.md": "# Twins\n\nAlike.\n\n## More\n\nAlike again.\n",
    "twin-2.md": "# Twins\n\nAlike.\n\n## More\n\nAlike again.\n",
    "updated.md": "# Draft\n\nFirst words.\n\n## Kept\n\nThis stays.\n",
    "before.md": "# Moved\n\nThis text moves.\n\n## And\n\nThis one too.\n",
    "reviewed.md": "# Reviewed\n\nSomebody vouches for this.\n\n## Still\n\nAnd for this.\n",
    "broken.json": json.dumps([PROSE.format(n=n, name="json") for n in range(4)]),
    "held.md": "# Held\n\nA lawsuit needs this.\n\n## Also\n\nAnd what follows.\n\n## Last\n\nEnd.\n",
    "kept.md": "# Kept\n\nHeld, and still there.\n",
    "empty.md": "",
    "page.html": "<html><head><title>Page</title></head><body><h1>Page</h1><p>Text.</p></body></html>",
    "skipped.xyz": "nothing that can be parsed",
}
NEVER = {"never.json": BROKEN}


class Altered:
    """The index, put back to what it was before each alteration."""

    def __init__(self, home: Path, parser: Parser) -> None:
        self.kb = Knowledge(home, parser)
        self.kb.settings["embedding"] = {"dtype": "float32"}
        self.kb.settings["sources"] = [
            {
                "id": "docs",
                "type": "files",
                "root": "./docs",
                "rules": [{"match": "team/**", "owner": "group:team", "freshness": {"warn_after": "30d"}}],
            },
            {"id": "notes", "type": "files", "root": "./notes"},
        ]
        (self.kb.home / "notes").mkdir()
        self._grow()
        copy(self.state, self._kept)
        self.image: Image = self.kb.ask(image)
        self.documents: dict[str, Document] = self.kb.ask(_documents)
        self.by_uri = {document.uri: document for document in self.documents.values()}
        self.points: dict[str, Point] = self.kb.points()
        collection: Collection | None = self.kb.ask(lambda m: m.ledger.collections.current())
        assert collection is not None
        self.collection = collection
        self.decisions = self.kb.ask(self._decisions)

    @property
    def state(self) -> Path:
        return self.kb.home / ".freshkb"

    @property
    def _kept(self) -> Path:
        return self.kb.home.with_name("kept")

    @property
    def backup(self) -> Path:
        """The state before the last sync."""
        return self.kb.home.with_name("backup")

    @property
    def ledger_file(self) -> Path:
        return self.state / "ledger.db"

    def _grow(self) -> None:
        """Several runs, with all that can happen to a document between them."""
        kb = self.kb
        for uri, text in TEXTS.items():
            self.put("docs", uri, text.encode())
        for uri, content in NEVER.items():
            self.put("docs", uri, content)
        for number in range(4):
            self.put(
                "notes", f"note-{number}.md", f"# Note {number}\n\nOn {number}.\n\n## B\n\nMore.\n".encode()
            )
        kb.sync()
        held = [d.document_id for d in kb.documents().values() if d.uri in ("held.md", "kept.md")]
        kb.ask(lambda m: m.ledger.holds.place(order("LH", kb.clock()), held, []))
        kb.clock.forward(days=1)
        with kb.workspace() as workspace:
            review(Run(workspace, "review"), ["reviewed.md", "twin-1.md"], "anna")
        kb.clock.forward(days=1)
        copy(self.state, self.backup)
        self.put("docs", "updated.md", b"# Final\n\nLast words.\n\n## Kept\n\nThis stays.\n")
        self.put("docs", "broken.json", BROKEN)
        (kb.docs / "before.md").rename(kb.docs / "after.md")
        (kb.docs / "held.md").unlink()
        kb.sync()
        kb.clock.forward(days=1)

    def put(self, source: str, uri: str, content: bytes, *, at: int = 0) -> Path:
        path = self.kb.home / source / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (THEN + at, THEN + at))
        return path

    def _decisions(self, workspace: Workspace) -> tuple[Any, ...]:
        """Decisions of people, which no source can give."""
        reviews = workspace.ledger.reviews.of(list(self.documents))
        return {
            document_id: made[-1].at for document_id, made in reviews.items()
        }, workspace.ledger.holds.held()

    def put_back(self, *undo: Callable[[], object]) -> None:
        for each in undo:
            each()
        shutil.rmtree(self.state)
        copy(self._kept, self.state)

    def kept_right(self, workspace: Workspace) -> list[str]:
        """How ids and decisions differ from what they were; no rebuild could give these."""
        now = {(d.source, d.uri): d.document_id for d in _documents(workspace).values()}
        wrong = [
            f"{document.uri!r} has another id"
            for document in self.documents.values()
            if now.get((document.source, document.uri)) != document.document_id
        ]
        decisions = self._decisions(workspace)
        if decisions != self.decisions:
            wrong.append(f"reviews and holds are {decisions}, were {self.decisions}")
        return wrong

    # ── What an alteration works with ─────────────────────────────────────────────────────────────────

    def sql(self, statement: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.ledger_file)) as connection, connection:
            done = connection.execute(statement, values)
            assert done.rowcount != 0, f"nothing was altered by {statement} {values}"
            return done.fetchall()

    def store(self, change: Callable[[Any], None]) -> None:
        with self.kb.workspace() as workspace, workspace.store.session(self.collection.name) as session:
            change(session)

    def upsert(self, *points: Point) -> None:
        self.store(lambda session: session.upsert(points))

    def of(self, document: Document) -> list[Point]:
        own = [p for p in self.points.values() if p.payload["doc_id"] == document.document_id]
        return sorted(own, key=lambda point: int(point.payload["metadata"]["chunk_index"]))

    def owner(self, point: Point) -> Document:
        return self.documents[point.payload["doc_id"]]

    def some(self, random: Random, *, unreadable: bool | None = None) -> Point:
        """A point; of a document whose source can give it again or cannot, where that is asked for."""
        if unreadable is None:
            return random.choice(self.of(self.any(random)))
        points = [point for document in self.chosen(unreadable) for point in self.of(document)]
        return random.choice(points)

    def any(self, random: Random) -> Document:
        """A document that has points, as often of the few that no source gives as of the many."""
        return random.choice(self.chosen(unreadable=random.random() < 0.5))

    def chosen(self, unreadable: bool | None = None) -> list[Document]:
        """Documents that have points, in an order that does not depend on their ids."""
        found = [d for d in self.documents.values() if d.chunk_count]
        if unreadable is not None:
            found = [d for d in found if (d.uri in UNREADABLE) == unreadable]
        return sorted(found, key=lambda d: (d.source, d.uri))


def _documents(workspace: Workspace) -> dict[str, Document]:
    return {document.document_id: document for document in workspace.ledger.documents.find()}


#: Their sources cannot give what the index has of them.
UNREADABLE = ("held.md", "broken.json")
