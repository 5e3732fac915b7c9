"""Something around every call that the engine makes of its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from connectors.base import Connector
from index.ledger.database import Tables
from index.workspace import Workspace

#: Calls of the ledger that change something a run relies on.
LEDGER_WRITES = frozenset({
    "runs.start", "runs.finish", "runs.save_plan", "runs.approve", "sources.put", "documents.put",
    "documents.refresh",
    "writes.intend", "writes.commit", "writes.settle", "writes.drop_intents", "reviews.add", "holds.place",
    "holds.release", "collections.put", "writes.switch_collection", "writes.drop_collection",
    "writes.give_up_collection", "writes.record_present",
    "writes.record_absent", "writes.replace_collection", "writes.purged", "vacuum", "log.append",
    "erasures.placing", "erasures.join", "erasures.seal", "erasures.reduce", "erasures.finish",
})  # fmt: skip

#: Calls of the store and its sessions that change something.
STORE_WRITES = frozenset({"create", "drop", "publish", "upsert", "delete", "purge"})


@dataclass(frozen=True, slots=True)
class Call:
    """One call, not yet made."""

    part: str
    """ledger, store, session, connector, parser or embedder."""
    name: str
    whole: Callable[[], Any]
    """Makes the call."""
    half: Callable[[], Any] | None = None
    """Makes the first half of it; None where there is no such thing."""

    @property
    def writes(self) -> bool:
        return self.name in (LEDGER_WRITES if self.part == "ledger" else STORE_WRITES)

    def __str__(self) -> str:
        return f"{self.part}.{self.name}"


Around = Callable[[Call], Any]


class Part:
    """A part of the workspace, each of whose public methods goes through `around`."""

    def __init__(self, name: str, real: Any, around: Around, prefix: str = "") -> None:
        self._name = name
        self._prefix = prefix
        self._real = real
        self._around = around

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name.startswith("_") or name == "close" or not callable(found):
            return found

        def crossing(*args: Any, **more: Any) -> Any:
            return self._around(
                Call(self._name, self._prefix + name, lambda: found(*args, **more), self._half(name, args))
            )

        return crossing

    def _half(self, name: str, args: Sequence[Any]) -> Callable[[], Any] | None:
        # Only the store writes in pieces: the ledger's calls are transactions.
        if self._name != "session" or name not in STORE_WRITES or len(args[0]) < 2:
            return None
        return lambda: getattr(self._real, name)(args[0][: len(args[0]) // 2])


class LedgerPart(Part):
    """The ledger, the calls of whose own parts are named ``ledger.documents.put``."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if isinstance(found, Tables):
            return Part("ledger", found, self._around, f"{name}.")
        return super().__getattr__(name)


class Store(Part):
    """The store, whose sessions are parts, too."""

    @contextmanager
    def session(self, name: str) -> Iterator[Any]:
        with self._around(Call("store", "session", lambda: self._real.session(name))) as opened:
            yield Part("session", opened, self._around)


def interpose(workspace: Workspace, around: Around) -> None:
    """From now on, this goes around every call of the workspace's parts."""
    workspace._ledger = LedgerPart("ledger", workspace.ledger, around)  # type: ignore[assignment]
    workspace._store = Store("store", workspace.store, around)
    workspace._parser = Part("parser", workspace.parser, around)
    make = workspace._make_embedder
    assert make is not None
    workspace._make_embedder = lambda *args: Part("embedder", make(*args), around)
    real, connectors = workspace.connector, dict[str, Connector]()

    def connector(source: str) -> Connector:
        if source not in connectors:
            connectors[source] = Part("connector", real(source), around)  # type: ignore[assignment]
        return connectors[source]

    workspace.connector = connector  # type: ignore[method-assign]
