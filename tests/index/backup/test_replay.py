"""A backup that is older than the log's anchors know comes back only with the orders that it lacks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from index.checkpoints import signing_key, verify
from index.erase.carry_out import carry_out
from index.errors import AnchorError, ConfigError, Refused, SignatureError
from index.ledger import LogAction, OrderState
from index.ledger.copy import existing
from index.model import State
from index.parse import Parser
from index.run import Run
from index.search.knowledge_base import KnowledgeBase
from tests.holds import order as hold
from tests.index.backup.conftest import made, place, restored
from tests.index.backup.killed import STRIDE, Order, Server
from tests.index.erase.test_replay import altered, signed_again
from tests.knowledge import Knowledge
from tests.laid_out import LaidOut, made_once
from tests.older import anchor, erased, open_orders
from tests.soak import LONG
from tests.traces.server import Served

pytest_plugins = ["tests.postgres"]

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect")

CANARY = "quetzal"


def grow(kb: Knowledge) -> None:
    """A knowledge base with an anchor, and a key outside of the state folder, of which there is a backup."""
    anchor(kb, "file")
    kb.write("staff/zoe.md", f"# Zoe\n\nThe {CANARY} of Zoë O'Neil.\n")
    for name in "abcdefgh":
        kb.write(f"{name}.md", f"# {name}\n\nAnother page, {name}.\n")
    kb.sync()
    key = (kb.home / ".freshkb" / "signing.pem").rename(kb.home / "key.pem")
    kb.settings["log"]["key_file"] = str(key)
    made(kb, kb.home / "backup")


grown = made_once(grow)


@pytest.fixture
def older(
    kb: Knowledge, grown: LaidOut, tmp_path: Path, examined_here: None, scanned_here: None
) -> Knowledge:
    grown.again(kb)
    (kb.home / "backup").rename(tmp_path / "backup")
    return kb


@pytest.fixture
def other(older: Knowledge, tmp_path: Path, parser: Parser) -> Knowledge:
    found = place(older, tmp_path / "other", parser)
    found.settings["log"] = older.settings["log"]
    return found


def nothing(kb: Knowledge) -> bool:
    state = kb.home / ".freshkb"
    return existing("sqlite", state) is None and not list(state.glob("index/[!.]*"))


def found(kb: Knowledge, word: str = CANARY) -> list[str]:
    with kb.workspace() as workspace:
        return [hit.uri for hit in KnowledgeBase(workspace).search(word, mode="sparse")]


def state_of(kb: Knowledge, uri: str) -> list[State]:
    return [d.state for d in kb.ask(lambda w: list(w.ledger.documents.find(uris=[uri], states=list(State))))]


def test_without_the_receipts_nothing_is_restored_and_they_are_named(
    older: Knowledge, other: Knowledge, tmp_path: Path
) -> None:
    orders = [erased(older, "staff/zoe.md")]
    older.clock.forward(minutes=1)
    orders.append(erased(older, "a.md"))
    for given in ((), orders[:1], orders[1:]):
        with pytest.raises(Refused, match="older than the log's anchors know") as refused:
            restored(other, tmp_path / "backup", receipts=[order.receipt for order in given])
        assert refused.value.exit_code == 4 and "--replay" in str(refused.value)
        for order in orders:
            assert (order.order_id in str(refused.value)) == (order not in given)
        assert nothing(other)
    assert [
        o.order_id
        for o in restored(other, tmp_path / "backup", receipts=[order.receipt for order in orders]).orders
    ] == [order.order_id for order in orders]
    # A backup that was made since needs none.
    made(older, tmp_path / "newer")
    shutil.rmtree(other.home / ".freshkb")
    assert not restored(other, tmp_path / "newer").orders
    assert found(other) == []


@pytest.mark.parametrize("kind", ["sqlite and edge", pytest.param("postgresql and server", marks=LONG)])
def test_the_orders_are_in_force_from_the_first_moment_and_are_carried_out(
    older: Knowledge, tmp_path: Path, parser: Parser, kind: str, request: pytest.FixtureRequest
) -> None:
    order = erased(older, "staff/zoe.md")
    older.clock.forward(minutes=1)
    phrase = erased(older, phrases=["another page b"])
    served = kind == "postgresql and server"
    other = place(older, tmp_path / "other", parser, Served if served else Knowledge)
    other.settings["log"] = older.settings["log"]
    if served:
        other.settings["ledger"] = request.getfixturevalue("postgresql_url")
    done = restored(other, tmp_path / "backup", receipts=[order.receipt, phrase.receipt])
    assert done.lost > 0 and [o.documents for o in done.orders] == [1, 1]
    assert done.json()["orders"] == [order.order_id, phrase.order_id]
    assert found(other) == [] and "b.md" not in found(other, "page")
    assert state_of(other, "staff/zoe.md") == state_of(other, "b.md") == [State.ERASED]
    with other.workspace() as workspace:
        entries = workspace.ledger.log.newest(3)[::-1]
        assert [e.action for e in entries] == [LogAction.LEDGER_RESTORED] + [LogAction.ERASURE_ORDERED] * 2
        assert "replayed" in entries[1].facts and entries[1].subject == order.order_id
        for name in open_orders(workspace):
            report = carry_out(Run(workspace, "erase"), name)
            assert report.done, report.error
        name = workspace.ledger.history.generation()
        assert verify(workspace, restored=[name]).ok
    # One of the documents is withheld for its words, which its source still has.
    assert other.sync().outcome == "partial"
    assert (
        other.texts().keys() == {f"{name}.md" for name in "acdefgh"} and state_of(other, "staff/zoe.md") == []
    )
    assert other.ask(lambda w: w.ledger.erasures.states([order.order_id])) == {
        order.order_id: OrderState.DONE
    }


def test_what_is_no_receipt_of_this_knowledge_base_restores_nothing(
    older: Knowledge, other: Knowledge, tmp_path: Path
) -> None:
    order = erased(older, "staff/zoe.md")
    backup = tmp_path / "backup"
    for text in ("{}", altered(order.receipt, chunks=7), signed_again(order.receipt, tmp_path / "x.pem")):
        with pytest.raises(SignatureError):
            restored(other, backup, receipts=[order.receipt, text])
        assert nothing(other)
    signed = signed_again(order.receipt, tmp_path / "x.pem", instance="0f8fad5b-d9cb-469f-a165-70867728950e")
    with pytest.raises((SignatureError, Refused)):
        restored(other, backup, receipts=[order.receipt, signed])
    # The key is lost with the state folder, and its public half is known.
    public = older.ask(lambda w: signing_key(w).public)
    del other.settings["log"]["key_file"]
    with pytest.raises(ConfigError, match=r"no key here to check receipts with.*--key"):
        restored(other, backup, receipts=[order.receipt])
    assert nothing(other)
    assert len(restored(other, backup, receipts=[order.receipt], keys=[public]).orders) == 1
    assert found(other) == []


def test_an_anchor_that_cannot_be_asked_stops_the_restore(
    older: Knowledge, other: Knowledge, tmp_path: Path
) -> None:
    log = older.settings["log"]
    anchor(older)
    older.settings["log"] = other.settings["log"] = {**log, **older.settings["log"]}
    (older.home / "repo").rename(older.home / "away")
    with pytest.raises(AnchorError, match="repo cannot be used"):
        restored(other, tmp_path / "backup")
    assert nothing(other)
    (older.home / "away").rename(older.home / "repo")
    assert restored(other, tmp_path / "backup").lost == 0


def test_without_anchors_receipts_are_in_force_all_the_same(
    older: Knowledge, other: Knowledge, tmp_path: Path
) -> None:
    order = erased(older, "staff/zoe.md")
    other.settings["log"] = {"key_file": older.settings["log"]["key_file"]}
    assert restored(other, tmp_path / "backup", receipts=[order.receipt]).lost == 0
    assert found(other) == [] and other.ask(open_orders) == [order.order_id]
    shutil.rmtree(other.home / ".freshkb")
    # Nobody can know of it without either.
    restored(other, tmp_path / "backup")
    assert found(other) == ["staff/zoe.md"]


def test_a_hold_in_the_backup_comes_first(older: Knowledge, other: Knowledge, tmp_path: Path) -> None:
    (document,) = older.ask(lambda w: list(w.ledger.documents.find(uris=["staff/zoe.md"])))
    older.ask(lambda w: w.ledger.holds.place(hold("H-1", w.now()), [document.document_id], []))
    made(older, tmp_path / "held")
    older.ask(lambda w: w.ledger.holds.release("H-1", "anna", "over", w.now(), []))
    order = erased(older, "staff/zoe.md")
    with pytest.raises(Refused, match=r"H-1.*Nothing was restored.*without log.anchors"):
        restored(other, tmp_path / "held", receipts=[order.receipt])
    assert nothing(other)


def test_an_encrypted_backup_is_asked_as_well(older: Knowledge, other: Knowledge, tmp_path: Path) -> None:
    from pyrage import x25519

    # A passphrase is made a key of slowly, by design.
    key = x25519.Identity.generate()
    (tmp_path / "key").write_text(f"{key}\n")
    made(older, tmp_path / "sealed", recipient=str(key.to_public()))
    order = erased(older, "staff/zoe.md")
    options: dict[str, Any] = {"identity": tmp_path / "key"}
    with pytest.raises(Refused, match=order.order_id):
        restored(other, tmp_path / "sealed", **options)
    assert nothing(other)
    restored(other, tmp_path / "sealed", receipts=[order.receipt], **options)
    assert found(other) == []


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def test_a_kill_at_any_step_leaves_nothing_or_the_order_in_force(
    older: Knowledge, other: Knowledge, server: Server, tmp_path: Path, soak: bool
) -> None:
    order = erased(older, "staff/zoe.md")
    other.config()
    state, whole = other.home / ".freshkb", 0
    for step in count(1, 1 if soak else STRIDE):
        shutil.rmtree(state, ignore_errors=True)
        asked = Order(str(other.home), str(tmp_path / "backup"), "restore", step, order.receipt)
        ended = server.run(asked)
        assert ended in (0, -9)
        if existing("sqlite", state) is None:
            with pytest.raises(Refused, match=order.order_id):
                restored(other, tmp_path / "backup")
        else:
            whole += 1
            assert other.ask(open_orders) == [order.order_id]
            assert state_of(other, "staff/zoe.md") == [State.ERASED]
            assert found(other) == []
        if ended == 0:
            break
    assert step > 15 and 1 < whole < step
    with other.workspace() as workspace:
        assert carry_out(Run(workspace, "erase"), order.order_id).done
    assert other.sync().outcome == "done"
