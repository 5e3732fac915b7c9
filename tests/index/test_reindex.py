"""A reindex: its state after an interruption, its progress, and its report."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

import index.chunk.fingerprint
import index.reindex
from index.errors import Locked
from index.model import State
from index.outcome import NoProgress
from index.reindex import reindex
from index.run import Run
from index.sizes import Sizes
from index.verify.compare import verify
from tests.knowledge import Knowledge, counts


class Bar(NoProgress):
    """Counts as a progress bar does; may stop the run after the first batch."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self.total = self.done = 0
        self._stop = stop

    def source(self, source: str, documents: int) -> None:
        self.total, self.done = documents, 0

    def documents(self, count: int) -> None:
        self.done += count
        if self._stop is not None:
            self._stop.set()


@pytest.fixture
def grown(kb: Knowledge) -> Knowledge:
    """Three documents with text, one of a type that has none, and one that could never be parsed."""
    for name in "abc":
        kb.write(f"{name}.md", f"# {name}\n\nText of {name}.\n\n## More\n\nAnd more of {name}.\n")
    kb.write("tool.exe", "MZ")
    (kb.docs / "never.json").write_bytes(b"\xff\xfe{")
    kb.sync()
    kb.clock.forward(minutes=1)
    kb.parser.parsed.clear()
    return kb


def other_model(kb: Knowledge, bar: Bar, stop: threading.Event | None = None) -> str:
    """How a reindex to the other precision ended."""
    kb.settings["embedding"] = {"dtype": "bfloat16"}
    with kb.workspace() as workspace:
        return reindex(workspace, Run(workspace, "reindex", progress=bar, stop=stop)).outcome


def test_an_interrupted_reindex_makes_nothing_be_read_again(
    grown: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown.sizes = Sizes(batch_documents=2)
    before, points = grown.documents(), grown.points()
    stop = threading.Event()
    assert other_model(grown, Bar(stop), stop) == "interrupted"
    grown.settings["embedding"] = {"dtype": "float32"}
    assert grown.documents() == before
    assert grown.points() == points
    assert counts(grown.sync()) == {"unchanged": 4, "quarantined": 1, "skipped": 1, "embedded": 0}
    assert grown.parser.parsed == []
    assert grown.ask(lambda m: [c.state for c in m.ledger.collections.all()]) == ["current"]


def test_no_reindex_begins_beside_a_writer_of_a_source_that_it_does_not_know(grown: Knowledge) -> None:
    with (
        grown.workspace() as other,
        other.ledger.writer("in another configuration", "freshkb sync"),
        pytest.raises(Locked, match="is being written by `freshkb sync`"),
    ):
        other_model(grown, Bar())
    assert grown.ask(lambda m: [c.state for c in m.ledger.collections.all()]) == ["current"]


def test_the_progress_of_a_reindex_comes_to_its_end(grown: Knowledge) -> None:
    bar = Bar()
    assert other_model(grown, bar) == "done"
    assert bar.done == bar.total == 5
    (run,) = grown.ask(lambda m: m.ledger.runs.newest(1))
    assert (run.kind, run.progress["done"], run.progress["of"]) == ("reindex", 5, 5)


def test_what_a_reindex_did_is_told_as_reindexed_and_the_sync_after_it_did_nothing(
    grown: Knowledge, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "freshkb"):
        other_model(grown, Bar())
    assert "5 of 5 documents: 3 reindexed; chunks: 6 embedded" in caplog.text
    assert "updated" not in caplog.text
    (run,) = grown.ask(lambda m: m.ledger.runs.newest(1))
    log = grown.ask(lambda m: [e for e in m.ledger.log.newest() if e.run_id == run.run_id and e.source])
    assert Counter(entry.action for entry in log) == {"reindexed": 3}
    assert counts(grown.sync()) == {"unchanged": 4, "quarantined": 1, "skipped": 1, "embedded": 0}
    assert grown.parser.parsed == []
    assert grown.ask(lambda m: verify(m, deep=True)).ok


def test_documents_are_extracted_again_where_the_new_model_counts_other_tokens(
    grown: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index.chunk.fingerprint, "fingerprint", lambda *_: "of another tokenizer")
    other_model(grown, Bar())
    assert counts(grown.sync())["updated"] == 3
    assert grown.parser.parsed.count(".md") == 3
    assert grown.documents()["never.json"].state is State.QUARANTINED
    assert grown.ask(lambda m: verify(m, deep=True)).ok


def test_a_long_table_is_embedded_with_its_header_row_again(kb: Knowledge) -> None:
    """The texts of its later chunks do not have that row. Another table follows, and prose."""
    tables = (
        f"| {name} |  price |\n|---|---|\n"
        + "".join(f"| {name} {n} of all | {n * 7} |\n" for n in range(150))
        for name in ("part", "tool")
    )
    kb.write("a.md", "# Prices\n\n" + "\nAnd the others:\n\n".join(tables) + "\n\nNo more.\n")
    kb.sync()
    before = kb.points()
    assert len(before) > 6
    other_model(kb, Bar())
    kb.settings["embedding"] = {"dtype": "float32"}
    with kb.workspace() as workspace:
        reindex(workspace, Run(workspace, "reindex"))
    assert kb.points() == before
