"""The doctor: faults of an installation, each with its remedy."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.base import ConnectorError
from index.checkpoints import anchors_of, missing, newest
from index.config.units import written
from index.disk.scratch import room
from index.errors import AnchorError, FreshkbError, StoreMismatch
from index.freshness.checkout import checkout
from index.health.services import dead, described, services
from index.ledger import Ledger
from index.purge.lag import lag_of
from index.redact import redact
from index.run import alive
from index.sources.needs import missing as missing_needs
from index.sources.needs import needs_of, not_given, written_out
from index.sync.collection import orphans
from index.sync.prepare import moment
from index.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    detail: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", redact(self.detail))

    def json(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "detail": self.detail}


def examine(workspace: Workspace) -> list[Check]:
    """Every check, also when others fail. Nothing is changed, and no model is loaded."""
    checks: list[Check] = []
    looks = (
        *(_privacy, _ledger, _log, _orders, _state_folder, _locks, _services, _runs),
        *(_store, _purge, _model, _sources, _parsers),
    )
    for look in looks:
        try:
            checks += look(workspace)
        except (FreshkbError, OSError) as error:
            checks.append(Check(look.__name__.strip("_"), False, str(error)))
    return checks


def _privacy(workspace: Workspace) -> Iterator[Check]:
    folder = workspace.config.state_dir
    mode = stat.S_IMODE(folder.stat().st_mode) if folder.exists() else 0o700
    if mode & 0o007:
        yield Check("privacy", False, f"{folder} is open to every user: chmod -R o-rwx {folder}")
    else:
        whom = "its owner and group" if mode & 0o070 else "its owner alone"
        yield Check("privacy", True, f"{folder} is open to {whom}.")


def _ledger(workspace: Workspace) -> Iterator[Check]:
    ledger = workspace.ledger
    yield Check("ledger", True, f"instance {ledger.instance_id}, {workspace.config.show()['ledger']}")
    yield from _damage(ledger)
    collection = ledger.collections.current()
    intents = len(ledger.points.intents())
    obsolete = len(ledger.points.removals(collection.name)) if collection else 0
    pending = len(ledger.log.pending(collection.name)) if collection else 0
    if intents or obsolete or pending:
        yield Check(
            "unfinished work",
            True,
            f"{intents} documents, {obsolete} points and {pending} log entries were left unfinished; "
            "the next sync mends them.",
        )


def _log(workspace: Workspace) -> Iterator[Check]:
    """The log's size and root against the newest checkpoint of each anchor; `log verify` reads them all."""
    head = workspace.ledger.log.head()
    said = f"{head.size:,} entries"
    if not workspace.config.log.anchors:
        yield Check("log", True, f"{said}; without log.anchors, its end cannot be checked.")
    for anchor in anchors_of(workspace):
        try:
            ok, known = newest(workspace, anchor, head)
        except AnchorError as error:
            ok, known = False, str(error)
        yield Check("log", ok, f"{said}; {known}")
    if lacking := missing(workspace):
        detail = (
            f"{len(lacking)} orders to erase are missing here, and known to the anchors: freshkb log verify"
        )
        yield Check("missing orders", False, detail)


def _orders(workspace: Workspace) -> Iterator[Check]:
    """Orders to erase that are not carried out, and the key without which none keeps anything out."""
    erasures = workspace.ledger.erasures
    workspace.ledger.tombstones.keys()
    if left := erasures.open():
        names = ", ".join(f"{order.order_id} of {order.placed_at:%Y-%m-%d %H:%M} UTC" for order in left)
        detail = f"Not carried out yet: {names}. Its documents are out of search; the next sync goes on."
        yield Check("orders to erase", False, detail)


def _damage(ledger: Ledger) -> Iterator[Check]:
    if faults := ledger.faults():
        detail = f"Its file is damaged: {'; '.join(faults)}. Mend it with: freshkb verify --repair"
        yield Check("ledger", False, detail)


def _state_folder(workspace: Workspace) -> Iterator[Check]:
    """Whether this user may write files that another user's command made, and whether there is room."""
    from index.store.edge.shards import ROOM_BYTES

    folder = workspace.config.state_dir
    if not folder.exists():
        return
    tree = (Path(top) / name for top, folders, files in os.walk(folder) for name in ("", *folders, *files))
    shut = [path for path in tree if not os.access(path, os.W_OK, effective_ids=True)]
    if shut:
        names = ", ".join(str(path.relative_to(folder)) for path in shut[:3])
        yield Check(
            "state folder",
            False,
            f"User {os.geteuid()} may not write in {folder} ({names}{' …' if len(shut) > 3 else ''}). What "
            "only reads works all the same. Run the other commands as the user that it belongs to, or give "
            f"it to this one: chown -R {os.geteuid()} {folder}",
        )
    free = room(folder)
    detail = f"{folder}, {free / (1 << 30):,.1f} GB free"
    if free < ROOM_BYTES:
        detail = (
            f"The disk of {folder} has {free >> 20} MB free, and nothing is written to the index with less "
            f"than {ROOM_BYTES >> 20} MB. Make room."
        )
    yield Check("disk" if shut else "state folder", free >= ROOM_BYTES, detail)


def _locks(workspace: Workspace) -> Iterator[Check]:
    for holder in workspace.ledger.writers():
        since = f"{holder.since:%Y-%m-%d %H:%M} UTC"
        who = f"{holder.command} (pid {holder.pid} on {holder.host}, since {since})"
        yield Check("lock", True, f"{holder.source}: {who}")


def _runs(workspace: Workspace) -> Iterator[Check]:
    stuck = [run for run in workspace.ledger.runs.unfinished() if not alive(run, workspace.now())]
    if stuck:
        names = ", ".join(
            f"{run.kind} {run.run_id[:8]} of {run.started_at:%Y-%m-%d %H:%M} UTC" for run in stuck
        )
        yield Check("runs", True, f"Killed before they ended: {names}. Later runs mended what they left.")
    else:
        yield Check("runs", True, "No run was killed.")


def _store(workspace: Workspace) -> Iterator[Check]:
    collection = workspace.ledger.collections.current()
    if collection is None:
        workspace.store.collections()
        yield Check(
            "store", True, f"{workspace.config.index.store} answers; there is no index yet: freshkb sync"
        )
        return
    workspace.check_instance(collection)
    # All of it is read, in a child: a damaged file may end the process that reads it.
    if faults := workspace.store.faults(collection.name):
        detail = f"Collection {collection.name} is damaged: {'; '.join(faults)}."
        yield Check("store", False, f"{detail} Build it anew with: freshkb verify --repair")
    with workspace.store.session(collection.name) as session:
        points = session.count()
    expected = workspace.ledger.chunks.count(collection.name)
    detail = f"{workspace.config.index.store}, collection {collection.name}, {points:,} points"
    if points == expected:
        yield Check("store", True, detail)
    else:
        yield Check("store", False, f"{detail}; the ledger knows {expected}. See: freshkb verify")
    if left := ", ".join(orphans(workspace)):
        detail = (
            f"Of this ledger, which does not know them: {left}. Remove them with: freshkb verify --repair"
        )
        yield Check("orphaned collections", False, detail)


def _purge(workspace: Workspace) -> Iterator[Check]:
    lag = lag_of(workspace)
    if lag.oldest is None:
        yield Check("purge", True, "Nothing whose removal was finished waits for its bytes to be purged.")
        return
    waits = (
        f"{lag.pending:,} removed points and the former payloads of {lag.replaced:,} documents wait for "
        f"their bytes to be purged, the oldest for {lag.oldest.total_seconds() / 3600:,.1f} h; "
        f"delete.purge_within is {written(lag.within)}."
    )
    yield Check("purge", not lag.late, f"{waits} Purge them now with: freshkb purge" if lag.late else waits)


def _services(workspace: Workspace) -> Iterator[Check]:
    for service in services(workspace.config.state_dir):
        yield Check(service.name, True, described(service.holder))
    for why in dead(workspace.config.state_dir):
        yield Check("services", False, why)


def _model(workspace: Workspace) -> Iterator[Check]:
    from index.embed import way

    identity, collection = workspace.identity, None
    with suppress(StoreMismatch):  # `_store` reports that.
        collection = workspace.collection()
    dtype = collection.dtype if collection else workspace.config.embedding.dtype
    yield Check(
        "model",
        True,
        f"{identity.model}, revision {identity.revision[:12]}, computed {way.describe(identity, dtype)}",
    )


def _sources(workspace: Workspace) -> Iterator[Check]:
    for source in workspace.config.sources:
        needs = needs_of(workspace.config, source.id)
        try:
            connector = workspace.connector(source.id)
            needs = needs_of(workspace.config, source.id, connector)
            trouble = missing_needs(needs)
            yield Check(f"source {source.id}", not trouble, trouble or connector.probe())
        except ConnectorError as error:
            trouble = f"{error} {not_given(needs)}".strip()
            yield Check(f"source {source.id}", False, trouble)
        if literal := ", ".join(written_out(workspace.config, source.id)):
            detail = (
                f"{literal}: written in {workspace.config.path.name} itself, for everyone who may read that "
                "file. Put it into an environment variable, and write ${NAME} in its place."
            )
            yield Check(f"secrets {source.id}", True, detail)
        if trouble:
            continue
        written = moment(workspace.connector(source.id).checked_out_at())
        found = checkout(written, workspace.ledger.documents.find(source=source.id)) if written else None
        if found is not None:
            yield Check(f"dates {source.id}", True, found.reason)


def _parsers(workspace: Workspace) -> Iterator[Check]:
    from index.parse import Parser, nlp

    with Parser() as parser:
        for wall in parser.walls():
            yield Check(
                f"parser: {wall.name}", True, wall.detail if wall.built else f"No such wall: {wall.detail}"
            )
    yield Check("sentences", True, nlp.in_use())
    for program, what in (
        ("tesseract", "scanned PDFs and images are quarantined. Debian: apt install tesseract-ocr"),
        ("soffice", "DOC and PPT files are quarantined. Debian: apt install libreoffice"),
    ):
        path = shutil.which(program)
        yield Check(program, True, path or f"Not installed: {what}")
