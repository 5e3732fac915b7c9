"""The tables.

Columns are named like the fields of the records in `index.records` that they hold, in any order; `columns`
lists a table's columns in the order of a record's fields, so that a row becomes a record positionally.

Indices and options of the databases are in the migrations alone: no query mentions them, and to name one of
PostgreSQL's here would import its dialect into every command.
"""

from __future__ import annotations

import sqlalchemy as sa

from index.ledger import audit_tables as audit_tables
from index.ledger.entry import LogAction
from index.ledger.hold import HoldKind
from index.ledger.order import OrderKind, OrderState
from index.ledger.removal import RemovalState
from index.ledger.rows import column as _column
from index.ledger.rows import columns as columns
from index.ledger.rows import metadata as metadata
from index.ledger.rows import values as values
from index.ledger.tombstone import TombstoneKind
from index.ledger.types import Code, Json, Key, Moment, Prose
from index.model import LIVE, Action, Cause, State

#: The schema that this program reads and writes; the revision of the newest migration.
VERSION = "m009"


#: SQLite uses a partial index only for queries that contain its condition word for word, hence text.
live = sa.text("state NOT IN ('deleted', 'erased')")
assert frozenset(State) - LIVE == {State.DELETED, State.ERASED}

meta = sa.Table("meta", metadata, _column("name", Key, key=True), _column("value", Key))

sources = sa.Table(
    "sources",
    metadata,
    _column("source", Key, key=True),
    _column("type", Key),
    _column("identity", Prose),
    _column("filter_fingerprint", Key),
    _column("rules_fingerprint", Key),
    _column("cursor", Prose, null=True),
    _column("listed_at", Moment, null=True),
    _column("synced_at", Moment, null=True),
    _column("findings", Json, default="[]"),
)

documents = sa.Table(
    "documents",
    metadata,
    _column("document_id", Key, key=True),
    _column("source", Key),
    _column("uri", Key),
    _column("folder", Key),
    _column("state", Code(State)),
    _column("reason", Prose),
    _column("token", Key, null=True),
    _column("native_id", Key, null=True),
    _column("size", sa.BigInteger, null=True),
    _column("seen_hash", Key, null=True),
    _column("seen_extraction", Key),
    _column("version", sa.BigInteger),
    _column("content_hash", Key, null=True),
    _column("extraction_fingerprint", Key),
    _column("modified_at", Moment, null=True),
    _column("title", Prose),
    _column("url", Prose),
    _column("content_type", Prose),
    _column("language", Prose, null=True),
    _column("properties", Json),
    _column("owner", Prose),
    _column("owner_source", Key),
    _column("owners", Json, default="[]"),
    _column("reviewed_at", Moment, null=True),
    _column("date_used", Moment, null=True),
    _column("warn_at", Moment, null=True),
    _column("stale_at", Moment, null=True),
    _column("chunk_count", sa.BigInteger),
    _column("first_seen_at", Moment, null=True),
    _column("indexed_at", Moment, null=True),
    _column("deleted_at", Moment, null=True),
    _column("findings", Json, default="[]"),
)
#: What `Documents.rows` reads, in the order of `index.records.PlanRow`; `held` comes from the holds.
PLAN_COLUMNS = ("document_id", "uri", "token", "native_id", "size", "seen_hash", "seen_extraction", "state")

chunks = sa.Table(
    "chunks",
    metadata,
    _column("collection", Key, key=True),
    _column("point_id", Key, key=True),
    _column("document_id", Key),
    _column("chunk_index", sa.BigInteger),
    _column("embedded_hash", Key),
    _column("payload_digest", Key),
    _column("page", sa.BigInteger, null=True),
    _column("tokens", sa.BigInteger),
    _column("vector_digest", Key),
)

intents = sa.Table(
    "intents",
    metadata,
    _column("document_id", Key, key=True),
    _column("run_id", Key),
    _column("collection", Key),
    _column("payload", Json),
)

removals = sa.Table(
    "removals",
    metadata,
    _column("collection", Key, key=True),
    _column("point_id", Key, key=True),
    _column("document_id", Key),
    _column("state", Code(RemovalState), default="present"),
    _column("absent_at", Moment, null=True),
)

collections = sa.Table(
    "collections",
    metadata,
    _column("name", Key, key=True),
    _column("embedding_fingerprint", Key),
    _column("model", Prose),
    _column("revision", Prose),
    _column("dtype", Key),
    _column("dimension", sa.BigInteger),
    _column("state", Key),
    _column("created_at", Moment, null=True),
    _column("sparse_fingerprint", Key, default=""),
)

runs = sa.Table(
    "runs",
    metadata,
    _column("run_id", Key, key=True),
    _column("kind", Key),
    _column("started_at", Moment),
    _column("finished_at", Moment, null=True),
    _column("outcome", Key),
    _column("host", Prose),
    _column("pid", sa.BigInteger),
    _column("counts", Json),
    _column("error", Prose),
    _column("actor", Prose, default=""),
    _column("progress", Json, default="{}"),
)

plans = sa.Table(
    "plans",
    metadata,
    _column("run_id", Key, key=True),
    _column("source", Key, key=True),
    _column("plan_hash", Key),
    _column("counts", Json),
)

items = sa.Table(
    "items",
    metadata,
    _column("run_id", Key, key=True),
    _column("number", sa.BigInteger, key=True),
    _column("position", sa.BigInteger, key=True),
    _column("source", Key),
    _column("action", Code(Action)),
    _column("uri", Key),
    _column("document_id", Key),
    _column("old_uri", Key, null=True),
    _column("cause", Code(Cause), default="listing"),
    _column("reason", Prose),
)

approvals = sa.Table(
    "approvals",
    metadata,
    _column("plan_hash", Key, key=True),
    _column("source", Key),
    _column("run_id", Key),
    _column("at", Moment),
    _column("approved_by", Prose, default=""),
)

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # Only INTEGER counts up by itself on SQLite.


log = sa.Table(
    "log",
    metadata,
    sa.Column("id", _number, primary_key=True, autoincrement=True),
    _column("sequence", sa.BigInteger, null=True),
    _column("at", Moment),
    _column("actor", Prose),
    _column("run_id", Key, null=True),
    _column("action", Code(LogAction)),
    _column("source", Key),
    _column("subject", Key),
    _column("facts", Json),
    #: The collection that a pending entry waits for; it has no hash (`index.ledger.chain`) yet.
    _column("collection", Key, null=True),
    _column("hash", Key, null=True),
)

#: The end of the log: a single row.
log_head = sa.Table(
    "log_head",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    _column("size", sa.BigInteger),
    _column("hash", Key),
    _column("frontier", Key),
)

reviews = sa.Table(
    "reviews",
    metadata,
    sa.Column("id", _number, primary_key=True, autoincrement=True),
    _column("document_id", Key),
    _column("reviewed_by", Prose),
    _column("note", Prose),
    _column("at", Moment),
    _column("content_hash", Key, null=True),
)

holds = sa.Table(
    "holds",
    metadata,
    _column("hold_id", Key, key=True),
    _column("kind", Code(HoldKind)),
    _column("target", Key),
    _column("source", Key),
    _column("reason", Prose),
    _column("matter", Prose),
    _column("placed_by", Prose),
    _column("placed_at", Moment),
    _column("until", Moment, null=True),
    _column("released_at", Moment, null=True),
    _column("released_by", Prose),
    _column("release_reason", Prose),
)

held_documents = sa.Table(
    "held_documents",
    metadata,
    _column("hold_id", Key, key=True),
    _column("document_id", Key, key=True),
    _column("since", Moment),
)

orders = sa.Table(
    "orders",
    metadata,
    _column("order_id", Key, key=True),
    _column("kind", Code(OrderKind)),
    _column("state", Code(OrderState)),
    _column("placed_by", Prose),
    _column("placed_at", Moment),
    _column("documents", sa.BigInteger),
    _column("chunks", sa.BigInteger),
    _column("subjects", Json),
    _column("trace_key", Key),
    _column("done_at", Moment, null=True),
    _column("receipt", Prose),
    _column("lifted_at", Moment, null=True),
    _column("lifted_by", Prose),
    _column("lift_reason", Prose),
)

#: The documents of open orders. A document may be in several.
order_documents = sa.Table(
    "order_documents",
    metadata,
    _column("order_id", Key, key=True),
    _column("document_id", Key, key=True),
)

#: Those of lifted orders are gone.
tombstones = sa.Table(
    "tombstones",
    metadata,
    _column("key_hash", Key, key=True),
    _column("order_id", Key, key=True),
    _column("kind", Code(TombstoneKind)),
    _column("words", sa.BigInteger),
)

#: Holders of sources; only PostgreSQL's locks use it, SQLite's leave a file beside the lock.
writers = sa.Table(
    "writers",
    metadata,
    _column("source", Key, key=True),
    _column("host", Prose),
    _column("pid", sa.BigInteger),
    _column("command", Prose),
    _column("since", Moment),
    _column("backend_pid", sa.BigInteger),
)
