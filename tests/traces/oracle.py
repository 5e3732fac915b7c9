"""The oracle: the index that a dictionary of the source's files demands, and whether it is so."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from index.model import Failure, Parsed, Point, State
from index.outcome import RunReport
from index.parse import Parser
from index.parse.formats import format_of, suffix_of
from index.records import Collection, Document
from index.sync.sync import plan_of
from index.verify.compare import verify
from index.workspace import Workspace
from tests.knowledge import Knowledge, Shared
from tests.promises.image import differences, image, rebuilt
from tests.traces.folder import Folder


class Divergence(AssertionError):
    """The index is not what its source says."""


class Reader(Shared):
    """The real parser, asked once about each content: the answer is remembered across traces."""

    #: Answers that are remembered at once.
    KNOWN = 20_000

    def __init__(self, parser: Parser, scratch: Path) -> None:
        super().__init__(parser)
        self.parser = parser
        self.scratch = scratch
        self._known: dict[tuple[str, bytes], Parsed | Failure] = {}

    def parse(self, path: Path, format: str, timeout_seconds: float | None = None) -> Parsed | Failure:
        asked = format, path.read_bytes()
        if asked not in self._known:
            answer = self.parser.parse(path, format, timeout_seconds)
            if isinstance(answer, Failure) and answer.transient:
                return answer
            if len(self._known) >= self.KNOWN:
                self._known.clear()
            self._known[asked] = answer
        return self._known[asked]

    def text(self, uri: str, content: bytes) -> str | None:
        """The parsed text of a file, or None when parsing fails."""
        path = self.scratch / "read"
        path.write_bytes(content)
        parsed = self.parse(path, suffix_of(uri))
        return parsed.text if isinstance(parsed, Parsed) else None


@dataclass(frozen=True, slots=True)
class Indexed:
    """The index at one moment: documents by uri; texts and hashes of embedded texts by id."""

    documents: dict[str, Document]
    texts: dict[str, str]
    chunks: dict[str, frozenset[str]]

    @property
    def hashes(self) -> frozenset[str]:
        return frozenset().union(*self.chunks.values())


def indexed(workspace: Workspace) -> Indexed:
    ledger, collection = workspace.ledger, workspace.ledger.collections.current()
    documents = {d.uri: d for d in ledger.documents.find()}
    if collection is None:
        return Indexed(documents, {}, {})
    said = {p.id: p.payload["page_content"] for p in points(workspace, collection, vectors=False)}
    records = ledger.chunks.of(collection.name, [d.document_id for d in documents.values()])
    texts = {i: "".join(said.get(c.point_id, "") for c in own) for i, own in records.items()}
    chunks = {i: frozenset(c.embedded_hash for c in own) for i, own in records.items()}
    return Indexed(documents, texts, chunks)


def points(workspace: Workspace, collection: Collection, *, vectors: bool) -> list[Point]:
    with workspace.store.session(collection.name) as session:
        return list(session.scroll(vectors=vectors))


class Oracle:
    """Holds an index against the folder that it mirrors."""

    def __init__(self, kb: Knowledge, folder: Folder, reader: Reader) -> None:
        self._kb = kb
        self._folder = folder
        self._reader = reader
        self._seen: dict[str, bytes] = {}
        """By document id: the content that the last whole sync found."""
        self.disturbed = False
        """Something may have been looked at or written since the last whole sync that was checked."""
        self._hid = self._hidden

    # ── What the source says ──────────────────────────────────────────────────────────────────────────

    @property
    def _hidden(self) -> str:
        return "drafts/" if self._kb.source.get("exclude") else "\0"

    def source(self) -> dict[str, bytes]:
        return {u: c for u, c in self._folder.files.items() if not u.startswith(self._hidden)}

    def blocked(self) -> list[str]:
        """Folders because of which the listing is incomplete, so that nothing may be removed."""
        return self._folder.blocked(self._hidden)

    def asks(self) -> bool:
        """Whether the next sync must ask before it removes anything: the folder is empty, or what is hidden
        in it has changed."""
        return not self.source() or (self._hidden != self._hid and not self.disturbed)

    def kept_ids(self, before: Indexed) -> dict[str, tuple[str, str]]:
        """{uri: (document id, why)} of documents that must keep their id: those that stayed in place, and
        those that were renamed, when no other file has or had the same content."""
        source = self.source()
        live = {uri: d for uri, d in before.documents.items() if d.state is not State.SKIPPED}
        kept = {uri: (d.document_id, "stayed") for uri, d in live.items() if uri in source}
        if self.blocked() or (self.disturbed and self._folder.written):
            return kept
        missing = [d for uri, d in live.items() if uri not in source]
        new = [uri for uri in source if uri not in live and format_of(uri) is not None]
        gone = Counter(self._seen.get(d.document_id) for d in missing)
        come = Counter(source[uri] for uri in new)
        for uri in new:
            content = source[uri]
            old = next((d for d in missing if self._seen.get(d.document_id) == content), None)
            alone = gone[content] == come[content] == 1
            if content and old and alone and not self._folder.forbidden(uri):
                kept[uri] = (old.document_id, f"was {old.uri!r}")
        return kept

    # ── After a whole sync ────────────────────────────────────────────────────────────────────────────

    def check(self, workspace: Workspace, before: Indexed) -> Indexed:
        """Everything is as the source says; of a listing that was complete."""
        after = indexed(workspace)
        held = workspace.ledger.holds.held()
        source = self.source()
        for uri, content in source.items():
            self._is_as(uri, content, before, after)
        for uri, document in after.documents.items():
            if uri in source:
                continue
            if document.state is not State.HELD or document.document_id not in held:
                raise Divergence(f"{uri!r} is {document.state}, and the source does not have it")
            text = after.texts[document.document_id]
            if text != before.texts.get(document.document_id):
                raise Divergence(f"{uri!r} is held, and its text is now {text!r}")
        agree(workspace, deep=True)
        self._governed(workspace, after)
        forbidden = {uri for uri in source if self._folder.forbidden(uri)}
        planned = plan_of(workspace, "docs")
        left = [item for item in planned.work if item.uri not in forbidden]
        if left or planned.error:
            raise Divergence(f"there is still something to do: {planned.json()}")
        last = self._seen
        self._seen = {}
        for uri, content in source.items():
            document_id = after.documents[uri].document_id
            if uri not in forbidden:
                self._seen[document_id] = content
            elif document_id in last:
                self._seen[document_id] = last[document_id]
        self._folder.written.clear()
        self._hid = self._hidden
        self.disturbed = False
        return after

    def _is_as(self, uri: str, content: bytes, before: Indexed, after: Indexed) -> None:
        document = after.documents.get(uri)
        if document is None:
            raise Divergence(f"{uri!r} is not in the ledger")
        text = after.texts.get(document.document_id, "")
        old = before.texts.get(document.document_id, "")
        if format_of(uri) is None:
            wanted, state = "", State.SKIPPED
        elif self._folder.forbidden(uri) and document.state is State.QUARANTINED:
            # Looked at in vain. Where there was no reason to look, it is as if it could be read.
            wanted, state = old, State.QUARANTINED
        else:
            read = self._reader.text(uri, content)
            state = State.INDEXED if read is not None else State.QUARANTINED
            wanted = read if read is not None else old
        if document.state is not state:
            raise Divergence(f"{uri!r} is {document.state}, not {state} ({document.reason})")
        if text != wanted:
            raise Divergence(f"{uri!r} has the text {text!r}, not {wanted!r}")
        if state is State.INDEXED and not document.extraction_fingerprint:
            raise Divergence(f"{uri!r} is still to be read anew")
        if state is State.INDEXED and document.reason:
            raise Divergence(f"{uri!r} is indexed and has the reason {document.reason!r}")

    def _governed(self, workspace: Workspace, after: Indexed) -> None:
        rules = self._kb.source.get("rules")
        reviews = workspace.ledger.reviews.of([d.document_id for d in after.documents.values()])
        for uri, document in after.documents.items():
            if document.version == 0 or document.state is State.HELD:
                continue
            owner = rules[0]["owner"] if rules and uri.startswith("team/") else ""
            if document.owner != owner:
                raise Divergence(f"{uri!r} is owned by {document.owner!r}, not {owner!r}")
            made = reviews.get(document.document_id)
            if document.reviewed_at != (made[-1].at if made else None):
                raise Divergence(f"{uri!r} does not know its last review")

    # ── After a sync that could not see everything ────────────────────────────────────────────────────

    def check_incomplete(self, workspace: Workspace, before: Indexed, report: RunReport) -> Indexed:
        """Documents that can be seen are as the source says; the rest is unchanged, and the run says why."""
        blocked, done, after = self.blocked(), report.sources[0], indexed(workspace)
        if done.complete or not done.error or report.exit_code != 1:
            raise Divergence(f"{blocked} cannot be read, and the sync says: {done.json()}")
        seen = {u: c for u, c in self.source().items() if not _below(u, blocked)}
        for uri, content in seen.items():
            self._is_as(uri, content, before, after)
        for uri, old in before.documents.items():
            now = after.documents.get(uri)
            if now is None or now.document_id != old.document_id:
                raise Divergence(f"{uri!r} is {now}, and was {old}, although {blocked} cannot be read")
            text, was = after.texts.get(old.document_id, ""), before.texts.get(old.document_id, "")
            if uri not in seen and text != was:
                raise Divergence(f"{uri!r} cannot be seen, and its text is {text!r} and was {was!r}")
        for uri in after.documents.keys() - before.documents.keys() - seen.keys():
            raise Divergence(f"{uri!r} cannot be seen, and is in the index")
        agree(workspace, deep=True)
        self.disturbed = True
        return after

    # ── After any run ─────────────────────────────────────────────────────────────────────────────────

    def nothing_lost(self, workspace: Workspace, before: list[Document], source: dict[str, bytes]) -> None:
        """A document that the source had before the run and has after it is in the index as it was."""
        here = {d.document_id for d in workspace.ledger.documents.find()}
        for document in before:
            if document.document_id not in here and document.uri in source.keys() & self.source().keys():
                raise Divergence(f"{document.uri!r} was removed, and the source has it")

    def no_id_taken_over(self, before: Indexed, after: Indexed) -> None:
        """A document that has another name is the same by its content, or by at least half of its chunks."""
        old = {d.document_id: d for d in before.documents.values()}
        for uri, document in after.documents.items():
            known = old.get(document.document_id)
            if known is None or known.uri == uri or known.seen_hash == document.seen_hash:
                continue
            had, has = (i.chunks.get(known.document_id, frozenset()) for i in (before, after))
            if len(had & has) * 2 < len(had) or not had:
                raise Divergence(f"{uri!r} has the id of {known.uri!r}, with which it has little in common")

    def nothing_wasted(self, before: Indexed, after: Indexed, report: RunReport) -> None:
        """Only texts that the index did not have were embedded."""
        new, embedded = after.hashes - before.hashes, report.json()["chunks"]["embedded"]
        if embedded != len(new):
            raise Divergence(f"{embedded} texts were embedded, and {len(new)} are new")

    # ── At the end ────────────────────────────────────────────────────────────────────────────────────

    def same_as_rebuilt(self, workspace: Workspace) -> None:
        """The same configuration with an empty ledger and store gives the same index, but for what the
        source does not say: reviews, and the old texts of documents that are held or cannot be parsed."""
        found = verify(workspace, deep=True)
        if not found.ok:
            raise Divergence(f"verify finds {found.json()}")
        mine, theirs = image(workspace), rebuilt(self._kb)
        for document in workspace.ledger.documents.find():
            old_text = document.state is State.QUARANTINED and document.version > 0
            if document.state is State.HELD or old_text or document.reviewed_at is not None:
                for taken in (mine, theirs):
                    taken.documents.pop((document.source, document.uri), None)
                    taken.points.pop((document.source, document.uri), None)
        differ = differences(mine, theirs)
        if differ:
            raise Divergence("\n".join(["it differs from a rebuild:", *differ]))


def agree(workspace: Workspace, *, deep: bool = False) -> None:
    """Ledger and store say the same, and no run has left anything to be mended, but for documents that a
    repair had marked to be read anew when it crashed: until they can be, they are not what was written."""
    if workspace.ledger.collections.current() is None:
        return
    found = verify(workspace, deep=deep, sources=False)
    marked = {d.document_id for d in workspace.ledger.documents.find() if not d.extraction_fingerprint}
    found.altered = [finding for finding in found.altered if finding.document_id not in marked]
    if not found.ok:
        raise Divergence(f"verify finds {found.json()}")
    if workspace.ledger.points.intents():
        raise Divergence(f"intents are left: {workspace.ledger.points.intents()}")


def _below(uri: str, folders: list[str]) -> bool:
    return any(not folder or uri.startswith(f"{folder}/") for folder in folders)
