"""What may happen, as plain data: the same seed gives the same list, and any part of it can be replayed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

FOLDERS = ("", "team/", "drafts/", "team/deep/")
NAMES = ("a", "b", "c", "d", "e", "f")
SUFFIXES = (".md", ".md", ".md", ".txt", ".json", ".xyz")
BROKEN = b"\x00\x01\x02\xff\xfe\x00broken"

#: How often each happens, in relation to the others.
WEIGHTS = {
    "write": 10, "insert": 4, "append": 4, "edit": 4, "truncate": 2, "touch": 3, "empty": 1,
    "rename": 6, "move": 4, "move with edit": 4, "recreate": 2, "swap": 3, "rotate": 1, "case": 2, "type": 3,
    "delete": 4, "copy": 4, "folder": 2, "break": 3, "repair": 3,
    "rules": 2, "filter": 2, "hold": 2, "release": 2, "review": 1, "later": 1,
    "sync": 12, "meanwhile": 4, "hint": 6, "restart": 2, "crash": 8, "reindex": 2, "damage": 2,
}  # fmt: skip

#: Those that only change the folder.
CHANGES = tuple(WEIGHTS)[: tuple(WEIGHTS).index("rules")]


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    uri: str = ""
    other: str = ""
    """The uri that it is moved to, copied to or swapped with."""
    number: int = 0
    """Chooses: a text, a place in it, a rule, the call at which to crash."""

    def __str__(self) -> str:
        parts: list[Any] = [part for part in (self.uri, self.other) if part]
        return " ".join([self.name, *map(repr, parts), str(self.number)])


def generate(seed: int, length: int) -> list[Operation]:
    """A trace. Uris come from a small pool, so that operations meet each other; which of them are there when
    an operation comes is for the folder to find out."""
    random = Random(seed)
    names, weights = list(WEIGHTS), list(WEIGHTS.values())

    def uri() -> str:
        return random.choice(FOLDERS) + random.choice(NAMES) + random.choice(SUFFIXES)

    made = [Operation("write", uri(), "", random.randrange(1 << 20)) for _ in range(5)]
    while len(made) < length:
        name = random.choices(names, weights)[0]
        made.append(Operation(name, uri(), uri(), random.randrange(1 << 20)))
    return made
