"""Moves: whole at every moment, of what was settled alone, and nothing is lost by them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.base import Context, DocumentChanging, Settled, SourceUnavailable
from connectors.drop import NOTE
from connectors.files import FilesConnector, FilesSettings
from connectors.quiet import open_to_write
from tests.connectors.drop.folders import Folders, sha256

#: Everything that a move asks of the system.
CALLS = ("link", "unlink", "rename", "fsync", "mkdir", "open", "write", "utime", "fchmod")


class Killed(BaseException):
    """As if the process had ended here."""


@contextmanager
def killed_before(number: int | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The calls that are made; the one of this number is not."""
    made: list[str] = []

    def around(name: str) -> Callable[..., Any]:
        really = getattr(os, name)

        def call(*given: Any, **more: Any) -> Any:
            made.append(name)
            if len(made) == number:
                raise Killed
            return really(*given, **more)

        return call

    with monkeypatch.context() as patched:
        for name in CALLS:
            patched.setattr(os, name, around(name))
        yield made


def same_file_system(patched: pytest.MonkeyPatch) -> None:
    """As it is."""


def other_file_system(patched: pytest.MonkeyPatch) -> None:
    """No link leads from one place to another."""
    really = os.link

    def link(*given: Any, src_dir_fd: int, dst_dir_fd: int, follow_symlinks: bool) -> None:
        folders = (str(Path(f"/proc/self/fd/{fd}").readlink()) for fd in (src_dir_fd, dst_dir_fd))
        tops = {folder.partition("/drop/")[2].split("/")[0] for folder in folders}
        if len(tops) > 1:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        really(*given, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks)

    patched.setattr(os, "link", link)


def no_links(patched: pytest.MonkeyPatch) -> None:
    """As on a memory card."""

    def link(*given: Any, **more: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    patched.setattr(os, "link", link)


def indexed(folders: Folders) -> tuple[str, list[tuple[str, str, bytes]]]:
    """A new version, over one in the archive and one in the quarantine."""
    folders.put("archive", "a/x.md", b"first")
    folders.put("quarantine", "a/x.md", b"second")
    folders.put("quarantine", f"a/x.md{NOTE}", b"why")
    folders.put("inbox", "a/x.md", b"third")
    folders.index("a/x.md")
    return "archive", [("archive", "a/x.md", b"first"), ("quarantine", "a/x.md", b"second")]


def failed(folders: Folders) -> tuple[str, list[tuple[str, str, bytes]]]:
    """A version that cannot be read, over an older one that could not be, either."""
    folders.put("quarantine", "a/x.md", b"second")
    folders.put("inbox", "a/x.md", b"third")
    folders.index("a/x.md", "It is encrypted.")
    return "quarantine", [("quarantine", "a/x.md", b"second")]


def mended(folders: Folders) -> tuple[str, list[tuple[str, str, bytes]]]:
    """A document of the quarantine that a newer parser can read."""
    folders.put("archive", "a/x.md", b"second")
    folders.put("quarantine", "a/x.md", b"third")
    folders.put("quarantine", f"a/x.md{NOTE}", b"why")
    folders.index("a/x.md")
    return "archive", [("archive", "a/x.md", b"second")]


@pytest.mark.parametrize("system", [same_file_system, other_file_system, no_links])
@pytest.mark.parametrize("scene", [indexed, failed, mended])
def test_a_kill_before_any_step_loses_nothing_and_the_next_settling_ends_the_move(
    scene: Callable[[Folders], tuple[str, list[tuple[str, str, bytes]]]],
    system: Callable[[pytest.MonkeyPatch], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        system(patched)
        number = 0
        while True:
            number += 1
            folders = Folders(tmp_path / str(number) / "drop")
            target, former = scene(folders)
            with killed_before(number, monkeypatch):
                try:
                    assert folders.settle() == []
                except Killed:
                    alive = False
                else:
                    alive = True
            # The document exists, and is what it was.
            assert folders.documents() == {"a/x.md": sha256(b"third")}
            assert folders.settle() == []
            assert folders.documents() == {"a/x.md": sha256(b"third")}
            trees = folders.trees()
            assert trees.pop(target) == {"a/x.md": b"third"}
            assert all(not tree or place == "archive" for place, tree in trees.items())
            for place, uri, data in former:
                assert (uri, data) in folders.former(place)
            note = folders.home / "quarantine" / f"a/x.md{NOTE}"
            assert note.exists() is (target == "quarantine")
            assert folders.settle() == []
            if alive:
                break
    assert number > 10


def test_only_the_very_bytes_that_were_settled_are_moved(folders: Folders) -> None:
    path = folders.put("inbox", "a.md", b"one")
    folders.index("a.md")
    path.write_bytes(b"two")
    assert folders.settle() == []
    assert folders.trees()["inbox"] == {"a.md": b"two"}
    folders.settled["a.md"] = Settled("It is too large.", None, "another token")
    assert folders.settle() == []
    assert folders.trees()["inbox"] == {"a.md": b"two"}
    entry = folders.connector().stat("a.md")
    assert entry is not None
    folders.settled["a.md"] = Settled("It is too large.", None, entry.token)
    assert folders.settle() == []
    assert folders.trees()["quarantine"] == {"a.md": b"two"}


def test_a_version_that_is_saved_while_the_file_is_moved_is_not_lost(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folders.put("inbox", "a.md", b"one")
    folders.index("a.md")
    really = os.fsync

    def save(file: int) -> None:
        really(file)
        new = path.with_name("new")
        new.write_bytes(b"two")
        new.rename(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", save)
        assert folders.settle() == []
    assert folders.trees()["inbox"] == {"a.md": b"two"}
    assert folders.documents() == {"a.md": sha256(b"two")}


def test_a_file_that_is_open_to_write_is_neither_read_nor_moved(folders: Folders) -> None:
    path = folders.put("inbox", "a.md", b"one")
    folders.index("a.md")
    with path.open("ab") as writer:
        with path.open("rb") as reader:
            if not open_to_write(reader.fileno()):
                pytest.skip("This file system cannot tell who has a file open.")
        with pytest.raises(DocumentChanging, match=r"still being written.*\.$"):
            folders.connector().fetch("a.md", None)
        folders.settle()
        assert folders.trees()["inbox"] == {"a.md": b"one"}
        writer.write(b" more")
    assert folders.connector().fetch("a.md", None).content_hash == sha256(b"one more")


@pytest.mark.usefixtures("patient")
def test_a_file_that_grows_is_not_taken_for_a_whole_one(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer opens it anew for each piece, and rests between: it is waited for, and was written then."""
    monkeypatch.setattr("connectors.drop.open_to_write", lambda file: False)
    path = folders.put("inbox", "a.md", b"piece ")

    def grow(seconds: float) -> None:
        folders.put("inbox", "a.md", b"piece piece")

    monkeypatch.setattr("connectors.drop.time.sleep", grow)
    with pytest.raises(DocumentChanging, match="still being written"):
        folders.connector().fetch("a.md", None)
    waited: list[float] = []
    monkeypatch.setattr("connectors.drop.time.sleep", waited.append)
    folders.settled["a.md"] = Settled("", sha256(path.read_bytes()), None)
    folders.settle()
    assert folders.trees()["inbox"], "it came just now"
    folders.connector().fetch("a.md", None)
    assert 0 < waited[0] <= 0.2


def test_what_the_index_has_not_settled_and_what_is_no_document_stays(folders: Folders) -> None:
    names = ["new.md", "movie.mkv.part", "x.crdownload", "note.why.txt", ".hidden.md", "CODEOWNERS"]
    for name in names:
        folders.put("inbox", name, b"x")
    for name in names[1:]:
        folders.settled[name] = Settled("It has no type.", None, None)
    folders.settle()
    assert set(folders.trees()["inbox"]) >= {*names} - {"note.why.txt"}
    assert folders.trees()["quarantine"] == {}
    assert set(folders.documents()) == {"new.md", "CODEOWNERS"}


def test_the_note_says_why_and_what_to_do(folders: Folders) -> None:
    folders.put("inbox", "a/x.pdf", b"x")
    folders.index("a/x.pdf", "It is encrypted.")
    folders.settle()
    note = (folders.home / "quarantine" / f"a/x.pdf{NOTE}").read_text()
    for said in ("a/x.pdf", "It is encrypted.", "drop", str(folders.home / "inbox"), "freshkb retry a/x.pdf"):
        assert said in note
    # Mended, and put in again, both go.
    folders.put("inbox", "a/x.pdf", b"better")
    folders.index("a/x.pdf")
    folders.settle()
    assert folders.trees() == {"inbox": {}, "quarantine": {}, "archive": {"a/x.pdf": b"better"}}
    assert not (folders.home / "quarantine" / f"a/x.pdf{NOTE}").exists()
    assert folders.former("quarantine") == [("a/x.pdf", b"x")]


@pytest.mark.parametrize("name", ["報" * 84, "書" * 82 + ".md", "x" * 255], ids=["bare", "suffix", "ascii"])
def test_a_name_that_leaves_no_room_for_a_note_is_moved_with_one(folders: Folders, name: str) -> None:
    folders.put("inbox", name, b"x")
    folders.index(name, "It is encrypted.")
    assert folders.settle() == []
    assert folders.trees()["quarantine"] == {name: b"x"}
    (note,) = (folders.home / "quarantine").glob(f"*{NOTE}")
    assert name in note.read_text() and note.name.startswith(name[:70])
    folders.put("inbox", name, b"better")
    folders.index(name)
    assert folders.settle() == []
    assert folders.trees() == {"inbox": {}, "quarantine": {}, "archive": {name: b"better"}}
    assert not note.exists()


def test_a_file_in_quarantine_is_not_in_the_way_of_a_folder_with_its_name(folders: Folders) -> None:
    folders.put("quarantine", "report", b"broken")
    folders.put("inbox", "report/q3.md", b"x")
    folders.index("report/q3.md")
    assert folders.settle() == []
    assert folders.trees()["archive"] == {"report/q3.md": b"x"}


def test_without_an_archive_what_is_indexed_stays_and_what_was_mended_comes_back(folders: Folders) -> None:
    folders.put("inbox", "good.md", b"x")
    folders.put("quarantine", "mended.md", b"y")
    for uri in ("good.md", "mended.md"):
        folders.index(uri)
    assert folders.settle(archive=None) == []
    assert folders.trees()["inbox"] == {"good.md": b"x", "mended.md": b"y"}
    folders.put("inbox", "bad.md", b"z")
    folders.index("bad.md", "It is broken.")
    assert folders.settle(archive=None, quarantine=None) == []
    assert folders.trees()["inbox"].keys() == {"good.md", "mended.md", "bad.md"}


def test_what_is_in_the_way_or_not_allowed_is_said_and_the_rest_goes_on(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    for uri in ("a.md", "b.md", "c/d.md", "z.md"):
        folders.put("inbox", uri, uri.encode())
        folders.index(uri)
    folders.put("archive", "a.md/inside.md", b"x")
    (folders.home / "archive" / "b.md").symlink_to(folders.home)
    folders.put("archive", "c", b"a file where a folder should be")
    said = folders.settle()
    assert len(said) == 3 and all(line.endswith(".") for line in said)
    assert "'a.md' could not be moved from" in said[0]
    assert folders.trees()["inbox"].keys() == {"a.md", "b.md", "c/d.md"}
    assert folders.trees()["archive"]["z.md"] == b"z.md"
    really = os.link

    def refuse(*given: Any, **more: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    folders.put("inbox", "p.md", b"p")
    folders.index("p.md")
    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr("connectors.moving._part", refuse)
    assert any("'p.md'" in line and "Permission denied." in line for line in folders.settle())
    monkeypatch.setattr(os, "link", really)
    assert folders.documents()["p.md"] == sha256(b"p")


def test_a_place_that_is_gone_makes_no_document_vanish(folders: Folders) -> None:
    folders.put("archive", "a.md", b"a")
    (folders.home / "archive").rename(folders.home / "unmounted")
    with pytest.raises(SourceUnavailable, match="is it mounted"):
        folders.connector().list()
    (folders.home / "archive").mkdir()
    before = folders.connector().probe()
    (folders.home / "archive").rmdir()
    (folders.home / "unmounted").rename(folders.home / "archive")
    assert folders.connector().probe() != before


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"archive": "a"}, "which need `mode: drop`"),
        ({"mode": "drop", "archive": "inbox/done"}, "has its archive in its root"),
        ({"mode": "drop", "archive": "./x/../inbox"}, "in its"),
        ({"mode": "drop", "archive": "a", "quarantine": "a/q"}, "has its quarantine in its archive"),
        ({"mode": "drop", "archive": ".."}, "has its root in its archive"),
        ({"mode": "drop", "archive": " "}, "must name a folder"),
        ({"mode": "move"}, "'mirror' or 'drop'"),
    ],
)
def test_places_that_cannot_be_are_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        FilesSettings.model_validate({"root": "inbox", **settings})
    assert why in str(caught.value)


def test_places_that_are_the_same_by_a_link_are_refused(folders: Folders) -> None:
    (folders.home / "other").symlink_to(folders.home / "inbox")
    connector = folders.connector(archive="other")
    for ask in (connector.probe, connector.list):
        with pytest.raises(SourceUnavailable, match="lie in each other"):
            ask()


def test_a_plain_folder_is_never_written_to(folders: Folders) -> None:
    folders.put("inbox", "a.md", b"a")
    folders.index("a.md")
    settings = FilesSettings.model_validate({"root": "inbox"})
    assert FilesConnector(settings, Context("docs", folders.home, 1_000)).settle(folders.settlement) == ()
    assert folders.trees()["inbox"] == {"a.md": b"a"}


def test_each_of_its_places_is_watched(folders: Folders) -> None:
    for place in ("inbox", "archive", "quarantine"):
        hints: SimpleQueue[str | None] = SimpleQueue()
        with folders.connector().watch(hints.put):
            folders.put(place, f"{place}.md", b"x")
            assert hints.get(timeout=20) == ""
