"""WebDAV: what servers answer, and what is made of it."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from connectors.base import DocumentChanging, DocumentError, SourceUnavailable
from connectors.remote.multistatus import parts
from connectors.remote.server import Dropped, Failed, Item
from tests.connectors.remote.conftest import Place
from tests.connectors.remote.sites import PASSWORD, USER, Answer, WebdavSite

HOUR = 3600


class Dav(Place):
    """A folder on the WebDAV server, and faults below it."""

    site: WebdavSite

    def answer(self, method: str, name: str, *answers: Answer) -> None:
        """These answers to questions for this file or folder, one after the other; then the last, again and
        again."""
        left = list(answers)

        def say(asked: str, path: str) -> Answer | None:
            if (asked, path.rstrip("/")) != (method, f"/{self.root.name}/{name}".rstrip("/")):
                return None
            return left.pop(0) if len(left) > 1 else left[0]

        self.site.answer = say

    def change(self, change: Callable[[str, str, dict[str, str], bytes], Any]) -> None:
        """What the server answers is changed: (method, path, headers, body) → body."""

        def changed(method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> Any:
            kept = dict(headers)
            body = change(method, path, kept, body)
            kept["Content-Length"] = kept.pop("X-Length", str(len(body)))
            return "", list(kept.items()), body

        self.site.change = changed

    def asked(self, method: str) -> list[str]:
        return [line for line in self.site.requests if line.startswith(f"{method} ")]


@pytest.fixture
def dav(at: Callable[[str], Place]) -> Dav:
    place = at("webdav_site")
    place.__class__ = Dav
    assert isinstance(place, Dav)
    for uri in ("a.md", "b/c.md", "d/e.md", "z.md"):
        long_ago(place.put(uri, uri.encode()))
    return place


def long_ago(path: Path, seconds: float = 2 * HOUR) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_unchanged_documents_cost_one_question_a_folder_and_no_download(dav: Dav) -> None:
    connector = dav.connect()
    before = list(connector.list())
    dav.site.requests.clear()
    assert list(connector.list()) == before
    # The root before and after, and each folder.
    assert len(dav.site.requests) == 2 + 3
    assert dav.asked("GET") == []
    assert connector.capabilities.token == "etag"


def test_an_old_version_has_its_etag_as_token_and_a_fresh_one_none_by_the_servers_clock(dav: Dav) -> None:
    connector = dav.connect()
    entry = connector.stat("a.md")
    assert entry is not None
    assert entry.token is not None and entry.token.startswith('"')
    assert connector.fetch("a.md", None).entry == entry
    dav.put("a.md", b"another")
    assert connector.fetch("a.md", None).entry.token is None
    # The server's clock is two hours ahead, and so are its files.
    ahead = time.time() + 2 * HOUR
    os.utime(dav.root / "a.md", (ahead, ahead))
    dav.change(
        lambda method, path, headers, body: headers.update(Date=formatdate(ahead, usegmt=True)) or body
    )
    assert connector.fetch("a.md", None).entry.token is None
    long_ago(dav.root / "a.md", 0)
    assert connector.fetch("a.md", None).entry.token is not None


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("500 Internal Server Error", "answers 500"),
        ("403 Forbidden", "forbids it"),
        ("404 Not Found", "does not exist"),
        ("301 Moved Permanently", "it is at webdavs://other.example.org/x;"),
        ("200 OK", "does not speak WebDAV"),
    ],
)
def test_a_folder_that_gets_another_answer_makes_the_listing_incomplete(
    dav: Dav, status: str, says: str
) -> None:
    location = [("Location", "https://anna:pw@other.example.org/x?token=1")]
    dav.answer("PROPFIND", "b", (status, location if status.startswith("3") else [], b"<html>Log in</html>"))
    listing = dav.connect().list()
    assert [entry.uri for entry in listing] == ["a.md", "d/e.md", "z.md"]
    assert not listing.complete
    assert says in listing.errors[0]
    assert "pw@" not in listing.errors[0] and "token" not in listing.errors[0]


def test_a_busy_server_is_asked_again_when_it_wants_to_be(dav: Dav, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("connectors.remote.asking.time.sleep", slept.append)
    connector = dav.connect()
    listed = connector.list()
    really = dav.site
    dav.answer(
        "PROPFIND",
        "b",
        ("429 Too Many Requests", [("Retry-After", "7")], b""),
        ("503 Service Unavailable", [("Retry-After", formatdate(time.time() + 30, usegmt=True))], b""),
        ("503 Service Unavailable", [], b""),
        ("503 Service Unavailable", [], b""),
    )
    count = 0
    broken = really.answer
    assert broken is not None

    def recovers(method: str, path: str) -> Answer | None:
        nonlocal count
        found = broken(method, path)
        count += found is not None
        return found if count < 4 else None

    really.answer = recovers
    assert [entry.uri for entry in listed] == ["a.md", "b/c.md", "d/e.md", "z.md"]
    assert listed.complete
    assert slept[0] == 7
    assert 27 < slept[1] < 32
    assert slept[2] == 0.02


def test_a_server_that_wants_to_be_left_alone_for_long_is(dav: Dav) -> None:
    dav.answer("PROPFIND", "b", ("503 Service Unavailable", [("Retry-After", "7200")], b""))
    listing = dav.connect().list()
    assert [entry.uri for entry in listing] == ["a.md", "d/e.md", "z.md"]
    assert "asks to come again in 7,200 seconds" in listing.errors[0]
    dav.answer("PROPFIND", "", ("503 Service Unavailable", [("Retry-After", "7200")], b""))
    with pytest.raises(SourceUnavailable, match="7,200 seconds"):
        dav.connect().list()


def test_a_listing_that_is_cut_off_is_incomplete(dav: Dav) -> None:
    dav.change(lambda method, path, headers, body: body[: len(body) // 2] if "/b" in path else body)
    listing = dav.connect().list()
    assert [entry.uri for entry in listing] == ["a.md", "d/e.md", "z.md"]
    assert "cut off" in listing.errors[0]


def test_a_listing_that_the_server_says_is_cut_short_is_incomplete(dav: Dav) -> None:
    def cut(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        if not path.rstrip("/").endswith("/b"):
            return body
        return (
            f'<d:multistatus xmlns:d="DAV:"><d:response><d:href>{quote(path)}</d:href>'
            "<d:status>HTTP/1.1 507 Insufficient Storage</d:status></d:response></d:multistatus>"
        ).encode()

    dav.change(cut)
    listing = dav.connect().list()
    assert [entry.uri for entry in listing] == ["a.md", "d/e.md", "z.md"]
    assert "cut its listing short" in listing.errors[0]


def test_credentials_that_are_revoked_half_way_end_the_listing_and_nothing_looks_gone(dav: Dav) -> None:
    connector = dav.connect()
    listing = connector.list()
    entries = iter(listing)
    assert next(entries).uri == "a.md"
    dav.site.answer = lambda method, path: ("401 Unauthorized", [("WWW-Authenticate", "Basic")], b"")
    assert [entry.uri for entry in entries] == []
    assert not listing.complete
    assert f"refuses to log in as user '{USER}'" in listing.errors[0]
    for ask in (connector.list, connector.probe, lambda: connector.stat("a.md")):
        with pytest.raises(SourceUnavailable, match=r"check username and password\.$"):
            ask()


def test_a_wrong_password_is_named_and_never_shown(dav: Dav) -> None:
    with pytest.raises(SourceUnavailable, match="refuses to log in as user 'anna'") as refused:
        dav.connect(password="wrong-pass-9917").probe()
    assert "wrong-pass-9917" not in str(refused.value)
    with pytest.raises(SourceUnavailable, match="set username and password"):
        dav.connect(username=None, password=None).probe()
    assert PASSWORD not in str(refused.value)


def test_a_server_that_does_not_answer_in_time_is_unavailable(
    dav: Dav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.remote.webdav.TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr("connectors.remote.asking.PAUSES", ())
    done = threading.Event()

    def hang(method: str, path: str) -> Answer | None:
        done.wait(10)
        return None

    dav.site.answer = hang
    try:
        with pytest.raises(SourceUnavailable, match="did not answer within"):
            dav.connect().probe()
    finally:
        done.set()


def test_no_server_at_all_is_unavailable(dav: Dav) -> None:
    with pytest.raises(SourceUnavailable, match="cannot be asked: the connection failed"):
        dav.connect(url="webdav://127.0.0.1:9/docs").probe()


def test_a_document_whose_body_is_cut_off_is_not_had_and_the_others_are(
    dav: Dav, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server keeps the connection open, and sends no more.
    monkeypatch.setattr("connectors.remote.webdav.TIMEOUT_SECONDS", 0.1)

    def cut(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        if method == "GET" and path.endswith("/a.md"):
            headers["X-Length"] = str(len(body))
            return body[:-1]
        return body

    dav.change(cut)
    connector = dav.connect()
    with pytest.raises(DocumentError, match=r"'a\.md' c.*\.$"):
        connector.fetch("a.md", tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert connector.fetch("z.md", None).content_hash


def test_a_document_that_changed_since_it_was_looked_at_is_read_again(dav: Dav) -> None:
    connector = dav.connect()
    count = 0

    def rewrite(method: str, path: str) -> None:
        nonlocal count
        if method == "GET" and count < 2:
            count += 1
            long_ago(dav.put("a.md", b"x" * count), 1000 * count)

    dav.site.answer = rewrite
    fetched = connector.fetch("a.md", None)
    assert count == 2
    assert fetched.entry == connector.stat("a.md")
    assert fetched.entry.size == 2


def test_a_document_behind_an_etag_that_never_matches_is_given_up(dav: Dav) -> None:
    dav.answer("GET", "a.md", ("412 Precondition Failed", [], b""))
    with pytest.raises(DocumentChanging, match=r"it changed meanwhile\.$"):
        dav.connect().fetch("a.md", None)


def test_a_root_that_is_a_file_or_is_gone_is_no_empty_source(dav: Dav) -> None:
    for name in ("a.md", "nowhere"):
        with pytest.raises(
            SourceUnavailable, match=r"does not exist; is it mounted there, or was it renamed\?$"
        ):
            dav.connect(url=f"{dav.settings()['url']}/{name}").list()


def test_names_with_every_special_letter_are_listed_and_read(dav: Dav) -> None:
    names = ["100%.md", "%41.md", "a?b#c.md", "a&b<c>.md", "x;y=z.md", "ünï.md", "a+b c.md", "it's [1].md"]
    for name in names:
        dav.put(f"n/{name}", name.encode())
    connector = dav.connect()
    listed = [entry for entry in connector.list() if entry.uri.startswith("n/")]
    assert len(listed) == len(names)
    for entry in listed:
        assert connector.stat(entry.uri) == entry
        assert connector.fetch(entry.uri, None).entry.size == entry.size


NEXTCLOUD = """<?xml version="1.0"?>
<d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns">
 <d:response><d:href>/remote.php/dav/files/anna/</d:href>
  <d:propstat><d:prop><d:resourcetype><d:collection/></d:resourcetype><oc:fileid>2</oc:fileid>
   <d:getetag>&quot;63f1&quot;</d:getetag></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>
  <d:propstat><d:prop><d:getcontentlength/></d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat>
 </d:response>
 <d:response><d:href>/remote.php/dav/files/anna/Team%20%25/a%20b.md</d:href>
  <d:propstat><d:prop><d:resourcetype/><d:getcontentlength>12</d:getcontentlength>
   <d:getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</d:getlastmodified>
   <d:getetag>&quot;abc&quot;</d:getetag><oc:fileid>17</oc:fileid></d:prop>
   <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>
 <d:response><d:href>https://h/w.md</d:href>
  <d:propstat><d:prop><d:getcontentlength>3</d:getcontentlength><d:getetag>W/&quot;1&quot;</d:getetag>
   <d:getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</d:getlastmodified></d:prop>
   <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>
 <d:response><d:href>/n.md</d:href><d:propstat><d:prop><d:resourcetype/><d:getcontentlength>-1</d:getcontentlength>
  <d:getlastmodified>yesterday</d:getlastmodified></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>
 </d:response>
 <d:response><d:href>/private/</d:href><d:status>HTTP/1.1 403 Forbidden</d:status></d:response>
 <d:response><d:href>/odd</d:href><d:propstat><d:prop><d:resourcetype/></d:prop>
  <d:status>HTTP/1.1 500 Oops</d:status></d:propstat></d:response>
</d:multistatus>"""


def test_an_answer_is_read_as_it_arrives_and_file_ids_are_kept() -> None:
    at = 784_111_777_000_000_000
    found = list(parts(NEXTCLOUD[i : i + 7].encode() for i in range(0, len(NEXTCLOUD), 7)))
    assert [part.item for part in found] == [
        Item("anna", "folder", native_id="2"),
        Item("a b.md", "file", 12, at, '"abc"', "17"),
        Item("w.md", "file", 3, at, f"3-{at}"),
        Item("n.md", "file"),
        Item("private", "unknown"),
        Item("odd", "unknown"),
    ]
    assert found[1].path == ("remote.php", "dav", "files", "anna", "Team %", "a b.md")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (NEXTCLOUD[:-20], Dropped),
        ("", Dropped),
        ("<html><body>Log in", Failed),
        ("{}", Failed),
        (NEXTCLOUD.replace("<d:href>", "<d:href>http://[bad"), Failed),
        ('<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><d:multistatus xmlns:d="DAV:">&b;</d:multistatus>', Dropped),
    ],
)
def test_what_is_no_answer_or_no_whole_one_is_an_error(answer: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        list(parts([answer.encode()]))


def test_file_ids_follow_a_renamed_document(dav: Dav) -> None:
    def identified(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        told = rb'<o:fileid xmlns:o="http://owncloud.org/ns">9</o:fileid><\1:getcontentlength>'
        return re.sub(rb"<(\w+):getcontentlength>", told, body)

    for uri in ("b/c.md", "d/e.md", "z.md"):
        (dav.root / uri).unlink()
    dav.change(identified)
    connector = dav.connect()
    assert "renames" not in connector.capabilities.detects
    (before,) = connector.list()
    (dav.root / "a.md").rename(dav.root / "b.md")
    (after,) = connector.list()
    assert before.native_id == after.native_id == "9"
    assert "renames" in connector.capabilities.detects
