"""The system's log, or one that listens on another socket of this host: written to, and never read."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from logging.handlers import SysLogHandler

from index.anchors.anchor import usable
from index.anchors.spec import AnchorSpec

_SYSTEM = "/var/run/syslog" if sys.platform == "darwin" else "/dev/log"


class _Strict(SysLogHandler):
    append_nul = False

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        assert error is not None
        raise error


class SyslogAnchor:
    readable = False

    def __init__(self, spec: AnchorSpec) -> None:
        self.spec = spec

    def newest(self, origin: str) -> str | None:
        return None

    def all(self, origin: str, having: str = "") -> Sequence[str]:
        return []

    def write(self, origin: str, note: str) -> None:
        """One line: the note's parts in their order, blanks between them."""
        line = "freshkb: checkpoint " + " ".join(note.split())
        with usable(self.spec):
            handler = _Strict(str(self.spec.path or _SYSTEM))
            try:
                handler.emit(logging.LogRecord("freshkb", logging.INFO, "", 0, line, (), None))
            finally:
                handler.close()
