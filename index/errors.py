"""Errors of the index, and the exit code that each one ends a command with.

::

    FreshkbError                exit 1
    ├── ConfigError             exit 2   the configuration or the call is wrong
    ├── Refused                 exit 4   a guard refused; nothing was done
    │   ├── PlanChanged                  an approved plan is no longer the same
    │   ├── Locked                       another process holds what is needed
    │   └── ModelChanged                 the index was built by another model or encoder of words:
    │                                    `freshkb reindex`
    ├── LedgerError             exit 1   the ledger cannot be used
    │   ├── LedgerDamaged                its file is: `freshkb verify --repair`
    │   └── LedgerReadOnly               it can be read, and not written
    ├── StoreError              exit 1   the vector store cannot be used, or failed to do its work
    │   ├── StoreDamaged                 its files are: `freshkb verify --repair`
    │   └── StoreMismatch                ledger and store do not belong together
    ├── SignatureError          exit 1   a key cannot be used, or a signature does not hold
    ├── AnchorError             exit 1   a place for checkpoints of the log cannot be used
    ├── ScratchError            exit 1   the folder for temporary files cannot be written
    ├── ParserError             exit 1   the parser itself is broken (not a document)
    └── EmbedderError           exit 1   the model cannot be loaded or used

A document that fails is a value (`index.model.Failure`), never an exception. Programs see a code made of
the name of its class: `LedgerError` is ``ledger_error``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from index.redact import redact


class FreshkbError(Exception):
    """The message names the failure, its subject and the next step. No secret is in it."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(redact(message))


class ConfigError(FreshkbError):
    exit_code = 2


class Refused(FreshkbError):
    exit_code = 4


class PlanChanged(Refused):
    pass


class Locked(Refused):
    pass


class ModelChanged(Refused):
    pass


class LedgerError(FreshkbError):
    pass


class LedgerDamaged(LedgerError):
    """Waiting does not help: the rows that can still be read have to be copied into a new file."""


class LedgerReadOnly(LedgerError):
    pass


class StoreError(FreshkbError):
    pass


class StoreDamaged(StoreError):
    """Waiting does not help: the collection has to be built anew."""

    def __init__(self, message: str, *, deadly: bool = False) -> None:
        super().__init__(message)
        self.deadly = deadly
        """Whether reading it may end the process."""


class StoreMismatch(StoreError):
    pass


class SignatureError(FreshkbError):
    pass


class AnchorError(FreshkbError):
    pass


class ScratchError(FreshkbError):
    pass


class ParserError(FreshkbError):
    pass


class EmbedderError(FreshkbError):
    pass


def code_of(error: BaseException) -> str:
    """The error's code for programs, from the name of its class: ``plan_changed``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


def telling_no_secret(error: BaseException) -> BaseException | None:
    """The error, as the cause of another; None when a traceback would show a secret."""
    link: BaseException | None = error
    while link is not None:
        if redact(str(link)) != str(link):
            return None
        link = link.__cause__ or link.__context__
    return error


@contextmanager
def scratch_errors(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Raise an OSError of the block as ScratchError: no document is at fault."""
    try:
        yield
    except OSError as error:
        raise ScratchError(
            f"Temporary files cannot be written in {os.fspath(folder)}: {error.strerror or error}. Make room "
            "there, and run the command again."
        ) from error
