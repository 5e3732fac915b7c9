"""The same erasure with a ledger on PostgreSQL and a store on a server: what is gone, and what is claimed."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, cast

import pytest
import sqlalchemy as sa
from qdrant_client import QdrantClient

from index.erase.carry_out import ErasureReport, carry_out
from index.erase.place import place
from index.erase.receipt import opened
from index.erase.target import Target
from index.ledger import OrderState
from index.model import Point
from index.run import Run
from index.search.knowledge_base import KnowledgeBase
from index.store.base import VectorStore
from index.store.qdrant.store import QdrantStore
from index.sync.sync import sync
from index.verify.compare import verify
from index.workspace import Workspace, require_collection
from tests.knowledge import Knowledge
from tests.promises import bytes_left
from tests.qdrant import OneAtATime
from tests.soak import LONG

pytest_plugins = ["tests.postgres"]

pytestmark = [
    pytest.mark.usefixtures("examined_here", "scanned_here"),
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
]

WORDS = ["kwjzymbxrqvnth", "vhgtqpzslkwmrd", "dnfwqgzhxtrjkl", "ujmqzkvxwphtgb"]
PHRASE = f"{WORDS[3]} it is"


#: In the short form, both are servers: what is done and claimed is done and claimed by each for itself.
CASES = [
    pytest.param(on, kind, marks=LONG if on != "PostgreSQL, Qdrant" else ())
    for on in ("SQLite, Qdrant", "PostgreSQL, Edge", "PostgreSQL, Qdrant")
    for kind in ("document", "phrase")
]


@pytest.fixture
def parts(on: str, request: pytest.FixtureRequest, kb: Knowledge) -> Iterator[dict[str, Any]]:
    """Parts of a workspace, on servers."""
    if "PostgreSQL" in on:
        kb.settings["ledger"] = request.getfixturevalue("postgresql_url")
    engine = OneAtATime()
    made: dict[str, VectorStore] = {}
    if "Qdrant" in on:
        made["store"] = QdrantStore("memory", client=cast(QdrantClient, engine))
    yield made


def points(workspace: Workspace) -> list[Point]:
    with workspace.store.session(require_collection(workspace).name) as session:
        return list(session.scroll(vectors=True))


def rows(workspace: Workspace) -> str:
    """Everything that the ledger has on record."""
    with workspace.ledger.database.reading() as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
        every = [connection.execute(sa.select(table)).all() for table in tables.sorted_tables]
    return "\n".join(map(str, every))


@pytest.mark.parametrize(("on", "kind"), CASES)
def test_an_erasure_on_servers_is_carried_out_and_claims_what_was_seen(
    kb: Knowledge, parts: dict[str, Any], kind: str
) -> None:
    kb.source["delete"] = {"max_fraction": 1.0}
    folder, title, owner, text = WORDS
    secret = f"---\nowner: user:{owner}\n---\n# {title}\n\n{PHRASE}.\n"
    kb.write(f"{folder}/page.md", secret)
    kb.write("copy.md", secret)
    kb.write("stays.md", "# Stays\n\nAs it is.\n")
    with kb.workspace(**parts) as workspace:
        sync(Run(workspace, "sync"))
        assert all(word in rows(workspace) for word in (folder, title, owner))
        assert any(text in str(point.payload) for point in points(workspace))
        target = Target([f"{folder}/page.md"]) if kind == "document" else Target(phrases=[PHRASE])
        order = place(workspace, target, "Asked.")
        report = carry_out(Run(workspace, "erase"), order.order_id)
        assert report.done, report.error
        _claims(workspace, report)
        assert {point.payload["metadata"]["uri"] for point in points(workspace)} == {"stays.md"}
        assert not any(word in rows(workspace) for word in WORDS)
        for mode in ("dense", "sparse", "hybrid"):
            hits = KnowledgeBase(workspace).search(PHRASE, k=10, mode=mode)
            assert {hit.uri for hit in hits} <= {"stays.md"}
        sync(Run(workspace, "sync"))
        assert {point.payload["metadata"]["uri"] for point in points(workspace)} == {"stays.md"}
        assert text not in rows(workspace) and title not in rows(workspace)
        assert verify(workspace, deep=True).ok
        (placed,) = workspace.ledger.erasures.all()
        assert placed.state is OrderState.DONE and placed.documents == 2
    held = bytes_left.held([kb.home / ".freshkb"], bytes_left.of_words([title, owner, text]))
    assert held == {}


def _claims(workspace: Workspace, report: ErasureReport) -> None:
    """`purged` is said only of what was observed; the receipt says the same."""
    seen = {"store": workspace.store.kind == "edge", "ledger": bool(workspace.ledger.files)}
    claims = {place.place: place.claim for place in report.places}
    assert {name: claims[name] for name in seen} == {
        name: "purged" if seen[name] else "unretrievable" for name in seen
    }
    for place_ in report.places:
        if place_.place in seen:
            assert ("were searched" in place_.evidence) == seen[place_.place]
    assert report.receipt is not None
    receipt = opened(report.receipt.read_text())
    assert {p["place"]: p["claim"] for p in receipt.places} == claims
    said = b64decode(json.loads(report.receipt.read_text())["payload"]).decode()
    assert not any(word in said for word in WORDS)
