"""Landlock: a process gives up what it may do with files, TCP, signals and sockets, for good.

A process in a Landlock domain, and every process it starts, opens, lists, runs, makes, changes and removes
files only below the paths that its rules name. Nor does it trace a process outside of its domain, which
includes reading that one's memory and environment. No rule governs a file's metadata: visible files it may
`stat`, and its own files it may `chmod`.

The interface is described in Documentation/userspace-api/landlock.rst of the kernel's source. It takes three
system calls, so that a binding, of which PyPI has a pre-release only, would not be shorter.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from index.parse.walls import kernel

# The same on every architecture that Python's wheels are built for.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_REFER, _TRUNCATE, _IOCTL_DEV, _RESOLVE_UNIX = 1 << 13, 1 << 14, 1 << 15, 1 << 16
#: Rights to make and to remove files of every kind.
_MAKE_AND_REMOVE = (1 << 13) - (1 << 4)
#: Rights that a rule for something else than a folder may name.
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE

READ = _EXECUTE | _READ_FILE | _READ_DIR
#: Of files whose names are known.
OPEN = _READ_FILE
USE = _READ_FILE | _WRITE_FILE
WRITE = _READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE | _REFER | _MAKE_AND_REMOVE

#: Rights over files that each version of the interface brought.
_FILES = {1: (1 << 13) - 1, 2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV, 9: _RESOLVE_UNIX}
#: Rights to bind and to connect by TCP, since version 4.
_TCP = 0b11
#: Rights to connect to abstract sockets and to send signals out of the domain, since version 6.
_SCOPES = 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def version() -> int:
    """Version of the interface. Raises OSError where the kernel lacks it, or has it switched off."""
    return kernel.call("syscall", _CREATE_RULESET, None, 0, _VERSION)


def restrict(rules: Iterable[tuple[Path, int]]) -> int:
    """Enter a domain in which paths may be used as far as the rules say (`READ`, `OPEN` alone, `USE` a
    device, `WRITE`), and no others; no TCP, nor sockets and signals to processes outside. Version of the
    interface.

    The calling thread must be its process's only one, and have no new privileges. Paths that do not exist are
    passed over. Raises OSError when there is no such domain.
    """
    abi = version()
    handled = sum(rights for since, rights in _FILES.items() if since <= abi)
    ruleset = _Ruleset(handled, _TCP if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    domain = kernel.call("syscall", _CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    try:
        for path, rights in rules:
            _allow(domain, path, rights & handled)
        kernel.call("syscall", _RESTRICT_SELF, domain, 0)
    finally:
        os.close(domain)
    return abi


def _allow(domain: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        rule = _PathBeneath(rights if path.is_dir() else rights & _OF_FILES, descriptor)
        kernel.call("syscall", _ADD_RULE, domain, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)
