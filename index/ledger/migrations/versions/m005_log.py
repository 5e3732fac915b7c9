"""Events become the log, pending ones too, and removals have a state.

Texts of events are dropped: they held reasons, which may be words of a document.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "m005"
down_revision = "m004"

_key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_COPY = """
INSERT INTO log (sequence, at, actor, run_id, action, source, subject, facts, collection)
SELECT {sequence}, e.at, COALESCE(r.actor, ''), e.run_id, e.action, e.source,
       COALESCE(e.document_id, ''), '{{}}', {collection}
FROM {table} e LEFT JOIN runs r ON r.run_id = e.run_id ORDER BY e.id
"""


def upgrade() -> None:
    op.create_table(
        "log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("run_id", _key),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("source", _key, nullable=False),
        sa.Column("subject", _key, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("collection", _key),
        sqlite_autoincrement=True,
    )
    numbered = "ROW_NUMBER() OVER (ORDER BY e.id)"
    op.execute(_COPY.format(table="events", sequence=numbered, collection="NULL"))
    op.execute(_COPY.format(table="untold", sequence="NULL", collection="e.collection"))
    op.create_index("log_sequence", "log", ["sequence"], unique=True)
    op.drop_table("untold")
    op.drop_table("events")
    op.add_column("removals", sa.Column("state", sa.Text, nullable=False, server_default="present"))
    op.add_column("removals", sa.Column("absent_at", sa.BigInteger))
