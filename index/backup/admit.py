"""Whether a whole backup may come back. Asked before anything is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from index.backup.manifest import Manifest
from index.backup.tables import Past, past
from index.checkpoints import begins, checkpoints_of, lost_beyond, origin, told
from index.erase.replay import Proof
from index.errors import Refused
from index.ledger import generation_id
from index.ledger.copy import Table
from index.ledger.schema import VERSION
from index.signed.note import Checkpoint
from index.workspace import Workspace


def admit(manifest: Manifest) -> None:
    """Raises Refused for a backup of a newer program."""
    if not re.fullmatch(r"m\d{3}", manifest.schema) or manifest.schema > VERSION:
        raise Refused(
            f"The backup's ledger was written by a newer freshkb: its schema is {manifest.schema}, and this "
            f"program knows {VERSION}. Nothing was restored. Upgrade freshkb."
        )


def require_known(
    workspace: Workspace, manifest: Manifest, tables: Callable[[], Iterator[Table]], proofs: Sequence[Proof]
) -> tuple[Past, list[Checkpoint]]:
    """Returns (the past of the backup, what the anchors know that is newer). Raises Refused when they name
    orders to erase that are neither in the backup nor among these proofs, AnchorError when one of them cannot
    be asked."""
    own, size = _end(manifest)
    known = checkpoints_of(workspace, manifest.instance)
    if all(found.origin == own and found.size <= size for found in known):
        # The backup has all of it.
        return Past(), []
    with workspace.waiting("reading the backup's orders"):
        found = past(tables())
    named = {order_id for checkpoint in known for order_id in checkpoint.erased}
    if lacking := sorted(named - found.orders - {proof.order_id for proof in proofs}):
        raise Refused(
            f"The backup is older than the log's anchors know: {told(lacking)} carried out since, and what "
            "was erased would be back. Nothing was restored. Take a newer backup, or give the receipts: "
            "freshkb backup restore DIR --replay RECEIPT"
        )
    return found, known


def lost_since(
    workspace: Workspace, manifest: Manifest, found: Past, known: Sequence[Checkpoint]
) -> dict[str, int | str]:
    """The facts of what anchors know and the backup does not have, for the entry of the restore; {} when they
    know no more."""
    own, size = _end(manifest)
    former = [origin(manifest.instance, name) for name in ("", *found.generations)]
    lost = lost_beyond(known, manifest.instance, own, former, size)
    return begins(generation_id(workspace.new_id()), size, lost) if lost else {}


def lost_entries(facts: Mapping[str, int | str]) -> int:
    """How many entries these facts say are lost, of the longest history."""
    sizes = [size for size in facts.values() if isinstance(size, int)]
    return max(sizes) - int(facts["kept"]) if sizes else 0


def _end(manifest: Manifest) -> tuple[str, int]:
    """(origin, size) of the backup's log."""
    own, size, *_ = manifest.checkpoint.split("\n")
    return own, int(size)
