"""What documents point to and claim, past audits and their findings, answers of owners, use, notices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "m009"
down_revision = "m008"

_key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _int(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=null)


def _keys(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, _key, primary_key=True) for name in names]


def upgrade() -> None:
    op.create_table(
        "extracts",
        *_keys("document_id"),
        _text("links"),
        _text("anchors"),
        _text("claims"),
        _text("text_hash"),
        _int("text_since", null=True),
    )
    op.create_table("former_uris", *_keys("uri_hash", "document_id"))
    op.create_index("former_uris_document", "former_uris", ["document_id"])
    op.create_table("audits", *_keys("run_id"), _int("at"), _text("counts"))
    op.create_table("audit_counts", *_keys("run_id", "owner_hash", "code"), _int("count"))
    op.create_table(
        "findings",
        *_keys("finding_hash"),
        _text("code"),
        _text("source"),
        sa.Column("document_id", _key),
        _int("first_seen_at"),
        _int("resolved_at", null=True),
    )
    op.create_index("findings_document", "findings", ["document_id"])
    op.create_table(
        "answers",
        sa.Column("id", _number, primary_key=True, autoincrement=True),
        sa.Column("document_id", _key, nullable=False),
        _text("kind"),
        _text("by"),
        _int("at"),
        _text("note"),
        _int("until", null=True),
        _text("owner"),
        _int("withdrawn_at", null=True),
    )
    op.create_index("answers_document", "answers", ["document_id"])
    op.create_table("usage", *_keys("document_id", "day"), _int("hits"), _int("fresh"))
    op.create_table(
        "notices", *_keys("person_hash", "period", "channel"), _text("state"), _int("at"), _text("told")
    )
    op.create_table("link_checks", *_keys("url_hash"), _int("checked_at"), _int("status"), _text("gone_days"))
