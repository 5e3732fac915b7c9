"""What became of the digests of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from index.ledger.notices import Notice, NoticeState
from index.people import Person

#: The state of what a dry run has not sent.
DRY = "dry run"


@dataclass(slots=True)
class Told:
    """The digest of one person. Two Apprise urls count as one channel, in its worst state."""

    owner: str
    """The name under which the directory has the person; "" when it is not known any more."""
    findings: int = 0
    states: dict[str, str] = field(default_factory=dict)
    """By channel: sent, failed, unknown, or dry run."""
    trouble: list[str] = field(default_factory=list)
    """What went wrong, in sentences; servers' words may be among them."""

    @classmethod
    def lost(cls, owner: str, notice: Notice) -> Told:
        """A digest of an earlier run, of which nobody knows whether it was sent."""
        said = "An earlier run was killed while it sent this digest: it may have been sent, and is not again."
        name = notice.channel.partition(" ")[0]
        return cls(owner, len(notice.told), {name: NoticeState.UNKNOWN.value}, [said])

    @property
    def sent(self) -> bool:
        """Whether it went out on every channel."""
        return bool(self.states) and set(self.states.values()) == {NoticeState.SENT.value}

    def ended(self, channel: str, state: str, trouble: str = "") -> None:
        """Note the state in which the digest is on a channel."""
        if channel not in self.states or state != NoticeState.SENT:
            self.states[channel] = state
        if trouble:
            self.trouble.append(trouble)

    def json(self) -> dict[str, Any]:
        return {
            "owner": self.owner,
            "findings": self.findings,
            "channels": list(self.states),
            "sent": self.sent,
            "states": dict(self.states),
            "trouble": list(self.trouble),
        }


@dataclass(slots=True)
class NotifyReport:
    nobody: Mapping[str, int]
    """Findings whose owner stands for nobody, by owner."""
    people: list[Person] = field(default_factory=list)
    """The persons with open items."""
    digests: list[Told] = field(default_factory=list)
    """By person; earlier ones of which nobody knows first."""
    files: list[Path] = field(default_factory=list)
    """What a dry run wrote."""
    interrupted: bool = False

    @property
    def counts(self) -> dict[str, int]:
        states = Counter(state for told in self.digests for state in told.states.values())
        return {
            "digests": len(self.digests),
            **{state.value: states[state.value] for state in (NoticeState.SENT, *_TROUBLE)},
            "unresolved": len(self.nobody),
        }

    @property
    def outcome(self) -> str:
        if any(state in _TROUBLE for told in self.digests for state in told.states.values()):
            return "failed"
        return "interrupted" if self.interrupted else "done"

    def json(self) -> dict[str, Any]:
        """An owner that stands for nobody has an entry without a channel."""
        unreached = [Told(owner, count).json() for owner, count in sorted(self.nobody.items())]
        return {"digests": [*(told.json() for told in self.digests), *unreached]}


_TROUBLE = (NoticeState.FAILED, NoticeState.UNKNOWN)
