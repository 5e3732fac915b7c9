"""SFTP: host keys, logins, links, lost connections."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from connectors.base import DocumentForbidden, DocumentVanished, SourceUnavailable
from tests.connectors.remote.conftest import Place
from tests.connectors.remote.sites import PASSWORD, SftpSite

HOUR = 3600


@pytest.fixture
def place(at: Callable[[str], Place]) -> Place:
    made = at("sftp_site")
    for uri in ("a.md", "b/c.md", "d/e.md", "z.md"):
        path = made.put(uri, uri.encode())
        os.utime(path, (time.time() - 2 * HOUR,) * 2)
    return made


@pytest.fixture
def site(place: Place) -> SftpSite:
    assert isinstance(place.site, SftpSite)
    return place.site


def test_an_unknown_host_key_is_refused_and_the_message_says_how_to_add_it(
    place: Place, tmp_path: Path
) -> None:
    nobody = tmp_path / "known_hosts"
    with pytest.raises(SourceUnavailable, match=r"does not exist; to add .* ssh-keyscan -p \d+ 127.0.0.1 >>"):
        place.connect(known_hosts=str(nobody)).probe()
    nobody.write_text("")
    with pytest.raises(SourceUnavailable, match=r"is not in '.*known_hosts'; compare .*ssh-keyscan -p \d+"):
        place.connect(known_hosts=str(nobody)).probe()


def test_another_host_key_than_the_known_one_is_refused_as_such(
    place: Place, site: SftpSite, tmp_path: Path
) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{site.port} {other}")
    with pytest.raises(SourceUnavailable, match=r"another one than .* somebody may be in between"):
        place.connect(known_hosts=str(known)).probe()


def test_a_key_a_password_and_an_encrypted_key_log_in_and_wrong_ones_are_named(
    place: Place, site: SftpSite, tmp_path: Path
) -> None:
    key, locked, unknown = tmp_path / "key", tmp_path / "locked", tmp_path / "unknown"
    site.key.write_private_key(key)
    site.key.write_private_key(locked, "pkcs8-pem", "open-sesame-77")
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(unknown)
    by_key: dict[str, Any] = {"password": None, "key_file": str(key)}
    here = place.connect().probe()
    assert place.connect(**by_key).probe() == here
    assert place.connect(**by_key | {"key_file": str(locked), "passphrase": "open-sesame-77"}).probe() == here
    for settings, says in (
        ({"password": "wrong-pass-9917"}, "refuses to log in as user 'anna'; check username"),
        (by_key | {"key_file": str(unknown)}, "refuses to log in as user 'anna'; check username"),
        (by_key | {"key_file": str(tmp_path / "none")}, "key_file '.*none' does not exist"),
        (by_key | {"key_file": str(locked)}, "private key cannot be read .*passphrase"),
        (by_key | {"key_file": str(locked), "passphrase": "wrong-pass-9917"}, "private key cannot be read"),
        (by_key | {"key_file": str(site.known_hosts)}, "private key cannot be read"),
    ):
        with pytest.raises(SourceUnavailable, match=says) as refused:
            place.connect(**settings).probe()
        for secret in (PASSWORD, "wrong-pass-9917", "open-sesame-77"):
            assert secret not in str(refused.value)


def test_links_are_no_documents_and_lead_nowhere(place: Place, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    inside = place.site.top / "inside.md"
    inside.write_text("x")
    (place.root / "link.md").symlink_to("a.md")
    (place.root / "out").symlink_to(place.site.top)
    (place.root / "dangling").symlink_to("nowhere")
    (place.root / "loop").symlink_to(".")
    os.mkfifo(place.root / "pipe.md")
    connector = place.connect()
    listing = connector.list()
    assert [entry.uri for entry in listing] == ["a.md", "b/c.md", "d/e.md", "z.md"]
    assert listing.complete
    assert list(connector.list(["out", "loop"])) == []
    for uri in ("link.md", "out/inside.md", "loop/a.md", "dangling", "pipe.md", "b", "a.md/x"):
        assert connector.stat(uri) is None, uri
        with pytest.raises(DocumentVanished):
            connector.fetch(uri, None)


@pytest.mark.parametrize("site_name", ["sftp_site", "openssh_site"])
def test_names_that_are_not_utf_8_are_listed_and_read(at: Callable[[str], Place], site_name: str) -> None:
    place = at(site_name)
    for name in (b"caf\xe9.md", b"100%25.md", b"-l", b"a\nb.md", "日本.md".encode()):
        Path(os.fsdecode(os.fsencode(place.root) + b"/" + name)).write_bytes(name)
    connector = place.connect()
    listed = list(connector.list())
    assert {entry.uri for entry in listed} == {"caf%E9.md", "100%2525.md", "-l", "a\nb.md", "日本.md"}
    for entry in listed:
        assert connector.stat(entry.uri) == entry
        assert connector.fetch(entry.uri, None).entry.size == entry.size


def test_hidden_names_are_documents_when_asked_for(place: Place) -> None:
    place.put(".h/x.md")
    place.put(".y.md")
    assert "y.md" not in "".join(entry.uri for entry in place.connect().list())
    found = [entry.uri for entry in place.connect(hidden=True).list()]
    assert {".h/x.md", ".y.md"} < set(found)


def test_a_lost_connection_is_opened_again(place: Place, site: SftpSite) -> None:
    connector = place.connect()
    listing = connector.list()
    entries = iter(listing)
    assert next(entries).uri == "a.md"
    site.dropping = 2
    assert [entry.uri for entry in entries] == ["b/c.md", "d/e.md", "z.md"]
    assert listing.complete
    site.dropping = 1
    assert connector.fetch("a.md", None).entry.token is not None
    site.dropping = 1
    assert connector.stat("a.md") is not None


def test_a_server_that_drops_every_connection_ends_the_listing_incomplete(
    place: Place, site: SftpSite
) -> None:
    connector = place.connect()
    listing = connector.list()
    entries = iter(listing)
    assert next(entries).uri == "a.md"
    site.dropping = 10_000
    assert [entry.uri for entry in entries] == ["z.md"]
    assert not listing.complete
    assert "the connection" in listing.errors[0]
    with pytest.raises(SourceUnavailable, match="cannot be asked: the connection"):
        connector.stat("a.md")


def test_a_server_that_hangs_is_unavailable(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.remote.sftp.TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr("connectors.remote.asking.PAUSES", ())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"sftp://127.0.0.1:{silent.getsockname()[1]}/docs"
        with pytest.raises(SourceUnavailable, match=r"did not answer|connection"):
            place.connect(url=url).probe()


def test_times_of_the_last_hour_are_no_tokens_until_they_were_seen_to_stay(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = place.connect()
    assert connector.fetch("a.md", None).entry.token is not None
    # Its server's clock is half an hour behind ours.
    behind = time.time() - HOUR / 2
    os.utime(place.put("a.md", b"1"), (behind, behind))
    assert connector.fetch("a.md", None).entry.token is None
    list(connector.list())
    passed = time.monotonic_ns() + 10 * 1_000_000_000
    monkeypatch.setattr("connectors.remote.clock.time.monotonic_ns", lambda: passed)
    assert connector.fetch("a.md", None).entry.token is not None


def test_a_folder_that_is_swapped_for_another_is_another_place(place: Place) -> None:
    connector = place.connect()
    here = connector.probe()
    listing = connector.list()
    entries = iter(listing)
    next(entries)
    other = place.root.with_name(f"{place.root.name} other")
    place.root.rename(other)
    place.root.symlink_to(other)
    assert connector.probe() != here
    assert list(entries)
    assert not listing.complete
    assert "was replaced while it was listed" in listing.errors[-1]
    place.root.unlink()
    other.rename(place.root)


def test_a_file_that_may_not_be_looked_at_is_forbidden_and_not_gone(
    at: Callable[[str], Place],
) -> None:
    place = at("openssh_site")
    place.put("b/c.md")
    (place.root / "b").chmod(0o600)
    connector = place.connect()
    with pytest.raises(DocumentForbidden, match=r"'b/c\.md' may not be read: the server forbids it"):
        connector.stat("b/c.md")
    (place.root / "b").chmod(0o755)
    assert connector.stat("b/c.md") is not None


def test_nothing_is_left_open(place: Place) -> None:
    connector = place.connect()
    list(connector.list())
    connector.fetch("a.md", None)
    connector.close()
    # The next question connects again, from another thread.
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(connector.stat("a.md")))
    thread.start()
    thread.join()
    assert found != [None]
