"""Orders that an older ledger lacks are placed again from their receipts, and nothing is shown before."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from index import checkpoints
from index.audit.audit import audit_of
from index.erase.carry_out import carry_out
from index.erase.replay import replay
from index.errors import ConfigError, Refused, SignatureError
from index.health.doctor import examine
from index.ledger import LogAction, Order, OrderKind, OrderState
from index.model import State
from index.parse import Parser
from index.reindex import reindex
from index.run import Run
from index.search.knowledge_base import KnowledgeBase
from index.signed import envelope
from index.signed.key import PublicKey, load_or_make
from index.sync.requests import retry, review
from index.sync.sync import sync
from index.workspace import Workspace
from tests.copies import written
from tests.erasures import placed
from tests.holds import order as hold
from tests.knowledge import Knowledge
from tests.laid_out import LaidOut, made_once
from tests.older import anchor, erased, keep, open_orders, put_back

CANARY = "quetzal"


def grow(kb: Knowledge) -> None:
    anchor(kb)
    kb.write("staff/zoe.md", f"# Zoe\n\nThe {CANARY} of Zoë O'Neil.\n")
    kb.write("b.md", "# B\n\nAnother page.\n")
    kb.write("c.md", "# C\n\nA third page.\n")
    kb.sync()


grown = made_once(grow)


@pytest.fixture
def older(kb: Knowledge, grown: LaidOut, tmp_path: Path) -> Knowledge:
    """A knowledge base with anchors, of which an older copy lies aside."""
    grown.again(kb)
    keep(kb, tmp_path / "aside")
    return kb


def replayed(kb: Knowledge, *receipts: str, keys: list[PublicKey] | None = None) -> list[Order]:
    with kb.workspace() as workspace:
        return replay(Run(workspace, "erase", behind=True), receipts, keys or [])


def found(kb: Knowledge, word: str = CANARY) -> list[str]:
    with kb.workspace() as workspace:
        return [hit.uri for hit in KnowledgeBase(workspace).search(word, mode="sparse")]


def altered(receipt: str, **fields: object) -> str:
    """The receipt with other values, and the signature that it had."""
    said = json.loads(receipt)
    payload = json.loads(b64decode(said["payload"]))
    payload["predicate"] |= fields
    said["payload"] = b64encode(json.dumps(payload).encode()).decode()
    return json.dumps(said)


def signed_again(receipt: str, key: Path, **fields: object) -> str:
    """The receipt with other values, signed by the key in this file."""
    made = load_or_make(key)
    said = envelope.parse(altered(receipt, key=made.public.pem, **fields))
    return envelope.seal(said.payload_type, said.payload, made)


# ── Nothing is shown before ───────────────────────────────────────────────────────────────────────────


def test_an_older_ledger_shows_and_writes_nothing_and_names_the_orders(
    older: Knowledge, tmp_path: Path
) -> None:
    order = erased(older, "staff/zoe.md")
    assert found(older) == []
    put_back(older, tmp_path / "aside")
    runs: dict[str, Any] = {
        "sync": lambda w: sync(Run(w, "sync")),
        "retry": lambda w: retry(Run(w, "retry")),
        "review": lambda w: review(Run(w, "review"), ["b.md"], "anna"),
        "reindex": lambda w: reindex(w, Run(w, "reindex")),
        "search": KnowledgeBase,
        "audit": lambda w: Run(w, "audit", required=False).__enter__() and audit_of(w),
    }
    for name, verb in runs.items():
        with older.workspace() as workspace, pytest.raises(Refused, match="older than its anchors") as error:
            verb(workspace)
        assert order.order_id in str(error.value) and "freshkb erase --replay" in str(error.value), name
        assert error.value.exit_code == 4
    config = older.config()
    with pytest.raises(Refused, match=order.order_id):
        KnowledgeBase.open(config)
    assert older.ask(lambda w: w.ledger.documents.counts()) == {"docs": {"indexed": 3}}
    # What looks for the fault works.
    problems = [problem.problem for problem in older.ask(checkpoints.verify).problems]
    assert any(f"the order {order.order_id} was carried out" in problem for problem in problems)
    (check,) = [check for check in older.ask(examine) if check.name == "missing orders"]
    assert not check.ok and "log verify" in check.detail


def test_one_anchor_of_several_is_enough_to_know(older: Knowledge, tmp_path: Path) -> None:
    order = erased(older, "staff/zoe.md")
    put_back(older, tmp_path / "aside")
    (older.home / "repo").rename(older.home / "away")
    assert older.ask(checkpoints.missing) == [order.order_id]
    (older.home / "anchors" / "kb").unlink()
    (older.home / "away").rename(older.home / "repo")
    assert older.ask(checkpoints.missing) == [order.order_id]
    # An anchor that is away for an hour does not keep a search from its answer.
    (older.home / "repo").rename(older.home / "away")
    assert older.ask(checkpoints.missing) == []
    assert found(older) == ["staff/zoe.md"]


def test_an_older_ledger_that_has_grown_since_is_found_as_well(older: Knowledge, tmp_path: Path) -> None:
    order = erased(older, "staff/zoe.md")
    put_back(older, tmp_path / "aside")
    anchors = older.settings.pop("log")
    for number in range(60):
        older.write(f"{number}.md", f"Page {number}.\n")
    older.sync()
    older.settings["log"] = anchors
    assert older.ask(checkpoints.missing) == [order.order_id]
    replayed(older, order.receipt)
    assert older.ask(checkpoints.missing) == []
    (entry,) = older.ask(lambda w: w.ledger.history.begun())
    # The entries that both have are few; those that came later are not the ones of the anchors.
    assert 0 < int(entry.facts["kept"]) < int(entry.facts["known"]) < 60


def test_a_ledger_without_orders_or_anchors_is_not_asked(kb: Knowledge, monkeypatch: Any) -> None:
    kb.write("a.md", f"The {CANARY}.\n")
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "require_orders", lambda _: pytest.fail("asked"))
        kb.sync()
        assert found(kb) == ["a.md"]
    anchor(kb)
    kb.write("b.md", "B.\n")
    assert kb.sync().outcome == "done"
    assert found(kb) == ["a.md"]


# ── Placed again ──────────────────────────────────────────────────────────────────────────────────────


def test_a_receipt_places_its_order_again_and_it_is_carried_out(older: Knowledge, tmp_path: Path) -> None:
    order = erased(older, "staff/zoe.md")
    put_back(older, tmp_path / "aside")
    (again,) = replayed(older, order.receipt)
    assert (again.order_id, again.kind, again.placed_at) == (order.order_id, order.kind, order.placed_at)
    assert (again.state, again.placed_by, again.documents) == (OrderState.OPEN, "", 1)
    # The requester's salt is not known here: the keyed hashes are those of the receipt.
    assert list(again.subjects) == list(order.subjects) != []
    assert found(older) == []
    with older.workspace() as workspace:
        entry = next(e for e in workspace.ledger.log.newest() if e.action is LogAction.ERASURE_ORDERED)
        assert entry.subject == order.order_id and str(entry.facts["replayed"]).startswith("sha256:")
        report = carry_out(Run(workspace, "erase"), order.order_id)
        assert report.done, report.error
    assert older.sync().outcome == "done"
    assert found(older) == [] and "staff/zoe.md" not in older.texts()
    assert CANARY.encode() not in b"".join(
        part for path in (older.home / ".freshkb").rglob("*") if path.is_file() for part in written(path)
    )
    done = older.ask(lambda w: w.ledger.erasures.get(order.order_id))
    assert done is not None and done.state is OrderState.DONE and done.receipt != order.receipt
    # A second replay finds nothing to do, and the second receipt serves as well as the first.
    assert replayed(older, order.receipt, done.receipt) == []
    put_back(older, tmp_path / "aside")
    assert [o.order_id for o in replayed(older, done.receipt)] == [order.order_id]


def test_a_document_is_found_by_its_bytes_or_its_path(older: Knowledge, tmp_path: Path) -> None:
    (older.docs / "staff/zoe.md").rename(older.docs / "moved.md")
    older.write("copy.md", (older.docs / "moved.md").read_text())
    older.sync()
    order = erased(older, "moved.md")
    older.write("b.md", "Something else at this path.\n")
    older.sync()
    other = erased(older, "b.md")
    put_back(older, tmp_path / "aside")
    assert {o.order_id for o in replayed(older, order.receipt, other.receipt)} == {
        order.order_id,
        other.order_id,
    }
    states = {d.uri: d.state for d in older.ask(lambda w: list(w.ledger.documents.find(states=list(State))))}
    assert states == {"staff/zoe.md": State.ERASED, "b.md": State.ERASED, "c.md": State.INDEXED}


def test_a_document_is_found_by_the_words_of_a_phrase(older: Knowledge, tmp_path: Path) -> None:
    (older.docs / "staff/zoe.md").unlink()
    older.write("elsewhere.md", "# Notes\n\nWritten by ZOE\nO’NEIL, who left.\n")
    older.sync()
    order = erased(older, phrases=["Zoë O'Neil"])
    assert order.kind is OrderKind.PHRASE
    put_back(older, tmp_path / "aside")
    (again,) = replayed(older, order.receipt)
    assert again.documents == 1
    row = {d.uri: d.state for d in older.ask(lambda w: list(w.ledger.documents.find(states=list(State))))}
    assert row["staff/zoe.md"] is State.ERASED and row["b.md"] is State.INDEXED
    with older.workspace() as workspace:
        assert carry_out(Run(workspace, "erase"), again.order_id).done


def test_an_order_that_the_older_ledger_has_open_is_no_other_one(older: Knowledge, tmp_path: Path) -> None:
    with older.workspace() as workspace:
        (document,) = workspace.ledger.documents.find(uris=["staff/zoe.md"])
        placed(workspace.ledger, "E-7K3QM9X", [document.document_id], workspace.now())
    keep(older, tmp_path / "placed")
    with older.workspace() as workspace:
        assert carry_out(Run(workspace, "erase"), "E-7K3QM9X").done
        done = workspace.ledger.erasures.get("E-7K3QM9X")
    assert done is not None
    put_back(older, tmp_path / "placed")
    # It is in force: no search shows its documents.
    assert older.ask(checkpoints.missing) == [] and found(older) == []
    problems = [problem.problem for problem in older.ask(checkpoints.verify).problems]
    assert any("is on record here as open" in problem for problem in problems)
    (again,) = replayed(older, done.receipt)
    assert (again.order_id, again.placed_by, again.documents) == ("E-7K3QM9X", "anna", 1)
    assert older.ask(open_orders) == ["E-7K3QM9X"]


def test_an_order_without_documents_here_keeps_them_away_all_the_same(kb: Knowledge, tmp_path: Path) -> None:
    anchor(kb, "file")
    kb.write("b.md", "A page.\n")
    kb.sync()
    keep(kb, tmp_path / "aside")
    kb.write("late.md", f"The {CANARY} came later.\n")
    kb.sync()
    order = erased(kb, "late.md")
    put_back(kb, tmp_path / "aside")
    (again,) = replayed(kb, order.receipt)
    assert again.documents == 0 and list(again.subjects) == list(order.subjects)
    with kb.workspace() as workspace:
        assert carry_out(Run(workspace, "erase"), again.order_id).done
    kb.sync()
    assert found(kb) == []


def test_some_receipts_are_not_enough(older: Knowledge, tmp_path: Path) -> None:
    orders = [erased(older, "staff/zoe.md"), erased(older, "b.md")]
    put_back(older, tmp_path / "aside")
    replayed(older, orders[1].receipt)
    with older.workspace() as workspace, pytest.raises(Refused, match=orders[0].order_id) as refused:
        sync(Run(workspace, "sync"))
    assert orders[1].order_id not in str(refused.value)
    replayed(older, orders[0].receipt)
    assert older.sync().outcome == "done"


# ── Refused ───────────────────────────────────────────────────────────────────────────────────────────


def nothing_placed(kb: Knowledge) -> bool:
    return (
        kb.ask(lambda w: w.ledger.erasures.all()) == [] and kb.ask(lambda w: w.ledger.history.begun()) == []
    )


def test_what_is_no_receipt_of_this_knowledge_base_places_nothing(
    older: Knowledge, tmp_path: Path, parser: Parser
) -> None:
    order = erased(older, "staff/zoe.md")
    put_back(older, tmp_path / "aside")
    for text in (
        "",
        "{}",
        altered(order.receipt, documents=2),
        altered(order.receipt, tombstones=[]),
        signed_again(order.receipt, tmp_path / "other.pem"),
    ):
        with pytest.raises(SignatureError):
            # One that is right beside it does not help.
            replayed(older, order.receipt, text)
        assert nothing_placed(older)
    foreign = Knowledge(tmp_path / "foreign", parser)
    foreign.write("staff/zoe.md", "The same path.\n")
    foreign.sync()
    other = erased(foreign, "staff/zoe.md")
    public = foreign.ask(lambda w: checkpoints.signing_key(w).public)
    with pytest.raises(SignatureError):
        replayed(older, other.receipt)
    with pytest.raises(Refused, match=f"{other.order_id} is of another knowledge base"):
        replayed(older, other.receipt, keys=[public])
    assert nothing_placed(older)
    assert [o.order_id for o in replayed(older, order.receipt)] == [order.order_id]


def test_a_key_that_was_lost_is_given(older: Knowledge, tmp_path: Path) -> None:
    order = erased(older, "staff/zoe.md")
    public = older.ask(lambda w: checkpoints.signing_key(w).public)
    put_back(older, tmp_path / "aside")
    (older.home / ".freshkb" / "signing.pem").unlink()
    with pytest.raises(ConfigError, match=r"no key here to check receipts with.*--key"):
        replayed(older, order.receipt)
    assert nothing_placed(older)
    # Who has the anchors' words alone is refused as well.
    with older.workspace() as workspace, pytest.raises(Refused, match=order.order_id):
        KnowledgeBase(workspace)
    assert len(replayed(older, order.receipt, keys=[public])) == 1


def test_a_hold_of_the_older_ledger_comes_first(older: Knowledge, tmp_path: Path) -> None:
    def ids(workspace: Workspace) -> list[str]:
        return [d.document_id for d in workspace.ledger.documents.find(uris=["staff/zoe.md"])]

    older.ask(lambda w: w.ledger.holds.place(hold("H-1", w.now()), ids(w), []))
    keep(older, tmp_path / "held")
    older.ask(lambda w: w.ledger.holds.release("H-1", "anna", "over", w.now(), []))
    order, other = erased(older, "staff/zoe.md"), erased(older, "b.md")
    put_back(older, tmp_path / "held")
    with pytest.raises(Refused, match=f"{order.order_id} was not placed again.*H-1.*hold release") as refused:
        replayed(older, order.receipt, other.receipt)
    assert f"The others are in force: {other.order_id}" in str(refused.value)
    assert older.ask(open_orders) == [other.order_id]
    assert older.ask(lambda w: w.ledger.documents.get(ids(w)[0]).state) is State.INDEXED  # type: ignore[union-attr]
    entry = older.ask(lambda w: w.ledger.log.last([LogAction.ERASURE_REFUSED]))
    assert entry is not None and entry.facts == {"hold": "H-1"}
    with older.workspace() as workspace, pytest.raises(Refused, match="older than its anchors"):
        KnowledgeBase(workspace)
    older.ask(lambda w: w.ledger.holds.release("H-1", "anna", "over", w.now(), []))
    assert [o.order_id for o in replayed(older, order.receipt)] == [order.order_id]
