"""What differs between services: how documents are listed, found, and had."""

from __future__ import annotations

import json
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, MutableSequence, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from unstructured_ingest.data_types.file_data import FileData
from unstructured_ingest.interfaces import Downloader, Indexer

from connectors.base import DocumentError, Entry
from connectors.ingest.failures import meaning, of_all
from connectors.ingest.heard import hearing
from connectors.ingest.steps import outcome, steps

if TYPE_CHECKING:
    from connectors.ingest.wire import Patience


class Record(NamedTuple):
    """A document as our listing shows it, and as the library describes it."""

    entry: Entry
    file: FileData


@dataclass(frozen=True, slots=True)
class Had:
    """One whole version of a document, as a file."""

    entry: Entry
    path: Path


class Service(ABC):
    """One account of one service. Used by one thread at a time."""

    title: ClassVar[str]
    """Its name for people."""

    def __init__(self, blocks: dict[str, dict[str, Any]], patience: Patience) -> None:
        self.blocks, self.patience = blocks, patience

    def setting(self, name: str, default: Any = None) -> Any:
        return next((block[name] for block in self.blocks.values() if name in block), default)

    @abstractmethod
    def identity(self) -> str:
        """The place that is listed, after the service was asked."""

    @abstractmethod
    def records(self, errors: MutableSequence[str]) -> Iterator[Record]:
        """All documents, in any order. A part that failed is a sentence in `errors`; what fails as a whole is
        raised."""

    @abstractmethod
    def record(self, uri: str) -> Record | None:
        """The document as it is now; None when it is not there."""

    def listed(self, uri: str) -> Record | None:
        """The document, to be fetched: as it is, or as the last listing showed it."""
        return self.record(uri)

    @abstractmethod
    def had(self, record: Record, folder: Path, max_size: int) -> Had:
        """One whole version, as a file in the empty folder."""

    def forget(self) -> None:
        """Ask for credentials again next time."""
        return

    def close(self) -> None:
        return


def files(indexer: Indexer, errors: MutableSequence[str]) -> Iterator[FileData]:
    """What the library lists; what it says in its log and goes on is an error of the listing."""
    said: list[str] = []
    found = steps(indexer.run_async()) if indexer.is_async() else iter(indexer.run())
    try:
        while True:
            with hearing(said):
                file = next(found, None)
            errors += [f"The listing says: {message.rstrip('.')}." for message in said]
            said.clear()
            if file is None:
                return
            yield file
    finally:
        if close := getattr(found, "close", None):
            close()


def downloaded(downloader: Downloader, file: FileData, folder: Path) -> tuple[FileData, Path]:
    """The file that the library made of a document, in the folder, and what it says of it then. The name of
    the document decides nothing."""
    suffix = Path(file.source_identifiers.filename).suffix if file.source_identifiers else ""
    asked = file.model_copy(deep=True)
    plain = suffix[1:].isalnum() and len(suffix) < 10
    asked.source_identifiers.rel_path = f"document{suffix if plain else ''}"
    said: list[str] = []
    with hearing(said):
        if type(downloader).run_async is Downloader.run_async:
            answer = downloader.run(asked)
        else:
            answer = outcome(lambda: downloader.run_async(asked))
    parts = answer if isinstance(answer, list) else [answer]
    if not parts or parts[0] is None:
        raise DocumentError("The service gave nothing.")
    path = Path(parts[0]["path"])
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DocumentError("The library wrote outside of its folder.")
    return parts[0]["file_data"], path


class Listed(Service):
    """A service without a question for one document: it is listed anew, and that is kept for a while.

    What was listed last lies in a temporary file of its own, so that each fetch need not ask for everything.
    """

    kept_seconds: ClassVar[float] = 60.0

    def __init__(self, blocks: dict[str, dict[str, Any]], patience: Patience) -> None:
        super().__init__(blocks, patience)
        self._kept = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._kept.execute(
            "CREATE TABLE record (uri TEXT PRIMARY KEY, entry TEXT, file TEXT, listing INTEGER) WITHOUT ROWID"
        )
        self._listing = 0
        """The number of the last listing."""
        self._lacking: str | None = "It was not listed."
        """Why that one lacks documents which are there; None: it is whole."""
        self._looked_again_at = -1e9

    @abstractmethod
    def indexers(self) -> Sequence[tuple[str, Indexer]]:
        """(name in a sentence, indexer) of the parts that may be refused each for itself."""

    @abstractmethod
    def downloader(self, folder: Path) -> Downloader: ...

    @abstractmethod
    def entry(self, file: FileData) -> Entry: ...

    def found(self, errors: MutableSequence[str]) -> Iterator[Record]:
        """A part that fails leaves the others; the failure is raised when it is that of all, or the last of
        as many as there are parts."""
        failed, parts = 0, self.indexers()
        for name, indexer in parts:
            try:
                for file in files(indexer, errors):
                    yield Record(self.entry(file), file)
            except Exception as error:
                failed += 1
                if failed == len(parts) or of_all(error):
                    raise
                errors.append(f"{name} could not be listed to the end: {meaning(error)}.")

    def records(self, errors: MutableSequence[str]) -> Iterator[Record]:
        self._looked_again_at = -1e9
        self._kept.execute("DELETE FROM record")
        yield from self._keep(errors)

    def _keep(self, errors: MutableSequence[str]) -> Iterator[Record]:
        """What a listing finds. Others that were kept are forgotten once it is whole."""
        self._listing += 1
        self._lacking, lacking = "It was not listed to its end.", ""
        for record in self.found(errors):
            # Whoever reads on may take the errors away.
            lacking = lacking or next(iter(errors), "")
            row = record.entry.uri, json.dumps(record.entry), record.file.model_dump_json(), self._listing
            self._kept.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)", row)
            yield record
        self._lacking = lacking or next(iter(errors), None)
        if self._lacking is None:
            self._kept.execute("DELETE FROM record WHERE listing <> ?", (self._listing,))

    def record(self, uri: str) -> Record | None:
        """As a listing shows it that began after the last one for others, and is not old. Raises
        DocumentError where that one lacks it and is not whole."""
        if time.monotonic() - self._looked_again_at > self.kept_seconds:
            self._look_again()
        found = self._recorded(uri, since=self._listing)
        if found is None and self._lacking is not None:
            raise DocumentError(f"Whether the document is still there cannot be told: {self._lacking}")
        return found

    def _look_again(self) -> None:
        """Raises what is wrong with the account or on the way; another refusal is said of no document."""
        try:
            for _ in self._keep([]):
                pass
        except Exception as error:
            if of_all(error):
                raise
            self._lacking = f"{self.title} could not be listed to its end: {meaning(error)}."
        self._looked_again_at = time.monotonic()

    def listed(self, uri: str) -> Record | None:
        """As the last listing showed it; another one is made where that one lacks it and is not whole."""
        found = self._recorded(uri)
        return self.record(uri) if found is None and self._lacking is not None else found

    def _recorded(self, uri: str, since: int = 0) -> Record | None:
        row = self._kept.execute(
            "SELECT entry, file FROM record WHERE uri = ? AND listing >= ?", (uri, since)
        ).fetchone()
        if row is None:
            return None
        return Record(Entry(*json.loads(row[0])), FileData.model_validate_json(row[1]))

    def had(self, record: Record, folder: Path, max_size: int) -> Had:
        _, path = downloaded(self.downloader(folder), record.file, folder)
        return Had(record.entry, path)

    def close(self) -> None:
        with closing(self._kept):
            return
