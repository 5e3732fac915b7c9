"""A parsing child's own process table, network, and view of the file system."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from index.parse.walls import kernel

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


def unshare(proc: int, *, users: bool) -> None:
    """Leave the host's network and shared memory, and give children a process table of their own; with
    `users` by way of a user namespace, for which no privilege is needed.

    Raises OSError when the kernel refuses; then nothing has changed.
    """
    if not users:
        kernel.call("unshare", _ALL)
        return
    # Some systems allow the first half only, and it cannot be undone: a scout process tries first.
    scout = os.fork()
    if scout == 0:
        _exit_with(lambda: _unshare_users(proc))
    _, status = os.waitpid(scout, 0)
    if number := os.waitstatus_to_exitcode(status):
        raise OSError(number, os.strerror(abs(number)), "unshare")
    _unshare_users(proc)


def forbid_users(proc: int) -> None:
    """Forbid further user namespaces, which open much of the kernel that no parser needs: the process enters
    a last one, in which there can be no other. `proc` is an open /proc.

    Raises OSError where there are no user namespaces.
    """
    with suppress(OSError):
        # After a change of user, only root may write to the process's files in /proc.
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    _unshare_users(proc, 0)


def _unshare_users(proc: int, others: int = _ALL) -> None:
    uid, gid = os.getuid(), os.getgid()
    kernel.call("unshare", _NEWUSER | others)
    _write(proc, "self/setgroups", "deny")
    _write(proc, "self/uid_map", f"{uid} {uid} 1")
    _write(proc, "self/gid_map", f"{gid} {gid} 1")
    with suppress(OSError):
        _write(proc, "sys/user/max_user_namespaces", "0")


def _write(proc: int, name: str, text: str) -> None:
    descriptor = os.open(name, os.O_WRONLY, dir_fd=proc)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _exit_with(attempt: Callable[[], None]) -> NoReturn:
    try:
        attempt()
    except OSError as error:
        os._exit(error.errno or 1)
    except BaseException:
        os._exit(1)
    os._exit(0)


def show_only(readable: Iterable[Path], documents: Path, private: Path, at: Path) -> None:
    """Reduce the file system to the readable paths, under their names, and the private folder, the only
    writable one. `at` is an empty folder to build in.

    Raises OSError when the kernel refuses; then the file system is unchanged.
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
    # The old root is mounted over the new one, and then unmounted.
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
