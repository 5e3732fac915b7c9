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


#: How the engine's errors begin that are none of what it was given, and how the system's are named in them.
_OWN, _SYSTEMS = "Service runtime error", "(os error "


@contextmanager
def engine_errors(what: str, reads: Path | None = None, *, writes: Path | None = None) -> Iterator[None]:
    """Every error of the engine is a StoreError: it raises bare Exception, and a panic as BaseException.
    Where it only `reads` files of a folder, it is StoreDamaged, unless the system denied access. Where it
    `writes` them, too, an error of its own is: it could not use what it had read on the way."""
    try:
        yield
    except (StoreError, ConfigError, ScratchError):
        raise
    except BaseException as error:
        panic = type(error).__name__ == "PanicException"
        if not isinstance(error, Exception) and not panic:
            raise
        own = (panic or str(error).startswith(_OWN)) and _SYSTEMS not in str(error)
        folder = reads or (writes if own else None)
        if folder is not None and not _kept_away(str(error)):
            raise StoreDamaged(
                f"The vector store in {folder} is damaged: it could not {what} ({error}). Build it anew, of "
                "what can be read of it and from the sources, with: freshkb verify --repair"
            ) from error
        raise StoreError(
            f"The vector store could not {what}: {error}. What was done before is whole; run the command "
            "again, and if it happens again: freshkb doctor"
        ) from error


def _kept_away(said: str) -> bool:
    return any(int(number) in _UNAVAILABLE for number in re.findall(r"\(os error (\d+)\)", said))
