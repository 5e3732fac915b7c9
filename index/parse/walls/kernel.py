"""Calls of the Linux kernel for which Python 3.11 has no function."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38


class NotBuilt(Exception):
    """A wall cannot be built, for the reason in the message."""


def call(function: str, *arguments: Any) -> int:
    """Call a function of the C library; its result. Numbers are passed as C's `long`.

    Raises OSError when it failed, with the function's name in place of a file's.
    """
    passed = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result: int = getattr(_libc(), function)(*passed)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), function)
    return result


def prctl(option: int, value: int) -> None:
    call("prctl", option, value, 0, 0, 0)


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)
