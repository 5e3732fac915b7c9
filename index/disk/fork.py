"""A forked child gives up the locks, connections and open files of its parent.

A fork copies them all. With its copy a child would keep a lock alive when its parent dies, or end it while
the parent relies on it. So every holder of such a resource is registered here, and forgets it in the child.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Holder(Protocol):
    def forget(self) -> None:
        """Called in a forked child: give up the copies, and leave the parent's resources alone."""


#: Weak: the registry keeps no unused holder alive.
_HOLDERS: weakref.WeakSet[Holder] = weakref.WeakSet()


def forget_in_children(holder: Holder) -> None:
    _HOLDERS.add(holder)


def keep_in_children(holder: Holder) -> None:
    """Unregister a holder that has nothing left to forget."""
    _HOLDERS.discard(holder)


class Socket:
    """A descriptor that a foreign library has open, such as a connection to a server, which a child must
    neither use nor end."""

    def __init__(self, file: int) -> None:
        self._file = file
        forget_in_children(self)

    def close(self) -> None:
        """Unregister: from now on the library may close it, and its number may become another file's."""
        keep_in_children(self)

    def forget(self) -> None:
        # Point it at the null device. The library still closes it by its number.
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(nowhere, self._file, inheritable=False)
        os.close(nowhere)


def _forget_all() -> None:
    # A list, because a holder that forgets may drop the last reference to another.
    for holder in list(_HOLDERS):
        holder.forget()


os.register_at_fork(after_in_child=_forget_all)
