"""The chain of the log: how an entry is exported, and the hashes over that.

The *exported form* of an entry is a line of canonical JSON (keys in order, no blanks, ASCII)::

    {"action":"added","actor":"anna@host","at":"2026-06-01T12:00:00.000000Z","facts":{},"run":"…","seq":7,
     "source":"handbook","subject":"hmac-sha256:…"}

The subject in it is a keyed hash, so that an export holds no id of a document, and a check of it needs no
ledger. The *hash* of an entry is SHA-256 over the hash before it in hex (64 zeros before the first), a
newline and the line. The *leaf* of an entry in the log's tree is the leaf hash of the line. The *head* is
what an append needs: how many entries there are, the last one's hash, and the tree's frontier.

This format never changes: hashes over it are in anchors and receipts.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from index.signed import strict
from index.signed.tree import HASH_BYTES, Frontier, leaf_hash

#: The hash before the first entry.
GENESIS = "0" * 64
#: The name in `meta` of the key of exported subjects, in hex.
KEY = "log key"
#: Subjects in their exported form begin with this.
KEYED = "hmac-sha256:"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=dict).encode


def keyed(subject: str, key: bytes) -> str:
    """The exported form of a subject; of no subject and of an exported form, the same."""
    if not subject or subject.startswith(KEYED):
        return subject
    return KEYED + hmac.digest(key, subject.encode("utf-8", "surrogatepass"), "sha256").hex()


def exported(row: Mapping[str, Any], sequence: int, key: bytes) -> str:
    """The exported form of a row of the log, as the database holds it: `at` in microseconds since the epoch,
    `facts` as JSON or as a mapping. Raises ValueError or TypeError for what freshkb cannot have written."""
    facts = row["facts"]
    at = (_EPOCH + timedelta(microseconds=row["at"])).isoformat(timespec="microseconds")
    return _canonical(
        {
            "action": row["action"],
            "actor": row["actor"],
            "at": at.replace("+00:00", "Z"),
            "facts": json.loads(facts) if isinstance(facts, str) else facts,
            "run": row["run_id"],
            "seq": sequence,
            "source": row["source"],
            "subject": keyed(row["subject"], key),
        }
    )


def hash_after(previous: str, line: str) -> str:
    """The hash of the entry with this line, after the entry with the previous hash."""
    return hashlib.sha256(f"{previous}\n{line}".encode()).hexdigest()


def signed_line(line: str, hashed: str) -> str:
    """A line of an export: the entry with its hash as its last key."""
    return f'{line[:-1]},"hash":"{hashed}"}}'


def unsigned_line(text: str) -> tuple[int, str, str]:
    """(sequence, line, hash) of a line of an export, however its keys are ordered. Raises ValueError."""
    found = strict.loads(text)
    hashed, sequence = found.pop("hash", None), found.get("seq")
    if not isinstance(hashed, str) or not isinstance(sequence, int) or isinstance(sequence, bool):
        raise ValueError("it has no hash and no seq")
    try:
        return sequence, _canonical(found), hashed
    except RecursionError as error:
        raise ValueError(str(error)) from error


@dataclass(slots=True)
class Head:
    """The end of a log, to which entries are appended."""

    hash: str = GENESIS
    frontier: Frontier = field(default_factory=Frontier)

    @property
    def size(self) -> int:
        return self.frontier.size

    def add(self, line: str) -> str:
        """Append an entry; its hash."""
        self.hash = hash_after(self.hash, line)
        self.frontier.add(leaf_hash(line.encode()))
        return self.hash

    def packed(self) -> dict[str, Any]:
        """The head as columns of its row."""
        nodes = b"".join(self.frontier.nodes).hex()
        return {"size": self.size, "hash": self.hash, "frontier": nodes}

    @classmethod
    def of(cls, size: int, hashed: str, frontier: str) -> Head:
        """The head of a row. Raises ValueError for one that no log ever had."""
        raw = bytes.fromhex(frontier)
        nodes = [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]
        if any(len(node) != HASH_BYTES for node in nodes) or len(bytes.fromhex(hashed)) != HASH_BYTES:
            raise ValueError("its hashes are too short")
        return cls(hashed, Frontier(size, nodes))

    def lost(self, sequence: int) -> None:
        """Go on before the entry of this number, after entries that are lost: the nodes of their tree are
        unknown, and stand-ins take their places."""
        self.frontier = Frontier(sequence - 1, [leaf_hash(b"lost")] * (sequence - 1).bit_count())


# ── Checking ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class LogProblem:
    """What is wrong with the log, and the number of the entry where it shows; None where it is no entry's."""

    seq: int | None
    problem: str

    def json(self) -> dict[str, Any]:
        return {"seq": self.seq, "problem": self.problem}


@dataclass(frozen=True, slots=True)
class LogCheck:
    """The result of a check."""

    entries: int
    problems: Sequence[LogProblem]
    roots: Mapping[int, bytes | None]
    """By size, of the sizes that were asked for; None where entries are missing, so that the root cannot be
    told."""
    lost: Sequence[LogProblem] = ()
    """Entries that were lost by a restore which is known, as a person said."""

    @property
    def ok(self) -> bool:
        return not self.problems

    def json(self) -> dict[str, Any]:
        said = {"ok": self.ok, "entries": self.entries, "problems": [p.json() for p in self.problems]}
        return said | ({"lost": [p.json() for p in self.lost]} if self.lost else {})


class ChainCheck:
    """A check of entries that come in the order of their numbers."""

    def __init__(self, sizes: Collection[int] = ()) -> None:
        """`sizes`: those whose roots are asked for."""
        self.problems: list[LogProblem] = []
        self.roots: dict[int, bytes | None] = {0: Frontier().root()}
        self.last = 0
        """The number of the last entry."""
        self.hash: str | None = GENESIS
        """The last entry's hash as it stands there; None after missing entries."""
        self.frontier: Frontier | None = Frontier()
        """None after missing entries."""
        self._sizes = frozenset(sizes)

    def add(self, sequence: int, line: str | None, hashed: str | None) -> None:
        """`line` is None when the entry cannot be read."""
        if not isinstance(sequence, int) or sequence <= self.last:
            self._found(sequence, "the number of this entry is there twice, or out of order")
            return
        if sequence > self.last + 1:
            self.missing(sequence - 1)
        if line is None:
            self._found(sequence, "this entry cannot be read")
            self.frontier = None
        else:
            if hashed is None or (self.hash is not None and hash_after(self.hash, line) != hashed):
                self._found(sequence, "this entry, or the one before it, is not what was logged")
            if self.frontier is not None:
                self.frontier.add(leaf_hash(line.encode()))
        self.last, self.hash = sequence, hashed
        if sequence in self._sizes:
            self.roots[sequence] = self.root()

    def missing(self, last: int) -> None:
        """Note that the entries after the last one, up to this number, are missing."""
        first = self.last + 1
        which = "this entry is missing" if first == last else f"entries {first} to {last} are missing"
        self._found(first, which)
        self.last, self.hash, self.frontier = last, None, None

    def ends(self, head: Head) -> None:
        """Compare the head on record with the entries up to its size."""
        if head.size > self.last:
            self.missing(head.size)
        elif not self.problems and (head.hash, head.frontier.root()) != (self.hash, self.root()):
            self._found(self.last or None, "the log's head is not that of its entries")

    def root(self) -> bytes | None:
        """The root over all entries; None where some are missing."""
        return self.frontier.root() if self.frontier is not None else None

    def _found(self, seq: int | None, problem: str) -> None:
        self.problems.append(LogProblem(seq, problem))
