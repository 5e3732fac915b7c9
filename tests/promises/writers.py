"""Two players want one lock again and again, and in each round one of them is killed.

``python -m tests.promises.writers LOCK ROUNDS SEED FOLDER [URL]`` prints the referee's counts as JSON. It is
a process of its own because it forks, and the process of the tests has threads.

A word in shared memory names the player inside. Each player writes and reads it again and again while it is
inside: whether there were two does not depend on the lock. A player is killed at a random moment, mostly
while it is inside. Once its death is known the other is alone, and a lock that is refused to it then is held
by the dead. A bystander asks for the lock's holder all the while.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from typing import NoReturn

from index.errors import Locked, StoreError
from index.ledger import Ledger
from index.store.edge.lock import FolderLock

#: A round that has not ended by then never will.
PATIENCE_SECONDS = 60.0

SOURCE = "docs"


class Word(IntEnum):
    """The words in shared memory. Players are known by their process ids."""

    INSIDE = 0
    """The player inside; 0 for none."""
    VICTIM = 1
    """The player that is being killed, or was last."""
    ALONE = 2
    """The round, while its victim is known to be dead and not replaced yet; else 0."""
    TWO = 3
    """How often a player inside saw another inside."""
    REFUSED = 4
    """How often a player was refused although it was alone."""
    NAMED = 5
    """How often a dead player was called the holder."""
    ENTERED = 6
    """How often a player came in."""
    ENTERED_ALONE = 7
    """How often a player came in that knew it was alone."""


@dataclass(slots=True)
class Seen:
    """The referee's counts."""

    rounds: int = 0
    inside: int = 0
    """Rounds whose victim was inside; others were waiting, coming or going."""
    entered: int = 0
    two: int = 0
    refused: int = 0
    named: int = 0
    longest: float = 0.0
    """Seconds from a known death until the other was inside."""


@dataclass(frozen=True, slots=True)
class Game:
    """A lock, opened by each player and by the bystander for itself."""

    take: Callable[[], Callable[[], AbstractContextManager[None]]]
    holders: Callable[[], Callable[[], list[int]]] = lambda: list
    """Process ids of its holders, as far as they are on record."""


def source_lock(url: str, folder: Path) -> Game:
    def take() -> Callable[[], AbstractContextManager[None]]:
        ledger = Ledger.open(url, folder)
        return lambda: ledger.writer(SOURCE, "player")

    def holders() -> Callable[[], list[int]]:
        ledger = Ledger.open(url, folder)
        return lambda: [writer.pid for writer in ledger.writers()]

    # Created before the game starts.
    Ledger.open(url, folder).close()
    return Game(take, holders)


def folder_lock(folder: Path) -> Game:
    @contextmanager
    def held() -> Iterator[None]:
        lock = FolderLock(folder)
        # Some wait for their turn, the others come again.
        lock.acquire(random.choice((0.0, 0.0, PATIENCE_SECONDS)))
        try:
            yield
        finally:
            lock.release()

    return Game(lambda: held)


class Referee:
    def __init__(self, game: Game, seed: int) -> None:
        self._game = game
        self._seeds = random.Random(seed)
        self._board = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("q")
        self._forked: list[int] = []
        self._referee = os.getpid()

    def rounds(self, count: int) -> Seen:
        board, seen = self._board, Seen()
        try:
            self._fork(self._bystand)
            self._fork(self._play)
            for _ in range(count):
                self._fork(self._play)
                self._round(seen)
        finally:
            while self._forked:
                self._kill(self._forked[-1])
        seen.entered, seen.two = board[Word.ENTERED], board[Word.TWO]
        seen.refused, seen.named = board[Word.REFUSED], board[Word.NAMED]
        return seen

    def _round(self, seen: Seen) -> None:
        board, players = self._board, self._forked[-2:]
        before = board[Word.ENTERED]
        wanted = before + self._seeds.randint(1, 8)
        self._await(lambda: board[Word.ENTERED] >= wanted)
        time.sleep(self._seeds.uniform(0, 0.003))
        victim = self._seeds.choice(players)
        if self._seeds.random() < 0.8:
            self._await(lambda: board[Word.INSIDE] in players)
            victim = board[Word.INSIDE] or victim
        board[Word.VICTIM] = victim
        self._kill(victim)
        seen.inside += board[Word.INSIDE] == victim
        died = time.monotonic()
        before = board[Word.ENTERED_ALONE]
        seen.rounds += 1
        board[Word.ALONE] = seen.rounds
        self._await(lambda: board[Word.ENTERED_ALONE] > before)
        board[Word.ALONE] = 0
        seen.longest = max(seen.longest, time.monotonic() - died)

    def _await(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"Nothing happens: {list(self._board[: len(Word)])}")
            for pid in self._forked:
                if os.waitpid(pid, os.WNOHANG) != (0, 0):
                    self._forked.remove(pid)
                    raise ChildProcessError("A player or the bystander ended by itself.")
            time.sleep(0.0002)

    def _kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self._forked.remove(pid)

    # ── In children ───────────────────────────────────────────────────────────────────────────────────

    def _fork(self, role: Callable[[], None]) -> None:
        seed = self._seeds.random()
        pid = os.fork()
        if pid == 0:
            self._be(role, seed)
        self._forked.append(pid)

    def _gone(self) -> bool:
        """Whether the referee was killed."""
        return os.getppid() != self._referee

    def _be(self, role: Callable[[], None], seed: float) -> NoReturn:
        try:
            random.seed(seed)
            role()
        except BaseException:
            traceback.print_exc()
        os._exit(1)

    def _bystand(self) -> None:
        board, holders = self._board, self._game.holders()
        while not self._gone():
            alone, victim = board[Word.ALONE], board[Word.VICTIM]
            named = victim in holders()
            board[Word.NAMED] += bool(named and alone and board[Word.VICTIM] == victim)
            time.sleep(random.uniform(0, 0.0005))

    def _play(self) -> None:
        board, take = self._board, self._game.take()
        while not self._gone():
            alone = board[Word.ALONE]
            try:
                with take():
                    self._stay()
            except (Locked, StoreError):
                board[Word.REFUSED] += bool(alone)
                time.sleep(random.uniform(0, 0.0005))
                continue
            if alone:
                board[Word.ENTERED_ALONE] += 1
                # The other's successor comes only once no player believes to be alone.
                while board[Word.ALONE] == alone and not self._gone():
                    time.sleep(0.0001)

    def _stay(self) -> None:
        board, me = self._board, os.getpid()
        board[Word.TWO] += board[Word.INSIDE] not in (0, board[Word.VICTIM])
        board[Word.ENTERED] += 1
        until = time.monotonic() + random.choice((0.0, 0.0002, 0.002))
        board[Word.INSIDE] = me
        while True:
            board[Word.TWO] += board[Word.INSIDE] != me
            board[Word.INSIDE] = me
            if time.monotonic() >= until:
                break
        board[Word.INSIDE] = 0


def main(lock: str, rounds: str, seed: str, folder: str, url: str = "sqlite") -> None:
    match lock:
        case "source":
            game = source_lock(url, Path(folder))
        case "folder":
            game = folder_lock(Path(folder))
        case _:
            game = Game(lambda: nullcontext)
    print(json.dumps(asdict(Referee(game, int(seed)).rounds(int(rounds)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
