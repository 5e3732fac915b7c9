"""`freshkb backup`: its answers, its options and its errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import CommandLine
from tests.knowledge import Knowledge


@pytest.fixture
def freshkb(kb: Knowledge, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    command = CommandLine(kb, monkeypatch)
    monkeypatch.delenv("FRESHKB_BACKUP_PASSPHRASE", raising=False)
    kb.write("a.md", "# Pay\n\nThe raise.\n")
    kb.write("b.md", "Another page.\n")
    command("sync")
    return command


def elsewhere(freshkb: CommandLine) -> None:
    """From now on, the configuration is of a state folder that is not there yet."""
    freshkb.kb.settings["state_dir"] = ".elsewhere"
    freshkb.kb.config()


def test_people_and_programs_are_told_what_is_in_it(freshkb: CommandLine, tmp_path: Path) -> None:
    answer = freshkb.json("backup", "create", str(tmp_path / "one"))
    assert (answer["documents"], answer["points"]) == (2, 2)
    assert answer["checkpoint"] == freshkb("log", "checkpoint").stdout.partition("\n\n")[0] + "\n"
    said = freshkb("backup", "create", str(tmp_path / "two")).stdout
    assert said == f"Wrote {tmp_path / 'two'}: 2 documents, 2 points.\n"
    assert "ledger already" in freshkb("backup", "restore", str(tmp_path / "one"), code=4).output
    elsewhere(freshkb)
    assert freshkb.json("backup", "restore", str(tmp_path / "one")) == answer | {"lost": 0, "orders": []}
    assert "source, ledger and store agree" in freshkb("verify", "--deep").stdout
    (hit, *_) = freshkb.json("search", "raise")
    assert hit["uri"] == "a.md"
    assert freshkb.json("sync")["chunks"] == {"embedded": 0, "reused": 0, "deleted": 0, "total": 2}


def test_the_passphrase_comes_from_the_environment(
    freshkb: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A passphrase is made a key of slowly, by design, and `test_restore` shows that no other opens a backup:
    # here is seen where it comes from.
    opened: dict[tuple[bytes, str], bytes] = {}

    def encrypt(plain: bytes, passphrase: str, *, armored: bool) -> bytes:
        opened[b"sealed", passphrase] = plain
        return b"sealed"

    monkeypatch.setattr("pyrage.passphrase.encrypt", encrypt)
    monkeypatch.setattr("pyrage.passphrase.decrypt", lambda *asked: opened[asked])
    folder = str(tmp_path / "backup")
    missing = freshkb("backup", "create", folder, "--encrypt", code=2)
    assert "set FRESHKB_BACKUP_PASSPHRASE" in missing.output
    monkeypatch.setenv("FRESHKB_BACKUP_PASSPHRASE", "correct horse battery")
    made = freshkb("backup", "create", folder, "--encrypt", "-v")
    assert "correct horse battery" not in made.output
    elsewhere(freshkb)
    freshkb("backup", "restore", folder)
    assert [passphrase for _, passphrase in opened] == ["correct horse battery"]
    assert len(freshkb.json("ls")) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "{out}", "--encrypt", "--recipient", "age1x"], "leave one option out"),
        (["create", "{out}", "--recipient", "age1x"], "no recipient"),
        (["create", "{out}", "--identity", "key"], "No such option"),
        (["restore", "{out}", "--encrypt"], "No such option"),
        (["create", "{docs}/backup"], "lies in source 'docs'"),
        (["create", "{docs}"], "lies in source 'docs'"),
    ],
)
def test_wrong_calls_are_refused(
    freshkb: CommandLine, tmp_path: Path, arguments: list[str], said: str
) -> None:
    out = tmp_path / "out"
    given = [argument.format(out=out, docs=freshkb.kb.docs) for argument in arguments]
    assert said in freshkb("backup", *given, code=2).output
    assert not out.exists()


def test_what_is_no_backup_is_refused_with_its_name(freshkb: CommandLine, tmp_path: Path) -> None:
    elsewhere(freshkb)
    refused = freshkb("backup", "restore", str(tmp_path / "nowhere"), "--json", code=4)
    assert '"code": "refused"' in refused.stderr
    assert "nowhere holds no backup" in refused.stderr
    assert refused.stdout == ""
