"""The lock of an embedded store's folder: one holder at a time, and no waiter starves.

Two files. ``.lock`` is the lock. ``.turn`` is the turnstile in front of it: a waiter takes the turn first,
then waits for the lock, then gives the turn back. So at most one waiter is next, the holder sees within
microseconds whether there is one (`wanted`), and a holder that releases the lock and comes back at once is
served after the waiters.

Both are locks of `index.disk.flock`: the kernel releases them when their holder dies in any way, and a forked
child has neither.

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

#: Seconds between two tries of a waiter: flock can wait by itself, but not for a limited time.
POLL_SECONDS = 0.005

#: Errors at the opening of a file that may not be written to.
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class FolderLock:
    """For one thread at a time; its owner ensures that."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[str, Lock] = {}

    @property
    def held(self) -> bool:
        return (lock := self._locks.get(".lock")) is not None and lock.held

    @property
    def shared(self) -> bool:
        """Whether the lock is held and shared, by readers that may not write."""
        return self.held and self._locks[".lock"].shared

    def acquire(self, timeout_seconds: float) -> None:
        """Wait for the turn, then for the lock. Raises StoreError, naming the holder, after the timeout."""
        deadline = time.monotonic() + timeout_seconds
        try:
            private_folder(self._folder, inside=self._folder.parent)
            try:
                self._wait(".turn", deadline)
                self._wait(".lock", deadline)
            finally:
                self._free(".turn")
            if not self.shared:
                # A lock that cannot be signed, as on a full disk, is still held.
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
        """Whether a process waits for the lock that this one holds. Raises OSError."""
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
        """Write the holder into the lock, for the message of a waiter that gives up."""
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
    """The program and its subcommand; never its arguments, which may be a query."""
    program = Path(sys.argv[0])
    name = program.parent.name if program.name == "__main__.py" else program.name
    command = sys.argv[1] if name == "freshkb" and len(sys.argv) > 1 else ""
    return f"{name} {command}" if command.isalpha() else name
