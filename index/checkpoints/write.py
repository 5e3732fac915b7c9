"""Checkpoints written to the anchors, and the newest of each compared."""

from __future__ import annotations

import logging

from index.anchors import AnchorSpec
from index.anchors.anchor import Anchor
from index.checkpoints.origin import AHEAD, all_origins, anchors_of, origin, origin_of, signing_key
from index.errors import AnchorError, SignatureError
from index.ledger import Head, Ledger
from index.signed.key import SigningKey
from index.signed.note import Checkpoint, parse
from index.workspace import Workspace

log = logging.getLogger("freshkb.log")

_LATER = "knows a later history of this knowledge base, of which this ledger knows nothing"


def write(workspace: Workspace, *, appended: bool, since: int | None = None) -> list[str]:
    """Write a checkpoint of the log to the anchors that lack one. It names the orders to erase whose end that
    anchor does not know yet; for one that cannot be read back, whose end is behind the entry `since`.
    `appended`: whether entries are new; if not, an anchor that cannot be asked is logged, and no error.

    Returns errors in words. An anchor that fails does not keep the others from theirs; the next call makes up
    for it.
    """
    ledger, own, errors = workspace.ledger, origin_of(workspace.ledger), []
    # The anchors first: a log that grows meanwhile is not behind them.
    known: dict[AnchorSpec, int] = {}
    for anchor in anchors_of(workspace):
        try:
            known[anchor.spec] = _known(anchor, ledger, own) if anchor.readable else 0
        except AnchorError as error:
            if appended:
                errors.append(str(error))
            else:
                log.warning("%s", error)
    head = ledger.log.head()
    key: SigningKey | None = None
    for anchor in anchors_of(workspace):
        size = known.get(anchor.spec)
        if size is None or size == head.size or not (anchor.readable or appended):
            continue
        if size > head.size:
            errors.append(
                f"The anchor {anchor.spec} knows {size:,} entries of the log, and the ledger has "
                f"{head.size:,}: {AHEAD}. Nothing was written to it. See: freshkb log verify"
            )
            continue
        told = size if anchor.readable else head.size if since is None else since
        named = ledger.history.carried_out(told, head.size)
        try:
            key = key or signing_key(workspace)
            anchor.write(own, Checkpoint(own, head.size, head.frontier.root(), named).signed(key))
            log.debug("Checkpoint of %d entries written to %s.", head.size, anchor.spec)
        except (AnchorError, SignatureError) as error:
            errors.append(str(error))
    return errors


def _known(anchor: Anchor, ledger: Ledger, own: str) -> int:
    """How many entries of the present generation the anchor knows. Raises AnchorError."""
    note = anchor.newest(origin(ledger.instance_id))
    if note is None:
        return 0
    found = Checkpoint.of(parse(note))
    if found.origin == own:
        return found.size
    if not _is_former(found, ledger):
        raise AnchorError(
            f"The anchor {anchor.spec} {_LATER}: {AHEAD}. Nothing was written to it. See: freshkb log verify"
        )
    others = (Checkpoint.of(parse(note)) for note in anchor.all(own))
    return max((other.size for other in others), default=0)


def _is_former(found: Checkpoint, ledger: Ledger) -> bool:
    return found.origin in all_origins(ledger.instance_id, ledger.history.begun())


def newest(workspace: Workspace, anchor: Anchor, head: Head) -> tuple[bool, str]:
    """Whether the newest checkpoint of the anchor fits this head of the log, and how, in words. Its signature
    is not checked, and no entry is read. Raises AnchorError."""
    if not anchor.readable:
        return True, f"{anchor.spec} cannot be read back"
    ledger = workspace.ledger
    note = anchor.newest(origin(ledger.instance_id))
    if note is None:
        return True, f"{anchor.spec} has no checkpoint yet: freshkb log checkpoint"
    found = Checkpoint.of(parse(note))
    if found.origin != origin_of(ledger):
        if _is_former(found, ledger):
            return True, f"{anchor.spec} has no checkpoint since an older copy of the ledger was restored"
        return False, f"{anchor.spec} {_LATER}: {AHEAD}. See: freshkb log verify"
    if found.size > head.size:
        return False, f"{anchor.spec} knows {found.size:,} entries: {AHEAD}. See: freshkb log verify"
    if found.size < head.size:
        return True, f"{anchor.spec} knows the first {found.size:,} of them"
    if found.root != head.frontier.root():
        return False, f"{anchor.spec} knows others: entries were rewritten. See: freshkb log verify"
    return True, f"{anchor.spec} knows all of them"
