"""A restore refuses what is damaged, newer or not vacant, and leaves nothing behind when it fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from index.backup.manifest import Manifest
from index.backup.restore import HOME
from index.errors import ConfigError, Locked, Refused, StoreError
from index.ledger.copy import existing
from index.model import digest
from index.sizes import Sizes
from index.store.edge.session import EdgeSession
from tests.index.backup.conftest import agrees, made, restored, rows
from tests.knowledge import Knowledge


@pytest.fixture
def backup(full: Knowledge, tmp_path: Path) -> Path:
    made(full, tmp_path / "backup")
    return tmp_path / "backup"


def nothing(kb: Knowledge) -> bool:
    """Whether there is neither a ledger nor a collection."""
    state = kb.home / ".freshkb"
    return existing("sqlite", state) is None and not list(state.glob("index/[!.]*"))


def flipped(at: float) -> Callable[[Path], None]:
    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[int((len(content) - 1) * at)] ^= 4
        path.write_bytes(content)

    return flip


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def grown(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


#: Kinds of damage of one file.
DAMAGES = [*map(flipped, (0.0, 0.3, 0.62, 0.9, 1.0)), truncated, grown, Path.unlink]


def test_damage_of_any_file_is_found_before_anything_is_written(backup: Path, other: Knowledge) -> None:
    kept = {path: path.read_bytes() for path in backup.iterdir()}
    assert len(kept) == 3
    for path, content in kept.items():
        for damage in DAMAGES:
            damage(path)
            with pytest.raises(Refused, match=path.name) as refused:
                restored(other, backup)
            assert refused.value.exit_code == 4
            assert nothing(other)
            path.write_bytes(content)
    restored(other, backup)
    agrees(other)


def forge(backup: Path, **fields: object) -> None:
    """A manifest with other values, as a program would write it."""
    said = json.loads((backup / "backup.json").read_text())
    said |= fields
    del said["digest"]
    text = json.dumps({**said, "digest": digest(said)}, indent=1) + "\n"
    (backup / "backup.json").write_text(text)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"format": 2, "new": []}, "format 2 of a newer freshkb"),
        ({"schema": "m999"}, "its schema is m999"),
        ({"schema": "'; --"}, "newer freshkb"),
        ({"files": []}, "does not list"),
        ({"instance": 7, "rows": None, "collections": 3}, "backup.json"),
    ],
)
def test_a_backup_of_a_newer_program_or_of_none_is_refused(
    backup: Path, other: Knowledge, fields: dict[str, object], said: str
) -> None:
    forge(backup, **fields)
    with pytest.raises(Refused, match=said):
        restored(other, backup)
    assert nothing(other)


def test_a_folder_without_a_manifest_is_no_backup(backup: Path, other: Knowledge, tmp_path: Path) -> None:
    (backup / "backup.json").unlink()
    for folder in (backup, tmp_path / "nowhere"):
        with pytest.raises(Refused, match="holds no backup"):
            restored(other, folder)
    assert nothing(other)


def test_files_that_do_not_belong_together_are_refused(
    backup: Path, full: Knowledge, other: Knowledge, tmp_path: Path
) -> None:
    full.write("team/04.md", "Changed.\n")
    full.sync()
    later = made(full, tmp_path / "later")
    manifest = Manifest.read(backup)
    name = manifest.collections[0].file
    shutil.copyfile(tmp_path / "later" / name, backup / name)
    files = [f._asdict() for f in (manifest.files[0], *(f for f in later.files if f.name == name))]
    forge(backup, files=files)
    with pytest.raises(Refused, match="does not agree with ledger"):
        restored(other, backup)
    assert nothing(other)


def test_a_ledger_or_a_collection_is_never_replaced(backup: Path, full: Knowledge, other: Knowledge) -> None:
    before = rows(full)
    with pytest.raises(Refused, match=r"ledger already: .*ledger\.db"):
        restored(full, backup)
    (full.home / ".freshkb" / "ledger.db").rename(full.home / "aside.db")
    with pytest.raises(Refused, match=r"collection already: .*index/kb-"):
        restored(full, backup)
    (full.home / "aside.db").rename(full.home / ".freshkb" / "ledger.db")
    assert rows(full) == before
    agrees(full)


def test_a_restore_that_fails_leaves_nothing_and_the_next_begins_anew(
    backup: Path, other: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.sizes = Sizes(read_points=10)
    real, calls = EdgeSession.upsert, [0]

    def upsert(self: EdgeSession, points: list[object]) -> None:
        calls[0] += 1
        if calls[0] == 3:
            raise StoreError("The disk is full.")
        real(self, points)  # type: ignore[arg-type]

    monkeypatch.setattr(EdgeSession, "upsert", upsert)
    with pytest.raises(StoreError, match="disk is full"):
        restored(other, backup)
    assert nothing(other)
    assert not (other.home / ".freshkb" / HOME).exists()
    restored(other, backup)
    agrees(other)


def test_a_store_that_keeps_other_vectors_is_found(
    backup: Path, other: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    real = EdgeSession.upsert

    def upsert(self: EdgeSession, points: list[object]) -> None:
        first, *rest = points
        real(self, [replace(first, dense=rest[0].dense), *rest])  # type: ignore[type-var,attr-defined,list-item]

    monkeypatch.setattr(EdgeSession, "upsert", upsert)
    with pytest.raises(StoreError, match="did not keep point"):
        restored(other, backup)
    assert nothing(other)


def test_two_restores_do_not_meet(backup: Path, other: Knowledge) -> None:
    from index.backup.restore import _alone

    with _alone(other.home / ".freshkb"), pytest.raises(Locked, match="Another process restores"):
        restored(other, backup)
    restored(other, backup)


# ── Encryption ────────────────────────────────────────────────────────────────────────────────────────


def test_a_passphrase_opens_it_and_no_other_does(
    full: Knowledge, other: Knowledge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "backup"
    manifest = made(full, folder, passphrase="correct horse")
    assert manifest.encrypted == "passphrase"
    assert sorted(path.suffix for path in folder.iterdir()) == [".age", ".age", ".age", ".json"]
    for path in folder.glob("*.gz.age"):
        assert path.read_bytes().startswith(b"age-encryption.org/v1\n")
    assert (folder / "identity.age").read_bytes().startswith(b"-----BEGIN AGE ENCRYPTED FILE-----\n")
    with pytest.raises(ConfigError, match="does not open with this passphrase"):
        restored(other, folder, passphrase=lambda: "battery staple")
    assert nothing(other)
    # As plain age does it.
    from pyrage import decrypt, x25519
    from pyrage import passphrase as by_passphrase

    # A passphrase is made a key of slowly, by design: the restore is given the answer to the same question.
    sealed = (folder / "identity.age").read_bytes()
    opened = by_passphrase.decrypt(sealed, "correct horse")
    answers = {(sealed, "correct horse"): opened}
    monkeypatch.setattr("pyrage.passphrase.decrypt", lambda *asked: answers[asked])
    key = opened.decode().strip()
    plain = decrypt((folder / manifest.ledger).read_bytes(), [x25519.Identity.from_str(key)])
    assert plain.startswith(b"\x1f\x8b")
    restored(other, folder, passphrase=lambda: "correct horse")
    assert other.points() == full.points()
    agrees(other)


def test_a_recipient_opens_it_with_the_key(full: Knowledge, other: Knowledge, tmp_path: Path) -> None:
    from pyrage import x25519

    mine, theirs = x25519.Identity.generate(), x25519.Identity.generate()
    for name, key in (("mine", mine), ("theirs", theirs)):
        (tmp_path / name).write_text(f"# created: today\n# public key: {key.to_public()}\n{key}\n")
    (tmp_path / "none").write_text("nothing\n")
    folder = tmp_path / "backup"
    with pytest.raises(ConfigError, match="no recipient of age's"):
        made(full, folder, recipient="age1wrong")
    # Also where points are read a second time.
    full.sizes = Sizes(read_points=10)
    from tests.index.backup.test_create import before_session

    def change() -> None:
        full.write("team/07.md", "Changed.\n")
        full.sync()

    with before_session(1, change):
        assert made(full, folder, recipient=str(mine.to_public())).encrypted == "recipient"
    assert b"Words" not in b"".join(path.read_bytes() for path in folder.iterdir())
    for options, said in (
        ({}, "--identity FILE"),
        ({"identity": tmp_path / "theirs"}, "does not open with this key"),
        ({"identity": tmp_path / "none"}, "holds no key of age's"),
    ):
        with pytest.raises(ConfigError, match=said):
            restored(other, folder, **options)
        assert nothing(other)
    restored(other, folder, identity=tmp_path / "mine")
    assert other.points() == full.points()
    agrees(other)


def test_a_damaged_encrypted_file_is_named(tmp_path: Path) -> None:
    from index.backup import lines
    from index.backup.age import Key

    key, path = Key.made(), tmp_path / "x.jsonl.gz.age"
    written = [f'"{number:09}"' for number in range(200_000)]
    lines.write(path, written, key)
    assert [line.decode().strip() for line in lines.read(path, key)] == written
    for damage in DAMAGES[:-2]:
        content = path.read_bytes()
        damage(path)
        with pytest.raises((Refused, ConfigError), match=path.name):
            list(lines.read(path, key))
        path.write_bytes(content)
    first = lines.read(path, key)
    assert next(first) == b'"000000000"\n'
    first.close()


def test_an_error_of_what_is_encrypted_is_raised_as_it_is(tmp_path: Path) -> None:
    from collections.abc import Iterator

    from index.backup import lines
    from index.backup.age import Key

    def failing() -> Iterator[str]:
        yield "1"
        raise StoreError("The store is gone.")

    for key in (None, Key.made()):
        with pytest.raises(StoreError, match="store is gone"):
            lines.write(tmp_path / f"x{key is None}", failing(), key)
