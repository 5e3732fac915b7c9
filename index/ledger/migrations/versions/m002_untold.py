"""Pending events of committed versions are on record before they are published."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "m002"
down_revision = "m001"

_text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "untold",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("run_id", _text),
        sa.Column("document_id", _text),
        sa.Column("source", _text, nullable=False),
        sa.Column("action", _text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("collection", _text, nullable=False),
        sqlite_autoincrement=True,
    )
