"""Items of a plan and their work, as a table: a real folder, no orders, no parser's process, no store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from connectors.base import DocumentError, Fetched, connector_class
from index.config import load
from index.config.rules import Rules
from index.ledger import Ledger
from index.model import Action, Cause, Chunk, Failure, Item, Parsed, State
from index.records import Document
from index.sync.diff import Extraction
from index.sync.prepare import prepare
from index.sync.reading import Reading
from index.sync.source import Source
from index.sync.withhold import Tombstones
from index.sync.work import NewMetadata, NewVersion, Removal, RowOnly, Skip, Withheld, Work
from tests.knowledge import done

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EXTRACTION = Extraction({".md": "x1"}, limits="l1")
TEXT = "Leave is thirty days."
HASH = sha256(TEXT.encode()).hexdigest()

#: A document that is in the index as the file now is.
KNOWN = Document(
    "d1",
    "docs",
    "a.md",
    State.INDEXED,
    token="an older token",
    seen_hash=HASH,
    seen_extraction="x1",
    version=1,
    content_hash=HASH,
    extraction_fingerprint="x1",
    chunk_count=1,
    indexed_at=NOW,
)
FAILED = replace(
    KNOWN,
    state=State.QUARANTINED,
    reason="It was broken.",
    seen_extraction="x1+l1",
    version=0,
    content_hash=None,
    extraction_fingerprint="",
    chunk_count=0,
    indexed_at=None,
)


class Desk:
    """A folder with one file ``a.md``, and a parser that counts what it is given."""

    def __init__(self, home: Path, ledger: Ledger) -> None:
        self.file = home / "docs" / "a.md"
        self.file.parent.mkdir()
        self.file.write_text(TEXT)
        path = home / "freshkb.yaml"
        path.write_text(
            "version: 1\nsources: [{id: docs, type: files, root: ./docs, owner: 'user:anna'}]\n"
            "defaults: {limits: {max_size: 1kb}}\n"
        )
        config = load(path, {}, home)
        settings = config.source("docs")
        self.outcome: Callable[[str], Parsed | Failure] = lambda text: Parsed((), title=text.split()[0])
        self.parsed = 0
        self.source = Source(
            settings=settings,
            connector=connector_class("files")(settings.connector, config.context(settings)),
            rules=Rules(settings),
            extraction=EXTRACTION,
            parser=self._parse,
            chunker=lambda parsed: [Chunk(parsed.title, parsed.title, (), None, 1)],
            scratch=lambda: home,
            now=lambda: NOW,
            tombstones=Tombstones(ledger),
        )

    def _parse(self, content: Path, name: str) -> Future[Parsed | Failure]:
        self.parsed += 1
        return done(lambda: self.outcome(content.read_text()))

    def prepare(self, action: Action, known: Document | None, cause: Cause = Cause.LISTING) -> Work:
        made = prepare(Item(action, "a.md", "d1", cause=cause), known, self.source)
        return made.work() if isinstance(made, Reading) else made


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Ledger.open("sqlite", tmp_path / "state") as ledger:
        yield Desk(tmp_path, ledger)


def nothing(desk: Desk) -> None: ...


def vanish(desk: Desk) -> None:
    desk.file.unlink()


def change(desk: Desk) -> None:
    desk.file.write_text("Thirty-one days.")


def outgrow(desk: Desk) -> None:
    desk.file.write_text("x" * 1025)


def break_parser(desk: Desk) -> None:
    desk.outcome = lambda text: Failure("It is broken.")


def time_out(desk: Desk) -> None:
    desk.outcome = lambda text: Failure("It took too long.", transient=True)


def refuse(desk: Desk) -> None:
    """Its disk does not give it."""

    def failing(uri: str, into: Path | None) -> Fetched:
        raise DocumentError("It cannot be read: Input/output error.")

    desk.source.connector.fetch = failing  # type: ignore[method-assign]


def unsupport(desk: Desk) -> None:
    desk.source = replace(desk.source, extraction=Extraction({}, limits="l1"))


@pytest.mark.parametrize(
    ("action", "cause", "known", "happens", "work", "state", "parsed"),
    [
        # A new document, and its fates until it is read.
        (Action.ADD, Cause.LISTING, None, nothing, NewVersion, State.INDEXED, 1),
        (Action.ADD, Cause.LISTING, None, vanish, Skip, None, 0),
        (Action.ADD, Cause.LISTING, None, outgrow, RowOnly, State.QUARANTINED, 0),
        (Action.ADD, Cause.LISTING, None, break_parser, RowOnly, State.QUARANTINED, 1),
        (Action.ADD, Cause.LISTING, None, unsupport, RowOnly, State.SKIPPED, 0),
        (Action.ADD, Cause.LISTING, None, refuse, RowOnly, State.QUARANTINED, 0),
        # A known one: the same text is not parsed again, unless it is asked for.
        (Action.UPDATE, Cause.LISTING, KNOWN, nothing, NewMetadata, State.INDEXED, 0),
        (Action.UPDATE, Cause.REPAIR, KNOWN, nothing, NewVersion, State.INDEXED, 1),
        (Action.UPDATE, Cause.RETRY, KNOWN, nothing, NewVersion, State.INDEXED, 1),
        (Action.UPDATE, Cause.LISTING, KNOWN, change, NewVersion, State.INDEXED, 1),
        (Action.MOVE, Cause.LISTING, replace(KNOWN, uri="b.md"), nothing, NewMetadata, State.INDEXED, 0),
        (Action.TOUCH, Cause.RULES, KNOWN, nothing, NewMetadata, State.INDEXED, 0),
        # Its older text stays when the new one cannot be had.
        (Action.UPDATE, Cause.LISTING, KNOWN, break_parser, NewMetadata, State.INDEXED, 0),
        (Action.UPDATE, Cause.REPAIR, KNOWN, break_parser, NewMetadata, State.QUARANTINED, 1),
        (Action.UPDATE, Cause.REPAIR, KNOWN, time_out, NewMetadata, State.QUARANTINED, 1),
        (Action.UPDATE, Cause.LISTING, KNOWN, outgrow, NewMetadata, State.QUARANTINED, 0),
        (Action.UPDATE, Cause.LISTING, KNOWN, vanish, NewMetadata, State.INDEXED, 0),
        # A failed document is tried again when it is another text, or when a person asks.
        (Action.UPDATE, Cause.LISTING, FAILED, nothing, RowOnly, State.QUARANTINED, 0),
        (Action.UPDATE, Cause.LISTING, FAILED, change, NewVersion, State.INDEXED, 1),
        (Action.UPDATE, Cause.RETRY, FAILED, nothing, NewVersion, State.INDEXED, 1),
        (Action.UPDATE, Cause.LISTING, FAILED, unsupport, RowOnly, State.SKIPPED, 0),
        # Removals: only of what is gone at this moment.
        (Action.DELETE, Cause.LISTING, KNOWN, vanish, Removal, State.DELETED, 0),
        (Action.DELETE, Cause.LISTING, FAILED, nothing, Skip, None, 0),
        (Action.HOLD, Cause.HOLD, KNOWN, vanish, NewMetadata, State.HELD, 0),
        (Action.HOLD, Cause.HOLD, FAILED, vanish, RowOnly, State.HELD, 0),
    ],
)
def test_what_an_item_comes_to(
    desk: Desk,
    action: Action,
    cause: Cause,
    known: Document | None,
    happens: Callable[[Desk], None],
    work: type[Work],
    state: State | None,
    parsed: int,
) -> None:
    happens(desk)
    made = desk.prepare(action, known, cause)
    assert type(made) is work
    assert desk.parsed == parsed
    if not isinstance(made, Skip | Withheld):
        assert made.document.state is state
        assert made.document.document_id == "d1"
        # A person opens also what was never read.
        assert known is not None or made.document.url == f"file://{desk.file}"


def test_a_new_version_is_described_by_what_was_read(desk: Desk) -> None:
    made = desk.prepare(Action.ADD, None)
    assert isinstance(made, NewVersion)
    document = made.document
    assert (document.version, document.content_hash, document.seen_hash) == (1, HASH, HASH)
    assert (document.extraction_fingerprint, document.seen_extraction) == ("x1", "x1")
    assert (document.title, document.owner, document.size) == ("Leave", "user:anna", len(TEXT))
    assert document.url == f"file://{desk.file}"
    assert document.chunk_count == len(made.chunks) == 1


def test_a_failure_is_tried_again_only_when_it_was_of_the_moment(desk: Desk) -> None:
    break_parser(desk)
    lasting = desk.prepare(Action.ADD, None)
    time_out(desk)
    passing = desk.prepare(Action.ADD, None)
    assert isinstance(lasting, RowOnly)
    assert isinstance(passing, RowOnly)
    assert (lasting.document.seen_extraction, passing.document.seen_extraction) == ("x1+l1", "")


@pytest.mark.parametrize(
    ("action", "cause", "instead"),
    [
        (Action.MOVE, Cause.LISTING, Item(Action.MOVE, "a.md", "d1", cause=Cause.REPAIR)),
        (Action.TOUCH, Cause.RULES, Item(Action.UPDATE, "a.md", "d1", cause=Cause.REPAIR)),
    ],
)
def test_a_text_that_the_store_has_lost_is_read_again_by_a_planned_item(
    desk: Desk, action: Action, cause: Cause, instead: Item
) -> None:
    made = desk.prepare(action, KNOWN, cause)
    assert isinstance(made, NewMetadata)
    assert made.otherwise == instead


def test_a_text_that_cannot_be_read_again_is_only_noted(desk: Desk) -> None:
    outgrow(desk)
    made = desk.prepare(Action.UPDATE, KNOWN)
    assert isinstance(made, NewMetadata)
    assert made.otherwise == RowOnly(made.document)


def test_nothing_of_a_document_is_left_in_the_scratch_folder(desk: Desk, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    for happens in (nothing, break_parser, outgrow, vanish):
        happens(desk)
        desk.prepare(Action.UPDATE, KNOWN, Cause.REPAIR)
    assert sorted(tmp_path.iterdir()) == before
