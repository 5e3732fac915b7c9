"""Every document that contains a phrase: in its text, its row, or across two chunks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from index.errors import ConfigError, StoreDamaged
from index.model import State
from index.phrase import Phrases
from index.run import Run
from index.search.find import Found, export, find, unread
from index.search.reader import Reader
from index.sync.sync import sync
from index.workspace import Workspace, require_collection
from tests.knowledge import Knowledge

ANNA = Phrases(["Anna Björk"])


def found(workspace: Workspace, phrases: Phrases = ANNA, source: str | None = None) -> dict[str, Found]:
    return {one.document.uri: one for one in find(Reader(workspace), phrases, source=source)}


def test_it_is_found_wherever_it_stands_and_nowhere_else(kb: Knowledge) -> None:
    kb.write("text.md", "# Pay\n\nThe raise of anna\nbjork was granted.\n")
    kb.write("heading.md", "# Review of Anna Björk\n\nAll is well.\n")
    kb.write("title.md", "---\ntitle: ANNA BJÖRK\n---\n\nNothing here.\n")
    kb.write("people/anna-björk.md", "A page.\n")
    kb.write("owned.md", "---\nowner: Anna Björk\n---\n\nA page.\n")
    kb.write("other.md", "Annabjork and Björk, Anna. Anna saw Björk.\n")
    kb.sync()
    with kb.workspace() as workspace:
        seen = {uri: (one.fields, len(one.passages)) for uri, one in found(workspace).items()}
    assert {uri: (passages, fields[:1]) for uri, (fields, passages) in seen.items()} == {
        "text.md": (1, ()),
        "heading.md": (1, ("title",)),
        "title.md": (0, ("title",)),
        "people/anna-björk.md": (0, ("path",)),
        "owned.md": (0, ("owner",)),
    }


def test_a_phrase_that_two_chunks_share_is_found_in_both(kb: Knowledge) -> None:
    # A hard boundary between the two words: the second is a heading of its own section.
    kb.write("split.md", "# One\n\nSigned by Anna\n\n# Björk\n\nand others.\n")
    kb.sync()
    with kb.workspace() as workspace:
        one = found(workspace)["split.md"]
    assert one.passages == (0, 1)


def test_every_text_is_read_and_rows_of_deleted_documents_too(kb: Knowledge) -> None:
    for number in range(150):
        kb.write(f"{number:03}.md", f"Page {number} names Anna Björk.\n" if number % 3 else "Another.\n")
    kb.write("anna-björk.md", "Gone soon.\n")
    kb.write("anna björk.bin", "\0\1")
    kb.sync()
    (kb.docs / "anna-björk.md").unlink()
    kb.sync()
    with kb.workspace() as workspace:
        seen = found(workspace)
        assert unread(workspace.ledger) == 1
        assert found(workspace, Phrases(["anna björk"]), "docs").keys() == seen.keys()
    assert len(seen) == 102
    assert seen["anna-björk.md"].document.state is State.DELETED
    assert seen["anna-björk.md"].chunks == ()
    assert seen["anna björk.bin"].document.state is State.SKIPPED


def test_a_document_that_a_sync_replaces_meanwhile_is_read_again(kb: Knowledge) -> None:
    kb.write("a.md", "Before.\n")
    kb.sync()
    with kb.workspace() as workspace:
        reader = Reader(workspace)
        within = reader.ledger.chunks.of
        kb.write("a.md", "Now it names Anna Björk.\n")
        again: list[int] = []

        def of(*asked: object) -> object:
            read = within(*asked)  # type: ignore[arg-type]
            if not again:
                again.append(1)
                sync(Run(workspace, "sync"))
            return read

        reader.ledger.chunks.of = of  # type: ignore[method-assign,assignment]
        assert [one.document.uri for one in find(reader, ANNA)] == ["a.md"]


def test_a_lost_text_is_an_error_and_no_answer(kb: Knowledge) -> None:
    kb.write("a.md", "A page.\n")
    kb.sync()
    with kb.workspace() as workspace:
        collection = require_collection(workspace)
        with workspace.store.session(collection.name) as session:
            session.delete([point.id for point in session.scroll(vectors=False)])
        with pytest.raises(StoreDamaged, match="1 documents cannot be read whole"):
            found(workspace)


def test_an_export_holds_the_texts_and_replaces_nothing(kb: Knowledge, tmp_path: Path) -> None:
    kb.write("a.md", "# Pay\n\nThe raise of Anna Björk.\n\n# Leave\n\nNo name.\n")
    kb.sync()
    folder = tmp_path / "answer" / "anna"
    with kb.workspace() as workspace:
        (one,) = export(find(Reader(workspace), ANNA), folder)
        with pytest.raises(ConfigError, match="no empty folder"):
            list(export(find(Reader(workspace), ANNA), folder))
    (listed,) = json.loads((folder / "documents.json").read_text("utf-8"))
    text = (folder / listed["file"]).read_text("utf-8")
    assert listed["document_id"] == one.document.document_id
    assert "The raise of Anna Björk." in text
    assert "No name." in text
    assert "found in: passage 0" in text
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}
