"""Answers of owners about their documents, besides reviews."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.audit_tables import answers
from index.ledger.database import Tables
from index.ledger.entry import LogEntry
from index.ledger.log import append
from index.ledger.schema import reviews
from index.records import Answer, AnswerKind

_ANSWER = schema.columns(answers, Answer)


class Answers(Tables):
    def add(self, made: Sequence[Answer], entries: Sequence[LogEntry]) -> None:
        with self._database.writing() as connection:
            if made:
                connection.execute(sa.insert(answers), [schema.values(answer) for answer in made])
            append(connection, entries)

    def withdraw(
        self, document_ids: Collection[str], kind: AnswerKind, at: datetime, entries: Sequence[LogEntry]
    ) -> None:
        """End the standing answers of this kind about these documents."""
        of = self._database.among(answers.c.document_id, document_ids)
        with self._database.writing() as connection:
            standing = sa.update(answers).where(of, answers.c.kind == kind, answers.c.withdrawn_at.is_(None))
            connection.execute(standing.values(withdrawn_at=at))
            append(connection, entries)

    def standing(
        self, now: datetime, document_ids: Collection[str] | None = None
    ) -> dict[str, dict[AnswerKind, Answer]]:
        """The last answer of each kind about each document (None: about all) that was not withdrawn and has
        not ended. A review made since ends a snooze and a request for removal, but for one that is dated in
        the future, which no verdict uses either."""
        last = (
            sa.select(reviews.c.document_id, sa.func.max(reviews.c.at).label("at"))
            .where(reviews.c.at <= now)
            .group_by(reviews.c.document_id)
            .subquery()
        )
        query = (
            sa.select(*_ANSWER, last.c.at)
            .outerjoin(last, last.c.document_id == answers.c.document_id)
            .where(answers.c.withdrawn_at.is_(None))
            .order_by(answers.c.id)
        )
        if document_ids is not None:
            query = query.where(self._database.among(answers.c.document_id, document_ids))
        found: dict[str, dict[AnswerKind, Answer]] = {}
        with self._database.reading() as connection:
            for *columns, reviewed_at in connection.execute(query):
                answer = Answer(*columns)
                own = found.setdefault(answer.document_id, {})
                over = answer.until is not None and answer.until <= now
                reviewed = reviewed_at is not None and reviewed_at >= answer.at
                if over or (reviewed and answer.kind is not AnswerKind.REASSIGN):
                    own.pop(answer.kind, None)
                else:
                    own[answer.kind] = answer
        return {document_id: own for document_id, own in found.items() if own}

    def owners(self, document_ids: Collection[str]) -> dict[str, str]:
        """The owner that each of these documents was assigned to last, where it was."""
        columns = (answers.c.document_id, answers.c.owner)
        query = sa.select(*columns).where(
            self._database.among(answers.c.document_id, document_ids),
            answers.c.kind == AnswerKind.REASSIGN,
            answers.c.withdrawn_at.is_(None),
        )
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(answers.c.id))
            return {row.document_id: row.owner for row in found}
