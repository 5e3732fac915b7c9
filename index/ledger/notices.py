"""Notices: digests by person, period and channel, on record before they are sent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from index.ledger import schema
from index.ledger.audit_tables import notices
from index.ledger.database import Tables


class NoticeState(StrEnum):
    INTENDED = "intended"
    """On record, and about to be sent."""
    SENT = "sent"
    FAILED = "failed"
    """Surely not sent; to be tried again."""
    UNKNOWN = "unknown"
    """May have been sent; not to be tried again."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A digest on record: no name, no address, no words."""

    person_hash: str
    period: str
    """The beginning of the period that it is for."""
    channel: str
    state: str
    """A `NoticeState`."""
    at: datetime
    told: Sequence[str] = field(default_factory=list)
    """The identities of what it tells."""

    @property
    def counts(self) -> bool:
        """Whether what it tells counts as told."""
        return self.state != NoticeState.FAILED


_NOTICE = schema.columns(notices, Notice)
_KEY = (notices.c.person_hash, notices.c.period, notices.c.channel)


class Notices(Tables):
    def of(self, person_hashes: Collection[str]) -> dict[str, list[Notice]]:
        """The notices of each of these persons that has some, oldest first."""
        query = sa.select(*_NOTICE).where(self._database.among(notices.c.person_hash, person_hashes))
        found: dict[str, list[Notice]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(query.order_by(notices.c.at)):
                found.setdefault(row[0], []).append(Notice(*row))
        return found

    def claim(self, notice: Notice) -> bool:
        """Put a notice on record as intended. False, and nothing is changed, when one of the same person,
        period and channel is on record that has not failed. Of two processes, one gets True."""
        row = {**schema.values(notice), "state": NoticeState.INTENDED.value}
        again = sa.update(notices).where(_is(notice), notices.c.state == NoticeState.FAILED.value)
        with self._database.writing() as connection:
            new = self._database.insert_new(notices).values(row).returning(notices.c.person_hash)
            if connection.execute(new).first() is not None:
                return True
            return connection.execute(again.values(row)).rowcount == 1

    def settle(self, notice: Notice, state: NoticeState) -> None:
        """Record how the sending of a claimed notice ended."""
        with self._database.writing() as connection:
            connection.execute(sa.update(notices).where(_is(notice)).values(state=state.value))

    def give_up(self, until: datetime) -> list[Notice]:
        """Take notices that were claimed up to a moment, and not settled, for unknown. Returns them. To be
        called when no other process that claims any is alive."""
        left = sa.and_(notices.c.state == NoticeState.INTENDED.value, notices.c.at <= until)
        with self._database.writing() as connection:
            found = [Notice(*row) for row in connection.execute(sa.select(*_NOTICE).where(left))]
            connection.execute(sa.update(notices).where(left).values(state=NoticeState.UNKNOWN.value))
        return found

    def forget(self, before: datetime) -> None:
        """Delete notices from before a moment."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(notices).where(notices.c.at < before))


def _is(notice: Notice) -> sa.ColumnElement[bool]:
    return sa.and_(*(column == getattr(notice, column.name) for column in _KEY))
