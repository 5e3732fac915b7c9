"""FTP: the lines of listings, servers without MLSD, certificates."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from connectors.base import SourceUnavailable
from connectors.remote.ftp_lines import of_facts, of_list
from connectors.remote.server import Failed, Item
from tests.connectors.remote.conftest import Place
from tests.connectors.remote.sites import PASSWORD

AT = 1_190_286_391_000_000_000


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ("type=file;size=3;modify=20070920110631;unique=8g4; a b.md", ("a b.md", "file", 3, AT, "8g4")),
        ("Type=File;Size=3;Modify=20070920110631.250; x", ("x", "file", 3, AT + 250_000_000, None)),
        ("type=file;size=3;modify=20079999999999; x", ("x", "file", 3, None, None)),
        ("type=file;size=3;modify=00000101000000; x", ("x", "file", 3, None, None)),
        ("type=file; x;y.md", ("x;y.md", "file", None, None, None)),
        ("type=dir;sizd=0;unique=8g5;  leading", (" leading", "folder", None, None, "8g5")),
        ("type=OS.unix=slink:/etc/passwd;size=3; x", ("x", "other", None, None, None)),
        ("type=cdir; .", None),
        ("type=pdir; ..", None),
    ],
)
def test_a_machine_readable_line_is_an_item(line: str, item: tuple[object, ...] | None) -> None:
    found = of_facts(f"{line}\r")
    assert (found and (found.name, found.kind, found.size, found.modified_at, found.native_id)) == item
    if found is not None and found.kind == "file":
        assert (found.token is None) == (None in (found.size, found.modified_at))


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ("-rw-r--r--   1 0  0     12 Nov 22 12:41  a b.md", Item(" a b.md", "file", 12)),
        ("-rw-r--r--+  1 u  g  4096 Nov  2  2024 ä -> b", Item("ä -> b", "file", 4096)),
        ("drwxr-sr-t 2 u g 4096 Nov 22 12:41 folder", Item("folder", "folder")),
        ("lrwxrwxrwx 1 u g 4 Nov 22 12:41 x -> y", Item("x -> y", "other")),
        ("crw-rw-rw- 1 root root 1, 3 Nov 22 12:41 null", Item("null", "other")),
        ("drwxr-xr-x 2 u g 4096 Nov 22 12:41 ..", None),
        ("total 16", None),
        ("11-22-26  03:04PM       <DIR>          Team docs", Item("Team docs", "folder")),
        ("11-22-2026  15:04             1234 a b.md", Item("a b.md", "file", 1234)),
        ("11-22-26  03:04PM       <JUNCTION>     x", Item("x", "other")),
    ],
)
def test_a_line_for_people_is_an_item_with_name_and_size(line: str, item: Item | None) -> None:
    assert of_list(f"{line}\r") == item


@pytest.mark.parametrize("line", ["?? what is this", "-rw-r--r-- 1 u g x Nov 22 12:41 a", "a.md"])
def test_a_line_that_cannot_be_understood_is_an_error_and_never_left_out(line: str) -> None:
    with pytest.raises(Failed, match="cannot be understood"):
        of_list(line)
    with pytest.raises(Failed):
        of_facts(line)


@pytest.mark.parametrize("site", ["ftp_site", "old_ftp_site", "vsftpd_site"])
def test_names_are_bytes(at: Callable[[str], Place], site: str) -> None:
    place = at(site)
    # In other encodings some of their bytes are blanks or ends of lines.
    names = {"Å à.md", "a  b.md", "日本\u2028.md", "100%25.md", " x ", "-l"}
    for name in names:
        place.put(name, name.encode())
    connector = place.connect()
    listed = list(connector.list())
    assert {entry.uri for entry in listed} == names - {"100%25.md"} | {"100%2525.md"}
    for entry in listed:
        assert connector.stat(entry.uri) == entry
        assert connector.fetch(entry.uri, None).entry.size == entry.size


def test_a_server_without_facts_gives_no_tokens_and_no_dates(at: Callable[[str], Place]) -> None:
    old, new = at("old_ftp_site"), at("ftp_site")
    for place in (old, new):
        os.utime(place.put("a.md"), (time.time() - 100_000,) * 2)
    (entry,) = old.connect().list()
    assert (entry.token, entry.modified_at, entry.native_id, entry.size) == (None, None, None, 1)
    connector = old.connect()
    connector.probe()
    assert connector.capabilities.detects == frozenset()
    connector = new.connect()
    (entry,) = connector.list()
    assert None not in (entry.token, entry.modified_at, entry.native_id)
    assert connector.capabilities.detects == {"dates", "renames"}
    assert connector.fetch("a.md", None).entry == entry


@pytest.mark.parametrize("site", ["ftp_site", "old_ftp_site", "vsftpd_site"])
def test_hidden_names_are_documents_when_asked_for(at: Callable[[str], Place], site: str) -> None:
    place = at(site)
    place.put(".h/x.md")
    place.put("y.md")
    assert [entry.uri for entry in place.connect().list()] == ["y.md"]
    if site != "old_ftp_site":  # It takes -a for a name.
        assert [entry.uri for entry in place.connect(hidden=True).list()] == [".h/x.md", "y.md"]


def test_a_certificate_that_is_not_trusted_is_refused(at: Callable[[str], Place]) -> None:
    place = at("vsftpd_site")
    with pytest.raises(
        SourceUnavailable, match=r"certificate is not trusted .*name its authority with ca_file"
    ):
        place.connect(ca_file=None).probe()
    with pytest.raises(SourceUnavailable, match=r"ca_file '.*' cannot be read as certificates"):
        place.connect(ca_file=__file__).probe()


def test_a_wrong_password_is_named_and_never_shown(at: Callable[[str], Place]) -> None:
    with pytest.raises(SourceUnavailable, match="refuses to log in as user 'anna': 530") as refused:
        at("ftp_site").connect(password="wrong-pass-9917").probe()
    assert "wrong-pass-9917" not in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_a_connection_that_the_server_ended_is_opened_again(at: Callable[[str], Place]) -> None:
    place = at("ftp_site")
    for uri in ("a.md", "b/c.md", "z.md"):
        place.put(uri)
    connector = place.connect()
    listing = connector.list()
    entries = iter(listing)
    next(entries)
    control = connector._server._open  # type: ignore[attr-defined]
    control.sock.shutdown(2)
    assert [entry.uri for entry in entries] == ["b/c.md", "z.md"]
    assert listing.complete


def test_a_link_that_the_server_follows_in_a_circle_is_entered_once(at: Callable[[str], Place]) -> None:
    place = at("ftp_site")
    place.put("a/b.md")
    (place.root / "a/loop").symlink_to(".")
    listing = place.connect().list()
    assert [entry.uri for entry in listing] == ["a/b.md"]
    assert listing.complete
