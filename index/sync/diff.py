"""The diff of a listing and the ledger: new, changed and missing documents, and moves among them. Pure;
sorted streams in, a `Diff` out.

The token on record is the source's own and, where the source gives the document properties, a digest of
these: they may change while the version stays.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import chain

from connectors.base import Entry, SourceUnavailable
from index.model import State, digest
from index.parse import formats
from index.records import PlanRow


@dataclass(frozen=True, slots=True)
class Extraction:
    """The extraction fingerprints in force, by lower-case suffix; a suffix without a fingerprint is not
    supported."""

    by_suffix: Mapping[str, str]
    limits: str = ""
    """Fingerprint of the limits: a document that failed is tried again when they change."""

    def of(self, entry: Entry) -> str:
        return self.by_suffix.get(formats.of(entry), "")

    def seen(self, entry: Entry, *, failed: bool) -> str:
        """The `seen_extraction` that a row records, by whether the document failed."""
        return f"{self.of(entry)}+{self.limits}" if failed else self.of(entry)

    def failed(self, looked: str) -> str:
        """The same of a failed look, from that of another; "" stays, as it is to be looked at again."""
        return looked if not looked or looked.endswith(f"+{self.limits}") else f"{looked}+{self.limits}"

    def held(self, looked: str) -> str:
        """The same of a look that counts as long as a hold keeps the text from before."""
        return f"{self.failed(looked)}+held"


_SAID = re.compile(r" said:[0-9a-f]{16}\Z")


def token_of(entry: Entry) -> str | None:
    """The token that a row records of this version and its properties; None when the entry has none."""
    token, properties = entry.token, entry.properties
    if token is None or properties is None:
        return token
    return f"{token} said:{digest({name: str(value) for name, value in properties.items()})[:16]}"


def same_version(entry: Entry, recorded: str | None) -> bool:
    """Whether a recorded token is that of this version, properties apart. False without a token."""
    return None not in (entry.token, recorded) and entry.token == _SAID.sub("", recorded or "")


def same_properties(recorded: str | None, other: str | None) -> bool:
    """Whether two recorded tokens are of the same properties."""
    digests = [_SAID.search(token or "") for token in (recorded, other)]
    return len({found and found.group() for found in digests}) == 1


@dataclass(slots=True)
class Diff:
    """The diff of a listing and the ledger. `known` counts the ledger's documents that are neither skipped
    nor expired."""

    new: list[Entry] = field(default_factory=list)
    changed: list[tuple[Entry, PlanRow]] = field(default_factory=list)
    """The token differs, or there is none to trust."""
    outdated: list[tuple[Entry, PlanRow]] = field(default_factory=list)
    """The same version, to be looked at again: another extraction, a pending or a returned document."""
    described: list[tuple[Entry, PlanRow]] = field(default_factory=list)
    """The same version, with other properties of the source."""
    expired: list[tuple[Entry, PlanRow]] = field(default_factory=list)
    """Unchanged ones without text, because their retention had ended; they count as unchanged."""
    missing: list[PlanRow] = field(default_factory=list)
    unsupported: list[Entry] = field(default_factory=list)
    """New, and of a type that cannot be parsed: recorded as skipped, never fetched."""
    forgotten: list[PlanRow] = field(default_factory=list)
    """Skipped ones that are gone and under no hold: they have no points, so their rows may go without a
    guard."""
    withheld: int = 0
    """How many entries were taken out of `new` and `unsupported`, as orders to erase keep them out."""
    known: int = 0
    listed: int = 0
    unchanged: int = 0


def compare(
    entries: Iterable[Entry], rows: Iterable[PlanRow], extraction: Extraction, *, distrust: bool = False
) -> Diff:
    """Merge two streams that are sorted by uri; memory grows with the differences only.

    `distrust` treats every token as changed (`--checksum`) where a hash can tell whether it is. Raises
    SourceUnavailable when the entries are not sorted.
    """
    found = Diff()
    suffixes = extraction.by_suffix
    quarantined, pending, returned = State.QUARANTINED.value, State.PENDING.value, State.HELD.value
    skipped, expired = State.SKIPPED.value, State.EXPIRED.value
    unchanged = listed = known = 0
    last = ""
    stream = iter(rows)
    row = next(stream, None)
    for entry in entries:
        uri = entry[0]
        if listed and uri <= last:
            # An entry out of order would count as missing at its place, and as new at the other.
            raise SourceUnavailable(f"The listing is not in order: {uri!r} is listed after {last!r}.")
        last = uri
        listed += 1
        while row is not None and row[1] < uri:
            (found.forgotten if row[7] == skipped and not row[8] else found.missing).append(row)
            row = next(stream, None)
        if row is None or row[1] != uri:
            (found.new if extraction.of(entry) else found.unsupported).append(entry)
            continue
        state = row[7]
        if state == skipped:
            if extraction.of(entry):
                found.outdated.append((entry, row))
            row = next(stream, None)
            continue
        known += state != expired
        token = entry[1] if entry[5] is None else token_of(entry)
        same = token == row[2]
        # A document that was never hashed, because it is too large, has only its token.
        if token is None or not (same or same_version(entry, row[2])) or (distrust and row[5] is not None):
            found.changed.append((entry, row))
        elif state == quarantined:
            looked = extraction.seen(entry, failed=True)
            if row[6] == looked or (row[8] and row[6] == extraction.held(looked)):
                if same:
                    unchanged += 1
                else:
                    found.described.append((entry, row))
            else:
                found.outdated.append((entry, row))
        elif state in (pending, returned):
            found.outdated.append((entry, row))
        else:
            # Inlined `Extraction.of`: this line runs once for every document of every sync.
            if entry[6] is not None:
                expected = extraction.of(entry)
            else:
                dot = uri.rfind(".")
                expected = suffixes.get(uri[dot:].lower(), "") if dot > uri.rfind("/") + 1 else ""
            if row[6] == expected or not expected:
                if same:
                    unchanged += 1
                    if state == expired:
                        found.expired.append((entry, row))
                else:
                    found.described.append((entry, row))
            else:
                found.outdated.append((entry, row))
        row = next(stream, None)
    while row is not None:
        (found.forgotten if row[7] == skipped and not row[8] else found.missing).append(row)
        row = next(stream, None)
    found.unchanged, found.listed = unchanged, listed
    found.known = known + sum(row[7] != expired for row in found.missing)
    return found


def leave_below(found: Diff, folders: Iterable[str]) -> set[str]:
    """Take documents below unlisted folders out of the diff: they are neither there nor gone. Returns those
    of these folders that have any."""
    below = tuple(f"{folder}/" for folder in folders)
    left = [row.uri for row in (*found.missing, *found.forgotten) if row.uri.startswith(below)]
    missing = [row for row in found.missing if not row.uri.startswith(below)]
    found.unchanged += len(found.missing) - len(missing)
    found.missing = missing
    found.forgotten = [row for row in found.forgotten if not row.uri.startswith(below)]
    return {folder[:-1] for folder in below if any(uri.startswith(folder) for uri in left)} if left else set()


def leave_out_long(found: Diff, limit: int) -> list[str]:
    """Take new documents out of the diff whose uris have more bytes than that. Returns these uris."""
    out = {
        entry.uri
        for entry in chain(found.new, found.unsupported)
        # The first condition is the cheap one: a character is four bytes at most.
        if 4 * len(entry.uri) > limit and len(entry.uri.encode(errors="surrogatepass")) > limit
    }
    if out:
        found.new = [entry for entry in found.new if entry.uri not in out]
        found.unsupported = [entry for entry in found.unsupported if entry.uri not in out]
    return sorted(out)


def candidates(found: Diff) -> list[Entry]:
    """The new entries that may be a vanished document under another name, and so are worth hashing."""
    if not found.missing:
        return []
    sizes = {row.size for row in found.missing if row.seen_hash}
    return [entry for entry in found.new if entry.size is None or None in sizes or entry.size in sizes]


def pair_moves(
    found: Diff, hashes: Mapping[str, str], likeness: Callable[[Entry, PlanRow], float]
) -> list[tuple[Entry, PlanRow]]:
    """(new entry, vanished document) of each move; each of either at most once.

    Equal content first, ties by inode, then by likeness of uri. An equal inode alone counts only when at
    least half of the chunks agree, because a freed inode is given out again at once.
    """
    pairs: list[tuple[Entry, PlanRow]] = []
    left: dict[str, list[PlanRow]] = defaultdict(list)
    for row in found.missing:
        if row.seen_hash and row.size != 0:
            left[row.seen_hash].append(row)
    taken: set[str] = set()
    by_hash: dict[str, list[Entry]] = defaultdict(list)
    for entry in found.new:
        content = hashes.get(entry.uri)
        if content in left and entry.size != 0:
            by_hash[content].append(entry)
    for content, entries in by_hash.items():
        ranked = sorted(
            ((_affinity(entry, row), entry, row) for entry in entries for row in left[content]),
            key=lambda triple: (triple[0], triple[2].uri, triple[1].uri),
            reverse=True,
        )
        for _, entry, row in ranked:
            if entry.uri not in taken and row.document_id not in taken:
                taken |= {entry.uri, row.document_id}
                pairs.append((entry, row))
    by_inode = {row.native_id: row for row in found.missing if row.native_id and row.document_id not in taken}
    for entry in found.new:
        same = by_inode.get(entry.native_id) if entry.native_id and entry.uri not in taken else None
        if same is not None and same.document_id not in taken and likeness(entry, same) >= 0.5:
            taken |= {entry.uri, same.document_id}
            pairs.append((entry, same))
    return pairs


def _affinity(entry: Entry, row: PlanRow) -> tuple[bool, float]:
    same_inode = entry.native_id is not None and entry.native_id == row.native_id
    return same_inode, SequenceMatcher(None, entry.uri, row.uri, autojunk=False).ratio()
