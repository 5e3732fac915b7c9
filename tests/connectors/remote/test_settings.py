"""The settings of a folder on a server: urls, keys of each protocol, and passwords that nobody sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.base import Context, connector_class
from connectors.remote.connector import FsspecConnector
from connectors.remote.settings import FsspecSettings, address


@pytest.mark.parametrize(
    ("url", "scheme", "hostport", "path"),
    [
        (
            "webdavs://cloud.example.org/remote.php/dav/files/anna/Team%20docs/",
            "webdavs",
            "cloud.example.org",
            5,
        ),
        ("sftp://files.example.org:2222/srv/docs", "sftp", "files.example.org:2222", 2),
        ("smb://nas/share/docs", "smb", "nas", 2),
        ("ftp://[::1]:2121", "ftp", "[::1]:2121", 0),
    ],
)
def test_a_url_names_a_folder_on_a_server(url: str, scheme: str, hostport: str, path: int) -> None:
    found = address(FsspecSettings(url=url).url)
    assert (found.scheme, found.hostport, len(found.path)) == (scheme, hostport, path)


def test_names_of_a_url_are_unescaped_also_those_that_are_not_utf_8() -> None:
    assert address("sftp://h/a%20b/%C3%A4/%ff").path == ("a b", "ä", "\udcff")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": "https://h/docs"}, "does not begin with ftp:// or ftps:// or sftp:// or smb://"),
        ({"url": "sftp://anna:pw-8431-x@h/docs"}, "names a user or a password; write them as keys"),
        ({"url": "sftp://anna@h/docs"}, "names a user or a password"),
        ({"url": "sftp://h/docs?x=1"}, r"has a \? or # in it"),
        ({"url": "sftp://h/docs#x"}, r"has a \? or # in it"),
        ({"url": "sftp://h/a/../b"}, "not the name of a folder"),
        ({"url": "sftp://h/a%2Fb"}, "not the name of a folder"),
        ({"url": "smb://nas"}, "names no share"),
        ({"url": "sftp://h:0/docs"}, "port that is no number"),
        ({"url": "sftp:///docs"}, "names no host"),
        ({"url": "webdavs://h/d", "key_file": "k"}, "key_file is for sftp://"),
        ({"url": "sftp://h/d", "ca_file": "k"}, "ca_file is for webdavs:// and ftps://"),
        ({"url": "sftp://h/d", "password": "pw-8431-x"}, "a password needs a username"),
        ({"url": "sftp://h/d", "verify": False}, "Extra inputs"),
    ],
)
def test_what_is_no_folder_on_a_server_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as refused:
        FsspecSettings.model_validate(settings)
    for error in refused.value.errors(include_input=False, include_url=False):
        assert "pw-8431-x" not in error["msg"]


def test_its_type_is_fsspec_and_its_settings_need_no_package_of_an_extra() -> None:
    assert connector_class("fsspec") is FsspecConnector


def test_secrets_are_in_no_description_of_settings_or_connector() -> None:
    settings = FsspecSettings.model_validate(
        {"url": "sftp://h/d", "username": "anna", "password": "pw-8431-x", "passphrase": "pp-9999-y"}
    )
    connector = FsspecConnector(settings, Context("docs", Path("/"), 100))
    for text in (
        repr(settings),
        str(settings.model_dump()),
        settings.model_dump_json(),
        repr(vars(connector)),
    ):
        assert "pw-8431-x" not in text
        assert "pp-9999-y" not in text


def test_links_are_what_a_person_opens() -> None:
    def link(url: str) -> tuple[str, str]:
        connector = FsspecConnector(FsspecSettings(url=url), Context("docs", Path("/"), 100))
        return connector.home(), connector.url("a b/ä%.md")

    assert link("webdavs://h:8443/dav") == (
        "https://h:8443/dav",
        "https://h:8443/dav/a%20b/%C3%A4%25.md",
    )
    assert link("sftp://h") == ("sftp://h/", "sftp://h/a%20b/%C3%A4%25.md")
