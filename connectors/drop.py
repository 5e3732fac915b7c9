"""A folder that people put documents into, and that is emptied once they are in the index.

The documents of the source are those of the inbox, of the quarantine and of the archive together: one uri is
one document, wherever its file lies, and the inbox comes first, the archive last. So a move is no change to
the index, and a file that is deleted in the archive is a document that is gone.

A file is moved once the index has settled its very bytes, nobody has written to it for a while, and nobody
has it open to write. What lay under its name before is kept below `FORMER`, which no listing shows. This is
the one connector that writes into its source.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from pathlib import Path

from connectors.base import (
    ConnectorSettings,
    Context,
    DocumentChanging,
    DocumentVanished,
    Entry,
    Fetched,
    Listing,
    Patterns,
    SourceUnavailable,
    Unlisted,
    shortened,
)
from connectors.codeowners import PLACES, OwnersFile
from connectors.files import FilesConnector, FilesSettings
from connectors.moving import PART, Changed, arrived, hash_of, move, opened, remove, write
from connectors.paths import split
from connectors.quiet import open_to_write, same, seconds_until_quiet
from connectors.settled import Settled, Settlement
from connectors.walk import GONE, entry_of

#: The folder of versions that were superseded, at the top of archive and quarantine.
FORMER = ".former"
#: The end of the name of a note in the quarantine.
NOTE = ".why.txt"
#: Bytes of a name, at most, in the file systems of today.
_NAME_BYTES = 255
#: Never documents: what is kept and written here, and files that are still coming, as browsers name them.
_LEFT_OUT = (
    *(f"/{FORMER}/", f"/{PART}", f"*{NOTE}"),
    *("*.part", "*.partial", "*.crdownload", "*.download", "*.filepart", "*.tmp"),
)
#: Documents that the index is asked about at once.
_BATCH = 500
#: Files that could not be moved and are named.
_NAMED_MAX = 20


class DropConnector(FilesConnector):
    """The inbox itself, with the folders that its files move on to."""

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__(settings, context)
        assert isinstance(settings, FilesSettings)
        left_out = (*settings.exclude, *_LEFT_OUT)
        self._exclude = Patterns(left_out)

        def beside(root: str | None) -> FilesConnector | None:
            if root is None:
                return None
            alone = {"root": root, "mode": "mirror", "archive": None, "quarantine": None}
            return FilesConnector(settings.model_copy(update={**alone, "exclude": left_out}), context)

        self._archive, self._quarantine = beside(settings.archive), beside(settings.quarantine)
        self._others = [place for place in (self._quarantine, self._archive) if place is not None]

    # ── What exists, and what it holds ────────────────────────────────────────────────────────────────

    def probe(self) -> str:
        """The identities of all its folders. An archive that is not mounted is another place."""
        found = [super().probe(), *(place.probe() for place in self._others)]
        self._apart()
        return "; ".join(found)

    def list(self, folders: Collection[str] | None = None) -> Listing:
        self._apart()
        parts = [super().list(folders), *(place.list(folders) for place in self._others)]
        whole = Listing(iter(()))
        whole.entries = _merged(parts, whole.errors, whole.unlisted)
        return whole

    def stat(self, uri: str) -> Entry | None:
        found = super().stat(uri)
        return found or next((entry for place in self._others if (entry := place.stat(uri))), None)

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        """Waits for a file that has only just come."""
        try:
            self._wait_until_quiet(uri)
            return super().fetch(uri, into)
        except DocumentVanished:
            for place in self._others:
                with suppress(DocumentVanished):
                    return place.fetch(uri, into)
            raise

    def url(self, uri: str) -> str:
        """The link to where it will be."""
        return super().url(uri) if self._archive is None else self._archive.url(uri)

    def home(self) -> str:
        return super().home() if self._archive is None else self._archive.home()

    def codeowners(self) -> OwnersFile | None:
        found = [super().codeowners(), *(place.codeowners() for place in self._others)]
        return next((file for file in found if file is not None), None)

    @contextmanager
    def watch(self, on_hint: Callable[[str | None], None], *, polling: bool = False) -> Iterator[None]:
        with ExitStack() as watches:
            watches.enter_context(super().watch(on_hint, polling=polling))
            for place in self._others:
                watches.enter_context(place.watch(on_hint, polling=polling))
            yield

    def _wait_until_quiet(self, uri: str) -> None:
        """Raises DocumentChanging when the file of the inbox is still being written."""
        try:
            names = split(uri)
        except ValueError:
            return
        with suppress(OSError), self._opened() as top, opened(top, names) as file:
            before = os.fstat(file)
            time.sleep(seconds_until_quiet(before))
            if not same(before, os.fstat(file)) or open_to_write(file):
                raise DocumentChanging(
                    f"{shortened(uri)!r} is still being written. It is taken once it was left alone for a "
                    "while."
                )

    def _apart(self) -> None:
        """Raises SourceUnavailable when one of the folders lies in another."""
        roots = [Path(os.path.realpath(place.root)) for place in (self, *self._others)]
        for inner in roots:
            for outer in roots:
                if inner is not outer and inner.is_relative_to(outer):
                    raise SourceUnavailable(
                        f"The folders of source {self.context.source!r} lie in each other: {str(inner)!r} in "
                        f"{str(outer)!r}. Name folders apart from each other."
                    )

    # ── What is done with it ──────────────────────────────────────────────────────────────────────────

    def settle(self, settled: Settlement) -> Sequence[str]:
        """Move files of the inbox, and of the quarantine, on to where they belong by now."""
        trouble: list[str] = []
        places = [place for place in (self, self._quarantine) if place is not None]
        for place in places if self._others else ():
            uris = (entry.uri for entry in FilesConnector.list(place))
            while some := [*islice(uris, _BATCH)]:
                for uri, became in settled(some).items():
                    try:
                        self._move_on(place, uri, became)
                    except (Changed, FileNotFoundError):
                        # The next listing has it.
                        continue
                    except OSError as error:
                        why = error.strerror or error
                        trouble.append(f"{shortened(uri)!r} could not be moved from {place.root}: {why}.")
        more = len(trouble) - _NAMED_MAX
        return trouble[:_NAMED_MAX] + ([f"{more:,} more files could not be moved."] if more > 0 else [])

    def _move_on(self, place: FilesConnector, uri: str, became: Settled) -> None:
        """Raises Changed when this is not the file that was settled, OSError when it cannot be moved."""
        target = self._target(place, uri, became)
        if target is None or target is place:
            return
        names = split(uri)
        with place._opened() as top, target._opened() as there, ExitStack() as files:
            try:
                file = files.enter_context(opened(top, names))
            except OSError as error:
                if error.errno in GONE:
                    raise Changed from error
                raise
            if not _is_settled(file, uri, became):
                return
            if place is self and self._quarantine is not None:
                self._put_aside(self._quarantine, names, file)
            self._put_aside(target, names, file)
            if target is self._quarantine:
                write(self._note(uri, became.reason), there, _note_of(names))
            elif self._quarantine is not None:
                with self._quarantine._opened() as notes:
                    remove(notes, _note_of(names))
            move(file, top, names, there, names)

    def _target(self, place: FilesConnector, uri: str, became: Settled) -> FilesConnector | None:
        """Where its file belongs; None where it stays."""
        if place is self and uri in PLACES:
            return None
        if place is self._quarantine and super().stat(uri) is not None:
            # What became of the document is about its file in the inbox.
            return None
        if became.reason:
            return self._quarantine
        return self._archive or (self if place is self._quarantine else None)

    def _put_aside(self, place: FilesConnector, names: Sequence[str], file: int) -> None:
        """Keep an older version, at another name, that has this name in `place`."""
        with place._opened() as top:
            try:
                with opened(top, names) as older:
                    if arrived(file, older):
                        return
                    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S.%fZ")
                    move(older, top, names, top, (FORMER, stamp, *names))
            except OSError as error:
                if error.errno not in GONE:
                    raise

    def _note(self, uri: str, reason: str) -> str:
        return (
            "freshkb could not index this file.\n\n"
            f"File:   {uri}\n"
            f"Source: {self.context.source}\n"
            f"Time:   {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n"
            f"Why:    {reason}\n\n"
            f"Put a file that can be read under the same name into {self.root}, and it is tried again.\n"
            f"If this one should be tried once more as it is: freshkb retry {uri}\n"
        )


def _merged(parts: Sequence[Listing], errors: list[str], unlisted: list[Unlisted]) -> Iterator[Entry]:
    """The entries of all parts, of those with one uri the first; then what they could not list."""
    last = None
    for entry in heapq.merge(*parts, key=attrgetter("uri")):
        if entry.uri != last:
            last = entry.uri
            yield entry
    for part in parts:
        errors += part.errors
        unlisted += part.unlisted


def _is_settled(file: int, uri: str, became: Settled) -> bool:
    """Whether the open file has the bytes that were settled, and is left alone."""
    info = os.fstat(file)
    if seconds_until_quiet(info) > 0 or open_to_write(file):
        return False
    if became.content_hash is not None:
        return hash_of(file) == became.content_hash and same(info, os.fstat(file))
    return became.token is None or became.token == entry_of(uri, info).token


def _note_of(names: Sequence[str]) -> tuple[str, ...]:
    """The place of the note on the file at `names`. Of a name so long that the note's would be too long for a
    file system, it has the beginning."""
    name, room = os.fsencode(names[-1]), _NAME_BYTES - len(NOTE)
    if len(name) > room:
        mark = f"~{hashlib.sha256(name).hexdigest()[:8]}".encode()
        # Never half a character.
        name = name[: room - len(mark)].decode("utf-8", "ignore").encode() + mark
    return (*names[:-1], os.fsdecode(name) + NOTE)
