"""What all anchors have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from index.anchors.spec import AnchorSpec
from index.errors import AnchorError, SignatureError
from index.signed.note import Checkpoint, parse


class Anchor(Protocol):
    """A place that remembers signed checkpoints. Every method raises AnchorError when it cannot be used."""

    spec: AnchorSpec
    readable: bool
    """Whether checkpoints can be read back."""

    def newest(self, origin: str) -> str | None:
        """The checkpoint of this origin, or of one below it (``origin/…``), that was written last; None when
        there is none, or it cannot be read back. No signature was checked."""

    def all(self, origin: str, having: str = "") -> Sequence[str]:
        """All checkpoints of this origin and of those below it that have this text in them, oldest first. No
        signature was checked."""

    def write(self, origin: str, note: str) -> None:
        """Remember a checkpoint; durable when it returns."""


@contextmanager
def usable(spec: AnchorSpec) -> Iterator[None]:
    """Raise an OSError of the block as AnchorError that names the anchor."""
    try:
        yield
    except OSError as error:
        raise AnchorError(f"The anchor {spec} cannot be used: {error.strerror or error}.") from error


def is_of(note: str, origin: str) -> bool:
    """Whether the note is a checkpoint of this origin or of one below it."""
    try:
        own = Checkpoint.of(parse(note)).origin
    except SignatureError:
        return False
    return own == origin or own.startswith(f"{origin}/")
