"""One trace against the real engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Literal
from uuid import UUID

from index.errors import ConfigError, ModelChanged
from index.ledger import HoldKind, hold_id
from index.model import State
from index.records import Collection
from index.reindex import reindex
from index.run import Run
from index.sync.requests import review
from index.sync.sync import sync
from index.verify.compare import verify
from index.verify.repair import repair
from index.workspace import Workspace
from tests.examined import examined_here
from tests.holds import order
from tests.knowledge import Knowledge
from tests.traces.crashes import Crash, Fuse
from tests.traces.folder import Folder
from tests.traces.operations import CHANGES, Operation
from tests.traces.oracle import Divergence, Oracle, Reader, agree, indexed, points
from tests.traces.permissions import binding
from tests.traces.server import Served

StoreKind = Literal["edge", "qdrant"]


class Trial:
    """Carries out a trace below `home`."""

    def __init__(self, home: Path, reader: Reader, store: StoreKind = "edge") -> None:
        self.kb = (Served if store == "qdrant" else Knowledge)(home, reader.parser)
        self.kb.parser = reader
        self.kb.source["delete"] = {"max_fraction": 1.0}
        self.folder = Folder(self.kb.docs)
        self.oracle = Oracle(self.kb, self.folder, reader)
        self.fuse = Fuse()
        self.done: Counter[str] = Counter()
        self.log: list[str] = []
        """The result of each operation; the same for the same trace."""
        self.crashes = 0
        self._ids = Random(0)
        self._open = ExitStack()
        self._workspace: Workspace | None = None

    def run(self, operations: Iterable[Operation]) -> None:
        """Carry out the operations. Raises Divergence, or whatever the engine raises."""
        with binding(), examined_here():
            try:
                for operation in operations:
                    self._carry_out(operation)
                # A file that cannot be read now could not be read by a rebuild either.
                self.folder.permit()
                self.sync()
                self._note("the end")
                self.oracle.same_as_rebuilt(self.workspace)
            finally:
                self.folder.permit()
                self._open.close()
                if isinstance(self.kb, Served):
                    self.kb.clear()

    def _carry_out(self, operation: Operation) -> None:
        self.done[operation.name] += 1
        if not self.folder.apply(operation):
            getattr(self, "_" + operation.name)(operation)
            self._note(str(operation))

    def _note(self, what: str) -> None:
        if self._workspace is not None:
            documents = sorted(self._workspace.ledger.documents.find(), key=lambda d: d.uri)
            now = [f"{d.uri} {d.document_id[:8]} {d.state} {d.version} {d.chunk_count}" for d in documents]
            self.log.append(f"{what}: {', '.join(now)}")

    @property
    def workspace(self) -> Workspace:
        if self._workspace is None:
            workspace = self._open.enter_context(
                self.kb.workspace(new_id=lambda: str(UUID(int=self._ids.getrandbits(128), version=4)))
            )
            self.fuse.fit(workspace)
            self._workspace = workspace
        return self._workspace

    def restart(self) -> None:
        self._open.close()
        self._workspace = None
        self.kb.clock.forward(seconds=1)

    # ── A whole sync, and everything checked ──────────────────────────────────────────────────────────

    def sync(self) -> None:
        """With approval where it is asked for."""
        self._ready()
        before = indexed(self.workspace)
        expected, asks = self.oracle.kept_ids(before), self.oracle.asks()
        report = sync(Run(self.workspace, "sync"))
        done = report.sources[0]
        if asks and done.counts.documents["deleted"]:
            raise Divergence(f"it removed what it should have asked for: {done.json()}")
        if self.oracle.blocked():
            after = self.oracle.check_incomplete(self.workspace, before, report)
        else:
            if done.plan_hash is not None and (done.refused or done.error):
                between = indexed(self.workspace)
                left = {d.document_id for d in between.documents.values()}
                for uri, document in before.documents.items():
                    if document.state is not State.SKIPPED and document.document_id not in left:
                        raise Divergence(f"{uri!r} went although the removals were refused")
                self.oracle.nothing_wasted(before, between, report)
                before = between
                report = sync(Run(self.workspace, "sync"), approve=done.plan_hash)
                done = report.sources[0]
            if done.error or done.refused:
                raise Divergence(f"the sync says: {done.json()}")
            after = self.oracle.check(self.workspace, before)
        self.oracle.nothing_wasted(before, after, report)
        self.oracle.no_id_taken_over(before, after)
        for uri, (document_id, why) in expected.items():
            now = after.documents[uri].document_id
            if now != document_id:
                raise Divergence(f"{uri!r} {why} and has the id {now}, not {document_id}")

    # ── Operations of the engine ──────────────────────────────────────────────────────────────────────

    def _sync(self, operation: Operation) -> None:
        self.sync()

    def _restart(self, operation: Operation) -> None:
        self.restart()

    def _meanwhile(self, operation: Operation) -> None:
        """The folder changes while a sync is under way."""
        self._ready()
        change = replace(operation, name=CHANGES[operation.number % len(CHANGES)])
        with self._losing_nothing():
            self.fuse.light(operation.number // len(CHANGES) % 16, lambda: self.folder.apply(change))
            sync(Run(self.workspace, "sync"))
            if not self.fuse.out():
                self.folder.apply(change)
        agree(self.workspace)

    def _hint(self, operation: Operation) -> None:
        folders = {operation.uri.rpartition("/")[0], operation.other.rpartition("/")[0]}
        folders |= {uri.rpartition("/")[0] for uri in self.folder.written if operation.number % 2}
        self._ready()
        with self._losing_nothing():
            sync(Run(self.workspace, "watch"), ["docs"], folders=sorted(folders))
        agree(self.workspace)

    def _crash(self, operation: Operation) -> None:
        """A run of some kind that does not come to its end, unless it has too few moments to crash at."""
        kind = operation.number % 8
        if kind != 7:
            self._ready()
        with self._losing_nothing():
            self.fuse.light(operation.number // 8 % (40 if kind == 7 else 20))
            try:
                self._begin(kind, operation)
            except Crash:
                self.crashes += 1
            finally:
                self.fuse.out()
            self.restart()
        if kind == 5:
            # No sync makes up for it: a reviewer sees that the review failed, and attests it again.
            self._attest(sorted(self.folder.files)[:3])
        if kind == 7 and operation.number % 2:
            # The operator takes the change of the configuration back.
            self._as_built()

    def _begin(self, kind: int, operation: Operation) -> None:
        match kind:
            case 7:
                self._other_model()
            case 6:
                if self._collection() is not None:
                    repair(self.workspace, verify(self.workspace, deep=True), Run(self.workspace, "verify"))
            case 5:
                self._attest(sorted(self.folder.files)[:3])
            case 4:
                sync(Run(self.workspace, "sync"), folders=[operation.uri.rpartition("/")[0]])
            case _:
                sync(Run(self.workspace, "sync"))

    @contextmanager
    def _losing_nothing(self) -> Iterator[None]:
        """Around runs that see only a part of the source, or do not come to their end."""
        self.oracle.disturbed = True
        before, source = list(self.workspace.ledger.documents.find()), self.oracle.source()
        yield
        self.oracle.nothing_lost(self.workspace, before, source)

    def _reindex(self, operation: Operation) -> None:
        self._ready()
        self.oracle.disturbed = True
        self._other_model()
        agree(self.workspace)

    def _other_model(self) -> None:
        collection = self._collection()
        if collection is not None:
            other = "float32" if collection.dtype == "bfloat16" else "bfloat16"
            self._configure(embedding={"dtype": other})
            reindex(self.workspace, Run(self.workspace, "reindex"))

    def _damage(self, operation: Operation) -> None:
        """Points are lost, altered, and added by a foreign hand; verify must see it and mend it."""
        # A repair needs to read everything.
        self.folder.permit()
        self.sync()
        collection, random = self._collection(), Random(operation.number)
        before = indexed(self.workspace)
        if collection is None:
            return
        whole = {d.document_id for d in before.documents.values() if d.state is State.INDEXED}
        sound = [p for p in points(self.workspace, collection, vectors=True) if p.payload["doc_id"] in whole]
        if not sound:
            return
        with self.workspace.store.session(collection.name) as session:
            lost, said, turned = (random.choice(sound) for _ in range(3))
            session.upsert([replace(said, payload={**said.payload, "page_content": "x"})])
            session.upsert([replace(turned, dense=[-number for number in turned.dense or ()])])
            session.delete([lost.id])
            session.upsert([replace(said, id=str(UUID(int=random.getrandbits(128))))])
        found = verify(self.workspace, deep=True)
        if not found.missing or not found.extra:
            raise Divergence(f"the damage was not found: {found.json()}")
        repair(self.workspace, found, Run(self.workspace, "verify"))
        self.oracle.check(self.workspace, before)

    def _rules(self, operation: Operation) -> None:
        owner = f"user:{operation.number % 3}"
        self._configure(source={"rules": [{"match": "team/**", "owner": owner}]})

    def _filter(self, operation: Operation) -> None:
        excluded = [] if self.kb.source.get("exclude") else ["drafts/**"]
        self._configure(source={"exclude": excluded})

    def _hold(self, operation: Operation) -> None:
        found = (d for d in self.workspace.ledger.documents.find() if d.uri == operation.uri)
        document = next(found, None)
        if document is not None:
            hold = order(hold_id(self.workspace.new_id()), self.kb.clock())
            if operation.number % 3 == 0:
                # Also those that come to lie in this folder, or did once.
                folder = operation.uri.rpartition("/")[0]
                hold = replace(hold, kind=HoldKind.PATTERN, target=f"/{folder}/**" if folder else "/*")
            self.workspace.ledger.holds.place(hold, [document.document_id], [])
            if operation.number % 2 and operation.uri in self.folder.files:
                self.folder.apply(Operation("delete", operation.uri))

    def _release(self, operation: Operation) -> None:
        holds, now = self.workspace.ledger.holds, self.kb.clock()
        for hold in holds.standing()[: 1 + operation.number % 4]:
            holds.release(hold.hold_id, "anna", "Settled.", now, [])

    def _review(self, operation: Operation) -> None:
        self._ready()
        self.oracle.disturbed = True
        self._attest([operation.uri])

    def _attest(self, uris: list[str]) -> None:
        # A document that no sync has seen yet cannot be reviewed.
        with suppress(ConfigError):
            review(Run(self.workspace, "review"), uris, "anna")

    def _later(self, operation: Operation) -> None:
        self.kb.clock.forward(days=30)

    def _configure(self, source: dict[str, Any] | None = None, **settings: Any) -> None:
        self.kb.source.update(source or {})
        self.kb.settings.update(settings)
        self.restart()

    def _ready(self) -> None:
        """After a reindex that crashed, ledger and configuration name different models."""
        try:
            self.workspace.collection()
        except ModelChanged:
            reindex(self.workspace, Run(self.workspace, "reindex"))

    def _as_built(self) -> None:
        collection = self._collection()
        if collection is not None:
            self._configure(embedding={"dtype": collection.dtype})

    def _collection(self) -> Collection | None:
        return self.workspace.ledger.collections.current()
