"""The search for traces in files: what it finds, in which forms, and where."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from array import array
from io import FileIO
from pathlib import Path
from random import Random

import pytest

from index.errors import FreshkbError
from index.model import Point
from index.purge import apart, scan
from index.purge.scan import Scan, Trace, files, identifier, text, vector, without
from index.store import bm25
from index.store.edge.store import EdgeStore

PROSE = 'Nobody in Zanzibar had seen the obsidian marimba since "it" was tuned on a Tuesday.\nÜber\u2028all.'


def test_a_piece_is_found_wherever_it_lies_and_however_the_windows_fall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "WINDOW_BYTES", 64)
    piece, short = bytes(range(100, 116)), b"quokka"
    ready = Scan([Trace("long", frozenset({piece})), Trace("short", frozenset({short}))])
    path = tmp_path / "file"
    for wanted, name in ((piece, "long"), (short, "short")):
        for before in range(140):
            path.write_bytes(b"." * before + wanted + b"." * (before % 9))
            assert ready.file(path) == {name}, before
            path.write_bytes(b"." * before + wanted[:-1])
            assert ready.file(path) == set(), before


def test_random_bytes_give_what_a_plain_search_gives() -> None:
    random = Random(3)
    # Few letters, so that pieces are often met in part.
    content = bytes(random.choices(b"abcdefg", k=20_000))
    pieces = [content[n : n + 15 + n % 32] for n in range(0, 20_000 - 46, 97)]
    pieces += [bytes(random.choices(b"abcdefg", k=size)) for size in range(16, 66)]
    pieces += [piece[:-1] + b"h" for piece in pieces[:50]]
    pieces += [bytes(random.choices(b"abcdefg", k=size)) for size in range(4, 16)]
    traces = [Trace(str(number), frozenset({piece})) for number, piece in enumerate(pieces)]
    plain = {str(number) for number, piece in enumerate(pieces) if piece in content}
    assert Scan(traces).within(content) == plain
    assert len(pieces) > len(plain) + 90 and len(plain) > 200


def test_zeros_are_passed_over_and_what_stands_among_them_is_found() -> None:
    piece, short = bytes(range(100, 116)), b"quok"
    ready = Scan([Trace("long", frozenset({piece})), Trace("short", frozenset({short}))])
    for before in range(40):
        assert ready.within(bytes(before)) == set(), before
        for wanted, name in ((piece, "long"), (short, "short")):
            assert ready.within(bytes(before) + wanted + bytes(before % 9)) == {name}, (before, name)


def test_holes_are_passed_over_and_what_lies_behind_them_is_found(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    piece = bytes(range(50, 66))
    with path.open("wb") as file:
        file.write(b"beginning")
        file.seek(3 << 30)
        file.write(piece)
        file.truncate(8 << 30)
    assert path.stat().st_blocks * 512 < 1 << 20
    assert Scan([Trace("x", frozenset({piece}))]).folders([tmp_path]) == {path: {"x"}}


def test_a_file_that_is_cut_off_meanwhile_holds_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a write-ahead log is, by the process that has emptied it."""

    class Cut(FileIO):
        def seek(self, place: int, whence: int = 0, /) -> int:
            found = super().seek(place, whence)
            os.truncate(self.fileno(), 0)
            return found

    (tmp_path / "log").write_bytes(PROSE.encode())
    monkeypatch.setattr(Path, "open", lambda path, *_, **__: Cut(path, "r+"))
    assert Scan([text("x", "Zanzibar")]).file(tmp_path / "log") == set()


@pytest.mark.parametrize(
    "written",
    [
        PROSE.encode(),
        PROSE.lower().encode(),
        json.dumps({"text": PROSE}).encode(),
        json.dumps({"text": PROSE}, ensure_ascii=False).encode(),
        b"....." + PROSE.encode()[7:30] + b"....",
    ],
)
def test_a_text_is_found_in_each_form_and_in_part(written: bytes) -> None:
    assert Scan([text("t", PROSE)]).within(written) == {"t"}
    assert Scan([text("t", PROSE)]).within(PROSE.encode()[:15]) == set()


def test_short_texts_are_found_whole_and_too_short_ones_are_refused() -> None:
    assert Scan([text("t", "anna")]).within(b'{"owner":"anna"}') == {"t"}
    assert Scan([text("t", "anna")]).within(b"ann") == set()
    spaced = "Zoe\xa0Bo.md"
    assert Scan([text("t", spaced)]).within(f"{spaced!r} is gone.".encode()) == {"t"}
    with pytest.raises(ValueError, match="less than 4 bytes"):
        text("t", "abc")


def test_a_vector_is_found_as_it_is_and_normalised() -> None:
    random = Random(1)
    values = [random.gauss(0, 3) for _ in range(384)]
    length = sum(x * x for x in values) ** 0.5
    for kept in (array("f", values), array("f", [x / length for x in values]), array("f", values)[40:50]):
        assert Scan([vector("v", values)]).within(b"xyz" + kept.tobytes() + b"z") == {"v"}
    assert Scan([vector("v", values)]).within(array("d", values).tobytes()) == set()
    assert vector("zero", [0.0] * 384).pieces == frozenset(), "rows of zeros are in every file"


def test_an_id_is_found_as_text_and_as_bytes() -> None:
    made = uuid.uuid4()
    for kept in (str(made).encode(), made.bytes, made.bytes_le, made.int.to_bytes(16, "little")):
        assert Scan([identifier("i", str(made))]).within(b"." + kept) == {"i"}


def test_pieces_that_other_texts_have_are_taken_out() -> None:
    gone, stays = "The obsidian marimba of Zanzibar.", "A marimba of Zanzibar is not of glass."
    trace = text("t", gone)
    assert Scan([trace]).within(stays.encode()) == {"t"}
    (left,) = without([trace], [stays.encode(), stays.lower().encode()])
    assert Scan([left]).within(stays.encode()) == set()
    assert Scan([left]).within(gone.encode()) == {"t"}


def test_names_of_files_count_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "below" / "Zanzibar").mkdir(parents=True)
    named = tmp_path / "below" / "Zanzibar" / "file"
    named.write_bytes(b"nothing")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"Zanzibar")
    (tmp_path / "below" / "link").symlink_to(elsewhere)
    os.mkfifo(tmp_path / "below" / "pipe")
    assert list(files(tmp_path / "below")) == [named]
    assert Scan([text("t", "Zanzibar")]).folders([tmp_path / "below"]) == {named: {"t"}}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "shut").write_bytes(b"x")
    (tmp_path / "shut").chmod(0)
    with pytest.raises(FreshkbError, match=r"could not be scanned: .*Permission denied"):
        apart.found([tmp_path], [text("t", "Zanzibar")])


def test_a_scan_apart_finds_the_same_and_tells_why_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "subprocess", subprocess)
    (tmp_path / "a").write_text("Zanzibar")
    (tmp_path / "b").write_text("nothing")
    traces = [text("t", "Zanzibar"), text("u", "Obsidian")]
    assert apart.found([tmp_path], traces) == Scan(traces).folders([tmp_path]) == {tmp_path / "a": {"t"}}
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\ncat > /dev/null; echo first >&2; echo Out of memory. >&2; exit 3\n")
    broken.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(broken))
    with pytest.raises(FreshkbError, match=r"could not be scanned: Out of memory\."):
        apart.found([tmp_path], traces)


# ── The embedded store ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sealed", [True, False])
def test_every_field_of_a_point_is_found_before_a_purge_and_not_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sealed: bool
) -> None:
    """A deletion alone changes nothing: that is what the purge is for, and the control of the scan."""
    monkeypatch.setattr("index.store.edge.session.SEAL_POINTS", 20 if sealed else 1000)
    store, random = EdgeStore(tmp_path / "index"), Random(7)
    store.create("kb", dimension=384, instance=str(uuid.uuid4()))
    # Syllables, so that no word of a field stands earlier in its payload.
    names = ["".join(random.choices("bcdfghklmnprstvwxz", k=9)) for _ in range(6)]
    gone, others = (
        _point(1, names, random),
        [
            _point(n, ["".join(random.choices("bcdfghklmnprstvwxz", k=9)) for _ in names], random)
            for n in range(2, 60)
        ],
    )
    with store.session("kb") as session:
        session.upsert([gone, *others[:30]])
        session.upsert(others[30:])
    traces = _traces(gone)
    store.close()
    assert set().union(*apart.found([tmp_path], traces).values()) == {trace.name for trace in traces}
    with store.session("kb") as session:
        session.delete([gone.id])
        assert not session.retrieve([gone.id], vectors=False)
    store.close()
    left = set().union(*apart.found([tmp_path], traces).values())
    # An id is taken out of its index at once; all that could be searched for by a reader of the disk stays.
    assert left >= {"text", "title", "uri", "owner", "document", "vector"}
    segments = {path.name for path in (tmp_path / "index/kb/shard/segments").iterdir()}
    holding = {path.relative_to(tmp_path / "index/kb/shard/segments").parts[0]
               for path in apart.found([tmp_path], traces)}  # fmt: skip
    assert store.purge("kb").claim == "purged"
    store.close()
    assert apart.found([tmp_path], traces) == {}
    # Bytes that no trace has, as the copies of vectors and the indexes of words, went with their segments.
    now = {path.name for path in (tmp_path / "index/kb/shard/segments").iterdir()}
    assert holding and holding <= segments - now
    kept = _traces(others[3])
    assert set().union(*apart.found([tmp_path], kept).values()) == {trace.name for trace in kept}


def _point(number: int, names: list[str], random: Random) -> Point:
    body, title, path, owner, *_ = names
    document = str(uuid.UUID(int=random.getrandbits(128), version=4))
    written = f"{body} 17.{number} {''.join(random.choices('aeiouy', k=20))}"
    payload = {
        "page_content": written,
        "metadata": {
            "document_id": document,
            "source": "docs",
            "uri": f"{path}/{path}.md",
            "title": title,
            "owner": owner,
            "owners": [owner],
        },
        "doc_id": document,
    }
    dense = [random.gauss(0, 1) for _ in range(384)]
    identity = str(uuid.UUID(int=random.getrandbits(128), version=4))
    return Point(identity, payload, dense, bm25.document([written])[0])


def _traces(point: Point) -> list[Trace]:
    metadata = point.payload["metadata"]
    assert point.dense is not None
    return [
        text("text", point.payload["page_content"]),
        text("title", metadata["title"]),
        text("uri", metadata["uri"].split("/")[0]),
        text("owner", metadata["owner"]),
        identifier("document", point.payload["doc_id"]),
        identifier("point", point.id),
        vector("vector", point.dense),
    ]


def test_a_long_text_is_found_in_a_payload_that_the_engine_compresses(tmp_path: Path) -> None:
    store, random = EdgeStore(tmp_path / "index"), Random(5)
    store.create("kb", dimension=8, instance=str(uuid.uuid4()))
    vocabulary = [
        "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=random.randint(3, 9))) for _ in range(400)
    ]
    points = []
    for number in range(40):
        body = f"Dear Ms Kookaburra{number:03}, " + " ".join(random.choices(vocabulary, k=150))
        dense = [random.gauss(0, 1) for _ in range(8)]
        points.append(
            Point(str(uuid.UUID(int=number + 1)), {"page_content": body}, dense, bm25.document([body])[0])
        )
    with store.session("kb") as session:
        session.upsert(points)
    store.close()
    for point in points[::13]:
        whole = point.payload["page_content"].encode()
        assert apart_free(tmp_path, [text("t", point.payload["page_content"])]) == {"t"}
        assert not any(whole in path.read_bytes() for path in files(tmp_path)), "it is not there in one piece"


def apart_free(folder: Path, traces: list[Trace]) -> set[str]:
    """A scan in this process, which has no ledger open."""
    return set().union(*Scan(traces).folders([folder]).values())
