"""Receipts for tests: issued, signed anew after a change, and checked by other means than ours."""

from __future__ import annotations

import hashlib
import json
import subprocess
from base64 import b64decode
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from index.erase.receipt import issued, keep
from index.ledger import LogAction, LogEntry, Tombstone
from index.purge.purge import Place
from index.signed.envelope import seal
from index.signed.key import SigningKey
from index.signed.statement import PAYLOAD_TYPE
from index.workspace import Workspace
from tests.erasures import placed

PLACES = (
    Place("store", "purged", 'Of 12 traces "all" were found before, none after.'),
    Place("ledger", "unretrievable", "PostgreSQL vacuums by itself."),
)
NOT_COVERED = ("The sources themselves.", "Backups.")


def done(
    workspace: Workspace, order_id: str, document_ids: Collection[str], standing: Collection[Tombstone] = ()
) -> str:
    """Carry out an order on these documents, as far as the ledger goes. Returns its receipt."""
    ledger, at = workspace.ledger, workspace.now()
    placed(ledger, order_id, document_ids, at, standing=standing)
    order = ledger.erasures.get(order_id)
    assert order is not None
    facts: dict[str, int | str] = {"order": order_id, "documents": order.documents, "chunks": order.chunks}
    ledger.log.append([LogEntry(at, LogAction.ERASURE_DONE, "", order_id, facts=facts)])
    text = issued(workspace, order, ledger.log.head().size, PLACES, NOT_COVERED, at)
    ledger.erasures.finish(order_id, text, at)
    keep(workspace, order_id, text)
    return text


def payload(text: str) -> bytes:
    """The signed bytes of a receipt's statement."""
    return b64decode(json.loads(text)["payload"])


def signed_anew(text: str, key: SigningKey, change: Callable[[dict[str, Any]], object]) -> str:
    """The receipt of a signer whose program says something else: its statement changed, and signed."""
    said = json.loads(payload(text))
    change(said)
    return seal(PAYLOAD_TYPE, json.dumps(said, sort_keys=True, separators=(",", ":")).encode(), key)


# ── By other means ────────────────────────────────────────────────────────────────────────────────────


def openssl(folder: Path, *arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = ["openssl", *arguments]
    return subprocess.run(command, cwd=folder, input=given, capture_output=True, check=False)


def is_signed(folder: Path, text: str, pem: str) -> bool:
    """Whether openssl finds the envelope to be signed by this key."""
    sealed = json.loads(text)
    kind, body = sealed["payloadType"].encode(), b64decode(sealed["payload"])
    (folder / "pem").write_text(pem)
    (folder / "pae").write_bytes(b" ".join([b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(body), body]))
    (folder / "sig").write_bytes(b64decode(sealed["signatures"][0]["sig"]))
    check = "pkeyutl -verify -rawin -pubin -inkey pem -in pae -sigfile sig"
    return openssl(folder, *check.split()).returncode == 0


def hmac(folder: Path, salt: bytes, text: str) -> str:
    """As openssl computes it, in hex."""
    keyed = f"dgst -sha256 -mac HMAC -macopt hexkey:{salt.hex()} -r"
    return openssl(folder, *keyed.split(), given=text.encode()).stdout.split()[0].decode()


def leaves(export: Sequence[str]) -> list[bytes]:
    """The leaves of the tree over the lines of an exported log."""
    entries = [line[: line.rindex(',"hash":')] + "}" for line in export]
    return [hashlib.sha256(b"\0" + entry.encode()).digest() for entry in entries]


def root(found: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word by word."""
    if len(found) == 1:
        return found[0]
    k = _split(len(found))
    return hashlib.sha256(b"\1" + root(found[:k]) + root(found[k:])).digest()


def path(m: int, found: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(found) == 1:
        return []
    k = _split(len(found))
    if m < k:
        return [*path(m, found[:k]), root(found[k:])]
    return [*path(m - k, found[k:]), root(found[:k])]


def _split(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k
