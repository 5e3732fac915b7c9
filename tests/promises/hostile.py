"""Documents that attack their parser, and the end that each must come to.

A maker writes one of them into a source. The makers are in `bombs` (what grows), `pictures` (PDF and images),
`lures` (what reaches out of its place) and `disguises` (what is something else than it says).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index.model import State

#: Stands in a file outside of every source. No text of an index may hold it.
SECRET = "the-secret-word-of-another-file"

#: Reasons that more than one kind of document ends with.
SLOW = r"^Parsing took longer than the limit of [\d.]+ s\.$"
MEMORY = r"^The document needed more than \d+ [MG]iB of memory\.$"
GROWS = r"^The document is a compressed file that grows to more than \d+ MiB\.$"
ENTITIES = r"^The document defines entities that would make it enormous\.$"
DAMAGED = r"^The document is damaged: .+\.$"
DEEP = r"^The document nests its (parts|values) too deeply\.$"
PARTS = r"^The document has more than [\d,]+ parts\.$"
CRASH = r"^The document made the parser crash \((?:signal|exit status) \d+\)\.$"
TEXT = r"^The document holds more than \d+ MiB of text\.$"
LOCKED = r"^The document is (protected by a password|encrypted in a way that cannot be read)\.$"
NO_TEXT = r"^The document holds no recognisable text encoding; it looks like a binary file\.$"
TYPE = r"^Files of type \.\w+ cannot be parsed\.$"
OLD = r"^The document is in the old DOC format, which needs LibreOffice: install soffice\.$"
OCR = r"^The (image|document) .*needs OCR; install tesseract\.$"


@dataclass(frozen=True, slots=True)
class Scene:
    """The folder where a document is made, and the targets that it may try to reach."""

    folder: Path
    """The root of the source."""
    outside: Path
    """A folder that no document may read or write. Its file ``secret.txt`` holds SECRET."""
    sinks: Sequence[str]
    """Addresses, as ``127.0.0.1:4711``, at which a server listens."""
    large: bool
    """Whether to make the document as large as the long form of a test can bear."""

    def below(self, folder: Path) -> Scene:
        return replace(self, folder=folder)

    @property
    def secret(self) -> str:
        return (self.outside / "secret.txt").as_uri()

    def urls(self, name: str = "") -> list[str]:
        return [f"http://{sink}/{name}" for sink in self.sinks]


@dataclass(frozen=True, slots=True)
class Hostile:
    """A document, and how it has to end."""

    name: str
    """Its uri, unless it is no document at all."""
    make: Callable[[Path, Scene], object]
    state: State | None
    """None: it is no document, and is not listed."""
    reasons: tuple[str, ...] = ()
    """Patterns, one of which the reason matches."""
    text: str = ""
    """Of a harmless document: the text that the index has to hold."""
    seconds: float = 30.0
    """For parsing it."""
    transient: bool = False
    """Whether every sync tries it again."""
    optional: bool = False
    """Whether it may be indexed, too, which depends on the helper programs that are installed."""

    def understood(self, reason: str) -> bool:
        return any(re.match(pattern, reason) for pattern in self.reasons)


Maker = Callable[[Path, Scene], object]

HOSTILE: list[Hostile] = []


def quarantined(
    name: str, *reasons: str, seconds: float = 30.0, transient: bool = False, optional: bool = False
) -> Callable[[Maker], Maker]:
    """Registers the maker of a document that cannot be indexed, for one of these reasons."""

    def register(make: Maker) -> Maker:
        state = State.QUARANTINED
        HOSTILE.append(Hostile(name, make, state, reasons, "", seconds, transient, optional))
        return make

    return register


def harmless(name: str, text: str = "", *, seconds: float = 30.0) -> Callable[[Maker], Maker]:
    """Registers the maker of a document that is indexed, with this in its text."""

    def register(make: Maker) -> Maker:
        HOSTILE.append(Hostile(name, make, State.INDEXED, (), text, seconds))
        return make

    return register


def skipped(name: str) -> Callable[[Maker], Maker]:
    """Registers the maker of a document whose type has no reader."""

    def register(make: Maker) -> Maker:
        HOSTILE.append(Hostile(name, make, State.SKIPPED, (TYPE,)))
        return make

    return register


def unlisted(name: str) -> Callable[[Maker], Maker]:
    """Registers the maker of something that is no document."""

    def register(make: Maker) -> Maker:
        HOSTILE.append(Hostile(name, make, None))
        return make

    return register
