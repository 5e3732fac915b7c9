"""A process that dies by SIGKILL at a chosen step.

::

    test ──order──▶ server ──fork──▶ child: opens everything itself, acts, and is dead or done

The server has imported everything and opened nothing, so that a child costs a fork and not a start. In the
child something stands around every call that writes, of the engine's parts and of Edge's own engine, and an
audit hook sees every file that freshkb itself makes, renames or removes below the state folder. The
child's last step and its next name a *point*: ``ledger.intend → embedder.embed_documents``.
A first run, which is not killed, says which points there are.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import json
import os
import pickle
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy import event

import index.purge.apart
import index.reindex
import index.store.edge.build
import index.store.edge.session
import index.store.edge.shards
import index.sync.apply
import index.sync.plan
import index.sync.requests
from index.config import load
from index.embed.identity import DEFAULT, ModelIdentity, identify
from index.erase.carry_out import carry_out
from index.erase.place import place
from index.erase.target import Target
from index.errors import ModelChanged
from index.ledger import hold_id
from index.model import Enclosed, Failure, Parsed
from index.outcome import RunReport
from index.parse.parsing import Parsing
from index.purge.purge import purge
from index.run import Run
from index.sizes import Sizes
from index.store.edge.store import EdgeStore
from index.sync.sync import sync
from index.upkeep import upkeep
from index.verify.compare import verify
from index.verify.repair import repair
from index.workspace import Workspace
from tests import forked_scan
from tests.commands import environment
from tests.copies import copy
from tests.embedders import HashEmbedder
from tests.examined import examined
from tests.holds import order
from tests.knowledge import done
from tests.promises.parts import Call, Part, interpose

#: Commands to a child, by name; the rest are their arguments.
ACTIONS: dict[str, Callable[..., object]] = {
    "open": lambda workspace: workspace.ledger,
    "sync": lambda workspace: sync(Run(workspace, "sync")),
    "approve": lambda workspace: approve(workspace),
    "repair": lambda workspace: repair(workspace, verify(workspace, deep=True), Run(workspace, "verify")),
    "purge": lambda workspace: purge(Run(workspace, "purge")),
    "reindex": lambda workspace: index.reindex.reindex(workspace, Run(workspace, "reindex")),
    "reindex if needed": lambda workspace: reindexed(workspace),
    "review": lambda workspace, *uris: index.sync.requests.review(Run(workspace, "review"), uris, "anna"),
    "hold": lambda workspace, *uris: hold(workspace, uris),
    "release": lambda workspace: release(workspace),
    "erase": lambda workspace, *target: erase(workspace, *target),
    "upkeep": lambda workspace: upkeep(Run(workspace, "sync"), RunReport("")),
}


def reindexed(workspace: Workspace) -> None:
    """As a person does after the message of a sync."""
    try:
        sync(Run(workspace, "sync"))
    except ModelChanged:
        ACTIONS["reindex"](workspace)


def approve(workspace: Workspace) -> None:
    """As a person does after the message of a sync."""
    refused = sync(Run(workspace, "sync")).sources[0]
    if refused.refused:
        sync(Run(workspace, "sync"), approve=refused.plan_hash)


def hold(workspace: Workspace, uris: Sequence[str]) -> None:
    found = list(workspace.ledger.documents.find(uris=uris))
    # Placed again after a kill, it is another one.
    placed = order(hold_id(workspace.new_id()), workspace.now())
    workspace.ledger.holds.place(placed, [d.document_id for d in found], [])


def release(workspace: Workspace) -> None:
    for standing in workspace.ledger.holds.standing():
        workspace.ledger.holds.release(standing.hold_id, "anna", "Settled.", workspace.now(), [])


def erase(workspace: Workspace, name: str, phrase: str = "") -> None:
    """As a person does, with a reveal file for each attempt; after a kill, what is still to be done."""
    erasures, since = workspace.ledger.erasures, workspace.ledger.log.head().size
    if not erasures.all():
        reveal = workspace.config.state_dir.parent / f"reveal-{os.getpid()}-{workspace.new_id()}"
        target = Target(phrases=[phrase]) if phrase else Target([name])
        placed = place(workspace, target, "Asked.", reveal=reveal)
        carry_out(Run(workspace, "erase"), placed.order_id, since=since)
    for left in erasures.open():
        carry_out(Run(workspace, "erase"), left.order_id)


Point = tuple[str, str]
"""The last step, and the next."""


#: Of the process that is killed: a few documents go through everything that many would. The process that
#: mends takes all of them at once: a text that one batch removes and a later one adds is embedded again.
SIZES = Sizes(batch_documents=3, batch_points=6)


@dataclass(frozen=True, slots=True)
class Order:
    """The work of a child, and the point at which it dies."""

    home: str
    actions: Sequence[Sequence[str]]
    """Names of actions, each with its arguments."""
    time: str
    notes: str
    """A folder outside of the knowledge base, for notes on texts parsed and embedded and points met."""
    seed: int = 0
    at: Point | None = None
    occurrence: int = 1
    """Die when the point is met for this time."""
    after: float | None = None
    """Die after so many seconds, wherever that is."""
    statements: bool = False
    """Whether each statement of the ledger's database is a step, too."""


# ── Stand-ins ─────────────────────────────────────────────────────────────────────────────────────────


class Remembered:
    """A parser that parses each content once, for all processes: starting a real one takes longer than all
    the rest of a child's life."""

    def __init__(self, notes: Path, parser: Parsing | None = None) -> None:
        self._notes = notes
        self._parser = parser

    def warm(self) -> None: ...

    def parse(self, path: Path, format: str, timeout_seconds: float) -> Parsed | Failure:
        key = hashlib.sha256(format.encode() + b"\0" + path.read_bytes()).hexdigest()
        note = self._notes / f"parsed-{key}"
        if not note.exists():
            assert self._parser is not None, f"A document of type {format} was not parsed before the kill"
            written = note.with_suffix(f".{os.getpid()}")
            parsed = self._parser.submit(path, format, timeout_seconds).result()
            written.write_bytes(pickle.dumps(parsed))
            written.rename(note)
        found: Parsed | Failure = pickle.loads(note.read_bytes())
        return found

    def submit(self, path: Path, format: str, timeout_seconds: float) -> Future[Parsed | Failure]:
        return done(lambda: self.parse(path, format, timeout_seconds))

    def enclosed(self, path: Path, format: str, timeout_seconds: float) -> Future[Enclosed | Failure]:
        assert self._parser is not None, "A mail was not looked at before the kill"
        return self._parser.enclosed(path, format, timeout_seconds)

    def content(
        self, path: Path, format: str, number: int, into: Path, timeout_seconds: float
    ) -> Future[str | Failure]:
        assert self._parser is not None, "An attachment was not read before the kill"
        return self._parser.content(path, format, number, into, timeout_seconds)

    def close(self) -> None: ...


class Noting(HashEmbedder):
    """Notes what it embeds where a kill does not reach it."""

    def __init__(self, notes: Path, *args: Any) -> None:
        super().__init__(*args)
        self._file = notes / "embedded"

    def embed_documents(
        self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None
    ) -> np.ndarray:
        with self._file.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(text) + "\n" for text in texts))
        return super().embed_documents(texts, on_progress)


def embedded(notes: Path) -> list[str]:
    """The texts that were embedded since this was asked last."""
    file = notes / "embedded"
    if not file.exists():
        return []
    texts = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    file.unlink()
    return texts


def act(workspace: Workspace, actions: Sequence[Sequence[str]]) -> None:
    for name, *arguments in actions:
        ACTIONS[name](workspace, *arguments)


def opened(order: Order, parser: Parsing | None = None, sizes: Sizes | None = None) -> Workspace:
    """The knowledge base of an order, with the stand-ins."""
    home, notes, ids = Path(order.home), Path(order.notes), Random(order.seed)
    return Workspace(
        load(home / "freshkb.yaml", {}, home),
        now=lambda: datetime.fromisoformat(order.time),
        new_id=lambda: str(UUID(int=ids.getrandbits(128), version=4)),
        parser=Remembered(notes, parser),
        embedder=lambda *args: Noting(notes, *args),
        sizes=sizes,
    )


def copied(shard: Path) -> Callable[[Path, int], None]:
    """Makes shards by copying one that is new and empty: the engine takes ten times as long to make one."""

    def build(target: Path, dimension: int) -> None:
        copy(shard, target)

    return build


#: What a child would import of itself, each one anew.
IMPORTED = (
    "alembic.runtime.migration", "bcrypt", "connectors.files", "cryptography.fernet", "encodings.utf_8_sig",
    "cryptography.hazmat.primitives.serialization.ssh", "index.anchors.anchor", "index.checkpoints.write",
    "index.chunk.chunker", "index.ledger.damage", "index.ledger.migrations", "index.parse.formats",
    "index.store.bm25", "index.store.edge.apart", "index.store.edge.purge", "index.store.edge.store",
    "pathspec", "sqlalchemy.dialects.sqlite",
)  # fmt: skip


# ── The child ─────────────────────────────────────────────────────────────────────────────────────────

#: Calls that are steps beside those that write: those of Edge's engine on its memory and its files.
STEPS = {("embedder", "embed_documents"), ("engine", "update"), ("engine", "flush"), ("engine", "optimize")}
FILES = {"os.rename": 2, "os.remove": 1, "os.mkdir": 2, "os.rmdir": 1}
"""Events of Python's audit hook, each with the position of its folder's descriptor."""


@dataclass(slots=True)
class Trap:
    """Kills this process when it meets a point."""

    at: Point | None
    left: int
    points: list[Point] = field(default_factory=list)
    last: str = "begin"

    def meet(self, following: str) -> bool:
        """Whether this is where to die."""
        point = (self.last, following)
        self.points.append(point)
        self.left -= point == self.at
        return point == self.at and self.left == 0

    def step(self, following: str) -> None:
        if self.meet(following):
            die()
        self.last = following

    def around(self, call: Call) -> Any:
        step = call.writes or (call.part, call.name) in STEPS
        if step and threading.current_thread() is threading.main_thread():
            if call.half is not None and self.meet(f"half of {call}"):
                call.half()
                die()
            self.step(str(call))
        return call.whole()

    def hear(self, folder: str) -> Callable[[str, tuple[Any, ...]], None]:
        """A hook of Python's `sys.addaudithook` for this folder."""

        def hook(event: str, args: tuple[Any, ...]) -> None:
            if event == "open":
                path, writes = args[0], bool(args[2] & (os.O_WRONLY | os.O_RDWR))
                inside = isinstance(path, str) and path.startswith(folder)
            elif event in FILES:
                path, writes = args[0], event != "os.mkdir" or not Path(args[0]).exists()
                inside = str(path).startswith(folder) or args[FILES[event]] >= 0
            else:
                return
            # When the store's folder is locked is a matter of time, and a lock is nothing that stays.
            if not inside or not writes or str(path).endswith((".lock", "/.turn")):
                return
            if threading.current_thread() is threading.main_thread():
                self.step(f"{event} {_name(Path(path)) if str(path).startswith(folder) else 'a part'}")

        return hook


def _name(path: Path) -> str:
    """The same in every run."""
    if path.parent.name == "scratch":
        return "private"
    # A file that is to take the place of another has a random suffix.
    name = re.sub(r"(^\..+)\.[a-z0-9_]{8}$", r"\1", path.name.replace(str(os.getpid()), "PID"))
    return re.sub(r"kb-[0-9a-f]+-[0-9a-f]+", "collection", name)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def obey(order: Order) -> None:
    """In the child: act, and die on the way."""
    trap = Trap(order.at, order.occurrence)
    real = index.store.edge.shards.load

    def loaded(path: Path) -> Any:
        return Part("engine", real(path), trap.around)

    patches: list[tuple[Any, str, Any]] = [
        # Several calls of the engine for each of ours, and some of them seal what was written.
        (index.store.edge.session, "SLICE_POINTS", 4),
        (index.store.edge.session, "SEAL_POINTS", 24),
        (index.store.edge.build, "build", copied(Path(order.notes) / "shard")),
        (index.store.edge.shards, "load", loaded),
        (index.purge.apart, "scanner", forked_scan.scanner),
        # As in the tests' own process: to start another one takes longer than the child does.
        (EdgeStore, "faults", examined),
    ]
    for module, name, value in patches:
        setattr(module, name, value)
    if order.statements:
        event.listen(
            sa.Engine, "before_cursor_execute", lambda *args: trap.step(" ".join(args[2].split()[:3]))
        )
        event.listen(sa.Engine, "commit", lambda connection: trap.step("COMMIT"))
    with opened(order, sizes=SIZES) as workspace:
        sys.addaudithook(trap.hear(str(workspace.config.state_dir)))
        interpose(workspace, trap.around)
        act(workspace, order.actions)
        trap.step("end")
    (Path(order.notes) / "points").write_text(json.dumps(trap.points))


def serve() -> None:
    """Fork a child for each order that comes in, and answer with how it ended."""
    for heavy in IMPORTED:
        importlib.import_module(heavy)
    tokenizer = identify(DEFAULT, Path(os.environ["TMPDIR"])).tokenizer()
    ModelIdentity.tokenizer = lambda self: tokenizer  # type: ignore[method-assign]
    # Else each child's garbage collector looks at all that was imported, and has its pages copied.
    gc.collect()
    gc.freeze()
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process with threads cannot be forked safely"
    for line in sys.stdin:
        order = Order(**json.loads(line))
        child = os.fork()
        if child == 0:
            # JSON has lists only.
            obey(order if order.at is None else replace(order, at=(order.at[0], order.at[1])))
            os._exit(0)
        if order.after is not None:
            ended = os.pidfd_open(child)
            if not select.select([ended], [], [], order.after)[0]:
                os.kill(child, signal.SIGKILL)
            os.close(ended)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


class Server:
    """The test's side of a server."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.promises.killed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment()
            | {"TMPDIR": str(folder), "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        )

    def run(self, order: Order) -> int:
        """The exit status of a child that was given this order; negative when a signal ended it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


if __name__ == "__main__":
    serve()
