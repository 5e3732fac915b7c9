"""A repository on this machine: what of its tree is a document, what is not there, and what may not run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from connectors.base import (
    DocumentError,
    DocumentForbidden,
    DocumentTooLarge,
    DocumentVanished,
    SourceUnavailable,
)
from connectors.git import command
from tests.connectors.git.conftest import Connect
from tests.connectors.git.origin import Origin, git
from tests.connectors.git.servers import pointer
from tests.connectors.git.test_history import listed


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A work tree with one committed document."""
    folder = tmp_path / "tree"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Anna")
    git(folder, "config", "user.email", "a@example.org")
    (folder / "a.md").write_text("committed\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "1")
    return folder


def test_what_is_committed_is_there_and_what_is_not_committed_is_not(
    tree: Path, connect: Connect, tmp_path: Path
) -> None:
    (tree / "a.md").write_text("changed\n")
    (tree / "b.md").write_text("new\n")
    before = sorted(path for path in (tree / ".git").rglob("*"))
    connector = connect("tree")
    assert list(listed(connector)) == ["a.md"]
    connector.fetch("a.md", tmp_path / "a")
    assert (tmp_path / "a").read_text() == "committed\n"
    assert sorted((tree / ".git").rglob("*")) == before


def test_a_linked_work_tree_and_a_file_url_are_the_same_repository(tree: Path, connect: Connect) -> None:
    git(tree, "worktree", "add", "-q", "-b", "other", "../linked")
    found = listed(connect("tree"))
    assert listed(connect("linked", cache="linked")) == found
    assert listed(connect(f"file://{tree}", cache="url")) == found


def test_only_regular_files_of_the_tree_are_documents(origin: Origin, connect: Connect) -> None:
    origin.add({"a.md": b"1", ".hidden.md": b"1", ".github/x.md": b"1", "sub/run.sh": b"1"})
    origin.add({"link.md": b"a.md"}, mode="120000")
    origin.add({"run.md": b"1"}, mode="100755")
    origin.add({"lib/other": b"1" * 40, ".lib": b"2" * 40}, mode="160000")
    origin.commit({b"latin\xe9.md": b"1", "100%25.md": b"1"})
    connector = connect(origin.path, exclude=["*.sh"])
    listing = connector.list()
    assert [entry.uri for entry in listing] == ["100%2525.md", "a.md", "latin%E9.md", "run.md"]
    assert listing.complete
    assert [(left.uri, left.code) for left in listing.unlisted] == [("lib/other", "submodule")]
    assert "add it as a source" in listing.unlisted[0].reason
    assert connector.fetch("latin%E9.md", None).entry.size == 1
    for uri in ("link.md", "lib/other", ".hidden.md", "sub/run.sh"):
        assert connector.stat(uri) is None
        with pytest.raises(DocumentVanished):
            connector.fetch(uri, None)
    assert ".github/x.md" in listed(connect(origin.path, hidden=True))


def test_codeowners_are_those_of_the_commit(origin: Origin, url: str, connect: Connect) -> None:
    origin.commit({"CODEOWNERS": b"* @top\n", "docs/CODEOWNERS": b"* @docs\n"})
    for repository in (origin.path, url):
        connector = connect(repository, cache=str(len(str(repository))))
        found = connector.codeowners()
        assert found is not None and found.text == "* @top\n"
    origin.commit({"CODEOWNERS": b"#" * 3_000_001})
    with pytest.raises(SourceUnavailable, match="CODEOWNERS"):
        connector.codeowners()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"repository": "nowhere"}, "does not exist; is it mounted"),
        ({"repository": "."}, "is none"),
        ({"repository": "tree/folder"}, "by the key include"),
        ({"repository": "tree", "branch": "gone"}, "no branch 'gone'"),
        ({"repository": "tree", "tag": "v1"}, "no tag 'v1'"),
        ({"repository": "unborn"}, "no commit at its HEAD"),
    ],
)
def test_a_repository_that_is_not_there_is_no_empty_one(
    tree: Path, connect: Connect, settings: dict[str, str], says: str, tmp_path: Path
) -> None:
    (tree / "folder").mkdir()
    git(tmp_path, "init", "-q", "unborn")
    connector = connect(**settings)
    for ask in (connector.probe, connector.list, connector.codeowners):
        with pytest.raises(SourceUnavailable, match=says):
            ask()


def test_a_branch_that_was_deleted_is_no_empty_one(origin: Origin, url: str, connect: Connect) -> None:
    origin.commit({"a.md": b"1"})
    for repository in (origin.path, url):
        connector = connect(repository, branch="main", cache=str(len(str(repository))))
        git(origin.path, "update-ref", "refs/heads/main", git(origin.path, "rev-parse", "HEAD"))
        assert list(listed(connector)) == ["a.md"]
        head = git(origin.path, "rev-parse", "main")
        git(origin.path, "update-ref", "-d", "refs/heads/main")
        with pytest.raises(SourceUnavailable, match="has no branch 'main'"):
            connector.list()
        with pytest.raises(SourceUnavailable, match="has no commit at its HEAD"):
            connect(repository).list()
        git(origin.path, "update-ref", "refs/heads/main", head)


def test_tags_are_followed_to_their_commit(origin: Origin, url: str, connect: Connect) -> None:
    origin.commit({"a.md": b"1"})
    git(origin.path, "-c", "user.name=A", "-c", "user.email=a@b", "tag", "-a", "-m", "one", "v1", "main")
    git(origin.path, "tag", "light", "main")
    origin.commit({"b.md": b"1"})
    for repository in (origin.path, url):
        for tag in ("v1", "light"):
            assert list(listed(connect(repository, tag=tag, cache=tag))) == ["a.md"]


def test_no_code_of_a_repository_runs(tree: Path, connect: Connect, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {ran}\nexit 1\n")
    script.chmod(0o755)
    for name in (
        "core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass", "core.gitProxy",
        "diff.external", "diff.evil.textconv", "diff.evil.command", "filter.evil.smudge", "filter.evil.clean",
        "filter.evil.process", "gpg.program", "gpg.ssh.program", "uploadpack.packObjectsHook",
        "core.alternateRefsCommand", "alias.log", "alias.cat-file", "credential.helper", "pager.log",
        "lfs.customtransfer.evil.path",
    ):  # fmt: skip
        git(tree, "config", name, f"!{script}" if name.startswith("alias") else str(script))
    for name, value in {
        "log.showSignature": "true",
        "core.hooksPath": str(tmp_path),
        "remote.origin.url": f"ext::{script}",
        "remote.origin.promisor": "true",
        "protocol.ext.allow": "always",
    }.items():
        git(tree, "config", name, value)
    for hook in ("post-checkout", "reference-transaction", "post-index-change", "fsmonitor-watchman"):
        shutil.copy(script, tmp_path / hook)
    (tree / ".gitattributes").write_text("* diff=evil filter=evil\n")
    head = git(tree, "rev-parse", "HEAD")
    signed = git(tree, "cat-file", "commit", head).replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n x\n -----END PGP SIGNATURE-----\n\n", 1
    )
    commit = git(tree, "hash-object", "-t", "commit", "-w", "--stdin", stdin=signed.encode() + b"\n")
    (tree / ".git" / "refs" / "heads" / "main").write_text(f"{commit}\n")
    connector = connect("tree")
    assert list(listed(connector)) == ["a.md"]
    connector.fetch("a.md", None)
    # A missing object is not asked for by the ways that the repository names.
    blob = git(tree, "rev-parse", "HEAD:a.md")
    (tree / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(DocumentForbidden, match="git fsck"):
        connector.fetch("a.md", None)
    assert not ran.exists()


def test_an_object_that_is_replaced_is_read_as_it_was_committed(
    tree: Path, connect: Connect, tmp_path: Path
) -> None:
    blob = git(tree, "rev-parse", "HEAD:a.md")
    other = git(tree, "hash-object", "-w", "--stdin", stdin=b"other\n")
    git(tree, "replace", blob, other)
    connect("tree").fetch("a.md", tmp_path / "a")
    assert (tmp_path / "a").read_text() == "committed\n"


def test_the_environment_of_another_repository_does_not_count(
    tree: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("GIT_NAMESPACE", "other")
    assert list(listed(connect("tree"))) == ["a.md"]


def test_without_git_the_source_says_how_to_install_it(
    tree: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceUnavailable, match="program git, which is not installed"):
        connect("tree").probe()


def test_documents_of_lfs_are_read_where_it_keeps_them(
    origin: Origin, connect: Connect, tmp_path: Path
) -> None:
    content = b"A large document.\n" * 10
    found = pointer(content)
    origin.commit({"a.md": found, "big.md": pointer(b"x" * 200_000)})
    connector = connect(origin.path)
    assert listed(connector)["a.md"].size is None
    with pytest.raises(DocumentError, match="git lfs fetch"):
        connector.fetch("a.md", tmp_path / "a")
    oid = found.split(b"sha256:")[1][:64].decode()
    kept = origin.path / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content)
    fetched = connector.fetch("a.md", tmp_path / "a")
    assert (fetched.content_hash, fetched.entry.size) == (oid, len(content))
    assert (tmp_path / "a").read_bytes() == content
    kept.write_bytes(content.swapcase())
    with pytest.raises(DocumentForbidden, match="not those that its pointer names"):
        connector.fetch("a.md", tmp_path / "b")
    assert not (tmp_path / "b").exists()
    with pytest.raises(DocumentTooLarge, match="200,000"):
        connector.fetch("big.md", None)


def test_a_damaged_cache_is_thrown_away(origin: Origin, url: str, connect: Connect, tmp_path: Path) -> None:
    origin.commit({"a.md": b"1"})
    connector = connect(url)
    listed(connector)
    (tmp_path / "cache" / "docs" / "tree.db").write_bytes(b"no database" * 500)
    with pytest.raises(SourceUnavailable, match="begins anew"):
        connector.list()
    assert list(listed(connector)) == ["a.md"]
    # A clone that lost its objects is made again when it is needed.
    shutil.rmtree(tmp_path / "cache" / "docs" / "bytes" / "clone.git" / "objects")
    origin.commit({"b.md": b"1"})
    assert list(listed(connector)) == ["a.md", "b.md"]
    assert connector.fetch("b.md", None).entry.size == 1


def test_a_clone_that_was_damaged_is_made_again(
    origin: Origin, url: str, connect: Connect, tmp_path: Path
) -> None:
    origin.commit({"a.md": b"1", "b.md": b"2"})
    connector, clone = connect(url), tmp_path / "cache" / "docs" / "bytes" / "clone.git"
    listed(connector)
    connector.fetch("a.md", None)
    for path in (clone / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(b"damaged")
    assert connector.fetch("a.md", None).entry.size == 1
    # A process that was killed leaves its locks.
    listed(connector)
    origin.commit({"c.md": b"3"})
    listed(connector)
    (clone / "refs" / "freshkb" / "head.lock").touch()
    origin.commit({"d.md": b"4"})
    assert list(listed(connector)) == ["a.md", "b.md", "c.md", "d.md"]
    assert connector.fetch("d.md", None).entry.size == 1


def test_what_git_says_is_short_and_has_no_secret() -> None:
    error = command.GitError("warning: x\nremote: y\nfatal: " + "z" * 500 + ".\n")
    assert str(error).startswith("zzz") and len(str(error)) < 210
