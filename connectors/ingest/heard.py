"""What the library says in its log, and goes on: the only trace of much that it swallows.

It has one logger for all services. Its records go nowhere else, since they hold names, addresses and texts of answers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Warnings that say nothing about the documents.
_HARMLESS = ("Using OAuth token authentication",)

#: For a client that logs each attempt: what comes of them it raises.
SILENT = logging.getLogger("freshkb.ingest.silent")
SILENT.propagate = False
SILENT.addHandler(logging.NullHandler())
SILENT.setLevel(logging.CRITICAL)

_heard: ContextVar[list[str] | None] = ContextVar("heard", default=None)


class _Ear(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        said = _heard.get()
        if said is not None and record.levelno >= logging.WARNING:
            message = " ".join(record.getMessage().split())
            if not message.startswith(_HARMLESS):
                said.append(message)


def _listen() -> None:
    logger = logging.getLogger("unstructured_ingest")
    logger.handlers[:] = [_Ear()]
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    for name in (
        "atlassian",
        "msal",
        "office365",
        "notion_client",
        "googleapiclient",
        "slack_sdk",
        "backoff",
    ):
        # They log addresses, headers and bodies; what went wrong they raise, too.
        other = logging.getLogger(name)
        other.propagate = False
        if not other.handlers:
            other.addHandler(logging.NullHandler())


_listen()


@contextmanager
def hearing(said: list[str]) -> Iterator[None]:
    """Adds what the library warns of meanwhile, in this thread and in those that it starts from it."""
    token = _heard.set(said)
    try:
        yield
    finally:
        _heard.reset(token)
