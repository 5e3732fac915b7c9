"""A knowledge base in which something hostile is synced, and all that is watched meanwhile."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from index.idle import give_back
from index.parse import Parser
from index.parse.child import Child
from index.parse.line import Job, Line
from tests.knowledge import Knowledge, Shared
from tests.promises.hostile import SECRET, Scene

#: Seconds beyond its timeout that a document may take, on a machine that has nothing else to do.
GRACE = 2.0

#: The stat of a file: it is another file when any of these differs.
Facts = tuple[int, int, int, int]


class Timed(Shared):
    """A parser that notes how long it had each document, imports apart."""

    def __init__(self, parser: Parser) -> None:
        super().__init__(parser)
        self.seconds: dict[str, float] = {}
        """By document id."""

    def submit(self, path: Path, format: str, timeout_seconds: float | None = None) -> Future[Any]:
        """As the parser does it: several children, each with several documents."""
        self.parsed.append(format)
        return self._parser.submit(path, format, timeout_seconds)

    @contextmanager
    def noting(self) -> Iterator[None]:
        expect_loaded, advance = Child.expect_loaded, Line.advance
        loaded = threading.local()

        def noted(child: Child) -> None:
            expect_loaded(child)
            loaded.at = time.monotonic()

        def timed(line: Line) -> Job:
            loaded.at = time.monotonic()
            job = advance(line)
            self.seconds[job.path.name] = time.monotonic() - loaded.at
            return job

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Child, "expect_loaded", noted)
            patch.setattr(Line, "advance", timed)
            yield


class Sinks:
    """Servers on every loopback address, to which no document may talk."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.sockets: list[socket.socket] = []
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            # Not every machine has the second.
            with suppress(OSError):
                stream = socket.create_server((host, 0), family=family)
                self.sockets.append(stream)
                port = stream.getsockname()[1]
                self.names.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
                self.sockets.append(socket.socket(family, socket.SOCK_DGRAM))
                self.sockets[-1].bind((host, port))
        for sink in self.sockets:
            sink.setblocking(False)

    def heard(self) -> list[str]:
        """Connections that reached them since they were asked last."""
        found = []
        for sink in self.sockets:
            with suppress(BlockingIOError):
                if sink.type == socket.SOCK_STREAM:
                    connection, _ = sink.accept()
                    found.append(f"a connection to {sink.getsockname()}")
                    connection.close()
                else:
                    found.append(f"a datagram to {sink.getsockname()}: {sink.recv(100)!r}")
        return found

    def close(self) -> None:
        for sink in self.sockets:
            sink.close()


class Stage:
    """A knowledge base below `home`, beside a file that no document may read."""

    def __init__(self, home: Path, parser: Parser, sinks: Sinks, temporary: Path, *, large: bool) -> None:
        self.home, self.temporary, self.sinks = home, temporary, sinks
        self.kb = Knowledge(home / "kb", parser)
        self.timed = self.kb.parser = Timed(parser)
        outside = home / "outside"
        outside.mkdir()
        (outside / "secret.txt").write_text(SECRET)
        self.scene = Scene(self.kb.docs, outside, sinks.names, large)
        for number in range(2):
            self.kb.write(f"before{number}.md", "text = 'Text before.'\n")
            self.usual = self._peak()

    def sync(self) -> int:
        """By how many bytes more this process grew than with harmless documents."""
        before = self._files()
        peak = self._peak()
        after = self._files()
        assert {name for name in before if before[name] != after.get(name)} == set()
        assert after.keys() - before.keys() == set()
        assert self.sinks.heard() == []
        return peak - self.usual

    def _peak(self) -> int:
        """The memory of this process during a sync, at most; not what it took to make large documents."""
        if self.scene.large:
            give_back()
        # 5 resets the peak.
        Path("/proc/self/clear_refs").write_text("5")
        with self.timed.noting():
            self.kb.sync()
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) << 10

    def _files(self) -> dict[str, Facts]:
        """Everything that a document could write to and must not: all but the index, and the folder of the
        parser's child, in which nothing may be left when no document is parsed."""
        found = {}
        for folder, folders, files, at in os.fwalk(self.home):
            if folder == str(self.kb.home):
                folders.remove(".freshkb")
                files.remove("freshkb.yaml")
            for name in (*folders, *files):
                info = os.stat(name, dir_fd=at, follow_symlinks=False)
                found[f"{folder}/{name}"] = (info.st_mode, info.st_size, info.st_mtime_ns, info.st_ino)
        for child in self.temporary.iterdir():
            assert child.name.startswith("freshkb-parse-"), child
            held = {entry.name: [*entry.iterdir()] for entry in child.iterdir() if entry.is_dir()}
            assert held == {"home": [], "documents": [], "view": []}
        return found


def in_time(seconds: float, limit: float) -> bool:
    """Whether a document was given up soon after its limit. Only when it was not, this asks how many times
    longer work takes now than on a machine that has nothing else to do."""
    if seconds <= limit + GRACE:
        return True
    wall, cpu = time.perf_counter(), time.thread_time()
    while time.thread_time() - cpu < 0.02:
        pass
    return seconds <= limit + GRACE * (time.perf_counter() - wall) / 0.02


def processes(folder: Path) -> list[int]:
    """Processes of children whose private folder lies there."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"TMPDIR={folder}/".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root, too, may read only what the permissions allow."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    before = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, before) == 0
    after = (ctypes.c_uint32 * 6)(*before)
    # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, of those in effect.
    after[0] &= ~0b110
    assert libc.capset(header, after) == 0
    try:
        yield
    finally:
        assert libc.capset(header, before) == 0
