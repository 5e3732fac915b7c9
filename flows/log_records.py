"""Log records, of whatever library, without secrets and without characters that command a terminal."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from index.printable import printable
from index.redact import redact


def cover() -> None:
    """From now on, every log record of this process. Handlers and formatters need not know. May be called
    twice."""
    before = logging.getLogRecordFactory()
    if isinstance(before, _Covering):
        return
    logging.setLogRecordFactory(_Covering(before))


def covered_traceback(error: BaseException) -> str:
    return printable(redact("".join(traceback.format_exception(error))))


class _Covering:
    def __init__(self, before: Any) -> None:
        self._before = before

    def __call__(self, *args: Any, **more: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._before(*args, **more)
        try:
            said = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # Its arguments do not fit the message, and a handler would print both.
            said = ""
        shown = printable(redact(said or f"{record.msg} {record.args}"))
        if shown != said:
            record.msg, record.args = shown, ()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            # A formatter takes what is there already.
            record.exc_text = covered_traceback(error).rstrip("\n")
        return record
