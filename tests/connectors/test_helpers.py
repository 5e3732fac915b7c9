"""The helpers that connectors share: a listing sorted on disk, bytes received, a cache, extras."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ascending import ascending
from connectors.base import DocumentChanging, DocumentTooLarge, Entry, SourceUnavailable
from connectors.cache import BYTES, forget, held
from connectors.extras import extra
from connectors.receive import receive
from tests.contracts.connector_contract import ORDERED


def entry(uri: str, **said: str) -> Entry:
    return Entry(uri, "t", 3, 1_700_000_000_000_000_001, None, said or None, ".md")


def test_a_listing_is_sorted_by_code_point_and_nothing_of_an_entry_is_lost() -> None:
    errors: list[str] = []
    given = [entry(uri, title=uri) for uri in reversed(ORDERED)] + [Entry("~", None, None, None, "7")]
    found = list(ascending(given, errors))
    assert sorted(found, key=lambda entry: entry.uri) == found
    assert set(map(repr, found)) == set(map(repr, given))
    assert errors == []


def test_a_time_that_64_bits_cannot_hold_is_unknown() -> None:
    times = {"a": -(1 << 63) - 1, "b": -(1 << 63), "c": (1 << 63) - 1, "d": 1 << 63}
    given = [entry(uri)._replace(modified_at=at) for uri, at in times.items()]
    found = {entry.uri: entry.modified_at for entry in ascending(given, [])}
    assert found == {**times, "a": None, "d": None}


def test_two_documents_with_one_address_make_a_listing_incomplete() -> None:
    errors: list[str] = []
    assert len(list(ascending([entry("a"), entry("b"), entry("a")], errors))) == 2
    assert errors == ["Two documents have the same address 'a'."]


def test_what_a_listing_raises_is_raised_by_the_sorted_one() -> None:
    def broken() -> Iterator[Entry]:
        yield entry("a")
        raise SourceUnavailable("It went away.")

    with pytest.raises(SourceUnavailable):
        list(ascending(broken(), []))


def test_bytes_are_written_hashed_and_limited(tmp_path: Path) -> None:
    into = tmp_path / "received"
    found = receive(iter([b"ab", b"", b"c"]), "a.md", into, 3, announced=3)
    assert found == (3, hashlib.sha256(b"abc").hexdigest())
    assert into.read_bytes() == b"abc"
    assert receive([b"abc"], "a.md", None, 3) == found


@pytest.mark.parametrize(
    ("announced", "error"), [(None, DocumentTooLarge), (5, DocumentTooLarge), (4, DocumentChanging)]
)
def test_nothing_is_left_of_what_was_not_received_whole(
    tmp_path: Path, announced: int | None, error: type[Exception]
) -> None:
    into, limit = tmp_path / "received", 4
    blocks = [b"abc"] if announced == 4 else [b"abc", b"de"]
    with pytest.raises(error, match=r"\.$"):
        receive(blocks, "a.md", into, limit, announced=announced)
    assert not into.exists()


def test_no_block_is_asked_for_above_the_limit() -> None:
    def endless() -> Iterator[bytes]:
        yield from [b"abc", b"de"]
        raise AssertionError("asked for more than the limit")

    with pytest.raises(DocumentTooLarge):
        receive(endless(), "a.md", None, 4)


def test_a_cache_is_used_by_one_process_at_a_time_and_is_private(tmp_path: Path) -> None:
    folder, entered = tmp_path / "cache" / "wiki", threading.Event()

    def other() -> None:
        with held(folder):
            entered.set()

    with held(folder) as cache:
        assert cache.stat().st_mode & 0o777 == 0o700
        waiting = threading.Thread(target=other)
        waiting.start()
        assert not entered.wait(0.1)
    waiting.join()
    assert entered.is_set()


def test_bytes_are_forgotten_before_names(tmp_path: Path) -> None:
    folder = tmp_path / "wiki"
    assert not forget(folder)
    with held(folder) as cache:
        (cache / BYTES).mkdir()
        (cache / BYTES / "a.md").write_text("words")
        (cache / "validators").write_text("a.md")
    assert forget(folder, names=False)
    assert [path.name for path in folder.iterdir()] == ["validators"]
    assert not forget(folder, names=False)
    assert forget(folder)
    assert not folder.exists()


def test_a_missing_package_says_how_to_install_it() -> None:
    with (
        pytest.raises(
            SourceUnavailable, match=r"'handbook' needs .* no_such.* pip install 'freshkb\[web\]'\.$"
        ),
        extra("web", "handbook"),
    ):
        __import__("no_such.part")
