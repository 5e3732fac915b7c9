"""Checkpoints of a knowledge base's log: signed, written to its anchors, compared with them.

A checkpoint is the log's origin (``freshkb/`` and the ledger's instance id), its size and its root, signed by
the key of the knowledge base. It is written to every anchor at the end of a run that appended entries, and by
`freshkb log checkpoint`.

Compared are size and root: an anchor that knows more entries than the log shows that its end was cut off, or
that an older copy of the ledger was put in its place; another root over as many entries, that entries were
rewritten, however well they are chained.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from index.anchors import AnchorSpec, opened
from index.anchors.anchor import Anchor
from index.errors import AnchorError, SignatureError
from index.ledger import Head, Ledger, LogCheck, LogProblem
from index.ledger.chain import ChainCheck, unsigned_line
from index.signed import key as keys
from index.signed.key import PublicKey, SigningKey
from index.signed.note import Checkpoint, parse
from index.workspace import Workspace

log = logging.getLogger("freshkb.log")

#: What an anchor that knows more than the log may mean.
_AHEAD = "the end of the log was cut off, or an older copy of the ledger was restored"


def signing_key(workspace: Workspace) -> SigningKey:
    """The configured key, or else that of the state folder, which is made when it is missing. Raises
    SignatureError."""
    given = workspace.config.log.key_file
    return keys.load(given) if given else keys.load_or_make(workspace.config.state_dir / keys.NAME)


def origin_of(ledger: Ledger) -> str:
    return f"freshkb/{ledger.instance_id}"


def checkpoint_of(ledger: Ledger, head: Head) -> Checkpoint:
    return Checkpoint(origin_of(ledger), head.size, head.frontier.root())


def anchors_of(workspace: Workspace) -> list[Anchor]:
    return [opened(spec) for spec in workspace.config.log.anchors]


# ── Writing ───────────────────────────────────────────────────────────────────────────────────────────


def write(workspace: Workspace, *, appended: bool) -> tuple[str, list[str]]:
    """Write a checkpoint of the log to the anchors that lack one. `appended`: whether entries are new; if
    not, an anchor that cannot be asked is logged, and no error.

    Returns (the checkpoint, or "" when no anchor lacks it, errors in words). An anchor that fails does not
    keep the others from theirs; the next call makes up for it.
    """
    ledger, origin, errors = workspace.ledger, origin_of(workspace.ledger), []
    # The anchors first: a log that grows meanwhile is not behind them.
    known: dict[AnchorSpec, int] = {}
    for anchor in anchors_of(workspace):
        try:
            known[anchor.spec] = _size(anchor.newest(origin))
        except AnchorError as error:
            if appended:
                errors.append(str(error))
            else:
                log.warning("%s", error)
    head, note = ledger.log.head(), ""
    for anchor in anchors_of(workspace):
        size = known.get(anchor.spec)
        if size is None or size == head.size or not (anchor.readable or appended):
            continue
        if size > head.size:
            errors.append(
                f"The anchor {anchor.spec} knows {size:,} entries of the log, and the ledger has "
                f"{head.size:,}: {_AHEAD}. Nothing was written to it. See: freshkb log verify"
            )
            continue
        try:
            note = note or checkpoint_of(ledger, head).signed(signing_key(workspace))
            anchor.write(origin, note)
            log.debug("Checkpoint of %d entries written to %s.", head.size, anchor.spec)
        except (AnchorError, SignatureError) as error:
            errors.append(str(error))
    return note, errors


def _size(note: str | None) -> int:
    return Checkpoint.of(parse(note)).size if note else 0


def newest(workspace: Workspace, anchor: Anchor, head: Head) -> tuple[bool, str]:
    """Whether the newest checkpoint of the anchor fits this head of the log, and how, in words. Its signature
    is not checked, and no entry is read. Raises AnchorError."""
    if not anchor.readable:
        return True, f"{anchor.spec} cannot be read back"
    note = anchor.newest(origin_of(workspace.ledger))
    if note is None:
        return True, f"{anchor.spec} has no checkpoint yet: freshkb log checkpoint"
    found = Checkpoint.of(parse(note))
    if found.size > head.size:
        return False, f"{anchor.spec} knows {found.size:,} entries: {_AHEAD}. See: freshkb log verify"
    if found.size < head.size:
        return True, f"{anchor.spec} knows the first {found.size:,} of them"
    if found.root != head.frontier.root():
        return False, f"{anchor.spec} knows others: entries were rewritten. See: freshkb log verify"
    return True, f"{anchor.spec} knows all of them"


# ── Comparing ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Mark:
    """A checkpoint, and where it is kept."""

    place: str
    checkpoint: Checkpoint
    signed: bool
    """Whether its signature holds."""


def verify(workspace: Workspace, trusted: Iterable[PublicKey] = ()) -> LogCheck:
    """Check the log's chain, and compare it with every checkpoint of every anchor. `trusted`: keys that may
    have signed, besides the knowledge base's own."""
    origin = origin_of(workspace.ledger)
    marks: list[Mark] = []
    unusable: list[LogProblem] = []
    accepted = [*trusted, *_own_key(workspace)]
    for anchor in anchors_of(workspace):
        try:
            notes = anchor.all(origin)
        except AnchorError as error:
            unusable.append(LogProblem(None, str(error)))
            continue
        if anchor.readable and not notes:
            said = f"{anchor.spec} has no checkpoint of this log; write one with: freshkb log checkpoint"
            unusable.append(LogProblem(None, said))
        marks += [_mark(str(anchor.spec), note, origin, accepted) for note in notes]
    found = workspace.ledger.log.check({mark.checkpoint.size for mark in marks})
    problems = [*found.problems, *compare(found.entries, found.roots, marks), *unusable]
    return LogCheck(found.entries, problems, found.roots)


def verify_export(
    lines: Iterable[str], checkpoint: str | None = None, trusted: Sequence[PublicKey] = ()
) -> LogCheck:
    """Check an exported log by itself: its chain and, where a checkpoint of it is given, its end. Raises
    SignatureError for what is no checkpoint."""
    marks = []
    if checkpoint is not None:
        note = parse(checkpoint)
        found = Checkpoint.of(note)
        marks = [Mark("the file", found, note.is_signed(found.origin, trusted))]
    check = ChainCheck({mark.checkpoint.size for mark in marks})
    for number, text in enumerate(lines, start=1):
        try:
            check.add(*unsigned_line(text))
        except ValueError as error:
            check.problems.append(LogProblem(None, f"line {number} is no entry of a log: {error}"))
    problems = [*check.problems, *compare(check.last, check.roots, marks)]
    return LogCheck(check.last, problems, {**check.roots, check.last: check.root()})


def compare(entries: int, roots: Mapping[int, bytes | None], marks: Sequence[Mark]) -> Iterator[LogProblem]:
    """Problems of checkpoints that are not of this log, one of each kind a place: `roots` by size, as far as
    the log goes."""
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
        if known and known[-1].size > entries:
            yield LogProblem(
                entries + 1, f"{place} knows {known[-1].size:,} entries, and here are {entries:,}: {_AHEAD}"
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


def _mark(place: str, note: str, origin: str, accepted: Sequence[PublicKey]) -> Mark:
    parsed = parse(note)
    return Mark(place, Checkpoint.of(parsed), parsed.is_signed(origin, accepted))


def _own_key(workspace: Workspace) -> Iterator[PublicKey]:
    """The key of the knowledge base, if there is one yet."""
    path = workspace.config.log.key_file or workspace.config.state_dir / keys.NAME
    if workspace.config.log.anchors and path.exists():
        yield keys.read_public(path)
