"""The log, or an export of it, compared with every checkpoint."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from index.checkpoints.behind import told
from index.checkpoints.origin import AHEAD, anchors_of, origin, origins, own_keys
from index.errors import AnchorError
from index.ledger import Ledger, LogCheck, LogEntry, LogProblem, OrderState
from index.ledger.chain import ChainCheck, unsigned_line
from index.ledger.history import GENERATION, generations
from index.model import rfc3339
from index.signed.key import PublicKey
from index.signed.note import Checkpoint, parse
from index.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Mark:
    """A checkpoint, and where it is kept."""

    place: str
    checkpoint: Checkpoint
    signed: bool
    """Whether its signature holds."""


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation of the log, of which entries were lost when an older copy of the ledger was restored."""

    origin: str
    kept: int
    """Number of entries that the log has in common with it."""
    known: int
    """Number of entries that were known of it when the next one began."""
    lost: LogEntry
    """The entry that began the next one."""

    @property
    def next(self) -> str:
        return str(self.lost.facts[GENERATION])


def verify(
    workspace: Workspace, trusted: Iterable[PublicKey] = (), restored: Collection[str] = ()
) -> LogCheck:
    """Check the log's chain, and compare it with every checkpoint of every anchor. `trusted`: keys that may
    have signed, besides the knowledge base's own. `restored`: generations that began with a restore that is
    known, so that what was lost then is no problem."""
    ledger = workspace.ledger
    marks: list[Mark] = []
    unusable: list[LogProblem] = []
    accepted = [*trusted, *(own_keys(workspace) if workspace.config.log.anchors else ())]
    for anchor in anchors_of(workspace):
        try:
            notes = anchor.all(origin(ledger.instance_id))
        except AnchorError as error:
            unusable.append(LogProblem(None, str(error)))
            continue
        if anchor.readable and not notes:
            said = f"{anchor.spec} has no checkpoint of this log; write one with: freshkb log checkpoint"
            unusable.append(LogProblem(None, said))
        marks += [_mark(str(anchor.spec), note, accepted) for note in notes]
    begun = ledger.history.begun()
    former = _former(ledger.instance_id, begun)
    own = origins(ledger.instance_id, begun)[-1]
    found = ledger.log.check({mark.checkpoint.size for mark in marks})
    present = [mark for mark in marks if mark.checkpoint.origin == own]
    problems = [*found.problems, *compare(found.entries, found.roots, present)]
    lost: list[LogProblem] = []
    for generation in former:
        earlier = [mark for mark in marks if mark.checkpoint.origin == generation.origin]
        problems += compare(found.entries, found.roots, earlier, generation.kept)
        for explained, loss in _lost(generation, earlier):
            if not explained:
                problems.append(loss)
            elif generation.next in restored:
                lost.append(loss)
            else:
                how = f"{loss.problem}. If you know of it: freshkb log verify --restored {generation.next}"
                problems.append(LogProblem(loss.seq, how))
    known_origins = {own, *(generation.origin for generation in former)}
    problems += _strange(mark for mark in marks if mark.checkpoint.origin not in known_origins)
    problems += _orders(ledger, marks)
    return LogCheck(found.entries, [*problems, *unusable], found.roots, lost)


def verify_export(
    lines: Iterable[str], checkpoint: str | None = None, trusted: Sequence[PublicKey] = ()
) -> LogCheck:
    """Check an exported log by itself: its chain and, where a checkpoint of it is given, its end. Raises
    SignatureError for what is no checkpoint."""
    marks = [_mark("the file", checkpoint, trusted)] if checkpoint is not None else []
    check = ChainCheck({mark.checkpoint.size for mark in marks})
    for number, text in enumerate(lines, start=1):
        try:
            check.add(*unsigned_line(text))
        except ValueError as error:
            check.problems.append(LogProblem(None, f"line {number} is no entry of a log: {error}"))
    problems = [*check.problems, *compare(check.last, check.roots, marks)]
    return LogCheck(check.last, problems, {**check.roots, check.last: check.root()})


def compare(
    entries: int, roots: Mapping[int, bytes | None], marks: Sequence[Mark], until: int | None = None
) -> Iterator[LogProblem]:
    """Problems of checkpoints that are not of this log, one of each kind a place: `roots` by size, as far as
    the log goes. `until`: the log shares so many entries with them, and they may know more."""
    for place in dict.fromkeys(mark.place for mark in marks):
        own = [mark for mark in marks if mark.place == place]
        forged = [mark.checkpoint.size for mark in own if not mark.signed]
        if forged:
            yield LogProblem(
                None,
                f"in {place}, the checkpoint of {min(forged):,} entries is not signed by this log's key. Was "
                "the key changed? Name the former one with --key",
            )
        known = sorted((mark.checkpoint for mark in own if mark.signed), key=lambda found: found.size)
        if until is not None:
            known = [found for found in known if found.size <= until]
        elif known and known[-1].size > entries:
            yield LogProblem(
                entries + 1, f"{place} knows {known[-1].size:,} entries, and here are {entries:,}: {AHEAD}"
            )
        good = 0
        for found in known:
            root = roots.get(found.size)
            if found.size > entries or root is None:
                # Cut off, or behind a gap: either is a problem of its own.
                continue
            if root != found.root:
                first = f"entries {good + 1} to {found.size}" if found.size > good + 1 else "this entry"
                said = f"{first} are not what {place} knows: its root over {found.size:,} entries is another"
                yield LogProblem(min(good + 1, found.size) or None, said)
                break
            good = found.size


# ── Older copies ──────────────────────────────────────────────────────────────────────────────────────


def _former(instance: str, begun: Sequence[LogEntry]) -> list[Generation]:
    """All generations but the present one, those that were given up included."""
    found, kept = [], None
    # Backwards: what a later restore went back behind is lost for the earlier generations, too.
    for entry, name in reversed(list(zip(begun, origins(instance, begun), strict=False))):
        size, known = (
            value if isinstance(value := entry.facts.get(n), int) else 0 for n in ("kept", "known")
        )
        kept = size if kept is None else min(kept, size)
        found.append(Generation(name, kept, known, entry))
        for other in generations(entry.facts)[1:]:
            found.append(Generation(origin(instance, other), 0, int(entry.facts[other]), entry))
    return found[::-1]


def _lost(generation: Generation, marks: Sequence[Mark]) -> Iterator[tuple[bool, LogProblem]]:
    """(whether the restore explains it, sentence), for each place that knows entries which were lost."""
    entry, kept = generation.lost, generation.kept
    for place in dict.fromkeys(mark.place for mark in marks):
        sizes = [m.checkpoint.size for m in marks if m.place == place and m.checkpoint.size > kept]
        if not sizes:
            continue
        size = max(sizes)
        whose = "" if kept else f" of {generation.origin}"
        said = (
            f"{place} knows {size:,} entries{whose}, of which {kept + 1} to {size} were lost when an older "
            f"copy of the ledger was restored ({rfc3339(entry.at)}, {entry.actor})"
        )
        if size > generation.known:
            yield (
                False,
                LogProblem(
                    entry.sequence,
                    f"{said}. When it was restored, {generation.known:,} were known: another copy of the "
                    "ledger was written to since",
                ),
            )
        else:
            yield True, LogProblem(entry.sequence, said)


def _strange(marks: Iterable[Mark]) -> Iterator[LogProblem]:
    sizes: dict[tuple[str, str], int] = {}
    for mark in marks:
        where = mark.place, mark.checkpoint.origin
        sizes[where] = max(mark.checkpoint.size, sizes.get(where, 0))
    for (place, name), size in sizes.items():
        yield LogProblem(
            None,
            f"{place} knows {size:,} entries of {name}, a later history of this knowledge base, of which "
            "this ledger knows nothing: an older copy was put in its place, or another copy is in use",
        )


def _orders(ledger: Ledger, marks: Iterable[Mark]) -> Iterator[LogProblem]:
    """Orders that the anchors name as carried out and that this ledger does not have as done."""
    named = {order_id for mark in marks for order_id in mark.checkpoint.erased}
    states = ledger.erasures.states(named) if named else {}
    if lacking := sorted(named - states.keys()):
        yield LogProblem(
            None,
            f"{told(lacking)} carried out, and this ledger does not know of that: what was erased may be in "
            "it again. Have it erased again, from the receipts: freshkb erase --replay RECEIPT…",
        )
    if again := sorted(order_id for order_id, state in states.items() if state == OrderState.OPEN):
        yield LogProblem(
            None,
            f"{told(again)} carried out, and is on record here as open: the next erase, purge or sync "
            "carries it out again",
        )


def _mark(place: str, note: str, accepted: Sequence[PublicKey]) -> Mark:
    parsed = parse(note)
    found = Checkpoint.of(parsed)
    return Mark(place, found, parsed.is_signed(found.origin, accepted))
