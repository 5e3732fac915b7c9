"""One trace against the real engine, and the dictionary that it is held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from index.errors import ConfigError, ModelChanged
from index.mirror import Mirror
from index.model import Collection, Document, Failure, Parsed, Point, State
from index.outcome import Report
from index.parse import Parser
from index.parse.formats import format_of
from index.reindex import reindex
from index.repair import repair
from index.request import review
from index.sync import Sync, plan
from index.verify import verify
from tests.knowledge import Knowledge
from tests.model.crashes import Crash, Fuse
from tests.model.folder import Folder
from tests.model.operations import CHANGES, Operation


class Divergence(AssertionError):
    """The index is not what its source says."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """What is in the index at one moment: documents, texts by id, hashes of embedded texts."""

    documents: dict[str, Document]
    texts: dict[str, str]
    hashes: frozenset[str]


class Reader:
    """What parsing a file gives: its text, or None when it fails. Remembered across traces."""

    def __init__(self, parser: Parser, scratch: Path) -> None:
        self.parser = parser
        self._scratch = scratch
        self._known: dict[tuple[str, bytes], str | None] = {}

    def text(self, uri: str, content: bytes) -> str | None:
        suffix = uri[uri.rfind(".") :].lower()
        if (suffix, content) not in self._known:
            path = self._scratch / f"read{suffix}"
            path.write_bytes(content)
            parsed = self.parser.parse(path, f"read{suffix}")
            assert isinstance(parsed, Parsed | Failure)
            self._known[suffix, content] = parsed.text if isinstance(parsed, Parsed) else None
        return self._known[suffix, content]


class Trial:
    """Carries out a trace below `home`."""

    def __init__(self, home: Path, reader: Reader) -> None:
        self.kb = Knowledge(home, reader.parser)
        self.kb.source["delete"] = {"max_fraction": 1.0}
        # Named, because to find the best one torch would have to be imported.
        self.kb.settings["embedding"] = {"dtype": "float32"}
        self.folder = Folder(self.kb.docs)
        self.reader = reader
        self.fuse = Fuse()
        self.seen: dict[str, bytes] = {}
        """By document id: the content that the last whole sync found."""
        self.disturbed = False
        """Something may have been looked at or written since the last whole sync that was checked."""
        self.done: Counter[str] = Counter()
        self._ids = Random(0)
        self._open = ExitStack()
        self._mirror: Mirror | None = None

    def run(self, operations: Iterable[Operation]) -> Counter[str]:
        """Carry out the operations; how often each was. Raises Divergence, or whatever the engine raises."""
        with self._open:
            for operation in operations:
                self.done[operation.name] += 1
                if not self.folder.apply(operation):
                    getattr(self, "_" + operation.name)(operation)
            self.sync()
            self._built_from_nothing()
        return self.done

    @property
    def mirror(self) -> Mirror:
        if self._mirror is None:
            mirror = self._open.enter_context(
                self.kb.mirror(new_id=lambda: str(UUID(int=self._ids.getrandbits(128), version=4)))
            )
            self.fuse.fit(mirror)
            self._mirror = mirror
        return self._mirror

    def restart(self) -> None:
        self._open.close()
        self._mirror = None
        self.kb.clock.forward(seconds=1)

    # ── Operations of the engine ──────────────────────────────────────────────────────────────────────

    def _sync(self, operation: Operation) -> None:
        self.sync()

    def _restart(self, operation: Operation) -> None:
        self.restart()

    def _meanwhile(self, operation: Operation) -> None:
        """The folder changes while a sync is under way."""
        self._ready()
        self.disturbed = True
        change = replace(operation, name=CHANGES[operation.number % len(CHANGES)])
        self.fuse.light(operation.number // len(CHANGES) % 6, lambda: self.folder.apply(change))
        Sync(self.mirror).run()
        if not self.fuse.out():
            self.folder.apply(change)
        self._agree()

    def _hint(self, operation: Operation) -> None:
        folders = {operation.uri.rpartition("/")[0], operation.other.rpartition("/")[0]}
        folders |= {uri.rpartition("/")[0] for uri in self.folder.written if operation.number % 2}
        self.disturbed = True
        self._ready()
        Sync(self.mirror, kind="watch").run(["docs"], folders=sorted(folders))
        self._agree()

    def _crash(self, operation: Operation) -> None:
        """A run of some kind that does not come to its end, unless it has too few moments to crash at."""
        kind = operation.number % 8
        if kind != 7:
            self._ready()
        self.disturbed = True
        self.fuse.light(operation.number // 8 % (24 if kind == 7 else 12))
        try:
            match kind:
                case 7:
                    self._other_model()
                case 6:
                    mirror = self.mirror
                    if mirror.ledger.collection() is not None:
                        repair(mirror, verify(mirror, deep=True), Sync(mirror, kind="verify"))
                case 5:
                    self._attest(sorted(self.folder.files)[:3])
                case 4:
                    Sync(self.mirror).run(folders=[operation.uri.rpartition("/")[0]])
                case _:
                    Sync(self.mirror).run()
        except Crash:
            self.done["crashed"] += 1
        finally:
            self.fuse.out()
        self.restart()
        if kind == 5:
            # No sync makes up for it: whoever attests a review sees that it failed, and says it again.
            self._attest(sorted(self.folder.files)[:3])
        if kind == 7 and operation.number % 2:
            # Whoever configured it thinks better of it.
            self._as_built()

    def _reindex(self, operation: Operation) -> None:
        self._ready()
        self.disturbed = True
        self._other_model()
        self._agree()

    def _other_model(self) -> None:
        if self.mirror.ledger.collection() is None:
            return
        self._configure(embedding={"dtype": "float32" if self._dtype() == "bfloat16" else "bfloat16"})
        reindex(self.mirror, Sync(self.mirror, kind="reindex"))

    def _damage(self, operation: Operation) -> None:
        """Points are lost, altered, and added by somebody else; verify must see it and mend it."""
        self.sync()
        collection, random = self._collection(), Random(operation.number)
        if collection is None:
            return
        whole = {d.document_id for d in self.index().documents.values() if d.state is State.INDEXED}
        points = [p for p in self.points() if p.payload["doc_id"] in whole]
        if not points:
            return
        with self.mirror.store.session(collection.name) as session:
            lost, said, turned = (random.choice(points) for _ in range(3))
            session.upsert([replace(said, payload={**said.payload, "page_content": "x"})])
            session.upsert([replace(turned, dense=[-number for number in turned.dense or ()])])
            session.delete([lost.id])
            session.upsert([replace(said, id=str(UUID(int=random.getrandbits(128))))])
        found = verify(self.mirror, deep=True)
        if not found.missing or not found.extra:
            raise Divergence(f"the damage was not found: {found.json()}")
        repair(self.mirror, found, Sync(self.mirror, kind="verify"))
        self.check(self.index())

    def _rules(self, operation: Operation) -> None:
        owner = f"user:{operation.number % 3}"
        self._configure(source={"rules": [{"match": "team/**", "owner": owner}]})

    def _filter(self, operation: Operation) -> None:
        excluded = [] if self.kb.source.get("exclude") else ["drafts/**"]
        self._configure(source={"exclude": excluded})

    def _hold(self, operation: Operation) -> None:
        document = self.index().documents.get(operation.uri) if self._collection() else None
        if document is not None:
            self.mirror.ledger.place_hold([document.document_id], "LH", "lawsuit", self.kb.clock())
            if operation.number % 2 and operation.uri in self.folder.files:
                self.folder.apply(Operation("delete", operation.uri))

    def _release(self, operation: Operation) -> None:
        self.mirror.ledger.release_hold("LH", self.kb.clock())

    def _review(self, operation: Operation) -> None:
        self._ready()
        self.disturbed = True
        self._attest([operation.uri])

    def _attest(self, uris: list[str]) -> None:
        # A document that no sync has seen yet cannot be reviewed.
        with suppress(ConfigError):
            review(Sync(self.mirror, kind="review"), uris, "anna")

    def _later(self, operation: Operation) -> None:
        self.kb.clock.forward(days=30)

    def _configure(self, source: dict[str, Any] | None = None, **settings: Any) -> None:
        self.kb.source.update(source or {})
        self.kb.settings.update(settings)
        self.restart()

    def _ready(self) -> None:
        """After a reindex that crashed, ledger and configuration name different models."""
        try:
            self.mirror.collection()
        except ModelChanged:
            reindex(self.mirror, Sync(self.mirror, kind="reindex"))

    def _as_built(self) -> None:
        if self._collection() is not None:
            self._configure(embedding={"dtype": self._dtype()})

    def _dtype(self) -> str:
        collection = self._collection()
        return collection.dtype if collection is not None else ""

    # ── The oracle ────────────────────────────────────────────────────────────────────────────────────

    def _collection(self) -> Collection | None:
        return self.mirror.ledger.collection()

    def points(self) -> list[Point]:
        collection = self._collection()
        if collection is None:
            return []
        with self.mirror.store.session(collection.name) as session:
            return list(session.scroll(vectors=True))

    def index(self) -> Indexed:
        ledger, collection = self.mirror.ledger, self._collection()
        documents = {d.uri: d for d in ledger.documents()}
        if collection is None:
            return Indexed(documents, {}, frozenset())
        said = {p.id: p.payload["page_content"] for p in self.points()}
        records = ledger.chunks(collection.name, [d.document_id for d in documents.values()])
        texts = {i: "".join(said.get(c.point_id, "") for c in own) for i, own in records.items()}
        return Indexed(documents, texts, frozenset(c.embedded_hash for own in records.values() for c in own))

    def sync(self) -> None:
        """A whole sync, with approval where it is asked for, and everything checked."""
        self._ready()
        before = self.index()
        expected = self._kept_ids(before)
        report = Sync(self.mirror).run()
        done = report.sources[0]
        if done.plan_hash is not None and (done.refused or done.error):
            left = {d.document_id for d in self.index().documents.values() if d.state is not State.SKIPPED}
            gone = {d.document_id for d in before.documents.values() if d.state is not State.SKIPPED} - left
            if gone:
                raise Divergence(f"{gone} went although the removals were refused")
            self._reused(before, report)
            before = self.index()
            report = Sync(self.mirror).run(approve=done.plan_hash)
            done = report.sources[0]
        if done.error or done.refused:
            raise Divergence(f"the sync says: {done.json()}")
        after = self.check(before)
        self._reused(before, report)
        for uri, (document_id, why) in expected.items():
            now = after.documents[uri].document_id
            if now != document_id:
                raise Divergence(f"{uri!r} {why} and has the id {now}, not {document_id}")

    def check(self, before: Indexed) -> Indexed:
        """Hold the index against the folder, after a whole sync."""
        after = self.index()
        held = {hold.document_id for hold in self.mirror.ledger.holds()}
        source = self._source()
        for uri, content in source.items():
            document = after.documents.get(uri)
            if document is None:
                raise Divergence(f"{uri!r} is not in the ledger")
            self._is_as(document, content, before, after)
        for uri, document in after.documents.items():
            if uri in source:
                continue
            if document.state is not State.HELD or document.document_id not in held:
                raise Divergence(f"{uri!r} is {document.state}, and the source does not have it")
            text = after.texts[document.document_id]
            if text != before.texts.get(document.document_id):
                raise Divergence(f"{uri!r} is held, and its text is now {text!r}")
        self._agree(deep=True)
        self._governed(after)
        planned = plan(self.mirror, "docs")
        if planned.work or planned.error:
            raise Divergence(f"there is still something to do: {planned.json()}")
        self.seen = {after.documents[uri].document_id: content for uri, content in source.items()}
        self.folder.written.clear()
        self.disturbed = False
        return after

    def _source(self) -> dict[str, bytes]:
        hidden = "drafts/" if self.kb.source.get("exclude") else "\0"
        return {u: c for u, c in self.folder.files.items() if not u.startswith(hidden)}

    def _is_as(self, document: Document, content: bytes, before: Indexed, after: Indexed) -> None:
        uri, text = document.uri, after.texts.get(document.document_id, "")
        if format_of(uri) is None:
            wanted, state = "", State.SKIPPED
        else:
            read = self.reader.text(uri, content)
            state = State.INDEXED if read is not None else State.QUARANTINED
            wanted = read if read is not None else before.texts.get(document.document_id, "")
        if document.state is not state:
            raise Divergence(f"{uri!r} is {document.state}, not {state} ({document.reason})")
        if text != wanted:
            raise Divergence(f"{uri!r} has the text {text!r}, not {wanted!r}")
        if state is State.INDEXED and document.reason:
            raise Divergence(f"{uri!r} is indexed and has the reason {document.reason!r}")

    def _agree(self, *, deep: bool = False) -> None:
        if self._collection() is None:
            return
        found = verify(self.mirror, deep=deep, sources=deep)
        if not found.ok:
            raise Divergence(f"verify finds {found.json()}")
        if self.mirror.ledger.open_intents():
            raise Divergence(f"intents are left: {self.mirror.ledger.open_intents()}")

    def _governed(self, after: Indexed) -> None:
        rules = self.kb.source.get("rules")
        reviews = self.mirror.ledger.reviews([d.document_id for d in after.documents.values()])
        for uri, document in after.documents.items():
            if document.version == 0 or document.state is State.HELD:
                continue
            owner = rules[0]["owner"] if rules and uri.startswith("team/") else ""
            if document.owner != owner:
                raise Divergence(f"{uri!r} is owned by {document.owner!r}, not {owner!r}")
            if document.reviewed_at != reviews.get(document.document_id):
                raise Divergence(f"{uri!r} does not know its last review")

    def _reused(self, before: Indexed, report: Report) -> None:
        new, embedded = self.index().hashes - before.hashes, report.json()["chunks"]["embedded"]
        if embedded != len(new):
            raise Divergence(f"{embedded} texts were embedded, and {len(new)} are new")

    def _kept_ids(self, before: Indexed) -> dict[str, tuple[str, str]]:
        """{uri: (document id, why)} of those that must keep theirs: what stayed where it was, and what has
        another name, when nothing else has or had the same content."""
        source = self._source()
        live = {uri: d for uri, d in before.documents.items() if d.state is not State.SKIPPED}
        kept = {uri: (d.document_id, "stayed") for uri, d in live.items() if uri in source}
        missing = [d for uri, d in live.items() if uri not in source]
        new = [uri for uri in source if uri not in live and format_of(uri) is not None]
        gone = Counter(self.seen.get(d.document_id) for d in missing)
        come = Counter(source[uri] for uri in new)
        for uri in new:
            content = source[uri]
            old = next((d for d in missing if self.seen.get(d.document_id) == content), None)
            uncertain = self.disturbed and self.folder.written
            if content and old and gone[content] == come[content] == 1 and not uncertain:
                kept[uri] = (old.document_id, f"was {old.uri!r}")
        return kept

    def _built_from_nothing(self) -> None:
        """The same configuration with an empty ledger and store gives the same index. What the source does
        not say is left out: reviews, and the old texts of documents that are held or cannot be read."""
        here = self.index().documents.values()
        same = {d.uri for d in here if d.state is State.INDEXED and d.reviewed_at is None}
        ours = self._comparable(same)
        self._configure(state_dir=".freshkb-again")
        Sync(self.mirror).run()
        theirs = self._comparable(same)
        for uri in sorted(same):
            mine, other = ours.get(uri, []), theirs.get(uri, [])
            said, again = [body for body, _ in mine], [body for body, _ in other]
            if said != again:
                raise Divergence(f"{uri!r} differs from a rebuild:\n{said}\n{again}")
            for (_, left), (_, right) in zip(mine, other, strict=True):
                if max(abs(a - b) for a, b in zip(left, right, strict=True)) > 1e-5:
                    raise Divergence(f"{uri!r} has another vector than in a rebuild")

    def _comparable(self, uris: set[str]) -> dict[str, list[tuple[dict[str, Any], list[float]]]]:
        """By uri and in order, the payloads and dense vectors, without what differs from index to index."""
        found: dict[str, list[tuple[dict[str, Any], list[float]]]] = {}
        for point in self.points():
            metadata = dict(point.payload["metadata"])
            del metadata["document_id"], metadata["indexed_at"]
            if metadata["uri"] in uris:
                assert point.dense is not None
                body = {"page_content": point.payload["page_content"], **metadata}
                found.setdefault(metadata["uri"], []).append((body, list(point.dense)))
        return {
            uri: sorted(points, key=lambda point: int(point[0]["chunk_index"]))
            for uri, points in found.items()
        }
