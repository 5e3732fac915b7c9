"""A file of checkpoints: each is appended, and durable before the next."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from index.anchors.anchor import is_of, usable
from index.anchors.spec import AnchorSpec
from index.disk.atomic import sync_folder
from index.disk.flock import lock
from index.disk.private import private_file
from index.errors import AnchorError
from index.signed.note import notes_in

#: Bytes of the end of the file that are read for the newest checkpoint; one has some 200.
_END_BYTES = 8192
#: How long another process may write its checkpoint.
_PATIENCE_SECONDS = 10.0


class FileAnchor:
    readable = True

    def __init__(self, spec: AnchorSpec) -> None:
        assert spec.path is not None
        self.spec = spec
        self._path: Path = spec.path

    def newest(self, origin: str) -> str | None:
        found = self._of(origin, self._content(_END_BYTES))
        # Other knowledge bases may write into the same file.
        found = found or self._of(origin, self._content())
        return found[-1] if found else None

    def all(self, origin: str, having: str = "") -> Sequence[str]:
        content = self._content()
        return self._of(origin, content, having) if having in content else []

    def write(self, origin: str, note: str) -> None:
        with usable(self.spec):
            if not self._path.parent.is_dir():
                # A folder that is made here could be one that is hidden by a mount later.
                raise AnchorError(
                    f"The anchor {self.spec} cannot be used: there is no folder {self._path.parent}. "
                    "Make it, or mount it."
                )
            file = private_file(str(self._path), os.O_RDWR | os.O_APPEND | os.O_CREAT)
            try:
                with self._alone(file):
                    self._append(file, note)
            finally:
                os.close(file)
            sync_folder(self._path.parent)

    def _append(self, file: int, note: str) -> None:
        size = os.fstat(file).st_size
        # A blank line ends what a power cut may have left of an earlier note.
        content = f"\n{note}".encode() if size else note.encode()
        if size and os.pread(file, 1, size - 1) != b"\n":
            content = b"\n" + content
        try:
            if os.write(file, content) < len(content):
                raise AnchorError(f"The anchor {self.spec} cannot be written: its disk is full.")
            os.fsync(file)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(file, size)
            raise

    @contextmanager
    def _alone(self, file: int) -> Iterator[None]:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (held := lock(file)) is None:
            if time.monotonic() > deadline:
                raise AnchorError(f"The anchor {self.spec} is being written by another process all the time.")
            time.sleep(0.02)
        try:
            yield
        finally:
            held.release()

    def _content(self, last: int | None = None) -> str:
        """The file's text, or so many bytes of its end; "" when it is missing."""
        with usable(self.spec):
            try:
                with self._path.open("rb") as file:
                    if last is not None:
                        file.seek(max(0, os.fstat(file.fileno()).st_size - last))
                    return file.read().decode("utf-8", "replace")
            except FileNotFoundError:
                return ""

    def _of(self, origin: str, content: str, having: str = "") -> list[str]:
        return [note for note in notes_in(content) if having in note and is_of(note, origin)]
