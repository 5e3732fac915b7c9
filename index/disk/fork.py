"""A forked child gives up the locks, connections and open files of its parent.

A fork copies them all. With its copy a child would keep a lock alive when its parent dies, or end it while
the parent relies on it. So every holder of such a thing is noted here, and forgets it in the child.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Holder(Protocol):
    def forget(self) -> None:
        """Called in a forked child: let go of the copies, and leave to the parent what is the parent's."""


#: Weak: a holder that nobody uses any more is not kept for the sake of its children.
_HOLDERS: weakref.WeakSet[Holder] = weakref.WeakSet()


def forget_in_children(holder: Holder) -> None:
    _HOLDERS.add(holder)


def keep_in_children(holder: Holder) -> None:
    """There is nothing left to forget."""
    _HOLDERS.discard(holder)


class Socket:
    """A descriptor that a library of others has open, such as a connection to a server, which a child must
    neither use nor end."""

    def __init__(self, file: int) -> None:
        self._file = file
        forget_in_children(self)

    def close(self) -> None:
        """From now on the library may close it, and its number may become another file's."""
        keep_in_children(self)

    def forget(self) -> None:
        # It leads nowhere from now on. It is not closed, because the library will do that by its number.
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(nowhere, self._file, inheritable=False)
        os.close(nowhere)


def _forget_all() -> None:
    # A list, because a holder that forgets may drop the last reference to another.
    for holder in list(_HOLDERS):
        holder.forget()


os.register_at_fork(after_in_child=_forget_all)
