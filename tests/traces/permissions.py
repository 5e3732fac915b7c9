"""Permissions that bind, also when the superuser runs the tests."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# From linux/capability.h: version 3 of the call, and the capabilities to read and write everything.
_VERSION = 0x20080522
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2

#: The user that owns nothing.
NOBODY = 65534


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


@contextmanager
def binding() -> Iterator[None]:
    """In the block, in this thread and in those that it starts, a file's mode binds its owner, root included.
    Without such capabilities, as on other systems than Linux, everything is as it was."""
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        yield
        return
    before = _get()
    _set(before[0].effective & ~(1 << _CAP_DAC_OVERRIDE | 1 << _CAP_DAC_READ_SEARCH))
    try:
        yield
    finally:
        _set(before[0].effective)


def become_nobody() -> None:
    """From now on this process is a user without rights of its own, if it was the superuser: it cannot write
    what others may not write. It may read everything, because Python may lie in the superuser's home."""
    if os.geteuid() != 0:
        return
    keeping = 8  # PR_SET_KEEPCAPS
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(keeping, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    if sys.platform.startswith("linux"):
        _set(1 << _CAP_DAC_READ_SEARCH)


def _get() -> ctypes.Array[_Sets]:
    sets = (_Sets * 2)()
    _call("capget", sets)
    return sets


def _set(effective: int) -> None:
    sets = _get()
    sets[0].effective = effective
    _call("capset", sets)


def _call(name: str, sets: ctypes.Array[_Sets]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(ctypes.byref(_Header(_VERSION, 0)), sets) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
