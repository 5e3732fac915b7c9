"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "m001"
down_revision = None

_text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_live = sa.text("state NOT IN ('deleted', 'erased')")
_current = sa.text("state = 'current'")


def _key(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _text, nullable=False) for name in names]


def _maybe_key(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _text) for name in names]


def _prose(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _number(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _maybe_number(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger) for name in names]


def _serial() -> sa.Column[Any]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    op.create_table("meta", *_key("name", "value"), sa.PrimaryKeyConstraint("name"))
    op.create_table(
        "sources",
        *_key("source", "type"),
        *_prose("identity"),
        *_key("filter_fingerprint", "rules_fingerprint"),
        sa.Column("cursor", sa.Text),
        *_maybe_number("listed_at", "synced_at"),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "documents",
        *_key("document_id", "source", "uri", "folder"),
        *_prose("state", "reason"),
        *_maybe_key("token", "native_id"),
        *_maybe_number("size"),
        *_maybe_key("seen_hash"),
        *_key("seen_extraction"),
        *_number("version"),
        *_maybe_key("content_hash"),
        *_key("extraction_fingerprint"),
        *_maybe_number("modified_at"),
        *_prose("title", "url", "content_type"),
        sa.Column("language", sa.Text),
        *_prose("properties", "owner"),
        *_key("owner_source"),
        *_maybe_number("reviewed_at", "date_used", "warn_at", "stale_at"),
        *_number("chunk_count"),
        *_maybe_number("first_seen_at", "indexed_at", "deleted_at"),
        sa.PrimaryKeyConstraint("document_id"),
    )
    for name, columns, unique in (
        ("documents_live_uri", ["source", "uri"], True),
        ("documents_live_folder", ["source", "folder"], False),
    ):
        op.create_index(name, "documents", columns, unique=unique, sqlite_where=_live, postgresql_where=_live)
    if op.get_bind().dialect.name == "sqlite":
        # A plan reads every live document in order of uri. Out of this index SQLite does so without visiting
        # the table, whose rows lie in another order: half the time, however wide the rows are.
        covered = ["document_id", "token", "native_id", "size", "seen_hash", "seen_extraction", "state"]
        op.create_index("documents_plan", "documents", ["source", "uri", *covered], sqlite_where=_live)
    op.create_table(
        "chunks",
        *_key("collection", "point_id", "document_id"),
        *_number("chunk_index"),
        *_key("embedded_hash", "payload_digest"),
        *_maybe_number("page"),
        *_number("tokens"),
        *_key("vector_digest"),
        sa.PrimaryKeyConstraint("collection", "point_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("chunks_document", "chunks", ["collection", "document_id"])
    op.create_index("chunks_embedded", "chunks", ["collection", "embedded_hash", "point_id"])
    op.create_table(
        "intents",
        *_key("document_id", "run_id", "collection"),
        *_prose("payload"),
        sa.PrimaryKeyConstraint("document_id"),
    )
    op.create_table(
        "removals",
        *_key("collection", "point_id", "document_id"),
        sa.PrimaryKeyConstraint("collection", "point_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "collections",
        *_key("name", "embedding_fingerprint"),
        *_prose("model", "revision"),
        *_key("dtype"),
        *_number("dimension"),
        *_key("state"),
        *_maybe_number("created_at"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index(
        "collections_current",
        "collections",
        ["state"],
        unique=True,
        sqlite_where=_current,
        postgresql_where=_current,
    )
    op.create_table(
        "runs",
        *_key("run_id", "kind"),
        *_number("started_at"),
        *_maybe_number("finished_at"),
        *_key("outcome"),
        *_prose("host"),
        *_number("pid"),
        *_prose("counts", "error"),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_index("runs_started", "runs", ["started_at"])
    op.create_table(
        "plans",
        *_key("run_id", "source", "plan_hash"),
        *_prose("counts"),
        sa.PrimaryKeyConstraint("run_id", "source"),
    )
    op.create_table(
        "items",
        *_key("run_id"),
        *_number("number", "position"),
        *_key("source"),
        *_prose("action"),
        *_key("uri", "document_id"),
        *_maybe_key("old_uri"),
        *_prose("reason"),
        sa.PrimaryKeyConstraint("run_id", "number", "position"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "approvals",
        *_key("plan_hash", "source", "run_id"),
        *_number("at"),
        sa.PrimaryKeyConstraint("plan_hash"),
    )
    op.create_table(
        "events",
        _serial(),
        *_number("at"),
        *_maybe_key("run_id", "document_id"),
        *_key("source", "action"),
        *_prose("detail"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "reviews",
        _serial(),
        *_key("document_id"),
        *_prose("reviewed_by", "note"),
        *_number("at"),
        sqlite_autoincrement=True,
    )
    op.create_index("reviews_document", "reviews", ["document_id", "at"])
    op.create_table(
        "holds",
        *_key("hold_id", "document_id"),
        *_prose("reason"),
        *_number("placed_at"),
        *_maybe_number("released_at"),
        sa.PrimaryKeyConstraint("hold_id", "document_id"),
    )
    op.create_index("holds_document", "holds", ["document_id"])
    op.create_table(
        "tombstones",
        *_key("key_hash", "source"),
        *_prose("reason"),
        *_number("at"),
        sa.PrimaryKeyConstraint("key_hash"),
    )
    op.create_table(
        "writers",
        *_key("source"),
        *_prose("host"),
        *_number("pid"),
        *_prose("command"),
        *_number("since", "backend_pid"),
        sa.PrimaryKeyConstraint("source"),
    )
