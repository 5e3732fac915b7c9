"""The contract of every connector, as tests.

A connector's own test module derives from `ConnectorContract` and provides the fixture `driver`, which makes
the source do what the connector cannot: change, hide and fail.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import pytest

from connectors.base import (
    Connector,
    ConnectorError,
    DocumentChanging,
    DocumentError,
    DocumentForbidden,
    DocumentTooLarge,
    DocumentVanished,
    SourceUnavailable,
)

MAX_SIZE = 100_000

#: In ascending order by code point, which neither an alphabet nor a folder at a time would give.
ORDERED = [
    "a b.md",
    "a-b.md",
    "a/b/c.md",
    "a/b0.md",
    "a0.md",
    "aa/z.md",
    "z.md",
    "ä.md",
    "日本語.md",
    "😀.md",
]


class Driver(Protocol):
    """The source behind a connector with MAX_SIZE as its limit; empty at first."""

    @property
    def connector(self) -> Connector: ...

    def put(self, uri: str, data: bytes) -> None: ...
    def remove(self, uri: str) -> None: ...
    def rename(self, old: str, new: str) -> None: ...

    def describe(self, uri: str, properties: dict[str, str]) -> bool:
        """The source says this of the document from now on, and its version stays. False: it never says
        anything of its documents."""

    def own(self, text: str) -> bool:
        """Keep this CODEOWNERS file beside the documents from now on. False: the source never has any."""

    def forbid(self, uri: str) -> None:
        """Reading this document is refused from now on."""

    def disturb(self, uri: str) -> None:
        """Make this document change whenever it is read."""

    def conceal(self, folder: str) -> None:
        """Make this folder's contents impossible to list."""

    def take_away(self) -> None:
        """Make the source impossible to ask."""


class ConnectorContract:
    def test_a_listing_ascends_by_code_point_and_has_everything_once(self, driver: Driver) -> None:
        for uri in reversed(ORDERED):
            driver.put(uri, uri.encode())
        assert [entry.uri for entry in driver.connector.list()] == ORDERED

    def test_a_listing_is_complete_only_when_it_has_ended(self, driver: Driver) -> None:
        driver.put("a.md", b"a")
        listing = driver.connector.list()
        entries = iter(listing)
        assert next(entries).uri == "a.md"
        assert not listing.complete
        assert list(entries) == []
        assert listing.complete

    def test_an_empty_source_lists_nothing_completely(self, driver: Driver) -> None:
        listing = driver.connector.list()
        assert list(listing) == []
        assert listing.complete

    def test_a_part_that_cannot_be_listed_makes_the_listing_incomplete_and_the_rest_is_listed(
        self, driver: Driver
    ) -> None:
        for uri in ("a.md", "secret/b.md", "z.md"):
            driver.put(uri, b"x")
        driver.conceal("secret")
        listing = driver.connector.list()
        uris = {entry.uri for entry in listing}
        assert {"a.md", "z.md"} <= uris
        assert not listing.complete
        assert listing.errors
        assert all(error.endswith(".") for error in listing.errors)

    def test_folders_list_only_what_lies_directly_in_them(self, driver: Driver) -> None:
        for uri in ORDERED:
            driver.put(uri, b"x")
        listing = driver.connector.list(["a", "", "nowhere", "a", "a/b"])
        uris = [entry.uri for entry in listing]
        assert uris == [uri for uri in ORDERED if uri != "aa/z.md"]
        assert listing.complete
        assert [entry.uri for entry in driver.connector.list(["a"])] == ["a/b0.md"]
        assert [entry.uri for entry in driver.connector.list(["a/b"])] == ["a/b/c.md"]

    @pytest.mark.parametrize("folder", ["nowhere", "a.md", "..", "../..", "a/../..", "/", "a//b", "\0"])
    def test_a_folder_that_is_none_lists_nothing_and_that_is_no_error(
        self, driver: Driver, folder: str
    ) -> None:
        driver.put("a.md", b"x")
        listing = driver.connector.list([folder])
        assert list(listing) == []
        assert listing.complete

    def test_a_source_that_cannot_be_asked_says_so_and_never_looks_empty(self, driver: Driver) -> None:
        driver.put("a.md", b"x")
        driver.take_away()
        for ask in (
            driver.connector.probe,
            driver.connector.list,
            lambda: driver.connector.list(["a"]),
            lambda: driver.connector.stat("a.md"),
            lambda: driver.connector.fetch("a.md", None),
        ):
            with pytest.raises(SourceUnavailable, match=r"\.$|\?$"):
                ask()

    def test_the_identity_of_a_source_does_not_change_with_its_documents(self, driver: Driver) -> None:
        before = driver.connector.probe()
        driver.put("a.md", b"x")
        assert before
        assert driver.connector.probe() == before

    def test_stat_says_what_the_listing_says(self, driver: Driver) -> None:
        for uri in ORDERED:
            driver.put(uri, uri.encode())
        for entry in driver.connector.list():
            assert driver.connector.stat(entry.uri) == entry

    def test_what_the_filters_leave_out_is_neither_listed_nor_had(self, driver: Driver) -> None:
        driver.put("a/~$b.docx", b"x")
        assert list(driver.connector.list()) == []
        assert list(driver.connector.list(["a"])) == []
        assert driver.connector.stat("a/~$b.docx") is None
        with pytest.raises(DocumentError):
            driver.connector.fetch("a/~$b.docx", None)

    def test_fetch_writes_the_bytes_and_describes_them(self, driver: Driver, tmp_path: Path) -> None:
        data = bytes(range(256)) * 300
        driver.put("a/b.bin", data)
        fetched = driver.connector.fetch("a/b.bin", tmp_path / "fetched")
        assert (tmp_path / "fetched").read_bytes() == data
        assert fetched.content_hash == hashlib.sha256(data).hexdigest()
        assert fetched.entry.size == len(data)
        entry = driver.connector.stat("a/b.bin")
        assert entry is not None
        assert entry.size in (None, len(data))
        read = entry._replace(size=len(data))
        assert fetched.entry in (read, read._replace(token=None))
        assert driver.connector.fetch("a/b.bin", None).content_hash == fetched.content_hash

    def test_fetch_reads_an_empty_document(self, driver: Driver, tmp_path: Path) -> None:
        driver.put("empty.md", b"")
        driver.connector.fetch("empty.md", tmp_path / "fetched")
        assert (tmp_path / "fetched").read_bytes() == b""

    def test_another_version_never_has_the_token_that_was_read_before(self, driver: Driver) -> None:
        seen: dict[str, str] = {}
        for number in range(20):
            driver.put("a.md", f"{number:03}".encode())
            fetched = driver.connector.fetch("a.md", None)
            if fetched.entry.token is not None:
                assert seen.setdefault(fetched.entry.token, fetched.content_hash) == fetched.content_hash

    def test_an_unchanged_document_keeps_its_token(self, driver: Driver) -> None:
        driver.put("a.md", b"x")
        first = driver.connector.stat("a.md")
        driver.connector.fetch("a.md", None)
        assert driver.connector.stat("a.md") == first
        assert list(driver.connector.list()) == [first]

    def test_what_is_said_of_a_document_may_change_while_its_version_stays(self, driver: Driver) -> None:
        driver.put("a.md", b"x")
        before = driver.connector.stat("a.md")
        assert before is not None
        if not driver.describe("a.md", {"owner": "user:anna", "last_reviewed": "2026-05-01"}):
            assert before.properties is None
            return
        after = driver.connector.stat("a.md")
        assert after is not None
        assert after.properties == {"owner": "user:anna", "last_reviewed": "2026-05-01"}
        assert after == before._replace(properties=after.properties)
        assert list(driver.connector.list()) == [after]
        assert driver.connector.fetch("a.md", None).entry == after

    def test_its_codeowners_are_those_of_now_and_no_silence_means_that_there_are_none(
        self, driver: Driver
    ) -> None:
        driver.put("a.md", b"x")
        assert driver.connector.codeowners() is None
        before = driver.connector.stat("a.md")
        for text in ("* @anna\n", "* @bo\n"):
            if not driver.own(text):
                assert driver.connector.codeowners() is None
                return
            found = driver.connector.codeowners()
            assert found is not None
            assert (found.text, found.top) == (text, "")
        assert driver.connector.stat("a.md") == before
        driver.take_away()
        with pytest.raises(SourceUnavailable, match=r"\.$|\?$"):
            driver.connector.codeowners()

    def test_a_format_is_one_for_every_way_to_ask(self, driver: Driver) -> None:
        driver.put("v1.2/intro", b"x")
        (listed,) = driver.connector.list()
        assert driver.connector.stat("v1.2/intro") == listed
        assert driver.connector.fetch("v1.2/intro", None).entry.format == listed.format
        assert listed.format is None or "/" in listed.format or listed.format.startswith(".")

    def test_its_place_are_keys_of_its_settings(self, driver: Driver) -> None:
        settings = type(driver.connector).settings_model
        assert isinstance(driver.connector.settings, settings)
        assert settings.place <= settings.model_fields.keys() - {"include", "exclude"}

    def test_the_thread_that_uses_it_may_be_another_each_time(self, driver: Driver) -> None:
        driver.put("a.md", b"x")

        def everything() -> list[object]:
            connector = driver.connector
            return [
                connector.probe(),
                list(connector.list()),
                connector.stat("a.md"),
                connector.fetch("a.md", None).content_hash,
                connector.url("a.md"),
                connector.home(),
            ]

        here = everything()
        for _ in range(2):
            with ThreadPoolExecutor(1) as other:
                assert other.submit(everything).result() == here
        assert everything() == here

    def test_a_rename_keeps_the_native_identity(self, driver: Driver) -> None:
        driver.put("old.md", b"x")
        before = driver.connector.stat("old.md")
        driver.rename("old.md", "new.md")
        after = driver.connector.stat("new.md")
        assert before is not None
        assert after is not None
        assert before.native_id == after.native_id
        assert driver.connector.stat("old.md") is None

    def test_two_documents_never_have_one_native_identity(self, driver: Driver) -> None:
        for uri in ORDERED:
            driver.put(uri, b"same")
        ids = [entry.native_id for entry in driver.connector.list() if entry.native_id is not None]
        assert len(set(ids)) == len(ids)

    def test_a_document_that_is_gone_is_gone_everywhere(self, driver: Driver, tmp_path: Path) -> None:
        driver.put("a.md", b"x")
        driver.remove("a.md")
        assert list(driver.connector.list()) == []
        assert driver.connector.stat("a.md") is None
        self._refused(driver, "a.md", DocumentVanished, tmp_path)

    def test_a_document_that_may_not_be_read_still_exists(self, driver: Driver, tmp_path: Path) -> None:
        driver.put("a.md", b"x")
        driver.forbid("a.md")
        assert [entry.uri for entry in driver.connector.list()] == ["a.md"]
        self._refused(driver, "a.md", DocumentForbidden, tmp_path)

    def test_a_document_that_never_holds_still_is_given_up(self, driver: Driver, tmp_path: Path) -> None:
        driver.put("a.md", b"x")
        driver.disturb("a.md")
        self._refused(driver, "a.md", DocumentChanging, tmp_path)

    def test_a_document_above_the_limit_is_refused_and_one_at_it_is_not(
        self, driver: Driver, tmp_path: Path
    ) -> None:
        driver.put("a.md", b"x" * MAX_SIZE)
        driver.connector.fetch("a.md", None)
        driver.put("a.md", b"x" * (MAX_SIZE + 1))
        self._refused(driver, "a.md", DocumentTooLarge, tmp_path)

    @pytest.mark.parametrize(
        "uri", ["", ".", "..", "../x", "a/../a.md", "/etc/passwd", "a//b", "./a.md", "a\0"]
    )
    def test_what_is_no_uri_is_no_document(self, driver: Driver, tmp_path: Path, uri: str) -> None:
        driver.put("a.md", b"x")
        assert driver.connector.stat(uri) is None
        self._refused(driver, uri, DocumentError, tmp_path)

    def test_every_document_has_a_link_of_its_own(self, driver: Driver) -> None:
        links = {driver.connector.url(uri) for uri in ORDERED}
        assert len(links) == len(ORDERED)
        assert all("://" in link for link in links)

    def test_the_source_as_a_whole_has_a_link_that_no_document_changes(self, driver: Driver) -> None:
        before = driver.connector.home()
        driver.put("a.md", b"x")
        assert "://" in before
        assert driver.connector.home() == before
        assert driver.connector.url("a.md") != before

    def test_what_it_cannot_do_it_refuses(self, driver: Driver) -> None:
        if not driver.connector.capabilities.watch:
            with pytest.raises(ConnectorError):
                driver.connector.watch(lambda folder: None)

    def test_closing_twice_does_no_harm(self, driver: Driver) -> None:
        driver.connector.close()
        driver.connector.close()

    @staticmethod
    def _refused(driver: Driver, uri: str, error: type[DocumentError], tmp_path: Path) -> None:
        """Fetching fails with a sentence, and leaves no file behind."""
        into = tmp_path / "refused"
        with pytest.raises(error, match=r"\.$"):
            driver.connector.fetch(uri, into)
        assert not into.exists()
