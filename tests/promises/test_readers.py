"""Many readers: searches go on beside a writer, none fails, and what they show was whole."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import Any

from index.reindex import reindex
from index.run import Run
from index.search.knowledge_base import KnowledgeBase
from index.verify.compare import verify
from tests import forks
from tests.commands import environment
from tests.knowledge import Knowledge, counts
from tests.promises.image import differences, image, rebuilt
from tests.promises.parts import Call, interpose
from tests.promises.readers import PARTS, chunk, text

#: Pages that are always there; the readers' answers are about these.
PAGES = 6

#: Roles whose answers are counted while something is written, and a role that is counted only at the end,
#: because each of its answers takes as long as starting two processes.
COUNTED, OTHERS = ("search", "search", "look"), ("command",)


class Readers:
    """Processes that read; see `tests.promises.readers`."""

    def __init__(self, kb: Knowledge, stack: ExitStack) -> None:
        started = [stack.enter_context(_reading(kb, role, n)) for n, role in enumerate((*COUNTED, *OTHERS))]
        self._counted, self._others = started[: len(COUNTED)], started[len(COUNTED) :]
        for child in started:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n", child.args
        self.asked = [0] * len(COUNTED)

    def beside(self, work: Callable[[], Any]) -> Any:
        """The work's result; nothing was wrong with any answer that was given meanwhile."""
        self.ask("counts")
        done = work()
        for number, each in enumerate(self.ask("counts")):
            self.asked[number] += each["asked"]
        return done

    def ask(self, line: str) -> list[dict[str, Any]]:
        return _counts(self._counted, line)

    def end(self) -> None:
        """Nothing was wrong with an answer of the others, and no reader was starved by another."""
        assert all(each["asked"] for each in _counts(self._others, "counts"))
        searches = [asked for asked, role in zip(self.asked, COUNTED, strict=True) if role == "search"]
        assert min(searches) > max(searches) / 4, searches


def _counts(children: Sequence[subprocess.Popen[str]], line: str) -> list[dict[str, Any]]:
    """The counts of each child since the last time."""
    for child in children:
        assert child.stdin is not None
        child.stdin.write(f"{line}\n")
        child.stdin.flush()
    counts = [json.loads(child.stdout.readline()) for child in children if child.stdout]
    faults = [fault for each in counts for fault in each["faults"]]
    assert not faults, "\n".join(faults)
    return counts


@contextmanager
def _reading(kb: Knowledge, role: str, seed: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.promises.readers", role, str(kb.home / "freshkb.yaml")]
    child = forks.Popen(
        [*command, str(PAGES), str(seed)],
        env=environment(),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def test_no_search_fails_and_no_point_is_harmed_beside_a_writer(kb: Knowledge, soak: bool) -> None:
    more = 500 if soak else 2 * PAGES
    kb.source["delete"] = {"max_fraction": 1.0}

    def write(pages: range, version: int) -> None:
        for page in pages:
            kb.write(f"page-{page}.md", text(page, version))

    write(range(PAGES), 0)
    kb.sync()
    with ExitStack() as stack:
        readers = Readers(kb, stack)
        write(range(PAGES, more), 0)
        assert counts(readers.beside(kb.sync))["added"] == more - PAGES

        for version in range(1, 6 if soak else 2):
            write(range(more), version)
            assert counts(readers.beside(kb.sync))["updated"] == more

        for page in range(more):
            (kb.docs / f"page-{page}.md").rename(kb.docs / f"moved-{page}.md")
        assert counts(readers.beside(kb.sync)) == {"moved": more, "embedded": 0}

        for page in range(more // 2, more):
            (kb.docs / f"moved-{page}.md").unlink()
        assert counts(readers.beside(kb.sync))["deleted"] == more - more // 2
        readers.ask(f"gone {more // 2}")

        kb.settings["embedding"] = {"dtype": "bfloat16"}
        readers.beside(lambda: kb.ask(lambda workspace: reindex(workspace, Run(workspace, "reindex"))))
        readers.beside(kb.sync)
        readers.end()
    assert differences(kb.ask(image), rebuilt(kb)) == []
    assert kb.ask(lambda workspace: verify(workspace, deep=True)).ok


def test_a_search_that_a_reindex_overtakes_asks_the_new_collection(kb: Knowledge) -> None:
    kb.write("page-1.md", text(1, 0))
    kb.sync()
    kb.settings["embedding"] = {"dtype": "bfloat16"}
    overtaken: list[str] = []

    def overtake() -> None:
        if not overtaken:
            overtaken.append("by a reindex")
            kb.ask(lambda workspace: reindex(workspace, Run(workspace, "reindex")))

    def around(call: Call) -> Any:
        if str(call) == before:
            overtake()
        return call.whole()

    for before in ("store.instance", "embedder.embed_query", "store.session"):
        overtaken.clear()
        with kb.workspace() as workspace:
            interpose(workspace, around)
            hits = KnowledgeBase(workspace).search("page1", mode="hybrid")
        assert overtaken and len(hits) == PARTS, before
        embedding = kb.settings["embedding"]
        embedding["dtype"] = "float32" if embedding["dtype"] == "bfloat16" else "bfloat16"


def test_a_verification_that_a_reindex_overtakes_compares_the_new_collection(kb: Knowledge) -> None:
    kb.write("page-1.md", text(1, 0))
    kb.sync()
    kb.settings["embedding"] = {"dtype": "bfloat16"}
    overtaken: list[str] = []

    def around(call: Call) -> Any:
        if str(call) == before and not overtaken:
            overtaken.append("by a reindex")
            kb.ask(lambda workspace: reindex(workspace, Run(workspace, "reindex")))
            kb.sync()
        return call.whole()

    for before in ("store.instance", "store.session", "ledger.chunks.miscounted"):
        overtaken.clear()
        with kb.workspace() as workspace:
            interpose(workspace, around)
            found = verify(workspace)
        assert overtaken and found.ok, f"{before}: {found.json()}"
        assert found.points == PARTS
        embedding = kb.settings["embedding"]
        embedding["dtype"] = "float32" if embedding["dtype"] == "bfloat16" else "bfloat16"


def test_a_document_that_is_rewritten_during_a_search_is_found(kb: Knowledge) -> None:
    kb.write("page-1.md", text(1, 0))
    kb.sync()
    kb.write("page-1.md", text(1, 1))
    syncing = Thread(target=kb.sync)

    def around(call: Call) -> Any:
        if str(call) == "ledger.chunks.searchable":
            # Time enough to get between what was found and the question whether it is current.
            syncing.start()
            syncing.join(1.0)
        return call.whole()

    with kb.workspace() as workspace:
        interpose(workspace, around)
        hits = KnowledgeBase(workspace).search("page1", mode="sparse")
    syncing.join()
    assert sorted(hit.text.strip() for hit in hits) == sorted(chunk(1, 0, part) for part in range(PARTS))
