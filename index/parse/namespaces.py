"""A parsing child's own process table, network, and view of the file system."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from index.parse import kernel

_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_ALL = _NEWIPC | _NEWPID | _NEWNET

_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 0x1000, 0x4000, 0x40000
_MNT_DETACH = 2
# The same on every architecture that Python's wheels are built for.
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_RDONLY, _NOSUID, _NODEV, _NOEXEC = 1, 2, 4, 8

DEVICES = tuple(Path("/dev", name) for name in ("null", "zero", "full", "random", "urandom"))


class _Attributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "users"))


def unshare(*, users: bool) -> None:
    """Leave the network and the shared memory of others, and let children have a process table of their own;
    with `users` by way of a user namespace, for which no privilege is needed.

    Raises OSError when the kernel says no; then nothing has changed.
    """
    if not users:
        kernel.call("unshare", _ALL)
        return
    # Some systems allow the first half only, and from there is no way back: another process goes ahead.
    scout = os.fork()
    if scout == 0:
        _exit_with(_unshare_users)
    _, status = os.waitpid(scout, 0)
    if number := os.waitstatus_to_exitcode(status):
        raise OSError(number, os.strerror(abs(number)), "unshare")
    _unshare_users()


def _unshare_users() -> None:
    uid, gid = os.getuid(), os.getgid()
    kernel.call("unshare", _NEWUSER | _ALL)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    # None inside this one: they are a way to much of the kernel that no parser needs.
    with suppress(OSError):
        Path("/proc/sys/user/max_user_namespaces").write_text("0")


def _exit_with(attempt: Callable[[], None]) -> NoReturn:
    try:
        attempt()
    except OSError as error:
        os._exit(error.errno or 1)
    except BaseException:
        os._exit(1)
    os._exit(0)


def show_only(readable: Iterable[Path], documents: Path, private: Path, at: Path) -> None:
    """Leave of the file system, under the names that they have, what may be read, and the private folder, the
    only one that may be written. `at` is an empty folder to build in.

    Raises OSError when the kernel says no; then the file system is what it was.
    """
    kernel.call("unshare", _NEWNS)
    _mount(None, Path("/"), None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", at, "tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=755,size=1m")
    for path in readable:
        _bind(path, at)
    for path in (documents, private, *DEVICES):
        _make_place(path, at)
    _restrict(at, _RDONLY | _NOSUID | _NODEV, _AT_RECURSIVE)
    for path in (documents, private, *DEVICES):
        _bind(path, at)
    _restrict(_below(at, documents), _RDONLY | _NOSUID | _NODEV | _NOEXEC)
    _restrict(_below(at, private), _NOSUID | _NODEV | _NOEXEC)
    os.chdir(at)
    # The old root comes to lie upon the new one, from where it is taken away.
    kernel.call("pivot_root", b".", b".")
    kernel.call("umount2", b".", _MNT_DETACH)
    os.chdir(private)


def _bind(path: Path, at: Path) -> None:
    _make_place(path, at)
    _mount(path, _below(at, path), None, _MS_BIND | _MS_REC)


def _make_place(path: Path, at: Path) -> None:
    place = _below(at, path)
    if path.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    elif not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


def _below(at: Path, path: Path) -> Path:
    return at / path.relative_to("/")


def _mount(
    source: Path | str | None, target: Path, kind: str | None, flags: int, data: bytes | None = None
) -> None:
    encoded = (None if value is None else os.fsencode(value) for value in (source, target, kind))
    kernel.call("mount", *encoded, flags, data)


def _restrict(target: Path, attributes: int, flags: int = 0) -> None:
    wanted = _Attributes(set=attributes)
    size = ctypes.sizeof(wanted)
    path = os.fsencode(target)
    kernel.call("syscall", _MOUNT_SETATTR, _AT_FDCWD, path, flags, ctypes.byref(wanted), size)
