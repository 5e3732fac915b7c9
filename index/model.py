"""The values that the modules of the index hand to each other. No I/O, no clock."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypedDict

#: Namespace of every point id; part of the on-disk format.
POINT_NAMESPACE = uuid.UUID("6f1f3c0e-6a4b-5c0e-9d53-2f5b1f4c7a10")


class State(StrEnum):
    INDEXED = "indexed"
    PENDING = "pending"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"
    HELD = "held"
    EXPIRED = "expired"
    """Its source still has it, and its text is gone: its retention has ended."""
    DELETED = "deleted"
    ERASED = "erased"


#: States of documents that exist, as opposed to those that are gone.
LIVE = frozenset({State.INDEXED, State.PENDING, State.QUARANTINED, State.SKIPPED, State.HELD, State.EXPIRED})

#: States of documents whose text is in the index, or to be in it.
KEPT = LIVE - {State.SKIPPED, State.EXPIRED}


class Action(StrEnum):
    ADD = "add"
    UPDATE = "update"
    MOVE = "move"
    DELETE = "delete"
    EXPIRE = "expire"
    """Its text goes, because its retention has ended."""
    TOUCH = "touch"
    REINDEX = "reindex"
    """Written into another collection, as it is."""
    HOLD = "held"
    REFUSE = "refused"


#: Actions that remove the text of a document.
REMOVALS = frozenset({Action.DELETE, Action.EXPIRE})


class Cause(StrEnum):
    """Why an item is planned."""

    LISTING = "listing"
    """The source differs from the ledger's rows of it."""
    EXTRACTION = "extraction"
    """The same version is to be parsed or chunked otherwise, or was not prepared to the end."""
    RULES = "rules"
    """The document's metadata follows from other rules, or from a review."""
    PROPERTIES = "properties"
    """The source gives the same version other properties."""
    HOLD = "hold"
    RETENTION = "retention"
    """Its retention has ended; or it has not any more, and the document comes back."""
    RETRY = "retry"
    REPAIR = "repair"


# ── Parsing and chunking ──────────────────────────────────────────────────────────────────────────────

#: Paragraphs, headings and tables of a document. Each may become a chunk, which costs much more.
ELEMENTS_MAX = 100_000
#: Characters of text that every chunk repeats: a longer heading is none, other text is cut.
HEADING_MAX = 2000


@dataclass(frozen=True, slots=True)
class Element:
    """A block of a parsed document, in reading order."""

    text: str
    kind: str
    """unstructured's category: Title, NarrativeText, ListItem, Table, CodeSnippet, UncategorizedText …"""
    heading_path: tuple[str, ...] = ()
    """The headings above it, outermost first; a Title's own text is the last."""
    page: int | None = None


class Diagnostic(TypedDict):
    """A defect that the author of a document should put right."""

    code: str
    line: int | None
    """Line of the document, from 1."""
    reason: str
    """A sentence."""


class Link(NamedTuple):
    """A place that a document points to: a link or an image."""

    target: str
    """As the document has it: a path with or without fragment, a fragment, or an http(s) url."""
    line: int | None
    """Line of the document, from 1; None where it is not known."""


class Claim(NamedTuple):
    """A sentence that says until when it holds."""

    cue: str
    """A code of `index.freshness.validity`."""
    day: str
    """Its date, in ISO form."""


#: Among a document's anchors: it may have others, which its reader does not see.
ANY_ANCHOR = "*"


@dataclass(frozen=True, slots=True)
class Parsed:
    """The result of parsing one version."""

    elements: tuple[Element, ...]
    title: str = ""
    """Front matter, first top-level heading or document property; never the file's name."""
    language: str | None = None
    content_type: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Front matter or the document's own properties; see `index.freshness.properties`."""
    findings: Sequence[Diagnostic] = ()
    links: Sequence[Link] = ()
    """Each target once, in order; of formats whose links are read."""
    anchors: Sequence[str] = ()
    """Names inside of it that a link may end in."""
    claims: Sequence[Claim] = ()

    @property
    def text(self) -> str:
        """The document's text: each element closed by a blank line. Chunks are slices of it."""
        return "".join(element.text + "\n\n" for element in self.elements)


#: Attachments of one mail that are documents; a person attaches few, and a program that attaches more
#: sends an archive in pieces.
ATTACHMENTS_MAX = 100


class Attachment(NamedTuple):
    """A file that is attached to a mail, as the mail says."""

    name: str
    """Any text; "" when it has none."""
    content_type: str
    size: int
    """Bytes."""
    content_hash: str
    """sha256 of its bytes, hex."""


@dataclass(frozen=True, slots=True)
class Enclosed:
    """The files that are attached to a mail, in its order; the first `ATTACHMENTS_MAX` of them."""

    attachments: tuple[Attachment, ...]
    sent: str = ""
    """When the mail was sent, ISO 8601; "" when it does not say."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a document could not be indexed, in words that a person understands."""

    reason: str
    #: Whether every sync tries again (it could not be read), rather than only after a change.
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """A slice of a document's text, and the text that the model embeds for it."""

    text: str
    """Exact slice, separators included: the chunks' texts, joined with nothing, are `Parsed.text`."""
    embedded_text: str
    """Title, heading path (and a table's header row) before the text."""
    heading_path: tuple[str, ...]
    page: int | None
    tokens: int
    """Length of `embedded_text` in the model's tokens, special ones included."""

    @property
    def embedded_hash(self) -> str:
        return hashlib.sha256(self.embedded_text.encode("utf-8", "surrogatepass")).hexdigest()


def point_id(document_id: str, embedded_hash: str, occurrence: int, fingerprint: str) -> str:
    """The id of a chunk's point, independent of time, run and place in the document.

    `occurrence` counts equal embedded texts inside the document, from 0.
    """
    name = f"{document_id}\n{embedded_hash}\n{occurrence}\n{fingerprint}"
    # As `uuid.uuid5` makes it, in a fifth of the time: a verify does it for every point.
    made = int.from_bytes(hashlib.sha1(POINT_NAMESPACE.bytes + name.encode()).digest()[:16])
    made = made & ~(0xF000 << 64) & ~(0xC000 << 48) | 0x5000 << 64 | 0x8000 << 48
    text = f"{made:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# ── Ledger records ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a plan."""

    action: Action
    uri: str
    document_id: str
    old_uri: str | None = None
    """The former uri of a move."""
    cause: Cause = Cause.LISTING
    reason: str = ""
    """The cause in words, where the plan has any."""


# ── Points ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Sparse:
    indices: Sequence[int]
    values: Sequence[float]


#: Dense and sparse vector of one text.
Vectors = tuple[Sequence[float], Sparse]


@dataclass(frozen=True, slots=True)
class Point:
    """A row of the vector store. Vectors are None where they were not requested or are missing."""

    id: str
    payload: Mapping[str, Any]
    dense: Sequence[float] | None = None
    sparse: Sparse | None = None


#: Made once: a verify uses it for every point.
_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def digest(value: object) -> str:
    """sha256 of canonical JSON: the same for equal values on any machine."""
    return hashlib.sha256(_CANONICAL.encode(value).encode()).hexdigest()


def utc_now() -> datetime:
    return datetime.now(UTC)


def rfc3339(moment: datetime | None) -> str | None:
    """UTC with a Z, microseconds only where there are any."""
    if moment is None:
        return None
    in_utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return f"{in_utc.isoformat()[:-6]}Z"
