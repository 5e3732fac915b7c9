"""A process that dies by SIGKILL at a chosen step of a backup or a restore.

::

    test ──order──▶ server ──fork──▶ child: opens everything itself, acts, and is dead or done

Steps are the files and folders that are made, renamed and removed, the calls of the store that write, and the
commits of the ledger.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from index.backup.create import create
from index.backup.restore import restore
from index.config import load
from index.sizes import Sizes
from index.store.edge.session import EdgeSession
from index.store.edge.store import EdgeStore
from index.workspace import Workspace
from tests.commands import environment

#: What a child would import of itself, each one anew.
IMPORTED = (
    "alembic.runtime.migration", "connectors.files", "index.anchors.anchor", "index.checkpoints.write",
    "index.ledger.damage", "index.ledger.migrations", "index.store.bm25", "index.store.edge.store",
    "pathspec", "pyrage", "sqlalchemy.dialects.sqlite",
)  # fmt: skip

#: In the short form, a child is killed at one of so many steps in a row: files are made and renamed, and
#: batches written, again and again.
STRIDE = 5

_EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}


@dataclass(frozen=True, slots=True)
class Order:
    home: str
    """Of the knowledge base."""
    backup: str
    action: str
    at: int
    """The step to die at, from 1."""
    receipt: str = ""
    """Of an order that the restored ledger has from the beginning."""


class Server:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.index.backup.killed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    def run(self, order: Order) -> int:
        """How the child ended: 0, or -9."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


def _obey(order: Order) -> None:
    met = 0

    def step() -> None:
        nonlocal met
        if threading.current_thread() is threading.main_thread():
            met += 1
            if met == order.at:
                os.kill(os.getpid(), signal.SIGKILL)

    def hook(name: str, args: tuple[Any, ...]) -> None:
        if name == "open":
            path, writes = str(args[0]), bool((args[2] or 0) & (os.O_WRONLY | os.O_RDWR))
        elif name in _EVENTS:
            path, writes = str(args[0]), True
        else:
            return
        if writes and not path.endswith((".lock", ".turn")):
            step()

    def around(part: type, name: str) -> None:
        real = getattr(part, name)

        def call(*args: Any, **named: Any) -> Any:
            step()
            answer = real(*args, **named)
            step()
            return answer

        setattr(part, name, call)

    around(EdgeStore, "create")
    around(EdgeStore, "drop")
    around(EdgeSession, "upsert")
    event.listen(sa.Engine, "commit", lambda _: step())
    home, folder = Path(order.home), Path(order.backup)
    with Workspace(load(home / "freshkb.yaml", {}, home), sizes=Sizes(read_points=12)) as workspace:
        sys.addaudithook(hook)
        if order.action == "create":
            create(workspace, folder)
        else:
            restore(workspace, folder, receipts=[order.receipt] if order.receipt else [])


def _serve() -> None:
    for heavy in IMPORTED:
        importlib.import_module(heavy)
    # Else each child's garbage collector looks at all that was imported, and has its pages copied.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = Order(**json.loads(line))
        child = os.fork()
        if child == 0:
            _obey(order)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
