"""The services of a knowledge base, watcher and runner: which run, and which died.

Each holds a lock in the state folder as long as it runs, with a note of its holder beside it. A process that
died leaves its lock free and its note behind: the stale note shows that it should live. A service that is
stopped removes its note.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from index.errors import LedgerError, Locked
from index.ledger import FileLocks, Writer
from index.model import rfc3339

#: The watcher follows the sources; the runner runs the flows on their schedules.
Service = Literal["watcher", "runner"]

#: The command that runs both, in one process.
SERVE = "freshkb serve"


@dataclass(frozen=True, slots=True)
class LivingService:
    """A service that runs now, by the lock it holds."""

    holder: Writer

    @property
    def name(self) -> str:
        return self.holder.source

    def json(self) -> dict[str, Any]:
        return {
            "service": self.name,
            "command": self.holder.command,
            "host": self.holder.host,
            "pid": self.holder.pid,
            "since": rfc3339(self.holder.since),
        }


def _locks(state_dir: Path) -> FileLocks:
    return FileLocks(state_dir / "services")


@contextmanager
def living(state_dir: Path, service: Service, command: str) -> Iterator[None]:
    """Hold this service's lock while the block lasts. Raises Locked when another process holds it,
    LedgerError when the state folder cannot be written."""
    locks = _locks(state_dir)
    with ExitStack() as stack:
        try:
            stack.enter_context(locks.hold(service, command))
        except Locked as error:
            holder = next(
                (described(one) for one in locks.holders() if one.source == service), "another process"
            )
            raise Locked(f"This knowledge base has a {service} already: {holder}. Stop it first.") from error
        except LedgerError as error:
            why = f"The {service} cannot leave its mark in {state_dir}: {error.__cause__}."
            raise LedgerError(why) from error
        yield


def services(state_dir: Path) -> list[LivingService]:
    """The services that run now."""
    return [LivingService(holder) for holder in _locks(state_dir).holders()]


def described(service: Writer) -> str:
    """A service in words: command, host, process, since when."""
    since = f"{service.since:%Y-%m-%d %H:%M} UTC"
    return f"`{service.command}` on {service.host} (pid {service.pid}, since {since})"


def dead(state_dir: Path) -> list[str]:
    """Sentences on services that died; empty when all live."""
    left = _locks(state_dir).left()
    # Read last: a service that was just started has replaced the stale note.
    alive = {service.name: service.holder for service in services(state_dir)}
    found = [
        f"The {gone.source} died, and was not stopped: {described(gone)}. Start it again: {gone.command}"
        for gone in left
        if gone.source not in alive
    ]
    for name, other in (("watcher", "runner"), ("runner", "watcher")):
        one, same = alive.get(other), alive.get(name)
        if one is not None and one.command == SERVE and (same is None or same.pid != one.pid):
            found.append(f"The {name} of {described(one)} does not run. Stop that, and start it again.")
    return found
