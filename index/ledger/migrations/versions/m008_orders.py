"""Orders to erase, the documents that open ones are about, and tombstones by their order.

The key of tombstones is derived from that of the log, so that a ledger that was restored from a backup of an
older schema has the same. No earlier version ever wrote a tombstone.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from index.ledger.tombstone import KEY, derived

revision = "m008"
down_revision = "m007"

_key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.drop_table("tombstones")
    op.create_table(
        "orders",
        sa.Column("order_id", _key, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("placed_by", sa.Text, nullable=False),
        sa.Column("placed_at", sa.BigInteger, nullable=False),
        sa.Column("documents", sa.BigInteger, nullable=False),
        sa.Column("chunks", sa.BigInteger, nullable=False),
        sa.Column("subjects", sa.Text, nullable=False),
        sa.Column("trace_key", sa.Text, nullable=False),
        sa.Column("done_at", sa.BigInteger),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("lifted_at", sa.BigInteger),
        sa.Column("lifted_by", sa.Text, nullable=False),
        sa.Column("lift_reason", sa.Text, nullable=False),
    )
    op.create_table(
        "order_documents",
        sa.Column("order_id", _key, primary_key=True),
        sa.Column("document_id", _key, primary_key=True),
    )
    op.create_table(
        "tombstones",
        sa.Column("key_hash", _key, primary_key=True),
        sa.Column("order_id", _key, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("words", sa.BigInteger, nullable=False),
    )
    op.create_index("tombstones_order", "tombstones", ["order_id"])
    connection = op.get_bind()
    log_key = connection.execute(sa.text("SELECT value FROM meta WHERE name = 'log key'")).scalar_one()
    named = sa.text("INSERT INTO meta (name, value) VALUES (:name, :value)")
    connection.execute(named, {"name": KEY, "value": derived(bytes.fromhex(log_key)).hex()})
