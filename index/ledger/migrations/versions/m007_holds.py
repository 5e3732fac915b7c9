"""A hold is an order with documents under it, and an approval names its person.

A hold that was released for some of its documents becomes two: one that stands and one that is released.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "m007"
down_revision = "m006"

_key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("approvals", sa.Column("approved_by", sa.Text, nullable=False, server_default=""))
    former = op.get_bind().execute(
        sa.text("SELECT hold_id, document_id, reason, placed_at, released_at FROM holds ORDER BY placed_at")
    )
    orders: dict[tuple[str, bool], list[Any]] = defaultdict(list)
    for row in former:
        orders[row.hold_id, row.released_at is not None].append(row)
    op.drop_table("holds")
    holds = op.create_table(
        "holds",
        sa.Column("hold_id", _key, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("target", _key, nullable=False),
        sa.Column("source", _key, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("matter", sa.Text, nullable=False),
        sa.Column("placed_by", sa.Text, nullable=False),
        sa.Column("placed_at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("released_at", sa.BigInteger),
        sa.Column("released_by", sa.Text, nullable=False),
        sa.Column("release_reason", sa.Text, nullable=False),
    )
    members = op.create_table(
        "held_documents",
        sa.Column("hold_id", _key, primary_key=True),
        sa.Column("document_id", _key, primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
    op.create_index("held_documents_document", "held_documents", ["document_id"])
    empty = dict.fromkeys(("target", "source", "matter", "placed_by", "released_by", "release_reason"), "")
    for (hold_id, released), rows in orders.items():
        name = f"{hold_id}-released" if released and (hold_id, False) in orders else hold_id
        first = rows[0]
        order = {"hold_id": name, "kind": "document", "reason": first.reason, "placed_at": first.placed_at}
        ended = max(row.released_at for row in rows) if released else None
        op.bulk_insert(holds, [{**empty, **order, "released_at": ended}])
        under = [{"hold_id": name, "document_id": row.document_id, "since": row.placed_at} for row in rows]
        op.bulk_insert(members, under)
