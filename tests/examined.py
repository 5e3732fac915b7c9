"""The examination of collections in this process, where they are open already. It has a process of its own
for those that are damaged: tests that verify again and again, and damage no file, would spend up to half of
their time on its starts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from index.store.base import Each
from index.store.edge.store import EdgeStore
from index.store.examine import faults


def examined(
    store: EdgeStore, collection: str, stop: threading.Event | None = None, each: Each | None = None
) -> list[str]:
    """In the place of `EdgeStore.faults`."""
    return faults(store, collection, lambda: stop is not None and stop.is_set(), each)


@contextmanager
def examined_here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EdgeStore, "faults", examined)
        yield
