"""A mirror to which something happens at a chosen writing call, before it, in its middle or after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from index.mirror import Mirror
from index.model import Point

#: Calls of the ledger that change something a sync relies on.
LEDGER = (
    "intend", "commit", "settle", "record", "drop_intents", "save_plan", "record_source", "approve",
    "add_review", "record_collection", "switch_collection", "drop_collection",
)  # fmt: skip


class Crash(BaseException):
    """Ends a run as a kill would: nothing catches it."""


def crash() -> None:
    raise Crash


class Fuse:
    """Counts the moments before and after writing calls, and goes off at the one it was lit for."""

    def __init__(self) -> None:
        self._left: int | None = None
        self._bang: Callable[[], object] = crash

    def light(self, moments: int, bang: Callable[[], object] = crash) -> None:
        """After so many moments, do this."""
        self._left, self._bang = moments, bang

    def out(self) -> bool:
        """Put it out; whether it had gone off."""
        left, self._left = self._left, None
        return left is None

    def moment(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                self._left = None
                self._bang()

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def crossing(*args: Any, **more: Any) -> Any:
            self.moment()
            result = call(*args, **more)
            self.moment()
            return result

        return crossing

    def fit(self, mirror: Mirror) -> None:
        """From now on this mirror's writing calls have their moments."""
        for name in LEDGER:
            setattr(mirror.ledger, name, self.around(getattr(mirror.ledger, name)))
        for name in ("create", "drop"):
            setattr(mirror.store, name, self.around(getattr(mirror.store, name)))
        real = mirror.store.session

        @contextmanager
        def session(name: str) -> Iterator[Any]:
            with real(name) as opened:
                yield _Session(opened, self)

        mirror.store.session = session  # type: ignore[method-assign,assignment]


class _Session:
    """A store's session with moments around its writes, and one where half of an upsert was done."""

    def __init__(self, session: Any, fuse: Fuse) -> None:
        self._session = session
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def upsert(self, points: Sequence[Point]) -> None:
        half = len(points) // 2
        self._fuse.moment()
        self._session.upsert(points[:half])
        self._fuse.moment()
        self._session.upsert(points[half:])
        self._fuse.moment()

    def delete(self, ids: Sequence[str]) -> None:
        self._fuse.around(self._session.delete)(ids)
