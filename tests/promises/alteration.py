"""An alteration of an index, and helpers of the modules that make them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from uuid import UUID

from index.errors import FreshkbError
from index.model import Point
from index.records import Document
from tests.promises.altered import Altered


@dataclass
class Alteration:
    """An alteration that was made, and the differences that verify has to find."""

    kinds: str = "altered"
    """Kinds of differences, separated by blanks; a difference of at least one of them names it."""
    points: set[str] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)
    uris: set[str] = field(default_factory=set)
    everything: bool = False
    """It concerns the index as a whole."""
    deep: bool = False
    """Only `--deep` promises to find it."""
    refused: type[FreshkbError] | None = None
    """Nothing can be compared, and the message says why."""
    loses: bool = False
    """A text is lost that no source can give."""
    left_alone: bool = False
    """A hold keeps points that prove nothing: a person decides."""
    forgets: frozenset[str] = frozenset()
    """Fields of a held document's row that neither payload nor source gives."""
    new_id: bool = False
    """The document comes back under another id: nothing gives its own."""
    rebuilt: bool = False
    """The source itself was changed."""
    undo: list[Callable[[], object]] = field(default_factory=list)


Alter = Callable[[Altered, Random], Alteration]
KINDS: dict[str, Alter] = {}


def kind(make: Alter) -> Alter:
    KINDS[make.__name__] = make
    return make


def each(
    values: Iterable[str],
) -> Callable[[Callable[[Altered, Random, str], Alteration]], None]:
    """A kind of its own for each of the values."""

    def register(make: Callable[[Altered, Random, str], Alteration]) -> None:
        for value in values:
            name = f"{make.__name__}-{value}"
            KINDS[name] = lambda index, random, value=value: make(index, random, value)  # type: ignore[misc]

    return register


def of(index: Altered, *points: Point, kinds: str = "altered", **more: Any) -> Alteration:
    return Alteration(kinds, {p.id for p in points}, {p.payload["doc_id"] for p in points}, **more)


def unknown_id(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def said(point: Point, **metadata: Any) -> Point:
    return replace(point, payload={**point.payload, "metadata": {**point.payload["metadata"], **metadata}})


def row_of(index: Altered, document: Document, **more: Any) -> Alteration:
    found = of(index, *index.of(document), **{"kinds": "altered outdated", **more})
    found.documents.add(document.document_id)
    found.uris.add(document.uri)
    return found


def changed(index: Altered, random: Random) -> Document:
    """A document whose file may be changed: only the source gives its text."""
    found = [d for d in index.chosen(unreadable=False) if d.reviewed_at is None and d.uri != "kept.md"]
    return random.choice(found)


def unreadable(index: Altered, point: Point) -> bool:
    """Whether its source cannot give its text again."""
    return index.owner(point) in index.chosen(unreadable=True)
