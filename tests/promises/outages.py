"""Ways in which a source falls silent, each with what freshkb has to say to it.

A scenario is a context manager: it strikes before its `yield` and mends after it. `OUTAGES` is the table.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import connectors.base
from connectors.base import ConnectorSettings, Context, Entry, Listing, SourceUnavailable
from connectors.files import FilesConnector
from index.errors import ParserError
from index.search.knowledge_base import KnowledgeBase
from tests.commands import CommandLine
from tests.fakes import MemoryConnector
from tests.knowledge import Knowledge
from tests.promises.image import Image, image

#: Documents of the source that is struck: enough for the guard to look at.
NUMBER = 20
#: Files below `sub`, and hidden ones: fewer than what any guard would stop.
BELOW, HIDDEN = 5, 2

TEXT = "# Page {n}\n\nThe word of this page is {word}.\n\n## More\n\nAnd {word} is also here.\n"


def uri_of(number: int) -> str:
    if number < BELOW:
        return f"sub/{number:02}.md"
    return f".notes/{number:02}.md" if number < BELOW + HIDDEN else f"{number:02}.md"


def word_of(number: int) -> str:
    return f"word{number:02}x"


class Place:
    """A knowledge base with the source ``docs``, which will be struck, and ``more``, which goes on."""

    def __init__(self, kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kb = kb
        self.docs = kb.docs
        self.aside = kb.home / "aside"
        self.elsewhere = kb.home / "elsewhere"
        self.state = kb.home / ".freshkb"
        kb.source["hidden"] = True
        kb.settings["sources"].append({"id": "more", "type": "files", "root": "./more"})
        (kb.home / "more").mkdir()
        self.freshkb = CommandLine(kb, monkeypatch)
        kb.clock.time = datetime.now(UTC)
        monkeypatch.setattr("index.workspace.datetime", SimpleNamespace(now=self._now))

    def _now(self, zone: Any) -> datetime:
        """The time for the commands: the clock of the tests, which ticks for them."""
        self.kb.clock.forward(milliseconds=1)
        return self.kb.clock()

    @property
    def source(self) -> dict[str, Any]:
        return self.kb.source

    def configure(self) -> None:
        self.kb.config()

    def settle(self) -> None:
        """Both sources are filled, and the index equals them."""
        for number in range(NUMBER):
            self.kb.write(uri_of(number), TEXT.format(n=number, word=word_of(number)))
        self.add("old.md")
        assert self.freshkb.json("sync")["documents"] == NUMBER + 1

    def add(self, uri: str) -> None:
        (self.kb.home / "more" / uri).write_text(f"# {uri}\n\nThe other source goes on with {uri}.\n")

    def files(self) -> list[Path]:
        return sorted(path for path in self.docs.rglob("*") if path.is_file())

    def image(self) -> Image:
        taken: Image = self.kb.ask(image)
        return taken

    def found(self, words: Collection[str]) -> set[str]:
        """Those of these words that a search leads to."""

        def search(workspace: Any) -> set[str]:
            reader = KnowledgeBase(workspace)
            hits = {word: reader.search(word, k=1, mode="sparse") for word in words}
            return {word for word, hit in hits.items() if hit and word in hit[0].text}

        found: set[str] = self.kb.ask(search)
        return found


@dataclass(frozen=True)
class Outage:
    """The exit code and the message of a sync, and its JSON's counts of the source ``docs``."""

    strike: Callable[[Place], AbstractContextManager[None]]
    code: int
    says: tuple[str, ...]
    complete: bool = True
    refused: int = 0
    quarantined: int = 0
    touched: int = 0
    options: tuple[str, ...] = ()
    """Of the sync."""
    others: bool = True
    """Whether the other source can be synced meanwhile."""
    plan: int | None = None
    """The code of `freshkb plan`, where it is another."""
    planned: int = 0
    """Removals of the plan, which the sync does not make."""
    before: Callable[[Place], AbstractContextManager[None]] | None = None
    """The state of the source from the beginning."""
    embedded: int = 0
    """Chunks that the sync after it embeds: only new ones."""

    @property
    def name(self) -> str:
        return self.strike.__name__.replace("_", " ")


OUTAGES: list[Outage] = []


def outage(code: int, *says: str, **more: Any) -> Callable[[Callable[[Place], Iterator[None]]], None]:
    def enter(strike: Callable[[Place], Iterator[None]]) -> None:
        OUTAGES.append(Outage(contextmanager(strike), code, says, **more))

    return enter


# ── The root ──────────────────────────────────────────────────────────────────────────────────────────

GONE = "does not exist; is it mounted?"
EMPTY = f"Source 'docs' lists no document, though {NUMBER} are known: is it mounted?"
ELSEWHERE = "Source 'docs' is another place than it was"
NOTHING_REMOVED = "Nothing was removed"
APPROVE = "freshkb sync --source docs --approve "


@contextmanager
def away(at: Place) -> Iterator[None]:
    """The root is at another name; a folder that the block puts in its place goes afterwards."""
    at.docs.rename(at.elsewhere)
    yield
    if at.docs.is_dir() and not at.docs.is_symlink():
        shutil.rmtree(at.docs)
    else:
        at.docs.unlink(missing_ok=True)
    at.elsewhere.rename(at.docs)


@outage(1, GONE, NOTHING_REMOVED, complete=False)
def the_root_is_missing(at: Place) -> Iterator[None]:
    with away(at):
        yield


@outage(1, EMPTY, "Nothing was deleted", APPROVE, refused=NUMBER)
def the_root_is_empty(at: Place) -> Iterator[None]:
    at.aside.mkdir()
    for path in at.docs.iterdir():
        path.rename(at.aside / path.name)
    yield
    for path in at.aside.iterdir():
        path.rename(at.docs / path.name)


@outage(1, ELSEWHERE, f"{NUMBER} of {NUMBER} documents are not in it", APPROVE, refused=NUMBER)
def the_root_is_replaced_by_an_empty_folder(at: Place) -> Iterator[None]:
    with away(at):
        at.docs.mkdir()
        yield


@outage(1, ELSEWHERE, f"{NUMBER - 1} of {NUMBER} documents are not in it", APPROVE, refused=NUMBER - 1)
def the_root_is_replaced_by_a_folder_with_other_documents(at: Place) -> Iterator[None]:
    with away(at):
        at.kb.write("other.md", "# Other\n\nText.")
        at.kb.write(uri_of(NUMBER - 1), "# Other\n\nText of the same name.")
        yield


@outage(1, ELSEWHERE, f"1 of {NUMBER} documents are not in it", APPROVE, refused=1)
def the_root_is_replaced_by_a_copy_that_lacks_one_document(at: Place) -> Iterator[None]:
    with away(at):
        shutil.copytree(at.elsewhere, at.docs)
        at.files()[-1].unlink()
        yield


@outage(1, "is not a folder.", NOTHING_REMOVED, complete=False)
def the_root_is_replaced_by_a_file(at: Place) -> Iterator[None]:
    with away(at):
        at.docs.write_text("a file")
        yield


@outage(1, ELSEWHERE, APPROVE, refused=NUMBER)
def the_root_is_replaced_by_a_link_to_another_folder(at: Place) -> Iterator[None]:
    with away(at):
        at.docs.symlink_to(at.kb.home / "more")
        yield


@outage(1, GONE, NOTHING_REMOVED, complete=False)
def the_root_is_replaced_by_a_link_that_leads_nowhere(at: Place) -> Iterator[None]:
    with away(at):
        at.docs.symlink_to(at.kb.home / "nowhere")
        yield


@outage(1, "may not be read: Permission denied.", NOTHING_REMOVED, complete=False)
def the_root_may_not_be_read(at: Place) -> Iterator[None]:
    at.docs.chmod(0)
    with bound(at):
        yield
    at.docs.chmod(0o755)


@outage(1, "cannot be read: Input/output error.", NOTHING_REMOVED, complete=False)
def the_disk_of_the_root_fails(at: Place) -> Iterator[None]:
    with broken(at.docs):
        yield


@contextmanager
def mounted(at: Place) -> Iterator[None]:
    mount(at.docs)
    try:
        yield
    finally:
        unmount(at.docs)


@outage(1, ELSEWHERE, f"{NUMBER} of {NUMBER} documents are not in it", refused=NUMBER, before=mounted)
def the_file_system_of_the_root_is_not_mounted(at: Place) -> Iterator[None]:
    with unmounted(at):
        yield


@outage(1, ELSEWHERE, f"{NUMBER} of {NUMBER} documents are not in it", refused=NUMBER, before=mounted)
def another_file_system_is_mounted_at_the_root(at: Place) -> Iterator[None]:
    with unmounted(at):
        mount(at.docs)
        at.kb.write("other.md", "# Other\n\nText.")
        yield
        unmount(at.docs)


# ── Below the root ────────────────────────────────────────────────────────────────────────────────────

INCOMPLETE = "Nothing was removed, because the listing is incomplete."


@outage(1, "'sub/' could not be listed: Permission denied.", INCOMPLETE, complete=False)
def a_folder_inside_may_not_be_read(at: Place) -> Iterator[None]:
    (at.docs / "sub").chmod(0)
    with bound(at):
        yield
    (at.docs / "sub").chmod(0o755)


@outage(1, "'sub/' could not be listed: Input/output error.", INCOMPLETE, complete=False)
def the_disk_fails_in_a_folder_inside(at: Place) -> Iterator[None]:
    with broken(at.docs / "sub"):
        yield


@outage(0, planned=1)
def a_file_is_away_while_it_is_listed_and_back_before_it_is_removed(at: Place) -> Iterator[None]:
    """So do programs save that delete the old file and rename the new one."""
    path = at.files()[-1]

    def saved(listing: Iterator[Entry]) -> Iterator[Entry]:
        path.rename(at.aside)
        yield from listing
        at.aside.rename(path)

    with listing_as(saved):
        yield


@outage(1, "'sub/' could not be listed: No such file or directory.", INCOMPLETE, complete=False)
def a_folder_vanishes_while_it_is_listed(at: Place) -> Iterator[None]:
    def vanishing(listing: Iterator[Entry]) -> Iterator[Entry]:
        (at.docs / "sub").rename(at.aside)
        try:
            yield from listing
        finally:
            at.aside.rename(at.docs / "sub")

    with listing_as(vanishing):
        yield


@outage(1, "was replaced while it was listed.", INCOMPLETE, complete=False)
def the_root_is_replaced_while_it_is_listed(at: Place) -> Iterator[None]:
    def replaced(listing: Iterator[Entry]) -> Iterator[Entry]:
        with away(at):
            at.docs.mkdir()
            yield from listing

    with listing_as(replaced):
        yield


# ── The listing ───────────────────────────────────────────────────────────────────────────────────────


@outage(1, "Page 2 did not come: 503.", NOTHING_REMOVED, complete=False)
def the_second_page_of_the_listing_fails(at: Place) -> Iterator[None]:
    def failing(listing: Iterator[Entry]) -> Iterator[Entry]:
        yield from (next(listing) for _ in range(NUMBER // 2))
        raise SourceUnavailable("Page 2 did not come: 503.")

    with listing_as(failing):
        yield


@outage(1, "Page 2 did not come: 503.", INCOMPLETE, complete=False)
def the_second_page_of_the_listing_is_skipped_with_an_error(at: Place) -> Iterator[None]:
    def skipped(listing: Iterator[Entry]) -> Iterator[Entry]:
        yield from (next(listing) for _ in range(NUMBER // 2))

    with listing_as(skipped, "Page 2 did not come: 503."):
        yield


@outage(1, EMPTY, "Nothing was deleted", APPROVE, refused=NUMBER)
def nothing_is_listed_and_called_complete(at: Place) -> Iterator[None]:
    with listing_as(lambda listing: iter(())):
        yield


@outage(4, f"Refusing to delete 18 of {NUMBER} documents from 'docs' (90%, limit 20%", APPROVE, refused=18)
def a_tenth_is_listed_and_called_complete(at: Place) -> Iterator[None]:
    with listing_as(lambda listing: iter(list(listing)[:2])):
        yield


@outage(1, "is listed after", NOTHING_REMOVED, complete=False)
def the_listing_is_not_in_order(at: Place) -> Iterator[None]:
    with listing_as(lambda listing: iter(list(listing)[::-1])):
        yield


@outage(1, "is listed after", NOTHING_REMOVED, complete=False)
def a_document_is_listed_twice(at: Place) -> Iterator[None]:
    def twice(listing: Iterator[Entry]) -> Iterator[Entry]:
        for entry in listing:
            yield entry
            yield entry

    with listing_as(twice):
        yield


@outage(4, f"Refusing to delete 12 of {NUMBER} documents", "(60%, limit 20% and 10 documents)", refused=12)
def many_documents_are_gone(at: Place) -> Iterator[None]:
    at.aside.mkdir()
    gone = at.files()[-12:]
    for path in gone:
        path.rename(at.aside / path.name)
    yield
    for path in gone:
        (at.aside / path.name).rename(path)


# ── The configuration ─────────────────────────────────────────────────────────────────────────────────

FILTERED = "The filters of 'docs' were changed"
TAKEN_OUT = "Source 'docs' is no longer in the configuration"


@contextmanager
def configured(at: Place, **change: Any) -> Iterator[None]:
    before = dict(at.source)
    at.source.update(change)
    at.configure()
    yield
    at.source.clear()
    at.source.update(before)
    at.configure()


@outage(4, FILTERED, f"15 of {NUMBER} documents would be removed", APPROVE, refused=15)
def the_include_filter_is_changed(at: Place) -> Iterator[None]:
    with configured(at, include=["sub/**"]):
        yield


@outage(4, FILTERED, f"5 of {NUMBER} documents would be removed", APPROVE, refused=5)
def the_exclude_filter_is_changed(at: Place) -> Iterator[None]:
    with configured(at, exclude=["sub/"]):
        yield


@outage(4, FILTERED, f"2 of {NUMBER} documents would be removed", APPROVE, refused=2)
def hidden_files_are_switched_off(at: Place) -> Iterator[None]:
    with configured(at, hidden=False):
        yield


@outage(4, FILTERED, f"{NUMBER} of {NUMBER} documents would be removed", APPROVE, refused=NUMBER)
def a_filter_leaves_nothing(at: Place) -> Iterator[None]:
    with configured(at, include=["*.markdown"]):
        yield


@outage(1, ELSEWHERE, APPROVE, refused=NUMBER)
def the_root_setting_is_changed(at: Place) -> Iterator[None]:
    with configured(at, root="./more"):
        yield


@outage(1, ELSEWHERE, "(memory, was ", APPROVE, refused=NUMBER)
def the_type_of_the_source_is_changed(at: Place) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(connectors.base.BUILT_IN, "wiki", f"{__name__}:Wiki")
        before = dict(at.source)
        at.source.clear()
        at.source.update({"id": "docs", "type": "wiki"})
        at.configure()
        yield
        at.source.clear()
        at.source.update(before)
        at.configure()


class Wiki(MemoryConnector):
    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__({"start.md": b"# Start\n\nText."}, settings=settings)


@outage(2, "No connector of type 'wiki' is installed; installed are: ", others=False, embedded=1)
def the_type_of_the_source_is_not_installed(at: Place) -> Iterator[None]:
    configuration = at.kb.home / "freshkb.yaml"
    before = configuration.read_text()
    configuration.write_text(before.replace("type: files", "type: wiki", 1))
    yield
    configuration.write_text(before)


@outage(4, TAKEN_OUT, f"{NUMBER} of {NUMBER} documents would be removed", APPROVE, refused=NUMBER)
def the_source_is_taken_out(at: Place) -> Iterator[None]:
    taken = at.kb.settings["sources"].pop(0)
    at.configure()
    yield
    at.kb.settings["sources"].insert(0, taken)
    at.configure()


@outage(4, TAKEN_OUT, f"{NUMBER} of {NUMBER} documents would be removed", APPROVE, refused=NUMBER)
def the_source_is_renamed(at: Place) -> Iterator[None]:
    with configured(at, id="handbook"):
        yield
    # Documents under the other name are removed as those of any other source that was taken out.
    (planned,) = at.freshkb.json("plan", "--source", "handbook", code=4)["sources"]
    at.freshkb("sync", "--source", "handbook", "--approve", planned["plan_hash"])


# ── Clocks ────────────────────────────────────────────────────────────────────────────────────────────


@outage(0)
def the_clock_jumps_a_year_ahead(at: Place) -> Iterator[None]:
    at.kb.clock.forward(days=366)
    yield
    at.kb.clock.forward(days=-366)


@outage(0)
def the_clock_jumps_a_year_back(at: Place) -> Iterator[None]:
    at.kb.clock.forward(days=-366)
    yield
    at.kb.clock.forward(days=366)


@outage(0, touched=NUMBER)
def all_files_are_touched(at: Place) -> Iterator[None]:
    for path in at.files():
        path.touch()
    yield


@outage(0, touched=NUMBER)
def all_files_get_one_time(at: Place) -> Iterator[None]:
    for path in at.files():
        os.utime(path, (1_000_000_000, 1_000_000_000))
    yield


@outage(0, touched=NUMBER)
def all_files_come_from_the_future(at: Place) -> Iterator[None]:
    for path in at.files():
        os.utime(path, (4_000_000_000, 4_000_000_000))
    yield


# ── Documents that cannot be had ──────────────────────────────────────────────────────────────────────

IN_QUARANTINE = f"docs: {NUMBER} documents in quarantine; see: freshkb ls --state quarantined"


@outage(3, IN_QUARANTINE, plan=0, quarantined=NUMBER, options=("--checksum",))
def no_file_may_be_read(at: Place) -> Iterator[None]:
    for path in at.files():
        path.chmod(0)
    with bound(at):
        yield
    for path in at.files():
        path.chmod(0o644)


@outage(3, IN_QUARANTINE, plan=0, quarantined=NUMBER)
def no_file_can_be_parsed(at: Place) -> Iterator[None]:
    whole = {path: path.read_bytes() for path in at.files()}
    for path in whole:
        path.write_bytes(b"\x00\x01\x02\xff\xfe\x00broken")
    yield
    for path, data in whole.items():
        path.write_bytes(data)


@outage(1, "The parser does not start.", others=False, plan=0, embedded=1)
def the_parser_does_not_start(at: Place) -> Iterator[None]:
    def parse(path: Path, name: str, timeout_seconds: float | None = None) -> Any:
        raise ParserError("The parser does not start.")

    whole = {path: path.read_bytes() for path in at.files()}
    for path in whole:
        path.write_text("# Other\n\nText.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at.kb.parser, "parse", parse)
        yield
    for path, data in whole.items():
        path.write_bytes(data)


@outage(3, IN_QUARANTINE, plan=0, quarantined=NUMBER)
def all_files_are_larger_than_a_lowered_limit(at: Place) -> Iterator[None]:
    for path in at.files():
        path.touch()
    with configured(at, limits={"max_size": "20b"}):
        yield


# ── What breaks things ────────────────────────────────────────────────────────────────────────────────


@contextmanager
def bound(at: Place) -> Iterator[None]:
    """Permissions bind: the superuser becomes another user, which owns everything below the home."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    for folder in at.kb.home.parents:
        mode = folder.stat().st_mode
        if mode & 0o011 != 0o011:
            folder.chmod(mode | 0o011)
    for path in (at.kb.home, *at.kb.home.rglob("*")):
        os.chown(path, nobody, nobody, follow_symlinks=False)
    # The superuser's parser goes on: another user may not be able to read Python.
    at.kb.parser.walls()
    handed = at.kb.parser.folders()
    for path in handed:
        os.chown(path, nobody, -1)
    os.seteuid(nobody)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(at.kb.home))
            yield
    finally:
        os.seteuid(0)
        for path in handed:
            os.chown(path, 0, -1)


@contextmanager
def broken(folder: Path) -> Iterator[None]:
    """Reading this folder fails as on a disk that is broken."""
    really = os.scandir

    def scandir(path: Any) -> Any:
        if isinstance(path, int) and os.path.samestat(os.fstat(path), folder.stat()):
            raise OSError(errno.EIO, "Input/output error")
        return really(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        yield


@contextmanager
def listing_as(change: Callable[[Iterator[Entry]], Iterator[Entry]], *errors: str) -> Iterator[None]:
    """Listings of the source pass through this; those of others stay as they are."""
    really = FilesConnector.list

    def listed(self: FilesConnector, folders: Collection[str] | None = None) -> Listing:
        listing = really(self, folders)
        if self.context.source == "docs":
            listing.entries = change(listing.entries)
            listing.errors.extend(errors)
        return listing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FilesConnector, "list", listed)
        yield


def mount(folder: Path) -> None:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "freshkb-test", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")


def unmount(folder: Path) -> None:
    subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def unmounted(at: Place) -> Iterator[None]:
    """Another name keeps the file system, as a disk does that is not mounted."""
    at.elsewhere.mkdir()
    subprocess.run(["mount", "--bind", str(at.docs), str(at.elsewhere)], check=True)
    unmount(at.docs)
    try:
        yield
    finally:
        subprocess.run(["mount", "--bind", str(at.elsewhere), str(at.docs)], check=True)
        unmount(at.elsewhere)
