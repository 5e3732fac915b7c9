"""The embedded store: the contract, and the faults that only files, locks and processes have."""

from __future__ import annotations

import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from index.batched import batched
from index.errors import ConfigError, StoreDamaged, StoreError
from index.model import Point
from index.store import open_store
from index.store.base import EVERYTHING, Filter, VectorStore
from index.store.edge import ahead, shards
from index.store.edge.apart import _understood
from index.store.edge.build import SEGMENTS
from index.store.edge.lock import FolderLock
from index.store.edge.store import EdgeStore
from tests import forks
from tests.contracts.store_contract import (
    DIMENSION,
    NAME,
    Opened,
    StoreContract,
    cosine,
    dense,
    found,
    point,
    uid,
)

ROOT = Path(__file__).resolve().parents[3]

#: The start of every child process; it says "ready" and obeys its standard input.
PRELUDE = """
import sys
from pathlib import Path
from index.store.base import Filter
from index.store.edge.store import EdgeStore
from tests.contracts.store_contract import NAME, dense, point, uid
folder = Path(sys.argv[1])
store = EdgeStore(folder)
def say(word):
    print(word, flush=True)
"""

Child = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def opened(folder: Path) -> Iterator[Opened]:
    made: list[VectorStore] = []

    def opened() -> VectorStore:
        made.append(EdgeStore(folder))
        return made[-1]

    yield opened
    for store in made:
        store.close()


@pytest.fixture
def store(opened: Opened) -> VectorStore:
    store = opened()
    store.create(NAME, dimension=DIMENSION, instance="ledger-1")
    return store


@pytest.fixture
def child(folder: Path) -> Iterator[Child]:
    """Starts a process that runs this code, with pipes to it."""
    started: list[subprocess.Popen[str]] = []

    def child(code: str) -> subprocess.Popen[str]:
        started.append(
            forks.Popen(
                [sys.executable, "-c", PRELUDE + code, str(folder)],
                cwd=ROOT,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        return started[-1]

    yield child
    for process in started:
        end(process)


@pytest.fixture
def seal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Has points sealed as soon as there are so many. All objects of a worker are far more than those of a
    command: to look for garbage among them takes longer than to seal."""
    monkeypatch.setattr("index.store.edge.session.give_back", lambda: None)
    return lambda points: monkeypatch.setattr("index.store.edge.session.SEAL_POINTS", points)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def waits(folder: Path) -> None:
    """Returns once another process waits for the store."""
    outside = FolderLock(folder)
    while not outside.wanted():
        time.sleep(0.001)


def contents(store: VectorStore) -> list[str]:
    with store.session(NAME) as session:
        points = list(session.scroll(vectors=True))
    assert all(p.dense is not None and p.sparse is not None for p in points)
    return [p.id for p in points]


class TestEdge(StoreContract):
    claim = "purged"


# ── Processes ─────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_written_survives_a_kill(store: VectorStore, child: Child) -> None:
    store.close()
    process = child("""
with store.session(NAME) as session:
    session.upsert([point(n) for n in range(300)])
    session.delete([uid(7)])
    say("written")
    session.upsert([point(n) for n in range(300, 100_000)])
""")
    assert line(process) == "written"
    process.kill()
    process.wait()
    with store.session(NAME) as session:
        read = session.retrieve([uid(n) for n in range(300)], vectors=True)
    assert set(read) == {uid(n) for n in range(300) if n != 7}
    assert all(p.dense is not None and p.sparse is not None for p in read.values())
    assert all(p.payload == point(n).payload for n in range(300) if n != 7 for p in [read[uid(n)]])


def test_a_killed_holder_frees_the_store(store: VectorStore, child: Child) -> None:
    store.close()
    process = child("""
with store.session(NAME) as session:
    say("holding")
    sys.stdin.read()
""")
    assert line(process) == "holding"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert contents(store) == []


@pytest.mark.timeout(300)  # Hundreds of turns, each with its share of fsync.
def test_two_processes_at_once_lose_nothing_and_neither_starves(
    store: VectorStore, child: Child, soak: bool
) -> None:
    """The first writes many rounds, the second searches without pause; each says how often it had its turn
    while the other was at work."""
    rounds = 100 if soak else 40
    store.close()
    reader = child("""
import threading
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
searches, highest = 0, 0
while not stop.is_set():
    with store.session(NAME) as session:
        words = point(1).sparse
        hits = session.search(mode="hybrid", dense=dense(1), sparse=words, limit=200, where=Filter())
        assert all("metadata" in hit.point.payload for hit in hits)
        assert len(hits) >= highest, "a point was lost"
        highest = len(hits)
    searches += 1
    if searches == 1:
        say("searching")
say(searches)
say(highest)
""")
    assert line(reader) == "searching"
    writer = child(f"""
for n in range({rounds}):
    with store.session(NAME) as session:
        session.upsert([point(n)])
say("written")
""")
    assert line(writer) == "written"
    assert reader.stdin is not None
    reader.stdin.write("stop\n")
    reader.stdin.flush()
    searches, highest = int(line(reader)), int(line(reader))
    assert reader.wait() == writer.wait() == 0
    assert contents(store) == [uid(n) for n in range(rounds)]
    # Turns alternate: between two writes the reader searches at least once, most of the time.
    assert searches >= rounds / 2
    assert highest >= rounds * 0.9


def test_an_idle_store_yields_as_soon_as_somebody_waits(
    store: VectorStore, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "IDLE_SECONDS", 600.0)
    with store.session(NAME) as session:
        session.upsert([point(1)])
    process = child("with store.session(NAME) as session: say(session.count())")
    assert line(process) == "1"
    assert process.wait() == 0


def test_a_session_is_waited_for(store: VectorStore, child: Child, folder: Path) -> None:
    with store.session(NAME) as session:
        process = child("with store.session(NAME) as session: say(session.count())")
        waits(folder)
        session.upsert([point(1)])
    assert line(process) == "1"


def test_who_waits_too_long_is_told_for_whom(
    store: VectorStore, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    process = child("""
with store.session(NAME) as session:
    say("holding")
    sys.stdin.read()
""")
    assert line(process) == "holding"
    monkeypatch.setattr(shards, "TIMEOUT_SECONDS", 0.05)
    with pytest.raises(StoreError, match=f"in use by process {process.pid} on {os.uname().nodename}"):
        contents(store)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait() == 0
    monkeypatch.undo()
    assert contents(store) == []


def test_a_forked_child_holds_nothing_and_harms_nothing(store: VectorStore, folder: Path) -> None:
    """The child inherits an open shard, a held lock and a session, and outlives the parent's hold."""
    code = """
import os
with store.session(NAME) as session:
    session.upsert([point(1)])
    answer, question = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            session.count()
        except Exception as error:
            os.write(question, str(error).encode())
        os.close(question)
        sys.stdin.read()
        sys.exit(0)
    os.close(question)
    say(os.read(answer, 200).decode())
os.kill(os.getpid(), 9)
"""
    store.close()
    process = forks.Popen(
        [sys.executable, "-W", "ignore", "-c", PRELUDE + code, str(folder)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert line(process) == "This session of the vector store has ended."
        process.wait()
        # The parent is dead, its child is alive, and the store is free.
        with store.session(NAME) as session:
            session.upsert([point(2)])
            before = written_at(folder)
            assert process.stdin is not None
            process.stdin.close()
            # The child's end closes the pipe, and that is when it has written whatever it would.
            assert process.stdout is not None and process.stdout.read() == ""
            assert written_at(folder) == before
        store.close()
        assert contents(store) == [uid(1), uid(2)]
    finally:
        end(process)


def written_at(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("shard/**/*") if path.is_file()}


# ── One process ───────────────────────────────────────────────────────────────────────────────────────────


def test_sessions_in_a_row_share_one_loaded_shard(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "IDLE_SECONDS", 600.0)
    contents(store)

    class Untouched:
        @staticmethod
        def load(path: str, config: object) -> None:
            raise AssertionError(f"{path} was loaded again")

    monkeypatch.setattr(shards, "EdgeShard", Untouched)
    assert contents(store) == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems are not told")
def test_texts_and_vectors_are_read_ahead_of_a_shard_that_is_searched_again_and_again(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def noted(file: int, at: int, size: int, advice: int) -> None:
        assert (at, advice) == (0, os.POSIX_FADV_WILLNEED)
        asked.append(str(Path(f"/proc/self/fd/{file}").readlink()))

    def searched(times: int) -> None:
        for _ in range(times):
            with store.session(NAME) as session:
                hits = session.search(mode="dense", dense=dense(0), sparse=None, limit=1, where=Filter())
            assert found(hits) == [uid(0)]
        for thread in threading.enumerate():
            if thread.name == ahead.AHEAD:
                thread.join()

    monkeypatch.setattr(shards, "IDLE_SECONDS", 600.0)
    monkeypatch.setattr(os, "posix_fadvise", noted)
    monkeypatch.setattr(ahead, "PORTION_BYTES", 1 << 30)
    with store.session(NAME) as session:
        session.upsert([point(0)])
    searched(shards.MANY_SEARCHES - 1)
    assert not asked
    searched(1)
    once = len(asked)
    assert {Path(path).parent.name.partition("-")[0] for path in asked} <= {
        "payload_storage",
        "vector_storage",
        "vector_index",
    }
    assert once
    searched(2 * shards.MANY_SEARCHES)
    assert len(asked) == once
    # Closed and opened again, it is another shard.
    store.close()
    searched(shards.MANY_SEARCHES)
    twice = len(asked)
    assert twice > once
    store.close()
    monkeypatch.setattr(ahead, "memory", lambda: 4)
    searched(shards.MANY_SEARCHES)
    assert len(asked) == twice


@pytest.mark.parametrize("going", ["listed", "opened"])
def test_files_that_go_before_they_are_read_ahead_are_passed_over(
    store: VectorStore, folder: Path, monkeypatch: pytest.MonkeyPatch, going: str
) -> None:
    with store.session(NAME) as session:
        session.upsert([point(0)])
    store.close()
    shard = folder / NAME / "shard"

    def listed(path: Path, pattern: str) -> Iterator[Path]:
        """As `glob` does in Python 3.11 when a folder goes after it was found, and before it is listed."""
        raise FileNotFoundError(path / pattern)

    def late() -> int:
        shutil.rmtree(shard)
        return 1 << 40

    if going == "listed":
        monkeypatch.setattr(Path, "glob", listed)
    else:
        monkeypatch.setattr(ahead, "memory", late)
    ahead.read_ahead(shard, ahead.ASKED)


def test_an_idle_store_lets_go_by_itself(store: VectorStore, folder: Path) -> None:
    contents(store)
    idled(folder)


def test_an_idle_store_lets_go_also_when_its_files_fail(
    store: VectorStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = FolderLock.wanted

    def undecided(lock: FolderLock) -> bool:
        if threading.current_thread() is not threading.main_thread():
            raise OSError("Too many open files")
        return wanted(lock)

    def unclosed(self: shards.Shards, collection: str) -> None:
        raise RuntimeError("No space left on device")

    contents(store)
    monkeypatch.setattr(FolderLock, "wanted", undecided)
    monkeypatch.setattr(shards.Shards, "shut", unclosed)
    idled(folder)
    monkeypatch.undo()
    assert contents(store) == []


@pytest.mark.parametrize("lacking", ["files", "threads"])
def test_a_store_that_cannot_idle_lets_go_at_once_and_idles_again_later(
    store: VectorStore, folder: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    def without(*_: object) -> bool:
        raise OSError("Too many open files") if lacking == "files" else RuntimeError("can't start new thread")

    store.close()
    idled(folder)
    part: tuple[type, str] = (FolderLock, "wanted") if lacking == "files" else (threading.Thread, "start")
    monkeypatch.setattr(*part, without)
    for _ in range(shards.MANY_SEARCHES):
        with store.session(NAME) as session:
            assert session.search(mode="dense", dense=dense(0), sparse=None, limit=1, where=Filter()) == []
        free(folder)
    monkeypatch.undo()
    contents(store)
    assert any(thread.name == "freshkb-store-idle" for thread in threading.enumerate())
    idled(folder)


def test_a_search_goes_on_where_nothing_can_be_read_ahead_of_it(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with store.session(NAME) as session:
        monkeypatch.setattr(threading.Thread, "start", without)
        for _ in range(shards.MANY_SEARCHES):
            assert session.search(mode="dense", dense=dense(0), sparse=None, limit=1, where=Filter()) == []


def idled(folder: Path) -> None:
    """Returns once the store has let go, without having been asked to."""
    for thread in threading.enumerate():
        if thread.name == "freshkb-store-idle":
            thread.join()
    free(folder)


def free(folder: Path) -> None:
    """Nobody holds the store."""
    outside = FolderLock(folder)
    outside.acquire(0)
    outside.release()


def test_a_store_that_nobody_uses_any_more_is_closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "IDLE_SECONDS", 600.0)
    store = EdgeStore(folder)
    store.create(NAME, dimension=DIMENSION, instance="ledger-1")
    contents(store)
    del store
    gc.collect()
    free(folder)


def test_after_an_error_the_store_is_let_go_at_once(store: VectorStore, folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), store.session(NAME):
        raise ZeroDivisionError
    free(folder)


def test_a_shard_that_cannot_be_opened_leaves_the_store_free(store: VectorStore, folder: Path) -> None:
    store.close()
    next((folder / NAME / "shard" / "segments").glob("*/segment.json")).write_text("{")
    with pytest.raises(StoreError, match="could not open collection 'kb-1'"):
        contents(store)
    free(folder)


@pytest.mark.parametrize("cut", ["mkdir", "shard", "instance", "rename"])
def test_a_collection_cut_short_while_it_was_made_is_made_anew(
    opened: Opened, folder: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    class Killed(BaseException):
        pass

    def killed(*args: object, **kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if cut == "mkdir":
            patch.setattr("index.store.edge.build.build", killed)
        elif cut == "shard":
            patch.setattr(Path, "open", killed)
        elif cut == "instance":
            patch.setattr("index.store.edge.store.os.fsync", killed)
        else:
            patch.setattr(Path, "rename", killed)
        with pytest.raises(Killed):
            opened().create(NAME, dimension=DIMENSION, instance="ledger-1")
    store = opened()
    assert store.instance(NAME) is None
    assert store.collections() == []
    store.create(NAME, dimension=DIMENSION, instance="ledger-2")
    assert store.instance(NAME) == "ledger-2"
    assert contents(store) == []
    assert sorted(path.name for path in folder.iterdir()) == [".lock", ".turn", NAME]


def test_a_drop_cut_short_is_finished_by_the_next_one(
    store: VectorStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("index.store.edge.store.shutil.rmtree", lambda path: 1 / 0)
        with pytest.raises(StoreError):
            store.drop(NAME)
    assert store.collections() == []
    store.drop("another")
    assert sorted(path.name for path in folder.iterdir()) == [".lock", ".turn"]


def test_sealing_keeps_every_point_and_lets_all_be_changed(
    store: VectorStore, folder: Path, seal: Callable[[int], None]
) -> None:
    seal(100)
    with store.session(NAME) as session:
        for start in range(0, 300, 75):
            session.upsert([point(n) for n in range(start, start + 75)])
        session.delete([uid(n) for n in range(0, 300, 3)])
        session.upsert([point(n, "changed") for n in range(1, 300, 3)])
    assert len(list((folder / NAME / "shard" / "segments").iterdir())) > 2
    store.close()
    with store.session(NAME) as session:
        texts = {
            p.id: p.payload["page_content"] for p in session.scroll(vectors=True) if p.dense and p.sparse
        }
        hits = session.search(mode="dense", dense=dense(4), sparse=None, limit=200, where=Filter())
    assert texts == {uid(n): "changed" if n % 3 == 1 else "some words" for n in range(300) if n % 3}
    assert set(found(hits)) == set(texts)
    assert found(hits)[0] == uid(4)


def test_many_sealings_leave_few_segments(
    store: VectorStore, folder: Path, soak: bool, seal: Callable[[int], None]
) -> None:
    seal(30)
    # More sealings than there may be segments.
    many = 600 if soak else 30 * (SEGMENTS + 3)
    with store.session(NAME) as session:
        for start in range(0, many, 30):
            session.upsert([point(n) for n in range(start, start + 30)])
        assert session.count() == many
        hits = session.search(mode="dense", dense=dense(4), sparse=None, limit=many, where=Filter())
    assert set(found(hits)) == {uid(n) for n in range(many)}
    # One of them is empty, for the next points.
    assert 2 < len(list((folder / NAME / "shard" / "segments").iterdir())) <= SEGMENTS + 1


# ── Copies of vectors ─────────────────────────────────────────────────────────────────────────────────────

#: Large enough that several segments are sealed, and a search leaves most points out.
MANY = 600


@pytest.fixture
def sealing(seal: Callable[[int], None]) -> None:
    seal(200)


def write(store: VectorStore, numbers: Iterable[int]) -> None:
    for some in batched(numbers, 100):
        with store.session(NAME) as session:
            session.upsert([point(n, f"word{n % 7}") for n in some])


def copies(folder: Path) -> list[Path]:
    return list((folder / NAME / "shard" / "segments").glob("*/vector_storage/quantized.data"))


def nearest(store: VectorStore, seed: int, where: Filter = EVERYTHING) -> list[str]:
    with store.session(NAME) as session:
        return found(session.search(mode="dense", dense=dense(seed), sparse=None, limit=10, where=where))


def by_cosine(seed: int, numbers: Iterable[int]) -> list[str]:
    return [uid(n) for n in sorted(numbers, key=lambda n: -cosine(dense(seed), dense(n)))[:10]]


@pytest.mark.usefixtures("sealing")
def test_a_search_by_copies_finds_what_a_search_by_the_vectors_finds(
    store: VectorStore, folder: Path
) -> None:
    write(store, range(MANY))
    assert len(copies(folder)) >= 2
    some = range(0, MANY, 40)
    where = Filter(document_ids=tuple(f"d{n}" for n in some))
    for seed in range(5_000, 5_020):
        assert nearest(store, seed) == by_cosine(seed, range(MANY))
        assert nearest(store, seed, where) == by_cosine(seed, some)


@pytest.mark.usefixtures("sealing")
def test_a_collection_without_copies_is_searched_as_it_is_and_gets_them_when_it_is_sealed(
    opened: Opened, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        for module in ("shards", "build"):
            patch.setattr(f"index.store.edge.{module}.COPIES", None)
        older = opened()
        older.create(NAME, dimension=DIMENSION, instance="ledger-1")
        write(older, range(400))
        older.close()
    assert copies(folder) == []
    store = opened()
    before = [nearest(store, seed) for seed in range(5_000, 5_010)]
    assert before == [by_cosine(seed, range(400)) for seed in range(5_000, 5_010)]
    assert copies(folder) == [] == store.faults(NAME)
    write(store, range(400, MANY))
    assert len(copies(folder)) >= 3
    assert [nearest(store, seed) for seed in range(5_000, 5_010)] == [
        by_cosine(seed, range(MANY)) for seed in range(5_000, 5_010)
    ]
    assert store.faults(NAME) == []


@pytest.mark.usefixtures("sealing")
def test_copies_that_are_not_of_their_vectors_are_a_fault(store: VectorStore, folder: Path) -> None:
    write(store, range(MANY))
    assert store.faults(NAME) == []
    store.close()
    (copy, *_) = copies(folder)
    content = copy.read_bytes()
    copy.write_bytes(bytes(1000) + content[1000:])
    (fault,) = store.faults(NAME)
    assert re.fullmatch(r"a search by a vector does not rank \d+ points by their own vectors", fault)


@pytest.mark.parametrize(
    "takes, ends",
    [
        ("(folder / 'long').open('wb').truncate(1 << 20); mmap.mmap(-1, 1 << 20)", 0),
        ("(folder / 'long').open('wb').truncate(1 << 40)", -signal.SIGXFSZ),
        ("mmap.mmap(-1, 1 << 40)", 1),
    ],
    ids=["little", "a file", "memory"],
)
def test_an_examination_cannot_take_a_damaged_length_of_the_disk_or_the_memory(
    store: VectorStore, folder: Path, takes: str, ends: int
) -> None:
    prelude = "import mmap, sys; from pathlib import Path; from index.store.edge.apart import _limit"
    program = f"{prelude}; folder = Path(sys.argv[1]); _limit(folder); {takes}"
    done = forks.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True)
    assert (done.returncode, "OSError: [Errno 12]" in done.stderr) == (ends, ends == 1)


@pytest.mark.parametrize(
    "code, said, deadly",
    [
        (0, {"damaged": "It is."}, False),
        (0, {"end": "takes more than 2,048 MB of memory"}, True),
        (-signal.SIGXFSZ, {}, True),
        (-signal.SIGALRM, {}, True),
    ],
)
def test_what_may_end_a_process_is_opened_by_no_other(
    folder: Path, code: int, said: dict[str, str], deadly: bool
) -> None:
    with pytest.raises(StoreDamaged) as raised:
        _understood(folder, code, said, "")
    assert raised.value.deadly == deadly


@pytest.mark.parametrize("limit", ["RLIMIT_DATA", "RLIMIT_AS", "RLIMIT_FSIZE"])
def test_an_end_for_want_of_what_the_process_may_take_is_no_damage(folder: Path, limit: str) -> None:
    """Repair would build anew what only a larger limit can read."""
    program = (
        "import resource, sys; from pathlib import Path; from index.store.edge.apart import _understood; "
        f"resource.setrlimit(resource.{limit}, (1 << 27, 1 << 27)); "
        "_understood(Path(sys.argv[1]), -6, {}, '')"
    )
    done = forks.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True)
    assert "StoreError" in done.stderr and "ulimit -a" in done.stderr, done.stderr


ZEROS = bytes(1 << 16)


def every_byte(folder: Path) -> bytes:
    """All that is in the files, without the room that they keep for more."""
    found = []
    for path in (path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            while block := file.read(len(ZEROS)):
                if block != ZEROS:
                    found.append(block)
    return b"".join(found)


def lure(number: int) -> Point:
    """A point with a word of its own in its text and its metadata, and an id that is no part of another."""
    made = point(number, f"secret{number}. words", owner=f"owner{number}.")
    return replace(made, id=str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))))


@pytest.mark.parametrize("sealed", ["all", "some", "none"])
def test_a_purge_leaves_no_byte_of_what_was_deleted_or_replaced(
    store: VectorStore, folder: Path, seal: Callable[[int], None], sealed: str
) -> None:
    seal({"all": 1, "some": 60, "none": 1000}[sealed])
    with store.session(NAME) as session:
        for start in range(0, 90, 30):
            session.upsert([lure(n) for n in range(start, start + 30)])
        session.upsert([replace(lure(9), payload={"page_content": "another text"})])
        session.upsert([replace(lure(81), payload={"page_content": "another text"})])
        session.delete([lure(7).id, lure(80).id])
    store.close()
    gone, replaced = (7, 80), (9, 81)
    data = every_byte(folder)
    assert all(f"secret{n}.".encode() in data for n in gone)
    found = store.purge(NAME)
    store.close()
    data = every_byte(folder)
    for n in (*gone, *replaced):
        for word in (f"secret{n}.", f"owner{n}."):
            assert word.encode() not in data, (n, word)
    for n in gone:
        # Both ways in which an id may be written.
        number = uuid.UUID(lure(n).id)
        assert not [form for form in (number.bytes, number.bytes_le, str(number).encode()) if form in data]
    assert b"secret8." in data and b"another text" in data
    assert (found.claim, found.points) == ("purged", 88)
    assert found.files == len([path for path in (folder / NAME).rglob("*") if path.is_file()])


def test_of_a_few_short_vectors_nothing_that_was_replaced_is_left(store: VectorStore, folder: Path) -> None:
    """The engine seals no segment of less than a kilobyte of vectors."""
    with store.session(NAME) as session:
        session.upsert([point(1, "secret words")])
        session.upsert([point(1, "other words")])
    assert store.purge(NAME).claim == "purged"
    store.close()
    data = every_byte(folder)
    assert b"secret words" not in data and b"other words" in data


def test_a_purge_that_rewrites_nothing_says_that_bytes_may_be_left(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.session(NAME) as session:
        session.upsert([point(n) for n in range(100)])
        session.delete([uid(3)])
    with monkeypatch.context() as patch:
        # An engine that no longer writes segments anew.
        patch.setattr("index.store.edge.purge.purge", lambda shard, home: frozenset(segments(home)))
        found = store.purge(NAME)
    assert (found.claim, found.points) == ("unretrievable", 99)
    assert "1 may still hold deleted points" in found.evidence
    assert store.purge(NAME).claim == "purged"


def segments(home: Path) -> list[str]:
    return [path.name for path in (home / "segments").iterdir()]


def test_a_purge_removes_what_a_drop_left_and_needs_room(
    store: VectorStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("index.store.edge.store.shutil.rmtree", lambda path: 1 / 0)
        store.create("kb-2", dimension=DIMENSION, instance="ledger-1")
        with pytest.raises(StoreError):
            store.drop("kb-2")
    with monkeypatch.context() as patch:
        patch.setattr("index.store.edge.store.room", lambda path: 200 << 20)
        with pytest.raises(StoreError, match=r"has 200 MB free.* takes 512 MB"):
            store.purge(NAME)
    assert (folder / ".old-kb-2").exists()
    store.purge(NAME)
    assert sorted(path.name for path in folder.iterdir()) == [".lock", ".turn", NAME]


def test_a_session_says_once_what_it_did_and_no_word_of_it(
    store: VectorStore, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="freshkb.store"), store.session(NAME) as session:
        session.upsert([point(n, "secret") for n in range(3)])
        session.delete([uid(1)])
        session.search(mode="dense", dense=dense(1), sparse=None, limit=2, where=Filter())
    (line,) = [record.getMessage() for record in caplog.records if record.name == "freshkb.store"]
    assert re.fullmatch(r"kb-1: 3 written, 1 deleted, 2 ranked, 2 read, \d+\.\d{3} s\.", line)


def test_a_store_is_opened_by_kind(tmp_path: Path) -> None:
    assert open_store("edge", path=tmp_path / "index").kind == "edge"
    assert not (tmp_path / "index").exists()
    assert open_store("qdrant", path=tmp_path, url="http://127.0.0.1:1").kind == "qdrant"
    with pytest.raises(ConfigError, match=r"index\.url"):
        open_store("qdrant", path=tmp_path)
    with pytest.raises(ConfigError, match="there are: edge, qdrant"):
        open_store("chroma", path=tmp_path)


def test_points_that_a_kill_left_ahead_of_their_segment_can_be_written_and_deleted(
    folder: Path, store: VectorStore
) -> None:
    """The engine flushes points before the number of the update that wrote them; a kill comes in between."""
    with store.session(NAME) as session:
        session.upsert([point(1)])
        numbers = {path: path.read_bytes() for path in folder.glob("*/shard/segments/*/segment.json")}
        for _ in range(2):
            session.upsert([point(1), point(2), point(3)])
    store.close()
    for path, content in numbers.items():
        assert path.read_bytes() != content
        path.write_bytes(content)
    with store.session(NAME) as session:
        session.delete([uid(2)])
        session.upsert([replace(point(3), payload={**point(3).payload, "page_content": "changed"})])
        found = session.retrieve([uid(1), uid(2), uid(3)], vectors=False)
    assert set(found) == {uid(1), uid(3)}
    assert found[uid(3)].payload["page_content"] == "changed"
