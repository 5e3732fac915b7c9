"""Entries of the log are chained by hash, those that exist, too; the log has a head."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

from index.ledger.chain import Head, exported

revision = "m006"
down_revision = "m005"

_key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_ENTRIES = """
SELECT id, sequence, at, actor, run_id, action, source, subject, facts
FROM log WHERE sequence IS NOT NULL ORDER BY sequence
"""
_PORTION = 1000


def upgrade() -> None:
    op.add_column("log", sa.Column("hash", _key))
    op.create_table(
        "log_head",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("hash", _key, nullable=False),
        sa.Column("frontier", _key, nullable=False),
    )
    connection, key, head = op.get_bind(), secrets.token_bytes(32), Head()
    named = sa.text("INSERT INTO meta (name, value) VALUES ('log key', :value)")
    connection.execute(named, {"value": key.hex()})
    hashed = sa.text("UPDATE log SET hash = :hash WHERE id = :id")
    rows = connection.execute(sa.text(_ENTRIES)).all()
    for at in range(0, len(rows), _PORTION):
        portion = []
        for row in rows[at : at + _PORTION]:
            if row.sequence > head.size + 1:
                # Of a ledger that was damaged, and mended without them.
                head.lost(row.sequence)
            portion.append({"id": row.id, "hash": head.add(exported(row._asdict(), row.sequence, key))})
        connection.execute(hashed, portion)
    made = sa.text("INSERT INTO log_head (id, size, hash, frontier) VALUES (1, :size, :hash, :frontier)")
    connection.execute(made, head.packed())
