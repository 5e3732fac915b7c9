"""The walk over a server's folders: what it does with names, loops, depths and servers that fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from connectors.base import Patterns, Unlisted
from connectors.patterns import PathFilter
from connectors.remote.server import Dropped, Failed, Item, Names, Refused, Trouble, Unusable
from connectors.remote.tree import walk
from connectors.walk import MAX_DEPTH, MAX_ERRORS

ALL = PathFilter(Patterns(["**/*"]), Patterns(["**/~$*"]), hidden=False)


def walked(
    scan: Callable[[Names], Sequence[Item]], accept: PathFilter = ALL
) -> tuple[list[str], list[str], list[Unlisted]]:
    """(uris, errors, folders that lie too deep)."""
    errors: list[str] = []
    unlisted: list[Unlisted] = []
    uris = [entry.uri for entry in walk(scan(()), scan, accept, errors, unlisted)]
    return uris, errors, unlisted


def file(name: str) -> Item:
    return Item(name, "file", 1, 0, "t")


def test_names_that_no_file_can_have_make_the_listing_incomplete() -> None:
    found = [file("a"), *map(file, ("..", "", "../../etc/passwd", "a\0b", "\ud800"))]
    uris, errors, _ = walked(lambda path: found)
    assert uris == ["a"]
    assert len(errors) == 5
    assert all("no file can have" in error for error in errors)


def test_names_that_are_not_utf_8_have_a_uri() -> None:
    uris, errors, _ = walked(lambda path: [file("\udcff.md"), file("100%25.md")])
    assert uris == ["%FF.md", "100%2525.md"]
    assert errors == []


def test_what_is_listed_twice_or_is_unknown_makes_the_listing_incomplete() -> None:
    found = [file("a"), file("a"), Item("b", "unknown"), Item("c", "other"), Item(".d", "unknown")]
    uris, errors, _ = walked(lambda path: found)
    assert uris == ["a"]
    assert ["twice" in error for error in errors] == [True, False]
    assert "'b'" in errors[1]


def test_only_folders_that_may_hold_documents_are_asked_for() -> None:
    asked: list[Names] = []

    def scan(path: Names) -> list[Item]:
        asked.append(path)
        return [] if path else [Item(name, "folder") for name in ("a", ".git", "old")]

    walked(scan, PathFilter(Patterns(["**/*"]), Patterns(["old/"]), hidden=False))
    assert asked == [(), ("a",)]


def test_a_folder_that_leads_to_one_above_is_not_entered_again() -> None:
    def scan(path: Names) -> list[Item]:
        return [file("x.md"), Item("loop" if path else "a", "folder", native_id="7")]

    assert walked(scan) == (["a/x.md", "x.md"], [], [])


def test_a_folder_that_lies_too_deep_is_left_out_and_named() -> None:
    uris, errors, unlisted = walked(lambda path: [file("x"), Item("f", "folder")])
    assert len(uris) == MAX_DEPTH
    assert errors == []
    assert [folder.code for folder in unlisted] == ["too-deep"]


@pytest.mark.parametrize(
    ("trouble", "asked"),
    [
        (Failed("it broke"), 1 + 9),
        (Refused("the server forbids it"), 1 + 9),
        (Dropped("no answer"), 1 + 3),
        (Unusable("the password was changed"), 1 + 1),
    ],
)
def test_a_server_that_fails_is_not_asked_for_every_folder(trouble: Trouble, asked: int) -> None:
    count = 0

    def scan(path: Names) -> list[Item]:
        nonlocal count
        count += 1
        if path:
            raise trouble
        return [file("z"), *(Item(f"{number}", "folder") for number in range(9))]

    uris, errors, _ = walked(scan)
    assert count == asked
    assert len(errors) == asked - 1
    assert str(trouble) in errors[0]
    assert uris == (["z"] if asked == 10 else [])


def test_errors_are_counted_up_to_a_limit() -> None:
    _, errors, _ = walked(lambda path: [Item(f"{number}", "unknown") for number in range(MAX_ERRORS + 50)])
    assert len(errors) == MAX_ERRORS
