"""A parsing child's user, groups and capabilities, and how it gives them up."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path

from index.parse.walls import kernel

#: Users beyond those of systems, of containers and of services with a user for each run (systemd: "Users,
#: Groups, UIDs and GIDs"). With a process's id added, the user of that process and of nothing else.
FIRST_USER = 1879048192

#: Capabilities to become another user, to give that user its folder, and to kill its processes.
_NEEDED = {"CAP_CHOWN": 0, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7}
#: Version 3 of the calls, in linux/capability.h.
_VERSION = 0x20080522


def another_user() -> int | None:
    """The user that this process, as root, is to become; None when it is an ordinary user.

    Raises NotBuilt when it is root and may not become another one.
    """
    if os.geteuid():
        return None
    missing = [name for name, number in _NEEDED.items() if not _effective() >> number & 1]
    if missing:
        raise kernel.NotBuilt(f"root lacks {', '.join(missing)}")
    return FIRST_USER + os.getpid()


def check(user: int, needed: Iterable[Path]) -> None:
    """Raises NotBuilt when there can be no such user, or when it could not read a needed path. Leaves root's
    groups."""
    try:
        os.setgroups([])
        os.setegid(user)
        os.seteuid(user)
        closed = next((path for path in needed if not _readable(path)), None)
    except OSError as error:
        raise kernel.NotBuilt(f"there can be no user {user} here: {error.strerror}") from None
    finally:
        os.seteuid(0)
        os.setegid(0)
    if closed is not None:
        raise kernel.NotBuilt(f"{closed} is closed to all but root")


def become(user: int) -> None:
    """Give up root for good."""
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def give_up_capabilities() -> None:
    """All of them, and every way to gain one."""
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    with suppress(OSError):  # Past the last of them, or not permitted.
        for number in count():
            kernel.prctl(kernel.PR_CAPBSET_DROP, number)
    kernel.call("capset", _header(), (ctypes.c_uint32 * 6)())


def _readable(path: Path) -> bool:
    mode = os.R_OK | os.X_OK if path.is_dir() else os.R_OK
    return os.access(path, mode, effective_ids=True)


def _effective() -> int:
    sets = (ctypes.c_uint32 * 6)()
    kernel.call("capget", _header(), sets)
    return int(sets[0])


def _header() -> ctypes.Array[ctypes.c_uint32]:
    return (ctypes.c_uint32 * 2)(_VERSION, 0)
