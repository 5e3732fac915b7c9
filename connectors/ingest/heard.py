"""What the library says in its log, and goes on: the only trace of much that it swallows.

It has one logger for all services. Its records go nowhere else, since they hold names, addresses and texts of
answers.
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

#: They log addresses, headers and the texts of answers; what went wrong they raise, too.
_TALKATIVE = (
    "atlassian",
    "backoff",
    "googleapiclient",
    "httpcore",
    "msal",
    "notion_client",
    "office365",
    "slack_sdk",
)

_heard: ContextVar[list[str] | None] = ContextVar("heard", default=None)


class _Ear(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        said = _heard.get()
        if said is not None and record.levelno >= logging.WARNING:
            message = " ".join(record.getMessage().split())
            if not message.startswith(_HARMLESS):
                said.append(message)


_EAR = _Ear()


def listen() -> None:
    """Take the records of these libraries, whatever has been configured since."""
    logger = logging.getLogger("unstructured_ingest")
    logger.handlers[:] = [_EAR]
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


@contextmanager
def hearing(said: list[str]) -> Iterator[None]:
    """Adds what the library warns of meanwhile, in this thread and in those that it starts from it."""
    token = _heard.set(said)
    try:
        yield
    finally:
        _heard.reset(token)
