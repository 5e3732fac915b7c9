"""What the configuration may say, and the links that follow from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from connectors.git.hosting import links
from connectors.git.settings import GitSettings, place_of
from tests.connectors.git.conftest import Connect

SECRET = "ghp_verysecret"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"repository": ""}, "must name a repository"),
        ({"repository": "~nobody-of-that-name/docs"}, "unknown user"),
        ({"repository": "--upload-pack=touch"}, "hyphen"),
        ({"repository": "ext::sh -c id"}, "helper program"),
        ({"repository": "git://host/x.git"}, "does not begin with"),
        ({"repository": "ssh://-oProxyCommand=id/x"}, "hyphen"),
        ({"repository": "-oProxyCommand=id@host:x"}, "hyphen"),
        ({"repository": "file://host/x.git"}, "three slashes"),
        ({"repository": f"https://me:{SECRET}@host/x.git"}, "password"),
        ({"repository": f"https://{SECRET}@host/x.git"}, "no token"),
        ({"repository": "https://host/x.git?a=b"}, "query"),
        ({"repository": "https://host/x", "branch": "a", "tag": "b"}, "not both"),
        ({"repository": "https://host/x", "branch": "--all"}, "not the name"),
        ({"repository": "https://host/x", "branch": "a b"}, "not the name"),
        ({"repository": "https://host/x", "branch": "a..b"}, "not the name"),
        ({"repository": "https://host/x", "tag": ""}, "not the name"),
        ({"repository": "https://host/x", "ssh_key": "k"}, "for ssh"),
        ({"repository": "git@host:x", "token": SECRET}, "for https"),
        ({"repository": "http://host/x", "token": SECRET}, "use https"),
        ({"repository": "https://host/x", "token": " "}, "empty"),
        ({"repository": "./x", "depth": 1}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused_and_no_secret_is_repeated(
    settings: dict[str, object], says: str
) -> None:
    with pytest.raises(ValidationError, match=says) as refused:
        GitSettings.model_validate(settings)
    messages = [str(error["msg"]) for error in refused.value.errors()]
    assert not any(SECRET in message for message in messages)


@pytest.mark.parametrize(
    ("repository", "scheme", "address", "path"),
    [
        ("https://me@host/a/b.git", "https", "https://host/a/b.git", "a/b"),
        ("HTTPS://host/a/b/", "https", "https://host/a/b/", "a/b"),
        ("git@host:a/b.git", "ssh", "git@host:a/b.git", "a/b"),
        ("ssh://git@host:2222/a/b.git", "ssh", "ssh://git@host:2222/a/b.git", "a/b"),
        ("file:///srv/a%20b.git", "path", "/srv/a b.git", ""),
        ("../docs", "path", "../docs", ""),
    ],
)
def test_a_repository_is_a_url_or_a_folder(repository: str, scheme: str, address: str, path: str) -> None:
    place = place_of(repository)
    assert (place.scheme, place.address, place.path) == (scheme, address, path)


def test_a_secret_is_shown_nowhere(connect: Connect) -> None:
    connector = connect("https://host/x.git", token=SECRET)
    assert SECRET not in f"{connector.settings!r} {connector.settings.model_dump_json()} {connector!r}"
    assert SECRET not in repr(connector._repository(Path("/nowhere")))


GITHUB = "https://github.com/team/docs.git"
AZURE = "https://dev.azure.com/o/a%20p/_git/d"


@pytest.mark.parametrize(
    ("repository", "branch", "tag", "site", "home", "file"),
    [
        (GITHUB, None, None, "github.com/team/docs", "/tree/HEAD", "/blob/HEAD/~"),
        ("git@github.com:team/docs", "x/y", None, "github.com/team/docs", "/tree/x/y", "/blob/x/y/~"),
        (
            "https://gitlab.org:8443/g/s/d.git",
            None,
            "v1",
            "gitlab.org:8443/g/s/d",
            "/-/tree/v1",
            "/-/blob/v1/~",
        ),
        ("https://bitbucket.org/team/d", "main", None, "bitbucket.org/team/d", "/src/main/", "/src/main/~"),
        ("https://codeberg.org/t/d.git", "m", None, "codeberg.org/t/d", "/src/branch/m", "/src/branch/m/~"),
        ("https://gitea.org/t/d.git", None, "v1", "gitea.org/t/d", "/src/tag/v1", "/src/tag/v1/~"),
        ("https://forgejo.org/t/d.git", None, None, "forgejo.org/t/d", "", "/src/~"),
        (AZURE, "m", None, "dev.azure.com/o/a%20p/_git/d", "?version=GBm", "?path=/~&version=GBm"),
        ("git@ssh.dev.azure.com:v3/o/p/d", None, None, "dev.azure.com/o/p/_git/d", "", "?path=/~"),
        ("https://git.example.org/docs.git", "main", None, "git.example.org/docs.git", "", "#~"),
    ],
)
def test_links_lead_to_the_pages_of_the_host(
    repository: str, branch: str | None, tag: str | None, site: str, home: str, file: str
) -> None:
    found, link = links(place_of(repository), branch, tag)
    assert found == f"https://{site}{home}"
    assert link("a/b.md") == f"https://{site}{file.replace('~', 'a/b.md')}"


def test_a_host_of_ssh_without_pages_has_the_address_of_the_repository() -> None:
    found, link = links(place_of("git@git.example.org:team/docs.git"), "main", None)
    assert found == "ssh://git@git.example.org/team/docs.git"
    assert link("a/b.md") == f"{found}#a/b.md"


def test_characters_of_a_path_are_escaped(connect: Connect, tmp_path: Path) -> None:
    link = connect(GITHUB, branch="main").url("a b/ä?#/100%/%E9.md")
    assert link == "https://github.com/team/docs/blob/main/a%20b/%C3%A4%3F%23/100%25/%E9.md"
    assert connect("docs").url("a b.md") == f"file://{tmp_path}/docs/a%20b.md"


def test_another_branch_is_another_place(connect: Connect, url: str) -> None:
    first, other = connect(url), connect(url, branch="main")
    assert first.probe() != other.probe()
    assert "HEAD" in first.probe() and "main" in other.probe()
