"""The ledger: the SQL database that records what freshkb knows, and what it is about to do.

Vocabulary. A *document* row is one item of a source, a *chunk* row one committed point of a collection. An
*intent* is a document's next committed state, written before the store is touched; a *removal* is a point id
that no committed version references any more and that the store may still hold. A *run* carries a *plan*,
its *batches* of items and, where a guard asked for it, its *approval*. *Events*, *reviews*, *holds* and
*tombstones* are what auditors read. No text of a document is ever stored here.

Invariants that live here. I1: every point id in the store is a chunk, belongs to an open intent, or is a
removal; `intend` is durable when it returns, `commit` refuses points that were never intended, and whatever
an intent named and its commit does not becomes a removal. I2: rows flip to a new version in one transaction,
which puts the audit event on record as well.
I3: every step may be repeated after a crash. I4: nothing here removes a live document on its own; point ids
are handed out, and `settle` forgets them only when the caller has proved them gone. I5: `settle` tells the
events of a commit in the transaction that forgets the last of its removals: once, whichever run it is.

One writer per source holds `Ledger.writer`; readers never wait. Anything in `index` and `flows` may import
`Ledger` and the values exported here; SQLAlchemy, Alembic and the modules of this package stay inside it.
"""

from index.ledger.database import damaged
from index.ledger.holds import Hold
from index.ledger.ledger import Ledger
from index.ledger.lock import Writer
from index.ledger.log import Event

__all__ = ["Event", "Hold", "Ledger", "Writer", "damaged"]
