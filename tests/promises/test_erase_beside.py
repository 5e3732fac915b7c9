"""Documents are erased one after another beside syncs and searches of other processes: after each receipt
nothing finds them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest

from index.erase.carry_out import carry_out
from index.erase.place import place
from index.erase.target import Target
from index.phrase import Phrases
from index.run import Run
from index.search.find import find
from index.search.knowledge_base import KnowledgeBase
from index.search.reader import Reader
from index.store.base import Filter, Mode
from index.verify.compare import verify
from index.workspace import Workspace, require_collection
from tests import forks
from tests.commands import environment
from tests.knowledge import Knowledge
from tests.promises import bytes_left
from tests.soak import LONG

pytestmark = pytest.mark.usefixtures("examined_here", "scanned_here")

#: Pages that are edited and synced all the while.
PAGES = 12

#: Knowledge bases of the long form, and documents that are erased in each.
BASES, ERASED = 4, 250

#: A page's text: number, version. The word says that it is to be found.
PAGE = "# Page {0}\n\nWhat page{0} has to say in version {1}.\n"

SYNCING = """
import sys, time
from pathlib import Path
import index.embed.embedder, index.parse
from tests.embedders import HashEmbedder
index.embed.embedder.Embedder = HashEmbedder
index.parse.Parser.warm = index.parse.Parser.walls
from index.config import load
from index.errors import Locked
from index.run import Run
from index.sync.sync import sync
from index.workspace import Workspace
from tests.promises.test_erase_beside import PAGE, PAGES
home, version = Path(sys.argv[1]), 0
with Workspace(load(home / "freshkb.yaml", {}, home)) as workspace:
    print("ready", flush=True)
    while not (home / "end").exists():
        version += 1
        (home / "docs" / f"{version % PAGES}.md").write_text(PAGE.format(version % PAGES, version))
        try:
            report = sync(Run(workspace, "sync"))
            assert report.outcome == "done", report.json()
        except Locked:
            pass
        # Long enough for another to be the writer.
        time.sleep(0.5)
print(version)
"""

SEARCHING = """
import sys, time
from pathlib import Path
import index.embed.embedder
from tests.embedders import HashEmbedder
index.embed.embedder.Embedder = HashEmbedder
from index.search.knowledge_base import KnowledgeBase
from tests.promises.test_erase_beside import PAGES
home, asked = Path(sys.argv[1]), 0
with KnowledgeBase.open(home / "freshkb.yaml") as kb:
    print("ready", flush=True)
    while not (home / "end").exists():
        page = asked % PAGES
        hits = kb.search(f"page{page}", k=30)
        assert any(f"page{page} " in hit.text for hit in hits), page
        asked += 1
        # Others have the processors, too.
        time.sleep(0.1)
print(asked)
"""


@contextmanager
def beside(home: Path, *programs: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that go on until a file says that it is the end."""
    started: list[subprocess.Popen[str]] = []
    try:
        for program in programs:
            command = [sys.executable, "-c", program, str(home)]
            child: subprocess.Popen[str] = forks.Popen(
                command,
                env=environment(),
                text=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            started.append(child)
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n", child.communicate()
        yield started
    finally:
        for child in started:
            child.kill()
            child.communicate()


@pytest.mark.parametrize("base", [0, *(pytest.param(base, marks=LONG) for base in range(1, BASES))])
def test_what_has_a_receipt_is_found_by_nothing(base: int, kb: Knowledge, soak: bool) -> None:
    number = ERASED if soak else 3
    kb.source["delete"] = {"max_fraction": 1.0, "purge_within": "30d"}
    for page in range(PAGES):
        kb.write(f"{page}.md", PAGE.format(page, 0))
    text = "# Gone {0}\n\nThe goner{0}x is of the letter{0}x alone.\n"
    texts = {f"gone/{n}.md": text.format(n) for n in range(number)}
    for uri, text in texts.items():
        kb.write(uri, text)
    kb.sync()
    vectors = {
        point.payload["metadata"]["uri"]: point.dense
        for point in kb.points().values()
        if point.payload["metadata"]["uri"] in texts
    }
    assert vectors.keys() == texts.keys()
    tried = 0
    with kb.workspace() as workspace, beside(kb.home, SYNCING, SEARCHING) as others:
        for n, uri in enumerate(texts):
            order = place(workspace, Target([uri]), "Asked.")
            while not (report := carry_out(Run(workspace, "erase"), order.order_id)).done:
                tried += 1
                assert tried < 10 + number, report.error
            assert report.receipt is not None and report.receipt.exists()
            _not_found(workspace, n, uri, vectors[uri])
            ended = [child.communicate() for child in others if child.poll() is not None]
            assert not ended, ended
        (kb.home / "end").touch()
        said = [child.communicate(timeout=120) for child in others]
        assert all(child.returncode == 0 for child in others), said
        counts = [int(out) for out, _ in said]
        assert min(counts) > number / 4, counts
        orders = workspace.ledger.erasures.all()
        assert len(bytes_left.receipted(workspace)) == len(orders) == number
        assert sorted(bytes_left.said_done(workspace)) == sorted(o.order_id for o in orders)
    kb.sync()
    assert {document for document in kb.documents() if document.startswith("gone/")} == set()
    assert kb.ask(lambda workspace: verify(workspace, deep=True)).ok
    print(f"{number} erasures, {tried} tried again; syncs and searches beside them: {counts}")


def _not_found(workspace: Workspace, n: int, uri: str, vector: Any) -> None:
    base = KnowledgeBase(workspace)
    word = f"goner{n}x"
    for mode in get_args(Mode):
        hits = base.search(f"{word} letter{n}x", k=20, mode=mode)
        assert not [hit.uri for hit in hits if word in hit.text or hit.uri == uri], mode
    assert list(find(Reader(workspace), Phrases([word]))) == []
    assert list(find(Reader(workspace), Phrases([f"gone {n}"]))) == []
    with workspace.store.session(require_collection(workspace).name) as session:
        payloads = [json.dumps(point.payload) for point in session.scroll(vectors=False)]
        nearest = session.search(mode="dense", dense=vector, sparse=None, limit=3, where=Filter())
    assert payloads and not [text for text in payloads if word in text or f'"{uri}"' in text]
    assert not [hit for hit in nearest if word in json.dumps(hit.point.payload)]
