"""A workspace to which something happens at a chosen moment of its writing calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from index.workspace import Workspace
from tests.promises.parts import Call, interpose


class Crash(BaseException):
    """Ends a run, and nothing catches it."""


class Fuse:
    """Counts the moments before, in the middle of and after writing calls, and goes off at the one it was
    lit for: with a crash, or with what else is to happen then.

    After a crash no part does anything any more, so that ledger and store stay as a kill would leave them.
    """

    def __init__(self) -> None:
        self._left: int | None = None
        self._bang: Callable[[], object] = self._crash
        self._crashed = False

    def fit(self, workspace: Workspace) -> None:
        """From now on this workspace's writing calls have their moments."""
        interpose(workspace, self._around)

    def light(self, moments: int, bang: Callable[[], object] | None = None) -> None:
        """After so many moments, do this; or crash."""
        self._left, self._bang = moments, bang or self._crash

    def out(self) -> bool:
        """Put it out; whether it had gone off."""
        left, self._left, self._crashed = self._left, None, False
        return left is None

    def _around(self, call: Call) -> Any:
        if self._crashed:
            raise Crash
        if not call.writes:
            return call.whole()
        self._moment()
        if call.half is not None:
            if self._left == 0:
                call.half()
            self._moment()
        result = call.whole()
        self._moment()
        return result

    def _moment(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                self._left = None
                self._bang()

    def _crash(self) -> None:
        self._crashed = True
        raise Crash
