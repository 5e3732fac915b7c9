"""Repositories on real servers, by http and by ssh: requests, faults, credentials."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest

from connectors.base import (
    DocumentError,
    DocumentForbidden,
    DocumentTooLarge,
    DocumentVanished,
    SourceUnavailable,
    forget,
)
from connectors.git import command
from tests.connectors.git.conftest import Connect
from tests.connectors.git.origin import Origin, git
from tests.connectors.git.servers import HttpServer, SshServer, pointer
from tests.connectors.git.test_history import listed

SECRET = "verysecrettoken"


def wanted(http: HttpServer) -> list[str]:
    """How many objects each request for objects has named; the list is emptied."""
    found = [request.split()[2] for request in http.requests if request.count(" ") == 2]
    http.requests.clear()
    return found


def test_an_unchanged_source_costs_two_requests_and_no_object(
    origin: Origin, url: str, http: HttpServer, connect: Connect
) -> None:
    origin.commit({f"{number:03}.md": b"%d" % number for number in range(100)})
    first = connect(url)
    listed(first)
    http.requests.clear()
    again = connect(url)
    again.patience = replace(again.patience, trust=3600)
    again.codeowners(), again.probe(), listed(again), again.stat("gone.md"), again.stat("001.md")
    assert len(http.requests) == 2 and wanted(http) == []


def test_documents_come_in_batches_and_those_that_nobody_reads_do_not_come(
    origin: Origin, url: str, http: HttpServer, connect: Connect, tmp_path: Path
) -> None:
    origin.add({f"{number:03}.md": b"text %d" % number for number in range(100)})
    origin.commit({f"{number:03}.png": b"image %d" % number for number in range(100)})
    connector = connect(url)
    connector.patience = replace(connector.patience, trust=3600)
    listed(connector)
    wanted(http)
    for number in range(100):
        connector.fetch(f"{number:03}.md", None)
    assert wanted(http) == ["32", "64", "4"]
    # Of a few changed ones scattered among the others, all come at once.
    origin.commit({f"{number:03}.md": b"new %d" % number for number in (3, 50, 97)})
    connector = connect(url)
    assert len(listed(connector)) == 200
    assert wanted(http) == ["1"]
    for number in (3, 50, 97):
        connector.fetch(f"{number:03}.md", None)
    assert wanted(http) == ["3"]


def test_a_purge_costs_bytes_and_an_erasure_names_and_both_come_again(
    origin: Origin, url: str, connect: Connect, tmp_path: Path
) -> None:
    origin.commit({"a.md": b"the body of a", "b.md": b"2"})
    connector, cache = connect(url), tmp_path / "cache" / "docs"
    before = listed(connector)
    for names in (False, True):
        assert connector.fetch("a.md", None).entry.size == 13
        assert forget(cache, names=names)
        assert listed(connector) == before
        assert connector.fetch("a.md", None).entry.size == 13
        origin.commit({"b.md": f"{names}".encode()})
        after = listed(connector)
        assert after["a.md"] == before["a.md"] and after["b.md"].token != before["b.md"].token
        before = after
    # Bytes lie in the folder of bytes only.
    outside = [path for path in cache.rglob("*") if path.is_file() and "bytes" not in path.parts]
    assert outside and not any(b"the body" in path.read_bytes() for path in outside)


def test_a_listing_shows_one_commit_whatever_is_pushed_meanwhile(
    origin: Origin, url: str, http: HttpServer, connect: Connect
) -> None:
    origin.commit({"a.md": b"1", "b.md": b"1"})
    connector = connect(url)
    entries = iter(connector.list())
    first = next(entries)
    origin.commit({"a.md": b"2"}, remove=["b.md"])
    assert connector.stat("b.md") is None
    assert [entry.uri for entry in entries] == ["b.md"]
    # What is fetched is of the present head, and its token says so.
    fetched = connector.fetch("a.md", None).entry
    assert fetched.token not in (None, first.token) and fetched.token == listed(connector)["a.md"].token
    with pytest.raises(DocumentVanished):
        connector.fetch("b.md", None)


def test_a_push_between_the_question_and_the_answer_is_brought(
    origin: Origin, url: str, http: HttpServer, connect: Connect
) -> None:
    origin.commit({"a.md": b"1"})
    connector, pushed = connect(url), threading.Event()

    def push(path: str) -> None:
        if path.endswith("/info/refs") and len(http.requests) > 2 and not pushed.is_set():
            pushed.set()
            origin.commit({"b.md": b"1"})

    http.before = push
    assert list(listed(connector)) == ["a.md", "b.md"]
    assert pushed.is_set()


@pytest.mark.parametrize("filters", ["false", "none"])
def test_a_server_that_sends_everything_is_as_good(
    origin: Origin, url: str, connect: Connect, filters: str, tmp_path: Path
) -> None:
    git(origin.path, "config", "uploadpack.allowFilter", "false")
    git(origin.path, "config", "uploadpack.allowAnySHA1InWant", "false")
    if filters == "none":
        git(origin.path, "config", "protocol.version", "0")
    origin.commit({"a.md": b"1"})
    connector = connect(url)
    assert list(listed(connector)) == ["a.md"]
    assert connector.fetch("a.md", None).entry.size == 1
    shutil.rmtree(tmp_path / "cache" / "docs" / "bytes")
    assert connector.fetch("a.md", None).entry.size == 1


def test_requests_that_fail_for_now_are_made_again_after_the_time_that_the_server_asks_for(
    origin: Origin, url: str, http: HttpServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("connectors.git.command.time.sleep", slept.append)
    origin.commit({"a.md": b"1"})
    connector = connect(url)
    connector.patience = replace(connector.patience, waits=(1, 4), longest_wait=60)
    http.refusals[:] = [(429, {"Retry-After": "7"}), (503, {"Retry-After": "7200"})]
    assert list(listed(connector)) == ["a.md"]
    http.truncated = 1
    assert connector.fetch("a.md", None).entry.size == 1
    assert slept == [7, 60, 1]
    http.refusals[:] = [(503, {})] * 3
    with pytest.raises(SourceUnavailable, match="503"):
        connector.list()
    assert slept[3:] == [1, 4] and not http.refusals


def test_bytes_that_never_come_whole_are_no_document(
    origin: Origin, url: str, http: HttpServer, connect: Connect, tmp_path: Path
) -> None:
    origin.commit({"a.md": b"1"})
    connector = connect(url)
    before = listed(connector)
    http.truncated = 100
    with pytest.raises(SourceUnavailable):
        connector.fetch("a.md", tmp_path / "a")
    origin.commit({"b.md": b"1"})
    with pytest.raises(SourceUnavailable):
        connector.list()
    assert not (tmp_path / "a").exists()
    http.truncated = 0
    assert list(listed(connector)) == [*before, "b.md"]


def test_a_failure_of_the_server_costs_nothing_that_was_brought(
    origin: Origin, url: str, http: HttpServer, connect: Connect, tmp_path: Path
) -> None:
    origin.commit({"a.md": b"1"})
    connector = connect(url)
    listed(connector)
    connector.fetch("a.md", None)
    origin.commit({"b.md": b"2"})
    http.before = lambda path: http.refusals.append((500, {})) if wanted(http) else None
    with pytest.raises(SourceUnavailable):
        connector.list()
    http.before, http.refusals[:] = lambda path: None, []
    http.requests.clear()
    listed(connector)
    assert wanted(http) == ["1"]
    connector.fetch("a.md", None)
    assert wanted(http) == []


def test_a_history_that_was_rewritten_after_a_purge_is_listed(
    origin: Origin, url: str, connect: Connect, tmp_path: Path
) -> None:
    first = origin.commit({"a.md": b"1"})
    origin.commit({"b.md": b"2"})
    connector = connect(url)
    listed(connector)
    assert forget(tmp_path / "cache" / "docs", names=False)
    origin.reset(first)
    origin.commit({"c.md": b"2"})
    git(origin.path, "reflog", "expire", "--expire=now", "--all")
    git(origin.path, "gc", "-q", "--prune=now")
    found = listed(connector)
    assert list(found) == ["a.md", "c.md"] and found == listed(connect(url, cache="fresh"))


def test_a_server_that_does_not_answer_is_given_up(
    origin: Origin, url: str, http: HttpServer, connect: Connect
) -> None:
    connector = connect(url)
    connector.patience = replace(connector.patience, ask=0.3)
    http.silent = True
    with pytest.raises(SourceUnavailable, match="does not answer in time"):
        connector.list()


def test_a_token_is_needed_given_and_revoked_and_never_told(
    origin: Origin, url: str, http: HttpServer, connect: Connect, tmp_path: Path
) -> None:
    origin.commit({"a.md": b"1", "b.md": b"2"})
    http.token = SECRET
    with pytest.raises(SourceUnavailable, match="refuses these credentials, or asks for some: token is for"):
        connect(url).probe()
    seen: list[str] = []

    def look(path: str) -> None:
        """No process has the secret among its arguments, which other users can see."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                seen.append((folder / "cmdline").read_bytes().decode(errors="replace"))
            except OSError:
                continue

    http.before = look
    connector = connect(url, token=SECRET)
    listed(connector)
    assert connector.fetch("a.md", None).entry.size == 1
    assert any("remote-http" in arguments for arguments in seen)
    http.before = lambda path: None
    http.token = "another"
    messages = []
    for ask in (connector.probe, connector.list, lambda: connector.stat("a.md")):
        with pytest.raises(SourceUnavailable, match="refuses these credentials") as refused:
            ask()
        messages.append(f"{refused.value} {refused.value.__cause__!r}")
    kept = [path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    basic = http_basic(SECRET)
    for text in (*seen, *messages):
        assert SECRET not in text and basic not in text
    assert not any(SECRET.encode() in content or basic.encode() in content for content in kept)


def http_basic(token: str) -> str:
    import base64

    return base64.b64encode(f"x-access-token:{token}".encode()).decode()


def test_an_address_without_a_repository_is_unavailable(http: HttpServer, connect: Connect) -> None:
    with pytest.raises(SourceUnavailable, match="is not there, or is not shown"):
        connect(f"{http.url}/nothing.git").list()


def test_one_object_that_the_server_lost_keeps_no_other_away(
    origin: Origin, url: str, connect: Connect
) -> None:
    origin.commit({"a.md": b"1", "b.md": b"2", "c.md": b"3"})
    connector = connect(url)
    listed(connector)
    blob = git(origin.path, "rev-parse", "main:b.md")
    (origin.path / "objects" / blob[:2] / blob[2:]).unlink()
    assert connector.fetch("a.md", None).entry.size == 1
    with pytest.raises(DocumentForbidden, match=blob):
        connector.fetch("b.md", None)
    assert connector.fetch("c.md", None).entry.size == 1


@pytest.mark.skipif(
    shutil.which("git-lfs") is None, reason="git-lfs is not installed: apt-get install git-lfs"
)
def test_documents_of_lfs_come_from_its_server(
    origin: Origin, url: str, http: HttpServer, connect: Connect, tmp_path: Path
) -> None:
    content = b"A large document.\n" * 100
    lost = pointer(b"never uploaded")
    origin.commit({"a.md": http.keep(content), "lost.md": lost, "big.md": http.keep(b"x" * 200_000)})
    http.token = SECRET
    connector = connect(url, token=SECRET)
    fetched = connector.fetch("a.md", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == content and fetched.entry.size == len(content)
    with pytest.raises(DocumentForbidden, match="its server does not give it") as refused:
        connector.fetch("lost.md", tmp_path / "lost")
    assert not (tmp_path / "lost").exists() and SECRET not in str(refused.value)
    http.requests.clear()
    with pytest.raises(DocumentTooLarge):
        connector.fetch("big.md", None)
    assert not any("lfs" in request for request in http.requests)


@pytest.mark.skipif(
    shutil.which("git-lfs") is None, reason="git-lfs is not installed: apt-get install git-lfs"
)
def test_a_document_of_lfs_has_the_time_of_what_is_brought(
    origin: Origin, url: str, http: HttpServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it comes, nothing waits that has the time of what is on the disk."""
    running: list[float] = []
    together: list[list[float]] = []

    class Watched(Timer):
        def start(self) -> None:
            running.append(self.interval)
            together.append([*running])
            super().start()

        def cancel(self) -> None:
            running.remove(self.interval)
            super().cancel()

    origin.commit({"a.md": http.keep(b"A large document.\n" * 100)})
    connector = connect(url)
    listed(connector)
    monkeypatch.setattr(command, "Timer", Watched)
    connector.fetch("a.md", None)
    assert together[-1] == [connector.patience.transfer]


def test_without_git_lfs_a_pointer_is_no_text(
    origin: Origin, url: str, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    only = tmp_path / "programs"
    only.mkdir()
    (only / "git").symlink_to(shutil.which("git") or "")
    origin.commit({"a.md": pointer(b"somewhere")})
    connector = connect(url)
    listed(connector)
    monkeypatch.setenv("PATH", str(only))
    with pytest.raises(DocumentError, match="program git-lfs, which fetches it, is not installed"):
        connector.fetch("a.md", None)


@pytest.fixture
def address(ssh: SshServer, origin: Origin, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GIT_SSH_COMMAND", ssh.command())
    return f"{ssh.url}{origin.path}"


def test_a_repository_is_read_over_ssh(
    ssh: SshServer, address: str, origin: Origin, connect: Connect, tmp_path: Path
) -> None:
    origin.commit({"a.md": b"1", "b.md": b"2"})
    connector = connect(address, ssh_key=str(ssh.key))
    assert listed(connector) == {
        uri: entry._replace(size=None) for uri, entry in listed(connect(origin.path, cache="local")).items()
    }
    origin.commit({"a.md": b"new"}, rename=[("b.md", "c.md")])
    assert list(listed(connector)) == ["a.md", "c.md"]
    connector.fetch("a.md", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"
    allowed = ssh.allowed.read_text()
    try:
        ssh.allowed.write_text("")
        with pytest.raises(SourceUnavailable, match=r"refuses these credentials.*ssh_key"):
            connector.list()
    finally:
        ssh.allowed.write_text(allowed)
    assert connector.stat("c.md") is not None


def test_an_unknown_key_an_unknown_host_and_no_repository_say_what_to_do(
    ssh: SshServer, address: str, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceUnavailable, match="refuses these credentials"):
        connect(address, ssh_key=str(ssh.other_key)).probe()
    with pytest.raises(SourceUnavailable, match="is not there"):
        connect(f"{ssh.url}{tmp_path}/nothing.git", ssh_key=str(ssh.key)).probe()
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -F /dev/null -oUserKnownHostsFile=/dev/null")
    with pytest.raises(SourceUnavailable, match="add its key to known_hosts"):
        connect(address, ssh_key=str(ssh.key)).probe()
