"""The tables of the audit: what documents point to and claim, past audits, answers of owners, use, notices.

Whatever is of one document has its id, so that an erasure finds it. Names of owners and addresses of people
are in `audit_counts` and `notices` as keyed hashes only.
"""

from __future__ import annotations

import sqlalchemy as sa

from index.ledger.rows import column as _column
from index.ledger.rows import metadata
from index.ledger.types import Code, Json, Key, Moment, Prose
from index.records import AnswerKind

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # Only INTEGER counts up by itself on SQLite.

#: What the checks need of a document's present text, so that they need not read it again.
extracts = sa.Table(
    "extracts",
    metadata,
    _column("document_id", Key, key=True),
    _column("links", Json),
    _column("anchors", Json),
    _column("claims", Json),
    _column("text_hash", Key),
    _column("text_since", Moment, null=True),
)

#: Keyed hashes of the uris that live documents had before they were moved.
former_uris = sa.Table(
    "former_uris",
    metadata,
    _column("uri_hash", Key, key=True),
    _column("document_id", Key, key=True),
)

#: Each audit of the whole knowledge base. The id is that of its run.
audits = sa.Table(
    "audits",
    metadata,
    _column("run_id", Key, key=True),
    _column("at", Moment),
    _column("counts", Json),
)

#: Counts of an audit by owner and code; a verdict is a code, too.
audit_counts = sa.Table(
    "audit_counts",
    metadata,
    _column("run_id", Key, key=True),
    _column("owner_hash", Key, key=True),
    _column("code", Key, key=True),
    _column("count", sa.BigInteger),
)

#: Findings of all audits: open ones, and those that were resolved.
findings = sa.Table(
    "findings",
    metadata,
    _column("finding_hash", Key, key=True),
    _column("code", Key),
    _column("source", Key),
    _column("document_id", Key, null=True),
    _column("first_seen_at", Moment),
    _column("resolved_at", Moment, null=True),
)

#: Answers of owners. The last one of a kind counts, unless it was withdrawn or has ended.
answers = sa.Table(
    "answers",
    metadata,
    sa.Column("id", _number, primary_key=True, autoincrement=True),
    _column("document_id", Key),
    _column("kind", Code(AnswerKind)),
    _column("by", Prose),
    _column("at", Moment),
    _column("note", Prose),
    _column("until", Moment, null=True),
    _column("owner", Prose),
    _column("withdrawn_at", Moment, null=True),
)

#: How often a search showed passages of a document on a day (UTC), and how often it was fresh then.
usage = sa.Table(
    "usage",
    metadata,
    _column("document_id", Key, key=True),
    _column("day", Key, key=True),
    _column("hits", sa.BigInteger),
    _column("fresh", sa.BigInteger),
)

#: Digests by person and period. On record before it is sent, so that a crash never sends it twice.
notices = sa.Table(
    "notices",
    metadata,
    _column("person_hash", Key, key=True),
    _column("period", Key, key=True),
    _column("channel", Key, key=True),
    _column("state", Key),
    _column("at", Moment),
    _column("told", Json),
)

#: Answers of external addresses, by their hash: the days on which an address was gone.
link_checks = sa.Table(
    "link_checks",
    metadata,
    _column("url_hash", Key, key=True),
    _column("checked_at", Moment),
    _column("status", sa.BigInteger),
    _column("gone_days", Json),
)

#: All of them.
TABLES = (extracts, former_uris, audits, audit_counts, findings, answers, usage, notices, link_checks)
