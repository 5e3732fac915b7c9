"""The part of a parser that others use."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from index.model import Enclosed, Failure, Parsed


class Parsing(Protocol):
    """`index.parse.Parser` ships."""

    def warm(self) -> None: ...
    def submit(self, path: Path, format: str, timeout_seconds: float) -> Future[Parsed | Failure]: ...
    def enclosed(self, path: Path, format: str, timeout_seconds: float) -> Future[Enclosed | Failure]: ...
    def content(
        self, path: Path, format: str, number: int, into: Path, timeout_seconds: float
    ) -> Future[str | Failure]: ...
    def close(self) -> None: ...
