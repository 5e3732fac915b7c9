"""The seam between freshkb and the places that documents come from.

A connector answers two questions about one source: *what exists now* (`list`, `stat`) and *what does
it hold* (`fetch`). It never decides what should happen: plans, deletions and retries belong to
`index`. A new source implements `Connector`, names its settings model, and registers under the entry-point
group ``freshkb.connectors``; nothing else in the project has to know about it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, field_validator

from connectors.cache import BYTES as BYTES
from connectors.cache import forget as forget
from connectors.cache import held as held
from connectors.cache import opened_database as opened_database
from connectors.codeowners import OwnersFile as OwnersFile
from connectors.errors import ConnectorError as ConnectorError
from connectors.errors import DocumentChanging as DocumentChanging
from connectors.errors import DocumentError as DocumentError
from connectors.errors import DocumentForbidden as DocumentForbidden
from connectors.errors import DocumentTooLarge as DocumentTooLarge
from connectors.errors import DocumentVanished as DocumentVanished
from connectors.errors import SourceUnavailable as SourceUnavailable
from connectors.errors import UnknownConnector as UnknownConnector
from connectors.errors import shortened as shortened
from connectors.needs import Need as Need
from connectors.patterns import Patterns as Patterns
from connectors.platform import platform_needs as platform_needs
from connectors.registry import BUILT_IN as BUILT_IN
from connectors.registry import ENTRY_POINT_GROUP as ENTRY_POINT_GROUP
from connectors.registry import connector_class as connector_class
from connectors.settled import Settled as Settled
from connectors.settled import Settlement as Settlement
from connectors.urls import check_url as check_url


class Entry(NamedTuple):
    """One document as a listing shows it. A tuple, because listings hold millions of them."""

    uri: str
    """Address inside the source; unique there."""
    token: str | None
    """Change token: equal tokens mean an equal version. None: the source cannot tell without reading."""
    size: int | None
    """Bytes, when the source knows without reading."""
    modified_at: int | None
    """Nanoseconds since the epoch, UTC. One that is no `known_time` counts as None."""
    native_id: str | None
    """An identity that survives a rename inside the source (inode, file id)."""
    properties: Mapping[str, str] | None = None
    """The source's own metadata of the document, by front-matter names: title, url, owner, last_reviewed …
    They may change without the token; the index then says so without reading the document again, so nothing
    belongs here that changes by itself, such as a count of visits. None: the source says nothing, ever."""
    format: str | None = None
    """The type of its bytes: a content type, as ``text/html; charset=utf-8``, or a suffix, as ``.md``.
    None: the uri's suffix tells."""


def known_time(nanoseconds: int | None) -> int | None:
    """The time, or None for one that 64 bits cannot hold, before 1678 or after 2262. Sources write the year 1
    or 9999 for a time that they do not know, and some file systems hold any number."""
    return nanoseconds if nanoseconds is not None and -(1 << 63) <= nanoseconds < 1 << 63 else None


class Unlisted(NamedTuple):
    """A folder that is left out of listings for good. What lies below it is neither there nor gone."""

    uri: str
    code: str
    """For programs, such as ``too-deep``."""
    reason: str
    """A sentence for people."""


@dataclass(slots=True)
class Listing:
    """The documents that a source says exist, in ascending order of uri (by code point), readable once.

    `complete` MUST NOT be believed before the iteration has ended. A connector that meets an error below
    appends a sentence to `errors` and goes on: the listing is then incomplete, and nothing may be deleted
    because of it. A folder that will fail the same way next time goes to `unlisted` instead: the listing is
    complete without it.
    """

    entries: Iterator[Entry]
    errors: list[str] = field(default_factory=list)
    unlisted: list[Unlisted] = field(default_factory=list)
    ended: bool = False

    def __iter__(self) -> Iterator[Entry]:
        yield from self.entries
        self.ended = True

    @property
    def complete(self) -> bool:
        return self.ended and not self.errors

    def close(self) -> None:
        """Give back what an iteration holds that was not run to its end: open folders, connections."""
        if isinstance(self.entries, Generator):
            self.entries.close()


class Notice(NamedTuple):
    """A defect of a version that its owner should look at, found while it was fetched."""

    code: str
    """For programs, such as ``shrunk``; `index.freshness.finding.CODES` has them."""
    reason: str
    """A sentence for people. It does not change while the version stays."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """One whole version of a document."""

    entry: Entry
    """As it was read. Its token is None when a later change might not change the token (a file modified
    within its clock's granularity of the reading): such a version is looked at again next time."""
    content_hash: str
    """sha256 of the bytes, hex."""
    notices: tuple[Notice, ...] = ()
    """They stay with the version as long as it is in the index."""


Detection = Literal["renames", "owners", "dates", "titles", "links"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The abilities of a connector beyond the mandatory methods."""

    token: Literal["mtime", "etag", "version", "content"]
    """The kind of the change tokens. With ``mtime`` a changed token often hides an unchanged text, so a
    plan hashes the document to tell; with the others a changed token is a changed document. Without
    a token a document is hashed by every plan."""
    watch: bool = False
    detects: frozenset[Detection] = frozenset()
    """The things that it tells of its documents, beyond which ones exist: ``renames`` by a native identity,
    ``owners``, ``dates`` of modification, ``titles``, ``links`` that a person opens."""


class ConnectorSettings(BaseModel):
    """Settings every connector has. Each connector extends it; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    place: ClassVar[frozenset[str]] = frozenset()
    """Keys that say *where* the source is (a root, a url, a space). All others, secrets apart, decide which
    documents of the place exist. With another place the source is another one, and `Connector.probe` tells;
    with another filter the removals that follow are refused until they are approved."""

    include: tuple[str, ...] = ("**/*",)
    """Patterns as in .gitignore, of the paths that are documents."""
    exclude: tuple[str, ...] = ("**/~$*",)
    """Patterns of paths that are none, although they are included."""

    def folder(self, base: Path) -> Path | None:
        """The local folder that the source is, when it is one. Relative paths are relative to `base`."""
        return None

    @field_validator("include", "exclude")
    @classmethod
    def _patterns_are_valid(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        Patterns(patterns)
        return patterns


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of the configuration that a connector needs besides its own settings."""

    source: str
    base: Path
    """Relative paths in the settings are relative to this folder."""
    max_size: int
    """Bytes; `fetch` raises DocumentTooLarge above."""
    private: frozenset[Path] = frozenset()
    """Resolved paths that are never documents, also inside a root: state folder, configuration, reports."""
    cache: Path | None = None
    """A folder of this source's own, for what can be had again: clones, validators. It may be gone at the
    next call; a connector uses it through `connectors.cache.held`. None: there is none, as in a test."""


class Connector(ABC):
    """One configured source.

    A connector is used by one thread at a time, and not always by the same one: an implementation needs no
    locks, and binds nothing to a thread. A listing is in use until it has ended or was dropped. Hints alone
    come and go beside it: `on_hint` may be called from any thread, at any time.

    The contract suite ``tests/contracts/connector_contract.py`` states every MUST below as a test.
    """

    settings_model: ClassVar[type[ConnectorSettings]] = ConnectorSettings
    capabilities: ClassVar[Capabilities]

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        self.settings = settings
        self.context = context

    @abstractmethod
    def probe(self) -> str:
        """The identity of what is being mirrored (a root, a bucket, a space).

        MUST raise SourceUnavailable when the source cannot be asked. Another identity than last time
        means another source behind the same id; nothing is deleted on its word without approval.
        """

    @abstractmethod
    def list(self, folders: Collection[str] | None = None) -> Listing:
        """Everything that exists and passes the filters; or only what lies *directly* in these folders.

        A folder is a uri without a trailing slash; the top is "". A hinted folder that is gone lists
        nothing. MUST raise SourceUnavailable when the top itself cannot be listed; errors further down
        go to `Listing.errors`. MUST yield in ascending order of uri, without duplicates.
        """

    @abstractmethod
    def stat(self, uri: str) -> Entry | None:
        """The entry as it is now; None when it is gone or the filters leave it out."""

    @abstractmethod
    def fetch(self, uri: str, into: Path | None) -> Fetched:
        """Read one whole version, writing its bytes to the file `into` (None: only hash them).

        MUST NOT mix two versions: the bytes existed as a whole at the source.
        """

    @abstractmethod
    def url(self, uri: str) -> str:
        """The link that a person opens."""

    @abstractmethod
    def home(self) -> str:
        """Where a person finds the source as a whole: the link of a folder, a space, a table.

        The links of all documents are made anew once it is another one.
        """

    def needs(self) -> Sequence[Need]:
        """The programs, packages and credentials that it needs besides its settings, and where each was
        found; no server is asked. Those of our own types are in `connectors.platform`."""
        return ()

    def checked_out_at(self) -> int | None:
        """When version control last wrote the place that is mirrored, nanoseconds since the epoch, UTC:
        modification times may be those of a checkout. None where it does not write it."""
        return None

    def codeowners(self) -> OwnersFile | None:
        """The CODEOWNERS file that is kept beside the documents; None where there is none, or never any.

        MUST raise SourceUnavailable when there may be one, and it cannot be read.
        """
        return None

    def watch(
        self, on_hint: Callable[[str | None], None], *, polling: bool = False
    ) -> AbstractContextManager[None]:
        """Call `on_hint(folder)` from any thread when something in this folder may have changed.

        ``on_hint(None)`` means that hints were lost and the whole source should be looked at. Hints may be
        lost, doubled and reordered; they never say what changed. Only with `capabilities.watch`.
        """
        raise ConnectorError(f"{type(self).__name__} cannot be watched.")

    def settle(self, settled: Settlement) -> Sequence[str]:
        """Called at the end of a sync: do with documents what the source does once they are settled. What is
        left undone is done next time. Sentences say what could not be done."""
        return ()

    def close(self) -> None:
        """Give back what is held. May be called twice."""
        return
