"""A source in two forms that must agree: a folder on disk, and a dictionary of what it holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.traces.operations import BROKEN, CHANGES, Operation


class Folder:
    """Carries out the operations that change documents."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, bytes] = {}
        self.written: set[str] = set()
        """Uris that were written since this was last emptied."""
        self.closed: dict[str, int] = {}
        """Folders that may not be read in full, with their modes."""
        # A clock of its own: with modification times that lie in the past nothing waits for time to pass.
        self._clock = 1_600_000_000_000_000_000
        # Where deleted files lie, so that no inode is ever given out again: which one would be is for the
        # file system to say, and the same trace would not always be the same. `_reuse` does it on purpose.
        self._attic = root.with_name("attic")
        self._attic.mkdir()
        self._discarded = 0

    def apply(self, operation: Operation) -> bool:
        """False when it is none of the folder's."""
        if operation.name not in CHANGES:
            return False
        act = getattr(self, "_" + operation.name.replace(" ", "_"))
        uri = self._existing(operation.uri, operation.number)
        if operation.name in ("write", "permit"):
            uri = operation.uri
        if uri is not None:
            with self._opened():
                act(uri, operation.other, Random(operation.number))
        return True

    def _existing(self, uri: str, number: int) -> str | None:
        """The uri itself, or else any: otherwise most operations would find nothing."""
        if uri in self.files or not self.files:
            return uri if uri in self.files else None
        return sorted(self.files)[number % len(self.files)]

    def _free(self, uri: str) -> bool:
        """Whether a file could be made here."""
        path = self.root / uri
        return not path.exists() and not any(above.is_file() for above in path.parents)

    # ── Permissions ───────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _opened(self) -> Iterator[None]:
        """Within the block, changes of the folder are permitted."""
        for folder in sorted(self.closed):
            (self.root / folder).chmod(0o755)
        yield
        self.closed = {folder: mode for folder, mode in self.closed.items() if (self.root / folder).is_dir()}
        # The inner ones first: behind a closed one nothing can be reached.
        for folder in sorted(self.closed, reverse=True):
            (self.root / folder).chmod(self.closed[folder])

    def _forbid(self, uri: str, _: str, random: Random) -> None:
        (self.root / uri).chmod(0)

    def _close(self, uri: str, _: str, random: Random) -> None:
        """Nothing below the folder can be read; in the second case the names in it can still be seen."""
        self.closed[uri.rpartition("/")[0]] = random.choice((0, 0o444))

    def _permit(self, uri: str, _: str, random: Random) -> None:
        self.closed.clear()
        for known in self.files:
            (self.root / known).chmod(0o644)

    def permit(self) -> None:
        """Everything can be read again."""
        self.apply(Operation("permit"))

    def forbidden(self, uri: str) -> bool:
        """Whether the file may not be read, though its folder may be."""
        try:
            (self.root / uri).open("rb").close()
        except PermissionError:
            return True
        return False

    def blocked(self, hidden: str) -> list[str]:
        """Closed folders that a listing stumbles over; it does not come to those below `hidden`."""
        return [
            folder
            for folder in sorted(self.closed)
            if not f"{folder}/".startswith(hidden) and self._stumbles(self.root / folder)
        ]

    @staticmethod
    def _stumbles(folder: Path) -> bool:
        try:
            for inner in folder.iterdir():
                inner.stat()
        except PermissionError:
            return True
        return False

    # ── Content ───────────────────────────────────────────────────────────────────────────────────────

    def put(self, uri: str, content: bytes) -> None:
        path = self.root / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode if path.exists() else 0o644
        path.touch()
        path.chmod(0o644)
        path.write_bytes(content)
        path.chmod(mode)
        self.files[uri] = content
        self.written.add(uri)
        self._date(path)

    def _date(self, path: Path) -> None:
        self._clock += 1_000_000_123
        os.utime(path, ns=(self._clock, self._clock))

    def _write(self, uri: str, _: str, random: Random) -> None:
        if uri in self.files or self._free(uri):
            self.put(uri, text(uri, random))

    def _insert(self, uri: str, _: str, random: Random) -> None:
        self.put(uri, b"# Inserted\n\nOn top: " + _sentence(random) + b"\n\n" + self.files[uri])

    def _append(self, uri: str, _: str, random: Random) -> None:
        self.put(uri, self.files[uri] + b"\n\n" + _sentence(random) + b"\n")

    def _edit(self, uri: str, _: str, random: Random) -> None:
        parts = self.files[uri].split(b"\n\n")
        parts[random.randrange(len(parts))] = _sentence(random)
        self.put(uri, b"\n\n".join(parts))

    def _truncate(self, uri: str, _: str, random: Random) -> None:
        self.put(uri, self.files[uri][: random.randrange(len(self.files[uri]) + 1)])

    def _empty(self, uri: str, _: str, random: Random) -> None:
        self.put(uri, b"")

    def _save(self, uri: str, _: str, random: Random) -> None:
        """As many editors do it: another file takes the name."""
        content = self.files[uri]
        self._delete(uri, "", random)
        self.put(uri, content + b"\n\n" + _sentence(random) + b"\n")

    def _touch(self, uri: str, _: str, random: Random) -> None:
        self._date(self.root / uri)

    def _break(self, uri: str, _: str, random: Random) -> None:
        target = next((u for u in sorted(self.files) if u.endswith(".json")), None)
        if target is not None:
            self.put(target, BROKEN + bytes([random.randrange(4)]))

    def _repair(self, uri: str, _: str, random: Random) -> None:
        for broken in [u for u, content in self.files.items() if content.startswith(BROKEN)]:
            self.put(broken, text(broken, random))

    # ── Names ─────────────────────────────────────────────────────────────────────────────────────────

    def shift(self, old: str, new: str) -> bool:
        if not self._free(new):
            return False
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / old).rename(self.root / new)
        self.files[new] = self.files.pop(old)
        if old in self.written:
            self.written.add(new)
        return True

    def _rename(self, uri: str, other: str, random: Random) -> None:
        self.shift(uri, other)

    def _move(self, uri: str, other: str, random: Random) -> None:
        self.shift(uri, other.rpartition("/")[0] + "/" * ("/" in other) + uri.rpartition("/")[2])

    def _move_with_edit(self, uri: str, other: str, random: Random) -> None:
        if self.shift(uri, other):
            self._append(other, "", random)

    def _recreate(self, uri: str, other: str, random: Random) -> None:
        """Moved by copying and deleting, as between two file systems: another inode."""
        if self._free(other):
            self.put(other, self.files[uri])
            self._delete(uri, "", random)

    def _swap(self, uri: str, other: str, random: Random) -> None:
        other = sorted(self.files)[random.randrange(len(self.files))]
        if uri != other:
            (self.root / uri).rename(self.root / "parked")
            (self.root / other).rename(self.root / uri)
            (self.root / "parked").rename(self.root / other)
            self.files[uri], self.files[other] = self.files[other], self.files[uri]
            self.written |= {uri, other}

    def _rotate(self, uri: str, other: str, random: Random) -> None:
        """As logs are: each takes the name of the next, and the last a new one."""
        second = sorted(self.files)[random.randrange(len(self.files))]
        if second != uri and self.shift(second, other):
            self.shift(uri, second)
            self.written |= {second, other}

    def _case(self, uri: str, other: str, random: Random) -> None:
        folder, slash, name = uri.rpartition("/")
        stem, dot, suffix = name.rpartition(".")
        self.shift(uri, folder + slash + stem.swapcase() + dot + suffix)

    def _type(self, uri: str, other: str, random: Random) -> None:
        """To a type that cannot be parsed, and back."""
        stem, _, suffix = uri.rpartition(".")
        self.shift(uri, stem + (".md" if suffix == "xyz" else ".xyz"))

    def _delete(self, uri: str, _: str, random: Random) -> None:
        self._discard(self.root / uri)
        del self.files[uri]

    def _discard(self, path: Path) -> None:
        self._discarded += 1
        path.rename(self._attic / str(self._discarded))

    def _reuse(self, uri: str, other: str, random: Random) -> None:
        """A file is deleted, and the next that is written gets its inode."""
        if self.shift(uri, other):
            self.put(other, text(other, random))

    def _copy(self, uri: str, other: str, random: Random) -> None:
        if self._free(other):
            self.put(other, self.files[uri])

    def _folder(self, uri: str, _: str, random: Random) -> None:
        """A file becomes a folder of the same name, or such a folder becomes a file again."""
        above = uri.rpartition("/")[0]
        if "." in above.rpartition("/")[2]:
            for inner in [u for u in self.files if u.startswith(f"{above}/")]:
                self._delete(inner, "", random)
            self._discard(self.root / above)
            self.put(above, text(above, random))
        else:
            content = self.files[uri]
            self._delete(uri, "", random)
            self.put(f"{uri}/inner.md", content)


def text(uri: str, random: Random) -> bytes:
    """A small document of parts that occur in others, too."""
    if uri.endswith(".json"):
        return b'{"word": "%d"}' % random.randrange(8)
    return b"".join(b"# Part %d\n\n%s\n\n" % (n, _about(n)) for n in random.sample(range(12), 3))


def _about(number: int) -> bytes:
    return b"What there is to say of part %d, and of nothing else." % number


def _sentence(random: Random) -> bytes:
    return b"Sentence %d is one of many." % random.randrange(20)
