"""Around any connector the contract of connectors holds, and mails are followed by what is attached."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from connectors.base import (
    Connector,
    Context,
    DocumentForbidden,
    DocumentTooLarge,
    DocumentVanished,
    Entry,
    Listing,
)
from connectors.files import FilesConnector, FilesSettings
from index.attachments import Mails, WithAttachments
from index.parse import Parser
from tests import documents
from tests.connectors.test_contract import FilesDriver, MemoryDriver
from tests.contracts.connector_contract import MAX_SIZE, ConnectorContract, Driver
from tests.fakes import MemoryConnector


@pytest.fixture
def reader(parser: Parser, tmp_path: Path) -> Mails:
    (tmp_path / "scratch").mkdir()
    return Mails(lambda: parser, lambda: tmp_path / "scratch", 60.0)


def files(folder: Path, cache: Path | None = None, **settings: Any) -> FilesConnector:
    folder.mkdir(exist_ok=True)
    made = FilesSettings.model_validate({"root": str(folder), **settings})
    return FilesConnector(made, Context("docs", folder, MAX_SIZE, cache=cache))


class Wrapped:
    """A driver whose connector has another around it."""

    def __init__(self, driver: Any, reader: Mails) -> None:
        self._driver = driver
        self.connector: Connector = WithAttachments(driver.connector, reader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)


class TestFiles(ConnectorContract):
    @pytest.fixture
    def driver(self, tmp_path: Path, reader: Mails, monkeypatch: pytest.MonkeyPatch) -> Driver:
        return Wrapped(FilesDriver(files(tmp_path / "source", tmp_path / "cache"), monkeypatch), reader)


class TestMemory(ConnectorContract):
    @pytest.fixture
    def driver(self, reader: Mails) -> Driver:
        return Wrapped(MemoryDriver(), reader)


class Mailbox:
    """Documents in memory, with the source that they are."""

    def __init__(self, folder: Path, reader: Mails) -> None:
        self.folder = folder
        self.inner = MemoryConnector(max_size=MAX_SIZE)
        self.source = WithAttachments(self.inner, reader)

    def put(self, uri: str, *attached: tuple[str, bytes | str], **options: Any) -> None:
        made = documents.letter(self.folder / "made.eml", attached, **options)
        self.inner.put(uri, made.read_bytes())

    def uris(self, folders: list[str] | None = None) -> list[str]:
        return [entry.uri for entry in self.source.list(folders)]


@pytest.fixture
def box(tmp_path: Path, reader: Mails) -> Mailbox:
    return Mailbox(tmp_path, reader)


def test_every_way_to_ask_for_an_attachment_has_one_answer(box: Mailbox, tmp_path: Path) -> None:
    box.put("in/a.eml", ("plan.md", "# Plan\n"), ("b.pdf", b"%PDF"))
    listed = {entry.uri: entry for entry in box.source.list()}
    assert list(listed) == ["in/a.eml", "in/a.eml/b.pdf", "in/a.eml/plan.md"]
    data = b"%PDF"
    pdf = listed["in/a.eml/b.pdf"]
    assert (pdf.token, pdf.size) == (hashlib.sha256(data).hexdigest(), 4)
    assert pdf.properties == {"enclosed_in": "in/a.eml", "sent": "2024-03-05T10:30:00+01:00"}
    assert box.source.stat(pdf.uri) == pdf
    fetched = box.source.fetch(pdf.uri, tmp_path / "got")
    assert (fetched.entry, fetched.content_hash, (tmp_path / "got").read_bytes()) == (pdf, pdf.token, data)
    assert box.source.fetch(pdf.uri, None) == fetched
    assert box.source.stat("in/a.eml/none.pdf") is None
    with pytest.raises(DocumentVanished):
        box.source.fetch("in/a.eml/none.pdf", tmp_path / "none")
    box.inner.remove("in/a.eml")
    assert box.source.stat(pdf.uri) is None
    with pytest.raises(DocumentVanished):
        box.source.fetch(pdf.uri, tmp_path / "none")
    box.source.close()
    assert not (tmp_path / "none").exists() and not list((tmp_path / "scratch").iterdir())


def test_a_listing_ascends_by_code_point(box: Mailbox) -> None:
    for uri in ("a.eml", "a.eml-", "a.eml.md", "a.eml0", "b.eml", "b/c.md", "z"):
        box.put(uri, ("y.md", "y"), ("Z.md", "z"), ("é.md", "e"))
    uris = box.uris()
    assert uris == sorted(uris)
    assert len(uris) == 7 + 2 * 3


def test_a_folder_lists_the_attachments_of_its_mails(box: Mailbox) -> None:
    box.put("in/a.eml", ("a.md", "a"))
    box.put("b.eml", ("b.md", "b"))
    assert box.uris(["in"]) == ["in/a.eml", "in/a.eml/a.md"]
    assert box.uris([""]) == ["b.eml", "b.eml/b.md"]
    assert box.uris(["in/a.eml"]) == []


def test_a_mail_is_one_by_the_format_that_its_source_gives(box: Mailbox, tmp_path: Path) -> None:
    box.put("mail 17", ("a.md", "a"))
    inner = box.inner
    really_list, really_stat, really_fetch = inner.list, inner.stat, inner.fetch

    def formed(entry: Entry) -> Entry:
        return entry._replace(format="message/rfc822")

    def listing(folders: Any = None) -> Listing:
        found = really_list(folders)
        found.entries = map(formed, found.entries)
        return found

    def stat(uri: str) -> Entry | None:
        found = really_stat(uri)
        return found and formed(found)

    def fetch(uri: str, into: Path | None) -> Any:
        found = really_fetch(uri, into)
        return replace(found, entry=formed(found.entry))

    vars(inner).update(list=listing, stat=stat, fetch=fetch)
    assert box.uris() == ["mail 17", "mail 17/a.md"]
    assert box.source.stat("mail 17/a.md") is not None
    assert box.source.fetch("mail 17/a.md", tmp_path / "got").entry.size == 2
    assert box.source.stat("mail 18/a.md") is None
    with pytest.raises(DocumentVanished):
        box.source.fetch("mail 18/a.md", None)


def test_a_document_of_the_source_comes_before_an_attachment_of_its_uri(box: Mailbox, tmp_path: Path) -> None:
    box.put("a.eml", ("a.md", "attached"), ("b.md", "attached"))
    box.inner.put("a.eml/a.md", b"own")
    entries = {entry.uri: entry for entry in box.source.list()}
    assert list(entries) == ["a.eml", "a.eml/a.md", "a.eml/b.md"]
    assert entries["a.eml/a.md"].size == 3 == getattr(box.source.stat("a.eml/a.md"), "size", None)
    box.source.fetch("a.eml/a.md", tmp_path / "own")
    assert (tmp_path / "own").read_bytes() == b"own"


def test_it_does_so_in_a_process_that_has_not_listed_the_source(tmp_path: Path, reader: Mails) -> None:
    inner = MemoryConnector({"a.eml/a.md": b"own", "a.eml/own.md": b"own"}, max_size=MAX_SIZE)
    inner.context = replace(inner.context, cache=tmp_path / "cache" / "memory")
    letter = documents.letter(tmp_path / "made.eml", [("a.md", "attached"), ("b.md", "attached")])
    inner.put("a.eml", letter.read_bytes())
    listed = {entry.uri: entry for entry in WithAttachments(inner, reader).list()}
    assert list(listed) == ["a.eml", "a.eml/a.md", "a.eml/b.md", "a.eml/own.md"]
    again = WithAttachments(inner, reader)
    for uri, entry in listed.items():
        assert again.stat(uri) == entry == again.fetch(uri, None).entry
    inner.remove("a.eml/a.md")
    list(again.list())
    assert again.fetch("a.eml/a.md", None).entry.properties == listed["a.eml/b.md"].properties


def test_a_source_is_not_asked_for_what_is_attached(box: Mailbox) -> None:
    box.put(
        "a.eml", ("a.md", "a"), ("deep.eml", documents.letter(box.folder / "b", [("b.md", "b")]).read_bytes())
    )
    listed = {entry.uri: entry for entry in box.source.list()}
    asked: list[str] = []
    really_stat, really_fetch = box.inner.stat, box.inner.fetch

    def stat(uri: str) -> Entry | None:
        asked.append(uri)
        return really_stat(uri)

    def fetch(uri: str, into: Path | None) -> Any:
        asked.append(uri)
        return really_fetch(uri, into)

    vars(box.inner).update(stat=stat, fetch=fetch)
    for uri in ("a.eml/a.md", "a.eml/deep.eml/b.md"):
        assert box.source.stat(uri) == listed[uri] == box.source.fetch(uri, box.folder / "got").entry
    assert set(asked) == {"a.eml"}


def test_below_a_mail_another_may_lie_with_attachments_of_its_own(box: Mailbox) -> None:
    box.put("a.eml", ("a.md", "a"))
    box.put("a.eml/b.eml", ("b.md", "b"))
    listed = {entry.uri: entry for entry in box.source.list()}
    assert list(listed) == ["a.eml", "a.eml/a.md", "a.eml/b.eml", "a.eml/b.eml/b.md"]
    for uri, entry in listed.items():
        assert box.source.stat(uri) == entry == box.source.fetch(uri, None).entry


def test_two_attachments_never_have_one_uri(box: Mailbox, tmp_path: Path) -> None:
    inner = documents.letter(tmp_path / "inner.eml", [("c.md", "c")]).read_bytes()
    box.put("a.eml", ("b.eml", inner))
    box.put("a.eml/b.eml", ("c.md", "another"))
    assert box.uris() == ["a.eml", "a.eml/b.eml", "a.eml/b.eml/c.md"]


def test_a_hostile_mail_is_listed_within_limits(box: Mailbox, tmp_path: Path, soak: bool) -> None:
    names = [
        "../../x",
        "../../x",
        "",
        ".",
        "..",
        "a/../b",
        "a\0b",
        ".env",
        "~$lock.md",
        "n" * 5000,
        "\u202ex",
    ]
    box.inner.context = replace(box.inner.context, max_size=5_000_000)
    box.source = WithAttachments(box.inner, box.source._mails)
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content("x")
    for name in [*names, "same.md"]:
        message.add_attachment(b"", "application", "octet-stream", filename=name)
    *first, last, end = message.as_bytes().split(f"--{message.get_boundary()}".encode())
    box.inner.put(
        "a.eml",
        f"--{message.get_boundary()}".encode().join([*first, *[last] * (9_989 if soak else 989), end]),
    )
    box.inner.put("a.emm", b"x")
    listing = box.source.list()
    found = [entry.uri for entry in listing]
    assert listing.complete and not listing.unlisted
    assert found == sorted(found) and len(set(found)) == 101
    own = [uri.removeprefix("a.eml/") for uri in found[1:-1]]
    assert all("/" not in name and not name.startswith(".") and name.isprintable() for name in own)
    assert max(map(len, own)) <= 120
    assert not any(name.startswith("~$") for name in own)


def test_pictures_of_the_text_and_signatures_are_no_attachments(box: Mailbox) -> None:
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content("See.")
    message.add_alternative('<p>See <img src="cid:logo@x"></p>', subtype="html")
    parts: Any = message.get_payload()
    parts[1].add_related(b"1", "image", "png", cid="<logo@x>", filename="logo.png", disposition="attachment")
    message.add_attachment(b"2", "image", "png", filename="inline.png", disposition="inline")
    message.add_attachment(b"3", "image", "png", filename="photo.png")
    message.add_attachment(b"4", "application", "pgp-signature", filename="signature.asc")
    message.add_attachment(b"5", "application", "pdf", filename="shown.pdf", disposition="inline")
    forwarded = EmailMessage()
    forwarded["Subject"] = "y"
    forwarded.set_content("Earlier.")
    forwarded.add_attachment("six", filename="earlier.txt")
    message.add_attachment(forwarded)
    box.inner.put("a.eml", message.as_bytes())
    assert box.uris() == ["a.eml", "a.eml/earlier.txt", "a.eml/photo.png", "a.eml/shown.pdf"]


def test_an_outlook_message_has_attachments(box: Mailbox, tmp_path: Path) -> None:
    path = documents.msg(tmp_path / "a.msg", subject="S", text="T", attachment="report.md")
    box.inner.put("a.msg", path.read_bytes())
    assert box.uris() == ["a.msg", "a.msg/report.md"]
    box.source.fetch("a.msg/report.md", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"data"


def test_a_mail_that_cannot_be_read_leaves_what_lies_below_it_alone(box: Mailbox) -> None:
    box.inner.put("a.eml", b"\x00")
    box.put("b.eml", ("b.md", "b"))
    box.put("c.eml", ("c.md", "c"))
    box.inner.forbidden.add("c.eml")
    box.inner.put("d.eml", b"x" * (MAX_SIZE + 1))
    listing = box.source.list()
    assert [entry.uri for entry in listing] == ["a.eml", "b.eml", "b.eml/b.md", "c.eml", "d.eml"]
    assert listing.complete
    assert [left.uri for left in listing.unlisted] == ["a.eml", "c.eml", "d.eml"]
    with pytest.raises(DocumentForbidden):
        box.source.stat("a.eml/a.md")


def test_an_attachment_above_the_limit_is_refused(tmp_path: Path, reader: Mails) -> None:
    inner = MemoryConnector(max_size=3_000)
    # UTF-16 makes a mail of twice the size of its text: the attachment in it is below the limit, as is seen.
    inner.put("a.eml", documents.letter(tmp_path / "a", [("a.bin", b"x" * 1_000)]).read_bytes())
    source = WithAttachments(inner, reader)
    assert [entry.uri for entry in source.list()] == ["a.eml", "a.eml/a.bin"]
    inner.context = replace(inner.context, max_size=999)
    source.context = inner.context
    with pytest.raises(DocumentTooLarge, match=r"limits\.max_size"):
        source.fetch("a.eml/a.bin", None)


@pytest.mark.parametrize("damage", [b"", b"no database", None])
def test_a_memory_that_is_gone_or_damaged_costs_time_alone(
    tmp_path: Path, reader: Mails, damage: bytes | None
) -> None:
    connector = WithAttachments(files(tmp_path / "docs", tmp_path / "cache" / "docs"), reader)
    documents.letter(tmp_path / "docs" / "a.eml", [("a.md", "a")])
    expected = [entry.uri for entry in connector.list()]
    kept = tmp_path / "cache" / "docs.attachments" / "members.db"
    assert kept.exists()
    for _ in range(2):
        if damage is None:
            kept.unlink(missing_ok=True)
            kept.parent.rmdir()
        else:
            kept.write_bytes(damage)
        assert [entry.uri for entry in connector.list()] == expected == ["a.eml", "a.eml/a.md"]


def test_of_a_mail_that_is_gone_no_name_is_kept(tmp_path: Path, reader: Mails) -> None:
    connector = WithAttachments(files(tmp_path / "docs", tmp_path / "cache" / "docs"), reader)
    kept = tmp_path / "cache" / "docs.attachments" / "members.db"
    for name in ("a", "b", "c"):
        documents.letter(tmp_path / "docs" / f"{name}.eml", [(f"secret-{name}.md", "x")])
    list(connector.list())
    assert b"secret-b" in kept.read_bytes()
    (tmp_path / "docs" / "b.eml").unlink()
    list(connector.list([""]))
    assert b"secret-b" in kept.read_bytes()
    list(connector.list())
    assert b"secret-b" not in kept.read_bytes() and b"secret-c" in kept.read_bytes()
    for path in (tmp_path / "docs").iterdir():
        path.unlink()
    list(connector.list())
    assert b"secret" not in kept.read_bytes()


def test_a_source_without_a_mail_keeps_nothing_and_asks_no_parser(tmp_path: Path) -> None:
    def never() -> Any:
        raise AssertionError

    connector = WithAttachments(
        files(tmp_path / "docs", tmp_path / "cache" / "docs"), Mails(never, never, 1.0)
    )
    for number in range(1200):
        (tmp_path / "docs" / f"{number}.md").write_bytes(b"x")
    assert len([*connector.list()]) == 1200
    connector.fetch("7.md", None)
    assert connector.stat("none/7.md") is None
    with pytest.raises(DocumentVanished):
        connector.fetch("none/7.md", None)
    assert not (tmp_path / "cache").exists()


def test_a_source_is_not_asked_for_mails_while_it_is_listed(box: Mailbox) -> None:
    for number in range(1100):
        box.inner.put(f"{number:04}.md", b"x")
    box.put("0300.eml", ("a.md", "a"))
    box.put("0900.eml", ("b.md", "b"))
    listing, fetched = box.inner.list(), box.inner.fetch
    running = True

    def entries() -> Iterator[Entry]:
        nonlocal running
        yield from listing.entries
        running = False

    def fetch(uri: str, into: Path | None) -> Any:
        assert not running
        return fetched(uri, into)

    vars(box.inner).update(list=lambda folders: replace(listing, entries=entries()), fetch=fetch)
    assert len(box.uris()) == 1104
