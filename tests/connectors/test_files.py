from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tracemalloc
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.base import (
    DocumentError,
    DocumentForbidden,
    DocumentTooLarge,
    DocumentVanished,
    SourceUnavailable,
)
from connectors.files import FilesSettings
from connectors.walk import MAX_DEPTH, MAX_ERRORS
from tests.connectors.conftest import Connect


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd").iterdir()))


# ── Settings and root ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("root", ["", "  ", "a\0b", "~no-such-user-here/docs", None])
def test_a_root_that_is_no_path_is_refused_with_the_key(root: Any) -> None:
    with pytest.raises(ValidationError, match="root"):
        FilesSettings.model_validate({"root": root})


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValidationError, match="followlinks"):
        FilesSettings.model_validate({"root": ".", "followlinks": True})


def test_the_root_is_relative_to_the_configuration_and_may_start_at_home(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write(tmp_path / "home/docs/a.md")
    write(tmp_path / "beside/b.md")
    assert [entry.uri for entry in connect(root="~/docs").list()] == ["a.md"]
    assert [entry.uri for entry in connect(root="root/../beside").list()] == ["b.md"]
    assert connect(root="root/../beside").url("b c.md") == f"file://{tmp_path}/beside/b%20c.md"
    assert connect(root="root/../beside").home() == f"file://{tmp_path}/beside"


def test_a_root_that_is_missing_a_file_or_unreadable_is_unavailable(
    connect: Connect, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root / "file")
    with pytest.raises(SourceUnavailable, match=r"'docs' does not exist; is it mounted\?"):
        connect(root="nowhere").probe()
    with pytest.raises(SourceUnavailable, match=r"is not a folder\."):
        connect(root="root/file").list()

    def broken(path: Any) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "scandir", broken)
    with pytest.raises(SourceUnavailable, match=r"cannot be read: Input/output error\."):
        connect().list()


def test_the_identity_changes_with_the_folder_behind_the_path(connect: Connect, root: Path) -> None:
    before = connect().probe()
    root.rename(root.parent / "moved")
    root.mkdir()
    assert connect().probe() != before


def test_the_root_itself_may_be_a_link(connect: Connect, root: Path) -> None:
    write(root / "a.md")
    (root.parent / "link").symlink_to(root)
    assert [entry.uri for entry in connect(root="link").list()] == ["a.md"]
    assert connect(root="link").probe() == connect().probe()


def test_a_root_inside_our_own_folders_is_refused(connect: Connect, root: Path) -> None:
    with pytest.raises(SourceUnavailable, match="keeps its own files"):
        connect(private=(root.parent,)).probe()
    with pytest.raises(SourceUnavailable, match="keeps its own files"):
        connect(private=(root,)).list()


# ── What is listed ────────────────────────────────────────────────────────────────────────────────────


def test_hidden_private_and_excluded_paths_are_left_out_everywhere(connect: Connect, root: Path) -> None:
    left_out = [
        ".hidden.md",
        ".git/config",
        "a/.b/c.md",
        ".freshkb/ledger.db",
        "kb.yaml",
        "build/x/y.md",
        "~$d.md",
    ]
    for uri in ("a/b.md", "c.md", *left_out):
        write(root / uri)
    private = (root / ".freshkb", root / "kb.yaml")
    files = connect(private=private, exclude=["build/", "~$*"])
    assert [entry.uri for entry in files.list()] == ["a/b.md", "c.md"]
    for uri in left_out:
        assert files.stat(uri) is None
        assert list(files.list([uri.rpartition("/")[0]] if "/" in uri else [uri])) == []
        with pytest.raises(DocumentVanished):
            files.fetch(uri, None)
    shown = connect(private=private, hidden=True, include=["*.md"], exclude=["build/"])
    assert [entry.uri for entry in shown.list()] == [".hidden.md", "a/.b/c.md", "a/b.md", "c.md", "~$d.md"]


def test_an_excluded_folder_is_not_even_opened(
    connect: Connect, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root / "node_modules/a/b.md")
    write(root / "c.md")
    really, opened = os.scandir, list[Any]()

    def scandir(folder: Any) -> Any:
        opened.append(folder)
        return really(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    listing = connect(exclude=["node_modules/"]).list()
    assert [entry.uri for entry in listing] == ["c.md"]
    assert len(opened) == 1


def test_links_pipes_sockets_and_devices_are_no_documents(
    connect: Connect, root: Path, tmp_path: Path
) -> None:
    outside = write(tmp_path / "outside/secret.md")
    write(root / "folder/inside.md")
    (root / "out.md").symlink_to(outside)
    (root / "out").symlink_to(outside.parent)
    (root / "in.md").symlink_to("folder/inside.md")
    (root / "folder/loop").symlink_to(root)
    (root / "self").symlink_to("self")
    (root / "zero").symlink_to("/dev/zero")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(root / "socket"))
        files = connect()
        listing = files.list()
        assert [entry.uri for entry in listing] == ["folder/inside.md"]
        assert listing.complete
        no_documents = [
            "out.md",
            "out/secret.md",
            "in.md",
            "folder/loop/folder/inside.md",
            "self",
            "zero",
            "pipe",
        ]
        for uri in [*no_documents, "socket", "folder"]:
            assert files.stat(uri) is None
            with pytest.raises(DocumentError):
                files.fetch(uri, tmp_path / "into")
            assert not (tmp_path / "into").exists()
        assert list(files.list(["out", "self", "folder/loop", "pipe", "in.md"])) == []


def test_names_of_any_kind_are_listed_and_read(connect: Connect, root: Path) -> None:
    nfc, nfd = (unicodedata.normalize(form, "é.md") for form in ("NFC", "NFD"))
    raw = [
        b"caf\xe9/\xff.md",
        b"a%20b.md",
        b"100%.md",
        b"two\nlines.md",
        b" ",
        b"\\",
        b"*",
        nfc.encode(),
        nfd.encode(),
    ]
    for name in raw:
        path = root / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name)
    files = connect()
    entries = list(files.list())
    assert len(entries) == len(raw)
    assert [entry.uri for entry in entries] == sorted(entry.uri for entry in entries)
    hashes = {files.fetch(entry.uri, None).content_hash for entry in entries}
    assert hashes == {hashlib.sha256(name).hexdigest() for name in raw}
    assert {nfc, nfd, "caf%E9/%FF.md", "a%2520b.md"} <= {entry.uri for entry in entries}
    assert list(files.list(["caf%E9"])) == [files.stat("caf%E9/%FF.md")]
    assert files.stat("caf%e9/%FF.md") is None
    assert files.url("caf%E9/%FF.md").endswith("/root/caf%E9/%FF.md")
    assert files.url("a%2520b.md").endswith("/root/a%2520b.md")


def test_a_case_only_rename_is_another_uri_of_the_same_file(connect: Connect, root: Path) -> None:
    write(root / "Readme.md")
    (before,) = connect().list()
    (root / "Readme.md").rename(root / "README.md")
    (after,) = connect().list()
    assert (before.uri, after.uri) == ("Readme.md", "README.md")
    assert before[1:] == after[1:]


def test_hard_links_are_documents_without_an_identity_of_their_own(connect: Connect, root: Path) -> None:
    os.link(write(root / "a.md"), root / "b.md")
    assert [(entry.uri, entry.native_id) for entry in connect().list()] == [("a.md", None), ("b.md", None)]


def test_paths_longer_than_the_system_takes_at_once_are_listed_and_read(connect: Connect, root: Path) -> None:
    name = "n" * 200
    folder = os.open(root, os.O_RDONLY)
    for _ in range(50):
        os.mkdir(name, dir_fd=folder)
        deeper = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    os.close(os.open("deep.md", os.O_CREAT, dir_fd=folder))
    os.close(folder)
    listing = connect().list()
    (entry,) = listing
    assert len(entry.uri) > 10_000
    assert listing.complete
    assert connect().stat(entry.uri) == entry
    assert connect().fetch(entry.uri, None).entry.size == 0


def test_a_folder_beyond_the_limit_is_left_out_of_a_listing_that_is_complete(
    connect: Connect, root: Path
) -> None:
    write(root / "a.md")
    write(root.joinpath(*["d"] * MAX_DEPTH) / "b.md")
    folder = "/".join(["d"] * MAX_DEPTH)
    for folders in (None, [folder], ["", folder]):
        listing = connect().list(folders)
        assert [entry.uri for entry in listing] == ([] if folders == [folder] else ["a.md"])
        assert listing.complete
        assert [(left.uri, left.code) for left in listing.unlisted] == [(folder, "too-deep")]
    (left,) = listing.unlisted
    assert "folders deep" in left.reason
    assert len(left.reason) < 500


def test_so_many_folders_beyond_the_limit_that_some_are_not_named_make_it_incomplete(
    connect: Connect, root: Path
) -> None:
    home = root.joinpath(*["d"] * (MAX_DEPTH - 1))
    for number in range(MAX_ERRORS + 1):
        (home / f"{number:03}").mkdir(parents=True)
    listing = connect().list()
    assert list(listing) == []
    assert len(listing.unlisted) == MAX_ERRORS
    assert len(listing.errors) == 1


def test_messages_leave_out_the_middle_of_a_long_path(connect: Connect, root: Path) -> None:
    uri = "/".join(["folder"] * 100) + "/page.md"
    with pytest.raises(DocumentVanished) as gone:
        connect().fetch(uri, None)
    assert len(str(gone.value)) < 300
    assert "folder/folder" in str(gone.value)
    assert "page.md" in str(gone.value)


# ── What goes wrong while it is listed ────────────────────────────────────────────────────────────────


def test_a_file_that_vanishes_during_the_walk_is_simply_gone(connect: Connect, root: Path) -> None:
    for number in range(5):
        write(root / f"{number}.md")
    listing = connect().list()
    entries = iter(listing)
    next(entries)
    (root / "2.md").unlink()
    assert [entry.uri for entry in entries] == ["1.md", "3.md", "4.md"]
    assert listing.complete


@pytest.mark.parametrize("becomes", ["nothing", "link", "file"])
def test_a_folder_that_vanishes_during_the_walk_makes_it_incomplete(
    connect: Connect, root: Path, tmp_path: Path, becomes: str
) -> None:
    for uri in ("a.md", "b/c.md", "d.md"):
        write(root / uri)
    listing = connect().list()
    entries = iter(listing)
    next(entries)
    (root / "b").rename(tmp_path / "moved")
    if becomes == "link":
        (root / "b").symlink_to(tmp_path / "moved")
    elif becomes == "file":
        write(root / "b")
    assert [entry.uri for entry in entries] == ["d.md"]
    assert not listing.complete
    assert "'b/' could not be listed" in listing.errors[0]


def test_a_file_that_becomes_a_folder_during_the_walk_makes_it_incomplete(
    connect: Connect, root: Path
) -> None:
    write(root / "a.md")
    write(root / "b")
    listing = connect().list()
    entries = iter(listing)
    next(entries)
    (root / "b").unlink()
    write(root / "b/c.md")
    assert list(entries) == []
    assert not listing.complete


def test_a_root_that_is_replaced_during_the_walk_makes_it_incomplete(connect: Connect, root: Path) -> None:
    write(root / "a.md")
    listing = connect().list()
    root.rename(root.parent / "moved")
    root.mkdir()
    list(listing)
    assert "was replaced while it was listed" in listing.errors[0]


def test_what_cannot_be_looked_at_makes_the_listing_incomplete(
    connect: Connect, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of a real disk cannot be had at will, so the system call fails for one file and one folder."""
    for uri in ("a/b.md", "bad.md", "broken/c.md", "d.md"):
        write(root / uri)
    really_stat, really_open = os.stat, os.open

    def stat(path: Any, *args: Any, **keywords: Any) -> os.stat_result:
        if path == "bad.md":
            raise OSError(5, "Input/output error")
        return really_stat(path, *args, **keywords)

    def refuse(path: Any, *args: Any, **keywords: Any) -> int:
        if path == "broken":
            raise OSError(5, "Input/output error")
        return really_open(path, *args, **keywords)

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(os, "open", refuse)
    files = connect()
    listing = files.list()
    assert [entry.uri for entry in listing] == ["a/b.md", "d.md"]
    assert listing.errors == [
        "'bad.md' could not be listed: Input/output error.",
        "'broken/' could not be listed: Input/output error.",
    ]
    hinted = files.list(["broken", "a"])
    assert [entry.uri for entry in hinted] == ["a/b.md"]
    assert not hinted.complete
    with pytest.raises(DocumentError, match="Input/output error"):
        files.stat("bad.md")
    with pytest.raises(DocumentError, match="Input/output error"):
        files.fetch("broken/c.md", None)


def test_a_broken_disk_does_not_fill_the_memory_with_errors(
    connect: Connect, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(MAX_ERRORS + 50):
        (root / str(number)).mkdir()
    listing = connect().list()

    def broken(path: Any) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "scandir", broken)
    assert list(listing) == []
    assert len(listing.errors) == MAX_ERRORS


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can become somebody else")
def test_permissions_that_bind_make_listings_incomplete_and_documents_forbidden(root: Path) -> None:
    """As another user, in a process of its own: permissions do not bind the superuser."""
    for uri in ("a.md", "closed/b.md", "locked.md"):
        write(root / uri)
    (root / "closed").chmod(0)
    (root / "locked.md").chmod(0)
    for folder in (root, *root.parents):
        mode = folder.stat().st_mode
        if mode & 0o011 != 0o011:
            folder.chmod(mode | 0o011)
    script = f"""
import os
from pathlib import Path
from connectors.base import Context, DocumentForbidden
from connectors.files import FilesConnector, FilesSettings
files = FilesConnector(FilesSettings(root={str(root)!r}), Context("docs", Path("/"), 1000))
files.list()
os.setgid(65534); os.setuid(65534)
listing = files.list()
print([entry.uri for entry in listing], listing.errors)
for uri in ("locked.md", "closed/b.md"):
    try:
        files.fetch(uri, None)
    except DocumentForbidden as error:
        print(error)
try:
    files.stat("closed/b.md")
except DocumentForbidden as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == [
        "['a.md', 'locked.md'] [\"'closed/' could not be listed: Permission denied.\"]",
        "'locked.md' may not be read: Permission denied.",
        "'closed/b.md' may not be read: Permission denied.",
        "'closed/b.md' may not be read: Permission denied.",
    ]


def test_a_folder_swapped_for_a_link_again_and_again_never_leads_out_of_the_root(
    connect: Connect, root: Path, tmp_path: Path
) -> None:
    """Another process swaps a folder and a link out of the root as fast as it can, while everything is listed
    and read 2,000 times: every byte that comes back is from inside. Files before the folder widen the moment
    between the reading of the root and the opening of the folder."""
    for number in range(10):
        write(root / f"before {number}.md", "inside")
    write(root / "folder/document.md", "inside")
    write(tmp_path / "outside/document.md", "outside")
    (root / ".link").symlink_to(tmp_path / "outside")
    swap = (
        "import os, sys\nos.chdir(sys.argv[1])\nprint(flush=True)\nwhile True:\n"
        "    os.rename('folder', '.folder'); os.rename('.link', 'folder')\n"
        "    os.rename('folder', '.link'); os.rename('.folder', 'folder')\n"
    )
    swapper = subprocess.Popen([sys.executable, "-c", swap, str(root)], stdout=subprocess.PIPE)
    assert swapper.stdout is not None
    swapper.stdout.readline()
    inside, listed, refused, read = hashlib.sha256(b"inside").hexdigest(), 0, 0, 0
    size = len("inside")
    files = connect()
    try:
        for _ in range(2_000):
            listing = files.list()
            entries = [entry for entry in listing if entry.uri == "folder/document.md"]
            assert all(entry.size == size for entry in entries)
            listed += bool(entries)
            try:
                assert files.fetch("folder/document.md", None).content_hash == inside
                read += 1
            except DocumentError:
                refused += 1
            entry = files.stat("folder/document.md")
            assert entry is None or entry.size == size
    finally:
        swapper.kill()
        swapper.communicate()
    assert listed
    assert read
    assert refused


def test_descriptors_are_given_back_whatever_happens(
    connect: Connect, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for uri in ("a/b/c/d.md", "a/b/e.md", "f.md"):
        write(root / uri)
    files = connect()
    before = open_descriptors()
    files.list()
    listing = files.list()
    next(iter(listing))
    del listing
    list(files.list())
    list(files.list(["a/b", "nowhere"]))
    for uri in ("a/b/e.md", "a/b/none.md", "none/x.md", "../x"):
        files.stat(uri)
        with pytest.raises(DocumentError):
            files.fetch(uri if uri != "a/b/e.md" else "a/b", None)
    shutil.rmtree(root / "a")
    list(files.list())
    assert open_descriptors() == before


def test_a_large_folder_is_listed_without_holding_its_entries(connect: Connect, root: Path) -> None:
    """Entries are made one by one; of a folder only its names are held."""
    for number in range(5_000):
        os.close(os.open(root / f"document-{number:06}.md", os.O_CREAT))
    files = connect()
    tracemalloc.start()
    try:
        assert sum(1 for _ in files.list()) == 5_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000 * 150


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_read_goes_into_a_new_file_that_only_we_may_read(
    connect: Connect, root: Path, tmp_path: Path
) -> None:
    write(root / "a.md", "text")
    connect().fetch("a.md", tmp_path / "into")
    assert (tmp_path / "into").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        connect().fetch("a.md", tmp_path / "into")
    assert (tmp_path / "into").read_text() == "text"


def test_a_sparse_file_above_the_limit_costs_nothing(connect: Connect, root: Path, tmp_path: Path) -> None:
    with (root / "big.pdf").open("wb") as big:
        big.truncate(2_000_000_000)
    with pytest.raises(DocumentTooLarge, match=r"2,000,000,000 bytes; the limit is 100,000\."):
        connect().fetch("big.pdf", tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_link_anywhere_on_the_way_is_not_followed(connect: Connect, root: Path) -> None:
    write(root / "real/a.md")
    (root / "linked").symlink_to("real")
    with pytest.raises(DocumentVanished):
        connect().fetch("linked/a.md", None)
    with pytest.raises(DocumentForbidden):
        connect().fetch("linked/../real/a.md", None)
