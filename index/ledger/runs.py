"""Runs, the plans they carry out, and the approvals that let a guarded plan pass once."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from index.errors import LedgerError
from index.ledger import schema
from index.ledger.database import Tables
from index.ledger.entry import LogEntry
from index.ledger.log import append
from index.ledger.schema import approvals, items, plans, runs
from index.model import Item
from index.records import RunRecord
from index.redact import redact

_RUN = schema.columns(runs, RunRecord)
_ITEM = schema.columns(items, Item)


class Runs(Tables):
    def start(
        self,
        kind: str,
        at: datetime,
        *,
        run_id: str | None = None,
        actor: str = "",
        progress: Mapping[str, Any] = MappingProxyType({}),
    ) -> RunRecord:
        """Record the start of a run of this process."""
        run = RunRecord(
            run_id or uuid.uuid4().hex,
            kind,
            at,
            host=socket.gethostname(),
            pid=os.getpid(),
            actor=actor,
            progress=dict(progress),
        )
        with self._database.writing() as connection:
            connection.execute(sa.insert(runs), schema.values(run))
        return run

    def note_progress(self, run_id: str, progress: Mapping[str, Any]) -> None:
        """Record the progress of an unfinished run."""
        unfinished = sa.and_(runs.c.run_id == run_id, runs.c.finished_at.is_(None))
        with self._database.writing() as connection:
            connection.execute(sa.update(runs).where(unfinished).values(progress=progress))

    def finish(
        self, run_id: str, at: datetime, outcome: str, counts: Mapping[str, Any], error: str = ""
    ) -> None:
        """Record the end of a run. The items of its plans are dropped."""
        ended = {"finished_at": at, "outcome": outcome, "counts": counts, "error": redact(error)}
        with self._database.writing() as connection:
            if not connection.execute(sa.update(runs).where(runs.c.run_id == run_id).values(ended)).rowcount:
                raise LedgerError(f"There is no run {run_id}.")
            connection.execute(sa.delete(items).where(items.c.run_id == run_id))

    def newest(self, limit: int = 20) -> list[RunRecord]:
        """The last `limit` runs, newest first. A run without `finished_at` is running, or was killed."""
        query = sa.select(*_RUN).order_by(runs.c.started_at.desc(), runs.c.run_id).limit(limit)
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(query)]

    def unfinished(self) -> list[RunRecord]:
        """Running and killed runs, newest first."""
        query = sa.select(*_RUN).where(runs.c.finished_at.is_(None)).order_by(runs.c.started_at.desc())
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(query)]

    def first(self) -> RunRecord | None:
        """The oldest run on record."""
        return self._run(sa.select(*_RUN).order_by(runs.c.started_at))

    def last(self, kind: str | None = None, outcomes: Collection[str] | None = None) -> RunRecord | None:
        """The newest finished run, of this kind and with one of these outcomes. A refused run that did
        nothing (no counts) does not count, unless `outcomes` names its outcome."""
        begun = sa.or_(runs.c.outcome != "refused", runs.c.counts != {})
        wanted: list[sa.ColumnElement[bool]] = [runs.c.finished_at.is_not(None)]
        wanted.append(begun if outcomes is None else runs.c.outcome.in_(outcomes))
        if kind is not None:
            wanted.append(runs.c.kind == kind)
        return self._run(sa.select(*_RUN).where(*wanted).order_by(runs.c.started_at.desc()))

    def _run(self, query: sa.Select[Any]) -> RunRecord | None:
        with self._database.reading() as connection:
            row = connection.execute(query.limit(1)).first()
        return None if row is None else _record(row)

    def save_plan(
        self,
        run_id: str,
        source: str,
        plan_hash: str,
        counts: Mapping[str, int],
        batches: Iterable[Sequence[Item]],
    ) -> None:
        """Freeze a source's plan, in the place of an earlier one of this run: a repair that meets damage on
        its way plans again. Batches are numbered through all plans of the run, from 1."""
        with self._database.writing() as connection:
            last = connection.execute(
                sa.select(sa.func.coalesce(sa.func.max(items.c.number), 0)).where(items.c.run_id == run_id)
            ).scalar_one()
            for table in (items, plans):
                former = (table.c.run_id == run_id, table.c.source == source)
                connection.execute(sa.delete(table).where(*former))
            connection.execute(
                sa.insert(plans),
                {"run_id": run_id, "source": source, "plan_hash": plan_hash, "counts": counts},
            )
            for number, batch in enumerate(batches, start=last + 1):
                rows = [
                    {**schema.values(item), "run_id": run_id, "number": number, "position": position}
                    | {"source": source}
                    for position, item in enumerate(batch)
                ]
                if rows:
                    connection.execute(sa.insert(items), rows)

    def batches(self, run_id: str) -> list[tuple[int, str]]:
        """(number, source) of each batch, in order."""
        query = (
            sa.select(items.c.number, items.c.source)
            .where(items.c.run_id == run_id, items.c.position == 0)
            .order_by(items.c.number)
        )
        with self._database.reading() as connection:
            return [(number, source) for number, source in connection.execute(query)]

    def batch(self, run_id: str, number: int) -> tuple[str, list[Item]]:
        """A batch's source, and its items as they were planned. LedgerError when there is none."""
        query = (
            sa.select(items.c.source, *_ITEM)
            .where(items.c.run_id == run_id, items.c.number == number)
            .order_by(items.c.position)
        )
        with self._database.reading() as connection:
            found = connection.execute(query).all()
        if not found:
            raise LedgerError(f"Run {run_id} has no batch {number}.")
        return found[0][0], [Item(*row[1:]) for row in found]

    def approve(
        self,
        plan_hash: str,
        source: str,
        run_id: str,
        at: datetime,
        entries: Sequence[LogEntry],
        by: str = "",
    ) -> bool:
        """Use up the approval of this plan; False, and nothing is put on record, when it was used before."""
        row = {"plan_hash": plan_hash, "source": source, "run_id": run_id, "at": at, "approved_by": by}
        with self._database.writing() as connection:
            used = self._database.insert_new(approvals).returning(approvals.c.plan_hash)
            if connection.execute(used, row).first() is None:
                return False
            append(connection, entries)
        return True

    def approved(self, plan_hash: str) -> bool:
        """Whether the approval of this plan was used."""
        query = sa.select(approvals.c.plan_hash).where(approvals.c.plan_hash == plan_hash)
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None

    def approvers(self, run_ids: Collection[str]) -> dict[str, str]:
        """{run id: name of the person}, for the runs among these that a person approved a plan for."""
        query = sa.select(approvals.c.run_id, approvals.c.approved_by).order_by(approvals.c.at)
        query = query.where(self._database.among(approvals.c.run_id, run_ids))
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}


def _record(row: Sequence[Any]) -> RunRecord:
    """Redacted again: runs of a former version may hold secrets in their errors."""
    run = RunRecord(*row)
    return replace(run, error=redact(run.error))
