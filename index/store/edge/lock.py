"""The lock of an embedded store's folder: one holder at a time, and nobody waits in vain.

Two files. ``.lock`` is the lock. ``.turn`` is the turnstile in front of it: who wants the lock takes the
turn first, then waits for the lock, then gives the turn back. So at most one is next, the holder sees within
microseconds whether somebody is (`wanted`), and one who lets go and comes back at once is served after those
who waited.

Both are locks of `index.disk.flock`: the kernel frees them when their holder dies, however it dies, and a
forked child has neither.

A process that may read the two files and not write to them shares the lock with others of its kind: together
they keep every writer out.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from index.disk.flock import Lock, take
from index.disk.private import private_folder
from index.errors import StoreError
from index.model import rfc3339

#: How often a waiter tries: flock can wait by itself, but not for a limited time.
POLL_SECONDS = 0.005

#: What a file that may not be written to is refused with.
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class FolderLock:
    """Serves one thread at a time; its owner sees to that."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[str, Lock] = {}

    @property
    def held(self) -> bool:
        return (lock := self._locks.get(".lock")) is not None and lock.held

    @property
    def shared(self) -> bool:
        """Whether the lock is held, and is one of readers that may not write."""
        return self.held and self._locks[".lock"].shared

    def acquire(self, timeout_seconds: float) -> None:
        """Wait for our turn, then for the lock. Raises StoreError, naming the holder, after that."""
        deadline = time.monotonic() + timeout_seconds
        try:
            private_folder(self._folder, inside=self._folder.parent)
            try:
                self._wait(".turn", deadline)
                self._wait(".lock", deadline)
            finally:
                self._free(".turn")
            if not self.shared:
                # A lock that cannot be signed, as on a full disk, is a lock all the same.
                with suppress(OSError):
                    self._sign()
        except OSError as error:
            self.release()
            raise StoreError(
                f"The vector store in {self._folder} cannot be locked: {error}. Nothing was written; "
                "when its folder can be used again, run the command again."
            ) from error

    def release(self) -> None:
        self._free(".lock")

    def wanted(self) -> bool:
        """Whether somebody waits for the lock that we hold."""
        free = self._try(".turn")
        self._free(".turn")
        return not free

    def _try(self, name: str) -> bool:
        path = self._folder / name
        try:
            lock = take(path)
        except OSError as error:
            if error.errno not in FORBIDDEN or not path.exists():
                raise
            lock = take(path, os.O_RDONLY, shared=True)
        if lock is not None:
            self._locks[name] = lock
        return lock is not None

    def _wait(self, name: str, deadline: float) -> None:
        while not self._try(name):
            if time.monotonic() >= deadline:
                raise StoreError(
                    f"The vector store in {self._folder} is in use by {self._holder()}, which did not "
                    "let go of it in time. Wait until it is done, or end it, and try again."
                )
            time.sleep(POLL_SECONDS)

    def _free(self, name: str) -> None:
        lock = self._locks.pop(name, None)
        if lock is not None:
            lock.release()

    def _sign(self) -> None:
        """Write into the lock who holds it, for the message of the one who waits too long."""
        holder = {
            "pid": os.getpid(),
            "host": os.uname().nodename,
            "command": _command(),
            "since": rfc3339(datetime.now(UTC).replace(microsecond=0)),
        }
        self._locks[".lock"].write(json.dumps(holder).encode())

    def _holder(self) -> str:
        try:
            holder = json.loads((self._folder / ".lock").read_bytes())
            return (
                f"process {holder['pid']} on {holder['host']} ({holder['command']}, since {holder['since']})"
            )
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"


def _command() -> str:
    """The program, and which command of ours it is; never its arguments, which may be a query."""
    program = Path(sys.argv[0])
    name = program.parent.name if program.name == "__main__.py" else program.name
    command = sys.argv[1] if name == "freshkb" and len(sys.argv) > 1 else ""
    return f"{name} {command}" if command.isalpha() else name
