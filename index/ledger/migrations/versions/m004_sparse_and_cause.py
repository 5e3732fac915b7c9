"""The encoder of a collection's sparse vectors ("" where it was not recorded), and why an item is planned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "m004"
down_revision = "m003"

_key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("collections", sa.Column("sparse_fingerprint", _key, nullable=False, server_default=""))
    op.add_column("items", sa.Column("cause", sa.Text, nullable=False, server_default="listing"))
