"""The passages that the checks of the audit read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from index.audit.audit import audit_of
from index.audit.passages import passages
from index.freshness.checks.base import Passages
from index.model import State
from index.sizes import Sizes
from index.workspace import Workspace
from tests.knowledge import Knowledge


def texts(read: Passages) -> list[str]:
    return [" ".join(passage.text.split()) for passage in read.all]


@pytest.mark.parametrize("page", [1, 3, 2000])
def test_each_documents_are_together_and_in_order_with_vectors_of_length_one(
    kb: Knowledge, page: int
) -> None:
    kb.sizes = Sizes(page_points=page)
    kb.write("a.md", "# Leave\n\nThirty days.\n\n## Sick\n\nCall in.\n")
    kb.write("b.md", "# Travel\n\nBook early.\n")
    kb.sync()
    read = kb.ask(passages)
    assert texts(read) == ["Leave Thirty days.", "Sick Call in.", "Travel Book early."]
    assert [passage.chunk_index for passage in read.all] == [0, 1, 0]
    assert [passage.heading_path for passage in read.all] == [("Leave",), ("Leave", "Sick"), ("Travel",)]
    assert [passage.body.strip() for passage in read.all] == ["Thirty days.", "Call in.", "Book early."]
    assert read.documents() == [0, 0, 1]
    assert read.vectors is not None and read.vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(read.vectors, axis=1), 1)


def test_held_documents_and_those_to_be_erased_are_left_out(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c", "d"):
        kb.write(f"{name}.md", f"Text of {name}.\n")
    kb.sync()
    rows = kb.documents()

    def change(workspace: Workspace) -> Passages:
        changed = [replace(rows["b.md"], state=State.HELD), replace(rows["c.md"], state=State.QUARANTINED)]
        workspace.ledger.documents.put(changed, [])
        monkeypatch.setattr(type(workspace.ledger.erasures), "ordered", lambda _: {rows["d.md"].document_id})
        return passages(workspace)

    assert texts(kb.ask(change)) == ["Text of a.", "Text of c."]


def test_nothing_was_ever_synced(kb: Knowledge) -> None:
    read = kb.ask(passages)
    assert read.all == () and read.vectors is None


def test_an_audit_reads_the_store_once(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    kb.write("a.md", "Text.\n")
    kb.sync()
    read: list[Workspace] = []

    def counted(workspace: Workspace) -> Passages:
        read.append(workspace)
        return passages(workspace)

    monkeypatch.setattr("index.audit.audit.passages", counted)
    kb.ask(audit_of)
    assert len(read) == 1


def test_a_vector_of_another_length_is_none(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    kb.write("a.md", "Text.\n")
    kb.sync()

    def change(workspace: Workspace) -> Passages:
        collections = workspace.ledger.collections
        current = collections.current()
        assert current is not None
        altered = replace(current, dimension=current.dimension - 1)
        monkeypatch.setattr(type(collections), "current", lambda _: altered)
        return passages(workspace)

    read = kb.ask(change)
    assert texts(read) == ["Text."]
    assert read.vectors is not None and not read.vectors.any()
