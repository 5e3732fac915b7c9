"""Errors of the engine, as those of the store."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.errors import ConfigError, ScratchError, StoreDamaged, StoreError

#: Errors that are no damage: permissions, room, open files, memory, a failing disk.
_UNAVAILABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE,
    errno.ENOMEM, errno.EIO, errno.EINTR, errno.EAGAIN, errno.ESTALE,
}  # fmt: skip


@contextmanager
def engine_errors(what: str, reads: Path | None = None) -> Iterator[None]:
    """Every error of the engine is a StoreError: it raises bare Exception, and a panic as BaseException.
    Where it only `reads` files of a folder, it is StoreDamaged, unless the system denied access."""
    try:
        yield
    except (StoreError, ConfigError, ScratchError):
        raise
    except BaseException as error:
        panic = type(error).__name__ == "PanicException"
        if not isinstance(error, Exception) and not panic:
            raise
        if reads is not None and not _kept_away(str(error)):
            raise StoreDamaged(
                f"The vector store in {reads} is damaged: it could not {what} ({error}). Build it anew, of "
                "what can be read of it and from the sources, with: freshkb verify --repair"
            ) from error
        raise StoreError(
            f"The vector store could not {what}: {error}. What was done before is whole; run the command "
            "again, and if it happens again: freshkb doctor"
        ) from error


def _kept_away(said: str) -> bool:
    return any(int(number) in _UNAVAILABLE for number in re.findall(r"\(os error (\d+)\)", said))
