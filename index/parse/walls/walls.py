"""The walls around a parsing child, built by itself before it reads anything foreign.

Each of the four is built as far as the machine allows, independently of the others, and `Wall` reports the
result.

=============  ===========================================================================================
namespaces     No network, no process but the child's own, no shared memory: nothing to connect to, to
               signal or to trace. Others than root need a user namespace for that.
file system    A view in which nothing is but programs, libraries and fonts (`installation`), read-only, the
               document, and the private folder. Other paths cannot be named: neither read, nor changed in
               their permissions, nor, if sockets, connected to. Needs the namespaces.
Landlock       The same limits once more, by a mechanism that needs no privilege and works in containers
               that forbid namespaces; TCP, abstract sockets, and signals and tracing out of it, too.
user           Root becomes a user that no other process has, without groups and capabilities; the guard
               remains root, to kill it. Others stay who they are, without capabilities. In both cases no
               program that is started can gain any, nor by way of a further user namespace.
=============  ===========================================================================================

Several documents may be handed to a child ahead of their turn. The one that is read cannot list them, and
their names cannot be guessed: a file that names others as its parts gets none of them. Only a document that
has taken the child over learns of them, as it would of any that the child is handed later.

Python may be installed where only root gets to, such as below ``/root``. The view of the file system has its
own folders above an installation, so that the other user gets there all the same. Without that view the child
stays root where the other user could not read what it needs, with no capability, and says so: it needs what
root owns, and Landlock keeps it from the rest. The alternative, a capability to read everything, is worth
more to a document that takes the child over.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from index.parse.walls import installation, kernel, landlock, namespaces, privileges

#: Folders inside the child's own: its home, which it may write, the document, and where its view is built.
PRIVATE, DOCUMENTS, VIEW = "home", "documents", "view"


@dataclass(frozen=True, slots=True)
class Wall:
    name: str
    built: bool
    detail: str
    """How the wall is built, or why it could not be."""


def attempt(name: str, build: Callable[[], str]) -> Wall:
    if sys.platform != "linux":
        return Wall(name, False, "this system has none")
    try:
        return Wall(name, True, build())
    except kernel.NotBuilt as error:
        return Wall(name, False, str(error))
    except OSError as error:
        return Wall(name, False, f"{error.filename or name}: {error.strerror}")


def another_user(folder: Path) -> tuple[int | None, str]:
    """(user that root is to become, and that may open its folder; None when root stays root, reason)."""
    try:
        user = privileges.another_user()
    except kernel.NotBuilt as error:
        return None, str(error)
    if user is not None:
        # Files that the parent puts into it get the group, which is that user's as well.
        for path, mode in ((folder, 0o710), (folder / DOCUMENTS, 0o2710)):
            os.chown(path, -1, user)
            path.chmod(mode)
    return user, ""


def unshare(user: int | None, proc: int) -> str:
    try:
        namespaces.unshare(proc, users=False)
    except PermissionError:
        # In a user namespace of its own, root could become no other user.
        if user is not None:
            raise
        namespaces.unshare(proc, users=True)
    return "processes, network and shared memory of its own"


def narrow(folder: Path, apart: Wall) -> str:
    if not apart.built:
        raise kernel.NotBuilt("it needs the namespaces")
    try:
        namespaces.show_only(installation.paths(), folder / DOCUMENTS, folder / PRIVATE, folder / VIEW)
    finally:
        os.chdir(folder / PRIVATE)
    return "programs and libraries, the document, and a folder of its own"


def give_up(user: int | None, reason: str, folder: Path, proc: int) -> str:
    try:
        if user is not None:
            privileges.check(user, [*installation.indispensable(), folder.parent])
            os.chown(folder / PRIVATE, user, user)
            privileges.become(user)
        elif reason:
            raise kernel.NotBuilt(reason)
    finally:
        # Where the system has no user namespaces, the child gets none either.
        with suppress(OSError):
            namespaces.forbid_users(proc)
        privileges.give_up_capabilities()
    return f"{os.getuid()}, without capabilities"


def confine(folder: Path) -> str:
    version = landlock.restrict([
        *((path, landlock.READ) for path in installation.paths()),
        (folder / DOCUMENTS, landlock.OPEN),
        *((path, landlock.USE) for path in namespaces.DEVICES),
        (folder / PRIVATE, landlock.WRITE),
    ])  # fmt: skip
    return f"version {version}"
