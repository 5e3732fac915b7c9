"""Mend a ledger: a new one, with all rows that can still be read, replaces a damaged or lost one.

Lost documents and chunks come again from the sources, by a repair. Decisions of people do not: a ledger whose
reviews, holds, tombstones or approvals cannot be read as a whole is left alone, until a person restores it or
moves it aside.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

from index.errors import LedgerDamaged, Refused
from index.ledger import Ledger, LogAction, LogEntry
from index.ledger import file as ledger_file
from index.ledger.damage import Rescued, rescue
from index.ledger.sound import is_uuid
from index.store.names import candidates
from index.workspace import Workspace

#: Tables of rows that no source and no store has.
DECISIONS = (
    *("reviews", "holds", "held_documents", "approvals"),
    *("orders", "order_documents", "tombstones"),
)
#: Tables that a ledger with documents always has.
_COUNTED = ("documents", "chunks", *DECISIONS)


def mend_ledger(workspace: Workspace) -> list[str]:
    """Replace a damaged or lost ledger by a new one with its readable rows. Returns sentences on the actions;
    [] when the ledger is sound.

    Raises Refused when decisions of people would be lost, Locked when another process has the ledger open. If
    cut short, either ledger is in place, whole.
    """
    try:
        faults = workspace.ledger.faults()
    except LedgerDamaged as error:
        if not _mendable(workspace):
            raise
        faults = [str(error).partition(" Restore it")[0]]
    if not faults:
        return []
    workspace.close_ledger()
    path = workspace.config.state_dir / ledger_file.NAME
    missing = not path.exists()
    try:
        with ledger_file.alone(path) as held:
            aside = ledger_file.beside(path, ".damaged")
            taken, kept = _exchange(
                workspace, held, path, aside if missing and aside.exists() else None, missing
            )
    except BaseException:
        if missing:
            path.unlink()
        raise
    facts = {**taken.rows, "torn": len(taken.torn)}
    subject = workspace.ledger.instance_id
    entry = LogEntry(workspace.now(), LogAction.LEDGER_RESTORED, "", subject, facts=facts)
    workspace.ledger.log.append([entry])
    counts = ", ".join(f"{number:,} {_said(name)}" for name in _COUNTED if (number := taken.rows.get(name)))
    said = [f"The ledger was damaged: {'; '.join(faults)}. Taken over: {counts or 'nothing'}."]
    if taken.torn:
        said.append(f"Not all could be read of: {', '.join(map(_said, taken.torn))}.")
    if kept is not None:
        said.append(
            f"The damaged file is kept as {kept}; it names documents and owners: remove it when it is of no "
            "more use."
        )
    return said


def _mendable(workspace: Workspace) -> bool:
    """Whether there is a file to take rows from, or the index beside a lost one says whose ledger it was."""
    path = workspace.config.state_dir / ledger_file.NAME
    files = (path, ledger_file.beside(path, ".damaged"))
    beside = any(file.exists() for file in files) or workspace.config.index.store == "edge"
    return workspace.config.ledger == "sqlite" and beside


def _said(table: str) -> str:
    return table.replace("_", " ")


def _exchange(
    workspace: Workspace, held: int, path: Path, aside: Path | None, missing: bool
) -> tuple[Rescued, Path | None]:
    """Build the new ledger beside the old one, keep the old one, and put the new one in its place."""
    now = f"{workspace.now():%Y%m%dT%H%M%S}"
    with _scratch(path.with_name(".mending")) as scratch:
        old, new = scratch / "old.db", scratch / "new"
        if aside is None:
            ledger_file.copy(held, old)
        else:
            shutil.copyfile(aside, old)
        log = ledger_file.beside(path, "-wal")
        if log.exists():
            shutil.copyfile(log, ledger_file.beside(old, "-wal"))
        Ledger.open("sqlite", new).close()
        taken = rescue(old, new / ledger_file.NAME)
        torn = [name for name in DECISIONS if name in taken.torn]
        if torn and not missing:
            moved = ledger_file.beside(path, ".damaged")
            raise Refused(
                f"The ledger {path} is damaged, and not all of its {' and '.join(map(_said, torn))} can be "
                "read, which no source has. Nothing was changed. Restore it from a backup. To go on without "
                f"what cannot be read: mv {path} {moved} && freshkb verify --repair"
            )
        _settle_instance(workspace, new / ledger_file.NAME)
        with Ledger.open("sqlite", new) as made:
            made.rebuild_log()
        kept = None
        if not missing or aside is not None:
            kept = ledger_file.beside(path, f".damaged-{now}")
            if aside is None:
                ledger_file.copy(held, kept)
            else:
                aside.replace(kept)
                kept.chmod(0o600)
            if log.exists():
                shutil.copyfile(log, ledger_file.beside(kept, "-wal"))
                ledger_file.beside(kept, "-wal").chmod(0o600)
        ledger_file.replace(held, path, new / ledger_file.NAME)
    return taken, kept


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    # A folder that a kill left behind has names of documents in it.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _settle_instance(workspace: Workspace, new: Path) -> None:
    """Give the new ledger the instance id of the old one, or else that of the store."""
    with closing(sqlite3.connect(new)) as database, database:
        recorded = database.execute("SELECT value FROM meta WHERE name = 'instance'").fetchone()
        if recorded is not None and is_uuid(recorded[0]):
            return
        store = workspace.store
        found = {store.instance(name) for name in candidates(store, workspace.config.index.collection)}
        instance = found.pop() if len(found) == 1 else None
        row = ("instance", instance or str(uuid4()))
        database.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", row)
