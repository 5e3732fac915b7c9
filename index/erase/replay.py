"""Orders to erase that a ledger has lost, placed again from their receipts.

A ledger that was restored from an older backup does not know the orders that were carried out since, and has
their documents again. A receipt has what it takes to place such an order: its id, and its tombstones, which
are keyed under a secret that the older ledger has, too. The order comes on the documents whose path, bytes or
words have one of these tombstones. It does not name a person: the receipt does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from index.checkpoints import go_on, own_keys
from index.erase.phrases import KeyedPhrases
from index.erase.receipt import KEYED, opened
from index.errors import ConfigError, Refused, SignatureError
from index.ledger import (
    HeldBack,
    Keys,
    Ledger,
    LogAction,
    LogEntry,
    Order,
    OrderKind,
    OrderState,
    Tombstone,
    TombstoneKind,
)
from index.model import State
from index.records import Document
from index.run import Run
from index.search.find import find
from index.search.reader import Reader
from index.signed.key import PublicKey
from index.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Proof:
    """What a receipt says of an order that was carried out."""

    order_id: str
    kind: OrderKind
    instance: str
    ordered_at: datetime
    subjects: tuple[str, ...]
    tombstones: tuple[Tombstone, ...]
    hash: str
    """SHA-256 of the receipt, as the log names it."""


def replay(run: Run, texts: Sequence[str], keys: Sequence[PublicKey] = ()) -> list[Order]:
    """Place the orders of these receipts again that this ledger does not have as done. Returns them, open, in
    the order of their first placing. The run is one that may begin on an older ledger (`behind`). `keys` may
    have signed the receipts, besides the knowledge base's own.

    Raises SignatureError for what is no receipt of this knowledge base's key, ConfigError when there is no
    key, Refused for a receipt of another knowledge base: then nothing is placed. Raises Refused also when a
    hold stands on a document of an order: the others are placed then.
    """
    with run:
        proofs = checked(run.workspace, texts, run.workspace.ledger.instance_id, keys)
        go_on(run.workspace, run.run_id)
        return placed_again(run.workspace, proofs, run.run_id)


def checked(
    workspace: Workspace, texts: Iterable[str], instance: str, keys: Sequence[PublicKey] = ()
) -> list[Proof]:
    """The proofs of these receipts of the knowledge base of this instance id. Raises as `replay` does."""
    accepted = [*keys, *own_keys(workspace)]
    if not accepted:
        raise ConfigError(
            "There is no key here to check receipts with. Name the public half of the key that has signed "
            "them: --key FILE"
        )
    proofs = [_opened(text, accepted) for text in texts]
    for proof in proofs:
        if proof.instance != instance:
            raise Refused(
                f"The receipt of {proof.order_id} is of another knowledge base: instance {proof.instance}, "
                f"and this one is {instance}. Nothing was placed."
            )
    return proofs


def placed_again(workspace: Workspace, proofs: Sequence[Proof], run_id: str | None = None) -> list[Order]:
    """Place the orders of these proofs that this ledger does not have as done; see `replay`."""
    ledger, now = workspace.ledger, workspace.now()
    states = ledger.erasures.states([proof.order_id for proof in proofs])
    orders: dict[str, list[Proof]] = {}
    for proof in proofs:
        if states.get(proof.order_id, OrderState.OPEN) == OrderState.OPEN:
            orders.setdefault(proof.order_id, []).append(proof)
    wanted = {name: {stone for proof in of for stone in proof.tombstones} for name, of in orders.items()}
    found = matching(Reader(workspace), ledger.tombstones.keys(), wanted)
    placed, refused = [], []
    for name, of in sorted(orders.items(), key=lambda each: (each[1][0].ordered_at, each[0])):
        try:
            _place(ledger, of[-1], found[name], wanted[name], now, run_id, known=name in states)
        except HeldBack as error:
            refused.append(_refused(ledger, name, error, now, run_id))
            continue
        order = ledger.erasures.get(name)
        assert order is not None
        placed.append(order)
    if refused:
        others = (
            f" The others are in force: {', '.join(order.order_id for order in placed)}." if placed else ""
        )
        raise Refused(" ".join(refused) + others)
    return placed


def _place(
    ledger: Ledger,
    proof: Proof,
    document_ids: Collection[str],
    stones: Collection[Tombstone],
    now: datetime,
    run_id: str | None,
    *,
    known: bool,
) -> None:
    if known:
        _, under = ledger.erasures.join(proof.order_id, document_ids, standing=stones)
        if under:
            raise HeldBack(under)
        return

    def entries(order: Order) -> list[LogEntry]:
        facts = {"kind": order.kind.value, "documents": order.documents, "replayed": proof.hash}
        return [LogEntry(now, LogAction.ERASURE_ORDERED, "", order.order_id, run_id, facts)]

    order = Order(proof.order_id, proof.kind, "", proof.ordered_at, subjects=proof.subjects)
    with ledger.erasures.placing(order, document_ids, entries, None, standing=stones):
        pass


def _refused(ledger: Ledger, order_id: str, error: HeldBack, now: datetime, run_id: str | None) -> str:
    """Put the refusal on record; a sentence that names the holds."""
    holds = ledger.holds.of(error.document_ids)
    ledger.log.append(
        [
            LogEntry(now, LogAction.ERASURE_REFUSED, "", document_id, run_id, {"hold": own[0].hold_id})
            for document_id, own in holds.items()
        ]
    )
    named = ", ".join(sorted({hold.hold_id for own in holds.values() for hold in own}))
    count = len(error.document_ids)
    return (
        f"{order_id} was not placed again: a hold stands on {count:,} of its documents here: {named}. "
        "Release it with `freshkb hold release`, and replay the order then."
    )


# ── Its documents ─────────────────────────────────────────────────────────────────────────────────────


def matching(reader: Reader, keys: Keys, wanted: Mapping[str, Collection[Tombstone]]) -> dict[str, list[str]]:
    """{order id: ids of the documents that one of its tombstones is about}. All rows are looked at, and the
    texts of all chunks where a phrase is suppressed. Raises StoreDamaged when one of these cannot be read."""
    orders: dict[str, list[str]] = {}
    for name, stones in wanted.items():
        for stone in stones:
            orders.setdefault(stone.key_hash, []).append(name)
    found: dict[str, dict[str, None]] = {name: {} for name in wanted}
    for document in reader.ledger.documents.find(states=list(State)) if orders else ():
        for key in of_row(keys, document):
            for name in orders.get(key, ()):
                found[name][document.document_id] = None
    # All chunks are read once; only what has some phrase is read for each order.
    every = KeyedPhrases.among(keys, wanted)
    having = [one.document.document_id for one in find(reader, every)] if every else []
    for name, stones in wanted.items():
        if having and (own := KeyedPhrases.among(keys, {name: stones})):
            for one in find(reader, own, document_ids=having):
                found[name][one.document.document_id] = None
    return {name: list(ids) for name, ids in found.items()}


def of_row(keys: Keys, document: Document) -> Iterator[str]:
    """The keys of a document's path and bytes; the empty file's bytes are nobody's."""
    yield keys.uri(document.source, document.uri)
    if document.size != 0:
        yield from (keys.content(h) for h in {document.content_hash, document.seen_hash} if h)


# ── Receipts ──────────────────────────────────────────────────────────────────────────────────────────


def _opened(text: str, keys: Sequence[PublicKey]) -> Proof:
    """What a receipt says, once it is checked. Raises SignatureError."""
    found = opened(text, keys)
    try:
        stones = [
            Tombstone(stone["key"], TombstoneKind(stone["kind"]), stone["words"])
            for stone in found.tombstones
        ]
        kind = OrderKind(found.kind)
    except ValueError as error:
        raise SignatureError(f"The receipt of {found.order_id} is of a newer freshkb: {error}.") from error
    return Proof(
        found.order_id,
        kind,
        found.instance,
        found.ordered_at,
        tuple(subject.digest[KEYED] for subject in found.subjects if KEYED in subject.digest),
        tuple(stones),
        f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
    )
