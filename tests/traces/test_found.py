"""Faults that random traces and the thoughts behind them have found, each as short as it can be."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Capabilities, DocumentVanished, Entry, Fetched
from connectors.files import FilesConnector
from index.model import Failure, State
from index.reindex import reindex
from index.run import Run
from index.sync.requests import review
from index.sync.sync import sync
from index.verify.compare import verify
from tests.holds import order
from tests.knowledge import Knowledge
from tests.soak import LONG
from tests.traces.crashes import Crash, Fuse
from tests.traces.operations import BROKEN
from tests.traces.permissions import binding


def some_of(cases: Iterable[Any], *some: Any) -> list[Any]:
    """The long form takes all cases, the short one these, of one kind each."""
    return [case if case in some else pytest.param(case, marks=LONG) for case in cases]


def crash(kb: Knowledge, kind: str, moment: int) -> None:
    """A sync or reindex that crashes at this moment of its writing calls."""
    fuse = Fuse()
    with kb.workspace() as workspace:
        fuse.fit(workspace)
        run = Run(workspace, kind)
        # The run is entered first, which has two moments of its own.
        fuse.light(moment + 2)
        with pytest.raises(Crash):
            reindex(workspace, run) if kind == "reindex" else sync(run)


def again(kb: Knowledge) -> None:
    with kb.workspace() as workspace:
        reindex(workspace, Run(workspace, "reindex"))


def equal(kb: Knowledge) -> None:
    found = kb.ask(lambda m: verify(m, deep=True))
    assert found.ok, found.json()


@pytest.mark.parametrize("moment", some_of(range(3, 8), 3, 6))
def test_a_reindex_begins_by_clearing_up_what_a_sync_left(kb: Knowledge, moment: int) -> None:
    path = kb.write("a.md", "# A\n\nText.")
    kb.sync()
    path.write_text("# A\n\nAnother text.")
    crash(kb, "sync", moment - 2)
    kb.settings["embedding"] = {"dtype": "bfloat16"}
    again(kb)
    equal_store = kb.ask(lambda m: verify(m, deep=True, sources=False))
    assert equal_store.ok, equal_store.json()
    kb.sync()
    assert "Another" in kb.texts()["a.md"]
    equal(kb)


@pytest.mark.parametrize("moment", some_of(range(10), 2, 6, 9))
def test_whoever_gives_up_a_reindex_that_crashed_can_go_on_syncing(kb: Knowledge, moment: int) -> None:
    path = kb.write("a.md", "# A\n\nText.")
    kb.settings["embedding"] = {"dtype": "float32"}
    kb.sync()
    kb.clock.forward(minutes=1)
    kb.settings["embedding"] = {"dtype": "bfloat16"}
    crash(kb, "reindex", moment)
    kb.settings["embedding"] = {"dtype": "float32"}
    path.write_text("# A\n\nAnother text.")
    kb.sync()
    assert "Another" in kb.texts()["a.md"]
    equal(kb)


def test_a_rename_keeps_the_id_although_a_crash_or_a_reindex_came_between(kb: Knowledge) -> None:
    path = kb.write("a.md", "# A\n\nText.")
    kb.settings["embedding"] = {"dtype": "float32"}
    kb.sync()
    before = kb.documents()["a.md"].document_id
    kb.settings["embedding"] = {"dtype": "bfloat16"}
    again(kb)
    # Copied and deleted, as between two file systems: only the content tells that it is the same.
    shutil.copyfile(path, kb.docs / "b.md")
    path.unlink()
    kb.sync()
    assert kb.documents()["b.md"].document_id == before
    kb.source["rules"] = [{"match": "**", "owner": "user:bo"}]
    crash(kb, "sync", 3)
    shutil.copyfile(kb.docs / "b.md", kb.docs / "c.md")
    (kb.docs / "b.md").unlink()
    kb.sync()
    found = kb.documents()["c.md"]
    assert (found.document_id, found.owner) == (before, "user:bo")
    equal(kb)


def test_rules_reach_the_old_text_of_a_document_that_fails_at_the_same_time(kb: Knowledge) -> None:
    path = kb.write("a.json", '{"word": "kept"}')
    kb.sync()
    kb.source["rules"] = [{"match": "**", "owner": "user:bo"}]
    path.write_bytes(BROKEN)
    kb.sync()
    assert kb.documents()["a.json"].state is State.QUARANTINED
    assert kb.documents()["a.json"].owner == "user:bo"
    assert {p.payload["metadata"]["owner"] for p in kb.points().values()} == {"user:bo"}
    equal(kb)


def test_rules_reach_documents_whose_removal_is_refused(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nText.")
    kb.write("b.md", "# B\n\nText.")
    kb.sync()
    kb.source["exclude"] = ["a.md"]
    kb.source["rules"] = [{"match": "**", "owner": "user:bo"}]
    assert kb.sync().exit_code == 4
    del kb.source["exclude"]
    assert kb.sync().exit_code == 0
    assert {d.owner for d in kb.documents().values()} == {"user:bo"}
    equal(kb)


def test_a_document_that_could_not_be_read_for_the_moment_is_tried_again(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nText.")
    real = kb.parser.parse

    def parse(path: Path, format: str, timeout_seconds: float | None = None) -> Any:
        real(path, format, timeout_seconds)
        return Failure("Not now.", transient=True)

    kb.parser.parse = parse  # type: ignore[method-assign]
    assert kb.sync().exit_code == 3
    kb.parser.parse = real  # type: ignore[method-assign]
    assert kb.sync().exit_code == 0
    assert set(kb.texts()) == {"a.md"}
    equal(kb)


def test_another_place_behind_the_same_id_changes_not_even_a_link(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nText.")
    kb.sync()
    before = kb.points()
    (kb.home / "else").mkdir()
    (kb.home / "else" / "x.md").write_text("# X\n\nOther.")
    kb.source["root"] = "./else"
    assert kb.sync().exit_code == 1
    assert kb.points() == before


def test_a_hint_from_another_place_behind_the_same_id_adds_nothing(kb: Knowledge) -> None:
    kb.write("sub/a.md", "# A\n\nText.")
    kb.write("b.md", "# B\n\nText.")
    kb.sync()
    kb.docs.rename(kb.home / "away")
    kb.write("sub/a.md", "# A\n\nText.")
    kb.write("sub/x.md", "# X\n\nOther.")
    assert kb.sync(folders=["sub"]).exit_code == 1
    assert set(kb.texts()) == {"sub/a.md", "b.md"}


def test_a_reindex_does_not_take_over_what_was_altered_in_the_store(kb: Knowledge) -> None:
    kb.write("a.md", "# A\n\nText.")
    kb.settings["embedding"] = {"dtype": "float32"}
    kb.sync()
    before = kb.texts()
    alter(kb, {"page_content": "Something else."})
    kb.settings["embedding"] = {"dtype": "bfloat16"}
    again(kb)
    kb.sync()
    assert kb.texts() == before
    equal(kb)


def test_recovery_is_not_stopped_by_a_payload_that_somebody_else_wrote(kb: Knowledge) -> None:
    path = kb.write("a.md", "# A\n\nText.\n\n# B\n\nText.")
    kb.sync()
    path.write_text("# A\n\nText.\n\n# C\n\nText.")
    crash(kb, "sync", 5)
    assert kb.ask(lambda m: m.ledger.points.intents())
    alter(kb, {"metadata": None})
    assert kb.sync().exit_code == 0
    equal(kb)


@pytest.mark.parametrize("rewritten", [True, False])
def test_rules_reach_documents_that_may_not_be_read(kb: Knowledge, rewritten: bool) -> None:
    path = kb.write("a.md", "# A\n\nText.")
    kb.sync()
    kb.source["rules"] = [{"match": "**", "owner": "user:bo"}]
    if rewritten:
        path.write_text("# A\n\nAnother text.")
    path.chmod(0)
    with binding():
        assert kb.sync().exit_code == (3 if rewritten else 0)
    assert kb.documents()["a.md"].owner == "user:bo"
    assert {p.payload["metadata"]["owner"] for p in kb.points().values()} == {"user:bo"}
    assert kb.texts() == {"a.md": "A\n\nText.\n\n"}


@pytest.mark.parametrize("meanwhile", some_of(("a hint", "a review", "a first hint"), "a hint", "a review"))
def test_rules_that_are_put_in_force_again_reach_what_was_written_under_others(
    kb: Knowledge, meanwhile: str
) -> None:
    kb.write("a.md", "# A\n\nText.")
    first, second = ([{"match": "**", "owner": f"user:{name}"}] for name in ("ann", "bo"))
    if meanwhile != "a first hint":
        kb.source["rules"] = first
        kb.sync()
    kb.source["rules"] = second
    if meanwhile == "a review":
        kb.ask(lambda m: review(Run(m, "review"), ["a.md"], "anna"))
    else:
        kb.write("b.md", "# B\n\nText.")
        kb.sync(folders=[""])
    assert "user:bo" in {d.owner for d in kb.documents().values()}
    kb.source["rules"] = first
    kb.sync()
    assert {d.owner for d in kb.documents().values()} == {"user:ann"}
    assert {p.payload["metadata"]["owner"] for p in kb.points().values()} == {"user:ann"}
    equal(kb)


def test_why_a_document_could_not_be_read_is_forgotten_as_soon_as_it_can(kb: Knowledge) -> None:
    path = kb.write("a.json", "")
    path.write_bytes(BROKEN)
    kb.sync()
    reason = kb.documents()["a.json"].reason
    path.write_bytes(BROKEN)
    path.chmod(0)
    with binding():
        kb.sync()
    assert "may not be read" in kb.documents()["a.json"].reason
    path.chmod(0o644)
    kb.sync()
    assert kb.documents()["a.json"].reason == reason


def test_of_what_cannot_be_parsed_nothing_is_said_that_may_have_changed(kb: Knowledge) -> None:
    kb.write("a.xyz", "short")
    kb.sync()
    kb.write("a.xyz", "longer than before")
    kb.sync()
    found = kb.documents()["a.xyz"]
    assert (found.state, found.size, found.token) == (State.SKIPPED, None, None)


def alter(kb: Knowledge, change: dict[str, Any]) -> None:
    """Change all payloads behind the ledger's back."""
    points = kb.points().values()
    with kb.workspace() as workspace:
        collection = workspace.ledger.collections.current()
        assert collection is not None
        with workspace.store.session(collection.name) as session:
            session.upsert([replace(point, payload={**point.payload, **change}) for point in points])


def test_rules_reach_a_document_that_is_held_from_now_on(kb: Knowledge) -> None:
    kb.write("team/a.md", "# A\n\nText.")
    kb.write("b.md", "# B\n\nText.")
    kb.sync()
    held = kb.documents()["team/a.md"].document_id
    kb.ask(lambda m: m.ledger.holds.place(order("LH", kb.clock()), [held], []))
    (kb.docs / "team" / "a.md").unlink()
    kb.source["rules"] = [{"match": "team/**", "owner": "user:anna"}]
    kb.sync()
    document = kb.documents()["team/a.md"]
    assert (document.state, document.owner) == (State.HELD, "user:anna")
    equal(kb)


@pytest.mark.parametrize("came", ["changed", "gone"])
def test_rules_reach_a_document_that_turns_out_to_be_another_during_the_sync(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch, came: str
) -> None:
    path = kb.write("a.md", "# A\n\nText.")
    kb.write("b.md", "# B\n\nText.")
    kb.sync()
    before = path.stat()
    kb.source["rules"] = [{"match": "**", "owner": "user:bo"}]

    def put_back() -> None:
        path.write_text("# A\n\nText.")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    fetch, stat = FilesConnector.fetch, FilesConnector.stat

    def vanished(connector: FilesConnector, uri: str, into: Path | None) -> Fetched:
        if uri == "a.md" and into is not None:
            put_back()
            raise DocumentVanished("It is gone.")
        return fetch(connector, uri, into)

    def there(connector: FilesConnector, uri: str) -> Entry | None:
        put_back()
        return stat(connector, uri)

    if came == "changed":
        path.write_text("# A\n\nAnother text.")
        monkeypatch.setattr(FilesConnector, "fetch", vanished)
    else:
        path.unlink()
        monkeypatch.setattr(FilesConnector, "stat", there)
    kb.sync()
    monkeypatch.undo()
    assert {p.payload["metadata"]["owner"] for p in kb.points().values()} == {"user:bo"}
    kb.sync()
    equal(kb)


def test_rules_reach_the_old_text_of_a_document_that_failed_before_and_was_touched(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source whose tokens are etags has it read again."""
    monkeypatch.setattr(FilesConnector, "capabilities", Capabilities("etag"))
    path = kb.write("a.json", '{"word": "kept"}')
    kb.sync()
    path.write_bytes(BROKEN)
    kb.sync()
    kb.source["rules"] = [{"match": "**", "owner": "user:bo"}]
    path.unlink()
    path.write_bytes(BROKEN)
    kb.sync()
    monkeypatch.undo()
    assert kb.documents()["a.json"].state is State.QUARANTINED
    assert {p.payload["metadata"]["owner"] for p in kb.points().values()} == {"user:bo"}
    equal(kb)
