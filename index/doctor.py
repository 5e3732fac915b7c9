"""What is wrong here, and how to mend it."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from connectors.base import ConnectorError
from index.errors import FreshkbError, StoreMismatch
from index.mirror import Mirror
from index.model import Run


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    detail: str

    def json(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "detail": self.detail}


def examine(mirror: Mirror) -> list[Check]:
    """Every check, also when others fail. Nothing is changed, and no model is loaded."""
    checks: list[Check] = []
    for look in (_ledger, _locks, _runs, _store, _model, _sources, _parsers):
        try:
            checks += look(mirror)
        except (FreshkbError, OSError) as error:
            checks.append(Check(look.__name__.strip("_"), False, str(error)))
    return checks


def _ledger(mirror: Mirror) -> Iterator[Check]:
    ledger = mirror.ledger
    yield Check("ledger", True, f"instance {ledger.instance_id}, {mirror.config.show()['ledger']}")
    collection = ledger.collection()
    intents = len(ledger.open_intents())
    obsolete = len(ledger.removals(collection.name)) if collection else 0
    untold = len(ledger.untold(collection.name)) if collection else 0
    if intents or obsolete or untold:
        yield Check(
            "unfinished work",
            True,
            f"{intents} documents, {obsolete} points and {untold} audit events were left unfinished; "
            "the next sync mends them.",
        )


def _locks(mirror: Mirror) -> Iterator[Check]:
    for holder in mirror.ledger.writers():
        since = f"{holder.since:%Y-%m-%d %H:%M} UTC"
        who = f"{holder.command} (pid {holder.pid} on {holder.host}, since {since})"
        yield Check("lock", True, f"{holder.source}: {who}")


def _runs(mirror: Mirror) -> Iterator[Check]:
    stuck = [run for run in mirror.ledger.runs(50) if run.finished_at is None and not alive(run)]
    if stuck:
        names = ", ".join(
            f"{run.kind} {run.run_id[:8]} of {run.started_at:%Y-%m-%d %H:%M} UTC" for run in stuck
        )
        yield Check("runs", True, f"Killed before they ended: {names}. Later runs mended what they left.")
    else:
        yield Check("runs", True, "No run was killed.")


def alive(run: Run) -> bool:
    """Whether the process of an unfinished run is still there; unknown counts as alive."""
    if run.host != socket.gethostname():
        return True
    try:
        os.kill(run.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _store(mirror: Mirror) -> Iterator[Check]:
    collection = mirror.ledger.collection()
    if collection is None:
        mirror.store.collections()
        yield Check(
            "store", True, f"{mirror.config.index.store} answers; there is no index yet: freshkb sync"
        )
        return
    mirror.check_instance(collection)
    with mirror.store.session(collection.name) as session:
        points = session.count()
    expected = mirror.ledger.totals(collection.name)
    detail = f"{mirror.config.index.store}, collection {collection.name}, {points:,} points"
    if points == expected:
        yield Check("store", True, detail)
    else:
        yield Check("store", False, f"{detail}; the ledger knows {expected}. See: freshkb verify")


def _model(mirror: Mirror) -> Iterator[Check]:
    identity = mirror.identity
    with suppress(StoreMismatch):  # That is for the store to say.
        mirror.collection()
    yield Check("model", True, f"{identity.model}, revision {identity.revision[:12]}")


def _sources(mirror: Mirror) -> Iterator[Check]:
    for source in mirror.config.sources:
        try:
            yield Check(f"source {source.id}", True, mirror.connector(source.id).probe())
        except ConnectorError as error:
            yield Check(f"source {source.id}", False, str(error))


def _parsers(mirror: Mirror) -> Iterator[Check]:
    from index.parse import Parser, nlp

    with Parser() as parser:
        for wall in parser.walls():
            yield Check(
                f"parser: {wall.name}", True, wall.detail if wall.built else f"No such wall: {wall.detail}"
            )
    yield Check("sentences", True, nlp.in_use())
    for program, what in (
        ("tesseract", "scanned PDFs and images are quarantined. Debian: apt install tesseract-ocr"),
        ("soffice", "DOC, PPT and XLS files are quarantined. Debian: apt install libreoffice"),
    ):
        path = shutil.which(program)
        yield Check(program, True, path or f"Not installed: {what}")
