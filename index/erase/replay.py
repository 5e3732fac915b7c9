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
from typing import Any

from index.checkpoints import go_on, own_keys
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
    windows,
)
from index.model import State
from index.phrase import wholes
from index.records import Document
from index.run import Run
from index.search.find import read
from index.search.reader import Reader
from index.signed import envelope, statement
from index.signed.key import PublicKey
from index.workspace import Workspace

_PREDICATE = f"{statement.PREDICATES}erasure:v1"


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
    """Of the receipt, as the log names it."""


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
    found = matching(Reader(workspace), ledger.erasures.keys(), wanted)
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
        others = f" The others are in force: {', '.join(order.order_id for order in placed)}." if placed else ""
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
        ledger.erasures.join(proof.order_id, document_ids, standing=stones)
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
            LogEntry(
                now,
                LogAction.ERASURE_REFUSED,
                "",
                document_id,
                run_id,
                {"hold": hold.hold_id, "order": order_id},
            )
            for document_id, standing in holds.items()
            for hold in standing
        ]
    )
    named = sorted({hold.hold_id for standing in holds.values() for hold in standing})
    return (
        f"{order_id} was not placed again: in this ledger {len(error.document_ids):,} of its documents are "
        f"under a hold: {', '.join(named)}. Release it with `freshkb hold release`, and replay the order then."
    )


# ── Its documents ─────────────────────────────────────────────────────────────────────────────────────


def matching(
    reader: Reader, keys: Keys, wanted: Mapping[str, Collection[Tombstone]]
) -> dict[str, list[str]]:
    """{order id: ids of the documents that one of its tombstones is about}. All rows are looked at, and the
    texts of all chunks where a phrase is suppressed. Raises StoreDamaged when one of these cannot be read."""
    orders: dict[str, list[str]] = {}
    lengths = set[int]()
    for name, stones in wanted.items():
        for stone in stones:
            orders.setdefault(stone.key_hash, []).append(name)
            if stone.kind is TombstoneKind.PHRASE:
                lengths.add(stone.words)
    found: dict[str, dict[str, None]] = {name: {} for name in wanted}

    def note(document: Document, made: Iterable[str]) -> None:
        for key in made:
            for name in orders.get(key, ()):
                found[name][document.document_id] = None

    if orders:
        for document in reader.ledger.documents.find(states=list(State)):
            note(document, of_row(keys, document))
    if lengths:
        for one in read(reader):
            texts = [*wholes(one.parts), *(whole for _, field in one.fields for whole in wholes([field]))]
            note(one.document, of_words(keys, texts, lengths))
    return {name: list(ids) for name, ids in found.items()}


def of_row(keys: Keys, document: Document) -> Iterator[str]:
    """The keys of a document's path and bytes; the empty file's bytes are nobody's."""
    yield keys.uri(document.source, document.uri)
    if document.size != 0:
        yield from (keys.content(h) for h in {document.content_hash, document.seen_hash} if h)


def of_words(keys: Keys, texts: Iterable[str], lengths: Iterable[int]) -> Iterator[str]:
    """The keys of all runs of so many words in folded texts."""
    said = list(texts)
    for length in lengths:
        for words in {window for text in said for window in windows(text, length)}:
            yield keys.phrase(words)


# ── Receipts ──────────────────────────────────────────────────────────────────────────────────────────


def _opened(text: str, keys: Sequence[PublicKey]) -> Proof:
    """What a receipt says, once one of the keys is known to have signed it. Raises SignatureError."""
    payload = envelope.parse(text).opened(keys, statement.PAYLOAD_TYPE)
    said = statement.read(payload, _PREDICATE)
    found: Mapping[str, Any] = said.predicate
    try:
        return Proof(
            order_id=str(found["order_id"]),
            kind=OrderKind(found["kind"]),
            instance=str(found["instance"]),
            ordered_at=datetime.fromisoformat(found["ordered_at"]),
            subjects=tuple(s.digest["hmac-sha256"] for s in said.subjects if "hmac-sha256" in s.digest),
            tombstones=tuple(
                Tombstone(str(stone["key"]), TombstoneKind(stone["kind"]), int(stone["words"]))
                for stone in found["tombstones"]
            ),
            hash="sha256:" + hashlib.sha256(payload).hexdigest(),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise SignatureError(f"This receipt lacks what a replay needs: {error}.") from error
