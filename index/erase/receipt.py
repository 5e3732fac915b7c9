"""Receipts: signed statements that an order to erase was carried out, which anybody can check.

A receipt is a DSSE envelope around an in-toto Statement. Its subjects are keyed hashes of the erased
documents, its predicate says what was done and shown, and proves that the log has the order's last entry.
Nothing of a document is in it. A check needs no ledger and imports none.
"""

from __future__ import annotations

import hashlib
import os
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from index.disk.atomic import replacing, sync_folder
from index.disk.private import private_folder
from index.erase import parts
from index.erase.predicate import Receipt
from index.errors import SignatureError
from index.model import rfc3339
from index.signed import envelope, statement
from index.signed.key import PublicKey
from index.signed.statement import PAYLOAD_TYPE, PREDICATES, Statement, Subject
from index.signed.tree import is_included, leaf_hash

if TYPE_CHECKING:
    from index.ledger import Order
    from index.purge.purge import Place
    from index.workspace import Workspace

__all__ = ["KEYED", "PREDICATE_TYPE", "Receipt", "issued", "keep", "kept", "opened", "path_of", "read"]

PREDICATE_TYPE = f"{PREDICATES}erasure:v1"
#: The digest of a subject that is a document, as `index.ledger.subject` makes it.
KEYED = "hmac-sha256"
#: The action of the log's entry that a receipt proves: `LogAction.ERASURE_DONE`, which needs no ledger here.
_DONE = "erasure-done"
_HEX = re.compile(r"[0-9a-f]{64}")
#: A file is named by it.
_ORDER_ID = re.compile(r"E-[0-9A-Z]{1,40}")
#: Bytes. A document takes some 500.
_LARGEST = 256 * 2**20


# ── Issuing ───────────────────────────────────────────────────────────────────────────────────────────


def issued(
    workspace: Workspace,
    order: Order,
    sequence: int,
    places: Iterable[Place],
    not_covered: Iterable[str],
    done_at: datetime,
) -> str:
    """The signed receipt of an order whose last entry, `erasure-done`, has this number in the log. Subjects
    and tombstones are those that the ledger has by now, counts those of the entry.

    Reads the whole log once. Raises SignatureError without a usable key, or for an entry that is not of this
    order, LedgerDamaged when the log proves nothing any more.
    """
    from index.checkpoints import checkpoint_of, signing_key

    ledger, key = workspace.ledger, signing_key(workspace)
    head, entry, proof = ledger.log.proof(sequence)
    checkpoint = checkpoint_of(ledger, head)
    documents, chunks = _counts(entry, sequence, order.order_id)
    predicate = {
        "order_id": order.order_id,
        "kind": order.kind.value,
        "instance": ledger.instance_id,
        "ordered_at": rfc3339(order.placed_at),
        "done_at": rfc3339(done_at),
        "documents": documents,
        "chunks": chunks,
        "places": [place.json() for place in places],
        "not_covered": list(not_covered),
        "tombstones": [
            {"kind": stone.kind.value, "key": stone.key_hash, "words": stone.words}
            for stone in ledger.erasures.of(order.order_id)
        ],
        "log": {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": _b64(checkpoint.root),
            "seq": sequence,
            "entry": entry,
            "proof": [_b64(node) for node in proof],
        },
        "key": key.public.pem,
    }
    recorded = ledger.erasures.get(order.order_id) or order
    said = Statement(_subjects(order.order_id, recorded.subjects), PREDICATE_TYPE, predicate)
    text = envelope.seal(PAYLOAD_TYPE, said.payload(), key)
    # Nobody gets a receipt that does not verify.
    opened(text, [key.public])
    return text


def path_of(workspace: Workspace, order_id: str) -> Path:
    """The file of an order's receipt."""
    return workspace.config.state_dir / "receipts" / f"{order_id}.json"


def keep(workspace: Workspace, order_id: str, text: str) -> Path:
    """Write the file of a receipt, for its owner alone; after a power cut it is still there. Raises
    OSError."""
    path, state = path_of(workspace, order_id), workspace.config.state_dir
    private_folder(path.parent, inside=state)
    with replacing(path, grants=0) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    for folder in (path.parent, state):
        sync_folder(folder)
    return path


def kept(workspace: Workspace, order: Order) -> Path:
    """The file of the receipt of an order that has one, written anew where it is not what the ledger has.
    Raises OSError."""
    path = path_of(workspace, order.order_id)
    try:
        same = path.read_bytes() == order.receipt.encode()
    except OSError:
        same = False
    return path if same else keep(workspace, order.order_id, order.receipt)


def _subjects(order_id: str, digests: Sequence[str]) -> tuple[Subject, ...]:
    if not digests:
        return (Subject(order_id, {"sha256": hashlib.sha256(order_id.encode()).hexdigest()}),)
    return tuple(Subject(f"{order_id}/{n}", {KEYED: digest}) for n, digest in enumerate(digests, start=1))


def _b64(data: bytes) -> str:
    return b64encode(data).decode()


# ── Checking ──────────────────────────────────────────────────────────────────────────────────────────


def read(path: Path) -> str:
    """The text of a receipt's file. Raises SignatureError for a file that cannot be read, or is too large to
    be one."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise SignatureError(f"{path} is no receipt: it has more than {_LARGEST // 2**20} MiB.")
        return content.decode()
    except OSError as error:
        raise SignatureError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise SignatureError(f"{path} is no receipt: it is no text in UTF-8.") from error


def opened(text: str, keys: Iterable[PublicKey] = ()) -> Receipt:
    """The receipt of a signed text, checked: that one of these keys, or without any the key that it carries,
    has signed it; that it is of our type and form; and that its log has the last entry of its order. Raises
    SignatureError."""
    sealed = envelope.parse(text)
    try:
        trusted = list(keys) or _carried(sealed)
        payload = sealed.opened(trusted, PAYLOAD_TYPE)
        signer = sealed.signer(trusted)
        assert signer is not None, "an envelope is opened by a key that has signed it"
        receipt = Receipt.of(statement.read(payload, PREDICATE_TYPE), signer)
        _check_subjects(receipt)
        _check_log(receipt)
    except ValueError as error:
        raise SignatureError(f"This is no receipt of freshkb: {error}.") from error
    return receipt


def _carried(sealed: envelope.Envelope) -> list[PublicKey]:
    """The key that a receipt carries, read before any signature was checked; none of an envelope that holds
    something else."""
    if sealed.payload_type != PAYLOAD_TYPE:
        return []
    said = statement.read(sealed.payload, PREDICATE_TYPE)
    return [parts.public_key(said.predicate, "key")]


def _check_subjects(receipt: Receipt) -> None:
    if not _ORDER_ID.fullmatch(receipt.order_id):
        raise ValueError(f"no order has the id {receipt.order_id[:100]!r}")
    if receipt.subjects != _subjects(receipt.order_id, _digests(receipt.subjects)):
        raise SignatureError(f"The subjects of the receipt are not those of the order {receipt.order_id}.")


def _check_log(receipt: Receipt) -> None:
    log = receipt.log
    if log.origin != f"freshkb/{receipt.instance}":
        raise SignatureError("The log of the receipt is not that of its ledger: origin and instance differ.")
    if _counts(log.entry, log.seq, receipt.order_id) != (receipt.documents, receipt.chunks):
        raise SignatureError("The receipt counts other documents or chunks than its entry in the log.")
    # JSON that was read may hold half a character; no entry does.
    leaf = leaf_hash(log.entry.encode("utf-8", "surrogatepass"))
    if not is_included(leaf, log.seq - 1, log.size, log.proof, log.root):
        raise SignatureError(f"The proof does not show entry {log.seq} to be in the log with this root.")


def _counts(entry: str, seq: int, order_id: str) -> tuple[int, int]:
    """(documents, chunks) of an exported entry. Raises SignatureError unless it is the entry of this number
    that says this order to be carried out."""
    found = envelope.strict_json(entry, "entry of a log")
    facts = found.get("facts")
    if isinstance(facts, dict):
        documents, chunks = facts.get("documents"), facts.get("chunks")
        said = found.get("action"), found.get("seq"), facts.get("order")
        if said == (_DONE, seq, order_id) and isinstance(documents, int) and isinstance(chunks, int):
            return documents, chunks
    raise SignatureError(f"Entry {seq} of the log does not say that the order {order_id} was carried out.")


def _digests(subjects: Sequence[Subject]) -> list[str]:
    """The keyed hashes of those subjects that have one, in hex."""
    digests = [subject.digest.get(KEYED, "") for subject in subjects]
    return [digest for digest in digests if _HEX.fullmatch(digest)]
