"""Anchors remember checkpoints, and name themselves when they cannot."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from index.anchors import AnchorSpec, opened
from index.anchors.anchor import Anchor
from index.anchors.spec import parse
from index.errors import AnchorError
from index.signed.key import SigningKey, load_or_make
from index.signed.note import Checkpoint

ORIGIN = "freshkb/a"


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return load_or_make(tmp_path / "keys" / "key.pem")


def note(key: SigningKey, size: int, origin: str = ORIGIN) -> str:
    return Checkpoint(origin, size, bytes([size % 256] * 32)).signed(key)


def git(folder: Path, *arguments: str) -> str:
    return subprocess.check_output(["git", "-C", str(folder), *arguments], text=True)


def made(kind: str, tmp_path: Path) -> Anchor:
    place = tmp_path / "anchors"
    place.mkdir()
    if kind == "file":
        return opened(AnchorSpec("file", place / "kb"))
    git(place, "init", "--quiet", *(["--bare"] if kind == "bare" else []))
    return opened(AnchorSpec("git", place))


@pytest.mark.parametrize("kind", ["file", "git", "bare"])
def test_checkpoints_come_back_in_their_order(kind: str, tmp_path: Path, key: SigningKey) -> None:
    anchor = made(kind, tmp_path)
    assert anchor.readable and anchor.newest(ORIGIN) is None and anchor.all(ORIGIN) == []
    for size in (1, 5, 9):
        anchor.write(ORIGIN, note(key, size))
        anchor.write("freshkb/b", note(key, size + 1, "freshkb/b"))
    assert anchor.all(ORIGIN) == [note(key, size) for size in (1, 5, 9)]
    assert anchor.newest(ORIGIN) == note(key, 9)
    assert anchor.newest("freshkb/b") == note(key, 10, "freshkb/b")
    assert anchor.newest("freshkb/c") is None


@pytest.mark.parametrize("kind", ["file", "git", "bare"])
def test_origins_below_one_belong_to_it(kind: str, tmp_path: Path, key: SigningKey) -> None:
    anchor, below = made(kind, tmp_path), f"{ORIGIN}/R-1"
    written = [note(key, 1), note(key, 2), note(key, 2, below), note(key, 3, below)]
    for origin, text in zip((ORIGIN, ORIGIN, below, below), written, strict=True):
        anchor.write(origin, text)
        # Also when all are written within one second.
        assert anchor.newest(ORIGIN) == text
    assert sorted(anchor.all(ORIGIN)) == sorted(written)
    assert anchor.all(below) == written[2:] and anchor.newest(below) == written[3]
    anchor.write(ORIGIN, note(key, 4))
    assert anchor.newest(ORIGIN) == note(key, 4)
    assert anchor.newest("freshkb/a/R") is None
    assert anchor.all(ORIGIN, having="\n3\n") == [written[3]] and anchor.all(ORIGIN, having="\n9\n") == []


def test_a_specification_is_what_the_configuration_writes(tmp_path: Path) -> None:
    for text in ("file:/a/b", "git:../repo", "syslog:", "syslog:/dev/log", "file:~/kb"):
        assert str(parse(text)) == text
    assert parse("file:kb").below(tmp_path).path == tmp_path / "kb"
    assert parse("syslog:").below(tmp_path).path is None
    for text in ("", "file", "file:", "git:", "http://a", "file://a", "other:/a", "/a"):
        with pytest.raises(ValueError, match="should be file:PATH"):
            parse(text)


# ── file ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_for_its_owner_alone_and_only_grows(tmp_path: Path, key: SigningKey) -> None:
    anchor, path = made("file", tmp_path), tmp_path / "anchors" / "kb"
    path.parent.chmod(0o755)
    anchor.write(ORIGIN, note(key, 1))
    assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0
    before = path.read_bytes()
    anchor.write(ORIGIN, note(key, 2))
    assert path.read_bytes().startswith(before)


def test_a_torn_checkpoint_is_passed_over_and_the_next_is_whole(tmp_path: Path, key: SigningKey) -> None:
    anchor, path = made("file", tmp_path), tmp_path / "anchors" / "kb"
    anchor.write(ORIGIN, note(key, 1))
    whole = path.read_bytes()
    for length in range(1, len(note(key, 2).encode()), 7):
        path.write_bytes(whole + b"\n" + note(key, 2).encode()[:length])
        anchor.write(ORIGIN, note(key, 3))
        assert anchor.newest(ORIGIN) == note(key, 3)
        assert anchor.all(ORIGIN)[0] == note(key, 1)


def test_the_newest_checkpoint_is_found_behind_those_of_many_others(tmp_path: Path, key: SigningKey) -> None:
    anchor = made("file", tmp_path)
    anchor.write(ORIGIN, note(key, 1))
    with (tmp_path / "anchors" / "kb").open("a") as file:
        file.write(f"\n{note(key, 2, 'other')}" * 100)
    assert anchor.newest(ORIGIN) == note(key, 1)


def test_a_write_that_fails_in_the_middle_leaves_what_was_there(
    tmp_path: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchor, path = made("file", tmp_path), tmp_path / "anchors" / "kb"
    anchor.write(ORIGIN, note(key, 1))
    before, write = path.read_bytes(), os.write
    with monkeypatch.context() as patch:
        patch.setattr("os.write", lambda file, content: write(file, content[:20]))
        with pytest.raises(AnchorError, match="its disk is full"):
            anchor.write(ORIGIN, note(key, 2))
    assert path.read_bytes() == before


def test_those_that_write_at_once_take_turns(tmp_path: Path, key: SigningKey) -> None:
    spec = made("file", tmp_path).spec
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda size: opened(spec).write(ORIGIN, note(key, size)), range(40)))
    assert sorted(opened(spec).all(ORIGIN)) == sorted(note(key, size) for size in range(40))


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, key: SigningKey) -> None:
    with pytest.raises(AnchorError, match=rf"file:{tmp_path}/gone/kb .*no folder.*Make it, or mount it"):
        opened(AnchorSpec("file", tmp_path / "gone" / "kb")).write(ORIGIN, note(key, 1))
    for doing in ("write", "newest", "all"):
        with pytest.raises(AnchorError, match=rf"The anchor file:{tmp_path} cannot be used"):
            asked = opened(AnchorSpec("file", tmp_path))
            getattr(asked, doing)(*((ORIGIN, note(key, 1)) if doing == "write" else (ORIGIN,)))


# ── git ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_work_tree_its_index_and_its_branches_are_left_alone(tmp_path: Path, key: SigningKey) -> None:
    anchor, repository = made("git", tmp_path), tmp_path / "anchors"
    (repository / "a.txt").write_text("one")
    git(repository, "add", "a.txt")
    before = git(repository, "status", "--porcelain")
    hook = repository / ".git" / "hooks" / "reference-transaction"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    git(repository, "config", "commit.gpgSign", "true")
    git(repository, "config", "gpg.program", "/bin/false")
    anchor.write(ORIGIN, note(key, 1))
    anchor.write(ORIGIN, note(key, 2))
    assert git(repository, "status", "--porcelain") == before == "A  a.txt\n"
    assert not (tmp_path / "ran").exists()
    assert git(repository, "log", "--format=%s", "freshkb-a") == "2 entries\n1 entries\n"
    assert git(repository, "show", "freshkb-a:checkpoint") == note(key, 2)
    assert git(repository, "fsck", "--strict") == ""


def test_variables_of_another_git_lead_nowhere(
    tmp_path: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchor = made("git", tmp_path)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Canary")
    anchor.write(ORIGIN, note(key, 1))
    monkeypatch.undo()
    assert git(tmp_path / "anchors", "log", "--format=%an", "freshkb-a") == "freshkb\n"


def test_a_folder_that_is_no_repository_is_named(
    tmp_path: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    made("git", tmp_path)
    inner = tmp_path / "anchors" / "inner"
    inner.mkdir()
    for folder in (tmp_path / "gone", inner):
        with pytest.raises(AnchorError, match=rf"The anchor git:{folder} cannot be used"):
            opened(AnchorSpec("git", folder)).write(ORIGIN, note(key, 1))
    monkeypatch.setenv("PATH", str(inner))
    with pytest.raises(AnchorError, match="git is not installed"):
        opened(AnchorSpec("git", tmp_path / "anchors")).newest(ORIGIN)


# ── syslog ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_line_reaches_the_log_and_holds_the_whole_note(
    tmp_path: Path, key: SigningKey, kind: socket.SocketKind
) -> None:
    with socket.socket(socket.AF_UNIX, kind) as receiver:
        receiver.bind(str(tmp_path / "log"))
        receiver.settimeout(30)
        if kind == socket.SOCK_STREAM:
            receiver.listen()
        anchor = opened(AnchorSpec("syslog", tmp_path / "log"))
        anchor.write(ORIGIN, note(key, 7))
        if kind == socket.SOCK_STREAM:
            with receiver.accept()[0] as connection:
                said = connection.recv(2000).decode()
        else:
            said = receiver.recv(2000).decode()
    assert said == "<14>freshkb: checkpoint " + " ".join(note(key, 7).split())
    assert not anchor.readable and anchor.newest(ORIGIN) is None and anchor.all(ORIGIN) == []


def test_a_log_that_is_not_there_is_named(tmp_path: Path, key: SigningKey) -> None:
    with pytest.raises(AnchorError, match=rf"The anchor syslog:{tmp_path}/gone cannot be used"):
        opened(AnchorSpec("syslog", tmp_path / "gone")).write(ORIGIN, note(key, 1))
