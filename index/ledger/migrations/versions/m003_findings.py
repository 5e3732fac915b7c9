"""Findings and owners of documents, findings of sources, actor and progress of runs, reviewed hashes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "m003"
down_revision = "m002"

_key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    for table, name, default in (
        ("sources", "findings", "[]"),
        ("documents", "owners", "[]"),
        ("documents", "findings", "[]"),
        ("runs", "actor", ""),
        ("runs", "progress", "{}"),
    ):
        op.add_column(table, sa.Column(name, sa.Text, nullable=False, server_default=default))
    op.add_column("reviews", sa.Column("content_hash", _key))
