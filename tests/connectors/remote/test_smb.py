"""SMB, with Samba: logins, shares, sharing, times."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import smbclient

from connectors.base import SourceUnavailable
from connectors.remote import smb
from tests.connectors.remote.conftest import Place
from tests.connectors.remote.sites import PASSWORD


@pytest.fixture
def place(at: Callable[[str], Place]) -> Place:
    made = at("smb_site")
    made.put("a.md", b"a")
    return made


def test_a_wrong_password_is_named_and_never_shown(place: Place) -> None:
    with pytest.raises(SourceUnavailable, match="refuses to log in as user") as refused:
        place.connect(password="wrong-pass-9917").probe()
    assert "wrong-pass-9917" not in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_a_share_that_is_not_there_is_no_empty_source(place: Place) -> None:
    with pytest.raises(SourceUnavailable, match=r"does not exist; is it mounted there"):
        place.connect(url=f"smb://127.0.0.1:{place.site.port}/nothing/docs").list()
    with pytest.raises(SourceUnavailable, match="cannot be asked: the connection failed"):
        place.connect(url="smb://127.0.0.1:9/share").list()


def test_another_name_in_other_letters_is_another_document(place: Place) -> None:
    connector = place.connect()
    assert connector.stat("a.md") is not None
    for uri in ("A.md", "a*", "?.md", "a.md:stream", "a\\b", "*"):
        assert connector.stat(uri) is None, uri


def test_a_file_id_survives_a_rename_and_a_rewrite_changes_the_token(place: Place) -> None:
    connector = place.connect()
    (before,) = connector.list()
    (place.root / "a.md").rename(place.root / "b.md")
    (after,) = connector.list()
    assert before.native_id == after.native_id
    (place.root / "b.md").write_bytes(b"b")
    (written,) = connector.list()
    assert written.token != after.token


@pytest.mark.parametrize("number", [0, 0xFFFF_FFFF_FFFF_FFFF])
def test_folders_of_a_server_without_file_ids_are_not_one_folder(
    place: Place, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    place.put("b/c/d.md", b"d")
    described = smb._item
    monkeypatch.setattr(smb, "_item", lambda info: described(info._replace(file_id=number)))
    listing = place.connect().list()
    assert [(entry.uri, entry.native_id) for entry in listing] == [("a.md", None), ("b/c/d.md", None)]
    assert listing.complete


def test_a_document_is_read_while_another_program_has_it_open_and_stays_free_for_it(place: Place) -> None:
    connector = place.connect()
    options = {"username": place.site.settings()["username"], "password": PASSWORD, "port": place.site.port}
    cache: dict[str, object] = {}
    path = rf"\\127.0.0.1\share\{place.root.name}\a.md"
    with smbclient.open_file(path, "rb", share_access="rwd", connection_cache=cache, **options) as file:
        assert connector.fetch("a.md", None).entry.size == 1
        assert file.read() == b"a"
    smbclient.reset_connection_cache(connection_cache=cache)


def test_a_lost_connection_is_opened_again(place: Place) -> None:
    connector = place.connect()
    assert connector.stat("a.md") is not None
    for connection in connector._server._connections.values():  # type: ignore[attr-defined]
        connection.transport.close()
    assert connector.stat("a.md") is not None
