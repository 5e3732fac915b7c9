"""A source is put together from answers, and written with the rest of the file as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index.config import load
from index.config.keys import about, keys
from index.errors import ConfigError
from index.sources.add import addition, assign, sources_in, unset_in, write, wrong_with
from tests.vault import installed

OLD = "# Ours.\nversion: 1\nsources:\n  - id: docs   # all\n    type: files\n    root: docs\n"
NEW = {"id": "more", "type": "files", "root": "more"}


@pytest.fixture(autouse=True)
def types() -> Iterator[None]:
    with installed():
        yield


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "freshkb.yaml").write_text(OLD)
    return tmp_path


def test_keys_are_those_of_the_connector_with_what_is_said_of_them() -> None:
    assert [(str(key), key.required, key.secret, key.about) for key in keys("vault")] == [
        ("server", True, False, "Where it is."),
        ("shelf", False, False, "A part of it."),
        ("token", True, True, "What it wants to see."),
        ("pin", False, True, ""),
        ("depth", False, False, ""),
        ("start", False, False, ""),
    ]
    assert [str(key) for key in keys("table") if key.required] == ["url", "columns.id", "columns.text"]
    assert about("files") == "A folder of the local file system, or of one that is mounted"


@pytest.mark.parametrize(
    ("type_name", "given", "value"),
    [
        ("vault", "server=0123", "0123"),
        ("vault", "server=[east]", "[east]"),
        ("vault", "depth=4", 4),
        ("vault", "depth=deep", "deep"),
        ("vault", "start=https://e/[x]", ["https://e/[x]"]),
        ("vault", "start=[a, b]", ["a", "b"]),
        ("vault", "token=${T}", "${T}"),
        ("vault", "owner=user:anna", "user:anna"),
        ("vault", "owner=[user:anna, user:bo]", ["user:anna", "user:bo"]),
        ("vault", "limits.max_size=5mb", "5mb"),
        ("vault", "delete.max_count=5", 5),
        ("files", "hidden=true", True),
        ("table", "columns.id=i", "i"),
        ("table", "columns={id: i, text: t}", {"id": "i", "text": "t"}),
        ("table", "settings.a.b=7", 7),
        ("table", "settings.when=2026-01-01", "2026-01-01"),
        ("table", "query=", ""),
    ],
)
def test_a_value_is_what_the_key_takes(type_name: str, given: str, value: Any) -> None:
    name, _, text = given.partition("=")
    block: dict[str, Any] = {"id": "v", "type": type_name}
    assign(block, name, text)
    found: Any = block
    for part in name.split("."):
        found = found[part]
    assert found == value and type(found) is type(value)


def test_a_list_is_added_to_and_nothing_else_is_given_twice() -> None:
    block: dict[str, Any] = {"id": "v", "type": "vault"}
    assign(block, "start", "a")
    assign(block, "start", "[b, c]")
    assert block["start"] == ["a", "b", "c"]
    assign(block, "server", "east")
    for name, text, why in (
        ("server", "west", "server is given twice"),
        ("server.x", "west", "server has a value of its own already"),
        ("a..b", "x", "is no key"),
        ("start", "[a", "start: is not valid YAML"),
    ):
        with pytest.raises(ConfigError, match=why):
            assign(dict(block), name, text)


@pytest.mark.parametrize(
    ("type_name", "name", "text"),
    [
        ("vault", "token", "s3cr3t-canary"),
        ("vault", "token", "${T:-s3cr3t-canary}"),
        ("vault", "pin", "12345678-canary"),
        ("table", "url", "postgresql://kb:s3cr3t-canary@host/db"),
        ("table", "url", "https://s3cr3t-canary@example.org/"),
        ("table", "url", "https://example.org/?sig=s3cr3t-canary"),
        ("table", "settings.api_key", "s3cr3t-canary"),
        ("table", "settings", "{deep: {password: s3cr3t-canary}}"),
    ],
)
def test_a_secret_is_refused_and_not_repeated(type_name: str, name: str, text: str) -> None:
    with pytest.raises(ConfigError, match="secrets are not written into the file") as refused:
        assign({"id": "team-wiki", "type": type_name}, name, text)
    assert "canary" not in str(refused.value)
    assert "${TEAM_WIKI_" in str(refused.value)


@pytest.mark.parametrize(
    ("type_name", "name", "text"),
    [
        ("vault", "token", "${T}"),
        ("vault", "server", "sftp://user@host/docs"),
        ("vault", "server", "git@example.org:docs.git"),
        ("table", "url", "postgresql://kb:${P}@host/db"),
        ("table", "url", "postgresql://kb@host/db"),
        ("table", "settings.api_key", "${K}"),
    ],
)
def test_a_variable_in_the_place_of_a_secret_is_not(type_name: str, name: str, text: str) -> None:
    block: dict[str, Any] = {"id": "v", "type": type_name}
    assign(block, name, text)
    assert text in str(block)


def test_an_answer_is_checked_without_the_others() -> None:
    block: dict[str, Any] = {"id": "v", "type": "vault", "depth": "deep", "token": "${UNSET}"}
    assert wrong_with(block, ("depth",), {}) == ["depth 'deep' should be a whole number"]
    assert wrong_with(block, ("token",), {}) == []
    assert wrong_with({"id": "V", "type": "vault"}, ("id",), {}) != []
    assert "did you mean depth" in wrong_with({**block, "dept": 1}, ("dept",), {})[0]


def test_the_file_is_replaced_as_a_whole_with_its_mode(home: Path) -> None:
    file = home / "freshkb.yaml"
    file.chmod(0o640)
    added = addition(None, {}, home, NEW)
    assert file.read_text() == OLD
    write(added)
    assert file.read_text() == f"{OLD}  - id: more\n    type: files\n    root: more\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [source.id for source in load(None, {}, home).sources] == ["docs", "more"]
    assert list(home.iterdir()) == [home / "freshkb.yaml"]
    assert sources_in(None, {}, home) == ["docs", "more"]


def test_a_link_stays_and_a_byte_order_mark_and_the_lines_of_windows(home: Path) -> None:
    real = home / "real" / "kb.yaml"
    real.parent.mkdir()
    real.write_bytes(b"\xef\xbb\xbf" + OLD.replace("\n", "\r\n").encode())
    (home / "freshkb.yaml").unlink()
    (home / "freshkb.yaml").symlink_to(real)
    write(addition(None, {}, home, NEW))
    assert (home / "freshkb.yaml").is_symlink()
    raw = real.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf# Ours.\r\n") and raw.endswith(b"    root: more\r\n")
    assert raw.count(b"\n") == raw.count(b"\r\n")


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ({**NEW, "id": "docs"}, "'docs' is the id of an earlier source too"),
        ({**NEW, "rot": "x"}, "rot: unknown key; did you mean root"),
        ({"id": "more", "type": "files"}, "root: is missing"),
        ({**NEW, "type": "file"}, "No connector of type 'file' is installed"),
    ],
)
def test_a_source_that_is_wrong_leaves_the_file_untouched(
    home: Path, block: dict[str, Any], why: str
) -> None:
    with pytest.raises(ConfigError, match=why) as refused:
        addition(None, {}, home, block)
    assert str(refused.value).startswith("freshkb.yaml is as it was.")
    assert (home / "freshkb.yaml").read_text() == OLD


def test_a_file_that_is_wrong_already_is_named(home: Path) -> None:
    (home / "freshkb.yaml").write_text(f"{OLD}ledgre: sqlite\n")
    with pytest.raises(ConfigError, match=r"freshkb\.yaml:10: ledgre: unknown key; did you mean ledger"):
        addition(None, {}, home, NEW)
    (home / "freshkb.yaml").write_text("version: 1\nsources: &a [*a]\n")
    with pytest.raises(ConfigError, match="Write this into its list of sources yourself:\n- id: more"):
        addition(None, {}, home, NEW)
    (home / "freshkb.yaml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        addition(None, {}, home, NEW)
    (home / "freshkb.yaml").unlink()
    with pytest.raises(ConfigError, match="There is no freshkb"):
        addition(None, {}, home, NEW)


def test_a_file_that_was_changed_meanwhile_is_not_replaced(home: Path) -> None:
    added = addition(None, {}, home, NEW)
    (home / "freshkb.yaml").write_text(f"{OLD}# Later.\n")
    with pytest.raises(ConfigError, match="was changed meanwhile; nothing was written"):
        write(added)
    assert (home / "freshkb.yaml").read_text() == f"{OLD}# Later.\n"


def test_a_disk_that_is_full_leaves_the_file_as_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added = addition(None, {}, home, NEW)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        write(added)
    assert (home / "freshkb.yaml").read_text() == OLD
    assert list(home.iterdir()) == [home / "freshkb.yaml"]


def test_variables_that_are_not_set_have_a_stand_in(home: Path) -> None:
    block = {
        "id": "v",
        "type": "vault",
        "server": "${HOST:-east}",
        "token": "${T}",
        "start": ["${S}", "${T}"],
    }
    assert unset_in(block, {"S": "x"}) == ["T"]
    added = addition(None, {}, home, block)
    assert added.unset == ["T", "S"]
    assert "token: ${T}" in added.block and "start: ['${S}', '${T}']" in added.block
    with pytest.raises(ConfigError, match="needs the environment variable T"):
        load(None, {"S": "x"}, home, instead=added.after)
