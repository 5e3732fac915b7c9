"""Checkpoints of a knowledge base's log: signed, written to its anchors, compared with them.

A checkpoint is the log's origin, its size and its root, signed by the key of the knowledge base. The origin
is ``freshkb/`` and the ledger's instance id, and for a later generation of the log (`index.ledger.history`)
its id after a slash. A checkpoint is written to every anchor at the end of a run that appended entries, and
by `freshkb log checkpoint`. It names the orders to erase that were carried out since the one before it there.

Compared are size and root: an anchor that knows more entries than the log shows that its end was cut off, or
that an older copy of the ledger was put in its place; another root over as many entries, that entries were
rewritten, however well they are chained. An older copy is *behind*: orders that its anchors name and it has
not are *missing* in it, and nothing is shown or written before they were placed again.

Modules `origin` (names, keys and anchors of a log) · `write` · `compare` · `behind`.
"""

from index.checkpoints.behind import (
    begins,
    checkpoints_of,
    go_on,
    lost_beyond,
    missing,
    require_orders,
    told,
)
from index.checkpoints.compare import Mark, compare, verify, verify_export
from index.checkpoints.origin import (
    anchors_of,
    checkpoint_of,
    origin,
    origin_of,
    own_keys,
    signing_key,
)
from index.checkpoints.write import newest, write

__all__ = [
    "Mark",
    "anchors_of",
    "begins",
    "checkpoint_of",
    "checkpoints_of",
    "compare",
    "go_on",
    "lost_beyond",
    "missing",
    "newest",
    "origin",
    "origin_of",
    "own_keys",
    "require_orders",
    "signing_key",
    "told",
    "verify",
    "verify_export",
    "write",
]
