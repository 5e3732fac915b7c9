"""Knowledge bases whose ledger is older than its anchors know."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from index.erase.carry_out import carry_out
from index.erase.place import place
from index.erase.target import Target
from index.ledger import Order, OrderState
from index.run import Run
from index.workspace import Workspace
from tests.copies import copy
from tests.knowledge import Knowledge


def anchor(kb: Knowledge, *kinds: str) -> None:
    """Anchors outside of the state folder: in a file, and in a repository."""
    (kb.home / "anchors").mkdir(exist_ok=True)
    subprocess.run(["git", "init", "--quiet", "--bare", str(kb.home / "repo")], check=True)
    found = {"file": f"file:{kb.home}/anchors/kb", "git": f"git:{kb.home}/repo"}
    kb.settings["log"] = {"anchors": [found[kind] for kind in kinds or found]}


def erased(kb: Knowledge, *uris: str, phrases: Sequence[str] = ()) -> Order:
    """An order on these documents, carried out; it has its receipt."""
    with kb.workspace() as workspace:
        order = place(workspace, Target(uris, phrases=phrases), "Asked for it.", by="anna")
        report = carry_out(Run(workspace, "erase"), order.order_id)
        assert report.done, report.error
        found = workspace.ledger.erasures.get(order.order_id)
    assert found is not None and found.state is OrderState.DONE and found.receipt
    return found


def keep(kb: Knowledge, aside: Path) -> None:
    """Copy the state folder."""
    copy(kb.home / ".freshkb", aside)


def put_back(kb: Knowledge, aside: Path) -> None:
    """Put an older copy of the state folder in the place of the present one."""
    key = kb.home / ".freshkb" / "signing.pem"
    kept = key.read_bytes() if key.exists() else None
    shutil.rmtree(kb.home / ".freshkb")
    copy(aside, kb.home / ".freshkb")
    if kept is not None:
        key.write_bytes(kept)
        key.chmod(0o600)


def open_orders(workspace: Workspace) -> list[str]:
    return [order.order_id for order in workspace.ledger.erasures.open()]
