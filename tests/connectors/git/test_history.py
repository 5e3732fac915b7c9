"""Histories: what the log says of paths, and random ones against a model."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from connectors.base import Entry, SourceUnavailable
from connectors.git.connector import GitConnector
from tests.connectors.git.conftest import Connect
from tests.connectors.git.origin import BEGIN, Origin, git

TEXT = b"".join(b"Line %d of a document that is long enough to be alike.\n" % line for line in range(20))


def listed(connector: GitConnector) -> dict[str, Entry]:
    listing = connector.list()
    found = {entry.uri: entry for entry in listing}
    assert listing.complete and list(found) == sorted(found)
    return found


def seconds(entry: Entry) -> int:
    assert entry.modified_at is not None
    return entry.modified_at // 1_000_000_000


def test_date_and_author_are_those_of_the_last_commit_that_git_names(
    origin: Origin, connect: Connect
) -> None:
    connector = connect(origin.path)
    origin.add({"a.md": b"1", "b.md": b"1", "folder/c.md": b"1"}, author="Anna")
    origin.commit({"b.md": b"2"}, author="Bo")
    first = listed(connector)
    origin.add({"folder/c.md": b"2"}, author="Eve Østergård")
    origin.add(rename=[("a.md", "folder/a.md")], author="Joe")
    origin.commit({"a.md": b"another"})
    for entry in listed(connector).values():
        asked = git(origin.path, "log", "-1", "--format=%ct %an", "main", "--", entry.uri)
        assert f"{seconds(entry)} {(entry.properties or {})['author']}" == asked
    assert first["b.md"] == listed(connector)["b.md"]


def test_of_a_merged_branch_the_date_is_that_of_its_own_commit(origin: Origin, connect: Connect) -> None:
    base = origin.commit({"a.md": b"1", "b.md": b"1", "c.md": b"1"})
    connector = connect(origin.path)
    listed(connector)
    origin.add({"a.md": b"2"}, branch="side", onto=base, author="Sid", at=BEGIN + 10_000)
    origin.add({"b.md": b"2"}, branch="side", author="Sid", at=BEGIN + 11_000)
    origin.add({"c.md": b"2"}, author="Anna", at=BEGIN + 12_000)
    side = f":{origin.commits - 1}"
    origin.commit({"a.md": b"2", "b.md": b"merged otherwise"}, merge=side, author="Max", at=BEGIN + 13_000)
    found = listed(connector)
    said = {uri: (seconds(entry) - BEGIN, (entry.properties or {})["author"]) for uri, entry in found.items()}
    assert said == {"a.md": (10_000, "Sid"), "b.md": (11_000, "Sid"), "c.md": (12_000, "Anna")}
    assert listed(connect(origin.path, cache="fresh")) == found


def test_a_merge_that_changes_a_file_itself_is_its_last_commit(origin: Origin, connect: Connect) -> None:
    base = origin.commit({"a.md": b"1", "b.md": b"1"})
    origin.add({"a.md": b"2"}, branch="first", onto=base, author="Sid", at=BEGIN + 10_000)
    origin.add({"b.md": b"2"}, branch="second", onto=base, author="Sue", at=BEGIN + 11_000)
    first, second = f":{origin.commits - 1}", f":{origin.commits}"
    origin.add({"a.md": b"2"}, merge=first, author="Max", at=BEGIN + 12_000)
    origin.commit({"a.md": b"3", "b.md": b"2"}, merge=second, author="Max", at=BEGIN + 13_000)
    found = listed(connect(origin.path))
    said = {uri: (seconds(entry) - BEGIN, (entry.properties or {})["author"]) for uri, entry in found.items()}
    assert said == {"a.md": (13_000, "Max"), "b.md": (11_000, "Sue")}


def test_a_branch_that_others_merged_main_into_and_pushed_as_main_is_walked_anew(
    origin: Origin, connect: Connect
) -> None:
    base = origin.commit({"a.md": b"1", "b.md": b"1"})
    connector = connect(origin.path)
    tip = origin.commit({"a.md": b"2"})
    listed(connector)
    origin.add({"b.md": b"2"}, branch="side", onto=base)
    origin.add({"a.md": b"2"}, branch="side", merge=tip)
    origin.flush()
    git(origin.path, "update-ref", "refs/heads/main", "side")
    found = listed(connector)
    assert {entry.token for entry in found.values()} == {git(origin.path, "rev-parse", "side:a.md")}
    assert listed(connect(origin.path, cache="fresh")) == found


def test_a_wrong_clock_of_an_older_commit_does_not_stay(origin: Origin, connect: Connect) -> None:
    connector = connect(origin.path)
    origin.commit({"a.md": b"1"}, at=BEGIN + 10**9)
    assert seconds(listed(connector)["a.md"]) == BEGIN + 10**9
    origin.commit({"a.md": b"2"}, at=BEGIN + 500)
    assert seconds(listed(connector)["a.md"]) == BEGIN + 500


@pytest.mark.parametrize("at", ["", "9223372037", "9" * 19, "9" * 30])
def test_a_commit_without_a_date_that_can_be_read_has_none(origin: Origin, connect: Connect, at: str) -> None:
    origin.commit({"a.md": b"1"})
    tree = git(origin.path, "rev-parse", "main^{tree}")
    date = f" {at} +0000" if at else ""
    text = f"tree {tree}\nauthor Bo <b@x> 1 +0000\ncommitter Bo <b@x>{date}\n\nconverted\n"
    commit = git(
        origin.path, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=text.encode()
    )
    origin.tips["refs/heads/main"] = commit
    origin.commit({"b.md": b"1"}, at=BEGIN + 500)
    found = listed(connect(origin.path))
    assert found["a.md"].modified_at is None
    assert found["a.md"].properties == {"author": "Bo"}
    assert seconds(found["b.md"]) == BEGIN + 500


@pytest.mark.parametrize("kept", [True, False])
def test_a_rename_keeps_the_identity_also_when_the_cache_is_lost(
    origin: Origin, connect: Connect, kept: bool
) -> None:
    origin.commit({"old.md": TEXT})
    before = listed(connect(origin.path))["old.md"]
    origin.add(rename=[("old.md", "middle.md")])
    origin.add({"old.md": b"A new one under the old name.\n"})
    origin.add({"middle.md": TEXT + b"And more.\n"})
    origin.commit(rename=[("middle.md", "new/name.md")])
    found = listed(connect(origin.path, cache="docs" if kept else "lost"))
    assert found["new/name.md"].native_id == before.native_id
    assert found["old.md"].native_id != before.native_id


def test_a_rename_with_an_edit_is_one_when_git_sees_it(origin: Origin, url: str, connect: Connect) -> None:
    """Over a clone without blobs, too: those that are compared are brought."""
    for number, repository in enumerate((origin.path, url)):
        connector = connect(repository, cache=str(number))
        origin.commit({"old.md": TEXT, "other.md": TEXT.upper()})
        before = listed(connector)
        origin.commit({"new.md": TEXT + b"Another line.\n", "unlike.md": b"x"}, remove=["old.md", "other.md"])
        after = listed(connector)
        assert after["new.md"].native_id == before["old.md"].native_id
        assert after["unlike.md"].native_id != before["other.md"].native_id
        # It is remembered at the next commit, and two never have one.
        origin.commit({"old.md": TEXT})
        again = listed(connector)
        assert again["new.md"] == after["new.md"]
        assert len({entry.native_id for entry in again.values()}) == len(again)
        origin.commit(remove=["new.md", "unlike.md", "old.md"])


def test_an_identity_that_went_one_way_does_not_go_another(origin: Origin, connect: Connect) -> None:
    connector = connect(origin.path)
    origin.commit({"a.md": TEXT})
    before = listed(connector)["a.md"]
    origin.add(rename=[("a.md", "b.md")])
    origin.add({"b.md": b"Something else.\n"})
    origin.commit({"c.md": TEXT + b"And more.\n"})
    after = listed(connector)
    assert after["b.md"].native_id == before.native_id != after["c.md"].native_id


def test_two_names_that_are_swapped_are_two_new_versions(origin: Origin, connect: Connect) -> None:
    connector = connect(origin.path)
    origin.commit({"a.md": b"1", "b.md": b"2"})
    before = listed(connector)
    origin.commit({"a.md": b"2", "b.md": b"1"})
    after = listed(connector)
    assert [after[uri].native_id for uri in after] == [before[uri].native_id for uri in before]
    assert after["a.md"].token == before["b.md"].token


def test_a_rewritten_history_is_compared_as_a_whole(origin: Origin, url: str, connect: Connect) -> None:
    first = origin.commit({"a.md": b"1", "b.md": TEXT})
    origin.commit({"a.md": b"2"})
    connector = connect(url)
    listed(connector)
    origin.reset(first)
    origin.add({"b.md": TEXT + b"more"}, onto=first, at=BEGIN + 5)
    origin.commit({"c.md": b"3"})
    found = listed(connector)
    assert list(found) == ["a.md", "b.md", "c.md"]
    assert found == listed(connect(url, cache="fresh"))


def test_what_a_shallow_repository_does_not_know_has_no_date(
    origin: Origin, connect: Connect, tmp_path: Path
) -> None:
    origin.add({"a.md": b"1", "b.md": b"1"})
    origin.add({"b.md": b"2"})
    origin.commit({"b.md": b"3"})
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=2", f"file://{origin.path}", str(shallow))
    found = listed(connect(shallow))
    assert found["a.md"].modified_at is None and found["a.md"].properties == {}
    assert seconds(found["b.md"]) == seconds(listed(connect(origin.path, cache="whole"))["b.md"])


class Steps:
    """Random commits, and a model of what has to be listed."""

    def __init__(self, origin: Origin, seed: int) -> None:
        self.origin, self.random = origin, random.Random(seed)
        self._number = 0

    def step(self) -> None:
        """One commit. Bytes are never alike, so that a rename is one of unchanged bytes: git compares hashes
        of 64 bytes, of which one in some hundred thousand is that of others."""
        origin, chosen = self.origin, self.random
        names = [name.decode() for name in origin.files]
        self._number += 1
        text = b"%d %s" % (self._number, b" ".join(b"%020x" % chosen.getrandbits(80) for _ in range(9)))
        act = chosen.choices(("put", "edit", "rename", "remove"), (4, 5, 2, 2))[0]
        if act == "put" or not names:
            origin.add({self._name(): text})
        elif act == "edit":
            origin.add({chosen.choice(names): text})
        elif act == "rename":
            origin.add(rename=[(chosen.choice(names), self._name())])
        else:
            origin.add(remove=[chosen.choice(names)])

    def _name(self) -> str:
        while True:
            folder = self.random.choice(("", "a/", "a/b/", "é/"))
            name = f"{folder}{self.random.choice('xyzäß')}{self.random.randrange(9_999)}.md"
            if name.encode() not in self.origin.files:
                return name

    def rewind(self) -> None:
        """The branch is forced to an older commit."""
        self.origin.reset(self.random.choice(list(self.origin.states)[-10:]))


@pytest.mark.parametrize("remote", [False, True])
def test_random_steps_are_listed_as_they_were_made(
    origin: Origin, url: str, connect: Connect, soak: bool, remote: bool, tmp_path: Path
) -> None:
    """Puts, edits, renames, removals, force-pushes, caches that are lost, and a repository that is away."""
    for seed in range(20 if soak else 1):
        steps = Steps(origin, seed)
        chosen = steps.random
        connector = connect(url if remote else origin.path, cache=f"{seed}")
        away = origin.path.with_suffix(".away")
        for number in range(200 if soak else 12 if remote else 45):
            steps.step()
            origin.flush()
            act = chosen.random()
            if act < 0.05:
                steps.rewind()
            elif act < 0.08:
                shutil.rmtree(tmp_path / "cache" / f"{seed}", ignore_errors=True)
            elif act < 0.1:
                shutil.rmtree(tmp_path / "cache" / f"{seed}" / "bytes", ignore_errors=True)
            elif act < 0.15:
                origin.path.rename(away)
                with pytest.raises(SourceUnavailable):
                    connector.list()
                away.rename(origin.path)
            if chosen.random() < 0.5:
                continue
            found = listed(connector)
            expected = origin.tokens()
            assert {uri: entry.token for uri, entry in found.items()} == expected
            assert len({entry.native_id for entry in found.values()}) == len(found)
            if found and chosen.random() < 0.3:
                uri = chosen.choice(list(found))
                fetched = connector.fetch(uri, tmp_path / "fetched")
                assert (tmp_path / "fetched").read_bytes() == origin.files[uri.encode()]
                assert fetched.entry == found[uri]._replace(size=fetched.entry.size)
                (tmp_path / "fetched").unlink()
            if number % 40 == (39 if soak else 11):
                assert listed(connect(origin.path, cache=f"fresh {seed} {number}")) == with_sizes(
                    found, origin
                )


def with_sizes(found: dict[str, Entry], origin: Origin) -> dict[str, Entry]:
    """The same as a local repository lists them: sizes are told, but where a pointer of LFS may be."""
    sizes = {uri: len(origin.files[uri.encode()]) for uri in found}
    return {
        uri: entry._replace(size=None if 120 <= sizes[uri] <= 1024 else sizes[uri])
        for uri, entry in found.items()
    }


def test_ten_thousand_commits_replayed_give_the_listing_of_a_fresh_source(
    origin: Origin, connect: Connect, soak: bool
) -> None:
    steps = Steps(origin, 7)
    for _ in range(10_000 if soak else 300):
        steps.step()
    head = origin.flush()
    line = git(origin.path, "rev-list", "--first-parent", "--reverse", "main").split()
    connector, position = connect(origin.path), 0
    while position < len(line) - 1:
        position = min(len(line) - 1, position + steps.random.choice((1, 1, 5, 40)))
        git(origin.path, "update-ref", "refs/heads/main", line[position])
        found = listed(connector)
    assert line[position] == head and {uri: entry.token for uri, entry in found.items()} == origin.tokens()
    fresh = listed(connect(origin.path, cache="fresh"))
    assert found == fresh
    for entry in steps.random.sample(list(fresh.values()), 20):
        assert str(seconds(entry)) == git(origin.path, "log", "-1", "--format=%ct", "main", "--", entry.uri)
