"""Orders to erase through Prefect's flows: Prefect learns ids and counts, and keeps nothing of a document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from index.erase.place import place
from index.erase.target import Target
from tests.flows.canaries import places_of
from tests.flows.conftest import Base, Server
from tests.promises import bytes_left

#: The first test waits for a server to start.
pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("scanned_here")]


def test_flows_that_sync_and_erase_leave_nothing_of_a_document(
    make_base: Callable[..., Base],
    harness: Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    soak: bool,
) -> None:
    """An order is placed between two syncs, carried out by the flow `erase`; another by the end of a sync."""
    from flows.erase import erase
    from flows.sync import run_as_flow

    base, random = make_base(documents=2), Random(5)
    monkeypatch.setenv("FRESHKB_CONFIG", str(base.config))
    state, reveal = base.folder / ".freshkb", tmp_path / "reveal"
    reveal.mkdir()
    for turn in range(10 if soak else 2):
        name, title, owner, host, page, text, reason = (bytes_left.word(random) for _ in range(7))
        head = f"---\ntitle: {title}\nowner: user:{owner}\ncanonical: https://{host}.org/{page}\n---\n"
        base.put(f"{name}/{title}.md", f"{head}\n{text} it is.\n")
        needles = bytes_left.of_words([name, title, owner, host, page, text])
        with base.open() as workspace:
            # Each turn opens it anew, and its ids would begin anew.
            workspace.new_id = lambda: str(uuid4())
            run_as_flow(workspace)
            assert bytes_left.held([state], needles).keys() == needles.keys()
            (document,) = workspace.ledger.documents.find(uris=[f"{name}/{title}.md"])
            target = Target([document.document_id]) if turn % 4 < 2 else Target(phrases=[f"{text} it"])
            order = place(workspace, target, reason, reveal=reveal / f"{turn}.json")
            if turn % 2:
                run_as_flow(workspace)
        if not turn % 2:
            counts: Any = erase()
            assert counts == {"orders": 1, "done": 1}
        with base.open() as workspace:
            assert order.order_id in bytes_left.receipted(workspace)
            assert run_as_flow(workspace).outcome in ("done", "partial")
        words = [name, title, owner, host, page, text, reason]
        if turn % 4 >= 2:
            # A document that is kept out for a phrase has its path on record, and all else without the text.
            words.remove(name)
            words.remove(title)
        left = bytes_left.held([state], bytes_left.of_words(words))
        assert left == {}, left
        told = places_of([name, title, owner, host, page, text, reason, order.order_id], harness.home)
        named = told.pop(order.order_id)
        assert turn % 2 or named, "the flow's artifact names the order"
        assert set().union(*told.values()) == set(), told
