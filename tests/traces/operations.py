"""Operations, as plain data: the same seed gives the same list, and any part of it can be replayed."""

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
    "write": 10, "insert": 4, "append": 4, "edit": 4, "truncate": 2, "touch": 3, "empty": 1, "save": 2,
    "rename": 6, "move": 4, "move with edit": 4, "recreate": 2, "swap": 3, "rotate": 1, "case": 2, "type": 3,
    "delete": 4, "reuse": 2, "copy": 4, "folder": 2, "break": 3, "repair": 3,
    "forbid": 3, "close": 1, "permit": 4,
    "rules": 2, "filter": 2, "hold": 2, "release": 2, "review": 1, "later": 1,
    "sync": 6, "meanwhile": 4, "hint": 4, "restart": 2, "crash": 6, "reindex": 1, "damage": 1,
}  # fmt: skip

#: Those that only change the folder.
CHANGES = tuple(WEIGHTS)[: tuple(WEIGHTS).index("rules")]

#: After so many operations others are left out: an operation that is rare among all is frequent among few.
STRETCH = 200
ALWAYS = frozenset({"write", "permit", "sync"})


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
    an operation comes is for the folder to find out. In each stretch about half of the operations do not
    happen at all."""
    random = Random(seed)
    names: list[str] = []
    weights: list[int] = []

    def uri() -> str:
        return random.choice(FOLDERS) + random.choice(NAMES) + random.choice(SUFFIXES)

    made = [Operation("write", uri(), "", random.randrange(1 << 20)) for _ in range(5)]
    left = 0
    while len(made) < length:
        if left == 0:
            names = [name for name in WEIGHTS if name in ALWAYS or random.random() < 0.5]
            weights, left = [WEIGHTS[name] for name in names], STRETCH
        left -= 1
        name = random.choices(names, weights)[0]
        made.append(Operation(name, uri(), uri(), random.randrange(1 << 20)))
    return made
