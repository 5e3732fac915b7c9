"""The needs of a source are named with the places where they were found, and no secret."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from connectors import needs
from connectors.base import ConnectorSettings, Need
from connectors.platform import platform_needs
from index.config import Config, load
from index.health.doctor import examine
from index.sources.needs import missing, needs_of, written_out
from tests.knowledge import Knowledge
from tests.vault import Vault, installed


@pytest.fixture(autouse=True)
def types() -> Iterator[None]:
    with installed():
        yield


def config(kb: Knowledge, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], **keys: Any) -> Config:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    kb.settings["sources"] = [{"id": "v", "type": "vault", "server": "east", "token": "x", **keys}]
    kb.config_text()
    return load(kb.home / "freshkb.yaml", environ, kb.home)


def found(config: Config) -> dict[str, str | None]:
    return {need.name: need.origin for need in needs_of(config, "v")}


@pytest.mark.parametrize(
    ("environ", "written", "origin"),
    [
        ({}, "literal-secret", "the configuration"),
        ({"A": "one"}, "${A}", "environment variable A"),
        ({"A": "one", "B": "two"}, "${A}:${B}", "environment variables A, B"),
        ({}, "${A:-default}", "the configuration"),
        ({"A": "one"}, "${A:-default}", "environment variable A"),
        ({}, "${A:-}", None),
    ],
)
def test_a_secret_comes_from_variables_or_from_the_file(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], written: str, origin: str | None
) -> None:
    assert found(config(kb, monkeypatch, environ, token=written)) == {"token": origin, "pin": None}


def test_secrets_are_found_by_their_place_in_a_url_by_their_key_and_by_their_variable(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"WIKI_PASSWORD": "one", "HOST": "east"}
    kb.settings["sources"] = [
        {
            "id": "v",
            "type": "table",
            "url": "postgresql://kb:${WIKI_PASSWORD}@${HOST}/db",
            "query": "sftp://user@host/",
            "columns": {"id": "i", "text": "${HOST}"},
            "settings": {"api_key": "abc", "deep": [{"x": "${WIKI_PASSWORD}"}], "n": 1, "on": True},
        }
    ]
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    kb.config_text()
    loaded = load(kb.home / "freshkb.yaml", told, kb.home)
    assert found(loaded) == {
        "url": "environment variable WIKI_PASSWORD",
        "settings.api_key": "the configuration",
        "settings.deep.x": "environment variable WIKI_PASSWORD",
    }
    assert written_out(loaded, "v") == ["settings.api_key"]


def test_the_packages_of_the_extra_of_its_type_are_needed(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["fine>=1; extra == 'vault'", 'none-such<2; extra == "vault"', "other; extra == 'x'", "always"]
    monkeypatch.setattr(metadata, "requires", lambda name: lines)

    def version(name: str) -> str:
        if name != "fine":
            raise metadata.PackageNotFoundError
        return "1.2"

    monkeypatch.setattr(metadata, "version", version)
    loaded = config(kb, monkeypatch, {})
    assert [need for need in needs_of(loaded, "v") if need.kind == "package"] == [
        Need("package", "fine", "1.2", "pip install 'freshkb[vault]'"),
        Need("package", "none-such", None, "pip install 'freshkb[vault]'"),
    ]
    assert missing(needs_of(loaded, "v")) == (
        "The package none-such is missing: pip install 'freshkb[vault]'."
    )


def test_our_own_extras_name_their_packages() -> None:
    assert "obstore" in {need.name for need in needs.packages("s3")}
    assert list(needs.packages("no such extra")) == []


def test_programs_variables_and_files_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert needs.program("sh", "install it").origin is not None
    assert needs.program("no-such-program", "install it").missing
    monkeypatch.setenv("A_KEY", "secret")
    assert needs.variable("A_KEY").origin == "environment variable A_KEY"
    monkeypatch.setenv("A_KEY", "")
    assert needs.variable("A_KEY", remedy="set it").missing
    assert needs.file("key", tmp_path / "key").origin is None
    (tmp_path / "key").write_text("secret")
    assert needs.file("key", tmp_path / "key").origin == str(tmp_path / "key")


@pytest.mark.parametrize(
    ("type_name", "place", "environ", "found"),
    [
        ("git", "https://example.org/a.git", {"SSH_AUTH_SOCK": "/run/a"}, {"git"}),
        ("git", "/srv/docs", {"SSH_AUTH_SOCK": "/run/a"}, {"git"}),
        ("git", "git@example.org:a.git", {"SSH_AUTH_SOCK": "/run/a"}, {"git", "ssh", "ssh's agent"}),
        ("git", "ssh://git@example.org/a.git", {}, {"git", "ssh"}),
        ("fsspec", "webdavs://example.org/", {}, {"httpx"}),
        (
            "fsspec",
            "sftp://a@example.org/",
            {"SSH_AUTH_SOCK": "/run/a"},
            {"asyncssh", "fsspec", "ssh's agent"},
        ),
        ("fsspec", "smb://example.org/", {}, {"smbprotocol"}),
        ("fsspec", "ftp://example.org/", {}, set()),
        ("s3", "s3://b", {}, {"obstore"}),
        ("s3", "s3://b", {"AWS_ACCESS_KEY_ID": "k3y-canary"}, {"obstore", "AWS_ACCESS_KEY_ID"}),
        ("s3", "s3://b", {"AWS_CONFIG_FILE": "a"}, {"obstore", "AWS configuration"}),
        (
            "gcs",
            "gs://b",
            {"GOOGLE_APPLICATION_CREDENTIALS": "a"},
            {"obstore", "Google's default credentials"},
        ),
        ("azure", "az://b", {"AZURE_CLIENT_SECRET": "k3y-canary"}, {"obstore", "AZURE_CLIENT_SECRET"}),
        ("sql", "sqlite:///a", {"PGPASSWORD": "k3y-canary"}, set()),
        ("sql", "postgresql://a@b/c", {"PGPASSWORD": "k3y-canary"}, {"PGPASSWORD"}),
        ("vault", "east", {"AWS_ACCESS_KEY_ID": "k3y-canary"}, set()),
    ],
)
def test_each_type_of_ours_has_its_own_needs_of_the_platform(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    type_name: str,
    place: str,
    environ: dict[str, str],
    found: set[str],
) -> None:
    class Settings(ConnectorSettings):
        place = frozenset({"where", "other"})
        where: str
        other: tuple[str, ...] = ()

    (tmp_path / "a").write_text("k3y-canary")
    monkeypatch.chdir(tmp_path)
    for name in ("SSH_AUTH_SOCK", "PGPASSWORD", "PGPASSFILE", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    told = list(platform_needs(type_name, Settings(where=place)))
    assert {need.name for need in told} == found
    assert "canary" not in str(told)


def test_what_the_platform_has_is_not_named_where_the_settings_give_a_secret(
    kb: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = [Need("program", "turner", "/bin/turner"), Need("credential", "agent", "socket")]
    monkeypatch.setattr("index.sources.needs.platform_needs", lambda type_name, settings: iter(needs))
    assert found(config(kb, monkeypatch, {}, token="${A:-}")) == {
        "turner": "/bin/turner", "agent": "socket", "token": None, "pin": None,
    }  # fmt: skip
    assert found(config(kb, monkeypatch, {"A": "one"}, token="${A:-}")) == {
        "turner": "/bin/turner", "token": "environment variable A", "pin": None,
    }  # fmt: skip


def test_several_that_one_remedy_gets_are_one_sentence() -> None:
    wanting = [
        Need("package", "a", None, "r"),
        Need("package", "b", None, "r"),
        Need("program", "c", None, "s"),
    ]
    assert missing(wanting) == "The packages a and b are missing: r. The program c is missing: s."


def test_the_doctor_names_what_is_missing(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    def bad() -> dict[str, str]:
        checks = kb.ask(lambda workspace: examine(workspace))
        return {check.name: check.detail for check in checks if not check.ok or check.name == "secrets v"}

    kb.settings["sources"] = [
        {"id": "v", "type": "vault", "server": "east", "token": "open-sesame-2026", "pin": ""},
    ]
    assert bad() == {
        "secrets v": "token: written in freshkb.yaml itself, for everyone who may read that file. Put it "
        "into an environment variable, and write ${NAME} in its place."
    }
    kb.source["token"] = "another-sesame-2026"
    assert bad()["source v"] == "The vault at east refuses the token ***."
    kb.source["token"] = ""
    assert bad()["source v"] == "The vault at east refuses the token . Not given: pin, token."
    Vault.wanting = [Need("program", "key-turner", None, "apt install key-turner")]
    assert bad()["source v"] == "The program key-turner is missing: apt install key-turner."
