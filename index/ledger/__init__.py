"""The ledger: the SQL database of documents, chunks and runs, and of changes about to be made.

Vocabulary. A *document* row is one item of a source, a *chunk* row one committed point of a collection. An
*intent* is a document's next committed state, written before the store is touched; a *removal* is a point id
that no committed version references any more: *present* while the store may still hold the point, *absent*
once the store has proved that it does not, and gone from the ledger when its bytes are purged. A *run* has a
*plan*, its *batches* of items and, where a guard asked for it, its *approval*. *Reviews*, *holds* and
*orders* to erase, with the *tombstones* of these, are decisions of people, and the *log* is the record of
changes. No text of a document is stored here.

`Ledger` is composed of parts over one `Database`, each the methods of some tables: `sources`, `documents`,
`chunks`, `collections`, `runs`, `reviews`, `audits`, `extracts`, `holds`, `erasures`, `tombstones`, `log`,
`history`. Two parts span tables: `points` reads which points the store may hold, in every role, and `writes`
has the transactions that change several tables at once. `erased` and `reduction` have what orders forbid to
write and what they delete. `database`, `sqlite` and `file` hold the engine and its file, `prepared` what each
search asks, `schema`, `rows`, `types` and `migrations` the tables, `locks` the writer locks, `missing` the
refusal to make a ledger beside an index that has lost its own, `copy` the rows
of one moment, to be loaded into another ledger, `damage`, `sound` and `rebuild` the reading of damaged files
and the log's head after it, `vacuum` the removal of deleted bytes.

An entry of the log has a number, time, actor, run, action, source, subject and facts: ids, codes and counts,
never a path, a title, a reason or a text, because no erasure reaches the log. Every method that writes takes
the entries of what it changes and appends them in the same transaction. Bookkeeping takes none: a record of a
source's listing, an intent, a run's own row and plan, a mark to look at a document again. An entry whose
change the store has to follow is *pending*, without a number, from `commit` to `settle`. Numbers have no gaps
and ascend in the order of publication. With its number an entry gets its *hash*, over the hash before it and
the entry as it is exported; the log's *head* has the number and the hash of the last one, and the frontier of
the tree over all (`chain`).

Invariants that live here. I1: every point id in the store is a chunk, belongs to an open intent, or is a
present removal; `intend` is durable when it returns, `commit` refuses points that were never intended, and
points that an intent named and its commit does not become removals. I2: rows flip to a new version in one
transaction, which puts the pending entry on record as well. I3: every step may be repeated after a crash. I4:
nothing here removes a live document on its own; point ids are handed out, and `settle` marks them absent only
when the caller has proved them gone. Holds are read in the transaction that announces a removal: `intend`
does not announce one that a hold forbids, nor does `documents.put` write a row that calls a held document
gone. Tombstones are read in the same way: `intend` does not announce what one forbids to write, and a row
that says *erased* is never written over. Every transaction that writes documents' rows puts them under the
holds that match them. I5: `settle` publishes the entry of a commit in the transaction that proves the last of
its removals: once, by whichever run.

One writer per source holds `Ledger.writer`, and none beside a `builder`, who makes a collection that is to
replace the one in use; readers never wait. The rooms from `workspace` up may import
`Ledger` and the values exported here; SQLAlchemy and Alembic stay inside it, and so do its modules, but for
`copy`, `chain`, `history`, `damage` and `schema.VERSION`, the forms that backups, checkpoints and repairs are
about. May import: `actor`, `batched`, `disk`, `signed`, `freshness`, `model`, `precedence`, `records`,
`errors`, `printable`, `redact`, and patterns of `connectors.base`.
"""

from index.ledger.chain import Head, LogCheck, LogProblem
from index.ledger.database import damaged
from index.ledger.entry import LogAction, LogEntry
from index.ledger.erased import Erased
from index.ledger.erasures import HeldBack
from index.ledger.extracts import LinkCheck
from index.ledger.history import generation_id
from index.ledger.hold import Hold, HoldKind, hold_id
from index.ledger.ledger import URI_BYTES, Ledger
from index.ledger.locks import FileLocks, Writer
from index.ledger.missing import Left
from index.ledger.order import WITHHELD, Order, OrderKind, OrderState, order_id, subject, withheld_by
from index.ledger.removal import PointRemoval, RemovalState
from index.ledger.tombstone import Keys, Tombstone, TombstoneKind, windows
from index.ledger.vacuum import Vacuumed

__all__ = [
    "URI_BYTES",
    "WITHHELD",
    "Erased",
    "FileLocks",
    "Head",
    "HeldBack",
    "Hold",
    "HoldKind",
    "Keys",
    "Ledger",
    "Left",
    "LinkCheck",
    "LogAction",
    "LogCheck",
    "LogEntry",
    "LogProblem",
    "Order",
    "OrderKind",
    "OrderState",
    "PointRemoval",
    "RemovalState",
    "Tombstone",
    "TombstoneKind",
    "Vacuumed",
    "Writer",
    "damaged",
    "generation_id",
    "hold_id",
    "order_id",
    "subject",
    "windows",
    "withheld_by",
]
